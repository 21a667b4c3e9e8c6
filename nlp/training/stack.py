"""Fits the heads: n-gram layer, vector layer, the stack over both, calibration and thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from nlp.models.base import HeadInput, Vectors
from nlp.models.features import Vocabulary, names_of
from nlp.models.labels import RISKS, SOFTMAX, SPANS, WIDTH, activate
from nlp.training.corpus import Line
from nlp.training.linear import Array, Layer, fit, sigmoid, target_matrix

NGRAM_PENALTY = 4e-6  # per line
NGRAM_ROUNDS = 60
TOXIC_PENALTY = 1e-5
MEAN_TASKS = ("topic_group", "risks", "severity")  # a free stack over them is worse on parts left out
KEPT_FEATURES = 80_000  # of the n-gram layer, the heaviest


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Lines with everything that the heads read of them."""

    lines: Sequence[Line]
    inputs: Sequence[HeadInput]
    counts: Sequence[Counter[str]]
    vectors: Vectors | None = None

    def take(self, rows: Sequence[int]) -> Sample:
        return Sample(
            lines=[self.lines[row] for row in rows], inputs=[self.inputs[row] for row in rows],
            counts=[self.counts[row] for row in rows],
            vectors=None if self.vectors is None else self.vectors[list(rows)],
        )  # fmt: skip


def sample_of(lines: Sequence[Line], inputs: Sequence[HeadInput], vectors: Vectors | None = None) -> Sample:
    return Sample(lines=lines, inputs=inputs, counts=[names_of(given) for given in inputs], vectors=vectors)


def fit_ngrams(
    sample: Sample, *, penalty: float = NGRAM_PENALTY, rounds: int = NGRAM_ROUNDS
) -> tuple[Vocabulary, Layer]:
    """The n-gram layer over every feature that three lines share."""
    vocabulary = Vocabulary.learnt(sample.counts, at_least=3)
    return vocabulary, fit(
        vocabulary.matrix(sample.counts), target_matrix(sample.lines), penalty=penalty, rounds=rounds
    )


def pruned(vocabulary: Vocabulary, layer: Layer, x: csr_matrix, keep: int) -> tuple[Vocabulary, Layer]:
    """The features that move some output most."""
    usual = np.sqrt(np.asarray(x.multiply(x).mean(axis=0)).ravel())
    best = np.sort(np.argsort(-(np.abs(layer.weights).max(axis=1) * usual))[:keep])
    names = [vocabulary.names[at] for at in best]
    return Vocabulary(names, vocabulary.idf[best]), Layer(layer.weights[best], layer.bias)


def scaled(vectors: Vectors) -> Array:
    """Unit vectors at the size the vector layer was trained on."""
    return vectors * np.float32(vectors.shape[1] ** 0.5)


def fit_stack(
    ngram: Array,
    vector: Array,
    y: Array,
    *,
    penalty: float,
    mean_tasks: Sequence[str] = MEAN_TASKS,
    rounds: int = 200,
) -> Layer:
    """Calibrated outputs from both layers' outputs.

    Starts from the mean of the two and moves away only as far as the lines pay for it: `penalty` per line
    times the squared distance. Every output may look at every other, so «needs an answer» learns from
    intent and severity. The outputs of `mean_tasks` keep the mean of their own two and are only calibrated.
    """
    x = np.hstack([ngram, vector])
    centre = np.vstack([np.eye(WIDTH), np.eye(WIDTH)]).astype(np.float32) * 0.5
    offset = x @ centre
    moved = fit(
        x, y, penalty=penalty, rounds=rounds, rate=0.02, offset=offset,
        start=Layer(np.zeros((2 * WIDTH, WIDTH), np.float32), np.zeros(WIDTH, np.float32)),
    )  # fmt: skip
    whole = Layer(centre + moved.weights, moved.bias)
    slope, shift = fit_alone(offset, y)
    for task in mean_tasks:
        span = SPANS[task]
        whole.weights[:, span] = centre[:, span] * slope[span]
        whole.bias[span] = 0 if task in SOFTMAX else shift[span]
    return whole


def choose_thresholds(p: Array, lines: Sequence[Line]) -> dict[str, Any]:
    """Where each yes-or-no becomes yes: see `best_threshold`.

    Costs: a missed matter and a false one weigh the same for the labels that officers filter by (F1); what
    must not be missed is not decided here but ranked by the risk score.
    """
    y = target_matrix(lines)
    single = {
        task: best_threshold(p[:, SPANS[task].start], y[:, SPANS[task].start])
        for task in ("relevance", "needs_answer")
    }
    at = SPANS["risks"].start
    risks = {risk.value: best_threshold(p[:, at + n], y[:, at + n]) for n, risk in enumerate(RISKS)}
    first = SPANS["severity"].start
    severity = [best_threshold(p[:, first + n], y[:, first + n]) for n in range(3)]
    return {**single, "risks": risks, "severity": severity}


