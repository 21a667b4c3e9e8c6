"""PostgreSQL: MCU_TEST_POSTGRES, or a cluster of our own made with Debian's initdb in a temporary folder.

One database serves all tests of a run, emptied before each; that costs a hundredth of a second.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, insert, make_url, text
from sqlalchemy.exc import OperationalError

from index.desk import open_desk
from index.desk.chain import FIRST
from index.desk.tables import REVISION, audit_head, flags, metadata
from tests.services import free_port, missing, wait_until

BINARIES = Path(os.environ.get("MCU_TEST_POSTGRES_BIN", "/usr/lib/postgresql/15/bin"))
_serial = count(1)
LEFT_OVER = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""  # connections that an earlier test forgot to close


class Server:
    """A running server; `url` is of its administrator's database."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def execute(self, statement: str) -> None:
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()


class OwnServer(Server):
    """A cluster on a free port of 127.0.0.1, durable enough for tests only."""

    def __init__(self) -> None:
        if not (BINARIES / "initdb").is_file():
            missing("PostgreSQL 15", "apt-get install postgresql, or set MCU_TEST_POSTGRES")
        port = free_port()
        super().__init__(
            URL.create("postgresql+psycopg", "mcu", host="127.0.0.1", port=port, database="postgres")
        )
        self.account = _account()
        self.folder = Path(tempfile.mkdtemp(prefix="mcu-postgres-"))
        if self.account is not None:
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
        self._initialise()
        options = {
            "listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": str(self.folder),
            "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB",
            "max_connections": "200", "autovacuum": "off", "max_wal_size": "256MB",
        }  # fmt: skip
        self.command = [str(BINARIES / "postgres"), "-D", str(self.folder / "data")]
        for name, value in options.items():
            self.command += ["-c", f"{name}={value}"]
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, **_as(self.account))
        try:
            wait_until(self._answers, seconds=60, what="PostgreSQL")
        except BaseException:
            self.remove()
            raise

    def stop(self) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)  # fast shutdown
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=30)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        command = [str(BINARIES / "initdb"), "-D", str(self.folder / "data"), "-U", "mcu", "-A", "trust",
                   "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, **_as(self.account))

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError("PostgreSQL stopped at once")
        try:
            self.execute("SELECT 1")
        except OperationalError:
            return False
        return True


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server; stopped and removed at the end when it is ours."""
    given = os.environ.get("MCU_TEST_POSTGRES")
    if given:
        yield Server(make_url(given).set(drivername="postgresql+psycopg"))
        return
    server = OwnServer()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def _postgres_desk(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    name = f"mcu_test_{os.getpid()}"
    postgres_server.execute(f"CREATE DATABASE {name}")
    url = postgres_server.url.set(database=name)
    open_desk(url.render_as_string(hide_password=False), tmp_path_factory.mktemp("desk")).close()
    yield url
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(_postgres_desk: URL) -> str:
    """A fresh desk of this test alone, as the setting DESK wants it."""
    _empty(_postgres_desk)
    return _postgres_desk.render_as_string(hide_password=False)


@pytest.fixture
def empty_postgres_url(postgres_server: Server) -> Iterator[str]:
    """A database without a schema."""
    name = f"mcu_empty_{os.getpid()}_{next(_serial)}"
    postgres_server.execute(f"CREATE DATABASE {name}")
    yield postgres_server.url.set(database=name).render_as_string(hide_password=False)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _empty(url: URL) -> None:
    """All rows gone, as after the first migration; ten times faster than a new database."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(LEFT_OVER))
        connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(text("ALTER TABLE audit ENABLE TRIGGER USER"))
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": REVISION})
        connection.execute(insert(audit_head).values(id=1, number=0, hash=FIRST))
        connection.execute(insert(flags).values(name="stop_all", value=False))
    engine.dispose()


@pytest.fixture
def own_postgres() -> Iterator[OwnServer]:
    """A server of this test alone, that it may stop and start."""
    server = OwnServer()
    yield server
    server.remove()


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as: it refuses root. None: ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    missing("PostgreSQL 15", "run the tests as an ordinary user, or create the user postgres")


def _as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": "/"}
