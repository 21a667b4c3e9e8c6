"""The morning page for people who are logged in: the same A4 page that programs take with a key."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.reports.morning import morning_page
from api.reports.page import morning_html
from api.security import ServiceDep, person_of

router = APIRouter(include_in_schema=False)


@router.get("/morning")
def morning(request: Request, service: ServiceDep, day: date | None = None) -> Response:
    """Of yesterday unless another day is asked for."""
    if person_of(request, service) is None:
        return RedirectResponse(f"/login?to={quote(str(request.url.path), safe='')}", status_code=303)
    yesterday = service.now().astimezone(service.zone).date() - timedelta(days=1)
    page = morning_page(service.posts, day=day or yesterday, zone=service.zone)
    return HTMLResponse(morning_html(page, service.district.name, service.zone, service.source_titles()))
