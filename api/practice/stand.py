"""What all practice networks share: world, clock, limits, faults, calls, and the way of one call."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from api.practice.exchange import Exchange, Refusal, Reply, read_request
from api.practice.faults import BELOW_HTTP, BrokenResponse, Fault, spoil
from api.practice.limits import Limits, Meter
from api.practice.world import Comment, Community, Entry, Photo, World
from index.domain.post import Network

Answer = Callable[[Exchange], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that came in; `parameters` never carry tokens or signatures."""

    network: Network
    method: str  #: wall.get · stream.get · /s/durov · sendMessage · GET /messages · /vesti/rss.xml
    at: datetime
    parameters: Mapping[str, Any]
    token: str = ""  #: which of the stand's invented tokens; for tests of limits and rights
    fault: str = ""  #: kind of the fault that was shown; empty: none
    refused: str = ""  #: the network's own error code; empty: answered


class NetworkTwin(Protocol):
    """One network: how it answers, and how it says no."""

    network: Network

    def refusal(self, refusal: Refusal, exchange: Exchange) -> Reply:
        """The network's error body."""
        ...

    def as_refusal(self, fault: Fault, exchange: Exchange) -> Refusal:
        """A named fault (captcha, flood, …) in the network's own code."""
        ...


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class Stand:
    """Shared state of the twins. Everything is read and changed under `world.lock`."""

    world: World
    clock: Callable[[], datetime] = utc_now
    limits: Limits | None = None  #: None: no limits
    guid_window: timedelta = timedelta(0)  #: how long VK remembers a guid; 0: not at all
    max_window_reversed: bool = False  #: MAX: `from` is the later end, as the words of the schema say
    base_url: str = ""
    meter: Meter = field(default_factory=Meter)
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)  #: tokens the networks refuse from now on
    closing: threading.Event = field(default_factory=threading.Event)

    async def serve(
        self,
        twin: NetworkTwin,
        method: str,
        request: Request,
        answer: Answer,
        *,
        token: str = "",
        hidden: tuple[str, ...] = (),
    ) -> Response:
        """Carry out one call: note it, show a fault where one waits, otherwise let the network answer."""
        parameters, body, files = await read_request(request)
        exchange = Exchange(
            network=twin.network, method=method, at=self.clock(), verb=request.method, path=request.url.path,
            parameters=parameters, headers=request.headers, token=token, body=body, files=files,
        )  # fmt: skip
        fault = self.take_fault(twin.network, method)
        reply, refused = await self._answer(twin, exchange, answer, fault)
        self._note(exchange, hidden, fault, refused)
        if fault is None or fault.kind.is_refusal:
            return Response(reply.body, status_code=reply.status, headers=reply.headers)
        if fault.kind in BELOW_HTTP:
            return BrokenResponse(reply, fault)
        reply = spoil(reply, fault, str(request.url))
        return Response(reply.body, status_code=reply.status, headers=reply.headers)

    async def _answer(
        self, twin: NetworkTwin, exchange: Exchange, answer: Answer, fault: Fault | None
    ) -> tuple[Reply, str]:
        if fault is not None and fault.kind.is_refusal:
            if fault.after_accept:
                await self._try(twin, exchange, answer)
            refusal = twin.as_refusal(fault, exchange)
            return twin.refusal(refusal, exchange), str(refusal.code)
        if fault is not None and not fault.is_taken_in:
            return Reply(body=b"", headers={"content-type": "application/json; charset=utf-8"}), ""
        return await self._try(twin, exchange, answer)

    async def _try(self, twin: NetworkTwin, exchange: Exchange, answer: Answer) -> tuple[Reply, str]:
        try:
            return await answer(exchange), ""
        except Refusal as refusal:
            return twin.refusal(refusal, exchange), str(refusal.code)

    def _note(self, exchange: Exchange, hidden: tuple[str, ...], fault: Fault | None, refused: str) -> None:
        shown: dict[str, Any] = {k: v for k, v in exchange.parameters.items() if k not in hidden}
        if isinstance(exchange.body, dict):
            shown |= exchange.body
        call = Call(
            network=exchange.network, method=exchange.method, at=exchange.at, parameters=shown,
            token=exchange.token, fault="" if fault is None else fault.kind.value, refused=refused,
        )  # fmt: skip
        with self.world.lock:
            self.calls.append(call)

    def take_fault(self, network: Network, method: str, *, refusals_only: bool = False) -> Fault | None:
        with self.world.lock:
            for fault in self.faults:
                if fault.meets(network, method) and (fault.kind.is_refusal or not refusals_only):
                    if fault.left is not None:
                        fault.left -= 1
                    return fault
        return None

    def photo_url(self, photo: Photo) -> str:
        return f"{self.base_url}/photos/{photo.key}"

    def entry(self, community: Community, number: int, *, at: datetime) -> Entry | None:
        """A post that stands now."""
        entry = community.entries.get(number)
        if entry is None or entry.is_deleted or (entry.publish_at is not None and entry.publish_at > at):
            return None
        return entry

    @staticmethod
    def comment(entry: Entry, number: int) -> Comment | None:
        return next((c for c in entry.comments if c.number == number and not c.is_deleted), None)
