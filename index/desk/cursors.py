"""Cursors of the crawlers: up to where a source has been read; moved only once its posts are stored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from index.desk import tables
from index.desk.database import Database
from index.desk.rows import upsert


class Cursors:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, source_id: str, name: str = "posts") -> dict[str, Any] | None:
        """None: nothing has been read yet."""
        columns = tables.cursors.c
        query = select(columns.value).where(columns.source_id == source_id, columns.name == name)
        with self._database.read() as connection:
            found: dict[str, Any] | None = connection.execute(query).scalar_one_or_none()
        return found

    def save(self, source_id: str, value: dict[str, Any], name: str = "posts") -> None:
        with self._database.write(is_durable=False) as tx:
            upsert(tx, tables.cursors, {"source_id": source_id, "name": name, "value": value})
