"""Heads of the public sets: reported in docs/quality.md as a yardstick, never shipped (toxicity is)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from nlp.models.base import HeadInput
from nlp.models.features import Vocabulary, names_of
from nlp.models.wording import fold
from nlp.training.linear import Array

Example = TypeVar("Example", bound=tuple[Any, ...])
DEV_SHARE = 0.1  # of each public set, kept apart from every training step


def apart(rows: Sequence[Example], key: Callable[[Example], str]) -> tuple[list[Example], list[Example]]:
    """Training and dev rows; equal keys (near-equal texts) always fall on one side."""
    train: list[Example] = []
    dev: list[Example] = []
    for row in rows:
        (dev if random.Random(key(row)).random() < DEV_SHARE else train).append(row)  # noqa: S311
    return train, dev


def folded(row: tuple[Any, ...]) -> str:
    """Key of a row by its text: copies up to case and decoration fall on one side."""
    return fold(str(row[0]))


def bare_inputs(texts: Sequence[str]) -> list[HeadInput]:
    """Texts that came from nowhere: no source, no parent."""
    return [HeadInput(text=text) for text in texts]


def tfidf(train: Sequence[str], dev: Sequence[str], *, at_least: int = 2) -> tuple[Any, Any]:
    """N-gram matrices of both halves over the vocabulary of the first."""
    counts = [names_of(given) for given in bare_inputs(train)]
    vocabulary = Vocabulary.learnt(counts, at_least=at_least)
    return vocabulary.matrix(counts), vocabulary.matrix([names_of(given) for given in bare_inputs(dev)])


def classify(train: Any, labels: Sequence[int], dev: Any, *, c: float) -> Array:
    """Log-probabilities (n_dev, n_classes) of a one-vs-rest logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    model = OneVsRestClassifier(LogisticRegression(C=c, solver="liblinear", class_weight=None))
    model.fit(train, list(labels))
    return np.asarray(np.log(np.clip(model.predict_proba(dev), 1e-6, 1)), dtype=np.float32)


def macro_f1(truth: Sequence[int], said: Sequence[int]) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, said, average="macro"))
