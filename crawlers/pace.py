"""How fast we may ask: one limiter a token over all processes, day budgets, and a breaker a host."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self

from scrapy.http import Request, Response

from index.domain.post import Network
from index.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from scrapy.crawler import Crawler as ScrapyCrawler

    from index.desk import Desk

logger = logging.getLogger(__name__)

MOSCOW = timezone(timedelta(hours=3))  # the networks' day budgets are taken to end at their own midnight
LONGEST_WAIT = timedelta(seconds=30)  # a call that would wait longer for its turn gives up and comes back


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a network permits one token, one method of a token, or one host."""

    calls: int | None = None  #: in any `period`; None: no pace of its own
    period: timedelta = timedelta(seconds=1)
    per_day: int | None = None  #: None: no day budget known
    every: timedelta | None = None  #: shortest pause between two visits of one source; None: the network's

    @property
    def spacing(self) -> timedelta:
        """Pause between two calls, 2 % longer than the limit asks: clocks and wires are not exact."""
        return self.period / self.calls * 1.02 if self.calls else timedelta(0)


#: Every limit in one place; `LIMITS` in the settings overrides a row. Names: `network`, or
#: `network:method`. Sources: vk.md 3.2, ok.md 2, telegram.md 2 and 5, max.md 2, news.md 2.
LIMITS: Mapping[str, Limit] = {
    "vk": Limit(calls=3, every=timedelta(seconds=2)),  # user and service keys; service: unverified, plan for 3
    "vk:community": Limit(calls=20),
    "vk:wall.get": Limit(per_day=5_000),  # execute counts its inner calls (reported, so assumed)
    "vk:newsfeed.search": Limit(per_day=1_000, every=timedelta(seconds=90)),
    "vk:wall.search": Limit(per_day=1_000),
    "ok": Limit(calls=1, every=timedelta(seconds=2)),  # no published number: our own modest pace
    "telegram": Limit(calls=2, period=timedelta(seconds=5), every=timedelta(seconds=10)),  # t.me, a host
    "telegram:bot": Limit(calls=30, every=timedelta(seconds=1)),
    "max": Limit(calls=10, every=timedelta(seconds=2)),  # 30 documented, 10 seen live in 2026-09
    "news": Limit(calls=1, period=timedelta(seconds=2), every=timedelta(seconds=60)),  # a site
}

_ROW = re.compile(
    r"(?P<name>[a-z]+(?::[\w.]+)?)\s*=\s*(?P<calls>\d+)/(?P<number>[\d.]*)(?P<unit>s|min|h|day)"
    r"|(?P<visited>[a-z]+(?::[\w.]+)?)\s*=\s*every\s+(?P<every>[\d.]+)(?P<every_unit>s|min|h)"
)
_UNITS = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1)}


def limits(setting: str = "") -> dict[str, Limit]:
    """The table with the setting's rows over it: `vk=20/s, vk:wall.get=50000/day, news=every 2s`.

    Raises Misconfigured that names the row.
    """
    table = dict(LIMITS)
    for row in filter(None, (part.strip() for part in setting.split(","))):
        match = _ROW.fullmatch(row)
        name = match and (match["name"] or match["visited"])
        if match is None or name is None or name.partition(":")[0] not in table:
            raise Misconfigured(
                f"Настройка LIMITS: строка «{row}» не понята.",
                remedy="Пример: vk=3/s, vk:wall.get=5000/day, news=every 60s.",
            )
        table[name] = _overridden(table.get(name, Limit()), match)
    return table


def _overridden(limit: Limit, match: re.Match[str]) -> Limit:
    calls, every = match["calls"], match["every"]
    if every is not None:
        pause = float(every) * _UNITS[match["every_unit"]]
        return Limit(calls=limit.calls, period=limit.period, per_day=limit.per_day, every=pause)
    if match["unit"] == "day":
        return Limit(calls=limit.calls, period=limit.period, per_day=int(calls), every=limit.every)
    period = float(match["number"] or 1) * _UNITS[match["unit"]]
    return Limit(calls=int(calls), period=period, per_day=limit.per_day, every=limit.every)


def token_bucket(network: Network, token: str) -> str:
    """Name of a token in the desk and in logs; the token can't be told from it."""
    return f"{network.value}:{hashlib.sha256(token.encode()).hexdigest()[:8]}"


def network_day(now: datetime) -> date:
    """The day whose budget a call at `now` is charged to."""
    return now.astimezone(MOSCOW).date()


def day_ends(now: datetime) -> datetime:
    """When that day's budget comes anew."""
    midnight = now.astimezone(MOSCOW).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight + timedelta(days=1)).astimezone(UTC)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The pause a `Retry-After` header asks for (seconds or a date); None: none, or nothing we can read."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(timedelta(seconds=int(value)), timedelta(days=1))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), timedelta(days=1))


