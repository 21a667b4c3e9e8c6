"""What the choices of the stack rest on: `python -m nlp.training.trials --work FOLDER`.

Each held part is left out in turn: the stack and the thresholds learn on the other two and are judged on it.
Prints the mean of the three for every penalty, with MEAN_TASKS only calibrated and with all outputs free.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from nlp.evaluate import TOP_SHARE
from nlp.models.labels import RISKS, SPANS, activate
from nlp.models.onnx_encoder import OnnxEncoder
from nlp.training import stack
from nlp.training.build import HELD_PARTS, outputs_apart, read_corpus
from nlp.training.corpus import Line
from nlp.training.inputs import head_inputs
from nlp.training.linear import Array, target_matrix

PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m nlp.training.trials", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder that `make train` was given")
    given = parser.parse_args()
    corpus = read_corpus()
    train = stack.sample_of(corpus.train, head_inputs(corpus.train))
    held, seen = train.take(corpus.held), train.take(corpus.seen)
    with np.load(given.work / "layers.npz") as layers:
        ngram, vector = outputs_apart(held, seen, OnnxEncoder(given.work), dict(layers))
    for mean_tasks in (stack.MEAN_TASKS, ()):
        print("calibrated only:", ", ".join(mean_tasks) or "none")
        for penalty in PENALTIES:
            told = " ".join(f"{name} {value:.3f}" for name, value in _tried(
                held.lines, ngram, vector, penalty=penalty, mean_tasks=mean_tasks
            ).items())  # fmt: skip
            print(f"  penalty {penalty:g}: {told}")


def _tried(
    lines: Sequence[Line], ngram: Array, vector: Array, *, penalty: float, mean_tasks: Sequence[str]
) -> dict[str, float]:
    """Mean figures over the held parts, each judged by what the others taught."""
    y, part = target_matrix(lines), np.array([line.part for line in lines])
    both = np.hstack([ngram, vector])
    rows = []
    for name in HELD_PARTS:
        own, others = part == name, part != name
        layer = stack.fit_stack(
            ngram[others], vector[others], y[others], penalty=penalty, mean_tasks=mean_tasks
        )
        p = activate(layer.logits(both))
        thresholds = stack.choose_thresholds(p[others], [line for line in lines if line.part != name])
        rows.append(_figures(p[own], y[own], thresholds))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _figures(p: Array, y: Array, thresholds: dict[str, Any]) -> dict[str, float]:
    """F1 of yes-or-no labels at the thresholds, macro-F1 of closed sets, accuracy of relevant topics.

    «Severity 3 first»: share of the posts of severity 3 among the top 8 % by its probability. Neither layer
    has seen these lines, so unlike `mcu evaluate` on a held part it tells what to expect of new posts.
    """
    limits = np.full(p.shape[1], 0.5, dtype=np.float32)
    limits[SPANS["relevance"]] = thresholds["relevance"]
    limits[SPANS["needs_answer"]] = thresholds["needs_answer"]
    limits[SPANS["severity"]] = thresholds["severity"]
    limits[SPANS["risks"]] = [thresholds["risks"][risk.value] for risk in RISKS]
    said = p >= limits
    relevant = y[:, SPANS["relevance"].start] > 0.5
    topics = y[:, SPANS["topic_group"]].argmax(axis=1) == p[:, SPANS["topic_group"]].argmax(axis=1)
    reaches_2, reaches_3 = SPANS["severity"].start + 1, SPANS["severity"].start + 2
    first = np.argsort(-p[:, reaches_3], kind="stable")[: int(len(p) * TOP_SHARE)]

    def f1(span: slice | int) -> float:
        return float(
            f1_score(y[:, span], said[:, span], average="binary" if isinstance(span, int) else "micro")
        )

    def macro(task: str) -> float:
        return float(f1_score(y[:, SPANS[task]].argmax(1), p[:, SPANS[task]].argmax(1), average="macro"))

    return {
        "relevance": f1(SPANS["relevance"].start), "risks": f1(SPANS["risks"]), "severity≥2": f1(reaches_2),
        "severity 3 first": float(y[first, reaches_3].sum() / max(1.0, y[:, reaches_3].sum())),
        "topics": float(topics[relevant].mean()), "intent": macro("intent"),
        "sentiment": macro("sentiment"), "answer": f1(SPANS["needs_answer"].start),
    }  # fmt: skip


if __name__ == "__main__":
    main()
