"""The working calendar: when people work, and how working time is counted over nights and holidays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import holidays

from index.errors import Misconfigured

MIDNIGHT = time(0)
WARN_AT = 0.75  # share of the way at which a deadline warns
FARTHEST = 366 * 12  # days the calendar looks ahead; a term longer than that is a mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Working hours of one stretch of a day, by the clock on the wall; stop 00:00 is the end of the day."""

    start: time
    stop: time

    def __post_init__(self) -> None:
        if self.stop != MIDNIGHT and self.stop <= self.start:
            raise Misconfigured(f"Часы работы {self.start:%H:%M}–{self.stop:%H:%M} кончаются раньше начала.")


def hours(*stretches: str) -> tuple[Hours, ...]:
    """`hours("09:00-13:00", "14:00-18:00")`: a day with a lunch break. Raises Misconfigured."""
    return tuple(_stretch(text) for text in stretches)


WORKDAY = (Hours(start=time(8), stop=time(12)), Hours(start=time(13), stop=time(17)))
OFFICE_WEEK: tuple[tuple[Hours, ...], ...] = (WORKDAY,) * 5 + ((), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCalendar:
    """Moments in and out are aware; lengths of working time are timedeltas of hours really worked.

    A day of `exceptions` works as written there, whatever the week and the holidays say: moved working
    Saturdays, short days before a holiday, days of mourning. Raises Misconfigured when nobody ever works.
    """

    zone: str = "Europe/Moscow"
    week: tuple[tuple[Hours, ...], ...] = OFFICE_WEEK  #: seven days, Monday first
    country: str | None = "RU"  #: public holidays, with days off moved by decree; None: none are kept
    exceptions: Mapping[date, tuple[Hours, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.week) != 7:
            raise Misconfigured(f"В неделе рабочего календаря {len(self.week)} дней, а нужно 7.")
        if not any(self.week):
            raise Misconfigured("В рабочем календаре нет ни одного рабочего часа.")
        for day in (*self.week, *self.exceptions.values()):
            _check_order(day)

    def day(self, day: date) -> tuple[Hours, ...]:
        """Working hours of a date; empty when nobody works."""
        if day in self.exceptions:
            return self.exceptions[day]
        if self.country is not None and day in public_holidays(self.country, day.year):
            return ()
        return self.week[day.weekday()]

    def is_working(self, moment: datetime) -> bool:
        """Whether `moment` is inside working hours; the last moment of a stretch is not."""
        return any(start <= moment < stop for start, stop in self._day_stretches(self._local_day(moment)))

    def add(self, start: datetime, length: timedelta) -> datetime:
        """The moment when `length` of working time after `start` has passed; UTC.

        Friday 16:30 and one hour with hours 9–17 is Monday 9:30. Zero or less gives `start` itself.
        """
        start = start.astimezone(UTC)  # a sum in local time is wrong where the clocks change
        if length <= timedelta(0):
            return start
        left = length
        for opens, closes in self._stretches(start):
            begins = max(opens, start)
            if left <= closes - begins:
                return begins + left
            left -= closes - begins
        raise Misconfigured("Срок длиннее, чем видит рабочий календарь.", remedy="Проверьте сроки и часы.")

    def between(self, start: datetime, stop: datetime) -> timedelta:
        """Working time from `start` to `stop`; zero when `stop` is not later."""
        start, stop = start.astimezone(UTC), stop.astimezone(UTC)
        worked = timedelta(0)
        if stop <= start:
            return worked
        for opens, closes in self._stretches(start):
            if opens >= stop:
                return worked
            worked += min(closes, stop) - max(opens, start)
        raise Misconfigured("Промежуток длиннее, чем видит рабочий календарь.")

    def add_days(self, start: datetime, days: int) -> datetime:
        """End of work on the `days`-th working day after the day of `start`; UTC. `days` >= 1."""
        first = self._local_day(start)
        left = days
        for ahead in range(1, FARTHEST):
            stretches = self._day_stretches(first + timedelta(days=ahead))
            if stretches:
                left -= 1
                if left == 0:
                    return stretches[-1][1]
        raise Misconfigured("Срок длиннее, чем видит рабочий календарь.", remedy="Проверьте сроки и часы.")

    def _stretches(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Stretches of work that end after `start`, in time; UTC."""
        first = self._local_day(start)
        for ahead in range(FARTHEST):
            for opens, closes in self._day_stretches(first + timedelta(days=ahead)):
                if closes > start:
                    yield opens, closes

    def _day_stretches(self, day: date) -> list[tuple[datetime, datetime]]:
        """A stretch inside an hour that the clocks skip has no length and is left out."""
        found = [
            (self._instant(day, h.start), self._instant(_stop_day(day, h), h.stop)) for h in self.day(day)
        ]
        return [(opens, closes) for opens, closes in found if opens < closes]

    def _instant(self, day: date, wall: time) -> datetime:
        return datetime.combine(day, wall, tzinfo=ZoneInfo(self.zone)).astimezone(UTC)

    def _local_day(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.zone)).date()


@lru_cache(maxsize=256)
def public_holidays(country: str, year: int) -> frozenset[date]:
    """Days off by law and by decree. Raises Misconfigured on a country the package does not know."""
    try:
        return frozenset(holidays.country_holidays(country, years=year))
    except NotImplementedError:
        raise Misconfigured(f"Праздники страны {country} неизвестны.", remedy="Например, RU.") from None


def _stop_day(day: date, stretch: Hours) -> date:
    return day + timedelta(days=1) if stretch.stop == MIDNIGHT else day


def _stretch(text: str) -> Hours:
    try:
        start, stop = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        raise Misconfigured(f"Часы работы «{text}» не читаются.", remedy="Нужно 09:00-13:00.") from None
    return Hours(start=start, stop=stop)


def _check_order(day: tuple[Hours, ...]) -> None:
    for earlier, later in pairwise(day):
        if earlier.stop == MIDNIGHT or later.start < earlier.stop:
            raise Misconfigured(f"Часы работы пересекаются: {later.start:%H:%M} раньше {earlier.stop:%H:%M}.")
