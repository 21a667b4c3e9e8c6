"""The practice scenario: invented posts happen on the twins as if now, with history and bursts."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from api.practice.limits import PRACTICE
from api.practice.twin import Twin, number_of_now
from index.domain.post import Network

logger = logging.getLogger(__name__)

ZONE = ZoneInfo("Europe/Moscow")  # the invented posts were written in this wall time
BURST_EVERY = timedelta(minutes=20)
FIRST_BURST = timedelta(minutes=2)
BURST_STEP = timedelta(seconds=20)  # between the lines of one burst
STEP_SECONDS = 0.5
KEEP_EVERY = timedelta(seconds=30)
BURST_AUTHORS = 9_900_000  # numbers of people who speak in bursts only


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A community of the practice networks, a row of sources.yaml."""

    network: Network
    address: str
    title: str
    home: str | None = None
    official: bool = False
    watched: bool = True  #: False: stands on VK, found by search only


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One text to be said; `key` is unique within the timeline, `parent` the key it is a comment to."""

    key: str
    network: Network
    address: str
    text: str
    author: str | int
    parent: str | None = None
    story: str | None = None
    after: timedelta = timedelta(0)  #: since the start of the live part; for history: the age counts


@cache
def places() -> tuple[Place, ...]:
    """Every community of the stand, as sources.yaml lists them."""
    rows = yaml.safe_load(_resource("sources.yaml"))
    return tuple(Place(**row | {"network": Network(row["network"])}) for row in rows)


def timeline(*, seed: int = 1, per_minute: float = 20.0) -> Iterator[Line]:
    """What is said live, for ever, in order of `after`; the same seed gives the same lines.

    Ordinary lines come in the order they were written, so a comment follows its post and a story stays
    together; when they run out they start again under new keys. Bursts are laid over them.
    """
    ordinary, bursts = _ordinary(random.Random(seed), per_minute), _bursts()  # noqa: S311 a scenario, not a secret
    line, loud = next(ordinary), next(bursts)
    while True:
        if loud.after <= line.after:
            yield loud
            loud = next(bursts)
        else:
            yield line
            line = next(ordinary)


def _ordinary(chance: random.Random, per_minute: float) -> Iterator[Line]:
    lines = [line for name, line, _ in _posts() if name == "live"]
    after, loop = timedelta(0), 0
    while True:
        for line in lines:
            after += timedelta(seconds=60.0 / per_minute * chance.uniform(0.4, 1.6))
            parent = f"{loop}:{line.parent}" if line.parent else None
            yield replace(line, key=f"{loop}:{line.key}", parent=parent, after=after)
        loop += 1


def _bursts() -> Iterator[Line]:
    scripts = yaml.safe_load(_resource("bursts.yaml"))
    number = 0
    while True:
        script = scripts[number % len(scripts)]
        start = FIRST_BURST + number * BURST_EVERY
        for place, row in enumerate(script["lines"]):
            yield Line(
                key=f"burst{number}:{place}",
                network=Network(row["network"]),
                address=row["address"],
                text=row["text"],
                author=row.get("author", BURST_AUTHORS + number * 100 + place),
                parent=f"burst{number}:{row['under']}" if "under" in row else None,
                story=f"burst{number}:{script['event']}",
                after=start + place * BURST_STEP,
            )
        number += 1


def history(now: datetime) -> list[tuple[datetime, Line]]:
    """The fortnight before today with its real hours, oldest first: about 400 texts, the last yesterday."""
    past = [(line, at) for name, line, at in _posts() if name == "history"]
    last_day = max(at for _, at in past).astimezone(ZONE).date()
    shift = timedelta(days=(now.astimezone(ZONE).date() - last_day).days - 1)
    return [
        ((at.astimezone(ZONE).replace(tzinfo=None) + shift).replace(tzinfo=ZONE), line) for line, at in past
    ]


@cache
def _posts() -> tuple[tuple[str, Line, datetime], ...]:
    return tuple(_read(json.loads(row)) for row in _resource("posts.jsonl").splitlines())


def _read(row: dict[str, Any]) -> tuple[str, Line, datetime]:
    line = Line(
        key=row["key"],
        network=Network(row["network"]),
        address=row["address"],
        text=row["text"],
        author=row["author"],
        parent=row.get("parent"),
        story=row.get("story"),
    )
    return row["set"], line, datetime.fromisoformat(row["at"])


def _resource(name: str) -> str:
    return files("api.practice").joinpath(name).read_text(encoding="utf-8")


@contextmanager
def open_stand(
    *, port: int = 0, store: Path | None = None, seed: int = 1, per_minute: float = 20.0
) -> Iterator[Twin]:
    """The practice networks with the scenario running on them, until the block ends.

    `store` keeps the pages over restarts; give the same `port` then, since addresses of news carry it.
    Raises Unavailable when the port is taken.
    """
    with Twin(port=port, limits=PRACTICE, first_number=number_of_now(), store=store) as twin:
        scenario = Scenario(twin, seed=seed, per_minute=per_minute)
        scenario.prepare(twin.now())
        scenario.start()
        try:
            yield twin
        finally:
            scenario.stop()


class Scenario:
    """Says the lines on a twin when their time comes. One thread; `start` and `stop` once each."""

    def __init__(self, twin: Twin, *, seed: int = 1, per_minute: float = 20.0) -> None:
        self._twin = twin
        self._lines = timeline(seed=seed, per_minute=per_minute)
        self._next = next(self._lines)
        self._said: dict[str, str] = {}  #: key → id on the twin
        self._recent: list[str] = []  #: ids whose counters still grow
        self._chance = random.Random(seed)  # noqa: S311
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scenario", daemon=True)

    def prepare(self, now: datetime) -> None:
        """Make the communities and say the history, unless the stand remembers them from last time."""
        known = set(self._twin.addresses(Network.VK))
        build_places(self._twin)
        if places()[0].address not in known:
            for at, line in history(now):
                self._say(line, at)

    def play(self, elapsed: timedelta, now: datetime) -> int:
        """Say everything due `elapsed` after the start; how many were said."""
        count = 0
        while self._next.after <= elapsed:
            self._say(self._next, now)
            self._next = next(self._lines)
            count += 1
        if count:
            self._grow()
        return count

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        began = kept_at = self._twin.now()
        while not self._stop.wait(STEP_SECONDS):
            now = self._twin.now()
            self.play(now - began, now)
            if now - kept_at > KEEP_EVERY:
                self._twin.save()
                kept_at = now

    def _say(self, line: Line, at: datetime) -> None:
        parent = self._said.get(line.parent) if line.parent else None
        facts: dict[str, Any] = (
            {} if parent else {"views": self._chance.randint(20, 400), "likes": self._chance.randint(0, 9)}
        )
        said = self._twin.say(
            line.network, line.address, line.text, author=line.author, at=at, parent=parent, **facts
        )
        self._said[line.key] = said
        if parent is None:
            self._recent = [*self._recent[-59:], said]

    def _grow(self) -> None:
        """Views and likes of recent posts go up, as they do."""
        for id in self._chance.sample(self._recent, min(3, len(self._recent))):
            seen = self._chance.randint(5, 120)
            self._twin.grow(id, views=seen, likes=seen // 30)


def build_places(twin: Twin) -> None:
    """The communities of sources.yaml; a Telegram channel has a discussion group, our bot is in its own."""
    for place in places():
        facts: dict[str, Any] = {"title": place.title}
        if place.network is Network.TELEGRAM:
            group = f"{place.address}_talk"
            twin.community(
                Network.TELEGRAM, group, title=f"{place.title}: обсуждение", has_bot=place.official
            )
            facts |= {
                "discussion": group,
                "has_bot": place.official,
                "layout": 2026 if place.official else 2023,
            }
        community = twin.community(place.network, place.address, **facts)
        community.more.setdefault("ours", place.official)
