"""The JSON API over a real desk and index on SQLite, asked by a client; the clock stands at noon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.service import Service
from index.desk import open_desk
from index.domain.person import Role
from index.posts import open_posts
from index.settings import Settings
from nlp.district import District, load_district
from tests.factories import NOON

Client = Callable[..., TestClient]


@pytest.fixture(scope="session")
def district() -> District:
    return load_district()


@pytest.fixture
def service(tmp_path: Path, district: District) -> Iterator[Service]:
    desk = open_desk("sqlite", tmp_path)
    posts = open_posts("sqlite", tmp_path)
    yield Service(
        desk=desk,
        posts=posts,
        district=district,
        settings=Settings(data=tmp_path),
        console_secret="not-so-secret",
        now=lambda: NOON,
    )
    posts.close()
    desk.close()


@pytest.fixture
def client(service: Service) -> Client:
    """`client()` without a key, `client(Role.READER)` with one."""

    def make(role: Role | None = None) -> TestClient:
        made = TestClient(create_app(service), raise_server_exceptions=False)
        if role is not None:
            _, secret = service.desk.keys.add("region", role, actor="admin", at=NOON)
            made.headers["Authorization"] = f"Bearer {secret}"
        return made

    return make
