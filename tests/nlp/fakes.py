"""Models that are functions of the text: what a post says decides, so that a test can say it in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np

from index.domain.analysis import Intent, Risk, Sentiment
from nlp.models.base import HeadInput, HeadOutput, Thresholds, Vectors

DIMS = 32
FIRE, OUTAGE, RUMOUR = "горит", "нет воды", "говорят"


class WordEncoder:
    """Words thrown into DIMS boxes: texts that share words are near."""

    name = "words-32"
    dims = DIMS

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        rows = np.full((len(texts), DIMS), 0.01, dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[crc32(word[:5].encode()) % DIMS] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class SpokenModels:
    """What the words say.

    «горит» is an emergency of severity 3, «нет воды» an outage and «говорят» a rumour of severity 2, «спам»
    is irrelevant.
    """

    version = "spoken-1"
    thresholds = Thresholds()
    card: Mapping[str, Any] = {}

    def __init__(self, refuses: Callable[[str], bool] = lambda text: False) -> None:
        self.encoder = WordEncoder()
        self._refuses = refuses

    def predict(self, inputs: Sequence[HeadInput], vectors: Vectors) -> list[HeadOutput]:
        if any(self._refuses(each.text) for each in inputs):
            raise ValueError("a text that no head can take")
        return [_output(each.text.lower()) for each in inputs]

    def evidence(self, given: HeadInput, risk: Risk) -> list[tuple[int, int, float]]:
        word = {Risk.EMERGENCY: FIRE, Risk.OUTAGE: OUTAGE}.get(risk, "")
        start = given.text.lower().find(word) if word else -1
        return [(start, start + len(word), 1.0)] if start >= 0 else []


def _output(text: str) -> HeadOutput:
    fire, dry, told, spam = FIRE in text, OUTAGE in text, RUMOUR in text, "спам" in text
    group = "Безопасность и правопорядок" if fire else "ЖКХ" if dry else None
    return HeadOutput(
        relevance=0.02 if spam else 0.98,
        intent={Intent.AD if spam else Intent.COMPLAINT if fire or dry else Intent.CHATTER: 1.0},
        topic_group={group: 1.0},
        topic={},
        sentiment={Sentiment.NEGATIVE if fire or dry else Sentiment.NEUTRAL: 1.0},
        toxicity=0.0,
        risks={
            Risk.EMERGENCY: 0.95 if fire else 0.02, Risk.OUTAGE: 0.95 if dry else 0.02,
            Risk.RUMOUR: 0.9 if told else 0.02,
        },
        severity=(0.05, 0.02, 0.03, 0.9)
        if fire
        else (0.1, 0.1, 0.75, 0.05)
        if dry or told
        else (0.94, 0.04, 0.01, 0.01),
        needs_answer=0.9 if dry else 0.1,
    )  # fmt: skip
