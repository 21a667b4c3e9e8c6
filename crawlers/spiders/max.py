"""What to fetch next from MAX: updates of our bot, history and comments of the chats it sits in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote, urlencode

from scrapy.http import Request, Response

from crawlers.cursors import Walk
from crawlers.health import ByWebhook, Closed, NoToken
from crawlers.pages import max as pages
from crawlers.pages.base import Context, NetworkRefusal, Parsed, Reaction, Unreadable, read_json
from crawlers.spiders.base import OF_ONE_POST, NetworkSpider, headers_of, milliseconds
from crawlers.visits import Visit, in_thread
from index.domain.post import Network
from index.domain.source import Source
from index.pace import Call, token_bucket

Result = TypeVar("Result")

PAGE = 100
REREADS = 50  # messages asked for by id at once
COMMENTED_AT_MOST = 10  # posts whose comments are read in one visit
COMMENT_PAGES_AT_MOST = 20
UPDATES = 100
UPDATE_SECONDS = 1  # a visit waits this long for an update


class MaxSpider(NetworkSpider):
    network: ClassVar[Network] = Network.MAX
    limit: ClassVar[str] = "max"
    at_once: ClassVar[int] = 8

    async def visit(self, visit: Visit) -> None:
        if visit.source.address == "updates":
            await self._updates(visit)
            return
        chat = await self._chat(visit)
        walk = Walk(position=await visit.position(), now=visit.now)
        to: str | None = None
        while True:
            parsed = await self._messages(
                visit, {"chat_id": chat, "count": PAGE} | ({"to": to} if to else {})
            )
            keys = [(milliseconds(sight.published_at), sight.published_at) for sight in parsed.sights]
            to = walk.page(keys, next_page=_older(parsed, to))
            if to is None or visit.is_probe:
                break
        await visit.move_position(walk)
        if visit.is_probe:
            return
        await self._rereads(visit)
        await self._recent_comments(visit)
        await visit.keep_young()

    async def _messages(self, visit: Visit, parameters: Mapping[str, Any]) -> Parsed:
        answer = await self.api("messages", parameters, lambda answer: answer)
        parsed = pages.messages(answer, await visit.knowing(pages.ids(answer)))
        await visit.store(parsed, page="max.messages")
        visit.young.seen(parsed.sights, visit.now)
        return parsed

    async def _rereads(self, visit: Visit) -> None:
        due = visit.young.due(visit.now, limit=REREADS)
        if not due:
            return
        parsed = await self._messages(visit, {"message_ids": ",".join(mid(post_id) for post_id in due)})
        present = {sight.id for sight in parsed.sights} | set(parsed.gone)
        await visit.lost(
            visit.young.missed([post_id for post_id in due if post_id not in present], visit.now)
        )

    async def _recent_comments(self, visit: Visit) -> None:
        """Comments of young posts, by the clock: the network tells neither their number nor that one came."""
        if not visit.source.with_comments:
            return
        for post_id in visit.young.comments_due(visit.now, limit=COMMENTED_AT_MOST, hot=self.means.hot):
            try:
                await self._comments(visit, post_id)
            except NetworkRefusal as refusal:
                if refusal.reaction not in OF_ONE_POST:
                    raise
                if refusal.reaction is Reaction.GONE:
                    await visit.lost(visit.young.missed([post_id], visit.now))
            visit.young.comments_read(post_id, visit.now)

    async def _comments(self, visit: Visit, post_id: str) -> None:
        present: set[str] = set()
        before: str | None = None
        for _ in range(COMMENT_PAGES_AT_MOST):
            answer = await self.api(
                f"messages/{quote(mid(post_id), safe='')}/comments",
                {"count": PAGE} | ({"before": before} if before else {}),
                lambda answer: answer,
                method="comments",
            )
            known = await visit.knowing(pages.ids(answer, post_id=post_id))
            parsed = pages.comments(answer, known, post_id=post_id)
            await visit.store(parsed, page="max.comments")
            present |= {sight.id for sight in parsed.sights}
            if (before := _older(parsed, before)) is None:
                await visit.missing_comments(post_id, present)
                return

    async def _updates(self, visit: Visit) -> None:
        """Posts, edits and deletions of all chats as they happen."""
        if self.means.settings.max_webhook_secret is not None:
            raise ByWebhook("События приносит webhook, длинный опрос выключен: вместе они не работают.")
        state = await visit.cursor() or {}
        marker = state.get("marker")
        sources = {source.address: source for source in await in_thread(self._chats)}
        while True:
            parameters: dict[str, Any] = {
                "limit": UPDATES,
                "timeout": UPDATE_SECONDS if visit.may_wait else 0,
            }
            if marker is not None:
                parameters["marker"] = marker
            answer = await self.api("updates", parameters, lambda answer: answer)
            following = pages.updates(answer, self._context(visit, None)).next
            for chat, part in _by_chat(answer).items():
                parsed = pages.updates(part, self._context(visit, sources.get(chat)))
                await visit.store(parsed, page="max.updates")
            if following is not None:
                await visit.move_cursor({"marker": following})
            if following in (None, marker) or visit.is_probe:
                break
            marker = following
        visit.is_complete = True

    def _context(self, visit: Visit, source: Source | None) -> Context:
        return Context(secret=self.means.secret, fetched_at=visit.now, source=source)

    async def _chat(self, visit: Visit) -> str:
        """Number of the chat; a link is resolved once, where the network still does that."""
        address = visit.source.address
        if re.fullmatch(r"-?\d+", address):
            return address
        if known := await visit.cursor("owner"):
            return str(known["chat_id"])
        try:
            found = await self.api(f"chats/{quote(address)}", {}, pages.community, method="chats")
        except NetworkRefusal as refusal:
            if refusal.reaction not in OF_ONE_POST:
                raise
            raise Closed(f"MAX не знает чата {address}: укажите его номер и добавьте бота в канал.") from None
        await visit.move_cursor({"chat_id": found.number}, "owner")
        return found.number

    async def api(
        self, path: str, parameters: Mapping[str, Any], read: Callable[[Any], Result], *, method: str = ""
    ) -> Result:
        """One GET with the token in the header, as the network asks."""
        secret = self.means.settings.max_token
        if secret is None:
            raise NoToken("Нет ключа бота MAX: задайте MAX_TOKEN.")
        token = secret.get_secret_value()
        method = method or path
        call = Call(bucket=token_bucket(Network.MAX, token), limit="max", method=method)

        def request() -> Request:
            query = f"?{urlencode(parameters)}" if parameters else ""
            url = f"{self.means.settings.max_api_url}/{path}{query}"
            return Request(url, headers={"Authorization": token}, meta={"call": call}, dont_filter=True)

        def answered(response: Response) -> Result:
            try:
                answer = read_json(response.body)
            except Unreadable:
                self._check_status(response)
                raise
            now = self.means.clock()
            pages.check(answer, status=response.status, headers=headers_of(response), now=now, method=method)
            return read(answer)

        return await self.ask(request, answered, call=call)

    def _chats(self) -> list[Source]:
        return [source for source in self.means.desk.sources.list() if source.network is Network.MAX]


def _older(parsed: Parsed, asked: str | None) -> str | None:
    """Where older messages begin; None after a page that is not full. The network counts the moment in, so
    the oldest message comes again on the next page."""
    records = len(parsed.posts) + len(parsed.same) + len(parsed.broken) + len(parsed.gone) + parsed.left_out
    return parsed.next if records >= PAGE and parsed.next != asked else None


def mid(post_id: str) -> str:
    """`max:mid.abc` -> `mid.abc`."""
    return post_id.removeprefix("max:")


def _by_chat(answer: Any) -> dict[str, dict[str, Any]]:
    """The same answer cut by chat, so that each part is read as of its own source."""
    parts: dict[str, dict[str, Any]] = {}
    for update in answer.get("updates") or ():
        chat = pages.chat_of(update) if isinstance(update, Mapping) else ""
        parts.setdefault(chat, {"updates": []})["updates"].append(update)
    return parts
