"""Folding: tricks, decoration and slips of the keyboard reach no model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.models.wording import fold


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("НЕТ ВОДЫ", "нет воды"),
        ("ёлка", "елка"),
        ("нееееет!!!!!", "нет!!"),
        ("нет вoды", "нет воды"),  # latin o
        ("те\u200bкст", "текст"),
        ("<b>жарко</b>&nbsp;и тихо", "жарко и тихо"),
        ("[id123|Марина], спасибо", "марина, спасибо"),
        ("плохо,нет света", "плохо, нет света"),
        ("смотри https://t.me/x/1 тут", "смотри [link] тут"),
        ("звоните +7 (910) 123-45-67", "звоните [phone]"),
        ("пишите a.b@mail.ru", "пишите [email]"),
    ],
)
def test_a_text_is_read_the_same_however_it_is_written(written: str, read: str) -> None:
    assert fold(written) == read


@given(st.text(max_size=400))
def test_case_never_changes_what_is_read_of_russian(text: str) -> None:
    russian = "".join(c for c in text if c in "абвгдеёжзийклмнопрстуфхцчшщъыьэюя ,.!?")
    assert fold(russian.upper()) == fold(russian)


@given(st.text(max_size=1000))
def test_any_text_folds_without_an_error(text: str) -> None:
    assert isinstance(fold(text), str)


def test_a_text_of_markup_alone_folds_to_nothing() -> None:
    assert fold("<br><br/>\u200b") == ""
