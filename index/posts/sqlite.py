"""The embedded index of posts: one SQLite file with a word index, for a district on one machine."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from index.domain.analysis import Analysis
from index.domain.post import Post, Print
from index.errors import Misconfigured, NotFound, Refused, Unavailable
from index.posts import sql
from index.posts.change import VERSIONS_KEPT, is_same, seen_again
from index.posts.cursor import Cursor, read_cursor
from index.posts.document import (
    admit,
    admit_analysis,
    analysis_from_json,
    analysis_to_json,
    micros,
    moment_of,
    month_start,
    pack_vector,
    post_from_json,
    post_to_json,
    print_from_text,
    unpack_vector,
)
from index.posts.query import Added, Count, Facet, Found, Kept, Order, PostState, Query, Record, Version
from index.posts.steps import Steps
from index.write_ahead import write_ahead

BUSY_TIMEOUT = timedelta(seconds=10)  # how long a write waits for another process's
CACHE_KIB = 16_000  # a connection, and there is one a thread
LOG_BYTES = 64_000_000  # of the write-ahead log that stay on the disk between checkpoints
BATCH = 500  # posts a transaction: other writers get their turn in between
RARE = 5_000  # posts; a condition that holds for fewer is where a search starts
NEAREST_AMONG = 30_000  # newest vectors compared: about 23 MB read, 0.2 s
QUARTER_MS = 15 * 60 * 1_000  # every zone's midnight falls on a quarter of an hour

T = TypeVar("T")
_RECORD = """p.pk, p.state, p.versions, d.post, d.analysis, d.error, d.seen_at, v.vector
    FROM posts p JOIN documents d ON d.pk = p.pk LEFT JOIN vectors v ON v.pk = p.pk"""


class SqlitePosts:
    """PostIndex over one file. One connection a thread; writers of all processes take turns."""

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Creates the file and its tables when they are not there. Raises Misconfigured, Unavailable."""
        self._path = path
        self._clock = clock
        self._local = threading.local()
        self._open_connections: weakref.WeakSet[_Connection] = weakref.WeakSet()
        with _translated(path):
            self._create()

    def check(self) -> None:
        with self._reading() as db:
            db.execute("SELECT 1 FROM posts LIMIT 1").fetchone()

    def add(self, posts: Iterable[Post]) -> Added:
        new_ids: list[str] = []
        changed = known = 0
        for batch in _batches(map(admit, posts), BATCH):
            with self._reading() as db:
                news = _without_known(db, batch)
            known += len(batch) - len(news)
            if not news:
                continue  # what is read again costs no write, and makes no other writer wait
            with self._writing() as db:
                found = _Outcome()
                for post in news:
                    _add(db, post, self._clock, found)
            new_ids += found.new_ids
            changed += found.changed
            known += found.known
        return Added(new=len(new_ids), changed=changed, known=known, new_ids=tuple(new_ids))

    def get(self, post_id: str) -> Record:
        try:
            return self.get_many([post_id])[post_id]
        except KeyError:
            raise NotFound(f"Пост {post_id} не найден.") from None

    def get_many(self, post_ids: Sequence[str]) -> dict[str, Record]:
        found: dict[str, Record] = {}
        with self._reading() as db:
            rows = db.execute(
                f"SELECT {_RECORD} WHERE p.id IN (SELECT value FROM json_each(?))",  # noqa: S608
                (_json(list(post_ids)),),
            )
            for row in rows:
                record = _record(row)
                found[record.post.id] = record
        return found

    def prints(self, post_ids: Sequence[str]) -> dict[str, Print]:
        with self._reading() as db:
            rows = db.execute(
                "SELECT p.id, json_extract(d.post, '$.print') FROM posts p JOIN documents d ON d.pk = p.pk"
                " WHERE p.id IN (SELECT value FROM json_each(?))",
                (_json(list(post_ids)),),
            ).fetchall()
        return {post_id: found for post_id, text in rows if (found := print_from_text(text)) is not None}

    def versions(self, post_id: str) -> list[Version]:
        with self._reading() as db:
            rows = db.execute(
                "SELECT content_hash, text, seen_at FROM versions"
                " WHERE pk = (SELECT pk FROM posts WHERE id = ?) ORDER BY number DESC",
                (post_id,),
            ).fetchall()
        return [
            Version(content_hash=h, text=text, seen_at=datetime.fromisoformat(at)) for h, text, at in rows
        ]

    def waiting(self, *, limit: int, shard: range = range(256), model: str | None = None) -> list[Post]:
        with self._reading() as db:
            rows = _collected(db, shard, limit)
            if model is not None and len(rows) < limit:
                rows += _of_other_models(db, shard, model, limit - len(rows))
        return [post_from_json(json.loads(post)) for (post,) in rows]

    def analysed(self, *, limit: int) -> list[Record]:
        query = Query(states=(PostState.ANALYSED,), with_deleted=True, order=Order.OLDEST)
        return list(self.find(query, limit=limit).records)

    def save_analyses(
        self,
        analyses: Mapping[str, Analysis],
        state: PostState = PostState.ANALYSED,
        *,
        content_hashes: Mapping[str, str] | None = None,
    ) -> None:
        made_of = content_hashes or {}
        for batch in _batches(analyses.items(), BATCH):
            with self._writing() as db:
                for post_id, analysis in batch:
                    _save_analysis(db, post_id, admit_analysis(analysis), state, made_of.get(post_id))

    def quarantine(self, post_id: str, error: str) -> None:
        with self._writing() as db:
            if (pk := _pk(db, post_id)) is not None:
                _forget_analysis(db, pk, PostState.QUARANTINED)
                db.execute("UPDATE documents SET error = ? WHERE pk = ?", (error, pk))

    def find(self, query: Query, *, limit: int = 50, cursor: str | None = None) -> Found:
        after = read_cursor(cursor, query.order)
        with self._reading() as db:
            places = _places(db, query, limit, after)
            records = _records(db, [place.pk for place in places[:limit]])
        more = len(places) > limit and records
        return Found(
            records=tuple(records), next=places[limit - 1].cursor(query.order).encode() if more else None
        )

    def count(self, query: Query) -> int:
        with self._reading() as db:
            row = db.execute(*_select(db, query).statement("count(*)")).fetchone()
        return int(row[0])

    def count_by(self, query: Query, facet: Facet, *, limit: int = 100) -> list[Count]:
        with self._reading() as db:
            selected = _select(db, query)
            if facet in sql.TAGS:
                selected = selected.also(sql.Clause("f.field = ?", (facet.value,)))
                source = sql.Clause(
                    f"{selected.source.sql} CROSS JOIN tags f ON f.pk = p.pk", selected.source.parameters
                )
                selected, value = replace(selected, source=source), "f.value"
            else:
                value = f"+p.{facet.value}"
                selected = selected.also(sql.Clause(f"{value} IS NOT NULL"))
            tail = "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?"
            rows = db.execute(*selected.statement(f"{value}, count(*)", tail, limit)).fetchall()
        return [Count(value=str(value), posts=posts) for value, posts in rows]

    def authors(self, query: Query) -> int:
        with self._reading() as db:
            row = db.execute(*_select(db, query).statement("count(DISTINCT p.author)")).fetchone()
        return int(row[0])

    def histogram(self, query: Query, *, step: timedelta, zone: str = "UTC") -> list[tuple[datetime, int]]:
        steps = Steps(step, zone)
        with self._reading() as db:
            keys = np.fromiter((pk for (pk,) in db.execute(*_select(db, query).statement("p.pk"))), np.int64)
        # Faster than GROUP BY, which sorts what stands in order of time already.
        quarters, posts = np.unique((keys >> sql.HASH_BITS) // QUARTER_MS, return_counts=True)
        moments = (moment_of(int(quarter) * QUARTER_MS * 1000) for quarter in quarters)
        return steps.fill(zip(moments, posts.tolist(), strict=True))

    def nearest(
        self, vector: Sequence[float], query: Query, *, limit: int = 10
    ) -> list[tuple[Record, float]]:
        wanted = np.asarray(vector, dtype=np.float32)
        query = replace(query, lemmas=(), order=Order.NEWEST)
        with self._reading() as db:
            pks, cosines = _cosines(db, query, wanted)
            best = np.argsort(-cosines, kind="stable")[:limit]
            records = _records(db, [pks[row] for row in best])
        return [(record, float(cosines[row])) for record, row in zip(records, best, strict=True)]

    def keep(self, kept: Iterable[Kept]) -> int:
        new = 0
        for batch in _batches(kept, BATCH):
            with self._writing() as db:
                new += sum(_keep(db, each) for each in batch)
        return new

    def refresh(self) -> None:
        """Nothing to do: a committed write is seen by every connection."""

    def erase(self, *, post_ids: Sequence[str] = (), author: str | None = None) -> int:
        erased = 0
        for batch in _batches(self._pks_to_erase(post_ids, author), BATCH):
            with self._writing() as db:
                erased += _erase(db, batch)
        if erased:
            self._empty_log()
        return erased

    def forget_before(self, moment: datetime) -> int:
        before = sql.first_pk(micros(month_start(moment)))
        forgotten = 0
        while True:
            with self._writing() as db:
                rows = db.execute(
                    "SELECT pk FROM posts WHERE pk < ? ORDER BY pk LIMIT ?", (before, BATCH)
                ).fetchall()
                forgotten += _erase(db, [pk for (pk,) in rows])
            if len(rows) < BATCH:
                return forgotten

    def close(self) -> None:
        for connection in list(self._open_connections):
            connection.close()

    def _empty_log(self) -> None:
        """Else the write-ahead log would hold the erased text until it is used again."""
        with _translated(self._path):
            self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _pks_to_erase(self, post_ids: Sequence[str], author: str | None) -> list[int]:
        with self._reading() as db:
            rows = db.execute(
                "SELECT pk FROM posts WHERE id IN (SELECT value FROM json_each(?)) OR author = ?",
                (_json(list(post_ids)), author),
            ).fetchall()
        return [pk for (pk,) in rows]

    def _create(self) -> None:
        db = self._connection()
        write_ahead(db, BUSY_TIMEOUT)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > sql.SCHEMA_VERSION:
            raise Misconfigured(
                f"База постов {self._path} создана более новой версией программы.",
                remedy="Обновите программу.",
            )
        if version == 0:
            with self._writing() as db:
                if (
                    db.execute("PRAGMA user_version").fetchone()[0] == 0
                ):  # not made by another process meanwhile
                    for statement in sql.SCHEMA_STATEMENTS:
                        db.execute(statement)

    def _connection(self) -> _Connection:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path,
                timeout=BUSY_TIMEOUT.total_seconds(),
                isolation_level=None,
                check_same_thread=False,  # `close` is called by one thread for all
                factory=_Connection,
            )
            connection.execute("PRAGMA synchronous = FULL")  # a cursor moves once the posts are safe
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
            connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
            self._local.connection = connection
            self._open_connections.add(connection)
        return connection

    @contextmanager
    def _reading(self) -> Iterator[_Connection]:
        """One snapshot for all statements inside."""
        with self._transaction("BEGIN") as db:
            yield db

    @contextmanager
    def _writing(self) -> Iterator[_Connection]:
        """All or nothing; the lock is taken at once, so nobody writes between our reading and writing."""
        with self._transaction("BEGIN IMMEDIATE") as db:
            yield db

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[_Connection]:
        with _translated(self._path):
            db = self._connection()
            db.execute(begin)
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:  # a full disk may have ended it already
                    db.execute("ROLLBACK")


