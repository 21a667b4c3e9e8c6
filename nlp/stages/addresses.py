"""Street and house in a text, exactly as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nlp.stages.text import Reading, fold, grammemes, likeliest

_UNIT = (
    r"км|м|р|руб\w*|шт|час\w*|мин\w*|дн\w*|ден\w*|лет|год\w*|раз\w*|человек\w*|дом\w*|сентябр\w*|октябр\w*|"
    r"ноябр\w*|декабр\w*|январ\w*|феврал\w*|март\w*|апрел\w*|ма[яй]|июн\w*|июл\w*|август\w*|класс\w*"
)  # a number before one of these is no house
_HOUSE = (
    r"\d{1,3}(?:\s?[а-еА-Е](?![а-яёА-ЯЁ]))?(?:\s?/\s?\d{1,3})?(?:\s?(?:корп(?:ус)?|к)\.?\s?\d{1,2})?"
    rf"(?![\d%]|[.,:–-]\d|\s?(?:{_UNIT})(?!\w))"
)
_WITH_HOUSE = rf"(?:,?\s(?:д(?:ом)?(?:\.\s?|\s))?{_HOUSE}|,(?:д(?:ом)?(?:\.\s?|\s))?{_HOUSE})"
_WORD = r"[А-ЯЁа-яё][а-яё]+(?:-[А-ЯЁа-яё][а-яё]+)?"
_NAME = rf"(?:(?:[Кк]арла|[Рр]озы|[Бб]ольш(?:ая|ой|ую)|8|50\sлет)\s)?{_WORD}"
_STREET_WORD = (
    r"(?:[Уу]л\.?|УЛ\.?|[Уу]лиц(?:а|е|ы|у|ей|ах)|[Пп]ер\.|[Пп]ереул(?:ок|ка|ке|ку)|[Пп]росп(?:\.|ект(?:а|е|у)?)|пр-т|"
    r"[Мм]кр\.?|[Пп]лощад(?:ь|и)|[Шш]оссе|[Пп]роезд(?:а|е|у)?|[Бб]ульвар(?:а|е|у)?)(?![а-яё])"
)
_STREET_WORDS = frozenset(
    "ул улица улице улицы улицу улицей улицах пер переулок переулка переулке переулку просп проспект "
    "проспекта проспекте проспекту пр мкр площадь площади шоссе проезд проезда проезде бульвар бульвара "
    "бульваре".split()
)
_SECOND = r"(?:(?:,| и)\s[А-ЯЁ][а-яё]+(?=[\s.,!?]|$))?"  # «ул. Мира и Садовая»
_MARKED = re.compile(rf"(?<![\w-]){_STREET_WORD}\s?(?P<name>{_NAME}){_SECOND}(?P<house>{_WITH_HOUSE})?")
_MARKED_BEHIND = re.compile(
    rf"(?<![\w-])(?P<name>[А-ЯЁа-яё][а-яё]+(?:ая|ой|ую|ий|ом|ого|ые|ых))\s{_STREET_WORD}(?P<house>{_WITH_HOUSE})?"
)
_HOUSE_FIRST = re.compile(
    rf"(?<![\w-])[Дд](?:ом(?:а|е|у)?|\.)\s?(?:№\s?)?{_HOUSE}\s(?:по|на)\s(?:ул\.\s?|улице\s)?(?P<name>{_NAME})"
)
_BARE = re.compile(rf"(?<![\w.-])(?P<name>{_NAME})(?P<house>{_WITH_HOUSE})?(?![а-яё])")
_BEFORE = frozenset("на по с со от до за у около возле вдоль и мы".split())
_ENDINGS = "ая ой ую ые ых".split()
_CASES = frozenset({"nomn", "gent", "datv", "accs", "ablt", "loct"})


class AddressFinder:
    """Finds the first address of a text by the street names of the pack and by the word «улица»."""

    def __init__(self, adjectives: Iterable[str], names: Iterable[str]) -> None:
        self._adjectives = frozenset(fold(stem) + ending for stem in adjectives for ending in _ENDINGS)
        self._names = frozenset(map(fold, names))
        self._gate = self._adjectives | self._names | _STREET_WORDS

    def find(self, reading: Reading, original: str, words: Iterable[str]) -> str | None:
        """The first street, with its house when one is written; None: the text names none.

        `words` are the folded words of the text: without a street among them nothing is searched.
        """
        found = self._span(reading.text) if not self._gate.isdisjoint(words) else None
        if found is None:
            return None
        start, stop = reading.span(*found)
        return original[start:stop].strip(" ,.") or None

    def _span(self, text: str) -> tuple[int, int] | None:
        for pattern in (_HOUSE_FIRST, _MARKED, _MARKED_BEHIND):
            for match in pattern.finditer(text):
                if self._is_street(match["name"]) or (
                    pattern is not _HOUSE_FIRST and match["name"][0].isupper()
                ):
                    return match.span()
        return self._bare(text)

    def _bare(self, text: str) -> tuple[int, int] | None:
        """«Калинина 5», «на Строительной», «Садовая, Иванищи»: known names without the word «улица»."""
        for match in _BARE.finditer(text):
            name = match["name"]
            if not self._is_street(name):
                continue
            if match["house"]:
                return match.span()
            before = fold(text[: match.start()]).split()[-1:]
            begins = not before or before[0][-1] in ".,!?:;"
            named = name[0].isupper() and fold(name).endswith("ая") and begins
            if ((before and before[0] in _BEFORE) or named) and _stands_alone(name, text[match.end() :]):
                return match.span()
        return None

    def _is_street(self, name: str) -> bool:
        last = fold(name).split()[-1]
        return last in self._adjectives or last in self._names


def _stands_alone(name: str, rest: str) -> bool:
    """No noun agrees with it: «на Школьной площадке» is no street, «на Школьной стая собак» is."""
    following = re.match(r"\s([а-яё]+)", rest)
    if not following:
        return True
    word = fold(following[1])
    tags = likeliest(word)
    agrees = "femn" in tags and grammemes(fold(name)) & grammemes(word) & _CASES
    return not (tags & {"NOUN", "ADJF"} and agrees)
