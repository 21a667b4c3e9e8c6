"""Alerts: what an officer should look at, and triage by programs that act for one."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Query as Parameter
from pydantic import AwareDatetime, BaseModel, Field

from api.errors import responses
from api.routes.parameters import Cursor, Limit, Since, in_utc
from api.routes.shapes import AlertOut, IncidentOut, Listing
from api.security import Caller, ServiceDep, allow
from index.domain.alert import AlertKind, AlertState
from index.domain.analysis import Risk
from index.domain.person import Right

router = APIRouter(prefix="/alerts", tags=["alerts"], responses=responses(401, 403, 422, 503))
Reader = Annotated[Caller, Depends(allow(Right.READ))]
Officer = Annotated[Caller, Depends(allow(Right.TRIAGE))]


class AcceptIn(BaseModel):
    version: int


class DismissIn(BaseModel):
    version: int
    reason: str = Field(min_length=1, max_length=2_000)


class SnoozeIn(BaseModel):
    version: int
    until: AwareDatetime


class AcceptedOut(BaseModel):
    alert: AlertOut
    incident: IncidentOut


@router.get("")
def find_alerts(
    service: ServiceDep,
    me: Reader,
    state: Annotated[list[AlertState] | None, Parameter()] = None,
    kind: Annotated[list[AlertKind] | None, Parameter()] = None,
    risk: Annotated[list[Risk] | None, Parameter()] = None,
    place: Annotated[list[str] | None, Parameter()] = None,
    assignee: str | None = None,
    since: Since = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[AlertOut]:
    """Most severe first, then by score, then newest."""
    alerts, following = service.desk.alerts.find(
        states=state or (), kinds=kind or (), risks=risk or (), places=place or (),
        assignee=assignee, since=in_utc(since), limit=limit, cursor=cursor,
    )  # fmt: skip
    return Listing(items=[AlertOut.of(alert) for alert in alerts], next=following)


@router.get("/{alert_id}", responses=responses(404))
def get_alert(service: ServiceDep, me: Reader, alert_id: str) -> AlertOut:
    return AlertOut.of(service.desk.alerts.get(alert_id))


@router.post("/{alert_id}/accept", responses=responses(404, 409))
def accept_alert(service: ServiceDep, me: Officer, alert_id: str, body: AcceptIn) -> AcceptedOut:
    """Take the alert: an incident is opened with its posts."""
    alert, incident = service.desk.alerts.accept(
        alert_id, actor=me.login, at=service.now(), version=body.version
    )
    return AcceptedOut(alert=AlertOut.of(alert), incident=IncidentOut.of(incident))


@router.post("/{alert_id}/dismiss", responses=responses(404, 409))
def dismiss_alert(service: ServiceDep, me: Officer, alert_id: str, body: DismissIn) -> AlertOut:
    return AlertOut.of(
        service.desk.alerts.dismiss(
            alert_id, body.reason, actor=me.login, at=service.now(), version=body.version
        )
    )


@router.post("/{alert_id}/snooze", responses=responses(404, 409))
def snooze_alert(service: ServiceDep, me: Officer, alert_id: str, body: SnoozeIn) -> AlertOut:
    """Hide the alert until the moment; it comes back by itself."""
    return AlertOut.of(
        service.desk.alerts.snooze(
            alert_id, body.until.astimezone(UTC), actor=me.login, at=service.now(), version=body.version
        )
    )
