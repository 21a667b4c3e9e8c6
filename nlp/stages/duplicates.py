"""Finds the earlier post that a post repeats almost word for word."""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime, timedelta
from heapq import nlargest

from rensa import RMinHash, RMinHashLSH

from nlp.stages.text import clean, fold

WINDOW = timedelta(days=30)
MIN_JACCARD = 0.5  # of character 5-grams; labelled pairs have 0.55 and more, others 0.25 and less

_SHINGLE = 5  # characters
_READ = 2_000  # characters that are compared
_PERMUTATIONS, _BANDS = 126, 42  # three rows a band: a pair at 0.5 is a candidate in 99.6 % of cases
_SURELY_LESS = 0.3  # estimate of a pair that can't be MIN_JACCARD: four standard errors below
_COMPARED = 8  # likeliest candidates that are compared in full
_MASKS = re.compile(r"\[(?:link|phone|email|card|doc|user)\]|@user")
_WORD = re.compile(r"[^\W_]+")


class Duplicates:
    """Posts of the last WINDOW by their text. Posts come in order of time; not safe for threads.

    Layers: origin of a repost, equal normal text, MinHash candidates confirmed by real Jaccard.
    """

    def __init__(self, window: timedelta = WINDOW) -> None:
        self._window = window
        self._lsh = RMinHashLSH(threshold=0.5, num_perm=_PERMUTATIONS, num_bands=_BANDS)
        self._kept: dict[int, tuple[str, str]] = {}  # number → (post id, normal text)
        self._sketches: dict[int, RMinHash] = {}
        self._order: deque[tuple[datetime, int, str | None]] = deque()
        self._exact: dict[str, str] = {}  # normal text → id of its first post
        self._origins: dict[str, str] = {}
        self._known: dict[str, str | None] = {}  # post id → what was answered
        self._numbers: dict[str, int] = {}
        self._number = 0

    def place(self, post_id: str, text: str, at: datetime, origin_id: str | None = None) -> str | None:
        """Id of the first post that this one repeats; None: it says something of its own.

        Asking again about the same post gives the same answer and adds nothing.
        """
        if post_id in self._known:
            return self._known[post_id]
        self._forget(at - self._window)
        normal = normal_text(text)
        found = self._find(post_id, normal, origin_id)
        self._add(post_id, normal, at, origin_id, found)
        return found

    def restore(
        self, post_id: str, text: str, at: datetime, origin_id: str | None, copy_of: str | None
    ) -> None:
        """Take back a post whose answer is known (after a restart)."""
        if post_id not in self._known:
            self._add(post_id, normal_text(text), at, origin_id, copy_of)

    def remove(self, post_id: str) -> None:
        """Forget one post: its text has changed."""
        self._known.pop(post_id, None)
        if post_id in self._numbers:
            self._drop(self._numbers.pop(post_id))

    def _add(
        self, post_id: str, normal: str, at: datetime, origin_id: str | None, copy_of: str | None
    ) -> None:
        self._known[post_id] = copy_of
        self._order.append((at, self._keep(post_id, normal, is_original=copy_of is None), origin_id))
        if origin_id:
            self._origins.setdefault(origin_id, copy_of or post_id)

    def _find(self, post_id: str, normal: str, origin_id: str | None) -> str | None:
        if origin_id:
            if origin_id in self._known:
                return self._known[origin_id] or origin_id
            if origin_id in self._origins:
                return self._origins[origin_id]
        if not normal:
            return None
        return self._exact.get(normal) or self._nearest(normal)

    def _nearest(self, normal: str) -> str | None:
        shingles = _shingles(normal)
        sketch = _sketch(shingles)
        best, best_id = MIN_JACCARD, None
        estimates = ((sketch.jaccard(self._sketches[number]), number) for number in self._lsh.query(sketch))
        likely = nlargest(_COMPARED, (each for each in estimates if each[0] >= _SURELY_LESS))
        for _, number in likely:
            other_id, other = self._kept[number]
            jaccard = _jaccard(shingles, _shingles(other))
            if jaccard >= best:
                best, best_id = jaccard, other_id
        return best_id

    def _keep(self, post_id: str, normal: str, *, is_original: bool) -> int:
        """Only originals are compared with: copies of copies then name the same first post."""
        self._number += 1
        self._kept[self._number] = (post_id, normal)
        self._numbers[post_id] = self._number
        if normal and is_original:
            self._exact[normal] = post_id
            self._sketches[self._number] = sketch = _sketch(_shingles(normal))
            self._lsh.insert(self._number, sketch)
        return self._number

    def _forget(self, before: datetime) -> None:
        while self._order and self._order[0][0] < before:
            _, number, origin_id = self._order.popleft()
            self._origins.pop(origin_id or "", None)
            if number in self._kept:
                post_id = self._kept[number][0]
                self._known.pop(post_id, None)
                self._numbers.pop(post_id, None)
                self._drop(number)

    def _drop(self, number: int) -> None:
        post_id, normal = self._kept.pop(number)
        if self._exact.get(normal) == post_id:
            del self._exact[normal]
        if self._sketches.pop(number, None) is not None:
            self._lsh.remove(number)


def normal_text(text: str) -> str:
    """Words only: lower case, ё→е, no links, mentions, emoji, punctuation."""
    return " ".join(_WORD.findall(_MASKS.sub(" ", fold(clean(text[:_READ])))))


def _shingles(normal: str) -> set[str]:
    return {normal[at : at + _SHINGLE] for at in range(max(1, len(normal) - _SHINGLE + 1))}


def _sketch(shingles: set[str]) -> RMinHash:
    sketch = RMinHash(num_perm=_PERMUTATIONS, seed=42)
    sketch.update(list(shingles))
    return sketch


def _jaccard(one: set[str], other: set[str]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)
