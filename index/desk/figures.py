"""How far our published posts have spread, as the networks told it from time to time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from index.desk import tables
from index.desk.database import Database
from index.desk.rows import upsert
from index.domain.post import Counters

TABLE = tables.figures
ROW = tables.figures.c
NAMES = ("views", "likes", "reposts", "comments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One reading; all counters None: the network told nothing."""

    delivery_id: str
    at: datetime
    counters: Counters


class Figures:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, found: Mapping[str, Counters], *, at: datetime) -> None:
        """Keep one reading of each delivery, by its id; a second one of the same moment overwrites."""
        with self._database.write() as tx:
            for delivery_id, counters in found.items():
                told = {name: getattr(counters, name) for name in NAMES}
                upsert(tx, TABLE, {"delivery_id": delivery_id, "at": at, **told})

    def newest(self, delivery_ids: Collection[str]) -> dict[str, Figure]:
        """The last reading of each delivery that has one."""
        if not delivery_ids:
            return {}
        last = (
            select(ROW.delivery_id, func.max(ROW.at).label("at"))
            .where(ROW.delivery_id.in_(delivery_ids))
            .group_by(ROW.delivery_id)
            .subquery()
        )
        query = select(TABLE).join(last, (last.c.delivery_id == ROW.delivery_id) & (last.c.at == ROW.at))
        with self._database.read() as connection:
            return {row.delivery_id: _figure(row) for row in connection.execute(query)}

    def history(self, delivery_id: str) -> list[Figure]:
        """All readings of one, oldest first."""
        query = select(TABLE).where(ROW.delivery_id == delivery_id).order_by(ROW.at)
        with self._database.read() as connection:
            return [_figure(row) for row in connection.execute(query)]


def _figure(row: Any) -> Figure:
    counters = Counters(**{name: getattr(row, name) for name in NAMES})
    return Figure(delivery_id=row.delivery_id, at=row.at, counters=counters)
