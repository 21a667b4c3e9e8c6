"""A record is known again by what lasts in it: not by counters, tokens and addresses of pictures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crawlers.pages import telegram, vk
from crawlers.pages.base import Context, Parsed
from index.domain.post import Network
from index.domain.source import Source
from tests.crawlers.pages.cases import HERE
from tests.factories import NOON

CONTEXT = Context(secret=b"tests", fetched_at=NOON, kept={})
PHOTO = {"id": 5, "owner_id": -1, "text": "двор", "sizes": [{"url": "https://a/1.jpg"}], "access_key": "x"}
POST: dict[str, Any] = {
    "id": 7, "owner_id": -1, "from_id": -1, "date": int(NOON.timestamp()), "text": "Нет тепла", "hash": "h1",
    "views": {"count": 10}, "likes": {"count": 1, "user_likes": 0}, "comments": {"count": 2},
    "attachments": [{"type": "photo", "photo": PHOTO}],
}  # fmt: skip


def wall(context: Context, **changes: Any) -> Parsed:
    return vk.wall({"response": {"count": 1, "items": [POST | changes]}}, context)


def after(parsed: Parsed, **facts: Any) -> Context:
    """The context of the next reading: the index holds what this one gave."""
    return replace(CONTEXT, kept={post.id: post.print for post in parsed.posts if post.print}, **facts)


def test_the_same_record_is_passed_over_and_still_seen() -> None:
    again = wall(after(wall(CONTEXT)))
    assert again.posts == ()
    assert [(sight.id, sight.published_at, sight.comments) for sight in again.sights] == [
        ("vk:-1_7", NOON, 2)
    ]


@pytest.mark.parametrize(
    "passing",
    [
        {"hash": "h2", "views": {"count": 99}, "likes": {"count": 5, "user_likes": 1}},
        {"attachments": [{"type": "photo", "photo": PHOTO | {"sizes": [{"url": "https://b/2.jpg"}]}}]},
        {"attachments": [{"type": "photo", "photo": PHOTO | {"access_key": "y"}}]},
    ],
)
def test_what_passes_makes_no_other_record(passing: dict[str, Any]) -> None:
    assert wall(after(wall(CONTEXT)), **passing).posts == ()


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Тепло дали"},
        {"comments": {"count": 3}},
        {"edited": 1},
        {"is_pinned": 1},
        {"attachments": [{"type": "photo", "photo": PHOTO | {"text": "подъезд"}}]},
        {"attachments": []},
        {"copy_history": [{"id": 1, "owner_id": -2, "text": "источник"}]},
        {"a field nobody knows yet": 1},
    ],
)
def test_whatever_lasts_and_changed_is_read(change: dict[str, Any]) -> None:
    assert [post.id for post in wall(after(wall(CONTEXT)), **change).posts] == ["vk:-1_7"]


def test_counters_alone_wait_until_the_post_is_due() -> None:
    first = wall(CONTEXT)
    soon = after(first, fetched_at=NOON + timedelta(minutes=4))
    later = after(first, fetched_at=NOON + timedelta(minutes=5))
    assert wall(soon, views={"count": 50}).posts == ()
    assert wall(later, views={"count": 50}).posts[0].counters.views == 50


def test_a_pinned_post_is_known_as_pinned_though_it_is_passed_over() -> None:
    again = wall(after(wall(CONTEXT, is_pinned=1)), is_pinned=1)
    assert (again.posts, again.pinned) == ((), {"vk:-1_7"})


def test_the_same_record_is_read_again_for_a_source_that_was_entered_meanwhile() -> None:
    source = Source(id="vk:club1", network=Network.VK, address="club1", title="Район")
    assert len(wall(after(wall(CONTEXT), source=source)).posts) == 1


def test_replies_of_a_comment_that_did_not_change_are_read() -> None:
    comment = {"id": 8, "from_id": 5, "date": int(NOON.timestamp()), "text": "Когда?", "thread": {"count": 0}}
    reply = {"id": 9, "from_id": 6, "date": int(NOON.timestamp()), "text": "Завтра"}

    def comments(context: Context, *replies: dict[str, Any]) -> Parsed:
        item = comment | {"thread": {"count": len(replies), "items": list(replies)}}
        return vk.comments({"response": {"count": 1, "items": [item]}}, context, post_id="vk:-1_7")

    again = comments(after(comments(CONTEXT)), reply)
    assert [post.id for post in again.posts] == ["vk:-1_7_r9"]
    assert [sight.id for sight in again.same] == ["vk:-1_7_r8"]


def test_a_page_of_telegram_is_known_again_without_its_tokens_counters_and_pictures() -> None:
    page = (HERE / "telegram" / "tme_s_2026" / "input.html").read_bytes()
    first = telegram.page(page, CONTEXT)
    shown = page.replace(b"3.42M", b"3.50M").replace(b"cdn4.telesco.pe/file/", b"cdn5.telesco.pe/file/x")
    shown = shown.replace(b'data-view="eyJ', b'data-view="eyK')
    assert shown != page
    again = telegram.page(shown, after(first))
    assert (again.posts, again.broken) == ((), ())
    assert [sight.id for sight in again.sights] == [post.id for post in first.posts]
    assert (again.next, telegram.ids(shown)) == (first.next, [post.id for post in first.posts])


def test_one_edited_message_of_a_page_is_read_and_the_others_are_not() -> None:
    page = (HERE / "telegram" / "tme_s_2026" / "input.html").read_bytes()
    first = telegram.page(page, CONTEXT)
    edited = page.replace(b"massive polls", b"honest polls")
    again = telegram.page(edited, after(first))
    assert [post.id for post in again.posts] == ["telegram:durov/508"]
    assert "honest polls" in again.posts[0].text


def test_a_page_cut_anywhere_is_read_as_far_as_it_goes() -> None:
    page = (HERE / "telegram" / "tme_s_2026" / "input.html").read_bytes()
    known = after(telegram.page(page, CONTEXT))
    for length in range(2_000, len(page), 577):
        cut = page[:length]
        if b"tgme_channel_history" in cut:
            telegram.page(cut, known)
