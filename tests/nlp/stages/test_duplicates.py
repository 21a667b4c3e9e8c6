"""Near-verbatim copies and what only looks like one."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from nlp.stages.duplicates import Duplicates, normal_text
from tests.factories import NOON
from tests.services import missing

CORPUS = Path(__file__).parents[4] / "shared" / "data" / "district"
NEWS = "В Курлово на улице Советской прорвало трубу, двенадцать домов без воды до вечера"


@pytest.fixture
def seen() -> Duplicates:
    duplicates = Duplicates()
    duplicates.place("first", NEWS, NOON)
    return duplicates


@pytest.mark.parametrize(
    "copy",
    [
        NEWS,
        NEWS.upper() + "!!! 🔥",
        NEWS.replace("двенадцать", "12") + " https://vk.com/wall1",
        "Перешлите всем! " + NEWS,
        NEWS.replace("о", "o"),  # latin
    ],
)
def test_a_copy_names_the_first_post(seen: Duplicates, copy: str) -> None:
    assert seen.place("second", copy, NOON + timedelta(hours=1)) == "first"


@pytest.mark.parametrize(
    "other", ["В Анопино на Лесной прорвало трубу, дома без воды", "спасибо", "🔥🔥", "", "+"]
)
def test_another_text_is_no_copy(seen: Duplicates, other: str) -> None:
    assert seen.place("second", other, NOON) is None


def test_empty_texts_are_not_copies_of_each_other(seen: Duplicates) -> None:
    assert [seen.place(name, "🔥", NOON) for name in "abc"] == [None, None, None]


def test_a_copy_of_a_copy_names_the_first(seen: Duplicates) -> None:
    seen.place("second", NEWS + " !", NOON)
    assert seen.place("third", NEWS, NOON) == "first"


def test_asking_twice_changes_nothing(seen: Duplicates) -> None:
    assert seen.place("first", NEWS, NOON) is None
    assert seen.place("second", NEWS, NOON) == seen.place("second", NEWS, NOON) == "first"


def test_a_repost_of_one_origin_is_a_copy_whatever_it_adds(seen: Duplicates) -> None:
    seen.place("a", "смотрите", NOON, origin_id="vk:-5_1")
    assert seen.place("b", "ужас какой", NOON, origin_id="vk:-5_1") == "a"


def test_after_the_window_it_is_news_again(seen: Duplicates) -> None:
    assert seen.place("second", NEWS, NOON + timedelta(days=31)) is None


def test_an_edited_post_is_compared_anew(seen: Duplicates) -> None:
    seen.remove("first")
    assert seen.place("second", NEWS, NOON) is None


def test_normal_text_is_words_only() -> None:
    assert normal_text("Ёлка, ПРИВЕТ!! 🎄 https://a.ru @ivan") == "елка привет"


@pytest.mark.parametrize("part", ["dev", "train"])
def test_duplicates_on_the_labelled_corpus(part: str) -> None:
    path = CORPUS / f"{part}.jsonl"
    if not path.exists():
        missing("labelled corpus", "put ../shared/data/district beside the project")
    rows = sorted(
        map(json.loads, path.read_text(encoding="utf-8").splitlines()), key=lambda r: r["published_at"]
    )
    worlds: dict[str, Duplicates] = {}  # the parts of the corpus were written apart
    right = wrong = missed = 0
    for row in rows:
        world = worlds.setdefault(row["id"].partition("-")[0], Duplicates())
        told = world.place(row["id"], row["text"], datetime.fromisoformat(row["published_at"]))
        right += told is not None and told == row["duplicate_of"]
        wrong += told is not None and told != row["duplicate_of"]
        missed += told is None and row["duplicate_of"] is not None
    assert 2 * right / (2 * right + wrong + missed) >= 0.98
