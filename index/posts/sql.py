"""Tables of the embedded index, and a query as SQL that walks them newest first.

A row's key `pk` is its published millisecond with a hash of its id below (`first_pk`): the tables, the word
index and every other index stand in order of time by themselves, so each list is a walk that stops early.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

from index.domain.analysis import Severity
from index.posts.cursor import Cursor
from index.posts.document import in_utc, micros, tokens
from index.posts.query import Facet, Order, Query

SCHEMA_VERSION = 1
PUNCTUATION = "".join(chr(code) for code in range(33, 127) if not chr(code).isalnum())
TOKENIZER = f"ascii tokenchars '{PUNCTUATION.replace(chr(39), chr(39) * 2)}'"  # tokens are made in `tokens`

_SCHEMA = f"""
CREATE TABLE posts (  -- narrow: what is filtered, counted and sorted by
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    published_us INTEGER NOT NULL,
    shard_key INTEGER NOT NULL,
    network TEXT NOT NULL,
    kind TEXT NOT NULL,
    source_id TEXT,
    parent_id TEXT,
    author TEXT NOT NULL,
    state TEXT NOT NULL,
    is_deleted INTEGER NOT NULL,
    versions INTEGER NOT NULL DEFAULT 1,
    model TEXT,  -- from here on NULL without an analysis
    relevant INTEGER,
    needs_answer INTEGER,
    severity INTEGER,
    intent TEXT,
    sentiment TEXT,
    topic_group TEXT,
    topic TEXT,
    scope TEXT,
    story_id TEXT,
    risk_score INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX posts_network ON posts (network);
CREATE INDEX posts_source ON posts (source_id) WHERE source_id IS NOT NULL;
CREATE INDEX posts_parent ON posts (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX posts_author ON posts (author);
CREATE INDEX posts_state ON posts (state);
CREATE INDEX posts_model ON posts (model) WHERE model IS NOT NULL;
CREATE INDEX posts_answer ON posts (needs_answer) WHERE needs_answer = 1;
CREATE INDEX posts_severity ON posts (severity) WHERE severity > 0;
CREATE INDEX posts_intent ON posts (intent) WHERE intent IS NOT NULL;
CREATE INDEX posts_sentiment ON posts (sentiment) WHERE sentiment IS NOT NULL;
CREATE INDEX posts_topic_group ON posts (topic_group) WHERE topic_group IS NOT NULL;
CREATE INDEX posts_topic ON posts (topic) WHERE topic IS NOT NULL;
CREATE INDEX posts_scope ON posts (scope) WHERE scope IS NOT NULL;
CREATE INDEX posts_story ON posts (story_id) WHERE story_id IS NOT NULL;
CREATE INDEX posts_risk ON posts (risk_score);
CREATE TABLE documents (  -- wide: read only for the rows that are shown
    pk INTEGER PRIMARY KEY,
    post TEXT NOT NULL,
    analysis TEXT,
    error TEXT NOT NULL DEFAULT '',
    seen_at TEXT NOT NULL  -- when the present text was first seen
);
CREATE TABLE tags (pk INTEGER NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (field, value, pk)) WITHOUT ROWID;
CREATE INDEX tags_of_post ON tags (pk);
CREATE TABLE vectors (pk INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE versions (pk INTEGER NOT NULL, number INTEGER NOT NULL, content_hash TEXT NOT NULL,
    text TEXT NOT NULL, seen_at TEXT NOT NULL, PRIMARY KEY (pk, number)) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (lemmas, content='', tokenize="{TOKENIZER.replace('"', '""')}");
PRAGMA user_version = {SCHEMA_VERSION};
"""

# One at a time, because `executescript` would commit the transaction they stand in.
SCHEMA_STATEMENTS = tuple(statement for statement in _SCHEMA.split(";\n") if statement.strip())

HASH_BITS = 20
FIRST_KEY, LAST_KEY = -(2**63), 2**63 - 1
TAGS = (Facet.PLACE, Facet.RISK)  # facets with several values a post, kept in `tags`


def first_pk(published_us: int) -> int:
    """The lowest key of the millisecond."""
    return (published_us // 1000) << HASH_BITS


def last_pk(published_us: int) -> int:
    return first_pk(published_us) | ((1 << HASH_BITS) - 1)


def preferred_pk(post_id: str, published_us: int) -> int:
    """Where the post goes when nothing stands there."""
    return first_pk(published_us) | (zlib.crc32(post_id.encode()) & ((1 << HASH_BITS) - 1))


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of SQL with its parameters."""

    sql: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Walk:
    """A FROM that gives the matching keys in order of time, for a condition that holds for many posts."""

    source: str
    key: str
    test: Clause


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a query, in the forms that the plan chooses from."""

    test: Clause  #: on the row `p`
    keys: Clause | None = None  #: `SELECT pk …` over one index, no key twice; None: no index helps
    walk: Walk | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A range of keys, both ends included."""

    first: int = FIRST_KEY
    last: int = LAST_KEY

    def within(self, key: str) -> tuple[Clause, ...]:
        """Nothing for all of time: SQLite would take any bound on the key for a reason to scan by it."""
        return () if self == Span() else (Clause(f"{key} BETWEEN ? AND ?", (self.first, self.last)),)

    def cut(self, *, first: int | None = None, last: int | None = None) -> Span:
        """Narrower; ends that SQLite's integers can't hold are as good as no posts at all."""
        lowest = self.first if first is None else max(self.first, min(first, LAST_KEY))
        highest = self.last if last is None else min(self.last, max(last, FIRST_KEY))
        return Span(lowest, highest)


@dataclass(frozen=True, slots=True)
class Select:
    """FROM and WHERE of one query; the caller adds which columns of `p` it wants, and the order."""

    source: Clause
    tests: tuple[Clause, ...]
    span: Span
    key: str = "p.pk"  #: what to order by, to walk in order of time

    def statement(self, columns: str, tail: str = "", *more: Any) -> tuple[str, tuple[Any, ...]]:
        clauses = (*self.span.within(self.key), *self.tests)
        where = " AND ".join(clause.sql for clause in clauses) or "1"
        parameters = (p for clause in (self.source, *clauses) for p in clause.parameters)
        # Only SQL written in this module is pasted together; every value is a parameter.
        return f"SELECT {columns} FROM {self.source.sql} WHERE {where} {tail}", (*parameters, *more)  # noqa: S608

    def also(self, *tests: Clause, span: Span | None = None) -> Select:
        return replace(self, tests=(*self.tests, *tests), span=span or self.span)


def select(query: Query, rare: Condition | None) -> Select:
    """The rows of a query: through the keys of its rare condition, else a walk in order of time."""
    found = conditions(query)
    walked = next((condition for condition in found if condition.walk is not None), None)
    if rare is None or rare.keys is None:
        return _walk(query, found, walked)
    if walked is not None and walked != rare and walked.walk is not None and walked.walk.source == "words":
        # FTS5 gives all matches faster than it tells one by one whether a post is among them.
        among = Clause(f"+words.rowid IN ({rare.keys.sql})", rare.keys.parameters)
        return _walk(query, [c for c in found if c != rare], walked, among)
    source = Clause(f"({rare.keys.sql}) d CROSS JOIN posts p ON p.pk = d.pk", rare.keys.parameters)
    return Select(source, _tests(query, (c for c in found if c != rare)), span_of(query))


def _walk(query: Query, found: list[Condition], walked: Condition | None, *first: Clause) -> Select:
    """Along the walk of one condition, or along the posts themselves; `first` is tested before the others."""
    if walked is None or walked.walk is None:
        return Select(Clause("posts p"), _tests(query, found), span_of(query))
    walk = walked.walk
    source = Clause(f"{walk.source} CROSS JOIN posts p ON p.pk = {walk.key}")
    tests = (walk.test, *first, *_tests(query, (c for c in found if c != walked)))
    return Select(source, tests, span_of(query), walk.key)


def select_by_risk(query: Query, rare: Condition | None) -> Select:
    """The same rows; without a rare condition along the index of risk scores."""
    if rare is not None:
        return select(query, rare)
    return Select(Clause("posts p INDEXED BY posts_risk"), _tests(query, conditions(query)), span_of(query))


def select_best(query: Query) -> Select:
    """The same rows beside their word matches `words`, whose bm25 the caller orders by."""
    found = conditions(query)
    tests = (
        words_match(query),
        *_tests(query, (c for c in found if c.walk is None or c.walk.source != "words")),
    )
    return Select(
        Clause("words CROSS JOIN posts p ON p.pk = words.rowid"), tests, span_of(query), "words.rowid"
    )


def conditions(query: Query) -> list[Condition]:
    """Everything the query asks but time, which is a span of keys. A condition with a walk comes first."""
    found = [*_words(query), *_tag_conditions(query), *_column_conditions(query)]
    if query.ids is not None:
        found.append(_column("id", query.ids))
    if not query.with_deleted:
        found.append(Condition(Clause("p.is_deleted = 0")))
    if query.relevant is not None:
        found.append(Condition(Clause("p.relevant = ?", (int(query.relevant),))))
    if query.needs_answer is not None:
        test = Clause("+p.needs_answer = ?", (int(query.needs_answer),))
        found.append(Condition(test, _keys("needs_answer = 1") if query.needs_answer else None))
    if query.min_severity > Severity.NONE:
        found.append(_at_least("severity", int(query.min_severity), "severity > 0"))
    if query.min_risk_score > 0:
        found.append(_at_least("risk_score", query.min_risk_score))
    return found


def span_of(query: Query) -> Span:
    """`since` and `until` in whole milliseconds; `_tests` cuts exactly."""
    span = Span()
    if query.since is not None:
        span = span.cut(first=first_pk(_micros(query.since, "since")))
    if query.until is not None:
        span = span.cut(last=first_pk(_micros(query.until, "until") + 999) - 1)
    return span


def probe(keys: Clause, span: Span, limit: int) -> tuple[str, tuple[Any, ...]]:
    """Counts the keys of a condition within the span, giving up at `limit`."""
    source = Clause(f"({keys.sql}) k", keys.parameters)
    inner, parameters = Select(source, (), span, "k.pk").statement("1", "LIMIT ?", limit)
    return f"SELECT count(*) FROM ({inner})", parameters  # noqa: S608


def time_keys(span: Span) -> Condition:
    """The span itself as a condition: a short period is the rarest of all."""
    statement, parameters = Select(Clause("posts p"), (), span).statement("p.pk")
    return Condition(Clause("1"), Clause(statement, parameters))


def after(cursor: Cursor, span: Span) -> tuple[Clause, Span]:
    """Rows that come behind the cursor in its order."""
    place = (cursor.published_us, cursor.id)
    match cursor.order:
        case Order.OLDEST:
            return Clause("(p.published_us, p.id) > (?, ?)", place), span.cut(
                first=first_pk(cursor.published_us)
            )
        case Order.RISK:
            score = int(cursor.key)
            test = "p.risk_score <= ? AND (p.risk_score, p.published_us, p.id) < (?, ?, ?)"
            return Clause(test, (score, score, *place)), span
        case _:
            last = last_pk(cursor.published_us)
            return Clause("(p.published_us, p.id) < (?, ?)", place), span.cut(last=last)


def words_match(query: Query) -> Clause:
    return Clause("words.words MATCH ?", (match_expression(query.lemmas),))


def match_expression(lemmas: Sequence[str]) -> str | None:
    """What FTS5 reads: every token quoted, all of them required. None: nothing is asked."""
    return " AND ".join('"' + token.replace('"', '""') + '"' for token in tokens(lemmas)) or None


def _tests(query: Query, found: Iterable[Condition]) -> tuple[Clause, ...]:
    exact = []
    if query.since is not None and (since := _micros(query.since, "since")) % 1000:
        exact.append(Clause("p.published_us >= ?", (since,)))
    if query.until is not None and (until := _micros(query.until, "until")) % 1000:
        exact.append(Clause("p.published_us < ?", (until,)))
    return (*(condition.test for condition in found), *exact)


def _words(query: Query) -> Iterator[Condition]:
    if match_expression(query.lemmas) is not None:
        walk = Walk("words", "words.rowid", words_match(query))
        statement, parameters = Select(Clause("words"), (walk.test,), span_of(query), walk.key).statement(
            "words.rowid AS pk"
        )
        keys = Clause(statement, parameters)
        yield Condition(Clause(f"p.pk IN ({keys.sql})", keys.parameters), keys, walk)


def _tag_conditions(query: Query) -> Iterator[Condition]:
    for facet, values in ((Facet.PLACE, query.places), (Facet.RISK, query.risks)):
        if values:
            within = _within("t.value", values)
            tagged = Clause(f"t.field = '{facet.value}' AND {within.sql}", within.parameters)
            distinct = "" if len(values) == 1 else "DISTINCT"
            keys = Clause(f"SELECT {distinct} t.pk FROM tags t WHERE {tagged.sql}", tagged.parameters)  # noqa: S608
            test = f"EXISTS (SELECT 1 FROM tags t WHERE {tagged.sql} AND t.pk = p.pk)"  # noqa: S608
            walk = Walk("tags t", "t.pk", tagged) if len(values) == 1 else None
            yield Condition(Clause(test, tagged.parameters), keys, walk)


def _column_conditions(query: Query) -> Iterator[Condition]:
    indexed = {
        "parent_id": query.parent_ids,
        "story_id": query.story_ids,
        "author": query.authors,
        "source_id": query.source_ids,
        "topic": query.topics,
        "topic_group": query.topic_groups,
        "state": query.states,
        "intent": query.intents,
        "sentiment": query.sentiments,
        "network": query.networks,
        "scope": () if query.scope is None else (query.scope,),
    }
    for column, values in indexed.items():
        if values:
            yield _column(column, values)
    if query.kinds:
        yield Condition(_within("+p.kind", query.kinds))


def _column(column: str, values: Sequence[Any]) -> Condition:
    """One value walks its index in order of time; several would need a sort: their index is held off."""
    keys = _within(column, values)
    sign = "" if len(values) == 1 else "+"
    return Condition(_within(f"{sign}p.{column}", values), _keys(keys.sql, keys.parameters))


def _at_least(column: str, value: int, partial: str = "1") -> Condition:
    keys = _keys(f"{column} >= ? AND {partial}", (value,))
    return Condition(Clause(f"+p.{column} >= ?", (value,)), keys)


def _keys(where: str, parameters: tuple[Any, ...] = ()) -> Clause:
    return Clause(f"SELECT pk FROM posts WHERE {where}", parameters)  # noqa: S608


def _within(name: str, values: Sequence[Any]) -> Clause:
    plain = tuple(value.value if isinstance(value, Enum) else value for value in values)
    if len(plain) == 1:
        return Clause(f"{name} = ?", plain)
    return Clause(f"{name} IN (SELECT value FROM json_each(?))", (json.dumps(plain),))  # noqa: S608


def _micros(moment: datetime, name: str) -> int:
    return micros(in_utc(moment, field=name))
