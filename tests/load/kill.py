"""`mcu crawl` and `mcu serve` killed at random moments: nothing lost, nothing twice.

`python -m tests.load kill --minutes 10`: the twins go on talking, the processes are killed with SIGKILL and
started anew; then everything is read to the end and counted against what stands on the twins.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.practice.twin import Twin
from crawlers.crawl import Crawler
from index.desk import Desk, open_desk
from index.domain.post import Network
from index.domain.source import Source, SourceHealth
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.query import Query, Record
from index.settings import read_settings
from tests.services import free_port

PAGES = (
    ("vk", "club1"),
    ("vk", "club2"),
    ("vk", "club3"),
    ("telegram", "kurlovo_news"),
    ("ok", "57000000007"),
)
LIMITS = "vk=1000/s, ok=1000/s, telegram=1000/s, news=1000/s, max=1000/s, vk:wall.get=1000000/day"
SECRET = "a secret of the kill run, long enough."
FIRST_POSTS = 60  # on every page, before the first process starts
LIVES = 0.2, 12.0  # seconds a process lives: from the midst of its start to several rounds
PAUSE = 0.3  # seconds between two new posts
ROUNDS = 60  # of reading to the end, at most: a visit reads the comments of ten topics of OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What the run came to."""

    kills: int
    written: int  #: posts and comments on the twins
    by_killed: int  #: of them in the index before the reading to the end
    lost: frozenset[str]  #: stand there, are not in the index
    strange: frozenset[str]  #: are in the index, stand nowhere
    doubled: tuple[str, ...]  #: texts kept under two ids: every text was written once
    edited: frozenset[str]  #: have versions, though nobody edited them

    @property
    def is_whole(self) -> bool:
        return not (self.lost or self.strange or self.doubled or self.edited)

    def __str__(self) -> str:
        return (
            f"убито процессов: {self.kills}; записей на двойниках: {self.written},"
            f" из них собрано убитыми: {self.by_killed}; потеряно: {len(self.lost)};"
            f" дважды: {len(self.doubled)}; лишних: {len(self.strange)}; мнимых правок: {len(self.edited)}"
        )


