"""Reads the files of a district pack; every fault names the file, the place in it, and what was expected."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from index.errors import Misconfigured


class Section:
    """A mapping in a YAML file or a row of a table, with the way to it for messages."""

    def __init__(self, content: Mapping[str, Any], where: str) -> None:
        self.content = content
        self.where = where

    def fault(self, message: str) -> Misconfigured:
        return Misconfigured(f"{self.where}: {message}.", remedy="Исправьте пакет района и запустите снова.")

    def text(self, name: str) -> str:
        value = self.content.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.fault(f"нужен текст в поле {name}")
        return value.strip()

    def optional(self, name: str) -> str:
        return str(self.content.get(name) or "").strip()

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.content.get(name)
        if not isinstance(value, list) or not all(isinstance(each, str | int | float) for each in value):
            raise self.fault(f"нужен список в поле {name}")
        return tuple(str(each) for each in value)

    def closed_texts(self, name: str, closed: type[StrEnum]) -> tuple[str, ...]:
        known = {each.value for each in closed}
        for value in self.texts(name):
            if value not in known:
                raise self.fault(f"{name}: «{value}» не из списка {', '.join(sorted(known))}")
        return self.texts(name)

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self.content.get(name)
        if not isinstance(value, Mapping):
            raise self.fault(f"нужны пары «ключ: значение» в поле {name}")
        return value

    def section(self, name: str) -> Section:
        return Section(self.mapping(name), f"{self.where}, {name}")

    def sections(self, name: str) -> list[Section]:
        value = self.content.get(name)
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            raise self.fault(f"нужен список записей в поле {name}")
        return [
            Section(
                each, f"{self.where}, {name} №{number} {each.get('name') or each.get('id') or ''}".strip()
            )
            for number, each in enumerate(value, 1)
        ]

    def one_of(self, name: str, closed: Iterable[str]) -> str:
        value, known = self.text(name), list(closed)
        if value not in known:
            raise self.fault(f"{name}: «{value}» не из списка {', '.join(known)}")
        return value

    def whole(self, name: str, least: int, most: int) -> int:
        value = self.content.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.fault(f"нужно целое от {least} до {most} в поле {name}")
        return value

    def share(self, name: str) -> float:
        value = self.content.get(name)
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise self.fault(f"нужно число от 0 до 1 в поле {name}")
        return float(value)

    def number(self, name: str) -> float | None:
        value = self.optional(name)
        try:
            return float(value) if value else None
        except ValueError:
            raise self.fault(f"нужно число в поле {name}, а там «{value}»") from None

    def pattern(self, name: str) -> str:
        value = self.text(name)
        try:
            re.compile(value)
        except re.error as error:
            raise self.fault(f"выражение {name} не читается: {error}") from None
        return value

    def zone(self, name: str) -> str:
        value = self.text(name)
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise self.fault(f"{name}: нет часового пояса «{value}»") from None
        return value

    def interval(self, name: str, value: str) -> tuple[time, time]:
        """«08:00-12:00» as two times of day, the second later."""
        try:
            begin, end = (time.fromisoformat(part) for part in value.split("-"))
        except ValueError:
            raise self.fault(f"{name}: нужно «08:00-12:00», а там «{value}»") from None
        if begin >= end:
            raise self.fault(f"{name}: «{value}» кончается раньше, чем начинается")
        return begin, end


def read_yaml(path: Path) -> Section:
    """The file as a section. Raises Misconfigured."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(
            f"{path}: файл не читается ({error.strerror}).", remedy="Проверьте настройку DISTRICT."
        ) from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{path}: нужен текст в UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", строка {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "не читается"
        raise Misconfigured(f"{path}{place}: {problem}.", remedy="Нужен правильный YAML.") from None
    if not isinstance(content, Mapping):
        raise Misconfigured(f"{path}: нужны пары «ключ: значение».")
    return Section(content, str(path))


def read_table(path: Path, columns: Iterable[str]) -> Iterator[Section]:
    """Rows of a tab-separated table with a heading. Raises Misconfigured."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Misconfigured(
            f"{path}: файл не читается ({error.strerror}).", remedy="Проверьте настройку DISTRICT."
        ) from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{path}: нужен текст в UTF-8.") from None
    rows = csv.DictReader(content.splitlines(), delimiter="\t")
    missing = [column for column in columns if column not in (rows.fieldnames or ())]
    if missing:
        raise Misconfigured(f"{path}, строка 1: нет столбца {', '.join(missing)}.")
    for number, row in enumerate(rows, 2):
        yield Section(row, f"{path}, строка {number}")
