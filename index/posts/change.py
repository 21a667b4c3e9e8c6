"""What a post becomes when it is seen again: one rule for every backend."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from index.domain.post import Counters, Post

T = TypeVar("T")

VERSIONS_KEPT = 50  # a page that changes at every visit must not grow without end


def seen_again(known: Post, seen: Post) -> Post:
    """The known post brought up to date; equal to `known` when nothing new was seen.

    Identity, author and times of the first sight stay. A deletion mark alone changes the mark: a deleted
    comment comes without its text, and the text is evidence. A counter that the network does not tell now
    keeps its last value. Addresses of attachments expire at each visit, so they change with the text only.
    The print belongs to the record that was seen last: what came without one leaves none behind it.
    """
    if seen.is_deleted:
        return known if known.is_deleted else replace(known, is_deleted=True, print=None)
    now = replace(
        known,
        text=seen.text,
        attachments=known.attachments if seen.content_hash == known.content_hash else seen.attachments,
        counters=_newer(known.counters, seen.counters),
        is_edited=known.is_edited or seen.is_edited,
        is_deleted=False,
        source_id=_known(known.source_id, seen.source_id),
        source_home=_known(known.source_home, seen.source_home),
        parent_id=_known(known.parent_id, seen.parent_id),
        reply_to_id=_known(known.reply_to_id, seen.reply_to_id),
        origin_id=_known(known.origin_id, seen.origin_id),
        url=_known(known.url, seen.url),
    )
    if seen.print is not None or now != known:
        return replace(now, print=seen.print)
    return now


def is_same(known: Post, now: Post) -> bool:
    """Whether there is nothing to write."""
    return now == known and now.print == known.print


def _newer(known: Counters, seen: Counters) -> Counters:
    return Counters(
        views=_known(seen.views, known.views),
        likes=_known(seen.likes, known.likes),
        reposts=_known(seen.reposts, known.reposts),
        comments=_known(seen.comments, known.comments),
    )


def _known(first: T | None, second: T | None) -> T | None:
    return second if first is None else first
