"""Crawling at the networks' own limits: calls used, freshness, memory, the cost of reading it all again.

Freshness of more walls than a machine can play is in `bench_freshness`.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.practice.limits import Limits
from api.practice.twin import Twin
from crawlers.crawl import Crawler
from index.desk import Desk, open_desk
from index.domain.post import Network
from index.domain.source import Source, SourceHealth
from index.posts import open_posts
from index.posts.base import PostIndex
from index.settings import read_settings

COMMAND = "python -m tests.load.bench_crawl"
SECRET = b"a secret of the benchmark, long."
SOURCES = 300
SECONDS = 40.0  # of crawling at the limit
POSTS = 100_000
WALLS = 50
Rows = list[tuple[str, str, str]]


def run() -> Rows:
    """What was measured, the figure, the command."""
    return [*at_the_limit(), *many_posts()]


def at_the_limit() -> Rows:
    """300 walls, one token, three calls a second: how much of it is used, and how fresh posts are."""
    return [*calls_used(), *freshness_of_one_token()]


def calls_used() -> Rows:
    """Without `execute` every wall is a call of its own: there is always more work than the limit permits."""
    with crawl_of_walls() as (twin, crawling, _posts, addresses):
        twin.fail("vk", "execute", 15, times=None)
        keep_talking(twin, crawling, addresses)
        calls = [call for call in twin.calls if call.network is Network.VK]
    tail = calls[len(calls) // 4 :]
    permitted = 3 * (tail[-1].at - tail[0].at).total_seconds()
    return [
        ("VK: использовано разрешённых вызовов", f"{100 * (len(tail) - 1) / permitted:.1f} %", COMMAND),
        (
            "VK: отказов «слишком часто»",
            f"{sum(call.refused == '6' for call in calls)} из {len(calls)}",
            COMMAND,
        ),
    ]


def freshness_of_one_token() -> Rows:
    with crawl_of_walls() as (twin, crawling, posts, addresses):
        said = keep_talking(twin, crawling, addresses)
        found = posts.get_many(list(said))
    waits = sorted(
        (record.post.collected_at - said[post_id]).total_seconds()
        for post_id, record in found.items()
        if record.post.collected_at is not None
    )
    return [
        ("VK: собрано за время замера", f"{len(waits)} из {len(said)}", COMMAND),
        (f"VK, {SOURCES} источников, один ключ: свежесть p95", f"{quantile(waits, 0.95):.1f} с", COMMAND),
    ]


@contextmanager
def crawl_of_walls() -> Iterator[tuple[Twin, Crawler, PostIndex, list[str]]]:
    """A crawl with one token that has seen each of the walls once."""
    with databases() as (desk, posts), Twin(limits=Limits(vk_wall_get_per_day=10**9)) as twin:
        one_token = twin.settings()["vk_tokens"].split(",")[0]
        overrides = twin.settings() | {"vk_tokens": one_token, "limits": "vk:wall.get=1000000000/day"}
        addresses = [f"club{number}" for number in range(1, SOURCES + 1)]
        watch(desk, addresses)
        for address in addresses:
            twin.say("vk", address, "первая запись")
        with crawler(desk, posts, overrides) as crawling:
            crawling.run_due(datetime.now(UTC), only=[f"vk:{address}" for address in addresses])
            yield twin, crawling, posts, addresses


def keep_talking(twin: Twin, crawling: Crawler, addresses: list[str]) -> dict[str, datetime]:
    """New posts come at random while the crawl goes on; when each was written."""
    chance, said = random.Random(7), {}
    stop = time.monotonic() + SECONDS
    while (left := stop - time.monotonic()) > 0:
        if left > SECONDS / 3:  # the last ones have time to be found
            for _ in range(4):
                said[twin.say("vk", chance.choice(addresses), f"новость {len(said)}")] = datetime.now(UTC)
        crawling.run_due(datetime.now(UTC), patience=timedelta(seconds=0.5))
    return said


CHILD = """
import json, resource, sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
import psutil
from tests.load.bench_crawl import crawler
from index.desk import open_desk
from index.posts import open_posts
from index.posts.query import Query
folder, overrides = Path(sys.argv[1]), json.loads(sys.argv[2])
desk, posts = open_desk("sqlite", folder), open_posts("sqlite", folder)
report, sizes, before = None, [], posts.count(Query(with_deleted=True))
with crawler(desk, posts, overrides) as crawling:
    started, busy = time.monotonic(), time.process_time()
    while report is None or report.visited or report.running:
        report = crawling.run_due(datetime.now(UTC), patience=timedelta(seconds=2))
        sizes.append(psutil.Process().memory_info().rss / 1e6)
        if all(health.fresh_at for health in desk.sources.healths().values()):
            break
    seconds, processor = time.monotonic() - started, time.process_time() - busy
