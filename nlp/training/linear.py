"""Linear heads over sparse features: one joint fit of every label, without torch, in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from nlp.models.labels import INTENTS, RISKS, SENTIMENTS, SOFTMAX, SPANS, TOPICS, WIDTH, activate
from nlp.training.corpus import Line

Array = npt.NDArray[np.float32]


def target_matrix(lines: Sequence[Line]) -> Array:
    """(n_lines, WIDTH): one-hot for the softmax tasks, 0/1 for the rest; severity as «reaches 1, 2, 3»."""
    y = np.zeros((len(lines), WIDTH), dtype=np.float32)
    for row, line in enumerate(lines):
        y[row, SPANS["relevance"]] = line.relevant
        y[row, SPANS["intent"].start + INTENTS.index(line.intent)] = 1
        y[row, SPANS["topic_group"].start + TOPICS.index(line.topic_group)] = 1
        y[row, SPANS["sentiment"].start + SENTIMENTS.index(line.sentiment)] = 1
        for risk in line.risks:
            y[row, SPANS["risks"].start + RISKS.index(risk)] = 1
        y[row, SPANS["severity"]] = [line.severity >= level for level in (1, 2, 3)]
        y[row, SPANS["needs_answer"]] = line.needs_answer
    return y


@dataclass(slots=True)
class Layer:
    """Weights (n_features, WIDTH) and bias (WIDTH)."""

    weights: Array
    bias: Array

    def logits(self, x: csr_matrix | Array) -> Array:
        return np.asarray(x @ self.weights + self.bias, dtype=np.float32)


def fit(
    x: csr_matrix | Array, y: Array, *, penalty: float, rounds: int = 120, rate: float = 0.15,
    start: Layer | None = None, offset: Array | None = None,
) -> Layer:  # fmt: skip
    """Logistic regression of all labels at once: summed cross-entropy plus `penalty` × |weights|² / 2.

    `penalty` is 1 / (C × n); `offset` is added to the outputs and not learnt; `start` is where to begin.
    Full-batch Adam with a cosine rate: the same input, the same result.
    """
    n, d = x.shape
    link = activate if y.shape[1] == WIDTH else sigmoid
    layer = start or Layer(np.zeros((d, y.shape[1]), np.float32), _prior(y))
    w, b = layer.weights.copy(), layer.bias.copy()
    moments = [np.zeros_like(w), np.zeros_like(w), np.zeros_like(b), np.zeros_like(b)]
    back = x.T.tocsr() if isinstance(x, csr_matrix) else x.T
    for step in range(1, rounds + 1):
        z = np.asarray(x @ w + b) if offset is None else np.asarray(x @ w + b) + offset
        error = (link(z) - y) / n
        slope, slope_b = np.asarray(back @ error) + penalty * w, error.sum(axis=0)
        pace = rate * 0.5 * (1 + np.cos(np.pi * (step - 1) / rounds))
        for value, grad, first, second in ((w, slope, *moments[:2]), (b, slope_b, *moments[2:])):
            first += 0.1 * (grad - first)
            second += 0.01 * (grad * grad - second)
            unbiased = second / (1 - 0.99**step)
            value -= pace * (first / (1 - 0.9**step)) / (np.sqrt(unbiased) + 1e-8)
    return Layer(w, b)


def sigmoid(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))), dtype=np.float32)


def _prior(y: Array) -> Array:
    rate = np.clip(y.mean(axis=0), 1e-3, 1 - 1e-3)
    bias = np.log(rate / (1 - rate))
    for task in SOFTMAX if y.shape[1] == WIDTH else ():
        bias[SPANS[task]] = np.log(rate[SPANS[task]])
    return np.asarray(bias, dtype=np.float32)
