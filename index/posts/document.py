"""Posts and analyses as plain JSON values, the one shape both backends store, and what they accept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from index.domain.analysis import Analysis, Entity, Evidence, Intent, Risk, ScorePart, Sentiment, Severity
from index.domain.post import Attachment, AuthorKind, Counters, Network, Post, PostKind, Print
from index.errors import Refused

ID_BYTES = 512  # Elasticsearch takes no longer `_id`
TOKEN_CHARACTERS = 100  # a longer lemma is a link or noise; both backends cut it alike
YEARS = range(1990, 2200)  # outside of these a date is a fault of the source, and would cost an index a month
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Json = dict[str, Any]

_not_in_a_token = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def admit(post: Post) -> Post:
    """The post as every backend keeps it: UTC, valid Unicode. Raises Refused when it can't be kept at all."""
    post = _with_valid_text(post)
    if not post.id or len(post.id.encode()) > ID_BYTES:
        raise Refused(f"Номер поста должен занимать от 1 до {ID_BYTES} байт: {post.id[:60]!r}.", field="id")
    published_at = in_utc(post.published_at, field="published_at")
    if published_at.year not in YEARS:
        raise Refused(f"Пост {post.id}: неправдоподобная дата {published_at:%Y-%m-%d}.", field="published_at")
    collected_at = None if post.collected_at is None else in_utc(post.collected_at, field="collected_at")
    return replace(post, published_at=published_at, collected_at=collected_at)


def admit_analysis(analysis: Analysis) -> Analysis:
    """The analysis as every backend keeps it: lemmas as search tokens, the vector in half precision."""
    return replace(
        analysis,
        analysed_at=in_utc(analysis.analysed_at, field="analysed_at"),
        lemmas=tokens(analysis.lemmas),
        vector=unpack_vector(pack_vector(analysis.vector)),
    )


def tokens(lemmas: Iterable[str]) -> tuple[str, ...]:
    """Lemmas as they are indexed and searched: lower case, without spaces, at most 100 characters each.

    An ordinary lemma stays as it is; a query goes through the same door, so both always meet.
    """
    clean = _not_in_a_token.sub(" ", " ".join(lemmas)).encode("utf-8", "ignore").decode()
    return tuple(word[:TOKEN_CHARACTERS] for word in clean.lower().split())


def in_utc(moment: datetime, *, field: str) -> datetime:
    """Raises Refused for a time without a zone: nobody can tell which instant it means."""
    if moment.tzinfo is None:
        raise Refused(f"{field}: время без часового пояса.", field=field)
    return moment.astimezone(UTC)


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - EPOCH) // MICROSECOND


