"""A digest quotes, cites, and says when it can't."""

from __future__ import annotations

from datetime import timedelta

import pytest

from index.posts.query import PostState, Record
from nlp.digest import _numbers, digest, only_cited
from nlp.growth import THIN
from tests.factories import NOON, analysis, post

TEXTS = (
    "В Курлово второй день нет воды. Всем привет и хорошего дня вам, соседи!",
    "Нет воды в Курлово второй день, звонили в водоканал, обещают к вечеру.",
    "Водоканал обещает дать воду в Курлово к вечеру пятницы, ждём подвоз к школе.",
    "Бочку привезли к школе в Курлово, очередь 30 человек.",
)


def records(texts=TEXTS) -> list[Record]:
    return [
        Record(
            post=post(id=f"vk:-1_{n}", text=text, published_at=NOON + timedelta(hours=n)),
            state=PostState.WATCHED,
            analysis=analysis(),
        )
        for n, text in enumerate(texts)
    ]


def test_every_sentence_is_quoted_and_cited() -> None:
    told = digest(records(), limit=3)
    assert 1 <= len(told.sentences) <= 3
    by_id = {record.post.id: record.post.text for record in records()}
    assert all(sentence.text in by_id[sentence.post_ids[0]] for sentence in told.sentences)


def test_posts_that_say_the_same_are_cited_together() -> None:
    told = digest(records([TEXTS[1], TEXTS[1] + " Да.", TEXTS[3]]), limit=1)
    assert told.sentences[0].post_ids == ("vk:-1_0", "vk:-1_1")


def test_thin_data_say_so() -> None:
    told = digest(records(TEXTS[:2]))
    assert (told.note, told.sentences) == (THIN, ())


def test_a_rewritten_digest_keeps_only_what_it_can_cite() -> None:
    told = digest(records(), limit=4)
    told_ids = {post_id for sentence in told.sentences for post_id in sentence.post_ids}
    assert "vk:-1_3" in told_ids
    rewritten = (
        "У школы стояла очередь в 30 человек [vk:-1_3]. Погибли 5 человек [vk:-1_3]. "
        "Виноват глава района. Вода будет завтра [vk:-9_9]."
    )
    assert [sentence.text for sentence in only_cited(rewritten, told)] == [
        "У школы стояла очередь в 30 человек."
    ]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("пятнадцать домов", {"15"}),
        ("на пятый день", {"5"}),
        ("шестьдесят семей", {"60"}),
        ("шести домам", {"6"}),
        ("двадцать пять человек, 3 часа", {"20", "5", "3"}),
        ("сторона, стоп, запятая, семья, сорока", {"40"}),  # a magpie costs a sentence, never an invention
        ("один из жителей", set()),
    ],
)
def test_numbers_in_words_are_numbers_too(words: str, numbers: set[str]) -> None:
    assert _numbers(words) == numbers


def test_the_same_posts_give_the_same_digest() -> None:
    assert digest(records()) == digest(reversed(records()))
