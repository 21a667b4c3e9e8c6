"""Publications of the official pages and the delivery of each variant."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Query as Parameter

from api.errors import responses
from api.routes.parameters import Cursor, Limit, Since, Until, in_utc
from api.routes.shapes import DeliveryOut, Listing, PublicationOut
from api.security import Caller, ServiceDep, allow
from index.domain.person import Right
from index.domain.publication import PublicationState

router = APIRouter(prefix="/publications", tags=["publications"], responses=responses(401, 403, 422, 503))
Reader = Annotated[Caller, Depends(allow(Right.READ))]


@router.get("")
def find_publications(
    service: ServiceDep,
    me: Reader,
    since: Since = None,
    until: Until = None,
    state: Annotated[list[PublicationState] | None, Parameter()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[PublicationOut]:
    """By the moment they are due, earliest first."""
    publications, following = service.desk.publications.find(
        since=in_utc(since), until=in_utc(until), states=state or (), limit=limit, cursor=cursor
    )
    return Listing(items=[PublicationOut.of(publication) for publication in publications], next=following)


@router.get("/{publication_id}", responses=responses(404))
def get_publication(service: ServiceDep, me: Reader, publication_id: str) -> PublicationOut:
    return PublicationOut.of(service.desk.publications.get(publication_id))


@router.get("/{publication_id}/deliveries", responses=responses(404))
def publication_deliveries(service: ServiceDep, me: Reader, publication_id: str) -> list[DeliveryOut]:
    """One a page, with its state and the address of the published post."""
    service.desk.publications.get(publication_id)
    deliveries, _ = service.desk.deliveries.find(subject_id=publication_id)
    return [DeliveryOut.of(delivery) for delivery in deliveries]
