"""Rumours that go round word for word: a chain message of many copies is a mass fake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

#: With the first. Of labelled rumours in three copies nine of eleven are severity 3, in two less than half.
MASS_COPIES = 3
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Chain:
    """A text that somebody repeated, or that was judged a rumour."""

    posts: dict[str, bool] = field(default_factory=dict)  #: whether each was judged a rumour; oldest first
    latest: datetime = _LONG_AGO


class ChainMessages:
    """The texts of the last weeks that are repeated, by their first post. Not safe for threads.

    One copy that was judged a rumour is enough: the others say the same.
    """

    def __init__(self) -> None:
        self._chains: dict[str, _Chain] = {}
        self._first_of: dict[str, str] = {}

    def add(self, post_id: str, copy_of: str | None, at: datetime, *, is_rumour: bool) -> None:
        """Note a post; `copy_of` is the first post that it repeats. Twice changes nothing."""
        first = copy_of or post_id
        if copy_of is None and not is_rumour:
            return  # most posts: nothing to remember until somebody repeats them
        chain = self._chains.setdefault(first, _Chain({first: False}))
        chain.posts[post_id] = is_rumour
        chain.latest = max(chain.latest, at)
        self._first_of[post_id] = self._first_of[first] = first

    def mass(self, post_id: str) -> Sequence[str]:
        """Posts of the mass fake that this post belongs to, oldest first; empty: it belongs to none."""
        chain = self._chains.get(self._first_of.get(post_id, ""))
        if chain is None or len(chain.posts) < MASS_COPIES or not any(chain.posts.values()):
            return ()
        return tuple(chain.posts)

    def remove(self, post_id: str) -> None:
        """Forget one post: its text has changed."""
        chain = self._chains.get(self._first_of.pop(post_id, ""))
        if chain is not None:
            chain.posts.pop(post_id, None)

    def forget(self, before: datetime) -> None:
        """Drop the chains that had no copy since."""
        for first in [first for first, chain in self._chains.items() if chain.latest < before]:
            for post_id in self._chains.pop(first).posts:
                self._first_of.pop(post_id, None)
