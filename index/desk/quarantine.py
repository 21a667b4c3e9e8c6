"""Quarantine: raw input that a stage could not read, kept with the error until somebody looks at it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from index.desk import tables
from index.desk.columns import storable
from index.desk.database import Database
from index.desk.rows import Rows, insert_new
from index.domain.post import Network

LARGEST = 1_000_000  # characters of raw input that are kept

TABLE = tables.quarantine


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """`raw` may be cut to a million characters."""

    id: int
    stage: str
    network: Network | None  #: None: came from a file of several networks
    source_id: str | None
    raw: str
    error: str
    at: datetime  #: last time it came
    times: int  #: how often the same came


ROWS = Rows(TABLE, Quarantined, missing="В карантине такого нет.")


class Quarantine:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        stage: str,
        network: Network | None,
        source_id: str | None,
        raw: str,
        error: str,
        at: datetime,
    ) -> int:
        """Its id. The same input of the same source comes once: its time, error and count change."""
        raw = storable(raw)[:LARGEST]
        told = "\x1f".join([stage, source_id or "", raw])
        same = TABLE.c.fingerprint == hashlib.sha256(told.encode()).hexdigest()
        row = {"stage": stage, "network": network, "source_id": source_id, "raw": raw, "error": error,
               "at": at, "times": 0, "fingerprint": same.right.value}  # fmt: skip
        with self._database.write() as tx:
            insert_new(tx, TABLE, row)
            tx.execute(update(TABLE).where(same).values(at=at, error=error, times=TABLE.c.times + 1))
            number: int = tx.execute(select(TABLE.c.id).where(same)).scalar_one()
        return number

    def list(self, *, limit: int = 100) -> list[Quarantined]:
        """Newest first."""
        query = select(TABLE).order_by(TABLE.c.at.desc(), TABLE.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return ROWS.values(connection.execute(query).all())

    def get(self, number: int) -> Quarantined:
        """Raises NotFound."""
        with self._database.read() as connection:
            return ROWS.get(connection, number)

    def remove(self, number: int) -> None:
        """Forget one; nothing happens when it is gone."""
        with self._database.write() as tx:
            tx.execute(delete(TABLE).where(TABLE.c.id == number))

    def count(self) -> int:
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(TABLE)).scalar_one()

    def forget_before(self, moment: datetime) -> int:
        """Retention; how many were removed."""
        with self._database.write() as tx:
            return tx.execute(delete(TABLE).where(TABLE.c.at < moment)).rowcount
