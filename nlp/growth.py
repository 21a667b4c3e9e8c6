"""Which topics, places and sources explain that there are more posts, or fewer, than before."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from index.posts.query import Record

Cell: TypeAlias = tuple[str, str, str]  #: topic group, place, source title

NO_TOPIC, NO_PLACE, ALL = "без темы", "без места", ""
TOO_FEW = 10  # posts in both periods together, below which nothing is explained
THIN = "недостаточно данных"
_NAMED = 0.6  # share of a factor's change that one source must have to be named


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A part of the change; `share` of the whole is negative for what went the other way."""

    topic_group: str
    place: str
    source: str  #: ALL: several
    now: int
    before: int
    share: float
    post_ids: tuple[str, ...] = ()  #: of the newer period, newest first, up to ten

    @property
    def change(self) -> int:
        return self.now - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The change and what explains it. Shares of the factors and of the rest add up to 1."""

    now: int
    before: int
    factors: tuple[Factor, ...] = ()
    rest: float = 0.0  #: share that no factor explains
    note: str = ""  #: THIN when there is too little to explain

    @property
    def change(self) -> int:
        return self.now - self.before


def explain(now: Iterable[Record], before: Iterable[Record], *, limit: int = 5) -> Growth:
    """The change between two periods of the same length by topic × place × source, largest first.

    A post of several places counts once, in the first. A cell names its source where one source carries it.
    """
    newer, older = _cells(now), _cells(before)
    total_now, total_before = _size(newer), _size(older)
    change = total_now - total_before
    if total_now + total_before < TOO_FEW or change == 0:
        note = THIN if total_now + total_before < TOO_FEW else ""
        return Growth(now=total_now, before=total_before, note=note)
    factors = sorted(_factors(newer, older, change), key=lambda f: (-f.share, f.topic_group, f.place))[:limit]
    kept = tuple(factor for factor in factors if factor.share > 0)
    return Growth(
        now=total_now, before=total_before, factors=kept, rest=1.0 - sum(factor.share for factor in kept)
    )


def _factors(
    newer: Mapping[Cell, list[str]], older: Mapping[Cell, list[str]], change: int
) -> Iterable[Factor]:
    by_pair: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in {*newer, *older}:
        by_pair[cell[:2]].append(cell)
    for (topic, place), cells in by_pair.items():
        moved = Counter({cell[2]: len(newer.get(cell, ())) - len(older.get(cell, ())) for cell in cells})
        whole = sum(moved.values())
        source, most = max(moved.items(), key=lambda each: (abs(each[1]), each[0]))
        ids = sorted((post_id for cell in cells for post_id in newer.get(cell, ())), reverse=True)
        yield Factor(
            topic_group=topic,
            place=place,
            source=source if whole and most / whole >= _NAMED else ALL,
            now=sum(len(newer.get(cell, ())) for cell in cells),
            before=sum(len(older.get(cell, ())) for cell in cells),
            share=whole / change,
            post_ids=tuple(post_id.partition(" ")[2] for post_id in ids[:10]),
        )


def _cells(records: Iterable[Record]) -> dict[Cell, list[str]]:
    """Post ids of each cell, with the moment in front so that they sort by time."""
    cells: dict[Cell, list[str]] = defaultdict(list)
    for record in records:
        analysis = record.analysis
        topic = (analysis.topic_group if analysis else None) or NO_TOPIC
        place = next(iter(analysis.places), NO_PLACE) if analysis else NO_PLACE
        moment = f"{record.post.published_at.timestamp():014.3f}"
        cells[topic, place, record.post.source].append(f"{moment} {record.post.id}")
    return cells


def _size(cells: Mapping[Cell, list[str]]) -> int:
    return sum(map(len, cells.values()))
