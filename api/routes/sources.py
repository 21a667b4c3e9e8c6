"""Watched sources and how well each is seen."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from api.errors import responses
from api.routes.shapes import Listing, SourceOut
from api.security import Caller, ServiceDep, allow
from index.domain.person import Right

router = APIRouter(prefix="/sources", tags=["sources"], responses=responses(401, 403, 503))
Reader = Annotated[Caller, Depends(allow(Right.READ))]


@router.get("")
def list_sources(service: ServiceDep, me: Reader) -> Listing[SourceOut]:
    """The whole register, by title, each with its health."""
    healths = service.desk.sources.healths()
    sources = service.desk.sources.list()
    return Listing(items=[SourceOut.of(source, healths.get(source.id)) for source in sources], next=None)


@router.get("/{source_id:path}", responses=responses(404))
def get_source(service: ServiceDep, me: Reader, source_id: str) -> SourceOut:
    """One source by its id, e.g. `vk:club1`."""
    source = service.desk.sources.get(source_id)
    return SourceOut.of(source, service.desk.sources.health(source.id))
