"""Pages of a list by keyset: the cursor is the place after the last row, so new rows never shift a page."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, literal, tuple_
from sqlalchemy.sql.schema import Column

from index.desk.columns import Moment
from index.errors import Refused

LARGEST = 2**62  # whole numbers that both databases take
LIMIT = 500  # rows a page at most, whatever is asked


def page_of(
    connection: Connection,
    query: Select[Any],
    order: Sequence[Column[Any]],
    *,
    limit: int,
    cursor: str | None,
    descending: bool = True,
) -> tuple[Sequence[Row[Any]], str | None]:
    """Up to `limit` rows in the order of the columns (all one way, the last one unique), and the next cursor.

    Raises Refused on a cursor that is not of this list.
    """
    limit = max(1, min(limit, LIMIT))
    if cursor is not None:
        query = query.where(_after(order, _decoded(cursor, order), descending))
    sorted_by = [column.desc() if descending else column.asc() for column in order]
    rows = connection.execute(query.order_by(*sorted_by).limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    rows = rows[:limit]
    return rows, _encoded(rows[-1], order)


def _after(order: Sequence[Column[Any]], values: list[Any], descending: bool) -> ColumnElement[bool]:
    here = tuple_(*order)
    there = tuple_(*(literal(value, column.type) for value, column in zip(values, order, strict=True)))
    return here < there if descending else here > there


def _encoded(row: Row[Any], order: Sequence[Column[Any]]) -> str:
    values = [row._mapping[column.name] for column in order]
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    written = json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(written).decode().rstrip("=")


def _decoded(cursor: str, order: Sequence[Column[Any]]) -> list[Any]:
    try:
        written = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = json.loads(written)
        if not isinstance(values, list) or len(values) != len(order):
            raise ValueError
        return [_typed(value, column) for value, column in zip(values, order, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError):  # binascii's error is a ValueError
        raise Refused("Закладка списка неверна: начните список сначала.", field="cursor") from None


def _typed(value: Any, column: Column[Any]) -> Any:
    if isinstance(column.type, Moment):
        moment = datetime.fromisoformat(value)
        if moment.utcoffset() is None:
            raise ValueError
        return moment.astimezone(UTC)
    kind: Any = getattr(column.type, "kind", column.type.python_type)
    if issubclass(kind, int):
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST:
            raise ValueError
        return kind(value)
    if not isinstance(value, str):
        raise ValueError
    return value