class _Connection(sqlite3.Connection):
    """A connection that can be referred to weakly: it goes when its thread goes."""


class _Outcome:
    """What one transaction of `add` did."""

    def __init__(self) -> None:
        self.new_ids: list[str] = []
        self.changed = 0
        self.known = 0


class _Place:
    """Where a post stands in a list."""

    __slots__ = ("id", "key", "pk", "published_us")

    def __init__(self, pk: int, published_us: int, post_id: str, key: float) -> None:
        self.pk, self.published_us, self.id, self.key = pk, published_us, post_id, key

    @property
    def rank(self) -> tuple[float, int, str]:
        return (self.key, self.published_us, self.id)

    def cursor(self, order: Order) -> Cursor:
        return Cursor(order=order, published_us=self.published_us, id=self.id, key=self.key)


def _without_known(db: sqlite3.Connection, batch: Sequence[Post]) -> list[Post]:
    """Posts that are not kept yet, or not in this form. One that stands in the batch in several forms
    is left in all of them: their order matters."""
    rows = db.execute(
        "SELECT p.id, d.post FROM posts p JOIN documents d ON d.pk = p.pk"
        " WHERE p.id IN (SELECT value FROM json_each(?))",
        (_json([post.id for post in batch]),),
    )
    kept = dict(rows.fetchall())
    if not kept:
        return list(batch)
    differing = {post.id for post in batch if post.id not in kept or _differs(kept[post.id], post)}
    return [post for post in batch if post.id in differing]


