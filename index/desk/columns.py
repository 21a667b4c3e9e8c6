"""Column types of the desk: what a field of a value becomes in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
from array import array
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import DateTime, Dialect, Integer, LargeBinary, String, Text
from sqlalchemy.types import TypeDecorator


class Words(TypeDecorator[str]):
    """Text of any origin: characters that a database refuses (NUL, lone surrogates) are written out."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, UTC when read; SQLite keeps it as text that sorts in time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("naive datetime")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Length(TypeDecorator[timedelta]):
    """A timedelta as whole seconds."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        return None if value is None else round(value.total_seconds())

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:
        return None if value is None else timedelta(seconds=value)


class Member(TypeDecorator[Any]):
    """A member of one enum by its value; a word for StrEnum, a number for IntEnum."""

    impl = String(32)
    cache_ok = True

    def __init__(self, kind: type[StrEnum] | type[IntEnum]) -> None:
        super().__init__()
        self.kind = kind

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Integer() if issubclass(self.kind, IntEnum) else String(32))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self.kind(value)


class Json(TypeDecorator[Any]):
    """Any value pydantic can write and read back, as JSON text; the same text in both databases."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind

    @property
    def adapter(self) -> TypeAdapter[Any]:
        return _adapter(self.kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        plain = self.adapter.dump_python(value, mode="json")
        return storable(json.dumps(plain, ensure_ascii=False, separators=(",", ":")))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else self.adapter.validate_json(value)


class Vector(TypeDecorator[tuple[float, ...]]):
    """A vector as float32, four bytes a number; empty: no vector."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: tuple[float, ...] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else array("f", value).tobytes()

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> tuple[float, ...] | None:
        if value is None:
            return None
        numbers = array("f")
        numbers.frombytes(value)
        return tuple(numbers)


def storable(text: str) -> str:
    r"""`a\x00b` becomes `a\x00b` in letters; ordinary text stays as it is."""
    text = text.replace("\x00", "\\x00")
    return text.encode("utf-8", "backslashreplace").decode()


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
