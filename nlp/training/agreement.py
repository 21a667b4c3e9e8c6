"""How far two readers of the guide agree on dev: `python -m nlp.training.agreement`.

The second labelled every line without seeing the labels of the first. The figures are those of
`mcu evaluate`, the second reader in the place of the models: what a model may be asked to reach.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, f1_score

from nlp.models.labels import SPANS
from nlp.training.build import CORPUS
from nlp.training.corpus import Line, read_labels, read_lines
from nlp.training.linear import Array, target_matrix

FIRST, SECOND = CORPUS / "district-dev.jsonl.gz", CORPUS / "district-dev-second.jsonl"


def main() -> None:
    first = read_lines(FIRST)
    for name, value in agreement(first, seconded(first)).items():
        print(f"{name:32s} {value:.3f}")


def seconded(lines: list[Line]) -> list[Line]:
    """The same lines with the labels of the second reader."""
    labels = read_labels(SECOND)
    return [replace(line, **labels[line.id]) for line in lines]


def agreement(first: list[Line], second: list[Line]) -> dict[str, float]:
    """Figures by name; the first reader's labels are taken for right."""
    a, b = target_matrix(first), target_matrix(second)
    relevant = a[:, SPANS["relevance"].start] > 0.5
    reach_2, reach_3 = SPANS["severity"].start + 1, SPANS["severity"].start + 2

    def yes(column: int) -> float:
        return float(f1_score(a[:, column], b[:, column]))

    def classes(of: Array, task: str) -> npt.NDArray[np.int64]:
        return np.asarray(of[:, SPANS[task]].argmax(axis=1))

    def macro(task: str) -> float:
        return float(f1_score(classes(a, task), classes(b, task), average="macro"))

    topics = accuracy_score(classes(a, "topic_group")[relevant], classes(b, "topic_group")[relevant])
    return {
        "relevance F1": yes(SPANS["relevance"].start),
        "risks micro-F1": float(f1_score(a[:, SPANS["risks"]], b[:, SPANS["risks"]], average="micro")),
        "severity 3 F1": yes(reach_3), "severity ≥ 2 F1": yes(reach_2),
        "topic group accuracy (relevant)": float(topics), "intent macro-F1": macro("intent"),
        "sentiment macro-F1": macro("sentiment"), "needs answer F1": yes(SPANS["needs_answer"].start),
    }  # fmt: skip


if __name__ == "__main__":
    main()
