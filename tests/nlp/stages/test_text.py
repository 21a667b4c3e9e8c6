"""Cleaning keeps the way back; lemmas are one for posts and queries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.stages.text import MAX_CHARACTERS, clean, fold, lemmas, read

RUSSIAN = st.text(
    st.sampled_from("абвгдеёжийклнорстуыья АБВЁ\n\t.,!-aceopxyHB<>&;[]|@/:1290\u200b\u0301\u0306\ufe0f🔥")
)


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("<b>Нет</b>&nbsp;света", " Нет света"),
        ("к\u200bур\u00adлово", "курлово"),
        ("гори\u0301т и\u0306од", "горит йод"),
        ("HET BOДЫ в кypлoвo", "НЕТ ВОДЫ в курлово"),
        ("помогииииите!!!!!!", "помогите!!!"),
        ("НЕТ ВОДЫ НА СОВЕТСКОЙ", "нет воды на советской"),
        ("[id1|Иван Иванов], см. https://a.ru/x?y=1", "@user, см. [LINK]"),
        ("почта x.y@mail.ru, @ivan, +7 915 123-45-67", "почта [EMAIL], @user, [PHONE]"),
        ("раз\r\n\r\n\r\n  два   три ", "раз\n\nдва три "),
        ("ｓａｌｅ", "sale"),
        ("iPhone не ловит", "iPhone не ловит"),
        ("", ""),
        ("🔥🔥🔥", "🔥🔥🔥"),
    ],
)
def test_tricks_and_markup_go(written: str, cleaned: str) -> None:
    assert clean(written) == cleaned


@given(RUSSIAN)
def test_every_place_of_the_cleaned_text_leads_into_the_original(text: str) -> None:
    reading = read(text)
    spans = [reading.span(at, at + 1) for at in range(len(reading.text))]
    assert all(0 <= start < stop <= len(text) for start, stop in spans)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)


@given(st.text(st.sampled_from("абвгдежиклн .,"), max_size=60))
def test_a_plain_text_keeps_its_places(text: str) -> None:
    reading = read(text)
    for at, sign in enumerate(reading.text):
        start, stop = reading.span(at, at + 1)
        assert sign in text[start:stop] or sign == " "


def test_a_huge_text_is_read_to_its_limit_and_quickly() -> None:
    assert len(read("пожар " * 200_000).text) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    "hostile", ["<script", "&#", "a@", "www.", "[id1|", "<!--", "+7 9", "и\u0306", "\n ", "а"]
)
@pytest.mark.timeout(10)
def test_no_text_makes_cleaning_slow(hostile: str) -> None:
    clean(hostile * 20_000)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("жёлтые трамваи", "желтый трамвай"),
        ("в Курлове", "Курлово"),
        ("на Уршеле", "уршельский"),
        ("из Мезиновки", "Мезиновский"),
        ("в Иванищах", "иванищи"),
        ("НА ДОРОГЕ", "дорога"),
        ("батареям", "батарея"),
    ],
)
def test_a_query_finds_other_forms(one: str, other: str) -> None:
    assert set(lemmas(other)) <= set(lemmas(one))


@given(RUSSIAN)
def test_lemmas_do_not_depend_on_case_and_yo(text: str) -> None:
    folded = fold(clean(text))
    assert lemmas(folded) == lemmas(folded.upper().replace("Е", "Ё").lower())
