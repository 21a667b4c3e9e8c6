"""The second reader's labels of dev."""

from __future__ import annotations

from nlp.training.agreement import FIRST, agreement, seconded
from nlp.training.corpus import read_lines


def test_a_reader_agrees_wholly_with_himself() -> None:
    lines = read_lines(FIRST)
    assert set(agreement(lines, lines).values()) == {1.0}


def test_the_second_reader_labelled_every_line_and_read_for_himself() -> None:
    first = read_lines(FIRST)
    figures = agreement(first, seconded(first))
    assert 0.6 < figures["needs answer F1"] < 0.9
    assert figures["risks micro-F1"] > 0.85
