"""The risk summary: what the residents wrote in a period, against the period before and against the usual.

`usual` is the mean of the same hours of the week in the four weeks before, over those weeks in which
anything was collected; with none it is None, never 0. The risk level is `unknown` while too little of the
watched sources is fresh: a summary never looks calm because the collector was blind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import fmean

from api.words import RISK_WORDS
from index.desk import Desk
from index.desk.incidents import IncidentCounts
from index.domain.analysis import Risk
from index.domain.source import SourceHealth, SourceState
from index.domain.story import Story
from index.posts.base import PostIndex
from index.posts.query import Count, Facet, Order, PostState, Query

WEEK = timedelta(weeks=1)
USUAL_WEEKS = 4  # weeks behind `usual`
FEWEST_FRESH = 0.7  # share of enabled sources that must be fresh before a verdict is given
FEWEST_ANALYSED = 0.9  # share of collected posts that must have been analysed before a verdict is given
STALE_AFTER = timedelta(hours=1)  # a source not read whole for longer is not fresh
FEWEST_POSTS = 5  # fewer relevant posts, now and usually, are too thin for a verdict other than «как обычно»
POSTS_SHOWN = 20  # evidence per risk
STORIES_SHOWN = 3
BLIND_STATES = frozenset(
    {SourceState.FAILING, SourceState.BANNED, SourceState.NEEDS_TOKEN, SourceState.LAYOUT_CHANGED}
)


class Level(StrEnum):
    CALM = "calm"  #: спокойнее обычного
    USUAL = "usual"  #: как обычно
    TENSE = "tense"  #: напряжённее обычного
    UNKNOWN = "unknown"  #: недостаточно данных


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLine:
    """One risk class in the period."""

    risk: Risk
    count: int
    previous: int  #: in the period of the same length before
    change: int  #: count - previous
    usual: float | None  #: None: no week to compare with
    top_stories: tuple[Story, ...]
    post_ids: tuple[str, ...]  #: highest risk score first, at most 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    source_id: str
    title: str
    state: SourceState
    fresh_at: datetime | None
    is_fresh: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    open: int
    overdue: int
    median_minutes_to_triage: float | None  #: None: nothing was triaged in the period


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    since: datetime
    until: datetime
    total: int  #: relevant and not, posts and comments
    analysed: int
    relevant: int
    usual_relevant: float | None
    risk_level: Level
    verdict: str  #: Russian sentence with its reason
    by_risk: tuple[RiskLine, ...]  #: every class, largest first
    by_place: tuple[Count, ...]
    by_topic: tuple[Count, ...]
    alerts: AlertLine
    incidents: IncidentCounts
    freshness: tuple[Freshness, ...]


def summarise(
    posts: PostIndex,
    desk: Desk,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    places: Sequence[str] = (),
    topic_groups: Sequence[str] = (),
) -> Summary:
    """The summary of `since <= published_at < until`. Reads only. Raises Unavailable."""
    every = Query(since=since, until=until, places=places, topic_groups=topic_groups)
    query = replace(every, relevant=True)
    relevant = posts.count(query)
    weeks = _comparable_weeks(posts, query)
    usual = _mean(posts.count(_earlier(query, WEEK * week)) for week in weeks)
    freshness = _freshness(desk, now)
    by_risk = _by_risk(posts, desk, query, weeks)
    total = posts.count(every)
    analysed = posts.count(replace(every, states=(PostState.ANALYSED, PostState.WATCHED)))
    is_read = analysed >= FEWEST_ANALYSED * total
    level = _level(relevant, usual, by_risk, freshness) if is_read else Level.UNKNOWN
    return Summary(
        since=since,
        until=until,
        total=total,
        analysed=analysed,
        relevant=relevant,
        usual_relevant=usual,
        risk_level=level,
        verdict=_verdict(level, by_risk, freshness)
        if is_read
        else f"Недостаточно данных: ждут разбора {total - analysed} из {total}.",
        by_risk=by_risk,
        by_place=tuple(posts.count_by(query, Facet.PLACE, limit=50)),
        by_topic=tuple(posts.count_by(query, Facet.TOPIC_GROUP, limit=26)),
        alerts=_alerts(desk, since, now),
        incidents=desk.incidents.counts(now, since=since, until=until),
        freshness=freshness,
    )


def _by_risk(posts: PostIndex, desk: Desk, query: Query, weeks: Sequence[int]) -> tuple[RiskLine, ...]:
    length = query.until - query.since if query.until and query.since else WEEK
    now_counts = _risk_counts(posts, query)
    before = _risk_counts(posts, _earlier(query, length))
    past = [_risk_counts(posts, _earlier(query, WEEK * week)) for week in weeks]
    lines = [
        RiskLine(
            risk=risk,
            count=now_counts.get(risk, 0),
            previous=before.get(risk, 0),
            change=now_counts.get(risk, 0) - before.get(risk, 0),
            usual=_mean(counts.get(risk, 0) for counts in past),
            top_stories=_top_stories(posts, desk, replace(query, risks=(risk,))),
            post_ids=_worst_posts(posts, replace(query, risks=(risk,))),
        )
        for risk in Risk
    ]
    return tuple(sorted(lines, key=lambda line: (-line.count, list(Risk).index(line.risk))))


def _risk_counts(posts: PostIndex, query: Query) -> dict[Risk, int]:
    return {Risk(count.value): count.posts for count in posts.count_by(query, Facet.RISK)}


def _top_stories(posts: PostIndex, desk: Desk, query: Query) -> tuple[Story, ...]:
    counts = posts.count_by(query, Facet.STORY, limit=STORIES_SHOWN)
    return tuple(desk.stories.get_many([count.value for count in counts]).values())


def _worst_posts(posts: PostIndex, query: Query) -> tuple[str, ...]:
    found = posts.find(replace(query, order=Order.RISK), limit=POSTS_SHOWN)
    return tuple(record.post.id for record in found.records)


def _comparable_weeks(posts: PostIndex, query: Query) -> list[int]:
    """Of the four weeks before, those in which anything at all was collected in these hours."""
    anything = Query(since=query.since, until=query.until)
    return [w for w in range(1, USUAL_WEEKS + 1) if posts.find(_earlier(anything, WEEK * w), limit=1).records]


def _earlier(query: Query, by: timedelta) -> Query:
    return replace(
        query,
        since=query.since - by if query.since else None,
        until=query.until - by if query.until else None,
    )


def _mean(values: Iterable[int]) -> float | None:
    numbers = list(values)
    return round(fmean(numbers), 1) if numbers else None


def _alerts(desk: Desk, since: datetime, now: datetime) -> AlertLine:
    counts = desk.alerts.counts(now, since=since)
    return AlertLine(
        open=counts.open, overdue=counts.overdue, median_minutes_to_triage=_minutes(counts.median_to_triage)
    )


def _minutes(length: timedelta | None) -> float | None:
    return round(length.total_seconds() / 60, 1) if length is not None else None


def _freshness(desk: Desk, now: datetime) -> tuple[Freshness, ...]:
    healths = desk.sources.healths()
    lines = []
    for source in desk.sources.list(enabled_only=True):
        health = healths.get(source.id, SourceHealth(source_id=source.id))
        is_fresh = (
            health.state not in BLIND_STATES
            and health.fresh_at is not None
            and now - health.fresh_at <= STALE_AFTER
        )
        lines.append(
            Freshness(
                source_id=source.id,
                title=source.title,
                state=health.state,
                fresh_at=health.fresh_at,
                is_fresh=is_fresh,
                reason=health.reason,
            )
        )
    return tuple(lines)


def _level(
    relevant: int, usual: float | None, by_risk: Sequence[RiskLine], freshness: Sequence[Freshness]
) -> Level:
    if not freshness or sum(line.is_fresh for line in freshness) < FEWEST_FRESH * len(freshness):
        return Level.UNKNOWN
    if usual is None:
        return Level.UNKNOWN
    risky, risky_usual = sum(line.count for line in by_risk), sum(line.usual or 0 for line in by_risk)
    if max(relevant, usual) < FEWEST_POSTS and risky < FEWEST_POSTS:
        return Level.USUAL
    if relevant > 1.5 * usual or risky > max(1.5 * risky_usual, risky_usual + FEWEST_POSTS):
        return Level.TENSE
    if relevant < 0.67 * usual and risky <= risky_usual:
        return Level.CALM
    return Level.USUAL


def _verdict(level: Level, by_risk: Sequence[RiskLine], freshness: Sequence[Freshness]) -> str:
    blind = [line for line in freshness if not line.is_fresh]
    grown = [line for line in by_risk if line.usual is not None and line.count > line.usual]
    match level:
        case Level.UNKNOWN if not freshness:
            return "Недостаточно данных: ни один источник не подключён."
        case Level.UNKNOWN if blind and len(freshness) - len(blind) < FEWEST_FRESH * len(freshness):
            return (
                f"Недостаточно данных: свежих источников {len(freshness) - len(blind)} из {len(freshness)}."
            )
        case Level.UNKNOWN:
            return "Недостаточно данных: ещё не накопилась неделя для сравнения."
        case Level.TENSE if grown:
            top = max(grown, key=lambda line: line.count - (line.usual or 0))
            return (
                f"Напряжённее обычного: «{RISK_WORDS[top.risk]}» — {top.count} против обычных {top.usual:g}."
            )
        case Level.TENSE:
            return "Напряжённее обычного: сообщений заметно больше, чем в эти часы прошлых недель."
        case Level.CALM:
            return "Спокойнее обычного."
        case _:
            return "Как обычно."
