"""Every saved answer gives exactly the posts that a person read out of it."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC
from pathlib import Path

import pytest

from crawlers.pages.base import Broken
from crawlers.parse import read
from index.domain.post import Network, Post, PostKind
from index.errors import ServiceError
from tests.crawlers.pages import cases
from tests.services import missing

SHARED = Path(__file__).parents[4] / "shared" / "data" / "fixtures"


@pytest.mark.parametrize("folder", cases.folders(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_saved_answer_gives_what_was_read_out_of_it(folder: Path) -> None:
    expected = json.loads((folder / "output.json").read_text(encoding="utf-8"))
    assert cases.outcome(folder) == expected


def test_every_post_of_the_saved_answers_is_fit_for_the_index() -> None:
    readable = [folder for folder in cases.folders() if "posts" in cases.outcome(folder)]
    assert len(readable) > 30
    for folder in readable:
        body = next(folder.glob("input.*")).read_bytes()
        for post in read(Network(folder.parent.name), body, cases.CONTEXT).posts:
            is_fit(post)


def is_fit(post: Post) -> None:
    """What every stage behind relies on, whatever came in."""
    assert post.id.startswith(f"{post.network.value}:")
    assert post.published_at.tzinfo is UTC
    assert len(post.author) == 16
    assert len(post.text) <= 100_000
    assert (post.parent_id is None) == (post.kind is PostKind.POST)
    assert post.source
    assert len(post.content_hash) == 32  # raises on lone surrogates
    for field in fields(post):
        json.dumps(str(getattr(post, field.name))).encode()


def test_a_broken_record_can_be_tried_again_and_breaks_at_the_same_place() -> None:
    for folder in cases.folders():
        body = next(folder.glob("input.*")).read_bytes()
        network = Network(folder.parent.name)
        try:
            broken = read(network, body, cases.CONTEXT).broken
        except ServiceError:  # refusals and unreadable answers have cases of their own
            continue
        for one in broken:
            if one.raw and network is not Network.NEWS:
                again = read(network, one.raw.encode(), cases.CONTEXT)
                assert [found.reason for found in again.broken] == [one.reason], (folder, one.place)


def test_a_mended_record_gives_the_author_it_would_have_given_at_first() -> None:
    comment = {"id": 7, "from_id": 4294968100, "owner_id": -1, "post_id": 3, "text": "яма"}
    answer = json.dumps({"response": {"items": [comment]}, "parent": "vk:-1_3"}).encode()
    broken: Broken = read(Network.VK, answer, cases.CONTEXT).broken[0]
    assert "4294968100" not in broken.raw
    mended = broken.raw.replace('"text": "яма"', '"text": "яма", "date": 1795510800')
    post = read(Network.VK, mended.encode(), cases.CONTEXT).posts[0]
    assert post.author == cases.CONTEXT.author(Network.VK, "4294968100")
    assert post.parent_id == "vk:-1_3"


#: Samples whose licence keeps them out of the repository: only facts of their structure stand here.
LOCAL = json.loads((cases.HERE / "local_answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", LOCAL)
def test_a_sample_beside_the_repository_has_the_structure_that_was_read_out_of_it(name: str) -> None:
    path = SHARED / name
    if not path.is_file():
        missing(f"the sample {name}", "it is kept beside the repository, in ../shared/data/fixtures")
    expected = LOCAL[name]
    parsed = read(Network(expected["network"]), path.read_bytes(), cases.CONTEXT)
    assert not parsed.broken
    assert parsed.left_out == expected["left_out"]
    assert [structure(post) for post in parsed.posts] == expected["posts"]


def structure(post: Post) -> dict[str, object]:
    counters = post.counters
    return {
        "id": post.id,
        "at": post.published_at.isoformat(),
        "characters": len(post.text),
        "attachments": [one.kind for one in post.attachments],
        "counters": [counters.views, counters.likes, counters.reposts, counters.comments],
        "edited": post.is_edited,
        "origin": post.origin_id,
        "reply_to": post.reply_to_id,
    }