def _differs(kept: str, post: Post) -> bool:
    known = post_from_json(json.loads(kept))
    return not is_same(known, seen_again(known, post))


def _add(db: sqlite3.Connection, post: Post, clock: Callable[[], datetime], found: _Outcome) -> None:
    row = db.execute(
        "SELECT p.pk, d.post, d.seen_at FROM posts p JOIN documents d ON d.pk = p.pk WHERE p.id = ?",
        (post.id,),
    ).fetchone()
    seen_at = post.collected_at or clock()
    if row is None:
        _insert(db, replace(post, collected_at=seen_at))
        found.new_ids.append(post.id)
        return
    known = post_from_json(json.loads(row[1]))
    now = seen_again(known, post)
    if is_same(known, now):
        found.known += 1
        return
    found.changed += 1
    if now.content_hash != known.content_hash:
        _keep_version(db, row[0], known, row[2])
        _forget_analysis(db, row[0], PostState.COLLECTED)
        db.execute("UPDATE documents SET seen_at = ?, error = '' WHERE pk = ?", (seen_at.isoformat(), row[0]))
    db.execute("UPDATE documents SET post = ? WHERE pk = ?", (_json(post_to_json(now)), row[0]))
    db.execute(
        "UPDATE posts SET is_deleted = ?, source_id = ?, parent_id = ? WHERE pk = ?",
        (now.is_deleted, now.source_id, now.parent_id, row[0]),
    )


