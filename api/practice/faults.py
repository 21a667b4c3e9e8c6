"""Faults a practice network shows on demand: what is broken, for which call, how many times."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import zlib
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.practice.exchange import Reply
from index.domain.post import Network

AFTER_ACCEPT = "_after_accept"


class FaultKind(StrEnum):
    """What the caller sees. Without `after_accept` the network has not taken the call in."""

    TIMEOUT = "timeout"  #: no answer for `seconds`, then the connection closes
    RESET = "reset"  #: TCP reset in place of an answer
    RESET_MID_BODY = "reset_mid_body"  #: headers and half of the body, then TCP reset
    HTTP = "http"  #: an HTTP status with an HTML body
    HTML = "html"  #: status 200, an HTML page in place of the answer
    EMPTY = "empty"  #: status 200, no body
    TRUNCATED = "truncated"  #: a whole HTTP answer whose text breaks off
    WRONG_CHARSET = "wrong_charset"  #: cp1251 bytes that are declared UTF-8
    GZIP_BOMB = "gzip_bomb"  #: 256 MiB of spaces in a quarter of a megabyte
    REDIRECT_LOOP = "redirect_loop"  #: 302 to itself
    SLOW = "slow"  #: the right answer, drop by drop over `seconds`
    ERROR = "error"  #: the network's own error body with `code`
    CAPTCHA = "captcha"  #: the network wants a person
    FLOOD = "flood"  #: flood control
    RATE = "rate"  #: too many requests
    BANNED = "banned_token"  #: the token is refused

    @property
    def is_refusal(self) -> bool:
        """The network's own way of saying no, in its own body."""
        return self in _REFUSALS


_REFUSALS = frozenset({FaultKind.ERROR, FaultKind.CAPTCHA, FaultKind.FLOOD, FaultKind.RATE, FaultKind.BANNED})
#: These spoil a true answer, so the call is always taken in.
_SPOILING = frozenset(
    {FaultKind.RESET_MID_BODY, FaultKind.TRUNCATED, FaultKind.WRONG_CHARSET, FaultKind.SLOW}
)


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault waiting for its call; `method` "*" is any, `left` None is for ever."""

    network: Network
    method: str
    kind: FaultKind
    left: int | None
    code: int | str | None = None  #: of the network's error, or the HTTP status
    after_accept: bool = False  #: the call is carried out, only its answer is lost
    seconds: float = 30.0

    def meets(self, network: Network, method: str) -> bool:
        return self.network is network and self.method in ("*", method) and self.left != 0

    @property
    def is_taken_in(self) -> bool:
        return self.after_accept or self.kind in _SPOILING


def read_fault(fault: str | int, **facts: Any) -> Fault:
    """`timeout`, `reset_after_accept`, `http_502`, `http_502_after_accept`, `error:9` or just 9, `429`."""
    name = f"error:{fault}" if isinstance(fault, int) else fault
    after_accept = name.endswith(AFTER_ACCEPT)
    name = name.removesuffix(AFTER_ACCEPT)
    code: int | str | None = None
    if name == "error:429" or name == "429":
        name = FaultKind.RATE
    elif found := re.fullmatch(r"(http|error)[_:](\S+)", name):
        name, code = found[1], int(found[2]) if found[2].isdigit() else found[2]
        if name == FaultKind.HTTP and code == "5xx":
            code = 502
    return Fault(kind=FaultKind(name), code=code, after_accept=after_accept, **facts)


def spoil(reply: Reply, fault: Fault, address: str) -> Reply:
    """The answer as the fault leaves it, for the faults that are still whole HTTP answers."""
    html = {"content-type": "text/html; charset=utf-8"}
    match fault.kind:
        case FaultKind.HTTP:
            page = f"<html><head><title>{fault.code}</title></head><body><h1>{fault.code}</h1></body></html>"
            return Reply(body=page.encode(), status=int(fault.code or 502), headers=html)
        case FaultKind.HTML:
            page = (
                "<!DOCTYPE html><html><head><title>Технические работы</title></head><body>Скоро</body></html>"
            )
            return Reply(body=page.encode(), headers=html)
        case FaultKind.EMPTY:
            return replace(reply, body=b"", status=200)
        case FaultKind.TRUNCATED:
            return replace(reply, body=reply.body[: max(1, len(reply.body) * 2 // 3)])
        case FaultKind.WRONG_CHARSET:
            return replace(reply, body=reply.body.decode().encode("cp1251", errors="replace"))
        case FaultKind.GZIP_BOMB:
            return replace(
                reply, body=_bomb(), status=200, headers=reply.headers | {"content-encoding": "gzip"}
            )
        case FaultKind.REDIRECT_LOOP:
            return Reply(body=b"", status=302, headers={"location": address})
    return reply


@cache
def _bomb() -> bytes:
    """256 MiB of spaces: one deflated mebibyte again and again; each begins with an empty dictionary."""
    mebibyte, times = b" " * 1024 * 1024, 256
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflate.compress(mebibyte) + deflate.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(times):
        checksum = zlib.crc32(mebibyte, checksum)
    end = b"\x03\x00" + struct.pack("<II", checksum, len(mebibyte) * times)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + block * times + end


class BrokenResponse(Response):
    """An answer that breaks below HTTP: silence, a reset, drops."""

    def __init__(self, reply: Reply, fault: Fault) -> None:
        super().__init__(reply.body, status_code=reply.status, headers=reply.headers)
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = scope["state"]["transport"]
        match self._fault.kind:
            case FaultKind.TIMEOUT:
                await _sleep_unless_gone(self._fault.seconds, transport, scope)
                await _reset(transport)
            case FaultKind.RESET:
                await _reset(transport)
            case FaultKind.RESET_MID_BODY:
                await send(
                    {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                half = bytes(self.body)[: max(1, len(self.body) // 2)]
                await send({"type": "http.response.body", "body": half, "more_body": True})
                await asyncio.sleep(0.05)  # let the half leave before the reset overtakes it
                await _reset(transport)
            case FaultKind.SLOW:
                await self._drop_by_drop(send)

    async def _drop_by_drop(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body, drops = bytes(self.body), 20
        size = max(1, len(body) // drops + 1)
        for place in range(0, len(body), size):
            await asyncio.sleep(self._fault.seconds / drops)
            more = place + size < len(body)
            await send({"type": "http.response.body", "body": body[place : place + size], "more_body": more})


async def _sleep_unless_gone(seconds: float, transport: Any, scope: Scope) -> None:
    """Silence ends early when the caller hangs up or the stand closes, so that no task outlives its test."""
    closing = scope["state"]["closing"]
    for _ in range(int(seconds / 0.05) + 1):
        if transport.is_closing() or closing.is_set():
            return
        await asyncio.sleep(0.05)


async def _reset(transport: Any) -> None:
    """RST instead of FIN: linger of zero seconds, then abort."""
    raw = transport.get_extra_info("socket")
    if raw is not None and not transport.is_closing():
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await asyncio.sleep(0.01)  # the server learns of the loss before we return, or it would answer 500


BELOW_HTTP = frozenset({FaultKind.TIMEOUT, FaultKind.RESET, FaultKind.RESET_MID_BODY, FaultKind.SLOW})
