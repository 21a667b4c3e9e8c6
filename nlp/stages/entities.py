"""People, places and organisations that a text names: the gazetteer first, then natasha, then lower case."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from index.domain.analysis import Entity
from nlp.stages.places import Places
from nlp.stages.text import Reading, fold, grammemes

_MAX_CHARACTERS = 2_000  # natasha reads no more of one text
_MAX_ENTITIES = 30
_CAPITAL_INSIDE = re.compile(r"([а-яёa-z,:;–—-]\s+[«\"(]?)([А-ЯЁ][а-яё]+)")
_WORDS = re.compile(r"[а-яё]+")


class EntityFinder:
    """Entities of texts. `organisations` are stems of bodies that are written in lower case too."""

    def __init__(self, organisations: Iterable[str]) -> None:
        stems = "|".join(re.escape(fold(stem)) for stem in organisations)
        self._organisations = re.compile(rf"(?<!\w)(?:{stems})\w{{0,4}}(?!\w)") if stems else None

    def find(
        self, readings: Sequence[Reading], places: Sequence[Places], originals: Sequence[str]
    ) -> list[tuple[Entity, ...]]:
        """Entities a text, in the order of the text, never over one another; offsets of the original."""
        tagged = _natasha({
            number: reading.text[:_MAX_CHARACTERS]
            for number, (reading, named) in enumerate(zip(readings, places, strict=True))
            if _has_other_names(reading, named)
        })  # fmt: skip
        found = []
        for number, (reading, named, original) in enumerate(zip(readings, places, originals, strict=True)):
            folded = fold(reading.text)
            candidates = tagged[number] if number in tagged else _people(folded)
            spans = [(start, stop, "LOC") for start, stop in named.spans]
            spans += [(*reading.span(start, stop), kind) for start, stop, kind in candidates]
            spans += [(*reading.span(start, stop), "ORG") for start, stop in self._bodies(folded)]
            found.append(tuple(_entities(spans, original)))
        return found

    def _bodies(self, folded: str) -> Iterator[tuple[int, int]]:
        if self._organisations:
            yield from (match.span() for match in self._organisations.finditer(folded))


def _has_other_names(reading: Reading, named: Places) -> bool:
    """Whether a capital inside a sentence is left that the gazetteer has not explained.

    natasha knows names by their capitals and costs as much as a third of the encoder: it reads no other text.
    """
    known: set[int] = set()
    for start, stop in named.spans:
        known.update(range(start, stop))
    text = reading.text[:_MAX_CHARACTERS]
    return any(
        reading.span(match.end(1), match.end(1) + 1)[0] not in known
        for match in _CAPITAL_INSIDE.finditer(text)
        if not (named.address and match.group(2) in named.address)
    )


def _natasha(texts: dict[int, str]) -> dict[int, list[tuple[int, int, str]]]:
    """Spans by the number of the text; texts of near length are tagged together."""
    order = sorted(texts, key=lambda number: len(texts[number]))
    if not order:
        return {}
    with _tagger_lock:
        markups = list(_tagger().map([texts[number] for number in order]))
    return {
        number: [(span.start, span.stop, span.type) for span in markup.spans]
        for number, markup in zip(order, markups, strict=True)
    }


def _people(folded: str) -> Iterator[tuple[int, int, str]]:
    """«звонила нина петровна»: a name followed by a patronymic or a surname, all in lower case."""
    before: re.Match[str] | None = None
    for match in _WORDS.finditer(folded):
        if (
            before is not None
            and folded[before.end() : match.start()] == " "
            and "Name" in grammemes(before.group())
            and len(before.group()) > 2
            and grammemes(match.group()) & {"Patr", "Surn"}
        ):
            yield before.start(), match.end(), "PER"
        before = match


def _entities(spans: list[tuple[int, int, str]], original: str) -> Iterator[Entity]:
    """Earlier spans win over later ones that touch them: the gazetteer comes first."""
    kept: list[tuple[int, int, str]] = []
    for start, stop, kind in spans:
        if stop > start and all(stop <= begin or end <= start for begin, end, _ in kept):
            kept.append((start, stop, kind))
    for start, stop, kind in sorted(kept)[:_MAX_ENTITIES]:
        yield Entity(text=original[start:stop], type=kind, start=start, stop=stop)


_tagger_lock = threading.Lock()


@cache
def _tagger() -> Any:
    """natasha's tagger of names, loaded at the first use (0.3 s)."""
    from natasha import NewsEmbedding, NewsNERTagger

    return NewsNERTagger(NewsEmbedding())
