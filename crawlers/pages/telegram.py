"""Open pages of Telegram (t.me/s, the discussion widget) and Bot API updates -> posts and comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crawlers.pages.base import Community, Context, Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    """Comments of one post, and what asks t.me/api/method loadComments for more."""

    parsed: Parsed  #: oldest first; `next` is before_id for older ones
    request: Mapping[str, str]  #: peer, top_msg_id, discussion_hash; empty: there is no form
    api_url: str | None  #: with its api_hash; None: the page names none
    is_available: bool  #: False: the post has no open discussion
    after: str | None = None  #: after_id for newer ones


def page(html: str | bytes, context: Context) -> Parsed:
    """t.me/s/<channel>, both layouts, oldest first. `next` is the `before` of the older page.

    `preview_off` when the answer shows no history: then the channel is not empty, it is closed to the web.
    """
    raise NotImplementedError


def channel(html: str | bytes, context: Context) -> Community | None:
    """Head of the same page; None: the page has none."""
    raise NotImplementedError


def discussion(html: str | bytes, context: Context, *, post_id: str) -> Discussion:
    """t.me/<ch>/<id>?embed=1&discussion=1."""
    raise NotImplementedError


def more_comments(answer: Any, context: Context, *, post_id: str, chat: str | None) -> Parsed:
    """t.me/api/method loadComments; `chat` is the number in `Discussion.request["peer"]`."""
    raise NotImplementedError


def chat_of(peer: str) -> str | None:
    """Number of the discussion group in a peer: `c1322215945_45…` -> `1322215945`."""
    raise NotImplementedError


def updates(answer: Any, context: Context, *, roots: Mapping[str, str]) -> Parsed:
    """Bot API getUpdates: channel posts, and messages of linked groups as comments; `next` is the offset.

    `roots` (thread of a group -> id of the post) is what earlier answers gave in `Parsed.roots`.
    """
    raise NotImplementedError


def update(value: Any, context: Context, *, roots: Mapping[str, str]) -> Parsed:
    """One update, as a webhook brings it."""
    raise NotImplementedError


def check(answer: Any, *, now: datetime, method: str | None = None) -> None:
    """Bot API: raises NetworkRefusal for `ok: false`, Unreadable when it is no answer of the Bot API."""
    raise NotImplementedError
