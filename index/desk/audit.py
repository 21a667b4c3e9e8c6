"""The audit: who did what and when; rows are only ever added, and a changed one is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from index.desk import chain, tables
from index.desk.database import Database, Transaction
from index.desk.paging import page_of
from index.desk.rows import Rows

CHUNK = 1000  # rows that `verify` holds at once


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One row of the chain. `detail`: ids, states and officers' own words, never a resident's text."""

    number: int  #: 1, 2, 3 … without gaps
    at: datetime
    actor: str  #: login, `service`, or `key:<id>`
    action: str
    subject: str  #: kind and id: `alert:a-1`
    detail: Mapping[str, Any]
    previous: str  #: hash of the row before
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFault:
    """Where the chain breaks first."""

    number: int
    reason: str  #: Russian


ROWS = Rows(tables.audit, AuditRow, missing="Такой записи журнала нет.")


class Audit:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, tx: Transaction, action: str, subject: str, *, actor: str, at: datetime, **detail: Any
    ) -> None:
        """Add a row that is committed together with what `tx` does, or not at all."""
        tx.audit(action, subject, actor=actor, at=at, **detail)

    def note(self, action: str, subject: str, *, actor: str, at: datetime, **detail: Any) -> None:
        """Add a row on its own, for what changes nothing in the desk (a post erased from the index)."""
        with self._database.write() as tx:
            tx.audit(action, subject, actor=actor, at=at, **detail)

    def find(
        self, *, limit: int = 50, cursor: str | None = None, subject: str | None = None
    ) -> tuple[list[AuditRow], str | None]:
        """Newest first."""
        query = select(tables.audit)
        if subject is not None:
            query = query.where(tables.audit.c.subject == subject)
        with self._database.read() as connection:
            rows, following = page_of(connection, query, [tables.audit.c.number], limit=limit, cursor=cursor)
        return ROWS.values(rows), following

    def verify(self) -> AuditFault | None:
        """Recompute the whole chain; None: nothing was changed, taken out or cut off."""
        with self._database.read() as connection:
            head = connection.execute(select(tables.audit_head)).one()
            number, previous = 0, chain.FIRST
            for row in _rows(connection, until=head.number):
                number += 1
                if fault := _fault(row, number, previous):
                    return fault
                previous = row.hash
            if (number, previous) != (head.number, head.hash):
                return AuditFault(number=number + 1, reason="Последние записи журнала удалены.")
        return None


def _rows(connection: Connection, *, until: int) -> Iterator[AuditRow]:
    """Up to the head that was read first: rows that others add meanwhile are not looked at."""
    last = 0
    while True:
        query = select(tables.audit).where(tables.audit.c.number > last, tables.audit.c.number <= until)
        rows = ROWS.values(connection.execute(query.order_by(tables.audit.c.number).limit(CHUNK)).all())
        yield from rows
        if len(rows) < CHUNK:
            return
        last = rows[-1].number


def _fault(row: AuditRow, number: int, previous: str) -> AuditFault | None:
    if row.number != number:
        return AuditFault(number=number, reason="Запись журнала удалена.")
    entry = chain.Entry(at=row.at, actor=row.actor, action=row.action, subject=row.subject, detail=row.detail)
    if row.previous != previous or row.hash != chain.row_hash(number, previous, entry):
        return AuditFault(number=number, reason="Запись журнала изменена.")
    return None
