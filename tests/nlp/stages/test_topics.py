"""The fine topic is the one whose words stand in the text, within the group that the models named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nlp.district import District, Topic, load_district
from nlp.stages.topics import TopicPicker


@pytest.fixture(scope="module")
def district() -> District:
    return load_district()


@pytest.fixture(scope="module")
def picker(district: District) -> TopicPicker:
    return TopicPicker(district)


def picker_of(district: District, *topics: Topic) -> TopicPicker:
    """A pack in which ЖКХ has these topics only."""
    housing = next(group for group in district.topics if group.name == "ЖКХ")
    return TopicPicker(replace(district, topics=(replace(housing, topics=topics),)))


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Батареи ледяные, котельная не топит", "Отопление"),
        ("БАТАРЕИ ЛЕДЯНЫЕ", "Отопление"),
        ("Ждём сантехника третий день, заявку приняли", "Управляющие компании"),
        ("Застряли в лифте", "Лифты"),
        ("Вода ржавая, с запахом хлора", "Качество воды"),
        ("Мёрзнем", "Отопление"),  # ё is е
        ("Здравствуйте, соседи", None),
        ("", None),
    ],
)
def test_the_words_of_the_text_name_the_topic(picker: TopicPicker, text: str, topic: str | None) -> None:
    assert picker.pick("ЖКХ", text) == topic


def test_only_topics_of_the_group_are_named(picker: TopicPicker) -> None:
    assert picker.pick("Дороги", "Батареи ледяные") is None
    assert picker.pick("Такой группы нет", "Батареи ледяные") is None


def test_a_stem_begins_a_word_and_a_blank_ends_it(district: District) -> None:
    picker = picker_of(
        district, Topic(name="УК", about="", words=("ук ",)), Topic(name="Вода", about="", words=("вод",))
    )
    assert picker.pick("ЖКХ", "УК молчит") == "УК"
    assert picker.pick("ЖКХ", "продают укроп") is None  # a whole word, not a beginning
    assert picker.pick("ЖКХ", "завод стоит") is None  # a beginning, not a middle


def test_a_stem_counts_once_and_among_equals_the_earlier_topic_wins(district: District) -> None:
    one, two = (
        Topic(name="Раз", about="", words=("кран",)),
        Topic(name="Два", about="", words=("труб", "напор")),
    )
    assert picker_of(district, one, two).pick("ЖКХ", "кран, кран, кран; труба и напор") == "Два"
    assert picker_of(district, one, two).pick("ЖКХ", "кран и труба") == "Раз"
    assert picker_of(district, two, one).pick("ЖКХ", "кран и труба") == "Два"


def test_every_fine_topic_with_words_can_be_reached(district: District, picker: TopicPicker) -> None:
    """A topic all of whose stems also give away an earlier one could never be picked."""
    lost = [
        f"{group.name}: {topic.name}"
        for group in district.topics
        for topic in group.topics
        if topic.words
        and picker.pick(group.name, ". ".join(word.strip() for word in topic.words)) != topic.name
    ]
    assert lost == []
