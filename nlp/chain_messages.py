"""Rumours that go round word for word: a chain message that many pass on is a mass fake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

#: Different authors. Of labelled rumours in three copies 13 of 15 are severity 3, in two less than half.
MASS_AUTHORS = 3
LEAST_LENGTH = 40  # characters; «говорят, да» under three posts is no chain message
EARLY = 20  # posts of a chain that may have come before it was known to be a mass fake

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_LOOK_EVERY = timedelta(hours=1)


@dataclass(slots=True)
class _Chain:
    """One text that somebody repeated or that was judged a rumour: post → author, whether a rumour."""

    posts: dict[str, tuple[str, bool]] = field(default_factory=dict)  #: oldest first
    authors: Counter[str] = field(default_factory=Counter)
    rumours: int = 0
    latest: datetime = _LONG_AGO

    def put(self, post_id: str, author: str, *, is_rumour: bool) -> None:
        self.drop(post_id)
        self.posts[post_id] = (author, is_rumour)
        self.authors[author] += 1
        self.rumours += is_rumour

    def drop(self, post_id: str) -> None:
        if post_id in self.posts:
            author, was_rumour = self.posts.pop(post_id)
            self.authors -= Counter([author])  # drops an author without posts
            self.rumours -= was_rumour

    @property
    def is_mass(self) -> bool:
        return self.rumours > 0 and len(self.authors) >= MASS_AUTHORS


class ChainMessages:
    """The texts of the last weeks that are repeated. Posts come oldest first; not safe for threads.

    One copy that was judged a rumour is enough: the others say the same.
    """

    def __init__(self, window: timedelta) -> None:
        self._window = window
        self._chains: dict[str, _Chain] = {}  # by the first post of each
        self._chain_of: dict[str, _Chain] = {}
        self._looked_at = _LONG_AGO

    def add(self, post_id: str, copy_of: str | None, *, author: str, at: datetime, is_rumour: bool) -> None:
        """Note a post; `copy_of` is the first post that it repeats. Again: its rumour verdict is renewed."""
        self._forget(at)
        chain = self._chain_of.get(post_id)
        if chain is None:
            if copy_of is None and not is_rumour:
                self._chains.pop(post_id, None)  # it had copies before a restart, and says another thing now
                return  # most posts: nothing to remember until somebody repeats them
            chain = self._chains.get(copy_of) if copy_of else None
            if chain is None:
                chain = self._chains[copy_of or post_id] = _Chain()
        chain.put(post_id, author, is_rumour=is_rumour)
        chain.latest = max(chain.latest, at)
        self._chain_of[post_id] = chain

    def is_mass(self, post_id: str) -> bool:
        """Whether the post belongs to a mass fake."""
        chain = self._chain_of.get(post_id)
        return chain is not None and chain.is_mass

    def early(self, post_id: str) -> Sequence[str]:
        """The other posts of its mass fake that came first, at most EARLY; empty: it belongs to none."""
        chain = self._chain_of.get(post_id)
        if chain is None or not chain.is_mass:
            return ()
        return [each for each in islice(chain.posts, EARLY) if each != post_id]

    def remove(self, post_id: str) -> None:
        """Forget one post: its text has changed. Its copies keep their chain, it may begin another."""
        chain = self._chain_of.pop(post_id, None)
        if chain is not None:
            chain.drop(post_id)
        self._chains.pop(post_id, None)

    def _forget(self, now: datetime) -> None:
        """Drop chains that had no copy within the window; looks once an hour."""
        if now - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = now
        self._chain_of = {
            post_id: chain for post_id, chain in self._chain_of.items() if now - chain.latest <= self._window
        }
        self._chains = {
            first: chain for first, chain in self._chains.items() if now - chain.latest <= self._window
        }
