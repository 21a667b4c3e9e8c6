"""All the ways a settlement is written: forms of the pack, adjectives, inhabitants, slips of the pen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Any

from nlp.district import District, Place
from nlp.stages.text import fold, is_word, tokens

_ADJECTIVE_ENDINGS = "ий ого ому им ом ая ой ую ою ое ие их ими и".split()  # «и»: по-курловски
_INHABITANT_ENDINGS = (
    "цы цев цам цами цах ец ца цу цем чане чан чанам чанами чанах чанин чанка яне ян янам янами"
).split()
_GOOSE = "гусь гуся гусю гусем гусе".split()
_CRYSTAL = (
    "хрустальный хрустального хрустальному хрустальным хрустальном хрустальная хрустальной хрустальную"
).split()
_SLIP_LENGTH = 7  # letters: shorter words have too many neighbours


class Kind(Enum):
    NAME = "name"  #: a form of the name, a slip of the pen included
    ADJECTIVE = "adjective"  #: «курловская»
    INHABITANT = "inhabitant"  #: «курловцы»
    NICKNAME = "nickname"  #: «Гусь», «на Эхе»: an ordinary word that needs company


@dataclass(frozen=True, slots=True)
class Name:
    """A way to write a settlement: its words after the first, and what kind of word it is."""

    rest: tuple[str, ...]
    place: Place
    kind: Kind


class Lexicon:
    """Names by their first word, longest first."""

    def __init__(self, district: District) -> None:
        by_word: dict[str, list[Name]] = defaultdict(list)
        for words, place, kind in _names(district):
            known = by_word[words[0]]
            if all(name.rest != words[1:] for name in known):  # earlier kinds win: a form over an adjective
                known.append(Name(words[1:], place, kind))
        self._by_word = {
            word: tuple(sorted(names, key=lambda n: -len(n.rest))) for word, names in by_word.items()
        }
        self._slips = _Slips(
            (word, name)
            for word, names in self._by_word.items()
            for name in names
            if not name.rest and name.kind is not Kind.NICKNAME and not name.place.needs_context
        )

    def names(self, word: str) -> tuple[Name, ...]:
        """Names that begin with this folded word; for a long unknown word also the one it slipped from."""
        found = self._by_word.get(word)
        if found is None and len(word) >= _SLIP_LENGTH:
            slip = self._slips.find(word)
            return (slip,) if slip else ()
        return found or ()


class _Slips:
    """One letter more, less, other or two swapped, by the trick of comparing words with a letter deleted."""

    def __init__(self, names: Iterable[tuple[str, Name]]) -> None:
        self._by_deletion: dict[str, list[tuple[str, Name]]] = defaultdict(list)
        for word, name in names:
            if len(word) >= _SLIP_LENGTH - 1:
                for key in _deletions(word):
                    self._by_deletion[key].append((word, name))
        self._found: dict[str, Name | None] = {}

    def find(self, word: str) -> Name | None:
        if word not in self._found:
            if len(self._found) > 100_000:
                self._found.clear()
            self._found[word] = self._search(word)
        return self._found[word]

    def _search(self, word: str) -> Name | None:
        near = [
            name
            for key in _deletions(word)
            for form, name in self._by_deletion.get(key, ())
            if form[0] == word[0] and form[-2:] == word[-2:] and _is_one_edit(form, word)
        ]
        return near[0] if near and not is_word(word) else None


def _names(district: District) -> Iterator[tuple[tuple[str, ...], Place, Kind]]:
    """Forms of all places first, then nicknames, adjectives, inhabitants."""
    words: Mapping[str, Any] = district.place_words
    for place in district.places:
        for form in (*place.forms, *_instrumental(place)):
            yield tokens(form), place, Kind.NAME
        if fold(place.name) == "гусь-хрустальный":
            for pair in product(_GOOSE, _CRYSTAL):
                yield pair, place, Kind.NAME
    places = {place.name: place for place in district.places}
    for name, nickname in words["nicknames"].items():
        for word in nickname["words"]:
            yield (fold(word),), places[name], Kind.NICKNAME
    for place in district.places:
        stems = words["stems"].get(place.name, {})
        adjectives = stems.get("adjectives", [_adjective(place.name)])
        for stem, ending in product(adjectives, _ADJECTIVE_ENDINGS):
            yield (stem + ending,), place, Kind.ADJECTIVE
        inhabitants = stems.get("inhabitants", [stem.removesuffix("ск") for stem in adjectives])
        for stem, ending in product(inhabitants, _INHABITANT_ENDINGS):
            yield (stem + ending,), place, Kind.INHABITANT


def _instrumental(place: Place) -> list[str]:
    """«за Гавриным»: people say it so, the official form is «за Гаврином»."""
    return [place.name[:-1] + "ым"] if place.name.endswith(("ино", "ово", "ево", "ыно")) else []


def _adjective(name: str) -> str:
    """«Курлово» → «курловск», «Анопино» → «анопинск», «Семеновка» → «семеновск»."""
    folded = fold(name)
    if folded.endswith("ский"):
        return folded.removesuffix("ий")
    return (folded.removesuffix("ка") if folded.endswith("ка") else folded[:-1]) + "ск"


def _deletions(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def _is_one_edit(one: str, other: str) -> bool:
    if one == other:
        return True
    begin = 0
    while begin < min(len(one), len(other)) and one[begin] == other[begin]:
        begin += 1
    tail, other_tail = one[begin:], other[begin:]
    return (
        tail[1:] == other_tail[1:]
        or tail == other_tail[1:]
        or tail[1:] == other_tail
        or (tail[2:] == other_tail[2:] and tail[:2] == other_tail[1::-1])
    )
