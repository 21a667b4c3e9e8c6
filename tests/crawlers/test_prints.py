"""What the index holds in the form it comes in is passed over; whatever changed is read, whoever looks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crawlers.pages import prints
from index.domain.post import Post
from tests.crawlers.conftest import Stand

HOUR = timedelta(hours=1)
PLACES = {"vk": "club1", "ok": "70000000001", "telegram": "kurlovo", "max": "-70001"}


@pytest.fixture
def written(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> list[Post]:
    """Posts that reached the index since, in order."""
    found: list[Post] = []
    add = stand.posts.add

    def noted(posts: Any) -> Any:
        found.extend(posts)
        return add(posts)

    monkeypatch.setattr(stand.posts, "add", noted)
    return found


def read_from_the_start(stand: Stand, source: str) -> None:
    """By a process that remembers nothing, without a cursor."""
    stand.desk.cursors.save(source, {}, "posts")
    stand.make_due()
    stand.another().run_due(stand.clock(), only=[source])


@pytest.mark.parametrize("network", PLACES)
def test_what_did_not_change_is_neither_read_nor_stored_again(
    stand: Stand, written: list[Post], network: str
) -> None:
    source = stand.watch(network, PLACES[network], with_comments=False)
    said = [stand.twin.say(network, PLACES[network], f"запись {n} о тепле") for n in range(7)]
    stand.crawl(source)
    assert set(stand.posts.prints(said)) == set(said)
    written.clear()
    read_from_the_start(stand, source)
    assert written == []
    assert stand.health(source).posts_seen == 7


@pytest.mark.parametrize("network", PLACES)
def test_an_edit_among_what_did_not_change_is_seen(stand: Stand, written: list[Post], network: str) -> None:
    source = stand.watch(network, PLACES[network], with_comments=False)
    said = [stand.twin.say(network, PLACES[network], f"запись {n} о тепле") for n in range(5)]
    stand.crawl(source)
    written.clear()
    stand.twin.edit(said[2], "тепло дали")
    read_from_the_start(stand, source)
    assert [post.id for post in written] == [said[2]]
    assert stand.posts.get(said[2]).post.text == "тепло дали"


@pytest.mark.parametrize("network", ["vk", "ok", "telegram", "max"])
def test_other_counters_are_taken_over_when_the_post_is_due_and_not_before(
    stand: Stand, written: list[Post], network: str
) -> None:
    source = stand.watch(network, PLACES[network], with_comments=False)
    said = stand.twin.say(network, PLACES[network], "запись о тепле", views=10)
    stand.crawl(source)
    written.clear()
    stand.twin.count(said, views=90)
    read_from_the_start(stand, source)
    assert written == []
    stand.ahead = HOUR
    read_from_the_start(stand, source)
    assert stand.posts.get(said).post.counters.views == 90


def test_a_comment_under_a_post_that_did_not_change_is_read(stand: Stand) -> None:
    source = stand.watch("vk", "club1")
    said = stand.twin.say("vk", "club1", "запись о тепле")
    first = stand.twin.say("vk", "club1", "и у нас нет", parent=said)
    stand.crawl(source)
    second = stand.twin.say("vk", "club1", "и у нас", parent=said)
    read_from_the_start(stand, source)
    assert {first, second} <= set(stand.all_posts())


def test_a_post_that_came_back_unchanged_stands_again(stand: Stand) -> None:
    source = stand.watch("vk", "club1", with_comments=False)
    said = stand.twin.say("vk", "club1", "запись о тепле")
    stand.crawl(source)
    post = stand.posts.get(said).post
    stand.posts.add([Post(**{n: getattr(post, n) for n in Post.__dataclass_fields__} | {"is_deleted": True})])
    read_from_the_start(stand, source)
    assert not stand.posts.get(said).post.is_deleted


def test_an_erased_post_is_nobody_s_secret_print(stand: Stand, written: list[Post]) -> None:
    source = stand.watch("vk", "club1", with_comments=False)
    said = stand.twin.say("vk", "club1", "запись о тепле")
    stand.crawl(source)
    stand.posts.erase(post_ids=[said])
    assert stand.posts.prints([said]) == {}
    written.clear()
    read_from_the_start(stand, source)
    assert [post.id for post in written] == [said]  # as any post of the open wall that the index lacks


def test_another_parser_reads_everything_again(
    stand: Stand, written: list[Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = stand.watch("vk", "club1", with_comments=False)
    said = stand.twin.say("vk", "club1", "запись о тепле")
    stand.crawl(source)
    written.clear()
    monkeypatch.setattr(prints, "_readers", lambda: "a mended one")
    prints._key.cache_clear()
    read_from_the_start(stand, source)
    prints._key.cache_clear()
    assert [post.id for post in written] == [said]


def test_a_post_that_names_another_page_is_passed_over_once_its_evidence_is_kept(
    stand: Stand, written: list[Post]
) -> None:
    source = stand.watch("vk", "club1", with_comments=False)
    said = stand.twin.say("vk", "club1", "подробнее: https://vk.com/club77")
    stand.crawl(source)
    assert stand.posts.prints([said]) == {}  # a kill now would take the evidence, which is told again then
    stand.crawl(source)
    assert set(stand.posts.prints([said])) == {said}
    written.clear()
    read_from_the_start(stand, source)
    assert written == []