def _insert(db: sqlite3.Connection, post: Post) -> int:
    published_us = micros(post.published_at)
    pk = _free_pk(db, post.id, published_us)
    db.execute(
        "INSERT INTO posts (pk, id, published_us, shard_key, network, kind, source_id, parent_id, author,"
        " state, is_deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            pk,
            post.id,
            published_us,
            post.shard_key,
            post.network.value,
            post.kind.value,
            post.source_id,
            post.parent_id,
            post.author,
            PostState.COLLECTED.value,
            post.is_deleted,
        ),
    )
    db.execute(
        "INSERT INTO documents (pk, post, seen_at) VALUES (?, ?, ?)",
        (pk, _json(post_to_json(post)), (post.collected_at or post.published_at).isoformat()),
    )
    return pk


def _free_pk(db: sqlite3.Connection, post_id: str, published_us: int) -> int:
    """The preferred key, or the next free one of the same millisecond."""
    first = sql.first_pk(published_us)
    preferred = sql.preferred_pk(post_id, published_us) - first
    for step in range(1 << sql.HASH_BITS):
        pk = first + (preferred + step) % (1 << sql.HASH_BITS)
        if not _stands(db, pk):
            return pk
    raise Refused(f"Пост {post_id}: больше миллиона постов в одну миллисекунду.", field="published_at")


def _stands(db: sqlite3.Connection, pk: int) -> bool:
    return db.execute("SELECT 1 FROM posts WHERE pk = ?", (pk,)).fetchone() is not None


def _keep_version(db: sqlite3.Connection, pk: int, known: Post, seen_at: str) -> None:
    (number,) = db.execute("SELECT versions FROM posts WHERE pk = ?", (pk,)).fetchone()
    db.execute(
        "INSERT INTO versions (pk, number, content_hash, text, seen_at) VALUES (?, ?, ?, ?, ?)",
        (pk, number, known.content_hash, known.text, seen_at),
    )
    db.execute("DELETE FROM versions WHERE pk = ? AND number <= ?", (pk, number - VERSIONS_KEPT))
    db.execute("UPDATE posts SET versions = ? WHERE pk = ?", (number + 1, pk))


