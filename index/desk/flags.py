"""Flags of the service: small settings that people switch while it runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from index.desk import tables
from index.desk.database import Database, Transaction
from index.desk.rows import upsert


class Flags:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str, default: Any = None) -> Any:
        """Any JSON value; `default` when nobody has set it."""
        flag = tables.flags.c
        with self._database.read() as connection:
            row = connection.execute(select(flag.value).where(flag.name == name)).one_or_none()
        return default if row is None else row.value

    def set(self, name: str, value: Any, *, actor: str, at: datetime) -> None:
        with self._database.write() as tx:
            set_flag(tx, name, value)
            tx.audit("flag_set", f"flag:{name}", actor=actor, at=at, value=value)


def set_flag(tx: Transaction, name: str, value: Any) -> None:
    upsert(tx, tables.flags, {"name": name, "value": value})
