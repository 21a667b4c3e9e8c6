"""Officers' corrections of analyses: what a post really says, and who said so. Heads learn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from index.desk import tables
from index.desk.database import Database
from index.desk.rows import Rows, upsert
from index.domain.analysis import Intent, Risk, Sentiment
from index.errors import Refused

TABLE = tables.corrections


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One field of one post. `value` is what the labelling guide would write there."""

    id: str  #: post and field: a later correction of the same field replaces the earlier one
    post_id: str
    field: str  #: relevant intent topic_group sentiment risks severity needs_answer
    value: Any
    actor: str  #: login
    at: datetime


ROWS = Rows(TABLE, Correction, missing="Такой правки нет.")


class Corrections:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, post_id: str, values: Mapping[str, Any], *, actor: str, at: datetime) -> list[Correction]:
        """Keep what an officer says of a post, field by field. Raises Refused that names a wrong field.

        Saying the same again changes nothing but the time.
        """
        said = [
            Correction(
                id=f"{post_id}\x1f{field}", post_id=post_id, field=field, value=checked(field, value),
                actor=actor, at=at,
            )
            for field, value in values.items()
        ]  # fmt: skip
        with self._database.write() as tx:
            for each in said:
                upsert(tx, TABLE, ROWS.fields(each))
            tx.audit("analysis_corrected", f"post:{post_id}", actor=actor, at=at, fields=sorted(values))
        return said

    def of_post(self, post_id: str) -> list[Correction]:
        """What officers said of one post, by field."""
        query = select(TABLE).where(TABLE.c.post_id == post_id).order_by(TABLE.c.field)
        with self._database.read() as connection:
            return ROWS.values(connection.execute(query).all())

    def since(self, moment: datetime | None = None) -> list[Correction]:
        """Oldest first; None: all of them."""
        query = select(TABLE).order_by(TABLE.c.at, TABLE.c.id)
        if moment is not None:
            query = query.where(TABLE.c.at >= moment)
        with self._database.read() as connection:
            return ROWS.values(connection.execute(query).all())


def checked(field: str, value: Any) -> Any:
    """The value as it is stored. Raises Refused when the field has no such value."""
    closed: dict[str, tuple[Any, ...]] = {
        "intent": tuple(each.value for each in Intent),
        "sentiment": tuple(each.value for each in Sentiment),
        "severity": (0, 1, 2, 3),
        "relevant": (True, False),
        "needs_answer": (True, False),
    }
    is_flag = field in ("relevant", "needs_answer")
    if field == "risks" and isinstance(value, list | tuple):
        known = [each.value for each in Risk]
        if all(each in known for each in value):
            return sorted(set(value))
    elif field == "topic_group" and (value is None or isinstance(value, str)):
        return value
    elif field in closed and value in closed[field] and isinstance(value, bool) is is_flag:
        return value
    raise Refused(f"{field}: такого значения нет.", field=field)
