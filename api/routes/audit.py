"""The audit: who did what, append-only, each row bound to the one before by its hash."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from api.errors import responses
from api.routes.parameters import Cursor, Limit
from api.routes.shapes import Listing
from api.security import Caller, ServiceDep, allow
from index.domain.person import Right

router = APIRouter(prefix="/audit", tags=["audit"], responses=responses(401, 403, 422, 503))
Auditor = Annotated[Caller, Depends(allow(Right.READ_AUDIT))]


class AuditOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, object]
    hash: str


@router.get("")
def find_audit(
    service: ServiceDep, me: Auditor, subject: str | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Listing[AuditOut]:
    """Newest first; `subject` is the id of an incident, publication, source, person…"""
    rows, following = service.desk.audit.find(subject=subject, limit=limit, cursor=cursor)
    return Listing(items=[AuditOut.model_validate(row) for row in rows], next=following)
