"""The crawling stage: claims the sources that are due, lets the spiders visit them, keeps what they bring."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from scrapy.crawler import AsyncCrawlerRunner

from crawlers import discovery, parse
from crawlers.cursors import Young
from crawlers.health import Outcome, Trouble, after_visit
from crawlers.pace import Pace
from crawlers.pages.base import Context, NetworkRefusal, Unreadable
from crawlers.schedule import Budget, Rhythm, attention, backed_off, interval
from crawlers.spiders.base import BODY_BYTES, TIMEOUT, Errand, NetworkSpider
from crawlers.spiders.max import MaxSpider
from crawlers.spiders.news import NewsSpider
from crawlers.spiders.ok import OkSpider
from crawlers.spiders.telegram import TelegramSpider
from crawlers.spiders.vk import VkSpider
from crawlers.visits import Means, Visit, in_thread
from index.desk import Desk
from index.domain.alert import AlertState
from index.domain.post import Network
from index.domain.source import Source, SourceHealth
from index.errors import NotFound, Unavailable
from index.pace import limits, network_day, next_midnight, token_bucket
from index.posts.base import PostIndex
from index.settings import Settings

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

ACTOR = "crawler"  # who changes the register when the network says that an address is wrong
LEASE = timedelta(seconds=90)  # a source held by a killed process is free again after this
LANE_LIFE = timedelta(hours=1)  # then a spider starts anew: robots.txt and connections are fresh
RAW_KEPT = timedelta(days=7)  # raw records that could not be read
EVENTS_KEPT = timedelta(days=7)  # after that no network brings an event again
SHARES_KEPT = timedelta(minutes=10)  # before the rhythms of all sources are added up again
TOKEN_RESERVE = 0.9  # of a day's budget goes to walls by schedule; the rest is for what can't be planned
LESSON = timedelta(minutes=10)  # quiet hours are written into the rhythm this often
HOT_KEPT = timedelta(seconds=30)  # before open alerts are looked up again
HOT_ALERTS = 50  # the gravest
GOODBYE = 3.0  # seconds a visit has to finish when the crawler is closed
CLAIM_PAUSE = 0.5  # seconds between two looks for what has become due
BATCHED = 12  # VK calls that one request carries on average

NOISY_LOGGERS = {
    "scrapy": logging.WARNING,  # below: a line a request, with its URL
    "aiohttp": logging.WARNING,
    "protego": logging.WARNING,
    "scrapy.downloadermiddlewares.robotstxt": logging.CRITICAL,  # a dead site is told as its health
}

SPIDERS: Mapping[Network, type[NetworkSpider]] = {
    Network.VK: VkSpider,
    Network.OK: OkSpider,
    Network.TELEGRAM: TelegramSpider,
    Network.MAX: MaxSpider,
    Network.NEWS: NewsSpider,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlReport:
    """What a run did. Visits that went on when the run returned are told by the next one."""

    visited: int = 0
    new: int = 0  #: posts and comments
    changed: int = 0
    broken: int = 0  #: records that went to the quarantine
    proposed: int = 0  #: new sources for an officer to decide on
    running: int = 0  #: visits that still go on
    troubles: Mapping[str, str] = field(default_factory=dict)  #: source id -> reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What trying the quarantine again brought."""

    tried: int = 0
    mended: int = 0  #: records that could be read now and left the quarantine
    new: int = 0  #: posts and comments they brought


