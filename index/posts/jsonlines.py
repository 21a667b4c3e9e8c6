"""Posts as JSON lines, the shape of files that come in and go out: one post a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from index.domain.analysis import Analysis
from index.domain.post import Attachment, AuthorKind, Counters, Network, Post, PostKind, pseudonym
from index.errors import Refused
from index.posts.base import PostIndex
from index.posts.document import admit
from index.posts.query import Record

LINE_BYTES = 8_000_000  # a longer line is refused without being kept in memory
BATCH = 500  # posts added at once
NETWORKS = "vk, ok, telegram, max, news"

Json = dict[str, Any]
E = TypeVar("E", PostKind, AuthorKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A line that was not taken; lines count from 1."""

    line: int
    reason: str  #: Russian, for the person who has the file


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What an import did, line by line."""

    added: int = 0
    skipped: int = 0  #: known already; what changed in them was taken
    refused: list[Refusal] = field(default_factory=list)


def import_lines(
    file: Path,
    posts: PostIndex,
    *,
    secret: bytes,
    at: datetime,
    mask: Callable[[str], str] = str,
) -> ImportReport:
    """Add the posts of a file. Repeatable: what is there already adds nothing.

    A line that can't be read is refused with its number and the others go on. `secret` makes pseudonyms of
    authors, `mask` hides personal data in texts, `at` becomes the time of collection.
    Raises Refused when the file can't be read at all.
    """
    report = ImportReport()
    rest = _posts(file, report, secret=secret, at=at, mask=mask)
    while batch := list(islice(rest, BATCH)):
        added = posts.add(batch)
        report.added += added.new
        report.skipped += added.changed + added.known
    return report


def read_line(text: str, *, secret: bytes, at: datetime, mask: Callable[[str], str] = str) -> Post:
    """The post of one line. Raises Refused with the field that is wrong; unknown fields are passed over."""
    row = _row(text)
    network = _network(row)
    post = Post(
        id=_id(row, "id") or _missing("id"),
        network=network,
        kind=_member(row, "kind", PostKind, PostKind.POST),
        source=_text(row, "source") or _missing("source"),
        author=pseudonym(secret, network, _id(row, "author") or _missing("author")),
        published_at=_moment(row, "published_at") or _missing("published_at"),
        text=mask(_text(row, "text") if "text" in row else _missing("text")),
        collected_at=at,
        source_id=_id(row, "source_id"),
        source_home=_text(row, "source_home") or None,
        author_kind=_member(row, "author_kind", AuthorKind, AuthorKind.PERSON),
        parent_id=_id(row, "parent"),
        reply_to_id=_id(row, "reply_to"),
        origin_id=_id(row, "origin"),
        url=_text(row, "url") or None,
        attachments=_attachments(row),
        counters=Counters(
            views=_count(row, "views"),
            likes=_count(row, "reactions"),
            reposts=_count(row, "reposts"),
            comments=_count(row, "comments"),
        ),
        is_edited=_flag(row, "is_edited"),
        is_deleted=_flag(row, "is_deleted"),
    )
    return admit(post)


def line_of(record: Record) -> str:
    """A post with its analysis as one line: the fields of the import, then what else is known of it."""
    post = record.post
    row: Json = {
        "id": post.id,
        "platform": post.network.value,
        "kind": post.kind.value,
        "parent": post.parent_id,
        "source": post.source,
        "author": post.author,
        "published_at": post.published_at.isoformat(),
        "text": post.text,
        "url": post.url,
        "source_home": post.source_home,
        "reactions": post.counters.likes,
        "views": post.counters.views,
        "reposts": post.counters.reposts,
        "comments": post.counters.comments,
        "author_kind": post.author_kind.value,
        "reply_to": post.reply_to_id,
        "origin": post.origin_id,
        "source_id": post.source_id,
        "is_edited": post.is_edited,
        "is_deleted": post.is_deleted,
        "attachments": [
            {"kind": a.kind, "url": a.url, "title": a.title, "text": a.text} for a in post.attachments
        ],
        "collected_at": None if post.collected_at is None else post.collected_at.isoformat(),
        "state": record.state.value,
        "analysis": None if record.analysis is None else _analysis(record.analysis),
    }
    return json.dumps(row, ensure_ascii=False)


def _posts(
    file: Path, report: ImportReport, *, secret: bytes, at: datetime, mask: Callable[[str], str]
) -> Iterator[Post]:
    for number, line in _lines(file):
        try:
            if len(line) > LINE_BYTES:
                raise Refused(f"длиннее {LINE_BYTES // 1_000_000} МБ")
            yield read_line(line.decode("utf-8-sig"), secret=secret, at=at, mask=mask)
        except UnicodeDecodeError:
            report.refused.append(Refusal(line=number, reason="не UTF-8"))
        except Refused as error:
            report.refused.append(Refusal(line=number, reason=str(error)))


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, each at most a byte longer than LINE_BYTES; the rest of it is passed over."""
    try:
        with file.open("rb") as stream:
            number = 0
            while line := stream.readline(LINE_BYTES + 1):
                number += 1
                end = line
                while not end.endswith(b"\n") and (end := stream.readline(LINE_BYTES)):
                    pass
                if line.strip():
                    yield number, line
    except OSError as error:
        raise Refused(f"Файл {file} не читается: {error.strerror}.", field="file") from None


