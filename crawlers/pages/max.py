"""Answers of the MAX bot API -> posts and comments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crawlers.pages.base import Community, Context, Parsed


def check(
    answer: Any, *, status: int = 200, headers: Mapping[str, str], now: datetime, method: str | None = None
) -> None:
    """Raises NetworkRefusal when the status or the body is an error, Unreadable when it is no answer."""
    raise NotImplementedError


def updates(answer: Any, context: Context) -> Parsed:
    """GET /updates, or the body of one webhook: `next` is the marker; removed messages are in `gone`."""
    raise NotImplementedError


def messages(answer: Any, context: Context) -> Parsed:
    """GET /messages, newest first, or one message: `next` is the time (ms) to give as `to` for older ones."""
    raise NotImplementedError


def comments(answer: Any, context: Context, *, post_id: str) -> Parsed:
    """GET /messages/{mid}/comments under our `post_id`: `next` is the time (ms) to give as `before`."""
    raise NotImplementedError


def community(answer: Any) -> Community:
    """GET /chats/{id}. `number` is the chat id."""
    raise NotImplementedError
