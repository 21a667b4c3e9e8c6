"""Tables that officers export from other systems (xlsx, csv): rows by header, in any order of columns."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from crawlers.pages.charset import decoded
from index.errors import Refused

MAX_BYTES = 50_000_000
MAX_ROWS = 200_000
HEADER_WITHIN = 25  # rows; exports put titles and filters above the header

ZONE = ZoneInfo("Europe/Moscow")  # both systems write Moscow's time without a zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A line that was not taken. `line` counts from 1 as the spreadsheet does."""

    line: int
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What an import did."""

    added: int = 0
    skipped: int = 0  #: known already
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. Values by the name of the column as the code calls it; «-» and blanks are None."""

    line: int
    values: Mapping[str, str | datetime]

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        if isinstance(value, datetime):
            return f"{value:%d.%m.%Y}"
        return value

    def is_yes(self, name: str) -> bool:
        return (self.text(name) or "").strip().lower() in ("да", "+", "1", "истина", "true", "yes")

    def moment(self, name: str) -> datetime | None:
        """Aware UTC time of dd.mm.yyyy with or without hh:mm. Raises Refused that names the column."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.replace(tzinfo=ZONE).astimezone(UTC)
        match = _DATE.fullmatch(value.strip())
        if match is not None:
            day, month, year, hour, minute, second = (int(part or 0) for part in match.groups())
            try:
                return datetime(year, month, day, hour, minute, second, tzinfo=ZONE).astimezone(UTC)
            except ValueError:
                pass
        raise Refused(f"дата «{value[:40]}» не читается, нужна вида 24.11.2026", field=name)


_DATE = re.compile(
    r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?:[ T,]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?"
)


def read_rows(path: Path, columns: Mapping[str, Sequence[str]], *, needed: Sequence[str]) -> Iterator[Row]:
    """Rows under the header, in order; blank ones left out.

    `columns`: name in the code -> headers it may have. `needed`: columns without which this is another
    table. Columns that are not named here (people's names) are never read.
    Raises Refused when the file is no such table.
    """
    listed = _lines(path)
    known = {_plain(header): name for name, headers in columns.items() for header in headers}
    places: dict[int, str] = {}
    for line, cells in listed:
        if not places:
            found = {
                place: known[plain]
                for place, cell in enumerate(cells)
                if isinstance(cell, str) and (plain := _plain(cell)) in known
            }
            if set(needed) <= set(found.values()):
                places = found
            elif line >= HEADER_WITHIN:
                break
            continue
        values = {
            name: value
            for place, name in places.items()
            if place < len(cells) and (value := cells[place]) is not None
        }
        if values:
            yield Row(line, values)
    if not places:
        wanted = ", ".join(f"«{columns[name][0]}»" for name in needed)
        raise Refused(f"В файле {path.name} нет заголовка со столбцами {wanted}.", field="file")


def _plain(header: str) -> str:
    """Header without case, ё, line ends, signs: «Дата создания *» and «дата  создания» are one."""
    return re.sub(r"[^0-9a-zа-я]+", " ", header.lower().replace("ё", "е")).strip()


Cell = str | datetime | None


def _lines(path: Path) -> Iterator[tuple[int, list[Cell]]]:
    try:
        size = path.stat().st_size
        start = path.read_bytes()[:8] if size else b""
    except OSError as error:
        raise Refused(f"Файл {path} не читается: {error.strerror}.", field="file") from None
    if size > MAX_BYTES:
        raise Refused(
            f"Файл {path.name} больше {MAX_BYTES // 1_000_000} МБ: выгрузите за меньший срок.", field="file"
        )
    if start.startswith(b"PK"):
        yield from _xlsx(path)
    elif start.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused(f"{path.name} — старый формат xls: сохраните его как xlsx.", field="file")
    else:
        yield from _csv(path)


def _xlsx(path: Path) -> Iterator[tuple[int, list[Cell]]]:
    """First sheet that holds anything."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # openpyxl: no default style, odd extensions
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (
        InvalidFileException,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        OSError,
        EOFError,
        TypeError,
    ) as error:
        raise Refused(
            f"{path.name} не читается как xlsx: {error.__class__.__name__}.", field="file"
        ) from None
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # exports often lie about their size
            is_empty = True
            for line, cells in enumerate(sheet.iter_rows(values_only=True, max_row=MAX_ROWS), 1):
                values = [_cell(value) for value in cells]
                is_empty = is_empty and not any(values)
                yield line, values
            if not is_empty:
                return
    except (zipfile.BadZipFile, KeyError, ValueError, SyntaxError, EOFError) as error:
        raise Refused(f"{path.name} испорчен: {error.__class__.__name__}.", field="file") from None
    finally:
        book.close()


def _csv(path: Path) -> Iterator[tuple[int, list[Cell]]]:
    text = decoded(path.read_bytes())
    if "\0" in text:
        raise Refused(f"{path.name} — не таблица: нужен xlsx или csv.", field="file")
    top = "\n".join(text.splitlines()[:HEADER_WITHIN])
    delimiter = max(";\t,|", key=top.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if reader.line_num > MAX_ROWS:
                return
            yield reader.line_num, [_cell(value) for value in cells]
    except csv.Error as error:
        raise Refused(f"{path.name}, строка {reader.line_num}: {error}.", field="file") from None


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - Row.moment gives it its zone
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool):
        return "да" if value else "нет"
    text = str(value).strip()
    return None if text in ("", "-", "–", "—") else text
