"""Incidents: work on residents' problems, with deadlines and history."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict

from api.errors import responses
from api.routes.parameters import Cursor, Limit
from api.routes.shapes import IncidentOut, Listing
from api.security import Caller, ServiceDep, allow
from index.domain.incident import IncidentState, ReplyState
from index.domain.person import Right

router = APIRouter(prefix="/incidents", tags=["incidents"], responses=responses(401, 403, 422, 503))
Reader = Annotated[Caller, Depends(allow(Right.READ))]


class EventOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    at: datetime
    actor: str
    action: str
    text: str


class ReplyOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    post_id: str
    page_id: str
    text: str
    author: str
    created_at: datetime
    is_interim: bool
    state: ReplyState
    approved_by: str | None
    note: str


@router.get("")
def find_incidents(
    service: ServiceDep,
    me: Reader,
    state: Annotated[list[IncidentState] | None, Parameter()] = None,
    executor: str | None = None,
    sector: str | None = None,
    overdue: Annotated[bool, Parameter(description="только просроченные")] = False,
    q: Annotated[str | None, Parameter(max_length=200, description="номер или слова заголовка")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[IncidentOut]:
    """Newest first."""
    incidents, following = service.desk.incidents.find(
        states=state or (), executor=executor, sector=sector, text=q,
        overdue_at=service.now() if overdue else None, limit=limit, cursor=cursor,
    )  # fmt: skip
    return Listing(items=[IncidentOut.of(incident) for incident in incidents], next=following)


@router.get("/{incident_id}", responses=responses(404))
def get_incident(service: ServiceDep, me: Reader, incident_id: str) -> IncidentOut:
    return IncidentOut.of(service.desk.incidents.get(incident_id))


@router.get("/{incident_id}/events", responses=responses(404))
def incident_events(service: ServiceDep, me: Reader, incident_id: str) -> list[EventOut]:
    """The incident's history, oldest first."""
    service.desk.incidents.get(incident_id)
    return [EventOut.model_validate(event) for event in service.desk.incidents.events(incident_id)]


@router.get("/{incident_id}/replies", responses=responses(404))
def incident_replies(service: ServiceDep, me: Reader, incident_id: str) -> list[ReplyOut]:
    """Answers to residents, drafts included, oldest first."""
    service.desk.incidents.get(incident_id)
    return [ReplyOut.model_validate(reply) for reply in service.desk.incidents.replies(incident_id)]
