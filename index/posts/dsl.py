"""A query in the language of Elasticsearch; the same conditions as `sql` writes for SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from index.domain.analysis import Severity
from index.posts.cursor import Cursor
from index.posts.document import in_utc, micros, tokens
from index.posts.query import Facet, Order, Query

Json = dict[str, Any]

FIELDS = {
    Facet.NETWORK: "network",
    Facet.SOURCE: "source_id",
    Facet.PLACE: "analysis.places",
    Facet.TOPIC_GROUP: "analysis.topic_group",
    Facet.SENTIMENT: "analysis.sentiment",
    Facet.INTENT: "analysis.intent",
    Facet.RISK: "analysis.risks",
    Facet.SEVERITY: "analysis.severity",
    Facet.STATE: "state",
    Facet.STORY: "analysis.story_id",
    Facet.AUTHOR: "author",
}


def search(query: Query) -> Json:
    """The query; its lemmas score, everything else only filters."""
    must = [{"term": {"analysis.lemmas": {"value": token}}} for token in tokens(query.lemmas)]
    return {"bool": {"must": must, "filter": filters(query)}}


def filters(query: Query) -> list[Json]:
    """Everything but the lemmas."""
    return [*_values(query), *_flags(query), *_ranges(query)]


def order(query: Query) -> list[Json]:
    """Sort of the list; the id makes it total, so that a cursor means one place."""
    direction = "asc" if query.order is Order.OLDEST else "desc"
    by_time: list[Json] = [{"published_us": direction}, {"id": direction}]
    match query.order:
        case Order.RISK:
            return [{"analysis.risk_score": {"order": "desc", "missing": 0}}, *by_time]
        case Order.BEST if tokens(query.lemmas):
            return [{"_score": "desc"}, *by_time]
        case _:
            return by_time


def after(cursor: Cursor, query: Query) -> list[Any]:
    """`search_after` of a cursor."""
    place = [cursor.published_us, cursor.id]
    return [cursor.key, *place] if len(order(query)) > len(place) else place


def cursor_at(values: Sequence[Any], query: Query) -> Cursor:
    """The cursor that stands behind a hit with these sort values."""
    *key, published_us, post_id = values
    return Cursor(
        order=query.order, published_us=int(published_us), id=str(post_id), key=float(key[0]) if key else 0.0
    )


def _values(query: Query) -> Iterator[Json]:
    wanted: dict[str, Sequence[Any]] = {
        "network": query.networks,
        "kind": query.kinds,
        "source_id": query.source_ids,
        "parent_id": query.parent_ids,
        "author": query.authors,
        "state": query.states,
        "analysis.places": query.places,
        "analysis.scope": () if query.scope is None else (query.scope,),
        "analysis.topic_group": query.topic_groups,
        "analysis.topic": query.topics,
        "analysis.sentiment": query.sentiments,
        "analysis.intent": query.intents,
        "analysis.risks": query.risks,
        "analysis.story_id": query.story_ids,
    }
    for name, values in wanted.items():
        if values:
            yield {"terms": {name: [value.value if isinstance(value, Enum) else value for value in values]}}
    if query.ids is not None:
        yield {"ids": {"values": list(query.ids)}}


def _flags(query: Query) -> Iterator[Json]:
    if query.relevant is not None:
        yield {"term": {"analysis.relevant": query.relevant}}
    if query.needs_answer is not None:
        yield {"term": {"analysis.needs_answer": query.needs_answer}}
    if not query.with_deleted:
        yield {"term": {"is_deleted": False}}


def _ranges(query: Query) -> Iterator[Json]:
    if query.since is not None:
        yield {"range": {"published_us": {"gte": _micros(query.since, "since")}}}
    if query.until is not None:
        yield {"range": {"published_us": {"lt": _micros(query.until, "until")}}}
    if query.min_severity > Severity.NONE:
        yield {"range": {"analysis.severity": {"gte": int(query.min_severity)}}}
    if query.min_risk_score > 0:
        yield {"range": {"analysis.risk_score": {"gte": query.min_risk_score}}}


def _micros(moment: datetime, name: str) -> int:
    return micros(in_utc(moment, field=name))
