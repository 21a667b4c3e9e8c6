"""Steps of a histogram: whole hours or days as the wall clock of a zone shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from index.errors import Refused

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EARLIEST = datetime.min.replace(tzinfo=UTC)
MAX_STEPS = 20_000  # a year by hours is 8,760


class Steps:
    """Starts of steps. Days begin at local midnight, weeks (7 days) on Monday, hours divide the day."""

    def __init__(self, step: timedelta, zone: str) -> None:
        try:
            self._zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Refused(f"Неизвестный часовой пояс {zone!r}.", field="zone") from None
        self.by_days = step >= DAY and step % DAY == timedelta(0)
        if not self.by_days and (step < HOUR or step % HOUR or DAY % step):
            raise Refused(
                "Шаг гистограммы: целое число дней или часы, на которые делятся сутки.", field="step"
            )
        self._count = step // DAY if self.by_days else step // HOUR
        self._step = step

    def start(self, moment: datetime) -> datetime:
        """Start (UTC) of the step that the moment falls in."""
        local = moment.astimezone(self._zone)
        if self.by_days:
            ordinal = local.toordinal() - 1  # 0 is a Monday
            return self._midnight(ordinal - ordinal % self._count)
        whole_hour = local.replace(minute=0, second=0, microsecond=0)
        if self._count > 1:  # the fold of a repeated hour belongs to the step around it
            whole_hour = whole_hour.replace(hour=local.hour - local.hour % self._count, fold=0)
        return whole_hour.astimezone(UTC)

    def fill(self, found: Iterable[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
        """Counts by step from counts at finer moments, oldest first, with zeros in between."""
        counts: Counter[datetime] = Counter()
        start = end = EARLIEST
        for moment, posts in sorted(found):
            if moment >= end:
                start = self.start(moment)
                end = self._next(start)
            counts[start] += posts
        if not counts:
            return []
        first, last = min(counts), max(counts)
        if (last - first) / self._step > MAX_STEPS:
            raise Refused(f"Больше {MAX_STEPS} шагов: возьмите шаг крупнее.", field="step")
        for between in self._walk(first, last):
            counts[between] += 0
        return sorted(counts.items())

    def _walk(self, first: datetime, last: datetime) -> Iterable[datetime]:
        at = first
        while at < last:
            yield at
            at = self._next(at)

    def _next(self, start: datetime) -> datetime:
        if self.by_days:
            return self._midnight(start.astimezone(self._zone).toordinal() - 1 + self._count)
        ahead = self._step
        while (following := self.start(start + ahead)) <= start:  # the clock went back over the step's end
            ahead += HOUR
        return following

    def _midnight(self, ordinal: int) -> datetime:
        day = datetime.fromordinal(ordinal + 1).date()
        return datetime.combine(day, time.min, tzinfo=self._zone).astimezone(UTC)
