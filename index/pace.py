"""How fast a network may be asked: one limiter a token over all processes, crawling and publishing alike."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from index.domain.post import Network
from index.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from index.desk.quotas import Quotas

logger = logging.getLogger(__name__)

MOSCOW = timedelta(hours=3)  # no summer time since 2014; daily quotas of Russian networks turn over here
AHEAD = timedelta(seconds=0.2)  # of a pace that is reserved by one write
LONGEST_QUEUE = timedelta(minutes=2)  # a place further on was taken by a machine whose clock is wrong
LEAD = timedelta(seconds=0.02)  # the desk takes this long to answer: a slot of now would be late at once
LATE = 0.025  # of the period: a call that wakes up later than this takes another slot
SLOTS_MISSED = 4  # then it goes all the same
FREEZES_KEPT = timedelta(seconds=1)  # a freeze by another process is noticed this late


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a network permits one token, one method of a token, or one host."""

    calls: int | None = None  #: in any `period`; None: no pace of its own
    period: timedelta = timedelta(seconds=1)
    per_day: int | None = None  #: None: no day budget known
    every: timedelta | None = None  #: shortest pause between two visits of one source; None: the network's

    @property
    def spacing(self) -> timedelta:
        """Pause between two calls, 3 % longer than the limit asks: clocks and wires are not exact."""
        return self.period / self.calls * 1.03 if self.calls else timedelta(0)


