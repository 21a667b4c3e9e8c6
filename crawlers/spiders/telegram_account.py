"""Channels and comments as an account reads them: at its pace, FloodWait obeyed by all processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from crawlers import mtproto
from crawlers.health import Unreached
from crawlers.pages import telegram_mtproto as pages
from crawlers.pages.base import NetworkRefusal, Parsed, Reaction
from crawlers.visits import Visit
from index.domain.post import Network
from index.pace import Call, token_bucket
from index.settings import Settings

if TYPE_CHECKING:
    from crawlers.spiders.base import NetworkSpider

PAGE = 100  # messages of one call
HOST = "mtproto"  # for the breaker: which data centre answers is Telegram's affair
PEER = "peer"  # cursor of a source: names are dear to resolve, so it is done once


class Account:
    """One connection of one account for a whole spider; opened by the first call, again after a break."""

    def __init__(
        self, spider: NetworkSpider, *, open_client: Callable[[Settings], mtproto.Client] | None = None
    ) -> None:
        self._spider = spider
        self._open_client = open_client or mtproto.open_client
        self._client: mtproto.Client | None = None
        self._connecting = asyncio.Lock()

    async def history(self, visit: Visit, before: str | None) -> Parsed:
        """A page of the channel, newest first; `before` is `next` of the newer one."""
        peer = await self._peer(visit)
        from telethon.tl.functions.messages import GetHistoryRequest

        request = GetHistoryRequest(
            peer=peer, offset_id=int(before or 0), offset_date=None, add_offset=0, limit=PAGE,
            max_id=0, min_id=0, hash=0,
        )  # fmt: skip
        try:
            answer = await self._ask(request, "messages.getHistory")
        except NetworkRefusal as refusal:
            if refusal.reaction is Reaction.GONE:
                await visit.move_cursor({}, PEER)  # the name may have gone to another channel
            raise
        return pages.history(answer, visit.context(), channel=visit.source.address, asked=PAGE)

    async def replies(self, visit: Visit, post_id: str, before: str | None) -> Parsed | None:
        """Comments of a post, newest first; None: it has no discussion."""
        peer = await self._peer(visit)
        from telethon.tl.functions.messages import GetRepliesRequest

        request = GetRepliesRequest(
            peer=peer, msg_id=int(post_id.rpartition("/")[2]), offset_id=int(before or 0), offset_date=None,
            add_offset=0, limit=PAGE, max_id=0, min_id=0, hash=0,
        )  # fmt: skip
        try:
            answer = await self._ask(request, "messages.getReplies")
        except NetworkRefusal as refusal:
            if refusal.reaction is Reaction.GONE:
                return None
            raise
        return pages.replies(answer, visit.context(), post_id=post_id, asked=PAGE)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.disconnect()

    async def _peer(self, visit: Visit) -> Any:
        """The channel as Telegram wants it named. Raises NoToken before anything else is tried."""
        await self._connected()
        from telethon.tl.functions.contacts import ResolveUsernameRequest
        from telethon.tl.types import InputPeerChannel

        known = await visit.cursor(PEER)
        if not known:
            request = ResolveUsernameRequest(username=visit.source.address)
            answer = await self._ask(request, "contacts.resolveUsername")
            chats = [c for c in answer.get("chats") or () if c.get("_") == "Channel" and c.get("access_hash")]
            if not chats:
                raise NetworkRefusal(
                    Reaction.GONE, network=Network.TELEGRAM, code="no channel",
                    message="под этим именем не канал и не группа",
                )  # fmt: skip
            known = {"id": chats[0]["id"], "access_hash": chats[0]["access_hash"]}
            await visit.move_cursor(dict(known), PEER)
        return InputPeerChannel(channel_id=known["id"], access_hash=known["access_hash"])

    async def _ask(self, request: Any, method: str) -> dict[str, Any]:
        call = self._call(method)
        breaker = self._spider.pace.breaker(Network.TELEGRAM, HOST)
        await self._spider.pace.turn(call, HOST)
        try:
            answer = await mtproto.ask(await self._connected(), request, method=method)
        except NetworkRefusal as refusal:
            breaker.worked()
            await self._obey(refusal, call)
            raise
        except Unreached:
            breaker.failed(self._spider.means.clock())
            await self._drop()
            raise
        breaker.worked()
        return answer

    async def _obey(self, refusal: NetworkRefusal, call: Call) -> None:
        """FloodWait holds back the method it was said of, in every process, to the last second of it."""
        if refusal.reaction is Reaction.SLOW_DOWN:
            until = self._spider.means.clock() + (refusal.after or timedelta(minutes=1))
            name, reason = f"{call.bucket}:{call.method}", f"Telegram просит паузу: {refusal.message}"
            await asyncio.to_thread(self._spider.pace.freeze, name, until=until, reason=reason)
            return
        await self._spider.note_refusal(refusal, call)

    def _call(self, method: str) -> Call:
        secret = self._spider.means.settings.telegram_api_hash
        token = f"mtproto:{secret.get_secret_value() if secret else ''}"
        return Call(bucket=token_bucket(Network.TELEGRAM, token), limit="telegram:mtproto", method=method)

    async def _connected(self) -> mtproto.Client:
        """Raises NoToken, NetworkRefusal (the session is not logged in), Unreached."""
        async with self._connecting:
            if self._client is None:
                client = await asyncio.to_thread(self._open_client, self._spider.means.settings)
                try:
                    await asyncio.wait_for(client.connect(), mtproto.TIMEOUT.total_seconds())
                    is_in = await client.is_user_authorized()
                except (OSError, TimeoutError) as error:
                    await _left(client)
                    raise Unreached(f"Telegram (MTProto): нет связи ({type(error).__name__}).") from None
                if not is_in:
                    await _left(client)
                    raise NetworkRefusal(
                        Reaction.STOP_TOKEN, network=Network.TELEGRAM, code="session",
                        message="сеанс не действует, войдите: python -m crawlers.mtproto",
                    )  # fmt: skip
                self._client = client
            return self._client

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await _left(client)


async def _left(client: mtproto.Client) -> None:
    try:
        await client.disconnect()
    except OSError:
        return  # it is gone already
