"""Analyses a file of posts without the index: one JSON line in, one JSON line out, in the same order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from index.domain.analysis import Analysis
from index.domain.post import Post
from index.errors import Refused
from index.posts.jsonlines import read_line
from nlp.analyse import Analyser
from nlp.beside import place_all
from nlp.district import load_district
from nlp.models import load_models

BATCH = 512  # posts analysed at once: enough for the encoder to sort by length
MAX_LINE = 8_000_000  # characters; a longer line is refused, not read
READ_AT = datetime(1970, 1, 1, tzinfo=UTC)  # nothing is collected here: the moment is never written
SECRET = b"predict"  # authors are told apart within the file only


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What a file held: its posts in order, what was said of each, and the lines that were refused."""

    posts: list[Post]
    rows: list[dict[str, Any]]
    faults: list[str]  #: Russian, each names its line


def predict_file(
    file: Path, out: TextIO, *, encoder: str | None = None, district: Path | None = None
) -> list[str]:
    """Writes a prediction a line and returns the faults of the lines that were refused.

    Raises Refused when the file cannot be read, or when it has lines and none is a post.
    """
    predicted = predict(read_lines(file), encoder=encoder, district=district)
    if predicted.faults and not predicted.posts:
        raise Refused(f"{file.name}: ни одной строки не прочитано. {predicted.faults[0]}")
    for row in predicted.rows:
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return predicted.faults


def predict(lines: Iterable[str], *, encoder: str | None = None, district: Path | None = None) -> Predicted:
    """Posts of JSON lines, read beside each other; a comment's parent in the file is its context."""
    posts, faults = read_posts(lines)
    if not posts:
        return Predicted(posts=[], rows=[], faults=faults)
    pack, models = load_district(district), load_models(encoder)
    analyser = Analyser(models, pack)
    analysed: dict[str, Analysis] = {}
    for analyses, broken in _in_batches(posts, analyser):
        analysed |= analyses
        faults += broken
    whole = [post for post in posts if post.id in analysed]
    placed = place_all(whole, [analysed[post.id] for post in whole], pack, encoder=models.encoder.name)
    rows = [as_row(post.id, analysis) for post, analysis in zip(whole, placed, strict=True)]
    return Predicted(posts=whole, rows=rows, faults=faults)


def _in_batches(posts: Sequence[Post], analyser: Analyser) -> Iterator[tuple[dict[str, Analysis], list[str]]]:
    by_id = {post.id: post for post in posts}
    for at in range(0, len(posts), BATCH):
        batch = posts[at : at + BATCH]
        parents = {p.parent_id: by_id[p.parent_id] for p in batch if p.parent_id in by_id and p.parent_id}
        analyses, broken = analyser.analyse_each(batch, parents, at=datetime.now(UTC))
        yield analyses, [f"Пост {each.post_id} не разобран: {each.error}" for each in broken]


def read_posts(lines: Iterable[str]) -> tuple[list[Post], list[str]]:
    """Posts of JSON lines in order, and why the others were refused (Russian, by number)."""
    posts: dict[str, Post] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            if len(line) > MAX_LINE:
                raise Refused(f"длиннее {MAX_LINE} знаков")
            post = read_line(line, secret=SECRET, at=READ_AT)
            if post.id in posts:
                raise Refused(f"id {post.id} уже есть выше", field="id")
            posts[post.id] = post
        except Refused as error:
            faults.append(f"Строка {number}: {error}")
    return list(posts.values()), faults


def as_row(post_id: str, analysis: Analysis) -> dict[str, Any]:
    """The fields of the contract, in its order."""
    return {
        "id": post_id,
        "relevant": analysis.relevant,
        "relevance": round(analysis.relevance, 4),
        "places": list(analysis.places),
        "address": analysis.address,
        "intent": analysis.intent.value,
        "topic_group": analysis.topic_group,
        "topic": analysis.topic,
        "sentiment": analysis.sentiment.value,
        "toxicity": round(analysis.toxicity, 4),
        "risks": [risk.value for risk in analysis.risks],
        "risk_scores": {risk.value: round(share, 4) for risk, share in analysis.risk_scores.items()},
        "severity": int(analysis.severity),
        "needs_answer": analysis.needs_answer,
        "duplicate_of": analysis.duplicate_of,
        "story": analysis.story_id,
        "risk_score": analysis.risk_score,
        "risk_parts": [{"name": part.name, "points": part.points} for part in analysis.risk_parts],
        "entities": [
            {"text": each.text, "type": each.type, "start": each.start, "stop": each.stop}
            for each in analysis.entities
        ],
        "model": analysis.model,
    }


def read_lines(file: Path) -> list[str]:
    """Lines of a text file. Raises Refused when it cannot be opened."""
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as lines:
            return list(lines)
    except OSError as error:
        raise Refused(f"{file}: не читается ({error.strerror}).") from None