def _save_analysis(
    db: sqlite3.Connection, post_id: str, analysis: Analysis, state: PostState, made_of: str | None
) -> None:
    if (pk := _pk(db, post_id)) is None:
        return
    post, old = db.execute("SELECT post, analysis FROM documents WHERE pk = ?", (pk,)).fetchone()
    if made_of is not None and post_from_json(json.loads(post)).content_hash != made_of:
        return  # edited meanwhile: it waits for an analysis of the new text
    _index_words(db, pk, () if old is None else json.loads(old)["lemmas"], analysis.lemmas)
    db.execute(
        "UPDATE documents SET analysis = ?, error = '' WHERE pk = ?", (_json(analysis_to_json(analysis)), pk)
    )
    db.execute(
        "UPDATE posts SET state = ?, model = ?, relevant = ?, needs_answer = ?, severity = ?, intent = ?,"
        " sentiment = ?, topic_group = ?, topic = ?, scope = ?, story_id = ?, risk_score = ? WHERE pk = ?",
        (
            state.value,
            analysis.model,
            analysis.relevant,
            analysis.needs_answer,
            int(analysis.severity),
            analysis.intent.value,
            analysis.sentiment.value,
            analysis.topic_group,
            analysis.topic,
            analysis.scope,
            analysis.story_id,
            analysis.risk_score,
            pk,
        ),
    )
    tagged = {(pk, Facet.PLACE.value, place) for place in analysis.places}
    tagged |= {(pk, Facet.RISK.value, risk.value) for risk in analysis.risks}
    db.execute("DELETE FROM tags WHERE pk = ?", (pk,))
    db.executemany("INSERT INTO tags (pk, field, value) VALUES (?, ?, ?)", sorted(tagged))
    if analysis.vector:
        db.execute(
            "INSERT OR REPLACE INTO vectors (pk, vector) VALUES (?, ?)", (pk, pack_vector(analysis.vector))
        )
    else:
        db.execute("DELETE FROM vectors WHERE pk = ?", (pk,))


def _keep(db: sqlite3.Connection, kept: Kept) -> bool:
    """Whether the post is new here."""
    record, post = kept.record, admit(kept.record.post)
    known = _pk(db, post.id)
    if known is not None:
        _erase(db, [known])
    pk = _insert(db, post)
    seen_at = record.seen_at or post.collected_at or post.published_at
    db.execute(
        "UPDATE documents SET seen_at = ?, error = ? WHERE pk = ?", (seen_at.isoformat(), record.error, pk)
    )
    db.execute(
        "UPDATE posts SET state = ?, versions = ? WHERE pk = ?", (record.state.value, record.versions, pk)
    )
    db.executemany(
        "INSERT INTO versions (pk, number, content_hash, text, seen_at) VALUES (?, ?, ?, ?, ?)",
        [
            (pk, record.versions - age, version.content_hash, version.text, version.seen_at.isoformat())
            for age, version in enumerate(kept.versions, 1)
        ],
    )
    if record.analysis is not None:
        _save_analysis(db, post.id, admit_analysis(record.analysis), record.state, None)
    return known is None


def _index_words(db: sqlite3.Connection, pk: int, old: Sequence[str], new: Sequence[str]) -> None:
    """The word index keeps no text of its own, so what is taken out has to be told to it."""
    if list(old) == list(new):
        return
    if old:
        db.execute("INSERT INTO words (words, rowid, lemmas) VALUES ('delete', ?, ?)", (pk, " ".join(old)))
    if new:
        db.execute("INSERT INTO words (rowid, lemmas) VALUES (?, ?)", (pk, " ".join(new)))


