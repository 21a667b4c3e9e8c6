"""What all spiders share: a visit a source, one call with every refusal acted on, errors in plain words."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, TypeVar

from scrapy import Spider
from scrapy.core.downloader.handlers._aiohttp import AiohttpDownloadHandler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
)
from scrapy.http import Request, Response

from crawlers import pace
from crawlers.cursors import Young
from crawlers.health import Closed, Trouble, Unreached, trouble_of
from crawlers.pace import Pace, host_of
from crawlers.pages.base import NetworkRefusal, Reaction, Unreadable, check_status
from crawlers.visits import Means, Visit, in_thread
from index.domain.post import Network
from index.domain.source import SourceState
from index.errors import ServiceError, Unavailable
from index.pace import Call, NotNow, dead

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

BODY_BYTES = 8 * 1024 * 1024  # also after unpacking: a bomb is not unpacked further
TIMEOUT = timedelta(seconds=15)
SHORT_WAIT = timedelta(seconds=10)  # a pause the visit waits for; a longer one sends it home
NETWORK_PAUSES = (1.0, 5.0)  # seconds before a call is repeated that got no whole answer
DEAD_TOKEN = timedelta(hours=6)  # then one call: the token may have been mended
CAPTCHA = timedelta(hours=1)

#: Refusals that concern one post: the rest of the source goes on.
OF_ONE_POST = (Reaction.NO_ACCESS, Reaction.GONE, Reaction.BLOCKED, Reaction.BAD_REQUEST)


class WireHandler(AiohttpDownloadHandler):
    """Scrapy's reactorless handler, with the root certificate of MAX and with the last word of the limiter.

    Secrets stay out of the URLs that Scrapy logs: a placeholder of `url_secrets` leaves as its secret.
    """

    lazy = True  # only for schemes that are used
    experimental = False  # a warning for developers, pinned by the version range in pyproject.toml

    def __init__(self, crawler: Any) -> None:
        super().__init__(crawler)
        self._ssl_context = trust(crawler.settings.get("CA_FILE"))

    async def download_request(self, request: Request) -> Response:
        if (call := request.meta.get("call")) is not None:
            spider: Any = self.crawler.spider
            await spider.pace.window(call)
        return await super().download_request(request)

    def _make_request(self, request: Request, timeout: float) -> Any:
        for placeholder, secret in request.meta.get("url_secrets", {}).items():
            request = request.replace(url=request.url.replace(placeholder, secret, 1))
        return super()._make_request(request, timeout)


@cache
def trust(ca_file: str | None) -> ssl.SSLContext:
    """Certificates of the system, and one more authority when a file is given; made once."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


