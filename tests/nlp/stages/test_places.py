"""Settlements and addresses in residents' words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.district import load_district
from nlp.stages.places import PlaceFinder, Places
from nlp.stages.text import read
from tests.services import missing

FINDER = PlaceFinder(load_district())
CORPUS = Path(__file__).parents[4] / "shared" / "data" / "district"


def find(text: str, source: str = "", home: str | None = None) -> Places:
    return FINDER.find(read(text), text, source=source, home=home)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("в Курлове нет света", ["Курлово"]),
        ("КУРЛОВО, вы живы?", ["Курлово"]),
        ("курловские и мезиновские, отзовитесь", ["Курлово", "Мезиновский"]),
        ("в анопинской школе холодно, анопинцы мёрзнут", ["Анопино"]),
        ("дорогие уршеляне, на уршеле праздник", ["Уршельский"]),
        ("На Кр. Эхе фонари не горят", ["Красное Эхо"]),
        ("на кр.эхо дорога", ["Красное Эхо"]),
        ("В Анопене травят собак", ["Анопино"]),
        ("Из Мизиновского убрали банкомат", ["Мезиновский"]),
        ("за Гавриным свалка", ["Гаврино"]),
        ("автобус из Гуся не пришёл", ["Гусь-Хрустальный"]),
        ("ехать в гусь за справкой", ["Гусь-Хрустальный"]),
        ("мезиновка-гусь переполнен", ["Мезиновский", "Гусь-Хрустальный"]),
        ("Гусь Хрустальный встречает гостей", ["Гусь-Хрустальный"]),
        ("посёлок Тасинский Бор и Тасино", ["Тасинский Бор", "Тасино"]),
        ("объезд через Анопино", ["Анопино"]),
        ("в к\u200bурлово и kypлoвo", ["Курлово"]),
        ("Тихоново Тихоново Тихоново", ["Тихоново"]),
        ("доброе утро всем", []),
        ("", []),
    ],
)
def test_forms_slips_inhabitants_and_nicknames(text: str, names: list[str]) -> None:
    assert list(find(text).names) == names


@pytest.mark.parametrize(
    "text",
    [
        "В Гусь-Хрустальном районе намолотили зерна",
        "глава Гусь-Хрустального р-на",
        "в Гусь-Железном открыли мост",
        "Гусь с яблоками в духовке",
        "как с гуся вода",
        "щука на Гусе пошла на живца",
        "с Нового года проезд подорожает",
        "мокрое полотенце и новый насос",
        "мелкие починки в гараже",
        "мост через Колпь просел",
        "фабрика «Красный Октябрь» выпустила шоколад",
        "Хризантему «Вековка» кто сажал?",
        "судья Григорьева огласила приговор",
        "улица Курловская, дом 5",
    ],
)
def test_other_things_of_the_same_name_are_no_places(text: str) -> None:
    assert find(text, source="Мещёра сегодня").names == ()


@pytest.mark.parametrize(
    ("text", "source", "names"),
    [
        ("в Александровке нет воды", "Анопино и Александровка", ["Александровка"]),
        ("в Александровке нет воды", "Подслушано Воронеж", []),
        ("Александровка и Анопино без света", "", ["Александровка", "Анопино"]),
        ("Александровка под Воронежем без света", "", []),
        ("Никулино, Москва: соседи, кто слышал?", "", []),
        ("Красный Октябрь наш, не киржачский", "Курлово чат", ["Красный Октябрь"]),
        ("посёлок Новый: промывка", "Гусь-Хрустальный район", ["Новый"]),
        ("разъезд Золотковский без света", "Золотково Онлайн", ["Золотковский"]),
        ("золотковский лес горит", "Золотково Онлайн", ["Золотково"]),
        ("Эхо, у кого остыло?", "Красное Эхо. Подслушано", ["Красное Эхо"]),
        ("эхо войны", "Привет из СССР", []),
        ("в Демидове песок из крана", "Демидово и соседи", ["Демидово"]),
        ("в Демидове песок из крана", "Демидово. Турбаза на Каме", []),
        ("Демидово (Пермский край): каток открыт", "Демидово. Новости посёлка", []),
        ("копали в Тасинском Бору", "Тасинский Бор", ["Тасинский Бор"]),
        ("кухни «Вековка» в рассрочку", "Деловая Россия", []),
        ("купили кухню «Вековка»", "Деловая Россия", []),
        ('"Вековка": кухни и двери', "Деловая Россия", []),
        ("посёлок «Вековка» без света", "Деловая Россия", ["Вековка"]),
        ("автобус стоит на остановке «Курлово»", "Деловая Россия", ["Курлово"]),
        ("глава Семенов: «Курлово без тепла вторые сутки»", "Курлово чат", ["Курлово"]),
        ("Никулино без света", "Демидово и соседи", []),
        ("Никулино без света", "Подслушано Бор", []),
        ("огурец «Золотковский ранний» кто сажал?", "Сад и грядки", []),
    ],
)
def test_namesakes_need_company(text: str, source: str, names: list[str]) -> None:
    assert list(find(text, source).names) == names


def test_the_home_of_the_source_is_company_but_no_place() -> None:
    assert find("в Ильино темно", home="Ильино").names == ("Ильино",)
    assert find("у нас темно", home="Ильино").names == ()


def test_the_scope_tells_the_district_from_the_city() -> None:
    assert find("в Гусевском темно").scope == "city_okrug"
    assert find("в Гусевском и Курлове темно").scope == "district"
    assert find("темно").scope is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Нет тепла, ул. Калинина, 5, второй день", "ул. Калинина, 5"),
        ("на улице Первомайской яма", "улице Первомайской"),
        ("Карла Маркса 3, тополя падают", "Карла Маркса 3"),
        ("у нас на Школьной днём горят", "Школьной"),
        ("МЫ НА СОВЕТСКОЙ 8 БЕЗ СВЕТА", "СОВЕТСКОЙ 8"),
        ("дом 12 по Полевой горит", "дом 12 по Полевой"),
        ("на школьной площадке лужа", None),
        ("на улице минус 22", None),
        ("площадь возгорания 40 метров", None),
    ],
)
def test_addresses_are_kept_as_written(text: str, address: str | None) -> None:
    assert find(text).address == address


@given(
    st.sampled_from(["курлово", "мезиновский", "анопино", "уршельский", "добрятино"]),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=40)
def test_case_and_yo_change_nothing(name: str, shout: bool, yo: bool) -> None:
    text = f"здравствуйте, в посёлке {name} ещё нет света"
    text = text.replace("ё", "е") if yo else text
    assert find(text.upper() if shout else text).names == find(text).names != ()


@pytest.mark.parametrize(("part", "floor"), [("dev", 0.985), ("train", 0.985)])
def test_places_on_the_labelled_corpus(part: str, floor: float) -> None:
    path = CORPUS / f"{part}.jsonl"
    if not path.exists():
        missing("labelled corpus", "put ../shared/data/district beside the project")
    common = found = labelled = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        told, right = set(find(row["text"], row["source"]).names), set(row["places"])
        common, found, labelled = common + len(told & right), found + len(told), labelled + len(right)
    assert 2 * common / (found + labelled) >= floor