def best_threshold(p: Array, truth: Array) -> float:
    """Half of the best F1, or what is nearest to it among thresholds that are hardly worse than the best.

    `p` are probabilities (n,), `truth` 0 or 1 (n,).
    Half of the best F1 is where calibrated probabilities reach it (Lipton, Elkan, Naryanaswamy 2014); the
    lines only correct it where they contradict by more than chance: about one standard error of F1.
    """
    grid = np.arange(0.15, 0.71, 0.01)
    yes = truth > 0.5
    scores = []
    for threshold in grid:
        said = p >= threshold
        scores.append(2 * (said & yes).sum() / max(1, said.sum() + yes.sum()))
    smooth = np.convolve(np.pad(scores, 4, mode="edge"), np.ones(9) / 9, mode="valid")
    allowed = grid[smooth >= smooth.max() - 0.25 / max(1, yes.sum()) ** 0.5]
    return round(float(allowed[np.argmin(np.abs(allowed - smooth.max() / 2))]), 3)


def fit_alone(ngram: Array, y: Array) -> Array:
    """(2, WIDTH) slope and shift of each output that calibrate the n-gram layer on its own.

    One slope a task keeps the order of its classes; found by plain descent on the same loss.
    """
    slope, shift = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    for step in range(300):
        error = (activate(ngram * slope + shift) - y) / len(y)
        pull, push = (error * ngram).sum(axis=0), error.sum(axis=0)
        for span in SPANS.values():
            pull[span] = pull[span].sum() if span.stop - span.start > 3 else pull[span]
        pace = 0.5 * (1 - step / 300)
        slope -= pace * pull
        shift -= pace * push
    return np.stack([slope, shift])


def class_rates(lines: Sequence[Line]) -> dict[str, float]:
    """How frequent each class is at natural rates: what drift is measured against."""
    rates = {"relevant": float(np.mean([line.relevant for line in lines]))}
    rates |= {f"risk {risk.value}": float(np.mean([risk in line.risks for line in lines])) for risk in RISKS}
    rates |= {f"severity {n}": float(np.mean([line.severity == n for line in lines])) for n in range(4)}
    return rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxicity:
    """The toxicity output: one more column of every layer."""

    ngram: Array  #: (n_features, 1) on the given vocabulary
    ngram_bias: float
    stack: Array  #: (2,) weights of the n-gram and the vector output
    stack_bias: float
    alone: Array  #: (2,) slope and shift
    threshold: float
    figures: dict[str, float]  #: F1 on the dev half: n-grams, vector, both


def toxicity_of(layer: Layer, ngram: Array, vector: Array, truth: Array) -> Toxicity:
    """The stack of toxicity on the dev half; its figures come from two halves that judge each other."""
    halves = np.arange(len(truth)) % 2
    both = np.hstack([ngram, vector])
    crossed = np.empty_like(truth)
    for half in (0, 1):
        crossed[halves == half] = sigmoid(
            _pair(both[halves != half], truth[halves != half]).logits(both[halves == half])
        )
    stacked, single = _pair(both, truth), _pair(ngram, truth)
    return Toxicity(
        ngram=layer.weights, ngram_bias=float(layer.bias[0]), stack=stacked.weights[:, 0],
        stack_bias=float(stacked.bias[0]), alone=np.array([single.weights[0, 0], single.bias[0]], np.float32),
        threshold=best_threshold(crossed[:, 0], truth[:, 0]),
        figures={
            "ngrams F1": yes_f1(sigmoid(_pair(ngram, truth).logits(ngram)), truth),
            "vector F1": yes_f1(sigmoid(vector), truth), "both F1": yes_f1(crossed, truth),
        },
    )  # fmt: skip


def vector_toxicity(features: int) -> Toxicity:
    """Toxicity as the vector alone tells it, for heads that are made to judge the district's labels."""
    return Toxicity(
        ngram=np.zeros((features, 1), np.float32), ngram_bias=0.0, stack=np.array([0, 1], np.float32),
        stack_bias=0.0, alone=np.array([1, 0], np.float32), threshold=0.5, figures={},
    )  # fmt: skip


def _pair(x: Array, truth: Array) -> Layer:
    return fit(x, truth, penalty=1e-4, rounds=300, rate=0.05)


def yes_f1(p: Array, truth: Array, threshold: float = 0.45) -> float:
    said, yes = p >= threshold, truth > 0.5
    return round(float(2 * (said & yes).sum() / max(1, said.sum() + yes.sum())), 3)


def with_toxicity(weights: Array, toxic: Array) -> Array:
    """The district stack with one more row in each half and one more column: toxicity reads only its own."""
    whole = np.zeros((2 * (WIDTH + 1), WIDTH + 1), dtype=np.float32)
    whole[:WIDTH, :WIDTH] = weights[:WIDTH]
    whole[WIDTH + 1 : -1, :WIDTH] = weights[WIDTH:]
    whole[WIDTH, WIDTH], whole[-1, WIDTH] = toxic
    return whole
