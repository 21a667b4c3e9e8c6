from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute

from api.app import create_app
from api.service import Service
from index.domain.person import Role
from tests.api.conftest import Client
from tests.factories import NOON

OPEN = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/hooks/vk",
    "/hooks/max",
}  #: routes that need no key, each for a reason


def routes(service: Service) -> list[str]:
    document: dict[str, Any] = create_app(service).openapi()
    return [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]


def test_every_route_but_the_open_ones_wants_a_key(service: Service, client: Client) -> None:
    anonymous = client()
    for route in routes(service):
        method, path = route.split(" ")
        if path in OPEN:
            continue
        answer = anonymous.request(method, path.replace("{", "x").replace("}", "x"), json={})
        assert answer.status_code == 401, route
        assert answer.headers["content-type"] == "application/problem+json", route
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_revoked_key_is_refused(service: Service, client: Client) -> None:
    reader = client(Role.READER)
    assert reader.get("/api/v1/posts").status_code == 200
    service.desk.keys.revoke(service.desk.keys.list()[0].id, actor="admin", at=NOON)
    assert reader.get("/api/v1/posts").status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/audit"), ("DELETE", "/api/v1/posts/vk:-1_1"), ("POST", "/api/v1/alerts/a-1/accept")],
)
def test_a_reader_only_reads(client: Client, method: str, path: str) -> None:
    answer = client(Role.READER).request(method, path, json={"version": 0})
    assert answer.status_code == 403
    assert answer.json()["title"] == "Нет прав"


def test_no_cookie_opens_the_json_api(service: Service, client: Client) -> None:
    browser = client()
    browser.cookies.set("mcu_session", "anything")
    assert browser.get("/api/v1/posts").status_code == 401


def test_answers_carry_the_security_headers(client: Client) -> None:
    headers = client().get("/healthz").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_a_huge_body_is_refused_before_it_is_read(client: Client) -> None:
    answer = client(Role.ADMIN).post(
        "/api/v1/alerts/a-1/accept", content=b"{}", headers={"Content-Length": str(10**9)}
    )
    assert answer.status_code == 413


def test_the_docs_load_nothing_from_outside(service: Service) -> None:
    app = create_app(service)
    paths = {route.path for route in app.routes if isinstance(route, APIRoute)}
    assert not paths & {"/docs", "/redoc"}
