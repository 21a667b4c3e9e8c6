"""What to fetch next from sites: a feed, a sitemap or a list page, and the articles they name."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from scrapy import signals
from scrapy.http import Request, Response

from crawlers.cursors import BACKFILL, YOUNG
from crawlers.health import Closed, LayoutChanged, Unreached
from crawlers.pages import news
from crawlers.pages.base import NetworkRefusal, Reaction, Unreadable, read_json
from crawlers.spiders.base import OF_ONE_POST, NetworkSpider
from crawlers.visits import Visit, in_thread
from index.domain.post import Network
from index.errors import ServiceError
from index.pace import Call, NotNow

ARTICLES_AT_MOST = 20  # fetched in one visit; the others wait for the next
PARTS_AT_MOST = 5  # of an index of sitemaps: the newest
KNOWN_AT_MOST = 2_000  # articles remembered by one source
WAITING_AT_MOST = 500
TRIES = 3  # of an article that gives no whole answer
REREADS = 3  # articles read again in one visit
REREAD_PAUSE = timedelta(hours=1)  # and not sooner: a site is not asked as often as an API
VIDEO_PAGES = 5  # of a list of videos, read when a channel is met for the first time
TALKS_AT_MOST = 5  # videos and articles whose comments are read in one visit
TALK_PAGES = 3  # of comments of one video
TALK_THREADS = 10  # replies to so many of its comments
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
        "DOWNLOADER_MIDDLEWARES": {
            "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
            "crawlers.robots.RobotsMiddleware": 100,
            "crawlers.pace.PaceMiddleware": 950,
        },
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
        asked = state.get("feed") or news.videos_address(visit.source.address) or visit.source.address
        page = await self._get(asked, state)
        if page.body is not None:  # else nothing has changed since the last visit
            await self._list(visit, page, state)
            is_same = asked == (state.get("feed") or asked)
            state["etag"], state["modified"] = (page.etag, page.modified) if is_same else (None, None)
        trouble = await self._articles(visit, state) or await self._talks(visit, state)
        await visit.move_cursor(state)  # what it named and could not be fetched stands among the waiting
        if trouble is not None:
            raise trouble
        await self._rereads(visit, state)
        visit.is_complete = not state.get("waiting")

    async def _list(self, visit: Visit, page: Page, state: dict[str, Any]) -> None:
        """A feed stores its posts at once; what is held only in part, or only named, waits to be fetched."""
        assert page.body is not None  # noqa: S101 - asked by visit
        if news.is_video_list(page.body):
            await self._video_list(visit, page, state)
            return
        try:
            parsed = news.feed(page.body, visit.context(), url=page.url, content_type=page.content_type)
        except Unreadable:
            await self._not_a_feed(visit, page, state)
            return
        if not parsed.posts and not parsed.links and not parsed.left_out:
            if visit.health.posts_seen:
                raise LayoutChanged("В ленте нет ни одной записи, а раньше они были.")
            if visit.is_probe:
                raise LayoutChanged("Лента открывается, но в ней нет ни одной записи: проверьте адрес.")
        starts = {news.news_id(url) for url in parsed.links} - set(state.get("short", ()))
        whole = tuple(post for post in parsed.posts if post.id not in starts)
        await visit.store(replace(parsed, posts=whole), page="news.feed")
        told = {post.id: post for post in parsed.posts}
        for url in parsed.links:
            if (article := news.news_id(url)) in starts:
                post = told.get(article)
                self._wait_for(
                    state,
                    [(url, post.content_hash if post else None)],
                    date=post.published_at if post else None,
                )

    async def _video_list(self, visit: Visit, page: Page, state: dict[str, Any]) -> None:
        """Descriptions of a channel's videos; the first time as far back as any source is read."""
        is_first, talks = not state.get("has_videos"), state.setdefault("talks", {})
        for _ in range(VIDEO_PAGES):
            assert page.body is not None  # noqa: S101 - asked without an ETag
            parsed = news.videos(read_json(page.body), visit.context())
            await visit.store(parsed, page="news.videos")
            visit.young.seen(parsed.sights, visit.now)
            for post in parsed.posts:
                address = news.comments_address(post.url or "", listed_at=page.url)
                if address is not None and visit.now - post.published_at <= YOUNG:
                    talks[post.id] = [address, post.url]
            oldest = min((post.published_at for post in parsed.posts), default=visit.now - BACKFILL)
            if not is_first or visit.is_probe or not parsed.next or oldest <= visit.now - BACKFILL:
                break
            page = await self._get(parsed.next, {})
        state["has_videos"] = True

    async def _talks(self, visit: Visit, state: dict[str, Any]) -> ServiceError | None:
        """Comments of videos and of Дзен, by the clock: no list counts them. Gives what went wrong."""
        if visit.is_probe or not visit.source.with_comments or not state.get("talks"):
            return None
        talks: dict[str, list[str]] = state["talks"]
        try:
            for post_id in [p for p in visit.young.comments_due(visit.now, limit=100) if p in talks][
                :TALKS_AT_MOST
            ]:
                await self._talk(visit, post_id, *talks[post_id])
                visit.young.comments_read(post_id, visit.now)
        except Unreadable as error:
            return Unreadable(f"Комментарии: {error} Остальное собрано; не читать их: comments: false.")
        except (Unreached, NetworkRefusal, NotNow) as error:
            return error
        finally:
            await visit.keep_young()
            state["talks"] = {
                post_id: talk for post_id, talk in talks.items() if post_id in visit.young.posts
            }
        return None

    async def _talk(self, visit: Visit, post_id: str, address: str, url: str) -> None:
        """Comments of one video with their replies; closed ones are no trouble of the source."""
        waiting, pages = [address], 0
        while waiting and pages < TALK_PAGES + TALK_THREADS:
            asked, pages = waiting.pop(0), pages + 1
            try:
                page = await self._get(asked, {})
            except Closed:
                return
            except NetworkRefusal as refusal:
                if refusal.reaction not in OF_ONE_POST:
                    raise
                return
            assert page.body is not None  # noqa: S101 - asked without an ETag
            parsed = news.comments(read_json(page.body), visit.context(), post_id=post_id, url=url)
            await visit.store(parsed, page="news.comments")
            if parsed.next and pages < TALK_PAGES:
                waiting.insert(0, parsed.next)
            waiting += [f"{address}?parent_id={one.comment_id}" for one in parsed.threads][:TALK_THREADS]

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
        fresh = [(url, at) for url, at in pages if at is None or at >= oldest]
        fresh.sort(key=lambda page: page[1] or oldest, reverse=True)
        named = [(url, at.isoformat() if at else None) for url, at in fresh[:WAITING_AT_MOST]]
        self._wait_for(state, named)

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

    def _wait_for(
        self, state: dict[str, Any], named: list[tuple[str, str | None]], *, date: datetime | None = None
    ) -> None:
        """Articles that are new, or whose mark (hash of the feed's text, time in the sitemap) has changed.

        `date`: when they came out, as the feed says; it wins over what their pages say.
        """
        known: dict[str, str | None] = state.setdefault("known", {})
        waiting: list[list[Any]] = state.setdefault("waiting", [])
        queued = {row[0] for row in waiting}
        for url, mark in named:
            article = news.news_id(url)
            if url not in queued and (article not in known or (mark is not None and known[article] != mark)):
                waiting.append([url, mark, 0, date.isoformat() if date else None])
        del waiting[WAITING_AT_MOST:]

    async def _articles(self, visit: Visit, state: dict[str, Any]) -> ServiceError | None:
        """Fetch what waits, politely. An article counts as known once it is stored, or cannot be had; one
        that fails waits for the next visit. Gives the error when the site has failed twice in a row."""
        if visit.is_probe:
            return None
        waiting: list[list[Any]] = state.get("waiting", [])
        failures = 0
        for row in waiting[:ARTICLES_AT_MOST]:
            url, mark, tries, *dates = row  # rows of before the date was kept have three parts
            date = datetime.fromisoformat(dates[0]) if dates and dates[0] else None
            try:
                is_stored = await self._article(visit, url, date, talks=state.setdefault("talks", {}))
            except (Unreached, Unreadable, NetworkRefusal, NotNow) as error:
                failures += 1
                row[2] = tries + 1
                if failures > 1 or not _is_of_one_page(error):
                    return error
                if row[2] < TRIES:
                    continue
                is_stored = False
            waiting.remove(row)
            self._know(state, news.news_id(url), mark, is_stored=is_stored)
        return None

    def _know(self, state: dict[str, Any], article: str, mark: str | None, *, is_stored: bool) -> None:
        known: dict[str, str | None] = state.setdefault("known", {})
        known.pop(article, None)
        known[article] = mark
        for old in list(known)[: max(len(known) - KNOWN_AT_MOST, 0)]:
            del known[old]
        if not is_stored and article not in state.setdefault("short", []):
            state["short"] = [*state["short"], article][-KNOWN_AT_MOST:]
            state["etag"] = state["modified"] = (
                None  # the feed is read again: its short text is better than none
            )

    async def _article(
        self, visit: Visit, url: str, date: datetime | None, *, talks: dict[str, Any] | None = None
    ) -> bool:
        """Store one article; False: its page is closed, gone, or holds no text. `date`: None if only the
        page can tell it."""
        try:
            page = await self._get(url, {})
        except Closed:
            return False
        except NetworkRefusal as refusal:
            if refusal.reaction not in OF_ONE_POST:
                raise
            return False
        assert page.body is not None  # noqa: S101 - asked without an ETag
        parsed = news.article(
            page.body, visit.context(), url=page.url, content_type=page.content_type, known_date=date
        )
        await visit.store(parsed, page="news.article")
        visit.young.seen(parsed.sights, visit.now)
        if talks is not None and (address := news.dzen_comments_address(page.body, url=page.url)) is not None:
            talks |= {post.id: [address, post.url] for post in parsed.posts if post.id in visit.young.posts}
        return bool(parsed.posts)

    async def _rereads(self, visit: Visit, state: Mapping[str, Any]) -> None:
        """Edits and deletions of young articles; those of a feed with whole texts change in the feed."""
        if visit.is_probe:
            return
        known = state.get("known", {})
        long_ago = visit.now - REREAD_PAUSE
        due = [p for p in visit.young.due(visit.now, limit=100) if p in known]
        due = [p for p in due if visit.young.posts[p].read_at <= long_ago][:REREADS]
        records = await in_thread(self.means.posts.get_many, due)
        for post_id, record in records.items():
            post = record.post
            if post.url is not None and not await self._article(visit, post.url, post.published_at):
                await visit.lost(visit.young.missed([post_id], visit.now))
        await visit.keep_young()

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


def _is_of_one_page(error: ServiceError) -> bool:
    """A page may be broken alone; a site that asks for a pause, or rests, means all of them."""
    if isinstance(error, NetworkRefusal):
        return error.reaction is Reaction.RETRY
    return not isinstance(error, NotNow)


def _is_feed(page: Page, visit: Visit) -> bool:
    assert page.body is not None  # noqa: S101 - asked by the caller
    try:
        news.feed(page.body, visit.context(), url=page.url, content_type=page.content_type)
    except Unreadable:
        return False
    return True
