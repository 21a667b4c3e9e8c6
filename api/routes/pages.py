"""Official pages with their cards and norms."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from api.errors import responses
from api.routes.shapes import Listing, PageOut
from api.security import Caller, ServiceDep, allow
from index.domain.person import Right

router = APIRouter(prefix="/pages", tags=["pages"], responses=responses(401, 403, 503))
Reader = Annotated[Caller, Depends(allow(Right.READ))]


@router.get("")
def list_pages(service: ServiceDep, me: Reader) -> Listing[PageOut]:
    """The whole register, by title."""
    return Listing(items=[PageOut.of(page) for page in service.desk.pages.list()], next=None)


@router.get("/{page_id}", responses=responses(404))
def get_page(service: ServiceDep, me: Reader, page_id: str) -> PageOut:
    return PageOut.of(service.desk.pages.get(page_id))
