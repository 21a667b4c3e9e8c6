"""Slots of posts: the officer's wall clock turned into an instant, and weeks that miss the page's norm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from index.domain import publication
from index.domain.page import Page
from index.domain.publication import Delivery, DeliveryKind, DeliveryState
from index.errors import Refused

WEEK = timedelta(days=7)
COUNTED = frozenset(DeliveryState) - {DeliveryState.CANCELLED, DeliveryState.FAILED}


def instant(wall_time: str, zone: str) -> datetime:
    """The UTC instant of a wall clock (`2026-11-24T10:00`) in an IANA zone.

    An hour that comes twice when clocks go back means its first coming. Raises Refused for a clock that
    cannot be read, an unknown zone, and a time that the clocks jump over.
    """
    place = _zone(zone)
    try:
        moment = publication.instant(wall_time, zone)
    except ValueError:
        raise Refused("Время не читается: нужно 2026-11-24T10:00, без сдвига.", field="wall_time") from None
    shown = moment.astimezone(place).replace(tzinfo=None, fold=0)
    if shown != datetime.fromisoformat(wall_time):
        raise Refused(
            f"Такого времени в этот день нет: часы переводят вперёд. Ближайшее — {shown:%H:%M}.",
            field="wall_time",
        )
    return moment


def is_twice(wall_time: str, zone: str) -> bool:
    """Whether the clock shows this time twice that day: the officer is told that the first one counts."""
    wall = datetime.fromisoformat(wall_time).replace(tzinfo=_zone(zone))
    first, second = wall.utcoffset(), wall.replace(fold=1).utcoffset()
    return first is not None and second is not None and second < first  # in a gap it is the other way round


def check_slot(wall_time: str, zone: str, *, now: datetime) -> datetime:
    """The instant of a slot that is still ahead. Raises Refused; only the new value is looked at."""
    due_at = instant(wall_time, zone)
    if due_at <= now:
        raise Refused("Это время уже прошло: выберите другое.", field="wall_time")
    return due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A week in which a page has fewer posts, sent and planned, than its norm asks."""

    page_id: str
    monday: date
    planned: int
    norm: int
    free_days: tuple[date, ...]  #: days of that week without a post that are not over yet

    @property
    def missing(self) -> int:
        return self.norm - self.planned


def holes(
    pages: Iterable[Page], deliveries: Iterable[Delivery], *, zone: str, now: datetime, weeks: int = 4
) -> list[Hole]:
    """Weeks from the current one on that miss the norm, by page in the order given, then by week.

    Weeks run Monday to Sunday by the clocks of `zone`; answers to residents are not posts of the plan.
    """
    place = _zone(zone)
    days: Counter[tuple[str, date]] = Counter(
        (d.page_id, (d.published_at or d.due_at).astimezone(place).date())
        for d in deliveries
        if d.kind is DeliveryKind.PUBLICATION and d.state in COUNTED
    )
    today = now.astimezone(place).date()
    mondays = [today - timedelta(days=today.weekday()) + week * WEEK for week in range(weeks)]
    found = []
    for page in pages:
        if not page.is_enabled:
            continue
        for monday in mondays:
            week_days = [monday + timedelta(days=n) for n in range(7)]
            planned = sum(days[page.id, day] for day in week_days)
            free = tuple(day for day in week_days if day >= today and not days[page.id, day])
            if planned < page.weekly_norm:
                found.append(
                    Hole(
                        page_id=page.id, monday=monday, planned=planned, norm=page.weekly_norm, free_days=free
                    )
                )
    return found


def _zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Refused(f"Часовой пояс «{zone}» неизвестен: нужен вид Europe/Moscow.", field="zone") from None
