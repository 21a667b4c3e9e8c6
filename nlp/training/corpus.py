"""The labelled sets: lines of the district corpus and of the public sets that training reads."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.domain.analysis import Intent, Risk, Sentiment
from index.domain.post import Network, PostKind
from index.errors import Misconfigured
from nlp.models.base import HeadInput

TWEET_CLASSES = ("neutral", "negative", "positive", "skip", "speech")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One labelled post or comment; the fields are those of the labelling guide."""

    id: str
    platform: str
    kind: str
    parent: str | None
    source: str
    author: str
    published_at: str
    text: str
    relevant: bool
    places: tuple[str, ...]
    address: str | None
    intent: Intent
    topic_group: str | None
    sentiment: Sentiment
    risks: tuple[Risk, ...]
    severity: int
    needs_answer: bool
    story: str | None
    duplicate_of: str | None
    parent_text: str = ""

    @property
    def part(self) -> str:
        """The brief it was written to: `t7`, `x1`; lines of one story never stand in two parts."""
        return self.id.split("-")[0]

    def head_input(self, source_home: str | None = None) -> HeadInput:
        return HeadInput(
            text=self.text, network=Network(self.platform), kind=PostKind(self.kind), source=self.source,
            source_home=source_home, parent_text=self.parent_text, places=self.places,
        )  # fmt: skip


def read_lines(path: Path) -> list[Line]:
    """Labelled lines of a JSON-lines file, plain or .gz. Raises Misconfigured naming file and line."""
    if not path.is_file():
        raise Misconfigured(
            f"Нет файла {path.name}.", remedy="Обучение читает ../shared/data и nlp/training/corpus."
        )
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        rows = list(_rows(file, path.name))
    texts = {row["id"]: row["text"] for row in rows}
    return [_line(row, texts) for row in rows]


def _rows(file: Iterable[str], name: str) -> Iterator[dict[str, Any]]:
    for number, raw in enumerate(file, 1):
        if not raw.strip():
            continue
        try:
            yield json.loads(raw)
        except ValueError as error:
            raise Misconfigured(
                f"{name}, строка {number}: {error}.", remedy="Нужен JSON в каждой строке."
            ) from None


def _line(row: dict[str, Any], texts: dict[str, str]) -> Line:
    parent = row.get("parent")
    return Line(
        id=row["id"], platform=row["platform"], kind=row["kind"], parent=parent, source=row["source"],
        author=str(row["author"]), published_at=row["published_at"],
        text=row["text"], relevant=row["relevant"],
        places=tuple(row["places"]), address=row["address"], intent=Intent(row["intent"]),
        topic_group=row["topic_group"], sentiment=Sentiment(row["sentiment"]),
        risks=tuple(Risk(risk) for risk in row["risks"]), severity=row["severity"],
        needs_answer=row["needs_answer"], story=row["story"], duplicate_of=row["duplicate_of"],
        parent_text=texts.get(parent, "") if parent else "",
    )  # fmt: skip


def read_labels(path: Path) -> dict[str, dict[str, Any]]:
    """Labels by the id of the line, as fields of `Line`, from a file that holds no texts."""
    with path.open(encoding="utf-8") as file:
        return {
            row["id"]: {
                "relevant": row["relevant"], "intent": Intent(row["intent"]),
                "topic_group": row["topic_group"], "sentiment": Sentiment(row["sentiment"]),
                "risks": tuple(Risk(risk) for risk in row["risks"]), "severity": row["severity"],
                "needs_answer": row["needs_answer"],
            }
            for row in _rows(file, path.name)
        }  # fmt: skip


def read_tweets(data: Path) -> list[tuple[str, int]]:
    """RuSentiTweet, training half: text and class number in TWEET_CLASSES."""
    rows = _table(data / "sentiment/rusentitweet/rusentitweet_train.csv")
    return [(row["text"], TWEET_CLASSES.index(row["label"])) for row in rows]


def read_toxic(data: Path) -> list[tuple[str, int]]:
    """2ch / Pikabu comments, training half: text and 1 for a toxic one."""
    rows = _table(data / "risk/toxic_2ch_pikabu/toxic_train.csv")
    return [(row["comment"], int(float(row["toxic"]))) for row in rows]


def read_kursk(data: Path) -> list[tuple[str, str, str, str]]:
    """Kursk complaints, training half: text, category (17), topic (161), group of equal texts."""
    rows = _table(data / "complaints/kursk_train.csv")
    return [(row["text"], row["category_name"], row["topic"], row["dup_group"]) for row in rows]


def _table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise Misconfigured(f"Нет файла {path.name}.", remedy="Обучение читает ../shared/data.")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
