"""Sudden growth of a topic in a place against the usual for this hour of the week."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

Key: TypeAlias = tuple[str, str | None]  #: topic group and settlement; None: the whole district

SPAN = timedelta(hours=3)  # what counts as now
HISTORY = timedelta(weeks=4)
_WEEK = timedelta(weeks=1)
_SLACK = timedelta(hours=1)  # neighbours of the hour of the week that count as usual too
_PRIOR = 1.0  # weeks of the average rate that every estimate is mixed with
_FLOOR = 0.75  # posts: the usual is never less, or two posts would be a burst


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A topic that rises in a place."""

    key: Key
    at: datetime
    posts: int  #: in the last SPAN
    authors: int
    usual: float  #: posts in such a span
    growth: float  #: posts over the usual
    post_ids: tuple[str, ...]  #: newest first


@dataclass(frozen=True, slots=True, order=True)
class _Beat:
    at: datetime
    post_id: str
    author: str


class Pulse:
    """When posts came, by topic and place, for four weeks. Adding a post again changes nothing."""

    def __init__(self) -> None:
        self._beats: dict[Key, list[_Beat]] = defaultdict(list)
        self._known: set[str] = set()
        self._first: datetime | None = None

    def add(
        self, post_id: str, author: str, at: datetime, topic_group: str | None, places: tuple[str, ...]
    ) -> None:
        """Note a relevant post; one without a topic counts nowhere."""
        if self._first is None or at < self._first:
            self._first = at
        if topic_group is None or post_id in self._known:
            return
        self._known.add(post_id)
        for key in keys_of(topic_group, places):
            insort(self._beats[key], _Beat(at, post_id, author))

    def forget(self, before: datetime) -> None:
        """Drop what is older."""
        for key, beats in list(self._beats.items()):
            old = bisect_left(beats, _Beat(before, "", ""))
            self._known.difference_update(beat.post_id for beat in beats[:old])
            del beats[:old]
            if not beats:
                del self._beats[key]

    def growth(self, topic_group: str | None, places: tuple[str, ...], at: datetime) -> float:
        """The largest growth among the topic's places now; 1 is as usual."""
        if topic_group is None:
            return 1.0
        return max((self.burst(key, at).growth for key in keys_of(topic_group, places)), default=1.0)

    def rising(self, at: datetime) -> list[Burst]:
        """Topics with more posts in the last SPAN than in the one before, largest growth first."""
        bursts = [self.burst(key, at) for key in self._beats if self._count(key, at - SPAN, at)]
        rising = [b for b in bursts if b.posts > self._count(b.key, at - 2 * SPAN, at - SPAN)]
        return sorted(rising, key=lambda burst: (-burst.growth, burst.key[0], burst.key[1] or ""))

    def burst(self, key: Key, at: datetime) -> Burst:
        """What is known of one topic in one place now."""
        beats = self._between(key, at - SPAN, at)
        usual = self.usual(key, at)
        return Burst(
            key=key,
            at=at,
            posts=len(beats),
            authors=len({beat.author for beat in beats}),
            usual=usual,
            growth=len(beats) / usual,
            post_ids=tuple(beat.post_id for beat in reversed(beats)),
        )

    def usual(self, key: Key, at: datetime) -> float:
        """Posts that SPAN ending at this hour of the week usually has, from the weeks that were watched."""
        if self._first is None:
            return _FLOOR
        weeks = [week for week in range(1, 5) if at - week * _WEEK - SPAN >= self._first]
        same_hour = sum(self._same_hour(key, at - week * _WEEK) for week in weeks)
        watched = max(at - SPAN - self._first, timedelta(days=1))
        average = self._count(key, self._first, at - SPAN) * (SPAN / watched)
        return max(_FLOOR, (same_hour + _PRIOR * average) / (len(weeks) + _PRIOR))

    def _same_hour(self, key: Key, at: datetime) -> float:
        """Posts of the SPAN that ended then, or of the hours around it when they had more of them."""
        around = self._count(key, at - SPAN - _SLACK, at + _SLACK) * (SPAN / (SPAN + 2 * _SLACK))
        return max(self._count(key, at - SPAN, at), around)

    def _count(self, key: Key, since: datetime, until: datetime) -> int:
        return len(self._between(key, since, until))

    def _between(self, key: Key, since: datetime, until: datetime) -> list[_Beat]:
        """After `since`, up to and with `until`."""
        beats = self._beats.get(key, [])
        return beats[bisect_right(beats, since, key=_at) : bisect_right(beats, until, key=_at)]


def keys_of(topic_group: str, places: tuple[str, ...]) -> list[Key]:
    """The whole district, and each place."""
    return [(topic_group, None), *((topic_group, place) for place in places)]


def _at(beat: _Beat) -> datetime:
    return beat.at
