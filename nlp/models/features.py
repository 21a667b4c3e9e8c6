"""N-gram features of a post: words, word pairs, letters inside words, and what stands around the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from math import log

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from nlp.models.base import MAX_PARENT_CHARACTERS, MAX_TEXT_CHARACTERS, HeadInput
from nlp.models.wording import fold

WORD = re.compile(r"\w+|[^\w\s]")
PLACE = "§"  # stands for the words of a settlement's name
LETTERS = range(2, 6)  # lengths of letter n-grams; a word's edges count as a letter
BLOCKS = ("word", "letters", "context")  # each scaled to unit length on its own
BLOCK_OF_MARK = {"w": 0, "c": 1}  # first character of a feature's name; all else is context


def words_of(text: str) -> list[str]:
    """Words and signs of a folded text, in order."""
    return WORD.findall(text)


def masked(words: Sequence[str], places: Sequence[str]) -> list[str]:
    """Words of a settlement's name become one sign: what is said matters here, not of which village."""
    if not places:
        return list(words)
    stems = tuple(stem for place in places for stem in _stems(place))
    return [PLACE if word.startswith(stems) else word for word in words]


@lru_cache(maxsize=1024)
def _stems(place: str) -> tuple[str, ...]:
    return tuple(
        word[: max(3, min(5, len(word) - 2))] for word in WORD.findall(place.lower()) if word.isalpha()
    )


@lru_cache(maxsize=50_000)
def letters_of(word: str) -> tuple[str, ...]:
    """Letter n-grams of a word with its edges, named as features."""
    edged = f" {word} "
    return tuple("c" + edged[at : at + n] for n in LETTERS for at in range(len(edged) - n + 1))


def names_of(given: HeadInput) -> Counter[str]:
    """Every feature of a post by name, with how often it occurs."""
    words = masked(words_of(fold(given.text[:MAX_TEXT_CHARACTERS])), given.places)
    found: Counter[str] = Counter()
    found.update("w" + word for word in words)
    found.update(f"w{first} {second}" for first, second in pairwise(words))
    for word in words:
        found.update(letters_of(word))
    found.update(_context(given, words))
    return found


def _context(given: HeadInput, words: Sequence[str]) -> Iterator[str]:
    yield f"n{given.network.value}"
    yield f"k{given.kind.value}"
    yield f"g{min(len(given.places), 3)}"
    yield f"h{'home' if given.source_home else 'nowhere'}"
    yield f"e{given.source_side}{min(len(given.places), 1)}"
    yield f"a{min(len(given.context_places), 2)}{min(len(given.places), 1)}"
    yield f"l{int(log(len(given.text) + 1) * 2)}"
    for word in dict.fromkeys(words_of(fold(given.source[:80]))):
        yield "s" + word
        if len(word) > 5:
            yield "s" + word[:5] + "*"
    if given.parent_text:
        yield "p"
        for word in dict.fromkeys(words_of(fold(given.parent_text[:MAX_PARENT_CHARACTERS]))):
            yield "p" + word
            if len(word) > 5:
                yield "p" + word[:5] + "*"
    if "?" in words:
        yield "f?"
    if words and words[-1] == "?":
        yield "fends?"
    letters = [c for c in given.text if c.isalpha()]
    if len(letters) > 8 and sum(c.isupper() for c in letters) > len(letters) * 0.6:
        yield "fcaps"


class Vocabulary:
    """Features that the heads know: a column and a weight (inverse document frequency) each."""

    def __init__(self, names: Sequence[str], idf: npt.NDArray[np.float32]) -> None:
        self.names = list(names)
        self.idf = idf
        self._column = {name: column for column, name in enumerate(self.names)}
        self._block = np.array([BLOCK_OF_MARK.get(name[0], 2) for name in self.names], dtype=np.int8)

    @classmethod
    def learnt(cls, counts: Iterable[Counter[str]], *, at_least: int) -> Vocabulary:
        """Features seen in at least so many posts."""
        documents: Counter[str] = Counter()
        total = 0
        for counted in counts:
            documents.update(counted.keys())
            total += 1
        names = sorted(name for name, seen in documents.items() if seen >= at_least)
        idf = np.array([log((1 + total) / (1 + documents[name])) + 1 for name in names], dtype=np.float32)
        return cls(names, idf)

    @classmethod
    def joined(cls, first: Vocabulary, second: Vocabulary) -> Vocabulary:
        """The first, and what only the second knows."""
        more = [at for at, name in enumerate(second.names) if name not in first._column]
        names = [*first.names, *(second.names[at] for at in more)]
        return cls(names, np.concatenate([first.idf, second.idf[more]]))

    def __len__(self) -> int:
        return len(self.names)

    def column(self, name: str) -> int | None:
        return self._column.get(name)

    def block(self, name: str) -> int:
        return BLOCK_OF_MARK.get(name[0], 2)

    def matrix(self, counts: Sequence[Counter[str]]) -> csr_matrix:
        """(n_posts, n_features) float32; each block of a row has unit length."""
        pointers, columns, values = [0], [], []
        for counted in counts:
            row_columns, row_values = self.row(counted)
            columns.append(row_columns)
            values.append(row_values)
            pointers.append(pointers[-1] + len(row_columns))
        if not counts:
            return csr_matrix((0, len(self)), dtype=np.float32)
        return csr_matrix(
            (np.concatenate(values), np.concatenate(columns), np.array(pointers)),
            shape=(len(counts), len(self)),
        )

    def row(self, counted: Counter[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Columns and values of one post."""
        column = self._column
        known = [(column[name], count) for name, count in counted.items() if name in column]
        if not known:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        columns = np.array([at for at, _ in known], dtype=np.int32)
        times = np.array([count for _, count in known], dtype=np.float32)
        values = (1 + np.log(times)) * self.idf[columns]
        blocks = self._block[columns]
        norms = np.sqrt(np.bincount(blocks, weights=values * values, minlength=len(BLOCKS)))
        return columns, (values / norms[blocks]).astype(np.float32)
