"""Reports people made by hand: the morning page as JSON or as a page to print."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict

from api.errors import responses
from api.reports.morning import Morning, morning_page
from api.reports.page import morning_html
from api.routes.shapes import PostOut
from api.security import Caller, ServiceDep, allow
from index.domain.person import Right

router = APIRouter(prefix="/reports", tags=["reports"], responses=responses(401, 403, 422, 503))
Reader = Annotated[Caller, Depends(allow(Right.READ))]


class Shape(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class LineOut(Shape):
    name: str
    count: int
    day_before: int
    change: int
    week_mean: float | None
    deviation: float | None
    verdict: str


class CountOut(Shape):
    value: str
    posts: int


class MorningOut(Shape):
    day: date
    since: datetime
    until: datetime
    lines: list[LineOut]
    topics: list[CountOut]
    places: list[CountOut]
    sources: list[CountOut]
    urgent: list[PostOut]

    @classmethod
    def of(cls, morning: Morning) -> MorningOut:
        fields = {name: getattr(morning, name) for name in cls.model_fields if name != "urgent"}
        return cls.model_validate(fields | {"urgent": [PostOut.of(record) for record in morning.urgent]})


class ReportOut(BaseModel):
    name: str
    title: str
    url: str


@router.get("")
def list_reports(me: Reader) -> list[ReportOut]:
    """What reports there are."""
    return [ReportOut(name="morning", title="Утренняя справка", url="/api/v1/reports/morning")]


@router.get("/morning")
def morning(service: ServiceDep, me: Reader, day: date | None = None) -> MorningOut:
    """The morning page of a day of the city's calendar; by default of yesterday."""
    return MorningOut.of(_morning(service, day))


@router.get("/morning.html", response_class=HTMLResponse)
def morning_to_print(service: ServiceDep, me: Reader, day: date | None = None) -> HTMLResponse:
    """The same on one A4 page."""
    page = _morning(service, day)
    return HTMLResponse(morning_html(page, service.district.name, service.zone, service.source_titles()))


def _morning(service: ServiceDep, day: date | None) -> Morning:
    yesterday = service.now().astimezone(service.zone).date() - timedelta(days=1)
    return morning_page(service.posts, day=day or yesterday, zone=service.zone)
