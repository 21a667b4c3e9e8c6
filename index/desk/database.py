"""The database under the desk: transactions, and the one place where its errors become ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, create_engine, event, exc, make_url
from sqlalchemy.sql import Executable

from index.desk import chain
from index.errors import Conflict, Misconfigured, Refused, ServiceError, Unavailable
from index.write_ahead import write_ahead

logger = logging.getLogger(__name__)

BUSY = timedelta(seconds=10)  # how long a writer waits for another before it says «занята»
FILE_NAME = "desk.sqlite"
OURS_TO_MEND = ("no such table", "no such column", "near ")  # a mistake in the program is shown as it is
TURNED_AWAY = (  # a refused connection carries no SQLSTATE, only the server's words
    "authentication failed",
    "does not exist",
    "не существует",
    "не прошёл проверку подлинности",
    "no pg_hba.conf entry",
)


class Transaction:
    """One write: everything in it is committed together with its audit rows, or nothing is."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._audited: list[chain.Entry] = []

    def execute(self, statement: Executable, *args: Any) -> CursorResult[Any]:
        result: CursorResult[Any] = self.connection.execute(statement, *args)
        return result

    def audit(self, action: str, subject: str, *, actor: str, at: datetime, **detail: Any) -> None:
        """Add a row to the audit. `detail`: ids, states and officers' own words; never a resident's text."""
        kept = {name: value for name, value in detail.items() if value not in (None, "")}
        self._audited.append(chain.Entry(at=at, actor=actor, action=action, subject=subject, detail=kept))

    def finish(self) -> None:
        """Write the audit rows, last: the head of the chain is locked for as short as can be, and always
        after every other row, so that two writers can't wait for each other."""
        if self._audited:
            chain.append(self.connection, self._audited)


class Database:
    """Safe to use from several threads and processes."""

    def __init__(self, setting: str, data: Path, *, busy: timedelta = BUSY) -> None:
        """`setting`: `sqlite` (a file in `data`) or a SQLAlchemy URL. Raises Misconfigured."""
        self.engine = _engine(setting, data, busy)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot on SQLite, read committed on PostgreSQL. Raises Unavailable."""
        with translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, is_durable: bool = True) -> Iterator[Transaction]:
        """One transaction; on SQLite the only writer from its first statement. Raises Unavailable.

        `is_durable=False`: a power cut may lose the last of them (never a killed process), so SQLite need
        not wait for the disk; for bookkeeping that is made anew from what is safe: cursors, leases, quotas.
        """
        with translated(), self.engine.connect() as connection:
            connection = connection.execution_options(is_write=True, is_durable=is_durable)
            with connection.begin():
                transaction = Transaction(connection)
                yield transaction
                transaction.finish()

    def close(self) -> None:
        self.engine.dispose()


def _engine(setting: str, data: Path, busy: timedelta) -> Engine:
    if setting == "sqlite":
        with translated():
            data.mkdir(parents=True, exist_ok=True)
        return _sqlite_engine(f"sqlite:///{data / FILE_NAME}", busy)
    try:
        url = make_url(setting)
    except exc.ArgumentError:
        url = None
    if url is not None and url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        return _sqlite_engine(setting, busy)
    if url is None or url.get_backend_name() != "postgresql":
        raise Misconfigured(
            "Настройка DESK неверна.", remedy="Нужно sqlite или postgresql+psycopg://пользователь@узел/база."
        )
    url = url.set(drivername="postgresql+psycopg")
    return create_engine(
        url,
        pool_size=10,
        max_overflow=20,
        pool_timeout=busy.total_seconds(),
        pool_pre_ping=True,  # the server may have been restarted since
        connect_args={
            "connect_timeout": max(2, round(busy.total_seconds())),
            "options": f"-c timezone=UTC -c lock_timeout={round(busy.total_seconds() * 1000)}",
        },
    )


def _sqlite_engine(url: str, busy: timedelta) -> Engine:
    engine = create_engine(
        url,
        pool_size=10,
        max_overflow=40,
        connect_args={"timeout": busy.total_seconds(), "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        write_ahead(connection, busy)
        connection.execute("PRAGMA synchronous=FULL")  # `sending` must outlive a power cut
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("is_write", False):
            is_durable = options.get("is_durable", True)
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if is_durable else 'NORMAL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("is_write", False) else "BEGIN")

    return engine


@contextmanager
def translated() -> Iterator[None]:
    """Foreign errors of the database become errors of the service."""
    try:
        yield
    except ServiceError:
        raise
    except (exc.SQLAlchemyError, OSError) as error:
        ours = _ours(error)
        if ours is None:
            raise
        logger.warning(
            "The desk database refused.", extra={"action": "desk_refused", "error": type(error).__name__}
        )
        raise ours from error


def _ours(error: Exception) -> ServiceError | None:
    words = str(getattr(error, "orig", error)).lower()
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    if "disk is full" in words or "no space left" in words or state == "53100":
        return Unavailable(
            "На диске базы рабочего места кончилось место: ничего не потеряно, освободите место, "
            "работа продолжится сама."
        )
    if "disk i/o error" in words:
        return Unavailable(
            "Диск базы рабочего места не пишется или не читается: проверьте его, попытки повторяются."
        )
    if words.startswith(OURS_TO_MEND):
        return None
    if "is locked" in words or state == "55P03":
        return Unavailable("База рабочего места занята другой программой: повторите через минуту.")
    if "not a database" in words or "malformed" in words:
        return Misconfigured(
            "Файл базы рабочего места повреждён.", remedy="Восстановите его из копии: mcu restore."
        )
    if "readonly" in words or isinstance(error, PermissionError):
        return Misconfigured(
            "В базу рабочего места нельзя писать.", remedy="Дайте службе право записи в папку DATA."
        )
    if state in ("28P01", "28000", "3D000") or (not state and any(sign in words for sign in TURNED_AWAY)):
        return Misconfigured(
            "База рабочего места не пускает: неверны имя базы, пользователь или пароль.",
            remedy="Исправьте настройку DESK.",
        )
    if state in ("40P01", "40001"):  # two writers wanted the same rows; this one gave way
        return Conflict("Запись только что изменил кто-то другой: повторите.")
    if isinstance(error, exc.DataError):
        return Refused("Значение не помещается в базу: сократите его.")
    if isinstance(error, exc.IntegrityError):
        return Conflict("Запись только что изменил кто-то другой: обновите страницу и повторите.")
    if isinstance(error, (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, OSError)):
        return Unavailable("База рабочего места не отвечает: ничего не потеряно, попытки повторяются.")
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return Unavailable(
            "Связь с базой рабочего места прервалась: ничего не потеряно, попытки повторяются."
        )
    return None
