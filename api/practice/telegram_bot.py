"""Telegram's Bot API: posting into channels and their groups, updates, automatic forwards, limits."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.practice.exchange import Exchange, Refusal, Reply, json_reply
from api.practice.faults import Fault, FaultKind
from api.practice.stand import Stand
from api.practice.world import Author, Change, Comment, Community, Entry, Event, Photo
from index.domain.post import Network

BOT_ID = 7_000_000_001
BOT_TOKEN = f"{BOT_ID}:practice-telegram-token"  #: the stand's invented token
BOT_NAME = "mcu_practice_bot"
MAX_TEXT, MAX_CAPTION, MAX_PHOTO_BYTES = 4_096, 1_024, 10 * 1024 * 1024
DELETABLE = timedelta(hours=48)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class TelegramBot:
    """Paths: /telegram-api/bot<token>/<method>."""

    network = Network.TELEGRAM

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._world = stand.world
        self._bot = Author(number=BOT_ID, name="МЦУ практика")
        self._confirmed = 0  #: updates below this are forgotten
        self._poll = 0  #: number of the getUpdates that holds the line
        self._methods: dict[str, Callable[[Exchange], Awaitable[Any]]] = {
            "getMe": self._get_me,
            "getUpdates": self._get_updates,
            "getWebhookInfo": self._get_webhook_info,
            "deleteWebhook": self._delete_webhook,
            "getChat": self._get_chat,
            "getChatMember": self._get_chat_member,
            "getChatMemberCount": self._get_chat_member_count,
            "sendMessage": self._send_message,
            "sendPhoto": self._send_photo,
            "editMessageText": self._edit_message_text,
            "editMessageCaption": self._edit_message_text,
            "deleteMessage": self._delete_message,
        }

    @property
    def routes(self) -> list[Route]:
        return [Route("/telegram-api/bot{token}/{method}", self._on_call, methods=["GET", "POST"])]

    # one call ---------------------------------------------------------------------------------------------

    async def _on_call(self, request: Request) -> Response:
        return await self._stand.serve(
            self, request.path_params["method"], request, self._answer, token=request.path_params["token"]
        )

    async def _answer(self, exchange: Exchange) -> Reply:
        if exchange.token != BOT_TOKEN or exchange.token in self._stand.revoked:
            raise Refusal(401, "Unauthorized", status=401)
        method = self._methods.get(exchange.method)
        if method is None:
            raise Refusal(404, "Not Found", status=404)
        if isinstance(exchange.body, dict):
            exchange.parameters |= {
                name: _as_text(value) for name, value in exchange.body.items() if value is not None
            }
        return json_reply({"ok": True, "result": await method(exchange)})

    def refusal(self, refusal: Refusal, exchange: Exchange) -> Reply:
        body = {"ok": False, "error_code": refusal.code, "description": refusal.message} | refusal.more
        return json_reply(body, status=refusal.status)

    def as_refusal(self, fault: Fault, exchange: Exchange) -> Refusal:
        match fault.kind:
            case FaultKind.RATE | FaultKind.FLOOD:
                return _too_many(int(fault.seconds) or 1)
            case FaultKind.BANNED:
                return Refusal(401, "Unauthorized", status=401)
            case FaultKind.CAPTCHA:
                return Refusal(403, "Forbidden: bot was blocked by the user", status=403)
        code = int(fault.code or 500)
        return Refusal(code, f"Error {code}", status=code)

    def _pace(self, chat: Community, exchange: Exchange) -> None:
        """30 messages a second in all, one a second into a chat, twenty a minute into a group or channel."""
        limits, meter = self._stand.limits, self._stand.meter
        if limits is None:
            return
        for bucket, limit, window in (
            ("telegram:bot", limits.telegram_bot_per_second, SECOND),
            (f"telegram:chat:{chat.number}", limits.telegram_chat_per_second, SECOND),
            (f"telegram:minute:{chat.number}", limits.telegram_chat_per_minute, MINUTE),
        ):
            if not meter.passes(bucket, at=exchange.at, limit=limit, window=window):
                raise _too_many(meter.wait(bucket, at=exchange.at, window=window))

    # reading ----------------------------------------------------------------------------------------------

    async def _get_me(self, exchange: Exchange) -> dict[str, Any]:
        return self._bot_user() | {
            "can_join_groups": True, "can_read_all_group_messages": True, "supports_inline_queries": False,
        }  # fmt: skip

    def _bot_user(self) -> dict[str, Any]:
        return {"id": BOT_ID, "is_bot": True, "first_name": self._bot.name, "username": BOT_NAME}

    async def _get_webhook_info(self, exchange: Exchange) -> dict[str, Any]:
        return {"url": "", "has_custom_certificate": False, "pending_update_count": 0}

    async def _delete_webhook(self, exchange: Exchange) -> bool:
        return True

    async def _get_chat(self, exchange: Exchange) -> dict[str, Any]:
        with self._world.lock:
            chat = self._chat(exchange)
            full = _chat_object(chat) | {
                "accent_color_id": 1,
                "max_reaction_count": 11,
                "accepted_gift_types": {
                    "unlimited_gifts": True,
                    "limited_gifts": True,
                    "unique_gifts": True,
                    "premium_subscription": False,
                    "gifts_from_channels": False,
                },
                "active_usernames": [chat.address],
                "description": str(chat.more.get("description", "")),
            }
            linked = chat.discussion or chat.channel
            return full | ({"linked_chat_id": chat_id(linked)} if linked else {})

    async def _get_chat_member(self, exchange: Exchange) -> dict[str, Any]:
        with self._world.lock:
            chat = self._chat(exchange)
        if exchange.parameters.get("user_id") != str(BOT_ID):
            raise Refusal(400, "Bad Request: user not found", status=400)
        if chat.more.get("writing") is False:
            return {"status": "member", "user": self._bot_user()}
        rights = (
            "can_be_edited can_manage_chat can_delete_messages can_manage_video_chats can_restrict_members "
            "can_promote_members can_change_info can_invite_users can_post_stories can_edit_stories "
            "can_delete_stories"
        )
        member: dict[str, Any] = {"status": "administrator", "user": self._bot_user(), "is_anonymous": False}
        member |= dict.fromkeys(rights.split(), False) | {
            "can_manage_chat": True,
            "can_delete_messages": True,
        }
        return member | ({"can_post_messages": True, "can_edit_messages": True} if chat.is_channel else {})

    async def _get_chat_member_count(self, exchange: Exchange) -> int:
        with self._world.lock:
            return self._chat(exchange).members

    async def _get_updates(self, exchange: Exchange) -> list[dict[str, Any]]:
        asked = exchange.parameters
        limit = min(max(_integer(asked, "limit", 100), 1), 100)
        offset, allowed = _integer(asked, "offset", 0), _listed(asked.get("allowed_updates", ""))
        with self._world.lock:
            self._poll += 1
            mine = self._poll
            self._confirmed = max(self._confirmed, offset)
        stop = asyncio.get_running_loop().time() + min(_integer(asked, "timeout", 0), 90)
        seen, found = -1, []
        while True:
            with self._world.lock:
                if mine != self._poll:
                    raise Refusal(
                        409,
                        "Conflict: terminated by other getUpdates request; "
                        "make sure that only one bot instance is running",
                        status=409,
                    )
                if seen != (
                    seen := self._world.newest_event
                ):  # the whole line is read anew only when it grew
                    found = [u for u in self._updates(allowed) if u["update_id"] >= self._confirmed]
                    found = found[offset:] if offset < 0 else found
            if found or asyncio.get_running_loop().time() >= stop or self._stand.closing.is_set():
                return found[:limit]
            await asyncio.sleep(0.05)

    def _updates(self, allowed: set[str]) -> Iterator[dict[str, Any]]:
        """Two numbers an event: the message itself, and its automatic copy in the linked group."""
        for event in self._world.since(max(0, (self._confirmed - 1) // 2)):
            if event.entry.community.network is not Network.TELEGRAM:
                continue
            for number, kind, message in self._told(event):
                if not allowed or kind in allowed:
                    yield {"update_id": number, kind: message}

    def _told(self, event: Event) -> Iterator[tuple[int, str, dict[str, Any]]]:
        entry, comment, number = event.entry, event.comment, event.serial * 2
        channel = entry.community
        group = channel.discussion
        if event.change is Change.DELETED:
            return  # the Bot API tells of no deletions
        edited = "edited_" if event.change is Change.EDITED else ""
        if comment is not None:
            if group is not None and group.has_bot and comment.author is not self._bot:
                yield number, f"{edited}message", self._comment(comment)
            return
        if channel.has_bot and not (entry.is_ours and not edited):  # a bot is not told of its own posts
            yield (
                number,
                f"{edited}channel_post" if channel.is_channel else f"{edited}message",
                self._message(entry),
            )
        if channel.is_channel and group is not None and group.has_bot and not edited:
            yield number + 1, "message", self._forwarded(entry)

    # writing ----------------------------------------------------------------------------------------------

    async def _send_message(self, exchange: Exchange) -> dict[str, Any]:
        text = exchange.parameters.get("text", "")
        with self._world.lock:
            chat = self._writable(exchange)
            if not text.strip():
                raise Refusal(400, "Bad Request: message text is empty", status=400)
            if _utf16(text) > MAX_TEXT:
                raise Refusal(400, "Bad Request: message is too long", status=400)
            self._pace(chat, exchange)
            return self._written(chat, text, exchange, ())

    async def _send_photo(self, exchange: Exchange) -> dict[str, Any]:
        caption = exchange.parameters.get("caption", "")
        with self._world.lock:
            chat = self._writable(exchange)
            if "photo" not in exchange.files:
                raise Refusal(400, "Bad Request: there is no photo in the request", status=400)
            content, mime = exchange.files["photo"]
            if len(content) > MAX_PHOTO_BYTES:
                raise Refusal(413, "Request Entity Too Large", status=413)
            if _utf16(caption) > MAX_CAPTION:
                raise Refusal(400, "Bad Request: message caption is too long", status=400)
            photo = self._world.add_photo(content, mime=mime)
            if not photo.width:
                raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED", status=400)
            self._pace(chat, exchange)
            return self._written(chat, caption, exchange, (photo,))

    def _writable(self, exchange: Exchange) -> Community:
        chat = self._chat(exchange)
        if chat.more.get("writing") is False:
            raise Refusal(400, "Bad Request: need administrator rights in the channel chat", status=400)
        return chat

    def _written(
        self, chat: Community, text: str, exchange: Exchange, photos: tuple[Photo, ...]
    ) -> dict[str, Any]:
        answered = self._answered_number(exchange)
        if chat.channel is not None and answered:
            return self._comment(self._write_comment(chat.channel, answered, text, exchange))
        author = chat.author if chat.is_channel and chat.author else self._bot
        entry = self._world.write_post(chat, author, text, exchange.at, photos=photos, is_ours=True)
        return self._message(entry)

    @staticmethod
    def _answered_number(exchange: Exchange) -> int:
        given = exchange.parameters.get("reply_parameters")
        if given:
            try:
                return int(json.loads(given)["message_id"])
            except (ValueError, KeyError, TypeError):
                raise Refusal(
                    400, "Bad Request: can't parse reply parameters JSON object", status=400
                ) from None
        return _integer(exchange.parameters, "reply_to_message_id", 0)

    def _write_comment(self, channel: Community, answered: int, text: str, exchange: Exchange) -> Comment:
        """An answer to the copy of a post, or to a comment, is a comment under the post."""
        for entry in channel.standing(exchange.at):
            if entry.more.get("forwarded_as") == answered:
                return self._world.write_comment(entry, self._bot, text, exchange.at, is_ours=True)
            if parent := self._stand.comment(entry, answered):
                return self._world.write_comment(
                    entry, self._bot, text, exchange.at, parent=parent, is_ours=True
                )
        raise Refusal(400, "Bad Request: message to be replied not found", status=400)

    async def _edit_message_text(self, exchange: Exchange) -> dict[str, Any]:
        with self._world.lock:
            item = self._own(exchange)
            item.text = exchange.parameters.get("text") or exchange.parameters.get("caption", "")
            item.edited_at = exchange.at
            if isinstance(item, Comment):
                self._world.note(Change.EDITED, item.post, item, exchange.at)
                return self._comment(item)
            self._world.note(Change.EDITED, item, None, exchange.at)
            return self._message(item)

    async def _delete_message(self, exchange: Exchange) -> bool:
        with self._world.lock:
            item = self._own(exchange)
            if exchange.at - item.at > DELETABLE:
                raise Refusal(400, "Bad Request: message can't be deleted for everyone", status=400)
            item.is_deleted = True
            if isinstance(item, Comment):
                self._world.note(Change.DELETED, item.post, item, exchange.at)
            else:
                self._world.note(Change.DELETED, item, None, exchange.at)
        return True

    def _own(self, exchange: Exchange) -> Entry | Comment:
        chat, number = self._chat(exchange), _integer(exchange.parameters, "message_id", 0)
        if entry := self._stand.entry(chat, number, at=exchange.at):
            return entry
        for entry in chat.channel.standing(exchange.at) if chat.channel else ():
            if comment := self._stand.comment(entry, number):
                return comment
        raise Refusal(400, "Bad Request: message to edit not found", status=400)

    def _chat(self, exchange: Exchange) -> Community:
        name = exchange.parameters.get("chat_id", "")
        chats = list(self._world.of(Network.TELEGRAM))
        if name.startswith("@"):
            chat = next((c for c in chats if c.address.lower() == name[1:].lower()), None)
        else:
            chat = next((c for c in chats if str(chat_id(c)) == name), None)
        if chat is None:
            raise Refusal(400, "Bad Request: chat not found", status=400)
        if not chat.has_bot:
            kind = "channel" if chat.is_channel else "supergroup"
            raise Refusal(403, f"Forbidden: bot is not a member of the {kind} chat", status=403)
        return chat

    # objects ----------------------------------------------------------------------------------------------

    def _message(self, entry: Entry) -> dict[str, Any]:
        chat = entry.community
        message: dict[str, Any] = {
            "message_id": entry.number,
            "date": _unix(entry.at),
            "chat": _chat_object(chat),
        }
        if chat.is_channel:
            message["sender_chat"] = _chat_object(chat)
            if entry.author.community is None:
                message["author_signature"] = entry.author.name
        else:
            message["from"] = self._user(entry.author)
        return message | self._contents(entry.text, entry.photos, entry.edited_at)

    def _forwarded(self, entry: Entry) -> dict[str, Any]:
        """The copy that Telegram itself puts into the linked group."""
        channel, group = entry.community, entry.community.discussion
        assert group is not None  # noqa: S101 only called for channels that have one
        message: dict[str, Any] = {
            "message_id": entry.more["forwarded_as"],
            "from": {"id": 777000, "is_bot": False, "first_name": "Telegram"},
            "sender_chat": _chat_object(channel),
            "date": _unix(entry.at),
            "chat": _chat_object(group),
            "forward_origin": {
                "type": "channel",
                "date": _unix(entry.at),
                "chat": _chat_object(channel),
                "message_id": entry.number,
            },
            "is_automatic_forward": True,
        }  # fmt: skip
        return message | self._contents(entry.text, entry.photos, None)

    def _comment(self, comment: Comment) -> dict[str, Any]:
        group, entry = comment.post.community.discussion, comment.post
        assert group is not None  # noqa: S101 a comment stands in a linked group
        above = self._forwarded(entry)
        if comment.parent is not None:
            above = {
                "message_id": comment.parent.number,
                "date": _unix(comment.parent.at),
                "chat": _chat_object(group),
                "from": self._user(comment.parent.author),
                "text": comment.parent.text,
            }
        message: dict[str, Any] = {
            "message_id": comment.number,
            "message_thread_id": entry.more["forwarded_as"],
            "date": _unix(comment.at),
            "chat": _chat_object(group),
            "reply_to_message": above,
        }
        if comment.author.community is not None:
            message |= {"sender_chat": _chat_object(comment.author.community)}
            message |= {
                "from": {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
            }
        else:
            message["from"] = self._user(comment.author)
        return message | self._contents(comment.text, (), comment.edited_at)

    def _user(self, author: Author) -> dict[str, Any]:
        if author is self._bot:
            return self._bot_user()
        first, _, last = author.name.partition(" ")
        user = {"id": abs(author.number), "is_bot": False, "first_name": first}
        return user | ({"last_name": last} if last else {})

    def _contents(self, text: str, photos: tuple[Photo, ...], edited_at: datetime | None) -> dict[str, Any]:
        contents: dict[str, Any] = {}
        if photos:
            contents["photo"] = [
                {
                    "file_id": p.key,
                    "file_unique_id": str(p.number),
                    "width": p.width,
                    "height": p.height,
                    "file_size": len(p.content),
                }
                for p in photos[:1]
            ]
        if text:
            contents["caption" if photos else "text"] = text
        if entities := _links(text):
            contents["caption_entities" if photos else "entities"] = entities
        if edited_at is not None:
            contents["edit_date"] = _unix(edited_at)
        return contents


def chat_id(chat: Community) -> int:
    """-100 and the number of the channel or supergroup."""
    return int(f"-100{chat.number}")


def _chat_object(chat: Community) -> dict[str, Any]:
    kind = "channel" if chat.is_channel else "supergroup"
    return {"id": chat_id(chat), "title": chat.title, "username": chat.address, "type": kind}


def _links(text: str) -> list[dict[str, Any]]:
    return [
        {"type": "url", "offset": _utf16(text[: found.start()]), "length": _utf16(found[0])}
        for found in re.finditer(r"https?://\S+", text)
    ]


def _utf16(text: str) -> int:
    """Telegram counts UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def _too_many(seconds: int) -> Refusal:
    message = f"Too Many Requests: retry after {seconds}"
    return Refusal(429, message, status=429, parameters={"retry_after": seconds})


def _integer(asked: dict[str, str], name: str, default: int) -> int:
    value = asked.get(name, "")
    if value == "":
        return default
    try:
        return int(value)
    except ValueError:
        raise Refusal(400, f"Bad Request: invalid {name}", status=400) from None


def _listed(value: str) -> set[str]:
    if not value:
        return set()
    try:
        return set(json.loads(value))
    except (ValueError, TypeError):
        raise Refusal(400, "Bad Request: can't parse allowed updates", status=400) from None


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())
