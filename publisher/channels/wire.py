"""One HTTP client a channel: nothing is sent again by itself, each failure says whether it was sent."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import httpx2

from index.errors import Misconfigured, NeedsOperator, OutcomeUnknown, RetryLater, Unavailable

TIMEOUT = httpx2.Timeout(30.0, connect=10.0, pool=10.0)  # seconds; of one step, not of the whole answer
DEADLINE = 60.0  # seconds for a whole exchange: an answer that drips is no answer
MAX_BODY_BYTES = 8_000_000  # a page of t.me is 130 KB, 100 VK posts under 2 MB
RECONNECT = timedelta(seconds=15)  # a refused connection is tried again after this


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the network said. `json` is None when the body is not JSON."""

    status: int
    json: Any
    text: str
    retry_after: timedelta | None = None  #: of the Retry-After header
    location: str = ""  #: where a redirect points


class Wire:
    """Requests of one channel. A connection is never reused: a stale one would make outcomes unknown."""

    def __init__(
        self,
        *,
        name: str,
        headers: dict[str, str] | None = None,
        proxy: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """`name` is the network's Russian name for messages. Raises Misconfigured (proxy, certificate)."""
        self._name = name
        try:
            self._client = httpx2.Client(
                headers=headers,
                proxy=proxy,
                timeout=TIMEOUT,
                follow_redirects=False,
                limits=httpx2.Limits(max_keepalive_connections=0),
                verify=_trust(ca_file),
            )
        except (ValueError, httpx2.InvalidURL) as error:
            raise Misconfigured(
                f"{name}: посредник (PROXY) задан неверно.", remedy="Нужен http://host:port."
            ) from error

    def write(self, method: str, url: str, **request: Any) -> Answer:
        """The one irreversible request: at most one is made.

        Raises RetryLater when the connection never stood, NeedsOperator when the request cannot even be
        built, OutcomeUnknown for all that fails later, for 5xx, redirects and answers that are no JSON.
        """
        built = self._build(method, url, **request)
        try:
            answer = self._exchange(built)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
            raise RetryLater(
                f"{self._name}: нет связи, запись не отправлена.", after=RECONNECT, code=type(error).__name__
            ) from None  # the cause prints the address, and the address may carry a token
        except (httpx2.HTTPError, _Overlong) as error:
            raise OutcomeUnknown(
                f"{self._name}: связь оборвалась после отправки ({type(error).__name__}).",
                code=type(error).__name__,
            ) from None
        if answer.status >= 500 or 300 <= answer.status < 400 or answer.json is None:
            self.unclear(answer)
        return answer

    def unclear(self, answer: Answer) -> NoReturn:
        """Raise OutcomeUnknown: the request left and the answer does not say what became of it."""
        raise OutcomeUnknown(
            f"{self._name}: ответ HTTP {answer.status} не говорит, вышла ли запись.",
            code=f"http {answer.status}",
        )

    def call(self, method: str, url: str, *, with_html: bool = False, **request: Any) -> Answer:
        """A request that changes nothing that readers see (a read, an upload); the caller may repeat it.

        Raises Unavailable for transport faults, 5xx and bodies that are not JSON (unless `with_html`).
        """
        built = self._build(method, url, **request)
        try:
            answer = self._exchange(built)
        except (httpx2.HTTPError, _Overlong) as error:
            raise Unavailable(f"{self._name} не отвечает ({type(error).__name__}).") from None
        if answer.status >= 500 or (answer.json is None and not with_html):
            raise Unavailable(f"{self._name} отвечает неразборчиво: HTTP {answer.status}.")
        return answer

    def close(self) -> None:
        self._client.close()

    def _build(self, method: str, url: str, **request: Any) -> httpx2.Request:
        try:
            return self._client.build_request(method, url, **request)
        except (ValueError, TypeError, httpx2.InvalidURL):
            raise NeedsOperator(
                f"{self._name}: запрос не собрать, проверьте ключ и адрес в настройках."
            ) from None

    def _exchange(self, request: httpx2.Request) -> Answer:
        stop = time.monotonic() + DEADLINE
        body = bytearray()
        response = self._client.send(request, stream=True)
        try:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES or time.monotonic() > stop:
                    raise _Overlong
        finally:
            response.close()
        text = body.decode("utf-8", "replace")
        return Answer(
            status=response.status_code,
            json=_parse(text),
            text=text,
            retry_after=_seconds(response.headers.get("retry-after", "")),
            location=response.headers.get("location", ""),
        )


class _Overlong(Exception):
    """The answer is too big or takes too long."""


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _seconds(header: str) -> timedelta | None:
    return timedelta(seconds=int(header)) if header.isdigit() else None


@cache
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """The usual certificates, and one more where it is given; made once, reading them takes 0.1 s.

    Raises Misconfigured.
    """
    context = httpx2.create_ssl_context()
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f"Сертификат {ca_file} не читается ({type(error).__name__}).",
            remedy="Нужен файл PEM; проверьте MAX_CA_FILE.",
        ) from error
    return context
