"""What to fetch next from Telegram: open channel pages, discussions under posts, updates of our bot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from scrapy.http import FormRequest, Request, Response

from crawlers import mtproto
from crawlers.cursors import Walk
from crawlers.health import Closed, LayoutChanged, NoToken, Unreached
from crawlers.pages import telegram
from crawlers.pages.base import Context, NetworkRefusal, Parsed, Unreadable, read_json
from crawlers.pages.telegram import Discussion
from crawlers.spiders.base import OF_ONE_POST, NetworkSpider, headers_of
from crawlers.spiders.telegram_account import Account
from crawlers.visits import Visit, adopted, in_thread
from index.domain.post import Network, Post
from index.domain.source import Source
from index.errors import ServiceError
from index.pace import Call, token_bucket

Result = TypeVar("Result")

DISCUSSIONS_AT_MOST = 2  # read in one visit: t.me is asked once in 2.5 seconds
COMMENT_PAGES_AT_MOST = 10
COMMENTS = 50  # of one page of a discussion
NO_DISCUSSION = timedelta(days=1)  # a channel without discussions is not asked for them again for a day
UPDATES = 100
UPDATE_SECONDS = 1  # a visit waits this long for an update
HISTORY = b"tgme_channel_history"  # stands in every page that shows posts
ROOTS_AT_MOST = 2_000  # threads of discussion groups whose post we remember
KINDS_OF_UPDATES = '["message","edited_message","channel_post","edited_channel_post"]'


class TelegramSpider(NetworkSpider):
    network: ClassVar[Network] = Network.TELEGRAM
    limit: ClassVar[str] = "telegram"
    at_once: ClassVar[int] = 4

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.account = Account(self) if mtproto.is_wanted(self.means.settings) else None

    async def start(self) -> AsyncIterator[Any]:
        try:
            async for nothing in super().start():
                yield nothing
        finally:
            if self.account is not None:
                await self.account.close()

    async def visit(self, visit: Visit) -> None:
        if visit.source.address == "updates":
            await self._updates(visit)
            return
        await self._channel(visit)
        if not visit.is_probe:
            await self._older(visit)
            await self._discussions(visit)
            await visit.keep_young()

    async def _channel(self, visit: Visit) -> None:
        """The channel from its newest post back to the last known, page by page."""
        walk = Walk(position=await visit.position(), now=visit.now)
        before: str | None = None
        while True:
            parsed = await self._page(visit, before)
            if before is None:
                self._expect_posts(visit, parsed)
                await self._gaps(visit, parsed)
            await visit.store(parsed, page="telegram.page")
            visit.young.seen(parsed.sights, visit.now)
            keys = [(number(sight.id), sight.published_at) for sight in parsed.sights]
            before = walk.page(keys, next_page=parsed.next)
            if before is None or visit.is_probe:
                break
        await visit.move_position(walk)

    def _expect_posts(self, visit: Visit, parsed: Parsed) -> None:
        if not parsed.posts and not parsed.same and not parsed.left_out and visit.health.posts_seen:
            raise LayoutChanged("На странице канала не видно ни одного поста, а раньше они были.")

    async def _page(self, visit: Visit, before: str | None) -> Parsed:
        if self.account is not None:
            return await self.account.history(visit, before)
        channel = visit.source.address
        url = f"{self.means.settings.telegram_web_url}/s/{channel}" + (f"?before={before}" if before else "")

        def read(response: Response) -> bytes:
            if 300 <= response.status < 400:
                raise _redirected(headers_of(response).get("Location", ""))
            self._check_status(response)
            if HISTORY not in response.body and telegram.page(response.body, visit.context()).preview_off:
                raise Closed(PREVIEW_OFF)
            return response.body

        body = await self._web(url, read)
        return telegram.page(body, await visit.knowing(telegram.ids(body)))

    async def _gaps(self, visit: Visit, parsed: Parsed) -> None:
        """Young posts whose number falls into the page and which do not stand there: missed."""
        present = {sight.id for sight in parsed.sights}
        numbers = [number(post_id) for post_id in present]
        if numbers:
            absent = [
                post_id
                for post_id in visit.young.posts
                if min(numbers) <= number(post_id) <= max(numbers) and post_id not in present
            ]
            await visit.lost(visit.young.missed(absent, visit.now))

    async def _older(self, visit: Visit) -> None:
        """One page around the young post that waits longest: counters, edits, deletions."""
        due = visit.young.due(visit.now, limit=1)
        if not due:
            return
        parsed = await self._page(visit, str(number(due[0]) + 1))
        await visit.store(parsed, page="telegram.page")
        visit.young.seen(parsed.sights, visit.now)
        await self._gaps(visit, parsed)
        if due[0] not in {sight.id for sight in parsed.sights}:
            await visit.lost(visit.young.missed(due, visit.now))

    async def _discussions(self, visit: Visit) -> None:
        """Comments of young posts, by the clock: the page does not count them."""
        state = await visit.cursor("discussions") or {}
        closed_until = state.get("closed_until")
        if not visit.source.with_comments or (
            closed_until and visit.now < datetime.fromisoformat(closed_until)
        ):
            return
        for post_id in visit.young.comments_due(visit.now, limit=DISCUSSIONS_AT_MOST, hot=self.means.hot):
            try:
                is_available = await self._discussion(visit, post_id)
            except NetworkRefusal as refusal:
                if refusal.reaction not in OF_ONE_POST:
                    raise
                is_available = True
            visit.young.comments_read(post_id, visit.now)
            if not is_available and not await self._has_comments(visit):
                until = (visit.now + NO_DISCUSSION).isoformat()
                await visit.move_cursor({"closed_until": until}, "discussions")
                return

    async def _has_comments(self, visit: Visit) -> bool:
        """Whether a discussion was ever read here: then one closed post says nothing of the channel."""
        return bool((await visit.cursor("discussions") or {}).get("is_open"))

    async def _discussion(self, visit: Visit, post_id: str) -> bool:
        """Read one discussion to its end; False: the post has none that is open."""
        if self.account is not None:
            return await self._replies(self.account, visit, post_id)
        channel, _, post_number = post_id.removeprefix("telegram:").partition("/")
        url = (
            f"{self.means.settings.telegram_web_url}/{channel}/{post_number}"
            f"?embed=1&discussion=1&comments_limit={COMMENTS}"
        )

        def read(response: Response) -> Discussion:
            self._check_status(response)
            return telegram.discussion(response.body, visit.context(), post_id=post_id)

        discussion = await self._web(url, read)
        if not discussion.is_available:
            return False
        parsed, present = discussion.parsed, set()
        for page in range(COMMENT_PAGES_AT_MOST):
            await visit.store(parsed, page="telegram.discussion" if page == 0 else "telegram.more_comments")
            present |= {comment.id for comment in parsed.posts}
            if parsed.next is None:
                await visit.missing_comments(post_id, present)
                break
            if discussion.api_url is None or not discussion.request:
                break  # the page offers no further ones
            parsed = await self._more(visit, discussion, post_id, parsed.next)
        if present:
            await visit.move_cursor({"is_open": True}, "discussions")
        return True

    async def _replies(self, account: Account, visit: Visit, post_id: str) -> bool:
        """The same by an account: every comment of the group's thread."""
        present: set[str] = set()
        before: str | None = None
        for _ in range(COMMENT_PAGES_AT_MOST):
            parsed = await account.replies(visit, post_id, before)
            if parsed is None:
                return False
            await visit.store(parsed, page="telegram.replies")
            present |= {comment.id for comment in parsed.posts}
            if (before := parsed.next) is None:
                await visit.missing_comments(post_id, present)
                break
        if present:
            await visit.move_cursor({"is_open": True}, "discussions")
        return True

    async def _more(self, visit: Visit, discussion: Discussion, post_id: str, before: str) -> Parsed:
        form = {"method": "loadComments", "before_id": before, **discussion.request}
        api_url = discussion.api_url or ""
        if api_url.startswith("/"):
            api_url = self.means.settings.telegram_web_url + api_url
        chat = telegram.chat_of(discussion.request.get("peer", ""))

        def read(response: Response) -> Parsed:
            self._check_status(response)
            return telegram.more_comments(
                read_json(response.body), visit.context(), post_id=post_id, chat=chat
            )

        return await self._web(api_url, read, form=form)

    async def _web(
        self, url: str, read: Callable[[Response], Result], *, form: Mapping[str, str] | None = None
    ) -> Result:
        call = Call(bucket="telegram:web", limit="telegram")
        meta: dict[str, Any] = {"call": call}
        if self.means.settings.proxy:
            meta["proxy"] = self.means.settings.proxy

        def request() -> Request:
            if form is not None:
                return FormRequest(url, formdata=dict(form), meta=dict(meta), dont_filter=True)
            return Request(url, meta=dict(meta), dont_filter=True)

        return await self.ask(request, read, call=call)

    async def _updates(self, visit: Visit) -> None:
        """What our bot is told: messages of the discussion groups it sits in, posts of its channels."""
        token = self.means.settings.telegram_bot_token
        if token is None:
            raise NoToken("Нет ключа бота Telegram: задайте TELEGRAM_BOT_TOKEN.")
        state = dict(await visit.cursor() or {})
        sources = {source.address.lower(): source for source in await in_thread(self._channels)}
        while True:
            roots = dict(state.get("roots", {}))
            parsed = await self._bot_updates(visit, token.get_secret_value(), state.get("offset"), roots)
            posts = tuple(_with_source(post, sources) for post in parsed.posts)
            await visit.store(
                Parsed(posts=posts, broken=parsed.broken, gone=parsed.gone, mentions=parsed.mentions),
                page="telegram.updates",
            )
            roots = dict(list({**roots, **parsed.roots}.items())[-ROOTS_AT_MOST:])
            is_moved = parsed.next is not None and parsed.next != state.get("offset")
            state = {"offset": parsed.next or state.get("offset"), "roots": roots}
            await visit.move_cursor(state)  # the next call tells Telegram that these are kept
            if not is_moved or visit.is_probe:
                break
        visit.is_complete = True

    async def _bot_updates(
        self, visit: Visit, token: str, offset: str | None, roots: Mapping[str, str]
    ) -> Parsed:
        call = Call(bucket=token_bucket(Network.TELEGRAM, token), limit="telegram:bot", method="getUpdates")
        form = {
            "timeout": str(UPDATE_SECONDS if visit.may_wait else 0),
            "limit": str(UPDATES),
            "allowed_updates": KINDS_OF_UPDATES,
        }
        if offset:
            form["offset"] = offset
        meta: dict[str, Any] = {"call": call, "url_secrets": {"/bot~token~/": f"/bot{token}/"}}
        if self.means.settings.proxy:
            meta["proxy"] = self.means.settings.proxy

        def request() -> Request:
            url = f"{self.means.settings.telegram_api_url}/bot~token~/getUpdates"
            return FormRequest(url, formdata=form, meta=dict(meta), dont_filter=True)

        def read(response: Response) -> Parsed:
            try:
                answer = read_json(response.body)
                telegram.check(answer, now=self.means.clock(), method="getUpdates")
            except Unreadable:
                self._check_status(response)
                raise
            context = Context(secret=self.means.secret, fetched_at=visit.now)
            return telegram.updates(answer, context, roots=roots)

        return await self.ask(request, read, call=call)

    def _channels(self) -> list[Source]:
        return [source for source in self.means.desk.sources.list() if source.network is Network.TELEGRAM]


PREVIEW_OFF = (
    "Канал не показывает публикации в открытой сети: предпросмотр выключен, это группа или такого имени нет."
)


def _redirected(location: str) -> ServiceError:
    """Telegram leads from `/s/channel` to `/channel` when it shows no history; anything else is a fault."""
    return Unreached("t.me перенаправляет по кругу.") if "/s/" in location else Closed(PREVIEW_OFF)


def number(post_id: str) -> int:
    """`telegram:durov/142` -> 142."""
    return int(post_id.rpartition("/")[2])


def _with_source(post: Post, sources: Mapping[str, Source]) -> Post:
    """A post or comment belongs to the channel in the id of its post, when the register has it."""
    channel = (post.parent_id or post.id).removeprefix("telegram:").partition("/")[0].lower()
    source = sources.get(channel)
    return adopted(post, source) if source else post
