"""N-gram features: what a post is turned into, and what must not matter."""

from __future__ import annotations

import numpy as np

from index.domain.post import PostKind
from nlp.models.base import HeadInput
from nlp.models.features import Vocabulary, names_of


def test_words_pairs_and_letters_of_a_text_are_features() -> None:
    names = names_of(HeadInput(text="Нет воды"))
    assert {"wнет", "wводы", "wнет воды", "c вод", "cоды "} <= set(names)


def test_the_name_of_a_settlement_is_one_sign() -> None:
    first = names_of(HeadInput(text="В Курлово нет воды", places=("Курлово",)))
    second = names_of(HeadInput(text="В Анопино нет воды", places=("Анопино",)))
    assert first == second


def test_the_parent_and_the_source_stand_apart_from_the_text() -> None:
    names = names_of(
        HeadInput(text="и у нас", kind=PostKind.COMMENT, source="Подслушано", parent_text="Нет тепла")
    )
    assert {"sподслушано", "pтепла", "kcomment"} <= set(names)
    assert "wтепла" not in names


def test_each_block_of_a_row_has_unit_length() -> None:
    counted = names_of(HeadInput(text="Нет воды", source="Подслушано"))
    vocabulary = Vocabulary(sorted(counted), np.ones(len(counted), np.float32))
    columns, values = vocabulary.row(counted)
    words = [value for at, value in zip(columns, values, strict=True) if vocabulary.names[at][0] == "w"]
    assert np.isclose(np.sum(np.square(words)), 1.0)


def test_a_text_of_unknown_words_is_an_empty_row() -> None:
    vocabulary = Vocabulary(["wвода"], np.ones(1, np.float32))
    assert vocabulary.matrix([names_of(HeadInput(text="ъъъ"))]).nnz == 0


def test_a_feature_is_learnt_from_enough_posts_only() -> None:
    counts = [names_of(HeadInput(text=text)) for text in ("нет воды", "нет света", "нет тепла")]
    vocabulary = Vocabulary.learnt(counts, at_least=3)
    assert vocabulary.column("wнет") is not None
    assert vocabulary.column("wводы") is None


def test_a_hundred_thousand_characters_cost_no_more_than_the_limit() -> None:
    assert names_of(HeadInput(text="нет воды " * 12_000)) == names_of(
        HeadInput(text="нет воды " * 11_999 + "нет воды ")
    )