class Crawler:
    """Crawling in this process. Any number of processes may crawl side by side on one desk.

    Everything network runs in one thread with its own asyncio loop, a spider a network; databases are asked
    in threads. `run_due`, `probe`, `replay` may be called from any thread, one at a time.
    """

    def __init__(
        self,
        *,
        desk: Desk,
        posts: PostIndex,
        settings: Settings,
        secret: bytes,
        queries: Sequence[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        worker: str | None = None,
        lease: timedelta = LEASE,
    ) -> None:
        """Raises Misconfigured when LIMITS cannot be read. Nothing is asked of any network yet."""
        self.desk = desk
        self._limits = limits(settings.limits)
        self._means = Means(
            desk=desk,
            posts=posts,
            settings=settings,
            pace=Pace(desk=desk, limits=self._limits, clock=clock),
            secret=secret,
            clock=clock,
            queries=tuple(queries),
        )
        for name, level in NOISY_LOGGERS.items():
            logging.getLogger(name).setLevel(max(logging.getLogger(name).level, level))
        self._worker = worker or f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        self._lease = lease
        self._loop = Loop()
        self._lanes = {network: Lane(spider, self._means) for network, spider in SPIDERS.items()}
        self._running: dict[Future[Visit], Network] = {}
        self._shares = Shares(desk)
        self._weighed_at: datetime | None = None
        self._hot_at: datetime | None = None
        self._has_own_sources = False

    def run_due(
        self, now: datetime, *, only: Sequence[str] | None = None, patience: timedelta | None = None
    ) -> CrawlReport:
        """Visit every source that is due at `now` (of `only`, when given) and store what is new.

        Returns when all are visited, or after `patience`: what is slow then goes on by itself and holds back
        only its own network. Repeatable at any moment, also after a kill: a source is read on from what is
        safely stored. Raises Unavailable when the index or the desk is down: nothing moved, come again later.
        """
        self._means.posts.check()
        self._ensure_own_sources(now)
        self._note_hot(now)
        done = self._drain(now, only) if patience is None else self._keep_up(now, only, patience)
        return self._reported(done, now)

    def probe(self, sources: Sequence[Source], now: datetime) -> list[tuple[Source, Trouble | None]]:
        """Call each source once, storing nothing: what is wrong with it, or None. In the order given."""
        healths = self.desk.sources.healths()
        visits = [
            self._visit(s, healths.get(s.id) or SourceHealth(source_id=s.id), is_probe=True) for s in sources
        ]
        by_network: dict[Network, list[Visit]] = {}
        for visit in visits:
            by_network.setdefault(visit.source.network, []).append(visit)
        asked = [self._loop.submit(self._lanes[network].attend(part)) for network, part in by_network.items()]
        for future in asked:
            future.result()
        return [(visit.source, visit.trouble) for visit in visits]

    def replay(self, now: datetime) -> ReplayReport:
        """Try the records of the quarantine again: a mended parser reads them, the others stay.

        Repeatable. Raises Unavailable when the index or the desk is down.
        """
        tried = mended = new = 0
        for record in self.desk.quarantine.list(limit=10_000):
            if not record.stage.startswith("crawl:") or record.network is None:
                continue
            tried += 1
            context = Context(
                secret=self._means.secret, fetched_at=now, source=self._source(record.source_id)
            )
            try:
                parsed = parse.read(record.network, record.raw.encode(), context)
            except (Unreadable, NetworkRefusal):
                continue
            if parsed.broken or not (parsed.posts or parsed.gone):
                continue
            posts = [post if post.collected_at else replace(post, collected_at=now) for post in parsed.posts]
            new += self._means.posts.add(posts).new
            self.desk.quarantine.remove(record.id)
            mended += 1
        return ReplayReport(tried=tried, mended=mended, new=new)

    def close(self) -> None:
        """Stop the spiders and the loop. What was not stored yet is read again by the next process."""
        if self._loop.is_running:
            self._loop.submit(self._close_lanes()).result()
        self._loop.close()
        self._means.writer.shutdown()
        try:
            self._means.pace.flush()
        except Unavailable:
            logger.warning("The last calls were not counted", extra={"action": "calls_not_counted"})

    async def _close_lanes(self) -> None:
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))

    def __enter__(self) -> Crawler:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _drain(self, now: datetime, only: Sequence[str] | None) -> list[Visit]:
        """Everything that is due at `now`, to the end."""
        done: list[Visit] = []
        waiting = set(Network)
        while True:
            waiting = {n for n in waiting if self._start_due(n, now, only, may_wait=False)}
            if not self._running:
                return done
            done += self._finished(None)

    def _keep_up(self, now: datetime, only: Sequence[str] | None, patience: timedelta) -> list[Visit]:
        """What is due at `now` or becomes due meanwhile; ends when nothing goes on, or patience does."""
        done: list[Visit] = []
        started = time.monotonic()
        while True:
            passed = timedelta(seconds=time.monotonic() - started)
            for network in Network:
                self._start_due(network, now + passed, only, may_wait=True)
            left = (patience - passed).total_seconds()
            if not self._running or left <= 0:
                return done
            done += self._finished(min(left, CLAIM_PAUSE))
            time.sleep(min(left, CLAIM_PAUSE) / 2)

    def _start_due(
        self, network: Network, now: datetime, only: Sequence[str] | None, *, may_wait: bool
    ) -> bool:
        """Start as many due visits as the network has room for; False: no more are due."""
        room = SPIDERS[network].at_once - list(self._running.values()).count(network)
        if room <= 0:
            return True
        sources = self.desk.jobs.claim_due(
            now, worker=self._worker, lease=self._lease, limit=room, only=only, networks=[network]
        )
        for source in sources:
            visit = self._visit(source, self.desk.sources.health(source.id))
            visit.may_wait = may_wait
            self._running[self._loop.submit(self._attend(self._lanes[network], visit))] = network
        return len(sources) == room

    def _finished(self, seconds: float | None) -> list[Visit]:
        """Wait until something is finished, or so long. Raises what a visit raised."""
        ready, _ = wait_for(self._running, timeout=seconds, return_when="FIRST_COMPLETED")
        for future in ready:
            del self._running[future]
        return [future.result() for future in ready]

    def _visit(self, source: Source, health: SourceHealth, *, is_probe: bool = False) -> Visit:
        return Visit(means=self._means, source=source, health=health, young=Young(), is_probe=is_probe)

    async def _attend(self, lane: Lane, visit: Visit) -> Visit:
        """Visit, then write down what it means; the lease is given back whatever happened."""
        started_at = self._means.clock()
        try:
            await lane.attend([visit])
            await in_thread(self._close_visit, visit, visit.outcome(), started_at)
        except BaseException:
            await in_thread(self._release, visit.source)
            raise
        return visit

    def _release(self, source: Source) -> None:
        try:
            self.desk.jobs.release(source.id, worker=self._worker)
        except Unavailable:
            logger.warning("A lease was not given back, it will run out", extra={"action": "lease_kept"})

    def _close_visit(self, visit: Visit, outcome: Outcome, started_at: datetime) -> None:
        now, source = self._means.clock(), visit.source
        rhythm = Rhythm.from_json(self.desk.cursors.get(source.id, "rhythm"))
        is_lesson = outcome.published or rhythm.until is None or now - rhythm.until > LESSON
        if outcome.is_complete and is_lesson:
            rhythm = rhythm.learnt(outcome.published, now)
            self.desk.cursors.save(source.id, rhythm.to_json(), "rhythm")
        self._shares.put(source, rhythm, now)
        due_at = self._due_at(visit, outcome, rhythm, now)
        health = after_visit(visit.health, outcome, rhythm, started_at=started_at, now=now, due_at=due_at)
        self.desk.jobs.finish(health, worker=self._worker)
        if outcome.trouble is not None:
            self._note_trouble(
                source, outcome.trouble, now, is_new=visit.health.reason != outcome.trouble.reason
            )

    def _due_at(self, visit: Visit, outcome: Outcome, rhythm: Rhythm, now: datetime) -> datetime:
        shortest = self._shortest(visit.source)
        if outcome.trouble is not None:
            failures = visit.health.failures + 1
            return outcome.trouble.retry_at or now + backed_off(shortest, failures)
        if not outcome.is_complete:
            return now + shortest  # more is waiting
        return now + self._interval(visit.source, rhythm, shortest, now)

    def _interval(self, source: Source, rhythm: Rhythm, shortest: timedelta, now: datetime) -> timedelta:
        if source.address in OWN_ADDRESSES:
            return shortest
        share = attention(rhythm, now, is_official=source.is_official)
        if source.network is Network.NEWS:
            return courtesy(share, shortest)
        total, sources = self._shares.total(source.network, now)
        budget = self._budget(source.network, now)
        return interval(share, total, budget, shortest=shortest, sources=sources)

    def _budget(self, network: Network, now: datetime) -> Budget:
        """What the tokens of a network permit for visits by schedule."""
        row = self._limits[SPIDERS[network].limit]
        rate = row.calls / row.period.total_seconds() if row.calls else 100.0
        left = (next_midnight(now) - now).total_seconds()
        if network is not Network.VK:
            return Budget(calls_per_second=rate / 2, seconds_left=left)  # the other half is for comments
        tokens = [token.get_secret_value() for token in self._means.settings.vk_tokens]
        per_day = self._limits["vk:wall.get"].per_day
        if per_day is None or not tokens:
            return Budget(calls_per_second=rate * max(len(tokens), 1) * BATCHED, seconds_left=left)
        spent = self.desk.quotas.spent(network_day(now))
        names = [f"{token_bucket(Network.VK, token)}:wall.get" for token in tokens]
        calls_left = sum(max(per_day * TOKEN_RESERVE - spent.get(name, 0), 0) for name in names)
        return Budget(
            calls_per_second=rate * len(tokens) * BATCHED, calls_left=int(calls_left), seconds_left=left,
            calls_per_day=int(per_day * TOKEN_RESERVE * len(tokens)),
        )  # fmt: skip

    def _shortest(self, source: Source) -> timedelta:
        row = self._limits[OWN_ADDRESSES.get(source.address, SPIDERS[source.network].limit)]
        every = row.every or self._limits[source.network.value].every
        return every or timedelta(seconds=2)

    def _note_trouble(self, source: Source, trouble: Trouble, now: datetime, *, is_new: bool) -> None:
        if is_new:
            extra = {"action": "source_trouble", "source": source.id, "state": trouble.state.value}
            logger.info("A source could not be read to the end: %s", trouble.reason, extra=extra)
        if trouble.to_disable:
            self.desk.sources.save(replace(source, is_enabled=False), actor=ACTOR, at=now)

    def _reported(self, visits: Sequence[Visit], now: datetime) -> CrawlReport:
        self._means.pace.flush()
        self._means.evidence.flush(self.desk, now)
        outcomes = [(visit.source.id, visit.outcome()) for visit in visits]
        return CrawlReport(
            visited=len(visits),
            new=sum(outcome.new for _, outcome in outcomes),
            changed=sum(outcome.changed for _, outcome in outcomes),
            broken=sum(outcome.broken for _, outcome in outcomes),
            proposed=self._weigh(now),
            running=len(self._running),
            troubles={
                source_id: outcome.trouble.reason for source_id, outcome in outcomes if outcome.trouble
            },
        )

    def _note_hot(self, now: datetime) -> None:
        """Posts that open alerts are about; a comment among them stands for its post."""
        if self._hot_at is not None and now - self._hot_at < HOT_KEPT:
            return
        self._hot_at = now
        alerts, _ = self.desk.alerts.find(states=(AlertState.OPEN,), limit=HOT_ALERTS)
        evidence = self._means.posts.get_many([post_id for alert in alerts for post_id in alert.post_ids])
        self._means.hot.clear()
        self._means.hot.update(record.post.parent_id or post_id for post_id, record in evidence.items())

    def _weigh(self, now: datetime) -> int:
        """Now and then: proposals from the evidence, and the end of old raw records and events."""
        if self._weighed_at is not None and now - self._weighed_at < discovery.EVERY:
            return 0
        self._weighed_at = now
        self.desk.quarantine.forget_before(now - RAW_KEPT)
        self.desk.events.forget_before(now - EVENTS_KEPT)
        return discovery.propose(self.desk, self._means.posts, now)

    def _ensure_own_sources(self, now: datetime) -> None:
        """Searches and updates of bots are visited like pages: leased, with health and a cursor."""
        if self._has_own_sources:
            return
        known = {source.id for source in self.desk.sources.list()}
        new = [source for source in own_sources(self._means) if source.id not in known]
        self.desk.sources.add(new, actor=ACTOR, at=now)  # one that an officer switched off stays so
        self._has_own_sources = True

    def _source(self, source_id: str | None) -> Source | None:
        try:
            return self.desk.sources.get(source_id) if source_id is not None else None
        except NotFound:
            return None


