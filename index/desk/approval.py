"""Two people: whoever wrote a text does not approve it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from index.desk.database import Transaction
from index.desk.rows import Rows
from index.errors import Conflict


def must_be_second(tx: Transaction, rows: Rows[Any], key: str, *, author: str, actor: str) -> None:
    """Raises Conflict when `actor` is the author or the last to edit."""
    edited_by = tx.execute(select(rows.table.c.edited_by).where(rows.key == key)).scalar_one()
    if actor in (author, edited_by):
        raise Conflict("Свой текст согласует другой сотрудник: попросите коллегу.")
