"""The desk on every database it runs on; each test has a fresh one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from index.desk import Desk, open_desk
from index.desk.database import FILE_NAME


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    open_desk("sqlite", folder).close()
    return folder / FILE_NAME


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def desk_setting(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What the setting DESK says; the folder of data is `tmp_path`."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    shutil.copy(request.getfixturevalue("_sqlite_template"), tmp_path / FILE_NAME)
    return "sqlite"


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same algorithm, a thousand times less work."""
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr("index.desk.people.PASSWORDS", cheap)


@pytest.fixture
def desk(desk_setting: str, tmp_path: Path) -> Iterator[Desk]:
    desk = open_desk(desk_setting, tmp_path)
    yield desk
    desk.close()