#: Addresses of sources that are no pages, with the row of the limits that paces them.
OWN_ADDRESSES = {"search": "vk:newsfeed.search", "updates": "telegram:bot"}


def own_sources(means: Means) -> list[Source]:
    """What our own tokens open besides pages."""
    settings, found = means.settings, []
    if means.queries and settings.vk_tokens:
        found.append((Network.VK, "search", "ВКонтакте: поиск по названиям района"))
    if settings.telegram_bot_token is not None:
        found.append((Network.TELEGRAM, "updates", "Telegram: обсуждения каналов (бот)"))
    if settings.max_token is not None:
        found.append((Network.MAX, "updates", "MAX: события бота"))
    return [Source(id=f"{n.value}:{a}", network=n, address=a, title=title) for n, a, title in found]


def courtesy(share: float, shortest: timedelta) -> timedelta:
    """Pause between two looks at a site: a tenth of its usual pause between articles, one to five `shortest`.

    `share` is the site's attention: the square root of its weighted articles an hour.
    """
    wanted = timedelta(hours=0.1) / max(share * share, 1e-6)
    return min(max(wanted, shortest), shortest * 5)


class Shares:
    """How much attention all sources of a network ask for together; added up anew every ten minutes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._shares: dict[Network, dict[str, float]] = {}
        self._read_at: datetime | None = None
        self._lock = threading.Lock()

    def total(self, network: Network, now: datetime) -> tuple[float, int]:
        """Their sum, and how many sources ask."""
        with self._lock:
            if self._read_at is None or now - self._read_at > SHARES_KEPT:
                self._read(now)
            shares = self._shares.get(network, {})
            return sum(shares.values()), len(shares)

    def put(self, source: Source, rhythm: Rhythm, now: datetime) -> None:
        with self._lock:
            share = attention(rhythm, now, is_official=source.is_official)
            self._shares.setdefault(source.network, {})[source.id] = share

    def _read(self, now: datetime) -> None:
        shares: dict[Network, dict[str, float]] = {}
        for source in self._desk.sources.list(enabled_only=True):
            if source.address in OWN_ADDRESSES:
                continue
            rhythm = Rhythm.from_json(self._desk.cursors.get(source.id, "rhythm"))
            share = attention(rhythm, now, is_official=source.is_official)
            shares.setdefault(source.network, {})[source.id] = share
        self._shares, self._read_at = shares, now


class Loop:
    """A thread with an asyncio loop of its own, started when it is first needed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run it there."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run, name="crawl", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    @property
    def is_running(self) -> bool:
        return self._loop is not None

    def _run(self) -> None:
        assert self._loop is not None  # noqa: S101 - made by submit
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def close(self) -> None:
        if self._loop is None or self._thread is None:
            return
        self.submit(_cancelled_others()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        if not self._thread.is_alive():
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
        self._loop = self._thread = None


async def _cancelled_others() -> None:
    """End every other task of this loop."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Lane:
    """One Scrapy crawl of one network that stays open: its spider gets sources through a queue."""

    def __init__(self, spider: type[NetworkSpider], means: Means) -> None:
        self._spider = spider
        self._means = means
        self._inbox: asyncio.Queue[Errand | None] | None = None
        self._crawl: asyncio.Task[None] | None = None
        self._opened_at = 0.0

    async def attend(self, visits: list[Visit]) -> None:
        """Return when all are visited; their troubles are written in them.

        Raises Unavailable (databases), and whatever a defect of the spider raises.
        """
        inbox, crawl = await self._open()
        errand = Errand(visits)
        await inbox.put(errand)
        await asyncio.wait({errand.done, crawl}, return_when=asyncio.FIRST_COMPLETED)
        if not errand.done.done():
            await crawl  # raises what ended it
            raise Unavailable("Обход сети прервался, следующий проход начнёт его заново.")
        errand.done.result()

    async def _open(self) -> tuple[asyncio.Queue[Errand | None], asyncio.Task[None]]:
        is_old = time.monotonic() - self._opened_at > LANE_LIFE.total_seconds()
        if is_old and self._inbox is not None:
            await self._inbox.put(None)  # what it attends to is finished, then it ends
            self._crawl = None
        if self._crawl is None or self._crawl.done() or self._inbox is None:
            self._inbox = asyncio.Queue()
            runner = AsyncCrawlerRunner(scrapy_settings(self._spider, self._means.settings))
            self._crawl = runner.crawl(self._spider, means=self._means, inbox=self._inbox)
            self._opened_at = time.monotonic()
        return self._inbox, self._crawl

    async def close(self) -> None:
        """Let it finish what it attends to, for a moment; what it has not stored is read again."""
        if self._inbox is not None and self._crawl is not None and not self._crawl.done():
            await self._inbox.put(None)
            await asyncio.wait({self._crawl}, timeout=GOODBYE)


def scrapy_settings(spider: type[NetworkSpider], settings: Settings) -> dict[str, Any]:
    """Plain values only: Scrapy deep-copies its settings."""
    handler = "crawlers.spiders.base.WireHandler"
    contact = f"; {settings.contact}" if settings.contact else ""
    return {
        "CA_FILE": str(settings.max_ca_file) if settings.max_ca_file and spider is MaxSpider else None,
        "CONCURRENT_REQUESTS": 64,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
        "COOKIES_ENABLED": False,
        "DOWNLOADER_MIDDLEWARES": {"crawlers.pace.PaceMiddleware": 950},
        "DOWNLOAD_DELAY": 0,
        "DOWNLOAD_HANDLERS": {
            "http": handler,
            "https": handler,
            "ftp": None,
            "s3": None,
            "file": None,
            "data": None,
        },
        "DOWNLOAD_MAXSIZE": BODY_BYTES,
        "DOWNLOAD_TIMEOUT": TIMEOUT.total_seconds(),
        "DOWNLOAD_WARNSIZE": 0,
        "EXTENSIONS": {
            "scrapy.extensions.logstats.LogStats": None,
            "scrapy.extensions.memusage.MemoryUsage": None,
            "scrapy.extensions.throttle.AutoThrottle": None,
        },
        "LOG_ENABLED": False,
        "REDIRECT_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "RETRY_ENABLED": False,
        "ROBOTSTXT_OBEY": False,
        "TELNETCONSOLE_ENABLED": False,
        "TWISTED_REACTOR_ENABLED": False,
        "USER_AGENT": f"mcu-monitor/0.1 (municipal monitoring of open sources{contact})",
        **spider.settings_over,
    }
