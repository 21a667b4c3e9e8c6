"""How long a post waits to be seen, by the number of walls of one VK key, on a simulated clock.

The schedule is the crawler's own; calls leave one after another at the pace of the key and within its day's
budget, which turns over at midnight. Nothing is asked of a network, so a busy machine changes no figure.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from datetime import timedelta

from crawlers.crawl import BATCHED, TOKEN_RESERVE
from crawlers.schedule import Budget, interval
from index.pace import LIMITS

COMMAND = "python -m tests.load freshness"
SOURCES = (100, 300, 1_000, 3_000, 10_000, 20_000)
SHORTEST = timedelta(seconds=2)
DAY = 86_400.0  # seconds
VISITS = 300_000  # simulated for one figure: a quarter of them first, to forget the start
Rows = list[tuple[str, str, str]]


def run() -> Rows:
    """What was measured, the figure, the command."""
    rows = []
    for sources in SOURCES:
        for keys, name in ((1, "один ключ"), (10, "десять ключей")):
            waits = simulated(sources, keys=keys, per_day=LIMITS["vk:wall.get"].per_day)
            rows.append((f"{_grouped(sources)} стен, {name}, 5 000 wall.get в день", said(waits), COMMAND))
    for sources in SOURCES:
        waits = simulated(sources, keys=1, per_day=None)
        rows.append((f"{_grouped(sources)} стен, один ключ, без дневного предела", said(waits), COMMAND))
    return rows


@dataclass(slots=True)
class Keys:
    """What the keys permit together: a pace, and a number of calls until midnight."""

    per_second: float
    per_day: float | None  #: None: the network counts no days
    _free_at: float = 0.0
    _day: int = 0
    _spent: float = field(default=0.0)

    def budget(self, now: float) -> Budget:
        left = DAY - now % DAY
        if self.per_day is None:
            return Budget(calls_per_second=self.per_second, seconds_left=left)
        spent = self._spent if int(now // DAY) == self._day else 0.0
        calls = int(max(self.per_day - spent, 0))
        return Budget(
            calls_per_second=self.per_second, calls_left=calls, seconds_left=left,
            calls_per_day=int(self.per_day),
        )  # fmt: skip

    def turn(self, now: float) -> float:
        """When a call that wants to leave now may leave."""
        at = max(now, self._free_at)
        if int(at // DAY) != self._day:
            self._day, self._spent = int(at // DAY), 0.0
        if self.per_day is not None and self._spent >= self.per_day:
            self._day, self._spent = self._day + 1, 0.0
            at = self._day * DAY
        self._spent += 1
        self._free_at = at + 1 / self.per_second
        return at


def simulated(sources: int, *, keys: int, per_day: int | None) -> list[float]:
    """Seconds between a post and the visit that saw it, sorted. Walls speak 0.05 to 2 times an hour."""
    chance = random.Random(3)
    rates = [0.05 * 40 ** (number / max(sources - 1, 1)) / 3600 for number in range(sources)]
    shares = [math.sqrt(rate) for rate in rates]
    total = sum(shares)
    pace = LIMITS["vk"].calls or 1
    tokens = Keys(pace * keys * BATCHED, per_day and per_day * keys * TOKEN_RESERVE)
    due = [(chance.random() * 60, number) for number in range(sources)]
    heapq.heapify(due)
    seen, waits, settled_at = [0.0] * sources, [], visits_to_settle(sources)
    for count in range(max(VISITS, 8 * sources)):
        wanted, number = heapq.heappop(due)
        at = tokens.turn(wanted)
        if count > settled_at:
            gap = at - seen[number]
            waits += [gap * chance.random() for _ in range(posts_in(rates[number] * gap, chance))]
        seen[number] = at
        pause = interval(
            shares[number], total, tokens.budget(at), shortest=SHORTEST, sources=sources
        ).total_seconds()
        heapq.heappush(due, (at + pause, number))
    return sorted(waits)


def visits_to_settle(sources: int) -> int:
    return max(VISITS // 4, 3 * sources)


def posts_in(expected: float, chance: random.Random) -> int:
    """How many posts came: the whole part, and one more as often as the rest says."""
    return int(expected) + (chance.random() < expected % 1)


def said(waits: list[float]) -> str:
    half, most = quantile(waits, 0.5), quantile(waits, 0.95)
    return f"половина за {_words(half)}, 95 % за {_words(most)}"


def quantile(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _words(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} с"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} мин"
    return f"{seconds / 3600:.1f} ч".replace(".", ",")


if __name__ == "__main__":
    for what, figure, _ in run():
        print(f"{what}: {figure}")
