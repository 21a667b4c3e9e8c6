"""A database that is locked, full, down or broken: one clear sentence, nothing lost, then work goes on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text

from index.desk import Desk, open_desk
from index.desk.database import FILE_NAME
from index.errors import Misconfigured, Unavailable
from tests.factories import NOON, source
from tests.services import free_port, missing
from tests.services.postgres import OwnServer, Server

SOON = timedelta(milliseconds=300)
PNG = b"\x89PNG\r\n\x1a\n"


def add(desk: Desk, number: int = 1) -> None:
    desk.sources.add([source() for _ in range(number)], actor="admin", at=NOON)


def test_a_locked_file_says_so_and_opens_again(tmp_path: Path):
    desk = open_desk("sqlite", tmp_path, busy=SOON)
    add(desk)
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="занята"):
        add(desk)
    assert len(desk.sources.list()) == 1  # readers go on
    other.execute("ROLLBACK")
    other.close()
    add(desk)
    assert len(desk.sources.list()) == 2
    desk.close()


def test_a_full_database_refuses_whole_transactions(tmp_path: Path):
    desk = open_desk("sqlite", tmp_path)
    add(desk)
    pages = desk_pages(desk) + 1

    @event.listens_for(desk.database.engine, "checkout")
    def limit(connection, record, proxy):
        connection.execute(f"PRAGMA max_page_count = {pages}")

    before = desk.sources.list(), desk.audit.find()[0]
    with pytest.raises(Unavailable, match="кончилось место"):
        add(desk, 300)
    assert (desk.sources.list(), desk.audit.find()[0]) == before
    pages = 100_000
    add(desk, 100)
    assert desk.audit.verify() is None
    desk.close()


def desk_pages(desk: Desk) -> int:
    with desk.database.read() as connection:
        return int(connection.execute(text("PRAGMA page_count")).scalar_one())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        missing("a small file system", "run the tests as root with the right to mount one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path):
    desk = open_desk("sqlite", small_disk)
    add(desk)
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        file.write(b"0" * (os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize))
    before = desk.sources.list()
    with pytest.raises(Unavailable, match="кончилось место"):
        add(desk, 600)
    with pytest.raises(Unavailable, match="кончилось место"):
        desk.media.put(PNG + os.urandom(500_000), "image/png")
    assert desk.sources.list() == before
    filler.unlink()
    add(desk, 5)
    assert desk.audit.verify() is None
    assert list((small_disk / "media").iterdir()) == []
    desk.close()


def test_a_folder_that_is_a_file_is_named(tmp_path: Path):
    (tmp_path / "data").write_text("x")
    with pytest.raises((Misconfigured, Unavailable)):
        open_desk("sqlite", tmp_path / "data")


def test_a_broken_file_names_the_remedy(tmp_path: Path):
    (tmp_path / FILE_NAME).write_bytes(b"not a database " * 1000)
    with pytest.raises(Misconfigured, match="mcu restore"):
        open_desk("sqlite", tmp_path)


def test_a_folder_without_the_right_to_write_names_the_remedy(tmp_path: Path):
    desk = open_desk("sqlite", tmp_path)
    with desk.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.rollback()
    with pytest.raises(Misconfigured, match="право записи"):
        add(desk)
    desk.close()


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path):
    url = f"postgresql+psycopg://mcu@127.0.0.1:{free_port()}/mcu"
    with pytest.raises(Unavailable, match="не отвечает"):
        open_desk(url, tmp_path, busy=SOON)


@pytest.mark.postgres
def test_a_server_that_goes_away_and_comes_back(own_postgres: OwnServer, tmp_path: Path):
    url = own_postgres.url.render_as_string(hide_password=False)
    desk = open_desk(url, tmp_path, busy=timedelta(seconds=2))
    add(desk)
    own_postgres.stop()
    with pytest.raises(Unavailable):
        add(desk)
    with pytest.raises(Unavailable):
        desk.check()
    own_postgres.start()
    add(desk)
    desk.check()
    assert len(desk.sources.list()) == 2
    assert desk.audit.verify() is None
    desk.close()


@pytest.mark.postgres
def test_a_wrong_database_or_password_is_the_administrator_s(postgres_server: Server, tmp_path: Path):
    url = postgres_server.url.set(database="нет").render_as_string(hide_password=False)
    with pytest.raises(Misconfigured, match="DESK"):
        open_desk(url, tmp_path)


@pytest.mark.postgres
def test_an_error_never_tells_the_password(tmp_path: Path):
    url = f"postgresql+psycopg://mcu:t0p-secret@127.0.0.1:{free_port()}/mcu"
    with pytest.raises(Unavailable) as refused:
        open_desk(url, tmp_path, busy=SOON)
    assert "t0p-secret" not in str(refused.value)


@pytest.mark.postgres
def test_a_row_locked_by_another_is_waited_for_then_told(postgres_url: str, tmp_path: Path):
    desk = open_desk(postgres_url, tmp_path, busy=timedelta(seconds=1))
    add(desk)
    known = desk.sources.list()[0]
    with desk.database.engine.connect() as other:
        other.execute(text("SELECT * FROM sources FOR UPDATE"))
        with pytest.raises(Unavailable, match="занята"):
            desk.sources.save(replace(known, title="Иначе"), actor="admin", at=NOON)
    desk.sources.save(replace(known, title="Иначе"), actor="admin", at=NOON)
    desk.close()