posts.refresh()
new = posts.count(Query(with_deleted=True)) - before
print(json.dumps({"seconds": seconds, "processor": processor, "new": new, "sizes": sizes}))
"""


def many_posts() -> Rows:
    """A hundred thousand posts in a process of its own, then the same once more from the start."""
    with Twin(limits=False) as twin, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        addresses = [f"club{number}" for number in range(1, WALLS + 1)]
        now = datetime.now(UTC)
        for number in range(POSTS):
            at = now - timedelta(seconds=20 * (number // WALLS))
            twin.say(
                "vk",
                addresses[number % WALLS],
                f"запись {number} о тепле и дороге",
                author=number % 997,
                at=at,
            )
        overrides = twin.settings() | {"limits": "vk=1000/s, vk:wall.get=1000000000/day"}
        for bot in ("telegram_bot_token", "max_token"):
            overrides.pop(bot)
        fresh = open_desk("sqlite", folder)
        watch(fresh, addresses)
        first = child(folder, overrides)
        make_due(fresh)
        again = child(folder, overrides)
        for address in addresses:
            fresh.cursors.save(f"vk:{address}", {}, "posts")
        make_due(fresh)
        anew = child(folder, overrides)
        fresh.close()
    return [
        ("Сбор: посты", f"{first['new']:,} за {first['seconds']:.0f} с", COMMAND),
        ("Сбор: память процесса, наибольшая", f"{max(first['sizes']):.0f} МБ", COMMAND),
        ("Новый обход тех же источников: новых строк", str(again["new"]), COMMAND),
        ("Новый обход: доля времени первого", f"{again['seconds'] / first['seconds']:.2f}", COMMAND),
        ("Чтение с начала без курсоров: новых строк", str(anew["new"]), COMMAND),
        ("Чтение с начала: доля времени первого", f"{anew['seconds'] / first['seconds']:.2f}", COMMAND),
        (
            "Чтение с начала: время процессора против первого",
            f"{anew['processor']:.0f} с против {first['processor']:.0f} с",
            COMMAND,
        ),
        (
            "Чтение с начала: доля времени процессора",
            f"{anew['processor'] / first['processor']:.2f}",
            COMMAND,
        ),
        ("Чтение с начала: память процесса, наибольшая", f"{max(anew['sizes']):.0f} МБ", COMMAND),
    ]


@contextmanager
def databases() -> Iterator[tuple[Desk, PostIndex]]:
    with tempfile.TemporaryDirectory() as name:
        desk, posts = open_desk("sqlite", Path(name)), open_posts("sqlite", Path(name))
        try:
            yield desk, posts
        finally:
            posts.close()
            desk.close()


def crawler(desk: Desk, posts: PostIndex, overrides: dict[str, Any]) -> Crawler:
    return Crawler(desk=desk, posts=posts, settings=read_settings({}, **overrides), secret=SECRET)


def watch(desk: Desk, addresses: list[str]) -> None:
    sources = [Source(id=f"vk:{a}", network=Network.VK, address=a, title=a) for a in addresses]
    desk.sources.add(sources, actor="bench", at=datetime.now(UTC))


def make_due(desk: Desk) -> None:
    """As if no source had been visited yet; the cursors stay."""
    for source in desk.sources.list():
        desk.sources.save_health(SourceHealth(source_id=source.id))


def child(folder: Path, overrides: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-c", CHILD, str(folder), json.dumps(overrides)]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(finished.stdout)
    return told


def quantile(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


if __name__ == "__main__":
    for what, figure, _ in run():
        print(f"{what}: {figure}")
