"""What the VK and OK page objects know besides posts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crawlers.pages import ok, vk
from crawlers.pages.base import Community, Context, Unreadable
from crawlers.pages.mentions import named
from crawlers.pages.ok import moscow
from index.domain.post import AuthorKind, Network, PostKind
from index.domain.source import Source
from tests.crawlers.pages.cases import CONTEXT

NOW = CONTEXT.fetched_at
GROUP = {
    "id": 33438842,
    "name": "Подслушано",
    "screen_name": "kurlovo",
    "is_closed": 1,
    "members_count": 1200,
}
KURLOVO = Community(
    network=Network.VK, address="kurlovo", number="33438842", title="Подслушано", members=1200, is_closed=True
)


@pytest.mark.parametrize(
    "response",
    [
        [GROUP],  # API before 5.139
        {"groups": [GROUP], "profiles": []},  # now
        {"count": 1, "items": [GROUP]},  # groups.search, groups.get
    ],
)
def test_communities_come_in_three_shapes(response: Any) -> None:
    assert vk.communities({"response": response}, now=NOW) == [KURLOVO]


def test_a_deactivated_community_is_gone_and_a_bare_number_is_enough() -> None:
    answer = {"response": {"groups": [{"id": 1, "name": "DELETED", "deactivated": "banned"}, 7]}}
    gone, bare = vk.communities(answer, now=NOW)
    assert (gone.is_gone, gone.address, bare.address) == (True, "club1", "club7")


@pytest.mark.parametrize(
    ("response", "owner"),
    [
        ({"type": "user", "object_id": 1}, 1),
        ({"type": "group", "object_id": 10639516.0}, -10639516),
        ({"type": "page", "object_id": 5}, -5),
        ([], None),
    ],
)
def test_a_screen_name_resolves_to_the_owner(response: Any, owner: int | None) -> None:
    assert vk.resolved({"response": response}, now=NOW) == owner


def source(address: str, **facts: Any) -> Source:
    return Source(id=f"vk:{address}", network=Network.VK, address=address, title="Администрация", **facts)


def test_an_official_page_speaks_officially_on_its_own_wall_only() -> None:
    context = Context(secret=b"s", fetched_at=NOW, source=source("club77", is_official=True, home="Курлово"))
    items = [
        {"id": n, "owner_id": -77, "from_id": who, "date": 1795510800} for n, who in enumerate((-77, -5, 9))
    ]
    posts = vk.wall({"response": {"items": items}}, context).posts
    assert [post.author_kind for post in posts] == [
        AuthorKind.OFFICIAL,
        AuthorKind.COMMUNITY,
        AuthorKind.PERSON,
    ]
    assert {(post.source, post.source_id, post.source_home) for post in posts} == {
        ("Администрация", "vk:club77", "Курлово")
    }


def test_a_search_knows_the_registered_sources_among_what_it_found() -> None:
    context = Context(secret=b"s", fetched_at=NOW, known={"-77": source("club77")})
    items = [{"id": 1, "owner_id": owner, "date": 1795510800} for owner in (-77, -5)]
    posts = vk.search({"response": {"items": items, "count": 2, "total_count": 1500}}, context).posts
    assert [post.source_id for post in posts] == ["vk:club77", None]


def test_a_found_reply_is_a_comment_of_its_post() -> None:
    item = {"id": 45, "owner_id": -1, "post_id": 23, "post_type": "reply", "from_id": 5, "date": 1795510800}
    post = vk.search({"response": {"items": [item], "next_from": "3/-1_45"}}, CONTEXT).posts[0]
    assert (post.id, post.kind, post.parent_id) == ("vk:-1_23_r45", PostKind.COMMENT, "vk:-1_23")


def test_the_reference_example_of_moscow_time() -> None:
    """2014-04-11 12:53:02 decodes to 08:53:02Z: Moscow was at +4 then; +3 since 26 October 2014."""
    assert moscow("2014-04-11 12:53:02", "date") == datetime(2014, 4, 11, 8, 53, 2, tzinfo=UTC)
    assert moscow("2026-11-24 12:00:00", "date") == datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("post_id", "discussion"),
    [
        ("ok:62190641299501", ("62190641299501", "GROUP_TOPIC")),
        ("ok:group_photo/5", ("5", "GROUP_PHOTO")),
    ],
)
def test_an_ok_post_is_asked_for_by_its_discussion(post_id: str, discussion: tuple[str, str]) -> None:
    assert ok.discussion_of(post_id) == discussion
    assert ok.post_id(*discussion) == post_id


def test_communities_of_ok() -> None:
    answer = [
        {"uid": "53923499278353", "name": "Группа", "shortname": "newservicetesting", "members_count": 12463}
    ]
    (found,) = ok.communities(answer, now=NOW)
    assert (found.address, found.number, found.members) == ("newservicetesting", "53923499278353", 12463)


def test_an_empty_page_of_ok_comments_ends_the_paging() -> None:
    parsed = ok.comments({"has_more": False, "anchor": "x"}, CONTEXT, post_id="ok:1")
    assert (parsed.posts, parsed.next) == ((), None)
    with pytest.raises(Unreadable):
        ok.comments({"comments": "нет"}, CONTEXT, post_id="ok:1")


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("[club77|Администрация] и [public5|Новости]", ["vk club77", "vk club5"]),
        (
            "https://vk.com/wall-77_5 vk.com/kurlovo?w=1 m.vk.com/public9",
            ["vk club77", "vk kurlovo", "vk club9"],
        ),
        ("https://t.me/s/Kurlovo_News/25 и t.me/+abc", ["telegram kurlovo_news"]),
        (
            "https://ok.ru/group/53923499278353/topic/1 ok.ru/kurlovo",
            ["ok group/53923499278353", "ok kurlovo"],
        ),
        ("https://max.ru/gusr", ["max gusr"]),
        ("https://www.vesti-gus.ru/news/1", ["news https://vesti-gus.ru"]),
        (
            "https://vk.com/id5 https://vk.com/feed https://ok.ru/profile/5 https://youtube.com/x https://clck.ru/a",
            [],
        ),
        ("просто текст без ссылок", []),
    ],
)
def test_pages_that_a_text_names(text: str, addresses: list[str]) -> None:
    assert [f"{one.network.value} {one.address}" for one in named(text, post_id="vk:-1_1")] == addresses
