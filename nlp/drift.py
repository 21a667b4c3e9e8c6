"""Do the models still read what they were made for: rates of classes and of inputs, week against weeks.

A class has moved when two tests agree, each at ALPHA after Holm's correction over all classes: an exact one
on posts (Fisher's; against the card a binomial one) and Welch's t on days. Posts of one event come together,
so days are the honest unit; the exact test guards the rare classes, for which the t is no test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from math import sqrt
from statistics import median
from typing import Any

import numpy as np

from index.domain.analysis import Risk, Severity
from index.domain.post import Network
from index.posts.base import PostIndex
from index.posts.query import PostState, Query
from nlp.models import SHIPPED
from nlp.models.base import MAX_TEXT_CHARACTERS
from nlp.models.features import Vocabulary, letters_of, words_of
from nlp.models.heads import read_heads
from nlp.models.wording import fold

RECENT = timedelta(days=7)
BEFORE = timedelta(weeks=4)  # right before those days
ALPHA = 0.01
FEWEST_POSTS = 50  # analysed ones of a window; fewer tell nothing
FEWEST_DAYS = 3  # with posts
RAREST = 1 / 2000  # a class that the card has never seen may be this frequent for all it knows
QUARTER = timedelta(hours=6)
QUARTER_POSTS = 10  # texts of each quarter of a day whose words are looked at
READ = (PostState.ANALYSED, PostState.WATCHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Posts of a window day by day: how many, and how many of the class."""

    posts: tuple[int, ...]
    hits: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.posts)

    @property
    def rate(self) -> float:
        return sum(self.hits) / self.total if self.total else 0.0

    @property
    def is_enough(self) -> bool:
        return self.total >= FEWEST_POSTS and sum(n > 0 for n in self.posts) >= FEWEST_DAYS

    @property
    def variance(self) -> float:
        """Of the rate, with the days as its units."""
        days = sum(n > 0 for n in self.posts)
        apart = sum((hit - self.rate * n) ** 2 for n, hit in zip(self.posts, self.hits, strict=True))
        return days / (days - 1) * apart / self.total**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One class: its share now and what it is held against. `p`: the larger of the two tests, before Holm."""

    name: str  #: as in the card: `relevant`, `risk outage`, `severity 2`; also `needs_answer`, `network vk`
    now: float
    then: float
    p: float
    has_moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A property of the texts: its usual value now and before, and whether they differ beyond chance."""

    name: str  #: unknown_words unknown_letters unknown_pieces length
    now: float
    then: float
    p: float
    has_moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Empty tuples: too few posts to compare."""

    posts: int  #: analysed ones of the last days
    posts_before: int
    against_weeks: tuple[Shift, ...] = ()
    against_card: tuple[Shift, ...] = ()
    networks: tuple[Shift, ...] = ()
    inputs: tuple[Measure, ...] = ()


def drift(posts: PostIndex, *, rates: Mapping[str, float], now: datetime) -> Drift:
    """The last seven days against the four weeks before and against the card's `rates`. Reads only.

    Raises Unavailable. Takes seconds: a query a class, and the words of some thousand texts.
    """
    recent, before = _window(now - RECENT, now), _window(now - RECENT - BEFORE, now - RECENT)
    counted, counted_before = _counted(posts, recent), _counted(posts, before)
    whole, whole_before = counted.pop("all"), counted_before.pop("all")
    found = Drift(posts=whole.total, posts_before=whole_before.total)
    if not whole.is_enough:
        return found
    classes = [name for name in counted if not name.startswith("network ")]
    with_card = replace(
        found, against_card=_judged([against_rate(n, counted[n], rates[n]) for n in classes if n in rates])
    )
    if not whole_before.is_enough:
        return with_card
    networks = [
        n for n in counted if n.startswith("network ") and (counted[n].rate or counted_before[n].rate)
    ]
    return replace(
        with_card,
        against_weeks=_judged([against_days(n, counted[n], counted_before[n]) for n in classes]),
        networks=_judged([against_days(n, counted[n], counted_before[n]) for n in networks]),
        inputs=_measured(
            _texts(posts, now - RECENT, now), _texts(posts, now - RECENT - BEFORE, now - RECENT)
        ),
    )


# --- the tests ----------------------------------------------------------------------------------------


def against_days(name: str, now: Days, then: Days) -> Shift:
    """Fisher's exact test on posts and Welch's t on days; the larger of their p."""
    from scipy.stats import fisher_exact

    hits, hits_then = sum(now.hits), sum(then.hits)
    table = [[hits, now.total - hits], [hits_then, then.total - hits_then]]
    p = max(float(fisher_exact(table).pvalue), _welch(now, then.rate, then))
    return Shift(name=name, now=now.rate, then=then.rate, p=p)


def against_rate(name: str, now: Days, rate: float) -> Shift:
    """The exact binomial test on posts and the t on days against a fixed rate; the larger of their p."""
    from scipy.stats import binomtest

    known = min(max(rate, RAREST), 1 - RAREST)
    p = max(float(binomtest(sum(now.hits), now.total, known).pvalue), _welch(now, known, None))
    return Shift(name=name, now=now.rate, then=rate, p=p)


def _welch(now: Days, rate: float, then: Days | None) -> float:
    """p of the t of two rates whose variances come from their days; without variance only the rates tell."""
    from scipy.stats import t

    parts = [(each.variance, sum(n > 0 for n in each.posts) - 1) for each in (now, then) if each is not None]
    whole = sum(variance for variance, _ in parts)
    if not whole:
        return 0.0 if now.rate != rate else 1.0
    freedom = whole**2 / sum(variance**2 / days for variance, days in parts)
    return float(2 * t.sf(abs(now.rate - rate) / sqrt(whole), freedom))


def _judged(shifts: Sequence[Shift]) -> tuple[Shift, ...]:
    """With Holm's correction; those that have moved first, largest change first."""
    moved = _holm([shift.p for shift in shifts])
    judged = [replace(shift, has_moved=has) for shift, has in zip(shifts, moved, strict=True)]
    return tuple(sorted(judged, key=lambda shift: (not shift.has_moved, shift.p)))


