"""The second readers' labels."""

from __future__ import annotations

import pytest

from nlp.training.agreement import READ_TWICE, agreement, both_readers


@pytest.mark.parametrize("part", READ_TWICE)
def test_a_reader_agrees_wholly_with_himself(part: str) -> None:
    lines, _ = both_readers(part)
    assert set(agreement(lines, lines).values()) == {1.0}


@pytest.mark.parametrize("part", READ_TWICE)
def test_the_second_reader_labelled_every_line_and_read_for_himself(part: str) -> None:
    figures = agreement(*both_readers(part))
    assert 0.6 < figures["needs answer F1"] < 1
    assert 0.8 < figures["risks micro-F1"] < 1
