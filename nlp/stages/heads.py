"""What the models say of posts: one encoder pass for a batch, then the heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp.models.base import HeadInput, HeadOutput, Models, Vectors

BATCH = 32  # texts of near length in one pass of the encoder


@dataclass(frozen=True, slots=True)
class Said:
    """Vector and outputs of one post."""

    vector: tuple[float, ...]
    output: HeadOutput


def ask_models(inputs: Sequence[HeadInput], models: Models) -> list[Said]:
    """One answer an input, same order. Texts go through the encoder by length, so that none waits padded."""
    if not inputs:
        return []
    vectors = _encode(inputs, models)
    outputs = models.predict(inputs, vectors)
    return [Said(tuple(row.tolist()), output) for row, output in zip(vectors, outputs, strict=True)]


def _encode(inputs: Sequence[HeadInput], models: Models) -> Vectors:
    texts = [each.encoder_text for each in inputs]
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    vectors = np.empty((len(texts), models.encoder.dims), dtype=np.float32)
    for begin in range(0, len(order), BATCH):
        batch = order[begin : begin + BATCH]
        vectors[batch] = models.encoder.encode([texts[index] for index in batch])
    return vectors
