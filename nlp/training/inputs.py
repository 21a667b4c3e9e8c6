"""Lines as the heads will meet them in service: places found by the stage, never taken from the labels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from index.domain.post import Network, Post, PostKind
from nlp.analyse import head_input
from nlp.district import load_district
from nlp.models.base import HeadInput
from nlp.stages.places import PlaceFinder
from nlp.stages.text import read
from nlp.training.corpus import Line


def head_inputs(lines: Sequence[Line]) -> list[HeadInput]:
    """One input a line, same order."""
    finder = PlaceFinder(load_district())
    posts = {line.id: as_post(line) for line in lines}
    return [_input(posts[line.id], posts.get(line.parent or ""), finder) for line in lines]


def _input(post: Post, parent: Post | None, finder: PlaceFinder) -> HeadInput:
    places = finder.find(read(post.text), post.text, source=post.source)
    return head_input(post, post.text, parent, places, finder)


def as_post(line: Line) -> Post:
    """The post that a labelled line tells of."""
    return Post(
        id=line.id, network=Network(line.platform), kind=PostKind(line.kind), source=line.source,
        author=line.author, published_at=datetime.fromisoformat(line.published_at), text=line.text,
        parent_id=line.parent,
    )  # fmt: skip
