"""Answers of the Odnoklassniki API -> posts and comments. Its dates are Moscow time without a zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crawlers.pages.base import Community, Context, Parsed


def check(answer: Any, *, now: datetime, method: str | None = None) -> None:
    """Raises NetworkRefusal when the answer is an error, Unreadable when it is no answer of OK."""
    raise NotImplementedError


def stream(answer: Any, context: Context) -> Parsed:
    """stream.get: posts of the feed; `next` is the anchor. Topics named but not held are in `links` as ids
    for mediatopic.getByIds."""
    raise NotImplementedError


def topics(answer: Any, context: Context) -> Parsed:
    """mediatopic.getByIds: topics as posts."""
    raise NotImplementedError


def discussions(answer: Any, context: Context) -> Parsed:
    """discussions.get, discussions.getList: each discussion as a post; `next` is the anchor of the list."""
    raise NotImplementedError


def comments(answer: Any, context: Context, *, post_id: str) -> Parsed:
    """discussions.getComments under our `post_id`; `next` is the anchor while has_more."""
    raise NotImplementedError


def communities(answer: Any, *, now: datetime) -> list[Community]:
    """group.getInfo, and the groups of `entities`."""
    raise NotImplementedError
