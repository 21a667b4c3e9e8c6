"""Topics and places of the district pack, as the analyses name them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api.errors import responses
from api.routes.shapes import Listing
from api.security import Caller, ServiceDep, allow
from index.domain.person import Right

router = APIRouter(tags=["catalogue"], responses=responses(401, 403))
Reader = Annotated[Caller, Depends(allow(Right.READ))]


class TopicOut(BaseModel):
    group: str
    sector: str | None
    topics: list[str]


class PlaceOut(BaseModel):
    name: str
    kind: str
    scope: str
    municipality: str | None
    latitude: float | None
    longitude: float | None


@router.get("/topics")
def list_topics(service: ServiceDep, me: Reader) -> Listing[TopicOut]:
    """The 26 groups with their fine topics and the responsible sector."""
    groups = service.district.topics
    items = [TopicOut(group=g.name, sector=g.sector, topics=[t.name for t in g.topics]) for g in groups]
    return Listing(items=items, next=None)


@router.get("/places")
def list_places(service: ServiceDep, me: Reader) -> Listing[PlaceOut]:
    """Settlements of the gazetteer; `scope` tells the district from the city okrug inside it."""
    items = [
        PlaceOut(
            name=place.name,
            kind=place.type,
            scope=place.scope,
            municipality=place.municipality or None,
            latitude=place.latitude,
            longitude=place.longitude,
        )
        for place in service.district.places
    ]
    return Listing(items=items, next=None)
