"""Tries an alert rule on what was watched before: «за 30 дней подняло бы 14»."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TypeAlias

from index.domain.alert import AlertKind
from index.domain.analysis import Analysis, Intent
from index.errors import Refused
from index.posts.base import PostIndex
from index.posts.query import Order, PostState, Query, Record
from nlp.bursts import Pulse
from nlp.rules import AlertRule, Facts, Replay, replay
from nlp.stories import story_id_of

Event: TypeAlias = tuple[datetime, str, Facts]

_PAGE = 500


def replay_rule(posts: PostIndex, rule: AlertRule, *, since: datetime, until: datetime) -> Replay:
    """What `rule` would have raised between the moments, with its cooldown. Reads, never writes.

    How long the authorities had been silent is not known of the past: conditions on it never hold.
    Raises Refused for a rule about sources, of which no history is kept; Unavailable.
    """
    records = _watched(posts, since, until)
    match rule.kind:
        case AlertKind.POST:
            history = _posts(records)
        case AlertKind.STORY:
            history = _stories(records)
        case AlertKind.BURST:
            history = _bursts(records)
        case AlertKind.SOURCE:
            raise Refused("Правило об источниках нельзя проверить на истории: она не хранится.", field="kind")
    return replay(rule, list(history), since=since, until=until)


def _watched(posts: PostIndex, since: datetime, until: datetime) -> Iterator[Record]:
    query = Query(since=since, until=until, states=(PostState.WATCHED,), relevant=True, order=Order.OLDEST)
    cursor = None
    while True:
        found = posts.find(query, limit=_PAGE, cursor=cursor)
        yield from found.records
        cursor = found.next
        if cursor is None:
            return


def _posts(records: Iterable[Record]) -> Iterator[Event]:
    for record in records:
        analysis = record.analysis
        if analysis is not None:
            matter = analysis.story_id or story_id_of(analysis.duplicate_of or record.post.id)
            yield record.post.published_at, f"matter:{matter}", _facts(analysis)


def _stories(records: Iterable[Record]) -> Iterator[Event]:
    """The story as it stood with each of its posts."""
    told: dict[str, list[Analysis]] = defaultdict(list)
    authors: dict[str, set[str]] = defaultdict(set)
    for record in records:
        analysis = record.analysis
        if analysis is None or analysis.story_id is None:
            continue
        story = analysis.story_id
        told[story].append(analysis)
        authors[story].add(record.post.author)
        yield record.post.published_at, f"matter:{story}", _together(told[story], len(authors[story]))


def _bursts(records: Iterable[Record]) -> Iterator[Event]:
    pulse = Pulse()
    for record in records:
        analysis, post = record.analysis, record.post
        if analysis is None or analysis.intent is Intent.AD:
            continue
        pulse.add(post.id, post.author, post.published_at, analysis.topic_group, analysis.places)
        for burst in pulse.rising(post.published_at):
            if post.id in burst.post_ids:
                topic, place = burst.key
                facts = Facts(
                    score=analysis.risk_score,
                    severity=analysis.severity,
                    risks=frozenset(analysis.risks),
                    places=frozenset({place} if place else ()),
                    topic_group=topic,
                    posts=burst.posts,
                    authors=burst.authors,
                    growth=burst.growth,
                )
                yield post.published_at, f"burst:{topic}:{place}", facts


def _facts(analysis: Analysis) -> Facts:
    return Facts(
        relevant=analysis.relevant,
        score=analysis.risk_score,
        severity=analysis.severity,
        risks=frozenset(analysis.risks),
        places=frozenset(analysis.places),
        topic_group=analysis.topic_group,
        needs_answer=analysis.needs_answer,
        silent=timedelta(),
    )


def _together(analyses: list[Analysis], authors: int) -> Facts:
    return Facts(
        score=max(analysis.risk_score for analysis in analyses),
        severity=max(analysis.severity for analysis in analyses),
        risks=frozenset(risk for analysis in analyses for risk in analysis.risks),
        places=frozenset(place for analysis in analyses for place in analysis.places),
        topic_group=analyses[-1].topic_group,
        needs_answer=any(analysis.needs_answer for analysis in analyses),
        posts=len(analyses),
        authors=authors,
    )
