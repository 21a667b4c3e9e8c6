"""The seam behind which posts and analyses are kept; SQLite by default, Elasticsearch in production."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from index.domain.analysis import Analysis
from index.domain.post import Post, Print
from index.posts.query import Added, Count, Facet, Found, Kept, PostState, Query, Record, Version


class PostIndex(Protocol):
    """Posts and what we think of them. Repeating a call changes nothing more.

    Every method may raise `Unavailable`: call again later, with the same values. A post is changed as a
    whole or not at all; of many posts some may have been changed already, and the next call does the rest.
    What one process wrote is seen by its own next `get`; by `find` and `count` after `refresh`, or
    about a second later. Safe to use from several threads.
    """

    def check(self) -> None:
        """Raises Unavailable or Misconfigured when the index can't be used now."""

    def add(self, posts: Iterable[Post]) -> Added:
        """Keep posts not seen before; update text, counters and deletion mark of known ones.

        A changed text keeps the old one as a version and makes the post wait for nlp again
        (state COLLECTED); changed counters alone do not. When this returns, the posts are durable.
        What else an update takes from the post: `change.seen_again`. Raises Refused for a post that no
        index can keep (`document.admit`); those of earlier batches are kept by then.
        """

    def get(self, post_id: str) -> Record:
        """Raises NotFound."""

    def get_many(self, post_ids: Sequence[str]) -> dict[str, Record]:
        """Those that exist, by id."""

    def prints(self, post_ids: Sequence[str]) -> dict[str, Print]:
        """Prints of those that exist and have one, by id; far cheaper than `get_many`."""

    def versions(self, post_id: str) -> list[Version]:
        """Earlier texts, newest first; empty when never edited."""

    def waiting(self, *, limit: int, shard: range = range(256), model: str | None = None) -> list[Post]:
        """Posts that wait for nlp and whose `shard_key` is in `shard`: first those never analysed, oldest
        first; then, when `model` is given, those analysed by another model, newest first."""

    def analysed(self, *, limit: int) -> list[Record]:
        """Records in state ANALYSED, oldest first by published_at: the queue of nlp.watch."""

    def save_analyses(
        self,
        analyses: Mapping[str, Analysis],
        state: PostState = PostState.ANALYSED,
        *,
        content_hashes: Mapping[str, str] | None = None,
    ) -> None:
        """Overwrite the analyses of these posts and set their state; ids that do not exist are left out.

        `content_hashes` tells for an id which text its analysis was made of (`Post.content_hash`): a post
        edited since then is left waiting, so that the analysis of an old text never hides a new one.
        Vectors are kept in half precision.
        """

    def quarantine(self, post_id: str, error: str) -> None:
        """Set state QUARANTINED with the reason; the text stays."""

    def find(self, query: Query, *, limit: int = 50, cursor: str | None = None) -> Found:
        """Posts in the query's order. Raises Refused on a cursor that is not ours."""

    def count(self, query: Query) -> int:
        """How many posts match, exactly."""

    def count_by(self, query: Query, facet: Facet, *, limit: int = 100) -> list[Count]:
        """Largest first, then by value. A post with several values counts in each; without one in none."""

    def authors(self, query: Query) -> int:
        """How many distinct authors; Elasticsearch: exact up to 3,000."""

    def histogram(self, query: Query, *, step: timedelta, zone: str = "UTC") -> list[tuple[datetime, int]]:
        """Posts by `published_at` in steps of whole hours or days of the zone: (start of step, posts),
        oldest first; steps without posts between the first and the last are there with 0."""

    def nearest(
        self, vector: Sequence[float], query: Query, *, limit: int = 10
    ) -> list[tuple[Record, float]]:
        """Posts with a vector of this length, closest first, with the cosine (-1..1).

        `query.lemmas` and order are ignored. SQLite compares the newest 30,000; Elasticsearch approximates.
        """

    def keep(self, kept: Iterable[Kept]) -> int:
        """Write posts as they stood in another index, over what is here; how many were new.

        For moving only: nobody else may write to either index meanwhile.
        """

    def refresh(self) -> None:
        """Make everything written so far visible to find and count."""

    def erase(self, *, post_ids: Sequence[str] = (), author: str | None = None) -> int:
        """Remove posts for good, with versions and analyses (a resident's request); how many."""

    def forget_before(self, moment: datetime) -> int:
        """Retention: remove posts published before the month of `moment`; how many."""

    def close(self) -> None:
        """Release files and connections."""
