"""Calls of the VK API: what waits for a token's turn together goes as one `execute` of up to 25 calls."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scrapy.http import FormRequest, Request

from crawlers import pace
from crawlers.health import NoToken, Unreached
from crawlers.pages import vk
from crawlers.pages.base import NetworkRefusal, Reaction, Unreadable, check_status, read_json
from crawlers.visits import in_thread
from index.domain.post import Network
from index.errors import ServiceError
from index.pace import Call, NotNow, token_bucket

if TYPE_CHECKING:
    from crawlers.spiders.base import NetworkSpider

logger = logging.getLogger(__name__)

VERSION = "5.199"
BATCH = 25  # calls of one execute
BATCH_RECORDS = 1_000  # records they may bring together: an answer over 5 MB is refused
IN_FLIGHT = 6  # requests of one token on the wire; the pace, not the answer, decides when the next one goes
REPEATS = 3  # of a call that got no whole answer
PAUSES = (1.0, 5.0, 30.0)  # seconds before them
CLOSED_FOR = timedelta(days=1)  # a method closed to this kind of key is tried again after this

#: Open to the key of a user alone (vk.md 2.2). Any other key answers with one of the codes: the key lives on.
USER_ONLY = frozenset({"groups.search", "photos.getAllComments", "video.get", "video.getComments"})
WRONG_KIND = frozenset({"20", "21", "27", "28", "1051"})
DENIED = frozenset({"7", "15"})  # of a search, which has no object that could be closed: the key again


@dataclass(slots=True, eq=False)
class Ask:
    """One call that somebody awaits."""

    method: str
    params: dict[str, Any]
    answer: asyncio.Future[dict[str, Any]]
    tries: int = 0
    is_single: bool = False  #: the answer of a batch had no room for it: it goes alone
    held: dict[str, NotNow] = field(default_factory=dict)  #: token -> why it does not take this call

    @property
    def records(self) -> int:
        """How many records the answer may hold."""
        return int(self.params.get("count", 1))


class VkCalls:
    """The VK API as one awaitable: `await calls("wall.get", owner_id=-1)` gives the whole answer as JSON.

    Every token has a worker that takes calls from one queue at the token's pace. A refused token passes
    its calls on to the others. Raises NetworkRefusal, Unreached, Unreadable, NotNow, NoToken.
    """

    def __init__(self, spider: NetworkSpider, tokens: Sequence[str]) -> None:
        self._spider = spider
        self._tokens = {token_bucket(Network.VK, token): token for token in tokens}
        self._waiting: deque[Ask] = deque()
        self._is_wanted = asyncio.Event()
        self._cannot_batch: set[str] = set()
        self._proven: set[tuple[str, str]] = set()  # token, method of USER_ONLY that has worked with it
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Workers of all tokens; cancel them to stop."""
        return [group.create_task(self._work(bucket)) for bucket in self._tokens]

    async def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        if not self._tokens:
            raise NoToken("Нет ключа ВКонтакте: задайте VK_TOKENS.")
        ask = Ask(method, params, asyncio.get_running_loop().create_future())
        self._put(ask)
        return await ask.answer

    def _put(self, ask: Ask) -> None:
        self._waiting.append(ask)
        self._is_wanted.set()

    async def _work(self, bucket: str) -> None:
        room = asyncio.Semaphore(IN_FLIGHT)
        while True:
            await self._is_wanted.wait()
            try:
                await self._spider.pace.turn(Call(bucket=bucket, limit="vk"), self._host)
            except ServiceError as error:
                self._refuse_all(bucket, error)
                await asyncio.sleep(1.0 if self._waiting else 0)
                continue
            if not (asks := await self._take(bucket)):
                continue
            await room.acquire()
            self._spawn(self._send(bucket, asks), room)

    def _spawn(self, work: Coroutine[Any, Any, None], room: asyncio.Semaphore) -> None:
        def finished(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            room.release()

        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(finished)

    @property
    def _host(self) -> str:
        return self._spider.means.settings.vk_api_url.split("/", 3)[2]

    def _refuse_all(self, bucket: str, error: ServiceError) -> None:
        """This token takes nothing now; a call that no token takes fails with the reason."""
        for ask in list(self._waiting):
            if isinstance(error, NotNow):
                self._hold(ask, bucket, error)
            else:  # the desk is down
                self._waiting.remove(ask)
                _fail(ask, error)
        self._settle_wanted()

    def _hold(self, ask: Ask, bucket: str, error: NotNow) -> None:
        ask.held[bucket] = error
        if len(ask.held) >= len(self._tokens):
            self._waiting.remove(ask)
            _fail(ask, min(ask.held.values(), key=lambda held: held.until))

    async def _take(self, bucket: str) -> list[Ask]:
        """Up to a batch of calls that this token may make now, charged to its day."""
        most = 1 if bucket in self._cannot_batch else BATCH
        picked: list[Ask] = []
        records = 0
        for ask in [ask for ask in self._waiting if bucket not in ask.held]:
            if picked and self._goes_alone(picked[0], bucket):
                break
            if picked and self._goes_alone(ask, bucket):
                continue  # it stays first in the queue and goes with the next turn; this batch fills up
            records += ask.records
            if picked and (len(picked) == most or records > BATCH_RECORDS):
                break
            self._waiting.remove(ask)
            if not ask.answer.done():  # else nobody waits any more
                picked.append(ask)
        self._settle_wanted()
        try:
            refused = await in_thread(self._admit, bucket, [ask.method for ask in picked])
        except ServiceError as error:
            for ask in picked:
                _fail(ask, error)
            return []
        for ask in picked:
            if held := refused.get(ask.method):
                self._put(ask)
                self._hold(ask, bucket, held)
        return [ask for ask in picked if ask.method not in refused]

    def _goes_alone(self, ask: Ask, bucket: str) -> bool:
        """A method that this token may not have at all would cost the calls beside it their answer."""
        is_unproven = ask.method in USER_ONLY and (bucket, ask.method) not in self._proven
        return ask.is_single or is_unproven

    def _admit(self, bucket: str, methods: list[str]) -> dict[str, NotNow]:
        """Charge the calls; the methods that this token may not call now."""
        refused = {}
        for method in set(methods):
            try:
                self._spider.pace.check(bucket, method)
                self._spider.pace.charge(bucket, method, amount=methods.count(method))
            except NotNow as held:
                refused[method] = held
        return refused

    def _settle_wanted(self) -> None:
        if not self._waiting:
            self._is_wanted.clear()

    async def _send(self, bucket: str, asks: list[Ask]) -> None:
        """One request. Every ask of it is answered, refused, or put back."""
        try:
            results = await self._answers(bucket, asks)
        except NetworkRefusal as refusal:
            await self._whole_refused(bucket, asks, refusal)
        except (Unreached, Unreadable) as error:
            for ask in asks:
                self._repeat(ask, error, most=REPEATS, pause=PAUSES[min(ask.tries, len(PAUSES) - 1)])
        except Exception as error:  # a defect or a database: whoever waits must hear of it
            for ask in asks:
                _fail(ask, error)
        else:
            for ask, result in zip(asks, results, strict=True):
                await self._settle(bucket, ask, result)

    async def _answers(self, bucket: str, asks: list[Ask]) -> Sequence[dict[str, Any] | NetworkRefusal]:
        method, params = (
            (asks[0].method, asks[0].params) if len(asks) == 1 else ("execute", {"code": script(asks)})
        )
        response = await self._spider.fetch(self.request(method, params, bucket))
        now = self._spider.means.clock()
        check_status(Network.VK, response.status, _headers(response), now=now)
        answer = read_json(response.body)
        if len(asks) > 1:
            return [_plain(result) for result in vk.execute(answer, asked=len(asks), now=now)]
        vk.check(answer, now=now, method=method)
        return [answer]

    def request(self, method: str, params: dict[str, Any], bucket: str) -> Request:
        """POST with the token in a header: neither the URL nor the body of a log or a dump holds it."""
        return FormRequest(
            f"{self._spider.means.settings.vk_api_url}/method/{method}",
            formdata={name: _text(value) for name, value in {**params, "v": VERSION}.items()},
            headers={"Authorization": f"Bearer {self._tokens[bucket]}"},
            meta={"has_turn": True, "call": Call(bucket=bucket, limit="vk")},
            dont_filter=True,
        )

    async def _whole_refused(self, bucket: str, asks: list[Ask], refusal: NetworkRefusal) -> None:
        """A refused batch says something of the token, or nothing of its calls: those then go alone."""
        if len(asks) == 1:
            await self._settle(bucket, asks[0], refusal)
            return
        if refusal.reaction in (Reaction.STOP_TOKEN, Reaction.CAPTCHA, Reaction.FREEZE_METHOD):
            call = Call(bucket=bucket, limit="vk", method="execute")
            await self._spider.note_refusal(refusal, call)
        if refusal.reaction not in (
            Reaction.STOP_TOKEN,
            Reaction.CAPTCHA,
            Reaction.RETRY,
            Reaction.SLOW_DOWN,
        ):
            self._cannot_batch.add(bucket)
            extra = {"action": "vk_batch_refused", "bucket": bucket, "code": refusal.code}
            logger.warning("A token may not batch its calls, they go one by one", extra=extra)
        for ask in asks:
            ask.is_single = ask.is_single or refusal.code == vk.TOO_BIG
            self._repeat(ask, refusal, most=REPEATS, pause=_pause(refusal, ask.tries))

    async def _settle(self, bucket: str, ask: Ask, result: dict[str, Any] | NetworkRefusal) -> None:
        if not isinstance(result, NetworkRefusal):
            if ask.method in USER_ONLY:
                self._proven.add((bucket, ask.method))
            if not ask.answer.done():
                ask.answer.set_result(result)
            return
        if is_wrong_kind(result, ask.method):
            await in_thread(self._close_method, bucket, ask.method)
            self._pass_on(ask)
            return
        match result.reaction:
            case Reaction.RETRY:
                ask.is_single = True
                self._repeat(ask, result, most=max(len(result.pauses), 1), pause=_pause(result, ask.tries))
            case Reaction.SLOW_DOWN:
                self._repeat(ask, result, most=5, pause=_pause(result, ask.tries))
            case Reaction.STOP_TOKEN | Reaction.CAPTCHA | Reaction.FREEZE_METHOD:
                await self._spider.note_refusal(result, Call(bucket=bucket, limit="vk", method=ask.method))
                self._pass_on(ask)
            case _:
                _fail(ask, result)

    def _close_method(self, bucket: str, method: str) -> None:
        reason = f"ВКонтакте открывает {method} только ключу пользователя, а в VK_TOKENS другой."
        until = self._spider.means.clock() + CLOSED_FOR
        self._spider.pace.freeze(f"{bucket}:{method}", until=until, reason=reason)

    def _pass_on(self, ask: Ask) -> None:
        """Back to the queue: another token may take it; if none does, it fails with the freeze's reason."""
        ask.tries += 1
        ask.held.clear()
        self._put(ask)

    def _repeat(self, ask: Ask, error: ServiceError, *, most: int, pause: float) -> None:
        if ask.tries >= most:
            _fail(ask, error)
            return
        ask.tries += 1
        task = asyncio.get_running_loop().create_task(self._put_after(pause, ask))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _put_after(self, pause: float, ask: Ask) -> None:
        await pace.rest(pause)
        self._put(ask)


def is_wrong_kind(refusal: NetworkRefusal, method: str) -> bool:
    """Whether the token is well and only this method is closed to keys of its kind."""
    if method not in USER_ONLY:
        return False
    return refusal.code in WRONG_KIND or (method == "groups.search" and refusal.code in DENIED)


def script(asks: Sequence[Ask]) -> str:
    """VKScript that makes the calls and returns their answers in order; a failed one is `false` there."""
    calls = (
        f"API.{ask.method}({json.dumps({n: _plain_value(v) for n, v in ask.params.items()})})" for ask in asks
    )
    return f"return [{','.join(calls)}];"


def _plain_value(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _plain(result: Any) -> Any:
    return result if isinstance(result, NetworkRefusal) else dict(result)


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _pause(refusal: NetworkRefusal, tries: int) -> float:
    """Seconds before the call is repeated."""
    if refusal.pauses:
        return refusal.pauses[min(tries, len(refusal.pauses) - 1)].total_seconds()
    return (refusal.after or timedelta(seconds=0.5)).total_seconds()


def _fail(ask: Ask, error: Exception) -> None:
    if not ask.answer.done():
        ask.answer.set_exception(error)


def _headers(response: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in response.headers.to_unicode_dict().items()}
