"""The fine topic within a group, by the stems that give it away."""

from __future__ import annotations

import re

from nlp.district import District, TopicGroup
from nlp.stages.text import fold


class TopicPicker:
    """Picks a fine topic of a known group; the group itself is the models' word."""

    def __init__(self, district: District) -> None:
        self._topics = {group.name: _patterns(group) for group in district.topics}

    def pick(self, group: str, text: str) -> str | None:
        """The topic whose stems stand in the text most often; None: the words do not tell.

        A stem counts once. Among equals the earlier topic of the pack wins.
        """
        folded = fold(text)
        best, best_stems = None, 0
        for name, pattern in self._topics.get(group, ()):
            stems = len({match.group(1) for match in pattern.finditer(folded)})
            if stems > best_stems:
                best, best_stems = name, stems
        return best


def _patterns(group: TopicGroup) -> list[tuple[str, re.Pattern[str]]]:
    """A stem stands at the beginning of a word; with a blank at its end it is a whole word."""
    return [(topic.name, _pattern(topic.words)) for topic in group.topics if topic.words]


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    stems = sorted((fold(word) for word in words), key=len, reverse=True)
    wholes = [
        re.escape(stem.strip()) + r"(?!\w)" if stem.endswith(" ") else re.escape(stem) for stem in stems
    ]
    return re.compile(rf"(?<!\w)({'|'.join(wholes)})")
