"""The morning page: yesterday in numbers, each beside the day before and the mean of seven days."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from statistics import fmean, stdev
from zoneinfo import ZoneInfo

from index.domain.analysis import Intent, Sentiment, Severity
from index.posts.base import PostIndex
from index.posts.query import Count, Facet, Order, Query, Record

DAYS_BACK = 7
FEWEST_FOR_NORM = 3  # days with any posts, before a norm and a deviation are given
URGENT_SHOWN = 10
DEVIATION = 2.0  # standard deviations from the mean that make a day calmer or tenser than usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One number of the page; None where there are too few days to compare with."""

    name: str
    count: int
    day_before: int
    change: int
    week_mean: float | None
    deviation: float | None  #: in standard deviations of the seven days
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Morning:
    day: date
    since: datetime
    until: datetime
    lines: tuple[Line, ...]
    topics: tuple[Count, ...]
    places: tuple[Count, ...]
    sources: tuple[Count, ...]
    urgent: tuple[Record, ...]  #: highest risk score first


def morning_page(posts: PostIndex, *, day: date, zone: ZoneInfo) -> Morning:
    """The page for one day of the city's calendar. Reads only. Raises Unavailable."""
    since = datetime.combine(day, time(), zone)
    until = datetime.combine(day + timedelta(days=1), time(), zone)
    query = Query(since=since, until=until, relevant=True)
    questions = {
        "Всего о районе": query,
        "Проблемы": replace(query, intents=(Intent.COMPLAINT,)),
        "Предложения": replace(query, intents=(Intent.SUGGESTION,)),
        "Вопросы": replace(query, intents=(Intent.QUESTION,)),
        "Срочные": replace(query, min_severity=Severity.TODAY),
        "Негативные": replace(query, sentiments=(Sentiment.NEGATIVE,)),
        "Ждут ответа": replace(query, needs_answer=True),
        "Компетенция района": replace(query, scope="district"),
        "Компетенция города": replace(query, scope="city_okrug"),
    }
    return Morning(
        day=day,
        since=since,
        until=until,
        lines=tuple(_line(posts, name, question, zone) for name, question in questions.items()),
        topics=tuple(posts.count_by(query, Facet.TOPIC_GROUP, limit=10)),
        places=tuple(posts.count_by(query, Facet.PLACE, limit=10)),
        sources=tuple(posts.count_by(query, Facet.SOURCE, limit=10)),
        urgent=posts.find(
            replace(query, min_severity=Severity.TODAY, order=Order.RISK), limit=URGENT_SHOWN
        ).records,
    )


def _line(posts: PostIndex, name: str, query: Query, zone: ZoneInfo) -> Line:
    assert query.since is not None  # noqa: S101  (set by morning_page)
    first = (query.since - timedelta(days=DAYS_BACK)).astimezone(zone)
    week = posts.histogram(
        replace(query, since=first, until=query.since), step=timedelta(days=1), zone=zone.key
    )
    by_day = {start.astimezone(zone).date(): count for start, count in week}
    days = [by_day.get((query.since - timedelta(days=back)).date(), 0) for back in range(1, DAYS_BACK + 1)]
    count = posts.count(query)
    known = [number for number in days if number]
    mean = round(fmean(days), 1) if len(known) >= FEWEST_FOR_NORM else None
    spread = stdev(days) if mean is not None else 0.0
    deviation = round((count - mean) / spread, 1) if mean is not None and spread else None
    return Line(
        name=name,
        count=count,
        day_before=days[0],
        change=count - days[0],
        week_mean=mean,
        deviation=deviation,
        verdict=_verdict(deviation),
    )


def _verdict(deviation: float | None) -> str:
    if deviation is None:
        return "недостаточно данных"
    if deviation >= DEVIATION:
        return "напряжённее обычного"
    return "спокойнее обычного" if deviation <= -DEVIATION else "как обычно"
