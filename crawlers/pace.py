"""How fast we may ask: one limiter a token over all processes, day budgets, and a breaker a host."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from scrapy.http import Request, Response

from crawlers.pages.base import NetworkRefusal
from index.domain.post import Network
from index.errors import Unavailable
from index.pace import (
    LATE,
    SLOTS_MISSED,
    Call,
    Limit,
    NotNow,
    Turns,
)

if TYPE_CHECKING:
    from scrapy.crawler import Crawler as ScrapyCrawler


@dataclass(slots=True)
class Breaker:
    """Stops asking a host that does not answer; lets one call through when the pause is over."""

    failures_to_open: int = 5
    failures: int = 0
    opened_until: datetime | None = None

    def check(self, now: datetime, host: str) -> None:
        """Raises NotNow while open; when the pause is over the next caller tries alone."""
        if self.opened_until is None:
            return
        if now < self.opened_until:
            raise NotNow(f"{host} не отвечает, следующая попытка позже.", until=self.opened_until)
        self.opened_until = now + timedelta(seconds=30)  # others keep waiting while one tries

    def failed(self, now: datetime) -> None:
        """Count a failure; from the fifth in a row the host rests 15 s, doubled each time, at most 10 min."""
        self.failures += 1
        if self.failures >= self.failures_to_open:
            pause = timedelta(seconds=15) * 2 ** min(self.failures - self.failures_to_open, 6)
            self.opened_until = now + min(pause, timedelta(minutes=10))

    def worked(self) -> None:
        self.failures, self.opened_until = 0, None


@dataclass
class Pace(Turns):
    """The limiter of a crawling process: turns over all processes, and what only crawling needs."""

    breakers: dict[str, Breaker] = field(default_factory=dict)
    strikes: dict[str, int] = field(default_factory=dict)  #: bucket:method -> refusals in a row that double
    _sent: dict[str, tuple[asyncio.Lock, deque[float]]] = field(default_factory=dict)

    async def turn(self, call: Call, host: str) -> None:
        """Return when the call may go, charged to its budget. Raises NotNow, Unavailable (desk)."""
        self.breaker(Network(call.bucket.partition(":")[0]), host).check(self.clock(), host)
        at = await asyncio.to_thread(self.reserve, call)
        for _ in range(SLOTS_MISSED):
            if at is None:
                return
            await asyncio.sleep(max((at - self.clock()).total_seconds(), 0))
            if self.clock() - at <= self.limit_of(call).period * LATE:
                return  # else this machine is busy: a call that leaves late would crowd another process's
            at = await asyncio.to_thread(self.slot, call.bucket, self.spacing(call))

    def breaker(self, network: Network, host: str) -> Breaker:
        """Of a host; networks that share one (a proxy, the practice stand) fail apart."""
        return self.breakers.setdefault(f"{network.value}:{host}", Breaker())

    def freeze_method(self, call: Call, refusal: NetworkRefusal) -> None:
        """Hold one method until the network's own time, an hour at most: then one call probes it.

        A refusal that says so doubles the pause each time it comes again; `worked` forgets them.
        """
        now, name = self.clock(), f"{call.bucket}:{call.method}"
        pause = min((refusal.until or now) - now, timedelta(hours=1)) or timedelta(minutes=10)
        if refusal.doubles:
            pause = min(pause * 2 ** self.strikes.get(name, 0), timedelta(days=1))
            self.strikes[name] = self.strikes.get(name, 0) + 1
        self.freeze(name, until=now + pause, reason=f"Сеть ограничила метод: {refusal.message}")

    def worked(self, call: Call) -> None:
        """A method that was refused before has answered."""
        self.strikes.pop(f"{call.bucket}:{call.method}", None)

    async def window(self, call: Call) -> None:
        """Asked on the wire, right before the bytes leave: a call that was held up on its way there must not
        crowd the next one. Any `period` holds at most `calls` of this process."""
        limit = self.limit_of(call)
        if limit.calls is None:
            return
        lock, sent = self._sent.setdefault(call.bucket, (asyncio.Lock(), deque(maxlen=limit.calls)))
        async with lock:
            if len(sent) == limit.calls:
                ends = sent[0] + limit.period.total_seconds() * 1.025
                await asyncio.sleep(max(ends - time.monotonic(), 0))
            sent.append(time.monotonic())


async def rest(seconds: float) -> None:
    """The pause before a call is repeated."""
    await asyncio.sleep(seconds)


class PaceMiddleware:
    """Scrapy downloader middleware: every request waits for its turn and tells the breaker how it went."""

    def __init__(self, crawler: ScrapyCrawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: ScrapyCrawler) -> Self:
        return cls(crawler)

    @property
    def _spider(self) -> Any:
        return self._crawler.spider  # not from the settings: Scrapy deep-copies those

    @property
    def _pace(self) -> Pace:
        pace: Pace = self._spider.pace
        return pace

    async def process_request(self, request: Request) -> None:
        if request.meta.get("has_turn"):  # calls that were batched have waited together
            self._breaker(request).check(self._pace.clock(), host_of(request.url))
            return
        call = request.meta.get("call") or self._spider.call_for(request)  # robots.txt has none
        await self._pace.turn(call, host_of(request.url))

    async def process_response(self, request: Request, response: Response) -> Response:
        breaker = self._breaker(request)
        if response.status >= 500:
            breaker.failed(self._pace.clock())
        else:
            breaker.worked()
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:
        if not isinstance(exception, Unavailable):  # NotNow and a desk that is down say nothing of the host
            self._breaker(request).failed(self._pace.clock())

    def _breaker(self, request: Request) -> Breaker:
        return self._pace.breaker(self._spider.network, host_of(request.url))


def host_of(url: str) -> str:
    """`https://user@host:1/path` -> `host:1`."""
    return url.split("/", 3)[2].rpartition("@")[2]


def budget_rows(table: Mapping[str, Limit], spent: Mapping[str, int]) -> list[dict[str, Any]]:
    """The day's budget for the sources page: one row a method of a token, largest spender first."""
    return [
        _budget_row(table, bucket, calls) for bucket, calls in sorted(spent.items(), key=lambda row: -row[1])
    ]


def _budget_row(table: Mapping[str, Limit], bucket: str, calls: int) -> dict[str, Any]:
    network, _, named = bucket.partition(":")
    method = (
        named.partition(":")[2] if network in (Network.VK, Network.OK, Network.MAX) else ""
    )  # else a port
    row = table.get(f"{network}:{method}")
    return {"bucket": bucket, "method": method, "spent": calls, "limit": row.per_day if row else None}
