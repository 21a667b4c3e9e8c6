"""Heartbeats: when each stage last did its turn, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from index.desk import tables
from index.desk.database import Database
from index.desk.rows import Rows, upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    stage: str  #: crawl analyse watch publish …
    at: datetime
    detail: Mapping[str, Any]


BEATS = Rows(tables.beats, Beat, missing="Такой стадии нет.")


class Beats:
    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, stage: str, at: datetime, detail: Mapping[str, Any] | None = None) -> None:
        with self._database.write(is_durable=False) as tx:
            upsert(tx, tables.beats, {"stage": stage, "at": at, "detail": dict(detail or {})})

    def all(self) -> dict[str, Beat]:
        """The last one of each stage, by its name."""
        with self._database.read() as connection:
            found = BEATS.values(connection.execute(select(tables.beats)).all())
        return {beat.stage: beat for beat in found}
