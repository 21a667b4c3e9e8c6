"""Events that networks bring to us: each is taken in once, whatever process it reaches and however often."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update

from index.desk import tables
from index.desk.database import Database
from index.desk.rows import insert_new
from index.errors import Unavailable

TABLE = tables.events


class Events:
    """An event is taken, its posts are stored, then it is kept; a process killed in between holds it for as
    long as the lease only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, source_id: str, event_id: str, *, now: datetime, lease: timedelta) -> bool:
        """Whether it is the caller's to store; False: it was kept before.

        Raises Unavailable while another process is at it: it may still fail, so the network comes again.
        """
        with self._database.write(is_durable=False) as tx:
            row = {"source_id": source_id, "event_id": event_id, "taken_at": now, "is_kept": False}
            if insert_new(tx, TABLE, row):
                return True
            mine = _row(source_id, event_id)
            if tx.execute(select(TABLE.c.is_kept).where(mine)).scalar_one():
                return False
            is_left = ~TABLE.c.is_kept & (TABLE.c.taken_at <= now - lease)
            if tx.execute(update(TABLE).where(mine, is_left).values(taken_at=now)).rowcount == 1:
                return True
        raise Unavailable("Это событие сейчас принимает другой процесс.")

    def keep(self, source_id: str, event_id: str) -> None:
        """Everything it brought is stored."""
        with self._database.write(is_durable=False) as tx:
            tx.execute(update(TABLE).where(_row(source_id, event_id)).values(is_kept=True))

    def release(self, source_id: str, event_id: str) -> None:
        """It could not be stored: the next one to bring it may try at once."""
        with self._database.write(is_durable=False) as tx:
            tx.execute(delete(TABLE).where(_row(source_id, event_id), ~TABLE.c.is_kept))

    def forget_before(self, moment: datetime) -> int:
        """Networks repeat an event for hours, not for weeks; how many were removed."""
        with self._database.write(is_durable=False) as tx:
            return tx.execute(delete(TABLE).where(TABLE.c.taken_at < moment)).rowcount


def _row(source_id: str, event_id: str) -> ColumnElement[bool]:
    return (TABLE.c.source_id == source_id) & (TABLE.c.event_id == event_id)
