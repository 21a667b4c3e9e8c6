"""A crawler over real databases and the practice twins, with sources registered in one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.practice.twin import Twin
from crawlers.crawl import Crawler, CrawlReport
from index.desk import Desk, open_desk
from index.domain.post import Network, Post
from index.domain.source import Source, SourceHealth
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.query import Query
from index.settings import read_settings

SECRET = b"a secret of the tests, 32 bytes."
FAST = "vk=1000/s, ok=1000/s, telegram=1000/s, news=1000/s, max=1000/s, vk:wall.get=1000000/day"


@dataclass(kw_only=True)
class Stand:
    """The twins, the databases, and as many crawlers as a test asks for."""

    twin: Twin
    desk: Desk
    posts: PostIndex
    overrides: dict[str, Any]
    queries: tuple[str, ...] = ()
    ahead: timedelta = timedelta(0)  #: the crawlers' clock runs this much ahead
    _open: list[Crawler] = field(default_factory=list)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def watch(self, network: str, address: str, **facts: Any) -> str:
        """Register a source; gives its id."""
        source_id = f"{network}:{address}"
        ordinary: dict[str, Any] = {"id": source_id, "network": Network(network), "address": address}
        source = Source(**ordinary | {"title": address} | facts)
        self.desk.sources.add([source], actor="test", at=self.clock())
        return source_id

    def crawler(self) -> Crawler:
        """The crawler of this stand, opened when it is first needed."""
        if not self._open:
            self._open.append(self.another())
        return self._open[0]

    def another(self) -> Crawler:
        """One more crawler on the same desk, as in another process."""
        settings = read_settings({}, **self.overrides)
        crawler = Crawler(
            desk=self.desk, posts=self.posts, settings=settings, secret=SECRET, queries=self.queries,
            clock=self.clock, lease=timedelta(seconds=20),
        )  # fmt: skip
        self._open.append(crawler)
        return crawler

    def crawl(self, *only: str) -> CrawlReport:
        """One run in which the given sources (else all) are due."""
        self.make_due()
        return self.crawler().run_due(self.clock(), only=only or None)

    def make_due(self) -> None:
        for health in self.desk.sources.healths().values():
            facts = {name: getattr(health, name) for name in SourceHealth.__dataclass_fields__}
            self.desk.sources.save_health(SourceHealth(**facts | {"due_at": None}))

    def health(self, source_id: str) -> SourceHealth:
        return self.desk.sources.health(source_id)

    def all_posts(self, *, with_deleted: bool = False) -> dict[str, Post]:
        self.posts.refresh()
        found, cursor = {}, None
        while True:
            page = self.posts.find(Query(with_deleted=with_deleted), limit=500, cursor=cursor)
            found |= {record.post.id: record.post for record in page.records}
            if (cursor := page.next) is None:
                return found

    def texts(self) -> set[str]:
        return {post.text for post in self.all_posts().values()}

    def methods(self, network: str) -> list[str]:
        """Methods the twin saw, in order."""
        return [call.method for call in self.twin.calls if call.network == network]

    def close(self) -> None:
        for crawler in self._open:
            crawler.close()


@pytest.fixture
def twin() -> Iterator[Twin]:
    with Twin(limits=False) as twin:
        yield twin


@pytest.fixture
def stand(twin: Twin, tmp_path: Path) -> Iterator[Stand]:
    """No limits on either side: what a test measures is not the pace."""
    desk, posts = open_desk("sqlite", tmp_path), open_posts("sqlite", tmp_path)
    stand = Stand(twin=twin, desk=desk, posts=posts, overrides=twin.settings() | {"limits": FAST})
    yield stand
    stand.close()
    posts.close()
    desk.close()
