"""What the Telegram page objects know besides posts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawlers.pages import telegram
from crawlers.pages.base import Context, Unreadable
from index.domain.post import AuthorKind, Network
from index.domain.source import Source
from tests.crawlers.pages.cases import CONTEXT, HERE


def saved(name: str) -> str:
    return next((HERE / "telegram" / name).glob("input.*")).read_text(encoding="utf-8")


def test_a_discussion_tells_how_to_ask_for_more() -> None:
    found = telegram.discussion(saved("discussion_widget"), CONTEXT, post_id="telegram:kurlovo_news/25")
    assert found.is_available
    assert found.request == {
        "peer": "c1322215945_4517828080545053944",
        "top_msg_id": "130198",
        "discussion_hash": "83c60ba1c7893cb3dd",
    }
    assert found.api_url == "https://t.me/api/method?api_hash=abc"
    assert (found.parsed.next, found.after, found.parsed.total) == ("235679", "238740", 740)


def test_a_closed_discussion_is_not_an_empty_one() -> None:
    page = (
        '<div class="tgme_post_discussion js-message_history"><div class="tme_no_messages_found">'
        "Discussion is not available at the moment.</div></div>"
    )
    found = telegram.discussion(page, CONTEXT, post_id="telegram:durov/508")
    assert (found.is_available, found.parsed.posts) == (False, ())


def test_an_empty_discussion_is_open() -> None:
    nothing = '<div class="tme_no_messages_found">No comments here yet</div>'
    page = f'<div class="tgme_post_discussion">{nothing}</div>'
    assert telegram.discussion(page, CONTEXT, post_id="telegram:durov/508").is_available


def test_a_comment_is_the_same_from_the_widget_and_from_the_bot() -> None:
    widget = telegram.discussion(saved("discussion_widget"), CONTEXT, post_id="telegram:kurlovo_news/25")
    message = {
        "message_id": 238737,
        "from": {"id": 5, "is_bot": False, "first_name": "А"},
        "chat": {"id": -1001322215945, "type": "supergroup", "title": "Чат"},
        "date": 1795514400,
        "message_thread_id": 130198,
        "text": "У нас на Мира тоже нет",
    }
    roots = {"1322215945/130198": "telegram:kurlovo_news/25"}
    bot = telegram.update({"update_id": 1, "message": message}, CONTEXT, roots=roots)
    assert bot.posts[0].id == widget.parsed.posts[0].id
    assert bot.posts[0].parent_id == widget.parsed.posts[0].parent_id


def test_a_channel_with_its_preview_off_is_not_an_empty_channel() -> None:
    parsed = telegram.page(saved("preview_off"), CONTEXT)
    assert parsed.preview_off
    assert not telegram.page(saved("no_posts"), CONTEXT).preview_off


@pytest.mark.parametrize("body", ["<html><body>Доступ ограничен</body></html>", "<p>", "502 Bad Gateway"])
def test_a_page_of_somebody_else_is_unreadable_and_never_no_posts(body: str) -> None:
    with pytest.raises(Unreadable):
        telegram.page(body, CONTEXT)


def test_the_head_of_a_channel() -> None:
    found = telegram.channel(saved("page_2023_layout_cut_at_the_end"), CONTEXT)
    assert found is not None
    assert (found.address, found.number, found.title, found.members) == (
        "kurlovo_news",
        "c1591537674",
        "Курлово News",
        2400,
    )


def test_an_official_channel_speaks_officially() -> None:
    source = Source(
        id="telegram:kurlovo_news",
        network=Network.TELEGRAM,
        address="kurlovo_news",
        title="Администрация Курлово",
        home="Курлово",
        is_official=True,
    )
    for context in (
        Context(secret=b"s", fetched_at=datetime(2026, 11, 24, tzinfo=UTC), source=source),
        Context(secret=b"s", fetched_at=datetime(2026, 11, 24, tzinfo=UTC), known={"c1591537674": source}),
    ):
        post = telegram.page(saved("page_2023_layout_cut_at_the_end"), context).posts[0]
        assert post.author_kind is AuthorKind.OFFICIAL
        assert (post.source, post.source_id, post.source_home) == (source.title, source.id, "Курлово")


def test_names_of_people_never_get_into_the_quarantine() -> None:
    page = Path(HERE / "telegram" / "page_2023_layout_cut_at_the_end" / "input.html").read_text(
        encoding="utf-8"
    )
    broken = telegram.page(page.replace('datetime="2026', 'when="2026'), CONTEXT).broken
    assert len(broken) == 8
    assert not any(name in one.raw for one in broken for name in ("Пётр", "Анна Петрова", "@ivan_petrov"))