def _forget_analysis(db: sqlite3.Connection, pk: int, state: PostState) -> None:
    (old,) = db.execute("SELECT analysis FROM documents WHERE pk = ?", (pk,)).fetchone()
    if old is not None:
        _index_words(db, pk, json.loads(old)["lemmas"], ())
        db.execute("UPDATE documents SET analysis = NULL WHERE pk = ?", (pk,))
        db.execute("DELETE FROM tags WHERE pk = ?", (pk,))
        db.execute("DELETE FROM vectors WHERE pk = ?", (pk,))
    db.execute(
        "UPDATE posts SET state = ?, model = NULL, relevant = NULL, needs_answer = NULL, severity = NULL,"
        " intent = NULL, sentiment = NULL, topic_group = NULL, topic = NULL, scope = NULL, story_id = NULL,"
        " risk_score = 0 WHERE pk = ?",
        (state.value, pk),
    )


def _erase(db: sqlite3.Connection, pks: Sequence[int]) -> int:
    erased = 0
    for pk in pks:
        if _stands(db, pk):
            _forget_analysis(db, pk, PostState.COLLECTED)
            for table in ("versions", "documents", "posts"):
                db.execute(f"DELETE FROM {table} WHERE pk = ?", (pk,))  # noqa: S608
            erased += 1
    return erased


def _collected(db: sqlite3.Connection, shard: range, limit: int) -> list[tuple[str]]:
    return db.execute(
        "SELECT d.post FROM posts p JOIN documents d ON d.pk = p.pk WHERE p.state = ?"
        " AND p.shard_key >= ? AND p.shard_key < ? ORDER BY p.pk LIMIT ?",
        (PostState.COLLECTED.value, shard.start, shard.stop, limit),
    ).fetchall()


def _of_other_models(db: sqlite3.Connection, shard: range, model: str, limit: int) -> list[tuple[str]]:
    """Newest first over all other models; a model at a time, so that the index of models is walked."""
    found: list[tuple[int, str]] = []
    other = ""
    while (row := db.execute("SELECT min(model) FROM posts WHERE model > ?", (other,)).fetchone())[
        0
    ] is not None:
        other = row[0]
        if other != model:
            found += db.execute(
                "SELECT p.pk, d.post FROM posts p JOIN documents d ON d.pk = p.pk WHERE p.model = ?"
                " AND p.shard_key >= ? AND p.shard_key < ? ORDER BY p.pk DESC LIMIT ?",
                (other, shard.start, shard.stop, limit),
            ).fetchall()
    return [(post,) for _, post in sorted(found, reverse=True)[:limit]]


def _select(db: sqlite3.Connection, query: Query) -> sql.Select:
    return sql.select(query, _rarest(db, query))


def _rarest(db: sqlite3.Connection, query: Query) -> sql.Condition | None:
    """The condition that fewest posts meet, when they are few: SQLite's own planner can't know that."""
    span = sql.span_of(query)
    candidates = sql.conditions(query)
    if span != sql.Span():
        candidates.append(sql.time_keys(span))
    fewest, rarest = RARE, None
    for condition in candidates:
        if condition.keys is None:
            continue
        (posts,) = db.execute(*sql.probe(condition.keys, span, fewest)).fetchone()
        if posts < fewest:
            fewest, rarest = posts, condition
    return rarest


def _places(db: sqlite3.Connection, query: Query, limit: int, after: Cursor | None) -> list[_Place]:
    """The first posts of a list in its order, one more than `limit` when there are more."""
    if query.order is Order.BEST and sql.match_expression(query.lemmas) is not None:
        return _best_places(db, query, limit, after)
    oldest_first = query.order is Order.OLDEST
    by_risk = query.order is Order.RISK
    rare = _rarest(db, query)
    selected = sql.select_by_risk(query, rare) if by_risk else sql.select(query, rare)
    if after is not None:
        test, span = sql.after(after, selected.span)
        selected = selected.also(test, span=span)
    key = "p.risk_score" if by_risk else "0"
    tail = f"ORDER BY {key + ' DESC,' if by_risk else ''} {selected.key} {'' if oldest_first else 'DESC'}"
    columns = f"p.pk, p.published_us, p.id, {key}"
    rows = db.execute(*selected.statement(columns, f"{tail} LIMIT ?", limit + 1)).fetchall()
    if len(rows) > limit:
        rows = _with_whole_last_millisecond(db, selected, columns, key, rows)
    return sorted((_Place(*row) for row in rows), key=lambda place: place.rank, reverse=not oldest_first)


