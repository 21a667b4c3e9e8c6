"""Answers of the VK API -> posts and comments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crawlers.pages.base import Community, Context, NetworkRefusal, Parsed

Answer = Mapping[str, Any]


def check(answer: Any, *, now: datetime, method: str | None = None) -> None:
    """Raises NetworkRefusal when the answer is an error, Unreadable when it is no answer of VK at all.

    Every function below calls it; `method` only makes the message clearer.
    """
    raise NotImplementedError


def wall(answer: Answer, context: Context) -> Parsed:
    """wall.get, wall.getById, wall.search: posts in the order of the answer; `total` is the length of the
    wall, `pinned` the pinned post. Posts the network marks deleted are in `gone`."""
    raise NotImplementedError


def search(answer: Answer, context: Context) -> Parsed:
    """newsfeed.search: `next` is next_from, `total` is total_count (only the first 1,000 can be read)."""
    raise NotImplementedError


def comments(answer: Answer, context: Context, *, post_id: str) -> Parsed:
    """wall.getComments (also with comment_id), photos., video., market.getComments under our `post_id`.

    Replies inside `thread` come right after their comment. `level_count`: page by this one.
    `threads`: those of which the answer holds only a part; ask for them with comment_id.
    """
    raise NotImplementedError


def topics(answer: Answer, context: Context, *, group: int) -> Parsed:
    """board.getTopics: a topic is a post (`vk:topic-1_5`), its text is the title and the first comment."""
    raise NotImplementedError


def topic_comments(answer: Answer, context: Context, *, topic_id: str) -> Parsed:
    """board.getComments under our `topic_id`: `vk:topic-1_5_r3`."""
    raise NotImplementedError


def execute(answer: Answer, *, asked: int, now: datetime) -> list[Answer | NetworkRefusal]:
    """Answers of the `asked` calls of one execute, each in the shape of its own method, in order.

    A failed call is its refusal; a call that the answer does not hold is a refusal with RETRY.
    """
    raise NotImplementedError


def events(answer: Answer, context: Context) -> Parsed:
    """Bots Long Poll: `next` is ts. `failed: 1` gives only the new ts; 2 and 3 raise with RENEW."""
    raise NotImplementedError


def event(update: Answer, context: Context) -> Parsed:
    """One update of Long Poll or one body of the Callback API; events that bring no post give nothing."""
    raise NotImplementedError


def communities(answer: Answer, *, now: datetime) -> list[Community]:
    """groups.getById (both shapes), groups.get, groups.search."""
    raise NotImplementedError


def resolved(answer: Answer, *, now: datetime) -> int | None:
    """utils.resolveScreenName: owner_id (negative for a community); None: there is no such name."""
    raise NotImplementedError