def main(arguments: list[str]) -> None:
    """Exit code 1 when something was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.load kill", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="to repeat a run; by default the time")
    asked = parser.parse_args(arguments)
    seed = asked.seed if asked.seed is not None else int(time.time())
    print(f"seed {seed}", flush=True)
    count = run(timedelta(minutes=asked.minutes), seed=seed)
    print(count)
    for name in ("lost", "strange", "doubled", "edited"):
        for one in sorted(getattr(count, name))[:20]:
            print(f"  {name}: {one}")
    sys.exit(0 if count.is_whole else 1)


def run(duration: timedelta, *, seed: int) -> Count:
    """Kill for so long, then read to the end and count."""
    chance = random.Random(seed)
    with Twin(limits=False) as twin, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk, posts = open_desk("sqlite", folder), open_posts("sqlite", folder)
        try:
            written = _Written(twin, chance)
            _watch(desk)
            kills = _killing(desk, folder, written, chance, duration)
            by_killed = len(posts.get_many(list(written.texts)))
            _read_to_the_end(desk, posts, twin, written)
            return counted(posts, written.texts, kills=kills, by_killed=by_killed)
        finally:
            posts.close()
            desk.close()


class _Written:
    """What was said on the twins; every text is another one."""

    def __init__(self, twin: Twin, chance: random.Random) -> None:
        self.twin = twin
        self.texts: dict[str, str] = {}
        self._chance = chance
        for network, address in PAGES:
            for _ in range(FIRST_POSTS):
                self.say(network, address)

    def say(self, network: str = "", address: str = "") -> None:
        """A new post somewhere; now and then a comment under it."""
        network, address = (network, address) if network else self._chance.choice(PAGES)
        post_id = self._said(network, address, None)
        if network != "telegram" and self._chance.random() < 0.3:
            self._said(network, address, post_id)

    def _said(self, network: str, address: str, parent: str | None) -> str:
        text = f"{address} запись {len(self.texts)}"
        said = self.twin.say(network, address, text, parent=parent)
        self.texts[said] = text
        return said


def _watch(desk: Desk) -> None:
    sources = [
        Source(id=f"{network}:{address}", network=Network(network), address=address, title=address)
        for network, address in PAGES
    ]
    desk.sources.add(sources, actor="kill", at=datetime.now(UTC))


def _killing(desk: Desk, folder: Path, written: _Written, chance: random.Random, duration: timedelta) -> int:
    """Start, kill, start again; gives how many were killed."""
    environ = _environ(folder, written.twin)
    starts = {"crawl": ["crawl"], "serve": ["serve", "--port", str(free_port())]}
    running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
    stop, kills = time.monotonic() + duration.total_seconds(), 0
    try:
        while time.monotonic() < stop:
            for name, words in starts.items():
                process, dies_at = running.get(name, (None, 0.0))
                if process is not None and time.monotonic() >= dies_at:
                    _kill(process)
                    kills += 1
                    process = None
                    if name == "crawl":
                        _free_leases(desk)
                if process is None:
                    running[name] = (
                        _started(words, environ, folder),
                        time.monotonic() + chance.uniform(*LIVES),
                    )
            written.say()
            time.sleep(PAUSE)
    finally:
        for process, _ in running.values():
            _kill(process)
    return kills + len(running)


def _started(words: list[str], environ: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    """A process of its own group; its output goes nowhere: a killed one has nothing to say."""
    command = [str(Path(sys.executable).parent / "mcu"), *words]
    return subprocess.Popen(
        command, env=environ, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    elif process.returncode:
        raise RuntimeError(f"{process.args!r} ended by itself with {process.returncode}")
    process.wait()


def _environ(folder: Path, twin: Twin) -> dict[str, str]:
    settings = twin.settings() | {"limits": LIMITS, "data": str(folder), "author_secret": SECRET}
    ours = {f"MCU_{name.upper()}": value for name, value in settings.items()}
    return {name: value for name, value in os.environ.items() if not name.startswith("MCU_")} | ours


def _free_leases(desk: Desk) -> None:
    """As if the minute and a half of a lease had passed, and every source were due."""
    everything = timedelta(days=1)
    now = datetime.now(UTC)
    desk.jobs.claim_due(now + everything, worker="kill", lease=everything, limit=1_000)
    for source in desk.sources.list():
        desk.jobs.release(source.id, worker="kill")
    _make_due(desk)


def _make_due(desk: Desk) -> None:
    for health in desk.sources.healths().values():
        facts = {name: getattr(health, name) for name in SourceHealth.__dataclass_fields__}
        desk.sources.save_health(SourceHealth(**facts | {"due_at": None}))


def _read_to_the_end(desk: Desk, posts: PostIndex, twin: Twin, written: _Written) -> None:
    """Rounds of a process that nobody kills; its clock runs ahead, so that all that waits is due."""
    ahead = timedelta()
    settings = read_settings({}, **twin.settings() | {"limits": LIMITS})
    _free_leases(desk)
    with Crawler(
        desk=desk, posts=posts, settings=settings, secret=SECRET.encode(),
        clock=lambda: datetime.now(UTC) + ahead,
    ) as crawler:  # fmt: skip
        for _ in range(ROUNDS):
            _make_due(desk)
            crawler.run_due(datetime.now(UTC) + ahead)
            ahead += timedelta(minutes=6)
            posts.refresh()
            if len(posts.get_many(list(written.texts))) == len(written.texts):
                return


def counted(posts: PostIndex, written: Mapping[str, str], *, kills: int, by_killed: int) -> Count:
    """`written`: the text of every post and comment of the twins, by id."""
    records: dict[str, Record] = {}
    cursor = None
    while True:
        page = posts.find(Query(with_deleted=True), limit=500, cursor=cursor)
        records |= {record.post.id: record for record in page.records}
        if (cursor := page.next) is None:
            break
    texts = Counter(record.post.text for record in records.values())
    return Count(
        kills=kills,
        by_killed=by_killed,
        written=len(written),
        lost=frozenset(written.keys() - records.keys()),
        strange=frozenset(records.keys() - written.keys()),
        doubled=tuple(text for text, times in texts.items() if times > 1),
        edited=frozenset(post_id for post_id, record in records.items() if record.versions > 1),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