def moment_of(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND


def month_of(moment: datetime) -> str:
    """2026.11: the month, in UTC, whose index keeps what was published at this moment."""
    return moment.astimezone(UTC).strftime("%Y.%m")


def month_start(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def pack_vector(vector: Sequence[float]) -> bytes:
    """Half precision, little-endian: a cosine moves by less than 0.001 and the disk holds twice as many."""
    return np.asarray(vector, dtype="<f2").tobytes()


def unpack_vector(packed: bytes | None) -> tuple[float, ...]:
    return tuple(np.frombuffer(packed, dtype="<f2").astype(float).tolist()) if packed else ()


def post_to_json(post: Post) -> Json:
    return {
        "id": post.id,
        "network": post.network.value,
        "kind": post.kind.value,
        "source": post.source,
        "author": post.author,
        "published_at": post.published_at.isoformat(),
        "text": post.text,
        "collected_at": None if post.collected_at is None else post.collected_at.isoformat(),
        "source_id": post.source_id,
        "source_home": post.source_home,
        "author_kind": post.author_kind.value,
        "parent_id": post.parent_id,
        "reply_to_id": post.reply_to_id,
        "origin_id": post.origin_id,
        "url": post.url,
        "attachments": [
            {"kind": a.kind, "url": a.url, "title": a.title, "text": a.text} for a in post.attachments
        ],
        "counters": {
            "views": post.counters.views,
            "likes": post.counters.likes,
            "reposts": post.counters.reposts,
            "comments": post.counters.comments,
        },
        "is_edited": post.is_edited,
        "is_deleted": post.is_deleted,
        "print": print_to_text(post.print),
    }


def post_from_json(value: Mapping[str, Any]) -> Post:
    return Post(
        id=value["id"],
        network=Network(value["network"]),
        kind=PostKind(value["kind"]),
        source=value["source"],
        author=value["author"],
        published_at=datetime.fromisoformat(value["published_at"]),
        text=value["text"],
        collected_at=_moment(value["collected_at"]),
        source_id=value["source_id"],
        source_home=value["source_home"],
        author_kind=AuthorKind(value["author_kind"]),
        parent_id=value["parent_id"],
        reply_to_id=value["reply_to_id"],
        origin_id=value["origin_id"],
        url=value["url"],
        attachments=tuple(Attachment(**item) for item in value["attachments"]),
        counters=Counters(**value["counters"]),
        is_edited=value["is_edited"],
        is_deleted=value["is_deleted"],
        print=print_from_text(value.get("print")),
    )


def print_to_text(found: Print | None) -> str | None:
    """`5f0c…:a1b2…:1795510800`"""
    return None if found is None else f"{found.record}:{found.counters}:{int(found.at.timestamp())}"


def print_from_text(text: str | None) -> Print | None:
    """None: the post was kept without one, or by an earlier version of the service."""
    if text is None:
        return None
    record, counters, seconds = text.split(":")
    return Print(record=record, counters=counters, at=datetime.fromtimestamp(int(seconds), UTC))


def analysis_to_json(analysis: Analysis) -> Json:
    """Everything but the vector, which each backend keeps in its own way."""
    return {
        "model": analysis.model,
        "analysed_at": analysis.analysed_at.isoformat(),
        "lemmas": list(analysis.lemmas),
        "relevance": analysis.relevance,
        "relevant": analysis.relevant,
        "places": list(analysis.places),
        "scope": analysis.scope,
        "address": analysis.address,
        "intent": analysis.intent.value,
        "topic_group": analysis.topic_group,
        "topic": analysis.topic,
        "sentiment": analysis.sentiment.value,
        "toxicity": analysis.toxicity,
        "risk_scores": {risk.value: score for risk, score in analysis.risk_scores.items()},
        "risks": [risk.value for risk in analysis.risks],
        "severity": int(analysis.severity),
        "needs_answer": analysis.needs_answer,
        "entities": [
            {"text": e.text, "type": e.type, "start": e.start, "stop": e.stop} for e in analysis.entities
        ],
        "evidence": [
            {"risk": e.risk.value, "start": e.start, "stop": e.stop, "weight": e.weight}
            for e in analysis.evidence
        ],
        "duplicate_of": analysis.duplicate_of,
        "story_id": analysis.story_id,
        "risk_score": analysis.risk_score,
        "risk_parts": [{"name": part.name, "points": part.points} for part in analysis.risk_parts],
    }


def analysis_from_json(value: Mapping[str, Any], vector: tuple[float, ...] = ()) -> Analysis:
    return Analysis(
        model=value["model"],
        analysed_at=datetime.fromisoformat(value["analysed_at"]),
        lemmas=tuple(value["lemmas"]),
        relevance=value["relevance"],
        relevant=value["relevant"],
        places=tuple(value["places"]),
        scope=value["scope"],
        address=value["address"],
        intent=Intent(value["intent"]),
        topic_group=value["topic_group"],
        topic=value["topic"],
        sentiment=Sentiment(value["sentiment"]),
        toxicity=value["toxicity"],
        risk_scores={Risk(risk): score for risk, score in value["risk_scores"].items()},
        risks=tuple(Risk(risk) for risk in value["risks"]),
        severity=Severity(value["severity"]),
        needs_answer=value["needs_answer"],
        entities=tuple(Entity(**item) for item in value["entities"]),
        evidence=tuple(Evidence(**item | {"risk": Risk(item["risk"])}) for item in value["evidence"]),
        vector=vector,
        duplicate_of=value["duplicate_of"],
        story_id=value["story_id"],
        risk_score=value["risk_score"],
        risk_parts=tuple(ScorePart(**item) for item in value["risk_parts"]),
    )


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _with_valid_text(post: Post) -> Post:
    """Half of a surrogate pair (a cut emoji in somebody's JSON) can't be stored: it becomes «�»."""
    strings = {
        name: value
        for name in ("id", "source", "author", "text", "source_id", "source_home", "parent_id", "reply_to_id",
                     "origin_id", "url")
        if (value := getattr(post, name)) is not None
    }  # fmt: skip
    attached = [text for a in post.attachments for text in (a.kind, a.url or "", a.title, a.text)]
    try:
        "".join((*strings.values(), *attached)).encode()
    except UnicodeEncodeError:
        attachments = tuple(
            Attachment(
                kind=_valid(a.kind), url=a.url and _valid(a.url), title=_valid(a.title), text=_valid(a.text)
            )
            for a in post.attachments
        )
        mended: dict[str, Any] = {name: _valid(text) for name, text in strings.items()}
        return replace(post, attachments=attachments, **mended)
    return post


def _valid(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