#: Every limit in one place; `LIMITS` in the settings overrides a row. Names: `network`, or
#: `network:method`. Sources: vk.md 3.2, ok.md 2, telegram.md 2 and 5, max.md 2, news.md 2.
LIMITS: Mapping[str, Limit] = {
    "vk": Limit(
        calls=3, every=timedelta(seconds=2)
    ),  # user and service keys; service: unverified, plan for 3
    "vk:community": Limit(calls=20),
    "vk:wall.get": Limit(per_day=5_000),  # execute counts its inner calls (reported, so assumed)
    "vk:newsfeed.search": Limit(per_day=1_000, every=timedelta(seconds=90)),
    "vk:wall.search": Limit(per_day=1_000),
    "vk:groups.search": Limit(per_day=24, every=timedelta(days=1)),  # no published number: our own
    "ok": Limit(calls=1, every=timedelta(seconds=2)),  # no published number: our own modest pace
    "telegram": Limit(calls=2, period=timedelta(seconds=5), every=timedelta(seconds=10)),  # t.me, a host
    "telegram:mtproto": Limit(calls=1, every=timedelta(seconds=10)),  # 30 pages of history in 30 s (reported)
    "telegram:contacts.resolveUsername": Limit(per_day=100),  # unverified and dear: each name once
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
    return (now.astimezone(UTC) + MOSCOW).date()


def next_midnight(now: datetime) -> datetime:
    """Next midnight in Moscow, as UTC."""
    local = now.astimezone(UTC) + MOSCOW
    return local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - MOSCOW


def dead(bucket: str) -> str:
    """The bucket that is frozen while a token waits for a person."""
    return f"{bucket}:dead"


class NotNow(Unavailable):
    """A call may not go now: its token or method is frozen, its budget spent, or its host down.

    `until` says when it may; `is_ours`: our own pace holds it back and nothing is wrong; `is_token`: the
    token waits for a person.
    """

    def __init__(
        self, reason: str, *, until: datetime, is_ours: bool = False, is_token: bool = False
    ) -> None:
        super().__init__(reason)
        self.until = until
        self.is_ours = is_ours
        self.is_token = is_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a request costs; stands in `request.meta["call"]`."""

    bucket: str  #: token_bucket, or `network:host` where there is no token
    limit: str  #: row of the table that gives the pace: vk | vk:community | telegram:bot …
    method: str = ""  #: name of the API method; empty: pages have none


class HasQuotas(Protocol):
    """What the limiter needs of the desk."""

    @property
    def quotas(self) -> Quotas: ...


@dataclass
class Turns:
    """Turns of calls as one process takes them; the desk keeps all processes to one pace and one budget."""

    desk: HasQuotas
    limits: Mapping[str, Limit]
    clock: Callable[[], datetime]
    heeds_dead: bool = True  #: False: a token that waits for a person is tried all the same
    counted_at_once: int = 100  #: calls without a day budget are only shown, and written so many at a time
    host_delays: dict[str, timedelta] = field(default_factory=dict)  #: bucket -> its Crawl-delay
    _held: dict[str, tuple[datetime, tuple[datetime, str] | None]] = field(default_factory=dict)
    _slots: dict[str, deque[datetime]] = field(default_factory=dict)
    _uncounted: Counter[tuple[date, str]] = field(default_factory=Counter)
    _slots_lock: threading.Lock = field(default_factory=threading.Lock)
    _count_lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, call: Call, *, sleep: Callable[[float], object] = time.sleep) -> None:
        """Block until the call may go, charged to its budget: the way of threads; spiders have their own.

        Raises NotNow, Unavailable (desk).
        """
        at = self.reserve(call)
        for _ in range(SLOTS_MISSED):
            if at is None:
                return
            sleep(max((at - self.clock()).total_seconds(), 0))
            if self.clock() - at <= self.limit_of(call).period * LATE:
                return
            at = self.slot(call.bucket, self.spacing(call))

    def check(self, bucket: str, method: str = "") -> None:
        """Raises NotNow while the token, its pace or this method of it is frozen."""
        now = self.clock()
        for name in (dead(bucket), bucket, f"{bucket}:{method}")[: 3 if method else 2]:
            if name == dead(bucket) and not self.heeds_dead:
                continue
            if held := self._frozen(name, now):
                is_token = name == dead(bucket)
                raise NotNow(held[1], until=held[0], is_ours=not is_token, is_token=is_token)

    def freeze(self, bucket: str, *, until: datetime, reason: str) -> None:
        """Hold a token (`dead(bucket)`: until a person acts), its pace, or one method, in every process."""
        self.desk.quotas.freeze(bucket, until=until, reason=reason)
        self._held.pop(bucket, None)
        logger.warning(
            "A token or a method is held back",
            extra={"action": "quota_frozen", "bucket": bucket, "until": until},
        )

    def limit_of(self, call: Call) -> Limit:
        """The pace of the token."""
        return self.limits[call.limit]

    def per_day(self, network: Network, method: str) -> int | None:
        """Day budget of a method; None: the network counts no days."""
        row = self.limits.get(f"{network.value}:{method}")
        return row.per_day if row else None

    def reserve(self, call: Call) -> datetime | None:
        """The moment the call may go; None: its token has no pace."""
        self.check(call.bucket, call.method)
        self.charge(call.bucket, call.method)
        if self.limit_of(call).calls is None:
            return None
        return self.slot(call.bucket, self.spacing(call))

    def spacing(self, call: Call) -> timedelta:
        return max(self.limit_of(call).spacing, self.host_delays.get(call.bucket, timedelta(0)))

    def slot(self, bucket: str, spacing: timedelta) -> datetime:
        """The next moment for a call of this bucket. A fast pace is reserved by fifths of a second: one
        write serves several calls, and what is not used in time is let go."""
        with self._slots_lock:
            slots, now = self._slots.setdefault(bucket, deque()), self.clock()
            while slots and slots[0] < now:
                slots.popleft()
            if not slots:
                calls = max(int(AHEAD / spacing), 1)
                soon = now + min(LEAD, spacing)
                first = self.desk.quotas.reserve(bucket, now=soon, spacing=spacing * calls)
                if first - now > LONGEST_QUEUE:
                    reason = "Очередь вызовов уходит далеко вперёд: часы серверов расходятся?"
                    raise NotNow(reason, until=now + timedelta(minutes=1))
                slots.extend(first + spacing * number for number in range(calls))
            return slots.popleft()

    def _frozen(self, name: str, now: datetime) -> tuple[datetime, str] | None:
        """What the desk says, asked once a second at most."""
        asked_at, held = self._held.get(name, (None, None))
        if asked_at is None or not timedelta(0) <= now - asked_at < FREEZES_KEPT:
            held = self.desk.quotas.frozen(name, now)
            self._held[name] = (now, held)
        return held if held is not None and held[0] > now else None

    def charge(self, bucket: str, method: str, *, amount: int = 1) -> None:
        """Count calls for the day. Raises NotNow when the method's budget has no room for them."""
        now = self.clock()
        per_day = self.per_day(Network(bucket.partition(":")[0]), method)
        name = f"{bucket}:{method}" if method else bucket
        if per_day is None:
            self._count(name, now, amount)
            return
        if self.desk.quotas.spend(name, day=network_day(now), amount=amount, limit=per_day):
            return
        reason = f"Дневной запас вызовов {method} израсходован ({per_day})."
        raise NotNow(reason, until=next_midnight(now), is_ours=True)

    def _count(self, name: str, now: datetime, amount: int) -> None:
        with self._count_lock:
            self._uncounted[network_day(now), name] += amount
            is_much = self._uncounted.total() >= self.counted_at_once
        if is_much:
            self.flush()

    def flush(self) -> None:
        """Write the calls that were only counted here so far."""
        with self._count_lock:
            counted, self._uncounted = self._uncounted, Counter()
        for (day, name), calls in counted.items():
            self.desk.quotas.spend(name, day=day, amount=calls, limit=None)
