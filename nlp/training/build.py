"""Makes the shipped heads: layers, stack, calibration, thresholds, card."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlp.models.base import HeadInput, Vectors
from nlp.models.features import Vocabulary, names_of
from nlp.models.heads import Heads, HeadWeights, save_heads
from nlp.models.labels import activate
from nlp.models.onnx_encoder import OnnxEncoder
from nlp.training import publics, stack
from nlp.training.corpus import Line, read_lines, read_toxic
from nlp.training.inputs import head_inputs
from nlp.training.linear import Array, Layer, fit, target_matrix

VERSION = "2026.11.6"
CORPUS = Path(__file__).parent / "corpus"
#: The stack and the thresholds learn on parts that no layer under them has seen.
HELD_PARTS = ("g20", "g22", "g31", "g32")
NATURAL_PARTS = ("t23", "t24")  # class rates as in life
STACK_PENALTY = 1.0  # chosen by leaving out each held part in turn: python -m nlp.training.trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """The district lines of a build."""

    train: list[Line]  #: every part, ours and the written voices
    dev: list[Line]  #: another season, another writer: only judged on

    @property
    def seen(self) -> list[int]:
        """Rows of the lines that the layers under the stack may learn from."""
        return [row for row, line in enumerate(self.train) if line.part not in HELD_PARTS]

    @property
    def held(self) -> list[int]:
        return [row for row, line in enumerate(self.train) if line.part in HELD_PARTS]


def read_corpus() -> Corpus:
    """The district corpus that the project ships, labels mended (`corpus/mended.jsonl` tells which)."""
    train = read_lines(CORPUS / "district-train.jsonl.gz")
    for path in sorted([*CORPUS.glob("x*.jsonl"), *CORPUS.glob("g*.jsonl.gz")]):
        train += read_lines(path)
    return Corpus(train=train, dev=read_lines(CORPUS / "district-dev.jsonl.gz"))


def build_heads(data: Path, folder: Path, trained: dict[str, Array]) -> dict[str, Any]:
    """Heads for the encoder in `folder`; `trained` are the linear layers its fine-tuning ended with.

    Writes heads.npz and heads.json there and returns the card.
    """
    corpus = read_corpus()
    encoder = OnnxEncoder(folder)
    say("features of all lines")
    train = stack.sample_of(corpus.train, head_inputs(corpus.train))
    held, seen = train.take(corpus.held), train.take(corpus.seen)

    say("n-gram layer without the held parts")
    held_ngram, held_vector = outputs_apart(held, seen, encoder, trained)

    say("stack and thresholds")
    y = target_matrix(held.lines)
    stacked = stack.fit_stack(held_ngram, held_vector, y, penalty=STACK_PENALTY)
    alone = stack.fit_alone(held_ngram, y)
    p = activate(stacked.logits(np.hstack([held_ngram, held_vector])))
    thresholds = stack.choose_thresholds(p, held.lines)

    say("n-gram layer over everything, toxicity")
    toxic_train, toxic_dev = publics.apart(read_toxic(data), key=publics.folded)
    toxic_counts = [names_of(given) for given in publics.bare_inputs([text for text, _ in toxic_train])]
    vocabulary = Vocabulary.joined(
        Vocabulary.learnt(train.counts, at_least=3), Vocabulary.learnt(toxic_counts, at_least=8)
    )
    x = vocabulary.matrix(train.counts)
    layer = fit(x, target_matrix(corpus.train), penalty=stack.NGRAM_PENALTY, rounds=stack.NGRAM_ROUNDS)
    toxic = _toxicity(encoder, vocabulary, toxic_counts, toxic_train, toxic_dev, trained)
    whole = Layer(np.hstack([layer.weights, toxic.ngram]), np.append(layer.bias, toxic.ngram_bias))
    vocabulary, whole = stack.pruned(vocabulary, whole, x, stack.KEPT_FEATURES)
    weights = _weights(vocabulary, whole, trained, stacked, toxic, alone)
    card = {
        "version": f"mcu-{VERSION}", "encoder": encoder.name,
        "thresholds": {**thresholds, "toxicity": toxic.threshold},
        "lines": len(corpus.train), "held_parts": list(HELD_PARTS), "features": len(vocabulary),
        "toxicity": toxic.figures,
        "rates": stack.class_rates([line for line in corpus.train if line.part in NATURAL_PARTS]),
    }  # fmt: skip
    save_heads(folder, weights, card)
    return card


def outputs_apart(
    held: stack.Sample, seen: stack.Sample, encoder: OnnxEncoder, trained: dict[str, Array]
) -> tuple[Array, Array]:
    """Outputs (n_held, WIDTH) of the n-gram and of the vector layer, neither of which saw these lines."""
    vocabulary, layer = stack.fit_ngrams(seen)
    vectors = stack.scaled(_vectors(encoder, held.inputs))
    return layer.logits(vocabulary.matrix(held.counts)), _vector_layer(trained).logits(vectors)


def heads_apart(
    held: stack.Sample, seen: stack.Sample, encoder: OnnxEncoder, trained: dict[str, Array]
) -> dict[str, Heads]:
    """For each held part heads of which no layer has seen it: what can be expected of new posts.

    The n-grams learn from `seen` alone, the stack and the thresholds from the other held parts. Toxicity,
    which no part has labels of, is told by the vector alone.
    """
    vocabulary, layer = stack.fit_ngrams(seen)
    vocabulary, layer = stack.pruned(vocabulary, layer, vocabulary.matrix(seen.counts), stack.KEPT_FEATURES)
    ngram = layer.logits(vocabulary.matrix(held.counts))
    vector = _vector_layer(trained).logits(stack.scaled(_vectors(encoder, held.inputs)))
    by_vector = stack.vector_toxicity(len(vocabulary))
    whole = Layer(np.hstack([layer.weights, by_vector.ngram]), np.append(layer.bias, by_vector.ngram_bias))
    found = {}
    for part in HELD_PARTS:
        others = [row for row, line in enumerate(held.lines) if line.part != part]
        y = target_matrix(held.take(others).lines)
        stacked = stack.fit_stack(ngram[others], vector[others], y, penalty=STACK_PENALTY)
        p = activate(stacked.logits(np.hstack([ngram[others], vector[others]])))
        thresholds = stack.choose_thresholds(p, held.take(others).lines)
        weights = _weights(vocabulary, whole, trained, stacked, by_vector, stack.fit_alone(ngram[others], y))
        thresholds["toxicity"] = by_vector.threshold
        card = {"version": f"apart-{part}", "encoder": encoder.name, "thresholds": thresholds}
        found[part] = Heads(weights, card)
    return found


def _weights(
    vocabulary: Vocabulary, ngram: Layer, trained: dict[str, Array], stacked: Layer, toxic: stack.Toxicity,
    alone: Array,
) -> HeadWeights:  # fmt: skip
    return HeadWeights(
        vocabulary=vocabulary, ngram=ngram.weights, ngram_bias=ngram.bias,
        vector=np.hstack([_vector_layer(trained).weights, trained["toxic.weight"].T]),
        vector_bias=np.append(_vector_layer(trained).bias, trained["toxic.bias"]),
        stack=stack.with_toxicity(stacked.weights, toxic.stack),
        stack_bias=np.append(stacked.bias, np.float32(toxic.stack_bias)),
        alone=np.hstack([alone, toxic.alone[:, None]]),
    )  # fmt: skip


def _vector_layer(trained: dict[str, Array]) -> Layer:
    return Layer(trained["district.weight"].T, trained["district.bias"])


def _toxicity(
    encoder: OnnxEncoder, vocabulary: Vocabulary, counts: Sequence[Counter[str]],
    train: Sequence[tuple[str, int]], dev: Sequence[tuple[str, int]], trained: dict[str, Array],
) -> stack.Toxicity:  # fmt: skip
    """Fits the n-gram column on the training half, the two weights of its stack on the dev half."""
    y = np.array([[label] for _, label in train], dtype=np.float32)
    layer = fit(vocabulary.matrix(counts), y, penalty=stack.TOXIC_PENALTY, rounds=stack.NGRAM_ROUNDS)
    inputs = publics.bare_inputs([text for text, _ in dev])
    ngram = layer.logits(vocabulary.matrix([names_of(given) for given in inputs]))
    vectors = stack.scaled(_vectors(encoder, inputs))
    vector = vectors @ trained["toxic.weight"].T + trained["toxic.bias"]
    return stack.toxicity_of(layer, ngram, vector, np.array([[label] for _, label in dev], dtype=np.float32))


def _vectors(encoder: OnnxEncoder, inputs: Sequence[HeadInput]) -> Vectors:
    return encoder.encode([given.encoder_text for given in inputs])


def say(step: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {step}", flush=True)
