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
_CAPITAL_INSIDE = re.compile(r"[а-яёa-z,:;–—-]\s+[«\"(]?[А-ЯЁ][а-яё]")
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
        tagged = iter(
            _natasha([reading.text[:_MAX_CHARACTERS] for reading in readings if _has_names(reading)])
        )
        found = []
        for reading, named, original in zip(readings, places, originals, strict=True):
            spans = [(start, stop, "LOC") for start, stop in named.spans]
            candidates = next(tagged) if _has_names(reading) else _people(fold(reading.text))
            candidates = [*candidates, *self._bodies(fold(reading.text))]
            spans += [(*reading.span(start, stop), kind) for start, stop, kind in candidates]
            found.append(tuple(_entities(spans, original)))
        return found

    def _bodies(self, folded: str) -> Iterator[tuple[int, int, str]]:
        if self._organisations:
            yield from ((*match.span(), "ORG") for match in self._organisations.finditer(folded))


def _has_names(reading: Reading) -> bool:
    """natasha knows names by their capitals: a text without any inside its sentences tells it nothing."""
    return bool(_CAPITAL_INSIDE.search(reading.text[:_MAX_CHARACTERS]))


def _natasha(texts: list[str]) -> Iterator[list[tuple[int, int, str]]]:
    if not texts:
        return
    with _tagger_lock:
        markups = list(_tagger().map(texts))
    for markup in markups:
        yield [(span.start, span.stop, span.type) for span in markup.spans]


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