class NotNow(Unavailable):
    """A call may not go now: its token or method is frozen, its budget spent, or its host down.

    `until` says when it may; `is_ours` is true when our own pace holds it back and nothing is wrong.
    """

    def __init__(self, reason: str, *, until: datetime, is_ours: bool = False) -> None:
        super().__init__(reason)
        self.until = until
        self.is_ours = is_ours


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a request costs; stands in `request.meta["call"]`."""

    bucket: str  #: token_bucket, or `network:host` where there is no token
    limit: str  #: row of the table that gives the pace: vk | vk:community | telegram:bot …
    method: str = ""  #: name of the API method; empty: pages have none
    cost: int = 1  #: calls it counts for in the day budget (execute: its inner calls)

    @property
    def method_bucket(self) -> str:
        return f"{self.bucket}:{self.method}" if self.method else self.bucket


@dataclass
class Pace:
    """The limiter of one process; the desk keeps all processes to one pace."""

    desk: Desk
    limits: Mapping[str, Limit]
    clock: Callable[[], datetime]
    breakers: dict[str, Breaker] = field(default_factory=dict)
    _sent: dict[str, deque[float]] = field(default_factory=dict)

    async def turn(self, call: Call, host: str) -> None:
        """Return when the call may go, charged to its budget. Raises NotNow, Unavailable (desk)."""
        self.breaker(host).check(self.clock(), host)
        at = await asyncio.to_thread(self._reserve, call)
        if at is not None:
            await asyncio.sleep(max((at - self.clock()).total_seconds(), 0))
            await self._own_window(call)

    def breaker(self, host: str) -> Breaker:
        return self.breakers.setdefault(host, Breaker())

    def frozen(self, call: Call) -> tuple[datetime, str] | None:
        """Until when and why this call is held, or None."""
        now = self.clock()
        for bucket in dict.fromkeys((call.bucket, call.method_bucket)):
            if held := self.desk.quotas.frozen(bucket, now):
                return held
        return None

    def freeze(self, bucket: str, *, after: timedelta, reason: str) -> None:
        """Hold a token or one of its methods, in every process."""
        until = self.clock() + after
        self.desk.quotas.freeze(bucket, until=until, reason=reason)
        logger.warning(
            "A token or a method is held back", extra={"action": "quota_frozen", "bucket": bucket, "until": until}
        )

    def limit_of(self, call: Call) -> Limit:
        """The pace of the token."""
        return self.limits[call.limit]

    def per_day(self, network: Network, method: str) -> int | None:
        """Day budget of a method; None: the network counts no days."""
        row = self.limits.get(f"{network.value}:{method}")
        return row.per_day if row else None

    def _reserve(self, call: Call) -> datetime | None:
        """The moment the call may go; None: its token has no pace."""
        now = self.clock()
        if held := self.frozen(call):
            raise NotNow(held[1], until=held[0])
        self._charge(call, now)
        limit = self.limit_of(call)
        if limit.calls is None:
            return None
        return self.desk.quotas.reserve(call.bucket, now=now, spacing=limit.spacing)

    def _charge(self, call: Call, now: datetime) -> None:
        network = Network(call.bucket.partition(":")[0])
        per_day = self.per_day(network, call.method)
        if self.desk.quotas.spend(call.method_bucket, day=network_day(now), amount=call.cost, limit=per_day):
            return
        raise NotNow(
            f"Дневной запас вызовов {call.method} израсходован ({per_day}).", until=day_ends(now), is_ours=True
        )

    async def _own_window(self, call: Call) -> None:
        """A call that left late must not crowd the next one: any `period` holds at most `calls` of ours."""
        limit = self.limit_of(call)
        assert limit.calls is not None  # noqa: S101 - `turn` comes here only with a pace
        sent = self._sent.setdefault(call.bucket, deque(maxlen=limit.calls))
        period = limit.period.total_seconds() * 1.01
        while len(sent) == limit.calls and (wait := sent[0] + period - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        sent.append(time.monotonic())


class PaceMiddleware:
    """Scrapy downloader middleware: every request waits for its turn and tells the breaker how it went."""

    def __init__(self, crawler: ScrapyCrawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: ScrapyCrawler) -> Self:
        return cls(crawler)

    @property
    def _pace(self) -> Pace:
        pace: Pace = self._crawler.spider.pace  # not from the settings: Scrapy deep-copies those
        return pace

    async def process_request(self, request: Request) -> None:
        call = request.meta.get("call") or self._crawler.spider.call_for(request)  # robots.txt has none
        await self._pace.turn(call, _host(request))

    async def process_response(self, request: Request, response: Response) -> Response:
        breaker = self._pace.breaker(_host(request))
        if response.status >= 500:
            breaker.failed(self._pace.clock())
        else:
            breaker.worked()
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:
        if not isinstance(exception, Unavailable):  # NotNow and a desk that is down say nothing of the host
            self._pace.breaker(_host(request)).failed(self._pace.clock())


def _host(request: Request) -> str:
    return request.url.split("/", 3)[2]


def describe(pace: Pace, spent: Mapping[str, int]) -> list[dict[str, Any]]:
    """The day's budget for the sources page: one row a method of a token, largest spender first."""
    rows = []
    for bucket, calls in sorted(spent.items(), key=lambda item: -item[1]):
        network, _, method = bucket.partition(":")[0], None, bucket.split(":", 2)[2] if bucket.count(":") > 1 else ""
        rows.append(
            {"bucket": bucket, "method": method, "spent": calls, "limit": pace.per_day(Network(network), method)}
        )
    return rows
