"""Lines as the heads will meet them in service: places found by the stage, never taken from the labels."""

from __future__ import annotations

from collections.abc import Sequence

from index.domain.post import Network, PostKind
from nlp.district import load_district
from nlp.models.base import MAX_PARENT_CHARACTERS, HeadInput
from nlp.stages import text
from nlp.stages.places import PlaceFinder
from nlp.training.corpus import Line


def head_inputs(lines: Sequence[Line]) -> list[HeadInput]:
    """One input a line, same order."""
    finder = PlaceFinder(load_district(None))

    def places(words: str, source: str = "") -> tuple[str, ...]:
        return finder.find(text.read(words), words, source=source).names if words else ()

    titles = {source: places(source) for source in {line.source for line in lines}}
    parents = {
        parent: places(parent[:MAX_PARENT_CHARACTERS], source)
        for parent, source in {(line.parent_text, line.source) for line in lines}
    }
    return [
        HeadInput(
            text=line.text, network=Network(line.platform), kind=PostKind(line.kind), source=line.source,
            parent_text=line.parent_text, places=places(line.text, line.source),
            context_places=tuple(dict.fromkeys(titles[line.source] + parents[line.parent_text])),
        )
        for line in lines
    ]  # fmt: skip
