"""Every PostIndex answers as a plain list of records would: random posts, random questions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.domain.analysis import Analysis, Intent, Risk, Sentiment, Severity
from index.domain.post import Network, Post, PostKind
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.elasticsearch import ElasticsearchPosts
from index.posts.query import Facet, Order, PostState, Query, Record
from tests.factories import NOON, analysis, post

LEMMAS = ("яма", "тепло", "гусь-хрустальный", "нет")
PLACES = ("Курлово", "Мезиновский", "Анопино")
ZONES = ("UTC", "Europe/Moscow", "Asia/Kathmandu", "America/New_York")
QUESTIONS = 6  # of one world
STEPS = tuple(timedelta(hours=hours) for hours in (1, 6, 12, 24, 48, 168))

World = list[tuple[Post, Analysis | None, PostState]]

# On the first of November 2026 the clocks of New York go back by an hour.
moments = st.builds(
    lambda start, hours, micros: start + timedelta(hours=hours, microseconds=micros),
    st.sampled_from([NOON, NOON - timedelta(days=23)]),
    st.integers(-60, 60),
    st.sampled_from([0, 0, 1, 999, 1000]),
)
names = st.sampled_from(["a", "b", "c"])


def subset(values: Sequence[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), max_size=3, unique=True).map(tuple)


analyses = st.builds(
    analysis,
    model=names,
    lemmas=st.lists(st.sampled_from(LEMMAS), max_size=4).map(tuple),
    relevant=st.booleans(),
    places=subset(PLACES),
    scope=st.sampled_from([None, "district"]),
    intent=st.sampled_from(Intent),
    topic_group=st.sampled_from([None, "ЖКХ", "Дороги"]),
    topic=st.sampled_from([None, "Отопление"]),
    sentiment=st.sampled_from(Sentiment),
    risks=subset(list(Risk)[:3]),
    severity=st.sampled_from(Severity),
    needs_answer=st.booleans(),
    story_id=st.sampled_from([None, "s-1", "s-2"]),
    risk_score=st.sampled_from([0, 40, 41, 100]),
    vector=st.sampled_from([(), (1.0, 0.0, 0.0), (0.6, 0.8, 0.0), (0.0, -0.6, 0.8)]),
)
worlds = st.lists(
    st.tuples(
        st.builds(
            post,
            network=st.sampled_from(Network),
            kind=st.sampled_from(PostKind),
            source_id=st.sampled_from([None, "a", "b"]),
            parent_id=st.sampled_from([None, "a", "b"]),
            author=names,
            published_at=moments,
            is_deleted=st.sampled_from([False, False, False, True]),
        ),
        st.none() | analyses,
        st.sampled_from([PostState.ANALYSED, PostState.WATCHED, PostState.QUARANTINED]),
    ),
    max_size=25,
)
CONDITIONS: dict[str, st.SearchStrategy[Any]] = {
    "lemmas": subset(LEMMAS),
    "since": moments,
    "until": moments,
    "networks": subset(list(Network)),
    "kinds": subset(list(PostKind)),
    "source_ids": subset("abx"),
    "parent_ids": subset("abx"),
    "authors": subset("abcx"),
    "states": subset(list(PostState)),
    "places": subset([*PLACES, "Нигде"]),
    "scope": st.sampled_from(["district", "city_okrug"]),
    "topic_groups": subset(["ЖКХ", "Дороги", "Экология"]),
    "topics": subset(["Отопление"]),
    "sentiments": subset(list(Sentiment)),
    "intents": subset(list(Intent)),
    "risks": subset(list(Risk)[:4]),
    "story_ids": subset(["s-1", "s-2"]),
    "relevant": st.booleans(),
    "needs_answer": st.booleans(),
    "min_severity": st.sampled_from(Severity),
    "min_risk_score": st.sampled_from([0, 1, 41, 101]),
    "with_deleted": st.booleans(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    query: Query
    facet: Facet
    step: timedelta
    zone: str
    page: int
    vector: tuple[float, ...]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    asked = draw(st.lists(st.sampled_from(sorted(CONDITIONS)), max_size=3, unique=True))
    query = Query(order=draw(st.sampled_from(Order)), **{name: draw(CONDITIONS[name]) for name in asked})
    return Question(
        query=query,
        facet=draw(st.sampled_from(Facet)),
        step=draw(st.sampled_from(STEPS)),
        zone=draw(st.sampled_from(ZONES)),
        page=draw(st.integers(3, 12)),
        vector=draw(st.sampled_from([(1.0, 0.0, 0.0), (0.3, 0.3, 0.9)])),
    )


@pytest.fixture(params=[0, 3, 5_000])
def sqlite(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PostIndex]:
    """It chooses between plans by the number of posts: always a walk, sometimes, hardly ever."""
    monkeypatch.setattr("index.posts.sqlite.RARE", request.param)
    opened = open_posts("sqlite", tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def elasticsearch(elasticsearch_url: str, elasticsearch_module_alias: str) -> Iterator[PostIndex]:
    opened = ElasticsearchPosts([elasticsearch_url], alias=elasticsearch_module_alias)
    yield opened
    opened.close()


given_posts_and_questions = given(
    world=worlds, asked=st.lists(questions(), min_size=QUESTIONS, max_size=QUESTIONS)
)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(unhurried, max_examples=20)
@given_posts_and_questions
def test_sqlite_answers_as_a_plain_list_would(sqlite: PostIndex, world: World, asked: list[Question]) -> None:
    agree(sqlite, world, asked)


@pytest.mark.elasticsearch
@settings(unhurried, max_examples=8)
@given_posts_and_questions
def test_elasticsearch_answers_as_a_plain_list_would(
    elasticsearch: PostIndex, world: World, asked: list[Question]
) -> None:
    agree(elasticsearch, world, asked)


def agree(index: PostIndex, world: World, asked: list[Question]) -> None:
    plain = fill(index, world)
    try:
        for question in asked:
            compare(index, plain, question)
    finally:
        index.erase(post_ids=[record.post.id for record in plain])


def fill(index: PostIndex, world: World) -> list[Record]:
    index.add(one for one, _, _ in world)
    records = []
    for state in (PostState.ANALYSED, PostState.WATCHED):
        found = {one.id: said for one, said, into in world if said is not None and into is state}
        index.save_analyses(found, state)
    for one, said, into in world:
        if into is PostState.QUARANTINED:
            index.quarantine(one.id, "ошибка")
            said = None
        state = into if said is not None or into is PostState.QUARANTINED else PostState.COLLECTED
        records.append(Record(post=one, state=state, analysis=said))
    index.refresh()
    return records


def compare(index: PostIndex, plain: list[Record], question: Question) -> None:
    query = question.query
    found = [record for record in plain if matches(record, query)]
    listed = pages(index, query, question.page)
    if query.order is Order.BEST and query.lemmas:
        listed, expected = sorted(listed), sorted(record.post.id for record in found)
    else:
        expected = [record.post.id for record in in_order(found, query.order)]
    assert listed == expected
    assert index.count(query) == len(found)
    assert index.authors(query) == len({record.post.author for record in found})
    counts = [(count.value, count.posts) for count in index.count_by(query, question.facet)]
    assert counts == facet(found, question.facet)
    assert index.histogram(query, step=question.step, zone=question.zone) == histogram(found, question)
    near = [record for record in plain if matches(record, replace(query, lemmas=()))]
    cosines = [cosine for _, cosine in index.nearest(question.vector, query, limit=5)]
    assert cosines == pytest.approx(nearest(near, question.vector)[:5], abs=0.002)


def pages(index: PostIndex, query: Query, size: int) -> list[str]:
    listed, cursor = [], None
    while True:
        found = index.find(query, limit=size, cursor=cursor)
        listed += [record.post.id for record in found.records]
        if (cursor := found.next) is None:
            return listed


def matches(record: Record, query: Query) -> bool:
    one, said = record.post, record.analysis
    tests = [
        query.with_deleted or not one.is_deleted,
        query.since is None or one.published_at >= query.since,
        query.until is None or one.published_at < query.until,
        among(one.network, query.networks),
        among(one.kind, query.kinds),
        among(one.source_id, query.source_ids),
        among(one.parent_id, query.parent_ids),
        among(one.author, query.authors),
        among(record.state, query.states),
    ]
    of_analysis: list[tuple[bool, Callable[[Analysis], bool]]] = [
        (bool(query.lemmas), lambda a: set(query.lemmas) <= set(a.lemmas)),
        (bool(query.places), lambda a: bool(set(query.places) & set(a.places))),
        (bool(query.risks), lambda a: bool(set(query.risks) & set(a.risks))),
        (query.scope is not None, lambda a: a.scope == query.scope),
        (bool(query.topic_groups), lambda a: a.topic_group in query.topic_groups),
        (bool(query.topics), lambda a: a.topic in query.topics),
        (bool(query.sentiments), lambda a: a.sentiment in query.sentiments),
        (bool(query.intents), lambda a: a.intent in query.intents),
        (bool(query.story_ids), lambda a: a.story_id in query.story_ids),
        (query.relevant is not None, lambda a: a.relevant is query.relevant),
        (query.needs_answer is not None, lambda a: a.needs_answer is query.needs_answer),
        (query.min_severity > Severity.NONE, lambda a: a.severity >= query.min_severity),
        (query.min_risk_score > 0, lambda a: a.risk_score >= query.min_risk_score),
    ]
    return all(tests) and all(said is not None and holds(said) for is_asked, holds in of_analysis if is_asked)


def among(value: Any, wanted: Sequence[Any]) -> bool:
    return not wanted or value in wanted


def in_order(found: list[Record], order: Order) -> list[Record]:
    newest = sorted(found, key=lambda r: (r.post.published_at, r.post.id), reverse=True)
    match order:
        case Order.OLDEST:
            return newest[::-1]
        case Order.RISK:
            return sorted(newest, key=lambda r: -(r.analysis.risk_score if r.analysis else 0))
        case _:
            return newest


def facet(found: list[Record], by: Facet) -> list[tuple[str, int]]:
    counts = Counter(str(value) for record in found for value in values(record, by) if value is not None)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def values(record: Record, by: Facet) -> Sequence[Any]:
    match by:
        case Facet.NETWORK | Facet.SOURCE | Facet.AUTHOR:
            return [getattr(record.post, by.value)]
        case Facet.STATE:
            return [record.state]
        case _ if record.analysis is None:
            return []
        case Facet.PLACE:
            return record.analysis.places
        case Facet.RISK:
            return record.analysis.risks
        case Facet.SEVERITY:
            return [int(record.analysis.severity)]
        case _:
            return [getattr(record.analysis, by.value)]


def histogram(found: list[Record], question: Question) -> list[tuple[datetime, int]]:
    """Walks hour by hour over the wall clock, knowing nothing of how an index does it."""
    if not found:
        return []
    times = sorted(record.post.published_at for record in found)
    zone = ZoneInfo(question.zone)
    around = quarters(times[0] - question.step - timedelta(days=1), times[-1])
    starts = [at for at in around if begins(at, zone, question)]
    first = max(at for at in starts if at <= times[0])
    starts = [at for at in starts if at >= first]
    ends = [*starts[1:], datetime.max.replace(tzinfo=UTC)]
    return [(start, sum(start <= at < end for at in times)) for start, end in zip(starts, ends, strict=True)]


def quarters(first: datetime, last: datetime) -> Iterator[datetime]:
    at = first.replace(minute=0, second=0, microsecond=0)
    while at <= last:
        yield at
        at += timedelta(minutes=15)


def begins(at: datetime, zone: ZoneInfo, question: Question) -> bool:
    """Whether a step begins at this instant."""
    local, before = at.astimezone(zone), (at - timedelta(minutes=15)).astimezone(zone)
    if question.step >= timedelta(days=1):
        if local.date() == before.date():
            return False
        return (local.date().toordinal() - 1) % question.step.days == 0
    hours = question.step // timedelta(hours=1)
    if hours == 1:
        return local.minute == 0
    return (local.date(), local.hour // hours) != (before.date(), before.hour // hours)


def nearest(found: list[Record], vector: Sequence[float]) -> list[float]:
    vectors = [record.analysis.vector for record in found if record.analysis and record.analysis.vector]
    return sorted((cosine(one, vector) for one in vectors), reverse=True)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


def test_the_plain_list_walks_over_a_change_of_the_clock() -> None:
    """The oracle itself: a day of 25 hours has one midnight, and steps follow each other."""
    asked = Question(
        query=Query(), facet=Facet.NETWORK, step=timedelta(days=1), zone="America/New_York", page=1, vector=()
    )
    times = (NOON - timedelta(days=25), NOON)
    days = histogram([Record(post=post(published_at=at), state=PostState.COLLECTED) for at in times], asked)
    gaps = {later - earlier for (earlier, _), (later, _) in pairwise(days)}
    assert gaps == {timedelta(days=1), timedelta(hours=25)}
