"""The shipped heads: linear layers over n-grams and the vector, stacked and calibrated; npz and JSON."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from index.domain.analysis import Intent, Risk, Sentiment
from index.errors import Misconfigured, Refused
from nlp.models.base import MAX_TEXT_CHARACTERS, HeadInput, HeadOutput, Thresholds, Vectors
from nlp.models.features import Vocabulary, letters_of, names_of
from nlp.models.labels import INTENTS, RISKS, SENTIMENTS, SPANS, TOPICS, WIDTH, activate
from nlp.models.wording import fold

Array = npt.NDArray[np.float32]

REMEDY = "Переустановите пакет mcu или соберите модели: make train."
FORMAT = 1  # of heads.npz and heads.json; other numbers are refused
EVIDENCE_WORDS = 6  # at most, of one class
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """A small layer over some n-gram features that officers' corrections made; added to the outputs."""

    columns: npt.NDArray[np.int32]  #: features it reads, columns of the vocabulary
    weights: Array  #: (n_columns, WIDTH + 1)
    bias: Array

    def outputs(self, x: csr_matrix) -> Array:
        return np.asarray(x[:, self.columns] @ self.weights + self.bias, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadWeights:
    """All numbers of the heads. The last column is toxicity, the others are `labels.COLUMNS`."""

    vocabulary: Vocabulary
    ngram: Array  #: (n_features, WIDTH + 1)
    ngram_bias: Array
    vector: Array  #: (dims, WIDTH + 1), for unit vectors times the square root of dims
    vector_bias: Array
    stack: Array  #: (2 × (WIDTH + 1), WIDTH + 1): n-gram outputs, then vector outputs → calibrated outputs
    stack_bias: Array
    alone: Array  #: (2, WIDTH + 1) slope and shift that calibrate the n-gram outputs without a vector
    taught: Taught | None = None  #: what officers' corrections added; None: nothing yet

    def outputs(self, inputs: Sequence[HeadInput], vectors: Vectors | None) -> Array:
        """(n, WIDTH + 1) calibrated, before the activation; without vectors the n-grams answer alone."""
        x = self.vocabulary.matrix([names_of(given) for given in inputs])
        own = self._own(x, vectors)
        return own if self.taught is None else own + self.taught.outputs(x)

    def _own(self, x: csr_matrix, vectors: Vectors | None) -> Array:
        ngram = np.asarray(x @ self.ngram + self.ngram_bias, dtype=np.float32)
        if vectors is None:
            return np.asarray(ngram * self.alone[0] + self.alone[1], dtype=np.float32)
        vector = vectors * np.float32(vectors.shape[1] ** 0.5) @ self.vector + self.vector_bias
        return np.asarray(np.hstack([ngram, vector]) @ self.stack + self.stack_bias, dtype=np.float32)


class Heads:
    """Predicts every label of posts. `vector_of` names the encoder that the vector layer was fitted to."""

    def __init__(self, weights: HeadWeights, card: Mapping[str, Any]) -> None:
        self.weights = weights
        self.card = card
        self.vector_of = str(card["encoder"])
        self.thresholds = _thresholds(card["thresholds"])

    def predict(self, inputs: Sequence[HeadInput], vectors: Vectors | None) -> list[HeadOutput]:
        """One output an input, same order; `vectors` None: the encoder is not the one the heads know."""
        if vectors is not None and len(inputs) != len(vectors):
            raise Refused(f"Текстов {len(inputs)}, векторов {len(vectors)}.")
        if not inputs:
            return []
        z = self.weights.outputs(inputs, vectors)
        p, toxicity = activate(z[:, :WIDTH]), 1 / (1 + np.exp(-np.clip(z[:, WIDTH], -30, 30)))
        return [_output(row, float(toxic)) for row, toxic in zip(p, toxicity, strict=True)]

    def evidence(self, given: HeadInput, risk: Risk) -> list[tuple[int, int, float]]:
        """Words that spoke for the class: (start, stop, share of what all words said for it)."""
        column = SPANS["risks"].start + RISKS.index(risk)
        words = [
            (match.start(), match.end(), fold(match.group()))
            for match in _WORD.finditer(given.text[:MAX_TEXT_CHARACTERS])
        ]
        said = self._said([word for _, _, word in words], names_of(given), column)
        total = sum(value for value in said if value > 0)
        if total <= 0:
            return []
        best = sorted(range(len(words)), key=lambda at: -said[at])[:EVIDENCE_WORDS]
        return [(words[at][0], words[at][1], said[at] / total) for at in best if said[at] > 0.03 * total]

    def _said(self, words: Sequence[str], counted: Counter[str], column: int) -> list[float]:
        """What each word adds to the class: its own features and half of each pair it stands in."""
        vocabulary, weights = self.weights.vocabulary, self.weights.ngram
        columns, values = vocabulary.row(counted)
        carried = {
            vocabulary.names[at]: value * weights[at, column] / counted[vocabulary.names[at]]
            for at, value in zip(columns.tolist(), values.tolist(), strict=True)
        }
        said = [carried.get("w" + w, 0.0) + sum(carried.get(n, 0.0) for n in letters_of(w)) for w in words]
        for at in range(len(words) - 1):
            pair = carried.get(f"w{words[at]} {words[at + 1]}", 0.0) / 2
            said[at] += pair
            said[at + 1] += pair
        return [float(value) if len(word) > 2 else 0.0 for word, value in zip(words, said, strict=True)]


def _output(row: Array, toxicity: float) -> HeadOutput:
    """A row of probabilities as named values; «reaches 2» is never likelier than «reaches 1»."""
    reach = np.minimum.accumulate(row[SPANS["severity"]])
    steps = [1 - reach[0], reach[0] - reach[1], reach[1] - reach[2], reach[2]]

    def named(keys: Sequence[Any], task: str) -> dict[Any, float]:
        return dict(zip(keys, row[SPANS[task]].tolist(), strict=True))

    intent: dict[Intent, float] = named(INTENTS, "intent")
    sentiment: dict[Sentiment, float] = named(SENTIMENTS, "sentiment")
    return HeadOutput(
        relevance=float(row[SPANS["relevance"].start]), intent=intent,
        topic_group=named(TOPICS, "topic_group"), topic={}, sentiment=sentiment, toxicity=toxicity,
        risks=named(RISKS, "risks"),
        severity=(float(steps[0]), float(steps[1]), float(steps[2]), float(steps[3])),
        needs_answer=float(row[SPANS["needs_answer"].start]),
    )  # fmt: skip


def _thresholds(given: Mapping[str, Any]) -> Thresholds:
    first, second, third = given["severity"]
    return Thresholds(
        relevance=given["relevance"], needs_answer=given["needs_answer"], toxicity=given["toxicity"],
        risks={Risk(name): value for name, value in given["risks"].items()}, severity=(first, second, third),
    )  # fmt: skip


def save_heads(folder: Path, weights: HeadWeights, card: Mapping[str, Any]) -> None:
    """Writes heads.npz and heads.json. The n-gram layer is kept in 8 bits, a scale for each output."""
    scale = np.maximum(np.abs(weights.ngram).max(axis=0) / 127, 1e-9)
    taught = weights.taught
    more: dict[str, Any] = {} if taught is None else {
        "taught_columns": taught.columns, "taught": taught.weights, "taught_bias": taught.bias,
    }  # fmt: skip
    np.savez_compressed(
        folder / "heads.npz",
        names=np.frombuffer("\n".join(weights.vocabulary.names).encode(), dtype=np.uint8),
        idf=weights.vocabulary.idf.astype(np.float16),
        ngram=np.round(weights.ngram / scale).astype(np.int8), ngram_scale=scale.astype(np.float32),
        ngram_bias=weights.ngram_bias,
        vector=weights.vector.astype(np.float16), vector_bias=weights.vector_bias,
        stack=weights.stack, stack_bias=weights.stack_bias, alone=weights.alone,
        **more,
    )  # fmt: skip
    text = json.dumps({"format": FORMAT, **card}, ensure_ascii=False, indent=1)
    (folder / "heads.json").write_text(text + "\n", encoding="utf-8")


def read_heads(folder: Path) -> Heads:
    """Raises Misconfigured with the remedy when a file is missing, broken or of another format."""
    for name in ("heads.json", "heads.npz"):
        if not (folder / name).is_file():
            raise Misconfigured(f"Нет файла модели {name} в {folder.name}.", remedy=REMEDY)
    try:
        card = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise Misconfigured(f"heads.json: формат {card['format']}, нужен {FORMAT}.", remedy=REMEDY)
        with (folder / "heads.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return Heads(_weights(stored), card)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise Misconfigured(f"Файлы heads.* в {folder.name} не читаются: {error}.", remedy=REMEDY) from error


def _weights(stored: Mapping[str, Any]) -> HeadWeights:
    names = stored["names"].tobytes().decode().split("\n")
    return HeadWeights(
        vocabulary=Vocabulary(names, stored["idf"].astype(np.float32)),
        ngram=stored["ngram"].astype(np.float32) * stored["ngram_scale"], ngram_bias=stored["ngram_bias"],
        vector=stored["vector"].astype(np.float32), vector_bias=stored["vector_bias"],
        stack=stored["stack"], stack_bias=stored["stack_bias"], alone=stored["alone"],
        taught=Taught(
            columns=stored["taught_columns"], weights=stored["taught"], bias=stored["taught_bias"]
        ) if "taught" in stored else None,
    )  # fmt: skip
