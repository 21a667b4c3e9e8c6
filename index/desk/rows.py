"""Rows of one table as values of one class, with the optimistic lock that every record shares."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Row, Table, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from index.desk.database import Transaction
from index.errors import Conflict, NotFound

T = TypeVar("T")  # a frozen dataclass


class Rows(Generic[T]):
    """`kind` is built from columns with the names of its fields; further columns belong to the desk alone."""

    def __init__(self, table: Table, kind: type[T], *, missing: str) -> None:
        """`missing`: Russian sentence of NotFound, e.g. «Такого сигнала нет.»"""
        self.table = table
        self.kind = kind
        self.missing = missing
        self.names = tuple(field.name for field in fields(kind))  # type: ignore[arg-type]
        self.columns = [table.c[name] for name in self.names]
        self.key = next(iter(table.primary_key.columns))

    def value(self, row: Row[Any]) -> T:
        given = row._mapping
        return self.kind(**{name: given[name] for name in self.names})

    def values(self, rows: Sequence[Row[Any]]) -> list[T]:
        return [self.value(row) for row in rows]

    def get(self, connection: Connection, key: str | int) -> T:
        """Raises NotFound."""
        row = connection.execute(select(*self.columns).where(self.key == key)).one_or_none()
        if row is None:
            raise NotFound(self.missing)
        return self.value(row)

    def lock(self, tx: Transaction, key: str | int, *, version: int | None = None) -> T:
        """The record, kept from others until the commit; `version` is the one the officer saw.

        Raises NotFound, Conflict when it has changed since.
        """
        row = tx.execute(select(*self.columns).where(self.key == key).with_for_update()).one_or_none()
        if row is None:
            raise NotFound(self.missing)
        value = self.value(row)
        if version is not None and version != value.version:  # type: ignore[attr-defined]
            raise Conflict("Запись уже изменил кто-то другой: обновите страницу и повторите.")
        return value

    def add(self, tx: Transaction, value: T, **more: Any) -> T:
        tx.execute(insert(self.table).values(**self.fields(value), **more))
        return value

    def save(self, tx: Transaction, value: T, **more: Any) -> T:
        """Overwrite a locked record; where there is a version it grows by one. What now stands."""
        if "version" in self.names:
            value = replace(value, version=value.version + 1)  # type: ignore[attr-defined, type-var]
        return self.keep(tx, value, **more)

    def keep(self, tx: Transaction, value: T, **more: Any) -> T:
        """Overwrite a locked record without moving its version: officers who read it may go on."""
        changed = self.fields(value)
        tx.execute(update(self.table).where(self.key == changed.pop(self.key.name)).values(**changed, **more))
        return value

    def fields(self, value: T) -> dict[str, Any]:
        return {name: getattr(value, name) for name in self.names}


def upsert(tx: Transaction, table: Table, values: dict[str, Any], *, keep: Sequence[str] = ()) -> None:
    """Insert the row or overwrite the one with its primary key, all columns but those in `keep`."""
    keys = [column.name for column in table.primary_key.columns]
    statement = dialect_insert(tx, table).values(**values)
    changed = {name: statement.excluded[name] for name in values if name not in keys and name not in keep}
    tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))


def insert_new(tx: Transaction, table: Table, values: dict[str, Any]) -> bool:
    """Insert unless the row is there already (by any unique key); whether it was new."""
    statement = dialect_insert(tx, table).values(**values).on_conflict_do_nothing()
    key = next(iter(table.primary_key.columns))
    return tx.execute(statement.returning(key)).first() is not None  # an INSERT's rowcount tells nothing


def dialect_insert(tx: Transaction, table: Table) -> sqlite.Insert | postgresql.Insert:
    """INSERT that knows ON CONFLICT; the two databases spell it the same, SQLAlchemy does not."""
    if tx.connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def new_id(prefix: str) -> str:
    """`i-3f9a0c6e1b2d4a57`: short enough to read aloud, long enough never to meet again."""
    return f"{prefix}-{secrets.token_hex(8)}"
