"""What the models say of posts: the encoder in a thread of its own, the heads beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from nlp.models.base import HeadInput, HeadOutput, Models

BATCH = 32  # texts of near length in one pass of the encoder


@dataclass(frozen=True, slots=True)
class Said:
    """Vector and outputs of one post."""

    vector: tuple[float, ...]
    output: HeadOutput


def ask_models(inputs: Sequence[HeadInput], models: Models) -> Iterator[tuple[list[int], list[Said]]]:
    """Places of some inputs and the answers to them, until every input has one.

    Texts go through the encoder by length, so that none waits padded. It runs ahead in its own thread: it
    holds no lock of Python's, so the heads and all that the caller does with a batch cost hardly any time.
    """
    texts = [each.encoder_text for each in inputs]
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    batches = [order[begin : begin + BATCH] for begin in range(0, len(order), BATCH)]
    ahead = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoder")
    try:
        encoded = [
            ahead.submit(models.encoder.encode, [texts[index] for index in batch]) for batch in batches
        ]
        for batch, waiting in zip(batches, encoded, strict=True):
            vectors = waiting.result()
            outputs = models.predict([inputs[index] for index in batch], vectors)
            yield (
                batch,
                [Said(tuple(row.tolist()), output) for row, output in zip(vectors, outputs, strict=True)],
            )
    finally:
        ahead.shutdown(cancel_futures=True)
