"""Texts as they are kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.pages.text import MAX_CHARACTERS, clean, from_markup, mask, presentable, without_spans
from crawlers.pages.vk import resolved_markup


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Звоните 8-910-123-45-67", "Звоните [PHONE]"),
        ("+7 (910) 123 45 67, Анна", "[PHONE], Анна"),
        ("тел. +79101234567.", "тел. [PHONE]."),
        ("89101234567", "[PHONE]"),
        ("9101234567 вацап", "[PHONE] вацап"),
        ("8 (49241) 2-15-33 дежурная", "[PHONE] дежурная"),
        ("(49241) 2-15-33", "[PHONE]"),
        ("тел. 2-15-33", "тел. [PHONE]"),
        ("звоните 2-15-33", "звоните [PHONE]"),
        ("горячая линия 8-800-555-35-35", "горячая линия 8-800-555-35-35"),
        ("88005553535", "88005553535"),
        ("экстренные службы 112", "экстренные службы 112"),
        ("24-11-26 в 10-30", "24-11-26 в 10-30"),
        ("24.11.2026 10:30", "24.11.2026 10:30"),
        ("кадастровый 33:14:000123:45", "кадастровый 33:14:000123:45"),
        ("https://vk.com/wall-1_89101234567", "https://vk.com/wall-1_89101234567"),
        ("https://gusr.ru/?news_full=89101234567", "https://gusr.ru/?news_full=89101234567"),
        ("сумма 89101234567,50 руб.", "сумма 89101234567,50 руб."),
        ("карта 2202 2012 3456 7890", "карта [CARD]"),
        ("перевод на 2202-2012-3456-7890 срочно", "перевод на [CARD] срочно"),
        ("4111111111111111", "[CARD]"),
        ("4111111111111112", "4111111111111112"),
        ("р/с 40702810900000001234", "р/с 40702810900000001234"),
        ("паспорт 1712 345678", "паспорт [DOC]"),
        ("Паспорт серия 17 12 номер 345678", "Паспорт серия [DOC]"),
        ("СНИЛС 112-233-445 95", "СНИЛС [DOC]"),
        ("пишите anna.petrova+gus@mail.ru", "пишите [EMAIL]"),
        ("канал @gusr_official и @anna", "канал [USER] и [USER]"),
        ("@id123 (Анна Петрова) ответьте", "[USER] ответьте"),
        ("*id123 (Анна) ответьте", "[USER] ответьте"),
        ("собака@", "собака@"),
        ("страница https://vk.com/id123?w=wall123_4", "страница [LINK]"),
        ("vk.com/id123", "[LINK]"),
        ("https://ok.ru/profile/581234567890/statuses", "[LINK]"),
        ("https://vk.com/club123", "https://vk.com/club123"),
        ("на Калинина, 5-12-34 подъезда", "на Калинина, 5-12-34 подъезда"),
    ],
)
def test_personal_data_is_masked_and_the_rest_stays(written: str, kept: str) -> None:
    assert mask(written) == kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("во\u200bда\ufeff", "вода"),
        ("дом\u00a05", "дом 5"),
        ("раз\r\nдва\rтри", "раз\nдва\nтри"),
        ("раз\n\n\n\n\nдва", "раз\n\nдва"),
        ("раз\n  \n \n два", "раз\n\n два"),
        ("\ud83d одиночка", "одиночка"),
        ("семья 👨\u200d👩\u200d👧 и ❤\ufe0f\u200d🔥", "семья 👨\u200d👩\u200d👧 и ❤\ufe0f\u200d🔥"),
        ("бук\u200dва", "буква"),
        ("и\u0306 ё", "й ё"),
        ("ноль\x00байт\x07", "нольбайт"),
        ("  края  ", "края"),
        ("пере\u00adнос", "перенос"),
        ("\u202eнаоборот\u202c", "наоборот"),
    ],
)
def test_invisible_characters_go_and_emoji_stay(written: str, kept: str) -> None:
    assert clean(written) == kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("&quot;да&quot;<br>&#10071;нет", '"да"\n❗нет'),
        ("[id1|Анна] и [club77|Администрация]", "[USER] и Администрация"),
        ("[id1:bp-1_2|Анна], да", "[USER], да"),
        ("[club77:bp-77_5|Администрация], когда?", "Администрация, когда?"),
        ("[#alias|читать|https://gusr.ru/1]", "читать (https://gusr.ru/1)"),
        ("[https://vk.com/wall-1_2|пост]", "пост (https://vk.com/wall-1_2)"),
        ("[durov|Павел]", "[USER]"),
        ("[важно|срочно] [1] [a]", "[важно|срочно] [1] [a]"),
        ("3 < 5 && 7 > 2", "3 < 5 && 7 > 2"),
    ],
)
def test_markup_of_vk_reads_as_people_see_it(written: str, kept: str) -> None:
    assert resolved_markup(written) == kept


def test_a_long_text_is_cut() -> None:
    assert len(presentable("вода " * 1_000_000)) == MAX_CHARACTERS


@given(st.text(max_size=400))
def test_presentable_text_is_stable_and_fit_for_any_database(text: str) -> None:
    kept = presentable(text)
    kept.encode("utf-8")
    assert "\x00" not in kept
    assert presentable(kept) == kept


@given(st.text(alphabet="0123456789+-() .,\n@/:вкtelidcom_[]|", max_size=200))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.text(max_size=50), st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=5))
def test_spans_that_do_not_fit_never_break_a_text(text: str, spans: list[tuple[int, int]]) -> None:
    without_spans(text, spans).encode("utf-8", "surrogatepass")


def test_spans_count_utf_16_units() -> None:
    assert without_spans("🚑 Анна, да", [(3, 4)]) == "🚑 [USER], да"


@given(st.text(max_size=200))
def test_markup_of_any_text_is_read(text: str) -> None:
    from_markup(resolved_markup(text))