def _with_whole_last_millisecond(
    db: sqlite3.Connection, selected: sql.Select, columns: str, key: str, rows: list[Any]
) -> list[Any]:
    """Keys are in order of milliseconds; inside one, posts stand by microsecond and id: it is read whole."""
    _, published_us, _, last_key = rows[-1]
    span = selected.span.cut(first=sql.first_pk(published_us), last=sql.last_pk(published_us))
    group = selected.also(sql.Clause(f"{key} = ?", (last_key,)), span=span)
    return list({row[0]: row for row in (*rows, *db.execute(*group.statement(columns)))}.values())


def _best_places(db: sqlite3.Connection, query: Query, limit: int, after: Cursor | None) -> list[_Place]:
    selected = sql.select_best(query)
    tests = ""
    parameters: tuple[Any, ...] = ()
    if after is not None:
        tests, parameters = (
            "WHERE (key, published_us, id) < (?, ?, ?)",
            (after.key, after.published_us, after.id),
        )
    inner, inner_parameters = selected.statement("p.pk, p.published_us, p.id, -bm25(words) AS key")
    rows = db.execute(
        f"SELECT * FROM ({inner}) {tests} ORDER BY key DESC, published_us DESC, id DESC LIMIT ?",  # noqa: S608
        (*inner_parameters, *parameters, limit + 1),
    )
    return [_Place(*row) for row in rows]


def _records(db: sqlite3.Connection, pks: Sequence[int]) -> list[Record]:
    rows = db.execute(f"SELECT {_RECORD} WHERE p.pk IN (SELECT value FROM json_each(?))", (_json(list(pks)),))  # noqa: S608
    by_pk = {row[0]: _record(row) for row in rows}
    return [by_pk[pk] for pk in pks]


def _record(row: Any) -> Record:
    _, state, versions, post, analysis, error, seen_at, vector = row
    return Record(
        post=post_from_json(json.loads(post)),
        state=PostState(state),
        analysis=None
        if analysis is None
        else analysis_from_json(json.loads(analysis), unpack_vector(vector)),
        error=error,
        versions=versions,
        seen_at=datetime.fromisoformat(seen_at),
    )


def _cosines(db: sqlite3.Connection, query: Query, wanted: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Keys and cosines of the newest vectors of the same length, at most NEAREST_AMONG."""
    selected = _select(db, query)
    source = f"{selected.source.sql} JOIN vectors v ON v.pk = p.pk"
    selected = replace(selected, source=sql.Clause(source, selected.source.parameters))
    selected = selected.also(sql.Clause("length(v.vector) = ?", (2 * len(wanted),)))
    tail = f"ORDER BY {selected.key} DESC LIMIT ?"
    rows = db.execute(*selected.statement("p.pk, v.vector", tail, NEAREST_AMONG)).fetchall()
    packed = np.frombuffer(b"".join(vector for _, vector in rows), dtype="<f2")
    vectors = packed.reshape(len(rows), len(wanted)).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(wanted)
    cosines = np.divide(vectors @ wanted, lengths, out=np.zeros(len(rows), np.float32), where=lengths > 0)
    return [pk for pk, _ in rows], cosines


def _pk(db: sqlite3.Connection, post_id: str) -> int | None:
    row = db.execute("SELECT pk FROM posts WHERE id = ?", (post_id,)).fetchone()
    return None if row is None else int(row[0])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Errors of SQLite as ours: who can do something about it."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _ours(error, path) from error


def _ours(error: sqlite3.DatabaseError, path: Path) -> Exception:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Unavailable(f"База постов {path} занята другой программой; запись повторится позже.")
    if name.startswith("SQLITE_FULL"):
        return Unavailable(
            f"На диске с базой постов {path} кончилось место: освободите его, работа продолжится сама."
        )
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        return Unavailable(f"База постов {path} не читается или не пишется ({name}): проверьте диск и права.")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM")):
        return Misconfigured(f"В базу постов {path} нельзя писать.", remedy="Дайте права на папку данных.")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Misconfigured(
            f"Файл базы постов {path} повреждён.",
            remedy="Восстановите копию: mcu restore, либо уберите файл.",
        )
    return error
