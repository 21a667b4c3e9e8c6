"""Judges the layers of the public sets on rows kept apart: `python -m nlp.training.yardstick --work FOLDER`.

They never ship: they tell how the encoder compares with published figures. `--work` is the folder that
`make train` was given; the rows kept apart are a tenth of each training half, copies on one side.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlp.models.onnx_encoder import OnnxEncoder
from nlp.training import publics, stack
from nlp.training.__main__ import DATA
from nlp.training.corpus import read_kursk, read_tweets
from nlp.training.linear import Array

NGRAM_C = {"tweets": 2.0, "kursk": 8.0}  # inverse penalty: whole tweets are short, complaints are few


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m nlp.training.yardstick", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--work", type=Path, required=True, help="folder that `make train` was given")
    given = parser.parse_args()
    encoder = OnnxEncoder(given.work)
    with np.load(given.work / "layers.npz") as layers:
        trained = dict(layers)
    tweets, tweets_apart = publics.apart(read_tweets(given.data), key=publics.folded)
    judged = _judge("tweets", tweets, tweets_apart, encoder, trained)
    _report("RuSentiTweet, macro-F1", judged, publics.macro_f1)
    kursk, apart = publics.apart(read_kursk(given.data), key=lambda row: row[3])
    categories = sorted({row[1] for row in kursk})
    train, dev = (
        [(row[0], categories.index(row[1])) for row in half if row[1] in categories]
        for half in (kursk, apart)
    )
    _report("Kursk, accuracy", _judge("kursk", train, dev, encoder, trained), _accuracy)


def _judge(
    task: str, train: Sequence[tuple[str, int]], dev: Sequence[tuple[str, int]],
    encoder: OnnxEncoder, trained: dict[str, Array],
) -> tuple[list[int], dict[str, Array]]:  # fmt: skip
    """Labels of the rows kept apart, and log-probabilities (n, classes) of each way to tell them."""
    x, x_dev = publics.tfidf([text for text, _ in train], [text for text, _ in dev])
    ngrams = publics.classify(x, [label for _, label in train], x_dev, c=NGRAM_C[task])
    inputs = publics.bare_inputs([text for text, _ in dev])
    vectors = stack.scaled(encoder.encode([each.encoder_text for each in inputs]))
    logits = vectors @ trained[f"{task}.weight"].T + trained[f"{task}.bias"]
    vector = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    both = np.logaddexp(ngrams, vector)  # the mean of the probabilities, but for a constant
    return [label for _, label in dev], {"n-grams": ngrams, "encoder": vector, "both": both}


def _report(name: str, judged: tuple[list[int], dict[str, Array]], figure: Any) -> None:
    truth, ways = judged
    told = " · ".join(
        f"{way} {figure(truth, said.argmax(axis=1).tolist()):.3f}" for way, said in ways.items()
    )
    print(f"{name}, {len(truth)} rows: {told}")


def _accuracy(truth: Sequence[int], said: Sequence[int]) -> float:
    return float(np.mean(np.equal(truth, said)))


if __name__ == "__main__":
    main()
