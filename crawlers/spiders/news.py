"""What to fetch next from sites: a feed, a sitemap or a list page, and the articles they name."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from scrapy import signals
from scrapy.http import Request, Response

from crawlers.cursors import BACKFILL
from crawlers.health import Closed, LayoutChanged
from crawlers.pace import Call
from crawlers.pages import news
from crawlers.pages.base import NetworkRefusal, Unreadable
from crawlers.spiders.base import OF_ONE_POST, NetworkSpider
from crawlers.visits import Visit
from index.domain.post import Network

ARTICLES_AT_MOST = 20  # fetched in one visit; the others wait for the next
PARTS_AT_MOST = 5  # of an index of sitemaps: the newest
KNOWN_AT_MOST = 600  # articles remembered by one source
WAITING_AT_MOST = 500
SLOWEST_CRAWL_DELAY = timedelta(minutes=1)  # a robots.txt that asks for more is taken at this


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer of a site; `body` is None when nothing has changed since the stored ETag."""

    url: str
    body: bytes | None
    content_type: str = ""
    etag: str | None = None
    modified: str | None = None


class NewsSpider(NetworkSpider):
    network: ClassVar[Network] = Network.NEWS
    limit: ClassVar[str] = "news"
    at_once: ClassVar[int] = 16  # of different sites; one site is asked at its own pace
    settings_over: ClassVar[dict[str, Any]] = {
        "ROBOTSTXT_OBEY": True,
        "REDIRECT_ENABLED": True,
        "REDIRECT_MAX_TIMES": 5,
    }

    @classmethod
    def from_crawler(cls, crawler: Any, *arguments: Any, **more: Any) -> NewsSpider:
        spider: NewsSpider = super().from_crawler(crawler, *arguments, **more)
        crawler.signals.connect(spider.keep_crawl_delay, signal=signals.robots_parsed)
        return spider

    def keep_crawl_delay(self, robotparser: Any, request: Request) -> None:
        """A site that names its own pace gets it."""
        agent = self.crawler.settings["USER_AGENT"]
        if (delay := robotparser.crawl_delay(agent)) is not None:
            pause = min(timedelta(seconds=float(delay)), SLOWEST_CRAWL_DELAY)
            self.pace.host_delays[self.call_for(request).bucket] = pause

    async def visit(self, visit: Visit) -> None:
        state = deepcopy(dict(await visit.cursor() or {}))
        asked = state.get("feed") or visit.source.address
        page = await self._get(asked, state)
        if page.body is not None:
            await self._list(visit, page, state)
        await self._articles(visit, state)
        if page.body is not None:  # only now: everything it named is kept
            is_same = asked == (state.get("feed") or visit.source.address)
            state["etag"], state["modified"] = (page.etag, page.modified) if is_same else (None, None)
        await visit.move_cursor(state)
        visit.is_complete = not state.get("waiting")

    async def _list(self, visit: Visit, page: Page, state: dict[str, Any]) -> None:
        """A feed stores its posts at once; what is held only in part, or only named, waits to be fetched."""
        assert page.body is not None  # noqa: S101 - asked by visit
        try:
            parsed = news.feed(page.body, visit.context(), url=page.url, content_type=page.content_type)
        except Unreadable:
            await self._not_a_feed(visit, page, state)
            return
        if not parsed.posts and not parsed.links and not parsed.left_out and visit.health.posts_seen:
            raise LayoutChanged("В ленте нет ни одной записи, а раньше они были.")
        starts = {news.news_id(url) for url in parsed.links}
        whole = tuple(post for post in parsed.posts if post.id not in starts)
        await visit.store(replace(parsed, posts=whole), page="news.feed")
        changed = {post.id: post.content_hash for post in parsed.posts if post.id in starts}
        self._wait_for(state, [(url, changed.get(news.news_id(url))) for url in parsed.links])

    async def _not_a_feed(self, visit: Visit, page: Page, state: dict[str, Any]) -> None:
        assert page.body is not None  # noqa: S101 - asked by visit
        try:
            found = news.sitemap(page.body, url=page.url)
        except Unreadable:
            await self._web_page(visit, page, state)
            return
        pages = list(found.pages)
        for part in sorted(found.parts, reverse=True)[:PARTS_AT_MOST]:
            body = (await self._get(part, {})).body
            pages += news.sitemap(body, url=part).pages if body is not None else ()
        oldest = visit.now - BACKFILL
        fresh = [(url, at.isoformat() if at else None) for url, at in pages if at is None or at >= oldest]
        self._wait_for(state, fresh)

    async def _web_page(self, visit: Visit, page: Page, state: dict[str, Any]) -> None:
        """A page without a feed at its address: it may announce one, else its links are the list."""
        assert page.body is not None  # noqa: S101 - asked by visit
        feeds = news.feeds(page.body, url=page.url, content_type=page.content_type)
        if feeds and not state.get("feed") and not state.get("has_no_feed"):
            feed = await self._get(feeds[0], {})
            if feed.body is not None and _is_feed(feed, visit):
                state["feed"] = feeds[0]
                await self._list(visit, feed, state)
                return
            state["has_no_feed"] = True
        links = news.links(page.body, url=page.url, content_type=page.content_type)
        if not links:
            if visit.health.posts_seen:
                raise LayoutChanged("На странице не найдено ни одной статьи, а раньше они были.")
            parsed = news.article(page.body, visit.context(), url=page.url, content_type=page.content_type)
            if not parsed.posts:
                raise LayoutChanged("На странице нет ни ленты, ни статей: проверьте адрес.")
            await visit.store(parsed, page="news.article")
            return
        self._wait_for(state, [(url, None) for url in links])

    def _wait_for(self, state: dict[str, Any], named: list[tuple[str, str | None]]) -> None:
        """Articles that are new, or whose mark (hash of the feed's text, time in the sitemap) has changed."""
        known: dict[str, str | None] = state.setdefault("known", {})
        waiting: list[list[str | None]] = state.setdefault("waiting", [])
        queued = {url for url, _ in waiting}
        for url, mark in named:
            article = news.news_id(url)
            if url in queued or (article in known and (mark is None or known[article] == mark)):
                continue
            waiting.append([url, mark])
        del waiting[WAITING_AT_MOST:]

    async def _articles(self, visit: Visit, state: dict[str, Any]) -> None:
        """Fetch what waits, politely; each article is stored before it counts as known."""
        if visit.is_probe:
            return
        waiting: list[list[str | None]] = state.get("waiting", [])
        known: dict[str, str | None] = state.setdefault("known", {})
        for url, mark in waiting[:ARTICLES_AT_MOST]:
            assert url is not None  # noqa: S101 - only the mark may be missing
            await self._article(visit, url)
            article = news.news_id(url)
            known.pop(article, None)
            known[article] = mark
        del waiting[:ARTICLES_AT_MOST]
        for article in list(known)[: max(len(known) - KNOWN_AT_MOST, 0)]:
            del known[article]

    async def _article(self, visit: Visit, url: str) -> None:
        """One article; a page that is closed, gone or no article does not stop the others."""
        try:
            page = await self._get(url, {})
        except Closed:
            return
        except NetworkRefusal as refusal:
            if refusal.reaction not in OF_ONE_POST:
                raise
            return
        if page.body is not None:
            parsed = news.article(page.body, visit.context(), url=page.url, content_type=page.content_type)
            await visit.store(parsed, page="news.article")

    async def _get(self, url: str, state: Mapping[str, Any]) -> Page:
        """One page; with an ETag or a date in `state` only if it has changed since."""
        headers = {}
        if state.get("etag"):
            headers["If-None-Match"] = state["etag"]
        if state.get("modified"):
            headers["If-Modified-Since"] = state["modified"]
        call = Call(bucket=f"news:{urlsplit(url).netloc}", limit="news")

        def request() -> Request:
            return Request(url, headers=headers, meta={"call": call}, dont_filter=True)

        def read(response: Response) -> Page:
            self._check_status(response)
            answered = response.headers.to_unicode_dict()
            return Page(
                url=response.url,
                body=None if response.status == 304 else response.body,
                content_type=answered.get("Content-Type", ""),
                etag=answered.get("ETag"),
                modified=answered.get("Last-Modified"),
            )

        return await self.ask(request, read, call=call)


def _is_feed(page: Page, visit: Visit) -> bool:
    assert page.body is not None  # noqa: S101 - asked by the caller
    try:
        news.feed(page.body, visit.context(), url=page.url, content_type=page.content_type)
    except Unreadable:
        return False
    return True
