"""How fast each index of posts takes 100,000 posts and answers the console's screens over them."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from index.domain.analysis import Analysis, Intent, Risk, Sentiment, Severity
from index.domain.post import Network, Post, PostKind
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.elasticsearch import ElasticsearchPosts
from index.posts.query import Facet, Order, PostState, Query
from tests.factories import NOON, analysis, post
from tests.services.elasticsearch import PROGRAM, Node

COMMAND = "python -m tests.load.bench_index"
POSTS = 100_000
BATCH = 500
REPEATS = 20  # of each question
YEAR = timedelta(days=365)
WEEK = Query(since=NOON - timedelta(days=7))

Row = tuple[str, str, str]

SCREENS: dict[str, Callable[[PostIndex], Any]] = {
    "newest 50": lambda posts: posts.find(Query()),
    "page 20 of the newest": lambda posts: _page(posts, 20),
    "one place": lambda posts: posts.find(Query(places=("Место 3",))),
    "topic, tone and place": lambda posts: posts.find(
        Query(topic_groups=("Группа 5",), sentiments=(Sentiment.NEGATIVE,), places=("Место 1",))
    ),
    "critical only": lambda posts: posts.find(Query(min_severity=Severity.NOW)),
    "by risk, a week": lambda posts: posts.find(Query(since=WEEK.since, order=Order.RISK)),
    "two common words": lambda posts: posts.find(Query(lemmas=("слово1", "слово2"))),
    "a rare word": lambda posts: posts.find(Query(lemmas=("слово9000",))),
    "best match of two words": lambda posts: posts.find(
        Query(lemmas=("слово30", "слово40"), order=Order.BEST)
    ),
    "how many in a week": lambda posts: posts.count(WEEK),
    "places of a week": lambda posts: posts.count_by(WEEK, Facet.PLACE),
    "sources of all time": lambda posts: posts.count_by(Query(), Facet.SOURCE),
    "authors of a week": lambda posts: posts.authors(WEEK),
    "days of a year": lambda posts: posts.histogram(Query(), step=timedelta(days=1), zone="Europe/Moscow"),
    "ten nearest of all": lambda posts: posts.nearest(VECTOR, Query()),
    "waiting for nlp": lambda posts: posts.waiting(limit=100, model="test-1"),
}
VECTOR = np.random.default_rng(7).standard_normal(384).tolist()


def run(posts: int = POSTS) -> list[Row]:
    """What was measured, the figure, the command."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        with closing(open_posts("sqlite", Path(folder))) as index:
            rows += _measure("SQLite", index, posts)
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
        rows.append((f"SQLite: size of {posts:,} posts", f"{size:,.0f} MB", COMMAND))
    with _cluster() as cluster:
        if cluster is None:
            return [*rows, ("Elasticsearch", "not measured: no node here", COMMAND)]
        return rows + _measure("Elasticsearch", cluster, posts)


def _measure(name: str, index: PostIndex, posts: int) -> list[Row]:
    added = saved = 0.0
    for batch in _batches(posts):
        crowd, said = [one for one, _ in batch], {one.id: analysed for one, analysed in batch}
        added += _seconds(lambda crowd=crowd: index.add(crowd))
        saved += _seconds(lambda said=said: index.save_analyses(said, PostState.WATCHED))
    index.refresh()
    rows = [
        (f"{name}: adding new posts", f"{posts / added:,.0f} posts/s", COMMAND),
        (f"{name}: saving analyses with vectors", f"{posts / saved:,.0f} posts/s", COMMAND),
    ]
    for screen, ask in SCREENS.items():
        ask(index)
        times = sorted(_seconds(lambda ask=ask: ask(index)) * 1000 for _ in range(REPEATS))
        figure = f"{median(times):.1f} ms, p95 {quantiles(times, n=20)[-1]:.1f} ms"
        rows.append((f"{name}, {posts:,} posts: {screen}", figure, COMMAND))
    return rows


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _page(posts: PostIndex, number: int) -> None:
    cursor = None
    for _ in range(number):
        cursor = posts.find(Query(), cursor=cursor, limit=50).next


def _batches(posts: int) -> Iterator[list[tuple[Post, Analysis]]]:
    """A year of an invented district: few places and words are common, most are rare."""
    chance, vectors = random.Random(7), np.random.default_rng(7)
    for start in range(0, posts, BATCH):
        rows = vectors.standard_normal((BATCH, 384))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        yield [_pair(start + number, chance, rows[number].tolist()) for number in range(BATCH)]


def _pair(number: int, chance: random.Random, vector: list[float]) -> tuple[Post, Analysis]:
    source = int(chance.paretovariate(0.8)) % 300
    one = post(
        id=f"vk:-{source}_{number}",
        network=chance.choices(list(Network), [60, 20, 12, 3, 5])[0],
        kind=chance.choice(list(PostKind)),
        source_id=f"vk:club{source}",
        author=f"{int(chance.paretovariate(0.6)) % 30_000:016x}",
        published_at=NOON - chance.random() * YEAR,
        text="На Строительной второй день нет тепла, в квартире +14. " * 3,
    )
    is_relevant = chance.random() < 0.4
    said = analysis(
        lemmas=tuple(f"слово{int(chance.paretovariate(0.5)) % 20_000}" for _ in range(20)),
        relevant=is_relevant,
        places=(f"Место {int(chance.paretovariate(0.7)) % 46}",) if chance.random() < 0.5 else (),
        topic_group=f"Группа {chance.randrange(26)}" if is_relevant else None,
        sentiment=chance.choice(list(Sentiment)),
        intent=chance.choice(list(Intent)),
        risks=(chance.choice(list(Risk)),) if chance.random() < 0.1 else (),
        severity=chance.choices(list(Severity), [80, 15, 4, 1])[0],
        risk_score=min(100, int(chance.expovariate(0.1))) if is_relevant else 0,
        vector=tuple(vector) if is_relevant else (),
    )
    return one, said


@contextmanager
def _cluster() -> Iterator[PostIndex | None]:
    """A node of our own; None where it can't run."""
    if not PROGRAM.is_file() or shutil.which("java") is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        node = Node(Path(folder))
        node.start()
        try:
            with closing(ElasticsearchPosts([node.url])) as index:
                yield index
        finally:
            node.stop()


if __name__ == "__main__":
    for what, figure, _ in run():
        print(f"{what:60} {figure}")
