"""The move of everything to other databases: from the embedded ones to a cluster, or back.

A move that was interrupted goes on; repeating it changes nothing. It ends with a comparison of the counts.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Integer, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from index.desk import Desk, open_desk
from index.desk.tables import audit, metadata
from index.errors import Conflict, Refused
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.query import Facet, Kept, Order, Query, Record
from index.settings import Settings

logger = logging.getLogger(__name__)

STATE_FILE = "move.json"  # how far a move has come; gone when it is done
PAGE = 500  # posts or rows carried at once
FACETS = (Facet.STATE, Facet.NETWORK, Facet.SEVERITY, Facet.SENTIMENT)  # compared at the end
WHOLE = Query(with_deleted=True, order=Order.OLDEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What stands in the new databases after a move."""

    posts: int = 0
    rows: int = 0  #: of all tables of the desk


def move(settings: Settings, *, to_index: str | None = None, to_desk: str | None = None) -> Moved:
    """Carry posts, analyses and versions to another index, and the desk to another database.

    The service must be stopped. Photos stay in DATA, which the new databases share. Raises Refused when a
    target is the source or holds something of its own; Conflict when the counts differ at the end.
    """
    moved_posts = moved_rows = 0
    if to_index is not None:
        _refuse_same(settings.index, to_index, "--to-index")
        with closing(open_posts(settings.index, settings.data)) as old:
            with closing(open_posts(to_index, settings.data)) as new:
                moved_posts = move_posts(old, new, progress=Progress(settings.data, "index", to_index))
    if to_desk is not None:
        _refuse_same(settings.desk, to_desk, "--to-desk")
        with closing(open_desk(settings.desk, settings.data)) as old_desk:
            with closing(open_desk(to_desk, settings.data)) as new_desk:
                progress = Progress(settings.data, "desk", to_desk)
                moved_rows = move_desk(old_desk, new_desk, progress=progress)
    return Moved(posts=moved_posts, rows=moved_rows)


def move_posts(old: PostIndex, new: PostIndex, *, progress: Progress) -> int:
    """How many posts stand in the new index when all are there."""
    old.refresh()
    new.refresh()
    if not progress.is_begun and new.count(WHOLE):
        raise Refused("В новом индексе уже есть посты: переносить можно только в пустой.", field="--to-index")
    cursor = progress.begin()
    carried = 0
    while True:
        found = old.find(WHOLE, limit=PAGE, cursor=cursor)
        new.keep(_kept(old, record) for record in found.records)
        carried += len(found.records)
        logger.info("Posts were moved", extra={"action": "posts_moved", "posts": carried})
        if (cursor := found.next) is None:
            break
        progress.save(cursor)
    new.refresh()
    _compare(old, new, progress)
    progress.finish()
    return new.count(WHOLE)


def move_desk(old: Desk, new: Desk, *, progress: Progress) -> int:
    """How many rows stand in the new desk when all are there."""
    with new.database.read() as connection:
        if not progress.is_begun and connection.execute(select(func.count()).select_from(audit)).scalar():
            raise Refused("В новой базе уже работали: переносить можно только в пустую.", field="--to-desk")
    progress.begin()
    rows = sum(_move_table(old, new, table) for table in metadata.sorted_tables)
    progress.finish()
    return rows


class Progress:
    """How far the move to one target has come, in a file of DATA; there the target is only a hash."""

    def __init__(self, data: Path, part: str, target: str) -> None:
        self._path = data / f"{part}-{STATE_FILE}"
        self._target = hashlib.sha256(target.encode()).hexdigest()

    @property
    def is_begun(self) -> bool:
        """Whether what stands in the target came from an earlier try."""
        return self._read().get("target") == self._target

    def begin(self) -> str | None:
        """The cursor to go on from; None: from the beginning."""
        cursor: str | None = self._read().get("cursor") if self.is_begun else None
        self.save(cursor)
        return cursor

    def save(self, cursor: str | None) -> None:
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps({"target": self._target, "cursor": cursor}), encoding="utf-8")
        partial.replace(self._path)

    def finish(self) -> None:
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}


def _refuse_same(old: str, new: str, option: str) -> None:
    if old == new:
        raise Refused(f"{option}: данные уже там.", field=option)


def _kept(old: PostIndex, record: Record) -> Kept:
    versions = tuple(old.versions(record.post.id)) if record.versions > 1 else ()
    return Kept(record=record, versions=versions)


def _compare(old: PostIndex, new: PostIndex, progress: Progress) -> None:
    """What differs was written to the old index meanwhile; the next try starts from the beginning."""
    counts = [
        (index.count(WHOLE), *(index.count_by(WHOLE, facet) for facet in FACETS)) for index in (old, new)
    ]
    if counts[0] != counts[1]:
        progress.save(None)
        raise Conflict(
            f"Перенос не сошёлся: было {counts[0][0]} постов, стало {counts[1][0]}."
            " Остановите службу и повторите."
        )


def _move_table(old: Desk, new: Desk, table: Table) -> int:
    with old.database.read() as reading:
        for rows in _pages(reading, table):
            with new.database.write() as writing:
                writing.execute(_upsert(table, rows, is_sqlite=new.database.is_sqlite))
        expected = _count(reading, table)
    with new.database.write() as writing:
        if not new.database.is_sqlite:
            _continue_numbering(writing.connection, table)
        present = _count(writing.connection, table)
    if present != expected:
        raise Conflict(
            f"Перенос не сошёлся: в таблице {table.name} было {expected} строк, стало {present}."
            " Остановите службу и повторите."
        )
    logger.info("A table was moved", extra={"action": "table_moved", "table": table.name, "rows": present})
    return present


def _pages(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """All rows in the order of the primary key, a page at a time."""
    key = list(table.primary_key.columns)
    statement = select(table).order_by(*key).execution_options(yield_per=PAGE)
    for page in connection.execute(statement).mappings().partitions():
        yield [dict(row) for row in page]


def _upsert(table: Table, rows: list[dict[str, Any]], *, is_sqlite: bool) -> Any:
    """Rows are written over those of an earlier try; the audit, which nobody may change, is added to."""
    key = [column.name for column in table.primary_key.columns]
    insert: Any = (sqlite.insert if is_sqlite else postgresql.insert)(table).values(rows)
    others = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in key}
    if table is audit or not others:
        return insert.on_conflict_do_nothing(index_elements=key)
    return insert.on_conflict_do_update(index_elements=key, set_=others)


def _continue_numbering(connection: Connection, table: Table) -> None:
    """A sequence of PostgreSQL does not see numbers that were given to it."""
    key = list(table.primary_key.columns)
    if len(key) == 1 and isinstance(key[0].type, Integer) and key[0].autoincrement is True:
        sequence = func.pg_get_serial_sequence(table.name, key[0].name)
        newest = select(func.coalesce(func.max(key[0]), 0) + 1).scalar_subquery()
        connection.execute(select(func.setval(sequence, newest, False)))


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
