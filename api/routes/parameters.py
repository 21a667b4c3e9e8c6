"""Parameters that several resources share: paging, periods, and the filters of posts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends
from fastapi import Query as Parameter
from pydantic import AwareDatetime

from api.security import ServiceDep
from index.domain.analysis import Intent, Risk, Sentiment, Severity
from index.domain.post import Network, PostKind
from index.posts.query import Order, Query

Limit = Annotated[int, Parameter(ge=1, le=200, description="сколько записей на странице")]
Cursor = Annotated[str | None, Parameter(description="значение next предыдущей страницы")]
Since = Annotated[AwareDatetime | None, Parameter(description="ISO 8601 со смещением, включительно")]
Until = Annotated[AwareDatetime | None, Parameter(description="ISO 8601 со смещением, не включая")]


def in_utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None


def post_query(
    service: ServiceDep,
    q: Annotated[str, Parameter(description="слова запроса, в любой форме", max_length=500)] = "",
    since: Since = None,
    until: Until = None,
    platform: Annotated[list[Network] | None, Parameter()] = None,
    kind: Annotated[list[PostKind] | None, Parameter()] = None,
    source: Annotated[list[str] | None, Parameter(description="id источника")] = None,
    parent: Annotated[
        list[str] | None, Parameter(description="id поста, под которым стоят комментарии")
    ] = None,
    place: Annotated[list[str] | None, Parameter()] = None,
    topic: Annotated[list[str] | None, Parameter(description="группа тем")] = None,
    sentiment: Annotated[list[Sentiment] | None, Parameter()] = None,
    intent: Annotated[list[Intent] | None, Parameter()] = None,
    risk: Annotated[list[Risk] | None, Parameter()] = None,
    story: Annotated[list[str] | None, Parameter()] = None,
    relevant: bool | None = None,
    needs_answer: bool | None = None,
    min_severity: Annotated[int, Parameter(ge=0, le=3)] = 0,
    min_risk_score: Annotated[int, Parameter(ge=0, le=100)] = 0,
    order: Order = Order.NEWEST,
) -> Query:
    return Query(
        lemmas=service.lemmas(q) if q.strip() else (),
        since=in_utc(since),
        until=in_utc(until),
        networks=platform or (),
        kinds=kind or (),
        source_ids=source or (),
        parent_ids=parent or (),
        places=place or (),
        topic_groups=topic or (),
        sentiments=sentiment or (),
        intents=intent or (),
        risks=risk or (),
        story_ids=story or (),
        relevant=relevant,
        needs_answer=needs_answer,
        min_severity=Severity(min_severity),
        min_risk_score=min_risk_score,
        order=order,
    )


PostQuery = Annotated[Query, Depends(post_query)]
