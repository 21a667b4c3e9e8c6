"""New sources are proposed by the evidence of relevant posts, once."""

from __future__ import annotations

from datetime import timedelta

from crawlers.discovery import CANDIDATES_AT_MOST, CURSOR, POSTS_AT_MOST, Evidence, joined, propose
from crawlers.pages.base import Mention
from index.domain.post import Network
from tests.crawlers.conftest import Stand
from tests.factories import NOON, analysis, post


def mention(post_id: str, address: str = "club5", **facts: str) -> Mention:
    ordinary = {"how": "repost", "title": "Новости Уршельского"} | facts
    return Mention(post_id=post_id, network=Network.VK, address=address, **ordinary)


def named_by(
    stand: Stand, posts: int, *, authors: int, relevant: bool = True, address: str = "club5"
) -> None:
    """So many posts by so many authors name a page; nlp has read them."""
    found = [post(author=f"author{n % authors}", source_home="Курлово") for n in range(posts)]
    stand.posts.add(found)
    stand.posts.save_analyses({p.id: analysis(relevant=relevant) for p in found})
    evidence = Evidence()
    evidence.add([mention(p.id, address) for p in found])
    evidence.flush(stand.desk, NOON)


def test_a_page_that_relevant_posts_lead_to_is_proposed_with_its_evidence(stand: Stand) -> None:
    named_by(stand, 4, authors=3)
    assert propose(stand.desk, stand.posts, NOON) == 1
    (proposal,) = stand.desk.sources.proposals()
    assert (proposal.id, proposal.title, proposal.home) == ("vk:club5", "Новости Уршельского", "Курлово")
    assert "4 из 4" in proposal.reason
    assert proposal.mentions == 4


def test_too_few_posts_or_one_author_or_idle_talk_propose_nothing(stand: Stand) -> None:
    named_by(stand, 2, authors=2, address="club6")
    named_by(stand, 5, authors=1, address="club7")
    named_by(stand, 5, authors=5, address="club8", relevant=False)
    propose(stand.desk, stand.posts, NOON)
    assert stand.desk.sources.proposals() == []


def test_a_rejected_page_is_not_proposed_again(stand: Stand) -> None:
    named_by(stand, 4, authors=3)
    propose(stand.desk, stand.posts, NOON)
    stand.desk.sources.decide("vk:club5", False, actor="incident", at=NOON)
    named_by(stand, 9, authors=9)
    propose(stand.desk, stand.posts, NOON)
    assert stand.desk.sources.proposals() == []


def test_a_watched_page_is_not_proposed(stand: Stand) -> None:
    stand.watch("vk", "club5")
    named_by(stand, 4, authors=3)
    assert propose(stand.desk, stand.posts, NOON) == 0


def test_the_same_mention_counts_once() -> None:
    known = joined({}, [mention("vk:-1_1"), mention("vk:-1_1", how="link")], NOON)
    again = joined(known, [mention("vk:-1_1")], NOON)
    assert again["club5"]["posts"] == ["vk:-1_1"]
    assert again["club5"]["hows"] == ["link", "repost"]


def test_evidence_does_not_grow_without_end() -> None:
    many = [mention(f"vk:-1_{n}") for n in range(POSTS_AT_MOST * 3)]
    pages = [mention("vk:-1_1", f"club{n}") for n in range(10, CANDIDATES_AT_MOST * 2)]
    known = joined(joined({}, many, NOON), pages, NOON + timedelta(hours=1))
    assert len(known) == CANDIDATES_AT_MOST
    assert all(len(row["posts"]) <= POSTS_AT_MOST for row in known.values())


def test_a_repost_seen_by_the_crawl_becomes_evidence(stand: Stand) -> None:
    stand.watch("vk", "club1")
    first = stand.twin.say("vk", "club900", "Сбор на площади")
    stand.twin.say("vk", "club1", "", origin=first)
    stand.crawl("vk:club1")
    assert "club900" in (stand.desk.cursors.get(CURSOR, "vk") or {})
