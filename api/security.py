"""Who asks: API keys of programs, sessions of people, and what they may do.

Programs send `Authorization: Bearer <key>`; no cookie is ever read by the JSON API, so no other site can
make a browser act there. People log in on the console: the session lives in an HttpOnly cookie that is read
when a console page is built (Lax, so that a link from a colleague opens; nothing changes by GET); the login
and logout forms carry a double-submit token.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from api.service import Service
from index.domain.person import RIGHTS, ApiKey, Person, Right

SESSION_COOKIE = "mcu_session"
FORM_COOKIE = "mcu_form"

_bearer = HTTPBearer(auto_error=False, description="Ключ доступа: mcu key add")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A program behind an API key; `login` stands in the audit."""

    key: ApiKey

    @property
    def login(self) -> str:
        return f"key:{self.key.name}"


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(service_of)]


def allow(right: Right) -> Callable[..., Caller]:
    """A dependency: the caller, when its key is good and its role has `right`; else 401 or 403."""

    def caller(
        service: ServiceDep, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Caller:
        key = service.desk.keys.verify(credentials.credentials, now=service.now()) if credentials else None
        if key is None:
            raise HTTPException(
                401, "Передайте действующий ключ: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"}
            )
        if right not in RIGHTS[key.role]:
            raise HTTPException(403, f"Роль «{key.role.value}» этого не может.")
        return Caller(key=key)

    return caller


def person_of(request: Request, service: Service) -> Person | None:
    """The person whose session cookie came with the request; None: not logged in, expired or disabled."""
    token = request.cookies.get(SESSION_COOKIE)
    return service.desk.people.session(token, now=service.now()) if token else None


def new_form_token() -> str:
    return secrets.token_urlsafe(32)


def is_same_form(request: Request, token: str) -> bool:
    """Double submit: the hidden field equals the cookie that only our own page could have set."""
    return hmac.compare_digest(request.cookies.get(FORM_COOKIE, ""), token) and bool(token)
