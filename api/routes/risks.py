"""The risk summary that regional programs pull."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict

from api.errors import responses
from api.reports.summary import Level, Summary, summarise
from api.routes.parameters import Since, Until, in_utc
from api.routes.shapes import StoryOut
from api.security import Caller, ServiceDep, allow
from index.domain.analysis import Risk
from index.domain.person import Right
from index.domain.source import SourceState
from index.errors import Refused

router = APIRouter(prefix="/risks", tags=["risks"], responses=responses(401, 403, 422, 503))
Reader = Annotated[Caller, Depends(allow(Right.READ))]
LONGEST = timedelta(days=92)


class Shape(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PeriodOut(Shape):
    since: datetime
    until: datetime


class RiskOut(Shape):
    risk: Risk
    count: int
    previous: int
    change: int
    usual: float | None
    top_stories: list[StoryOut]
    post_ids: list[str]


class PlaceOut(Shape):
    place: str
    count: int


class TopicOut(Shape):
    topic: str
    count: int


class AlertsOut(Shape):
    open: int
    overdue: int
    median_minutes_to_triage: float | None


class IncidentsOut(Shape):
    open: int
    overdue: int
    opened: int
    closed: int


class FreshnessOut(Shape):
    title: str
    state: SourceState
    fresh_at: datetime | None
    is_fresh: bool
    reason: str


class SummaryOut(Shape):
    period: PeriodOut
    total: int
    analysed: int
    relevant: int
    usual_relevant: float | None
    risk_level: Level
    verdict: str
    by_risk: list[RiskOut]
    by_place: list[PlaceOut]
    by_topic: list[TopicOut]
    alerts: AlertsOut
    incidents: IncidentsOut
    freshness: dict[str, FreshnessOut]

    @classmethod
    def of(cls, summary: Summary) -> SummaryOut:
        plain = ("total", "analysed", "relevant", "usual_relevant", "risk_level", "verdict")
        return cls(
            period=PeriodOut(since=summary.since, until=summary.until),
            by_risk=[RiskOut.model_validate(line) for line in summary.by_risk],
            by_place=[PlaceOut(place=count.value, count=count.posts) for count in summary.by_place],
            by_topic=[TopicOut(topic=count.value, count=count.posts) for count in summary.by_topic],
            alerts=AlertsOut.model_validate(summary.alerts),
            incidents=IncidentsOut.model_validate(summary.incidents),
            freshness={line.source_id: FreshnessOut.model_validate(line) for line in summary.freshness},
            **{name: getattr(summary, name) for name in plain},
        )


@router.get("/summary")
def risk_summary(
    service: ServiceDep,
    me: Reader,
    since: Since = None,
    until: Until = None,
    place: Annotated[list[str] | None, Parameter(description="название населённого пункта")] = None,
    topic: Annotated[list[str] | None, Parameter(description="группа тем")] = None,
) -> SummaryOut:
    """Risks of the period; by default of the last 24 hours. `usual` is the mean of the four weeks before."""
    now = service.now()
    end = in_utc(until) or now
    start = in_utc(since) or end - timedelta(hours=24)
    if not start < end:
        raise Refused("Начало периода должно быть раньше его конца.", field="since")
    if end - start > LONGEST:
        raise Refused("Период длиннее 92 дней.", field="since")
    return SummaryOut.of(
        summarise(
            service.posts, service.desk, since=start, until=end, now=now,
            places=place or (), topic_groups=topic or (),
        )
    )  # fmt: skip
