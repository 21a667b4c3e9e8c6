"""Limits of the networks as their documentation and users report them; each caller is counted apart."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Numbers of vk.md, telegram.md, max.md; OK publishes none, so its numbers are ours."""

    vk_user_per_second: int = 3
    vk_service_per_second: int = 3
    vk_group_per_second: int = 20
    vk_wall_get_per_day: int = 5000
    vk_search_per_day: int = 1000
    vk_posts_per_day: int = 50  #: on one wall
    ok_per_second: int = 10
    ok_calls_per_day: int = 20_000  #: a method; what users.getCallsLeft tells
    telegram_web_per_10_seconds: int = 20
    telegram_bot_per_second: int = 30
    telegram_chat_per_second: int = 1
    telegram_chat_per_minute: int = 20
    max_per_second: int = 10  #: documented 30, seen live 10
    max_messages_per_second: int = 2  #: a chat


#: For hours of practice: officers should see a post within seconds, so a day's budget never ends and open
#: pages may be read often. The pace of the tokens stays the real one.
PRACTICE = Limits(
    vk_wall_get_per_day=10_000_000,
    vk_search_per_day=10_000_000,
    ok_calls_per_day=10_000_000,
    telegram_web_per_10_seconds=200,
)


class Meter:
    """Counts calls in sliding windows. Not safe by itself: the caller holds the world's lock."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[datetime]] = defaultdict(deque)
        self._days: dict[tuple[str, str], int] = defaultdict(int)

    def passes(self, bucket: str, *, at: datetime, limit: int, window: timedelta = SECOND) -> bool:
        """Count one call unless the bucket is full; a refused call does not count."""
        recent = self._recent[bucket]
        while recent and recent[0] <= at - window:
            recent.popleft()
        if len(recent) >= limit:
            return False
        recent.append(at)
        return True

    def wait(self, bucket: str, *, at: datetime, window: timedelta) -> int:
        """Whole seconds until the oldest call leaves the window; at least one."""
        recent = self._recent[bucket]
        left = (recent[0] + window - at).total_seconds() if recent else 0.0
        return max(1, int(left + 0.999))

    def spend(self, bucket: str, *, at: datetime, limit: int) -> bool:
        """Count one call of the day unless the day's number is used up."""
        key = (bucket, at.date().isoformat())
        if self._days[key] >= limit:
            return False
        self._days[key] += 1
        return True

    def spent(self, bucket: str, *, at: datetime) -> int:
        return self._days[bucket, at.date().isoformat()]