@dataclass(slots=True)
class Errand:
    """Sources handed to a spider, and who waits for them."""

    visits: list[Visit]
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class NetworkSpider(Spider):
    """Decides what to fetch next, extracts nothing. Lives as long as its lane: errands come by `inbox`."""

    network: ClassVar[Network]
    limit: ClassVar[str]  #: row of the table of limits
    at_once: ClassVar[int] = 8  #: visits that go on side by side
    settings_over: ClassVar[dict[str, Any]] = {}

    def __init__(self, *, means: Means, inbox: asyncio.Queue[Errand | None], **more: Any) -> None:
        super().__init__(name=self.network.value, **more)
        self.means = means
        self._inbox = inbox

    @property
    def pace(self) -> Pace:
        return self.means.pace

    async def start(self) -> AsyncIterator[Any]:
        """Attend to errands until None comes. Nothing is yielded: pages are awaited where they are needed."""
        room = asyncio.Semaphore(self.at_once)
        async with asyncio.TaskGroup() as group:
            while (errand := await self._inbox.get()) is not None:
                group.create_task(self._attend(errand, room))
        return
        yield  # an asynchronous generator, as Scrapy asks

    async def visit(self, visit: Visit) -> None:
        """Read what is new in one source. Sets `visit.is_complete`. Raises ServiceError."""
        raise NotImplementedError

    async def probe(self, visit: Visit) -> None:
        """One look whether the source answers with posts; `visit.is_probe` keeps everything unstored."""
        await self.visit(visit)

    def call_for(self, request: Request) -> Call:
        """What a request without its own call costs: robots.txt goes at the pace of its site."""
        return Call(bucket=f"{self.network.value}:{request.url.split('/', 3)[2]}", limit=self.limit)

    async def _attend(self, errand: Errand, room: asyncio.Semaphore) -> None:
        async def one(visit: Visit) -> None:
            async with room:
                await self._guarded(visit)

        try:
            await side_by_side(one(visit) for visit in errand.visits)
        except Exception as error:  # a defect, or a database that is down: the run that waits raises it
            errand.done.set_exception(error)
        else:
            errand.done.set_result(None)

    async def _guarded(self, visit: Visit) -> None:
        """A refusal of one source is its trouble and nobody else's; a database that is down stops the run."""
        try:
            visit.young = Young.from_json(await visit.cursor("young"))
            await (self.probe(visit) if visit.is_probe else self.visit(visit))
        except NotNow as error:
            visit.trouble = trouble_of(error, visit.health, self.means.clock())
        except Unavailable:
            raise
        except ServiceError as error:
            visit.trouble = trouble_of(error, visit.health, self.means.clock())
        except Exception as error:  # a defect of ours: shown at this source, the others go on
            logger.exception("A visit broke", extra={"action": "visit_broke", "source": visit.source.id})
            reason = f"Ошибка программы при обходе ({type(error).__name__}), подробности в журнале."
            visit.trouble = Trouble(state=SourceState.FAILING, reason=reason)

    async def ask(
        self, build: Callable[[], Request], read: Callable[[Response], Result], *, call: Call | None = None
    ) -> Result:
        """One call: fetch, let the page object read it, act on every refusal. `read` may be called again.

        Raises NetworkRefusal, Unreadable, Unreached, NotNow once there is nothing more to try.
        """
        tries = 0
        while True:
            try:
                answer = read(await self.fetch(build()))
                if call is not None:
                    self.pace.worked(call)
                return answer
            except NetworkRefusal as refusal:
                await self._react(refusal, call, tries)
            except (Unreached, Unreadable):
                if tries >= len(NETWORK_PAUSES):
                    raise
                await pace.rest(NETWORK_PAUSES[tries])
            tries += 1

    async def _react(self, refusal: NetworkRefusal, call: Call | None, tries: int) -> None:
        """Return when the call may be repeated; otherwise note what has to wait and raise the refusal."""
        match refusal.reaction:
            case Reaction.RETRY:
                await self._retry(refusal, call, tries)
            case Reaction.SLOW_DOWN:
                await self._slow_down(refusal, call, tries)
            case _:
                await self.note_refusal(refusal, call)
                raise refusal

    async def _retry(self, refusal: NetworkRefusal, call: Call | None, tries: int) -> None:
        """Each pause of the table once, as long as the visit's lease allows; then this cycle is skipped."""
        asked = refusal.after or timedelta(0)
        if asked > SHORT_WAIT and call is not None:
            await self._hold(call, refusal, asked)
        if tries >= min(len(refusal.pauses), refusal.tries) or asked > SHORT_WAIT:
            raise refusal
        await pace.rest(max(refusal.pauses[tries], asked).total_seconds())

    async def note_refusal(self, refusal: NetworkRefusal, call: Call | None) -> None:
        """Hold the token or the method in every process, as the refusal asks."""
        if call is None:
            return
        now = self.means.clock()
        match refusal.reaction:
            case Reaction.STOP_TOKEN:
                await self._freeze(
                    dead(call.bucket), now + DEAD_TOKEN, f"Ключ доступа не принят: {refusal.message}"
                )
            case Reaction.CAPTCHA:
                await self._freeze(
                    dead(call.bucket), now + CAPTCHA, f"Нужен человек (капча): {refusal.message}"
                )
            case Reaction.FREEZE_METHOD:
                await in_thread(self.pace.freeze_method, call, refusal)

    async def _slow_down(self, refusal: NetworkRefusal, call: Call | None, tries: int) -> None:
        asked = refusal.after or timedelta(seconds=1)
        if refusal.doubles:
            asked *= 2 ** min(tries, 6)
        if tries < 3 and asked <= SHORT_WAIT:
            await pace.rest(asked.total_seconds())
            return
        if call is not None:
            await self._hold(call, refusal, asked)
        raise refusal

    async def _hold(self, call: Call, refusal: NetworkRefusal, pause: timedelta) -> None:
        """Nothing more of this token, or to this site, until the pause that the network asks for is over."""
        until = self.means.clock() + pause
        await self._freeze(call.bucket, until, f"Сеть просит паузу: {refusal.message}")

    async def _freeze(self, bucket: str, until: datetime, reason: str) -> None:
        def freeze() -> None:
            self.pace.freeze(bucket, until=until, reason=reason)

        await in_thread(freeze)

    async def fetch(self, request: Request) -> Response:
        """A whole answer of any status, or Unreached that says why. Errors of Scrapy never leave: their texts
        hold URLs."""
        assert self.crawler.engine is not None  # noqa: S101 - the spider is running
        try:
            return await self.crawler.engine.download_async(request)
        except DownloadTimeoutError:
            raise Unreached(f"{host_of(request.url)} не ответил за {TIMEOUT.seconds} с.") from None
        except CannotResolveHostError:
            raise Unreached(f"{host_of(request.url)}: такого сайта нет, имя не находится в DNS.") from None
        except DownloadConnectionRefusedError:
            raise Unreached(f"{host_of(request.url)}: соединение не установлено.") from None
        except DownloadCancelledError:
            raise Unreached(
                f"{host_of(request.url)}: ответ больше {BODY_BYTES // 1024 // 1024} МБ."
            ) from None
        except (ResponseDataLossError, DownloadFailedError, OSError, EOFError, AssertionError):
            raise Unreached(f"{host_of(request.url)} оборвал ответ.") from None
        except IgnoreRequest as error:
            raise _ignored(request, str(error)) from None

    def _check_status(self, response: Response) -> None:
        """Raises NetworkRefusal."""
        check_status(self.network, response.status, headers_of(response), now=self.means.clock())


def _ignored(request: Request, said: str) -> ServiceError:
    if "Forbidden by robots.txt" in said:
        return Closed("Сайт запрещает обход этой страницы (robots.txt).")
    if "redirect" in said:
        return Unreached(f"{host_of(request.url)} перенаправляет по кругу.")
    return Unreached(f"{host_of(request.url)}: ответ слишком велик после распаковки.")


def headers_of(response: Response) -> Mapping[str, str]:
    """Headers as plain text, last one of a name."""
    return {str(name): str(value) for name, value in response.headers.to_unicode_dict().items()}


def milliseconds(at: datetime) -> int:
    """Since 1970: keys of walls whose posts have no growing numbers."""
    return int(at.timestamp() * 1000)


async def side_by_side(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of them; when one fails the others are stopped, and its error comes out bare."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)
    except BaseExceptionGroup as errors:
        raise first_of(errors) from None


def first_of(errors: BaseExceptionGroup[Any]) -> BaseException:
    """The first error inside, however deep."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
