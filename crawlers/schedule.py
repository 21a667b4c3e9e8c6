"""When to look at a source again: often when it usually speaks, never more than its tokens allow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Self

HOURS = 168  # in a week; hour 0 is Monday 00:00 UTC
HALF_LIFE = timedelta(weeks=8)  # how fast old habits are forgotten
PRIOR_RATE = 1 / 6  # posts an hour that a source nobody knows yet is given
PRIOR_WEEKS = 0.1  # how much that guess weighs against what was seen
SMOOTHING_WEEKS = 2.0  # how much the mean of the whole week weighs in one hour of it
OFFICIAL_WEIGHT = 4.0  # residents look for an answer there first
LONGEST_INTERVAL = timedelta(hours=6)  # even a dead page is looked at four times a day, if calls suffice
EQUAL_TURNS = 2  # else after so many turns of them all: dead pages then take half of the calls at most

#: A silence is strange when the habit promised at least this many posts meanwhile (Poisson: 1 in 1,000).
SILENCE_EXPECTED = 7.0
SILENCE_FACTOR = 1.5  # and it is this much longer than the longest pause seen before
SILENCE_AT_LEAST = timedelta(hours=12)  # nights and mornings are nobody's silence
SILENCE_POSTS = 10  # a habit needs this many posts to be one


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often one source speaks, by hour of the week, learnt from the times of its own posts."""

    counts: tuple[float, ...] = (0.0,) * HOURS  #: (168,) posts in that hour, older ones weigh less
    weeks: float = 0.0  #: weeks behind the counts, faded the same way
    since: datetime | None = None  #: earliest moment the counts know of; None: nothing learnt
    until: datetime | None = None  #: latest moment the counts know of
    newest: datetime | None = None  #: newest post
    posts: int = 0  #: posts ever learnt from
    longest_pause: timedelta = timedelta(0)  #: between two posts that follow each other

    def rate(self, at: datetime) -> float:
        """Posts an hour to be expected at that hour of the week."""
        seen = self.counts[hour_of_week(at)] + SMOOTHING_WEEKS * self.mean_rate
        return seen / (self.weeks + SMOOTHING_WEEKS)

    @property
    def mean_rate(self) -> float:
        """Posts an hour over the whole week."""
        return (sum(self.counts) + PRIOR_RATE * PRIOR_WEEKS * HOURS) / ((self.weeks + PRIOR_WEEKS) * HOURS)

    def expected(self, start: datetime, stop: datetime) -> float:
        """How many posts the habit promises between two moments."""
        if stop <= start:
            return 0.0
        if stop - start > timedelta(weeks=4):
            return self.mean_rate * (stop - start).total_seconds() / 3600
        total, at = 0.0, start
        while at < stop:
            step = min(stop, at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
            total += self.rate(at) * (step - at).total_seconds() / 3600
            at = step
        return total

    def learnt(self, published: Iterable[datetime], now: datetime) -> Rhythm:
        """The rhythm after new posts were seen at `now`; posts of the future count as of now.

        A visit without new posts teaches too: the hours without a post have passed. Give each post once.
        """
        times = sorted(min(at.astimezone(UTC), now) for at in published)
        since = min([*times[:1], self.since or now])
        faded = 0.5 ** ((now - (self.until or now)) / HALF_LIFE)
        grown = (now - (self.until or now)) + ((self.since or now) - since)
        counts = [count * faded for count in self.counts]
        for at in times:
            counts[hour_of_week(at)] += 1
        newest = max([*times[-1:], *([self.newest] if self.newest else [])], default=None)
        return Rhythm(
            counts=tuple(round(count, 4) for count in counts),
            weeks=self.weeks * faded + grown / timedelta(weeks=1),
            since=since,
            until=now,
            newest=newest,
            posts=self.posts + len(times),
            longest_pause=max([self.longest_pause, *_pauses(self.newest, times)]),
        )

    def to_json(self) -> dict[str, Any]:
        """For the desk's cursor; only hours that had posts are written."""
        return {
            "counts": {str(hour): count for hour, count in enumerate(self.counts) if count > 0.001},
            "weeks": round(self.weeks, 5),
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "newest": self.newest.isoformat() if self.newest else None,
            "posts": self.posts,
            "longest_pause": self.longest_pause.total_seconds(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        """What `to_json` gave; None is a rhythm that knows nothing."""
        if not value:
            return cls()
        counts = [0.0] * HOURS
        for hour, count in value["counts"].items():
            counts[int(hour)] = float(count)
        return cls(
            counts=tuple(counts),
            weeks=float(value["weeks"]),
            since=_moment(value["since"]),
            until=_moment(value["until"]),
            newest=_moment(value["newest"]),
            posts=int(value["posts"]),
            longest_pause=timedelta(seconds=float(value["longest_pause"])),
        )


def hour_of_week(at: datetime) -> int:
    """0..167, Monday 00:00 UTC is 0."""
    at = at.astimezone(UTC)
    return at.weekday() * 24 + at.hour


def _pauses(newest: datetime | None, times: list[datetime]) -> list[timedelta]:
    known = [newest] if newest and (not times or newest <= times[0]) else []
    return [later - earlier for earlier, later in pairwise([*known, *times])]


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What all sources of one network may cost together, from now to the end of the day."""

    calls_per_second: float  #: what the pace of the tokens allows
    calls_left: int | None = None  #: until the day ends; None: the network counts no days
    seconds_left: float = 86_400.0  #: until the day ends
    calls_per_day: int | None = None  #: of the days to come, for pauses that outlast this one

    @property
    def visits_per_second(self) -> float:
        """The slower of the two limits."""
        by_day = math.inf if self.calls_left is None else self.calls_left / max(self.seconds_left, 1.0)
        return min(self.calls_per_second, by_day)

    @property
    def visits_per_second_later(self) -> float:
        """The same over a whole day, whatever is left of this one."""
        by_day = math.inf if self.calls_per_day is None else self.calls_per_day / 86_400.0
        return min(self.calls_per_second, by_day)


def attention(rhythm: Rhythm, at: datetime, *, is_official: bool) -> float:
    """The share of visits a source deserves, relative to the others.

    The mean wait of a post is least when visits go by the square root of the rate: a page with four
    times the posts is looked at twice as often.
    """
    weight = OFFICIAL_WEIGHT if is_official else 1.0
    return math.sqrt(weight * rhythm.rate(at))


def interval(
    share: float,
    all_shares: float,
    budget: Budget,
    *,
    shortest: timedelta,
    cost: float = 1.0,
    sources: int = 1,
) -> timedelta:
    """Time until the next visit of a source with this `attention` among `all_shares` of so many `sources`.

    `cost` is calls a visit takes; `shortest` is courtesy. A budget that is used up waits for the next day.
    """
    part = share / max(all_shares, share) / cost
    today, later = budget.visits_per_second * part, budget.visits_per_second_later * part
    if later <= 0:
        return min(max(timedelta(seconds=budget.seconds_left), shortest), LONGEST_INTERVAL)
    left_over = max(1 - today * budget.seconds_left, 0.0)  # of a visit, when the day ends before it is due
    wanted = 1 / today if not left_over else budget.seconds_left + left_over / later
    equal_turn = sources * cost / budget.visits_per_second_later
    longest = max(LONGEST_INTERVAL.total_seconds(), EQUAL_TURNS * equal_turn)
    return max(timedelta(seconds=min(wanted, longest)), shortest)


def backed_off(shortest: timedelta, failures: int) -> timedelta:
    """Pause after so many failed visits in a row: doubles from ten times the shortest, up to an hour."""
    start = max(shortest * 10, timedelta(seconds=15))
    doubled: timedelta = start * 2 ** min(failures - 1, 12)
    return min(doubled, timedelta(hours=1))


def is_silent(rhythm: Rhythm, now: datetime) -> bool:
    """Whether the source says nothing for longer than its own habit explains."""
    if rhythm.newest is None or rhythm.posts < SILENCE_POSTS:
        return False
    pause = now - rhythm.newest
    return (
        pause >= SILENCE_AT_LEAST
        and pause >= rhythm.longest_pause * SILENCE_FACTOR
        and rhythm.expected(rhythm.newest, now) >= SILENCE_EXPECTED
    )


#: How long after the last reading a post of this age is read again: (age up to, pause).
REREAD_STEPS: tuple[tuple[timedelta, timedelta], ...] = (
    (timedelta(hours=1), timedelta(minutes=5)),
    (timedelta(hours=6), timedelta(minutes=30)),
    (timedelta(days=1), timedelta(hours=2)),
    (timedelta(days=3), timedelta(hours=6)),
    (timedelta(days=14), timedelta(days=1)),
)


def reread_at(published_at: datetime, read_at: datetime) -> datetime | None:
    """When counters, edits and deletion of a post are read again; None: it is too old to change."""
    age = read_at - published_at
    for up_to, pause in REREAD_STEPS:
        if age <= up_to:
            return read_at + pause
    return None
