"""How far two readers of the guide agree: `python -m nlp.training.agreement`.

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

#: Parts that were read twice; the labels of the second reader of `g31` stand in `g31-second.jsonl`.
READ_TWICE = ("district-dev", "g31", "g32")


def main() -> None:
    print(f"{'':32s} {' '.join(f'{part:>12s}' for part in READ_TWICE)}")
    told = {part: agreement(*both_readers(part)) for part in READ_TWICE}
    for name in told[READ_TWICE[0]]:
        print(f"{name:32s} {' '.join(f'{told[part][name]:12.3f}' for part in READ_TWICE)}")


def both_readers(part: str) -> tuple[list[Line], list[Line]]:
    """The lines of a part as its writer labelled them, and as the second reader did."""
    first = read_lines(CORPUS / f"{part}.jsonl.gz")
    labels = read_labels(CORPUS / f"{part}-second.jsonl")
    return first, [replace(line, **labels[line.id]) for line in first]


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