def _row(text: str) -> Json:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("не JSON") from None
    if not isinstance(row, dict):
        raise Refused("нужен объект JSON в фигурных скобках")
    return row


def _missing(name: str) -> NoReturn:
    raise Refused(f"нет поля {name}", field=name)


def _wrong(name: str, wanted: str) -> Refused:
    return Refused(f"поле {name}: {wanted}", field=name)


def _text(row: Json, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(name, "нужна строка")
    return value


def _id(row: Json, name: str) -> str | None:
    """Some networks count, others name: a whole number is as good as a string."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(row, name).strip() or None


def _network(row: Json) -> Network:
    try:
        return Network(_text(row, "platform") or _missing("platform"))
    except ValueError:
        raise _wrong("platform", f"нужно одно из {NETWORKS}") from None


def _member(row: Json, name: str, kind: type[E], otherwise: E) -> E:
    value = _text(row, name)
    try:
        return kind(value) if value else otherwise
    except ValueError:
        raise _wrong(name, f"нужно одно из {', '.join(member.value for member in kind)}") from None


def _moment(row: Json, name: str) -> datetime | None:
    value = _text(row, name)
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise _wrong(name, "нужно смещение от UTC, например 2026-11-24T10:00:00+03:00")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(name, "нужно время ISO 8601, например 2026-11-24T10:00:00+03:00") from None


def _count(row: Json, name: str) -> int | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise _wrong(name, "нужно целое число от 0")
    return value


def _flag(row: Json, name: str) -> bool:
    value = row.get(name)
    if value is not None and not isinstance(value, bool):
        raise _wrong(name, "нужно true или false")
    return bool(value)


def _attachments(row: Json) -> tuple[Attachment, ...]:
    listed = row.get("attachments") or []
    if not isinstance(listed, list) or not all(isinstance(item, Mapping) for item in listed):
        raise _wrong("attachments", "нужен список объектов")
    return tuple(
        Attachment(
            kind=_text(item, "kind") or "document",
            url=_text(item, "url") or None,
            title=_text(item, "title"),
            text=_text(item, "text"),
        )
        for item in listed
    )


def _analysis(analysis: Analysis) -> Json:
    """Named as in the output of `mcu predict`; the vector stays, it means something to one encoder only."""
    return {
        "relevant": analysis.relevant,
        "relevance": analysis.relevance,
        "places": list(analysis.places),
        "scope": analysis.scope,
        "address": analysis.address,
        "intent": analysis.intent.value,
        "topic_group": analysis.topic_group,
        "topic": analysis.topic,
        "sentiment": analysis.sentiment.value,
        "toxicity": analysis.toxicity,
        "risks": [risk.value for risk in analysis.risks],
        "risk_scores": {risk.value: score for risk, score in analysis.risk_scores.items()},
        "severity": int(analysis.severity),
        "needs_answer": analysis.needs_answer,
        "duplicate_of": analysis.duplicate_of,
        "story": analysis.story_id,
        "risk_score": analysis.risk_score,
        "risk_parts": [{"name": part.name, "points": part.points} for part in analysis.risk_parts],
        "entities": [
            {"text": e.text, "type": e.type, "start": e.start, "stop": e.stop} for e in analysis.entities
        ],
        "model": analysis.model,
        "analysed_at": analysis.analysed_at.isoformat(),
    }