def _holm(values: Sequence[float]) -> list[bool]:
    """Which of several p are below ALPHA when all of them were tried."""
    found = [False] * len(values)
    for place, at in enumerate(sorted(range(len(values)), key=lambda at: values[at])):
        if values[at] > ALPHA / (len(values) - place):
            break
        found[at] = True
    return found


# --- counting classes ---------------------------------------------------------------------------------


def _window(since: datetime, until: datetime) -> Query:
    return Query(since=since, until=until, states=READ)


def _counted(posts: PostIndex, window: Query) -> dict[str, Days]:
    """Every class by name, and `all`, day by day."""
    everything = _by_day(posts, window)
    by_day = {name: _by_day(posts, query) for name, query in _classes(window)}
    for level in (1, 2):  # «at least» to «exactly»
        by_day[f"severity {level}"] -= by_day[f"severity {level + 1}"]
    days = sorted(everything)
    counts = tuple(everything[day] for day in days)
    return {
        name: Days(posts=counts, hits=tuple(min(found[day], everything[day]) for day in days))
        for name, found in {"all": everything, **by_day}.items()
    }


def _classes(window: Query) -> Iterator[tuple[str, Query]]:
    yield "relevant", replace(window, relevant=True)
    yield "needs_answer", replace(window, needs_answer=True)
    for level in (1, 2, 3):
        yield f"severity {level}", replace(window, min_severity=Severity(level))
    for risk in Risk:
        yield f"risk {risk.value}", replace(window, risks=(risk,))
    for network in Network:
        yield f"network {network.value}", replace(window, networks=(network,))


def _by_day(posts: PostIndex, query: Query) -> Counter[datetime]:
    return Counter(dict(posts.histogram(query, step=timedelta(days=1))))


# --- the texts themselves -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the shipped models know: words and letter n-grams of the heads, pieces of the encoder."""

    vocabulary: Vocabulary
    tokenizer: Any
    names: tuple[str, ...] = field(default=("unknown_words", "unknown_letters", "unknown_pieces", "length"))

    def measure(self, text: str) -> tuple[float, float, float, float] | None:
        """Shares of a text that the models do not know, 0..1, and its length; None: it has no words."""
        folded = fold(text[:MAX_TEXT_CHARACTERS])
        words = [word for word in words_of(folded) if word.isalpha()]
        if not words:
            return None
        letters = [name for word in words for name in letters_of(word)]
        pieces = self.tokenizer.encode(folded, add_special_tokens=False).tokens
        return (
            sum(self.vocabulary.column("w" + word) is None for word in words) / len(words),
            sum(self.vocabulary.column(name) is None for name in letters) / len(letters),
            pieces.count("<unk>") / max(1, len(pieces)),
            float(len(text)),
        )


@lru_cache(maxsize=1)
def _reader() -> Reader:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    return Reader(vocabulary=read_heads(SHIPPED).weights.vocabulary, tokenizer=tokenizer)


def _texts(posts: PostIndex, since: datetime, until: datetime) -> list[str]:
    """Some of every quarter of every day, so that no busy hour speaks for the others."""
    found = []
    while since < until:
        part = _window(since, min(since + QUARTER, until))
        found += [record.post.text for record in posts.find(part, limit=QUARTER_POSTS).records]
        since += QUARTER
    return found


def _measured(texts: Sequence[str], before: Sequence[str]) -> tuple[Measure, ...]:
    """Means of the shares and medians of the length; Mann and Whitney's test on posts, Holm's correction."""
    from scipy.stats import mannwhitneyu

    reader = _reader()
    now, then = ([m for text in part if (m := reader.measure(text))] for part in (texts, before))
    if min(len(now), len(then)) < FEWEST_POSTS:
        return ()
    measures = []
    for at, name in enumerate(reader.names):
        here, there = [row[at] for row in now], [row[at] for row in then]
        usual = median if name == "length" else np.mean
        p = (
            1.0
            if set(here) == set(there) and len(set(here)) == 1
            else float(mannwhitneyu(here, there).pvalue)
        )
        measures.append(Measure(name=name, now=float(usual(here)), then=float(usual(there)), p=p))
    moved = _holm([measure.p for measure in measures])
    return tuple(replace(each, has_moved=has) for each, has in zip(measures, moved, strict=True))
