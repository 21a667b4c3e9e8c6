"""Login and logout: plain forms with a double-submit token, a session in an HttpOnly cookie."""

from __future__ import annotations

import logging
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, select_autoescape

from api.console.practice import practice_people
from api.security import FORM_COOKIE, SESSION_COOKIE, ServiceDep, is_same_form, new_form_token
from index.errors import Refused

logger = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)
_templates = Environment(loader=PackageLoader("api.console"), autoescape=select_autoescape())


@router.get("/login")
def login_form(request: Request, service: ServiceDep, to: str = "/") -> HTMLResponse:
    return _form(request, service, to)


@router.post("/login")
def log_in(
    request: Request,
    service: ServiceDep,
    login: Annotated[str, Form(max_length=100)] = "",
    password: Annotated[str, Form(max_length=1_000)] = "",
    form: Annotated[str, Form(max_length=200)] = "",
    to: Annotated[str, Form(max_length=2_000)] = "/",
) -> Response:
    """A good login starts a session and goes where the person was heading; a bad one says so beside the form."""
    if not is_same_form(request, form):
        return _form(request, service, to, "Страница входа устарела. Введите данные ещё раз.", status=403)
    try:
        person = service.desk.people.verify(login.strip(), password, now=service.now())
    except Refused as error:
        logger.info("A login was refused.", extra={"action": "login_refused"})
        return _form(request, service, to, str(error), login=login, status=422)
    token = service.desk.people.start_session(person.login, now=service.now())
    answer = RedirectResponse(_own_path(to), status_code=303)
    answer.set_cookie(
        SESSION_COOKIE, token, httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )
    return answer


@router.post("/logout")
def log_out(
    request: Request, service: ServiceDep, form: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    if not is_same_form(request, form):
        return RedirectResponse("/", status_code=303)
    if token := request.cookies.get(SESSION_COOKIE):
        service.desk.people.end_session(token)
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


def _form(
    request: Request, service: ServiceDep, to: str, error: str = "", *, login: str = "", status: int = 200
) -> HTMLResponse:
    token = request.cookies.get(FORM_COOKIE) or new_form_token()
    page = _templates.get_template("login.html").render(
        form=token,
        to=_own_path(to),
        error=error,
        login=login,
        district=service.district.name,
        practice=practice_people(service),
        is_empty=not service.desk.people.list(),
    )
    answer = HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store"})
    answer.set_cookie(
        FORM_COOKIE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer


def _own_path(to: str) -> str:
    """Only a path of this console: an address of another site would make the login a phishing springboard."""
    parts = urlsplit(to)
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and not parts.netloc else "/"
