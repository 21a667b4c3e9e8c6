"""MAX as its bot API answers it: chats with our bot, messages, comments under posts, uploads, updates."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.practice.exchange import Exchange, Refusal, Reply, json_reply
from api.practice.faults import Fault, FaultKind
from api.practice.stand import Answer, Stand
from api.practice.world import Access, Author, Change, Comment, Community, Entry, Event, Photo
from index.domain.post import Network

TOKEN = "practice-max-token"  # noqa: S105 the stand's invented token
BOT_ID = 70_000_001
MAX_TEXT = 4_000
SECOND = timedelta(seconds=1)
PERMISSIONS = ["read_all_messages", "write", "edit", "delete", "pin_message", "change_chat_info"]


class Max:
    """Paths: /max/me, …/updates, …/messages, …/messages/<mid>/comments, …/uploads, …/chats/<id>."""

    network = Network.MAX

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._world = stand.world
        self._uploads: dict[str, Photo] = {}
        self._bot = Author(number=BOT_ID, name="МЦУ бот")

    @property
    def routes(self) -> list[Route]:
        messages = "/messages/{mid}"
        return [
            self._route("GET", "/me", self._me),
            self._route("GET", "/updates", self._updates),
            self._route("GET", "/messages", self._get_messages),
            self._route("POST", "/messages", self._post_message),
            self._route("PUT", "/messages", self._put_message),
            self._route("DELETE", "/messages", self._delete_message),
            self._route("GET", f"{messages}/comments", self._get_comments),
            self._route("POST", f"{messages}/comments", self._post_comment),
            self._route("PUT", f"{messages}/comments", self._put_comment),
            self._route("DELETE", f"{messages}/comments", self._delete_comment),
            self._route("GET", f"{messages}/comments/{{comment}}", self._get_comment),
            self._route("GET", messages, self._get_message),
            self._route("POST", "/uploads", self._get_upload),
            self._route("GET", "/chats/{chat}", self._get_chat),
            self._route("GET", "/chats/{chat}/members/me", self._get_member),
            Route("/max/upload/{name}", self._on_upload, methods=["POST"]),
        ]

    def _route(self, verb: str, path: str, answer: Answer) -> Route:
        """Calls are noted as `GET /messages`, `POST /messages/{mid}/comments`, …"""

        async def on_call(request: Request) -> Response:
            async def admitted(exchange: Exchange) -> Reply:
                with self._world.lock:
                    self._admit(exchange)
                exchange.parameters |= {name: str(value) for name, value in request.path_params.items()}
                return await answer(exchange)

            token = request.headers.get("authorization", "")
            return await self._stand.serve(
                self, f"{verb} {path}", request, admitted, token=token, hidden=("access_token",)
            )

        return Route(f"/max{path}", on_call, methods=[verb])

    # one call ---------------------------------------------------------------------------------------------

    def _admit(self, exchange: Exchange) -> None:
        """The token comes in the header only; one in the query is not looked at."""
        if not exchange.token:
            raise Refusal("verify.token", "Empty access_token", status=401)
        if exchange.token != TOKEN or exchange.token in self._stand.revoked:
            raise Refusal("verify.token", "Invalid access_token", status=401)
        limits = self._stand.limits
        if limits and not self._stand.meter.passes("max", at=exchange.at, limit=limits.max_per_second):
            raise _too_many(limits.max_per_second)

    def _pace_chat(self, chat: Community, exchange: Exchange) -> None:
        limits = self._stand.limits
        if limits and not self._stand.meter.passes(
            f"max:chat:{chat.number}", at=exchange.at, limit=limits.max_messages_per_second
        ):
            raise _too_many(limits.max_messages_per_second)

    def refusal(self, refusal: Refusal, exchange: Exchange) -> Reply:
        return json_reply(
            {"code": refusal.code, "message": refusal.message} | refusal.more, status=refusal.status
        )

    def as_refusal(self, fault: Fault, exchange: Exchange) -> Refusal:
        match fault.kind:
            case FaultKind.RATE | FaultKind.FLOOD:
                return _too_many(10)
            case FaultKind.BANNED:
                return Refusal("verify.token", "Invalid access_token", status=401)
            case FaultKind.CAPTCHA:
                return Refusal("access.denied", "Bot is suspended", status=403)
        if isinstance(fault.code, int):
            return Refusal(f"error.{fault.code}", f"HTTP {fault.code}", status=fault.code)
        return Refusal(str(fault.code), str(fault.code), status=400)  # attachment.not.ready and the like

    # reading ----------------------------------------------------------------------------------------------

    async def _me(self, exchange: Exchange) -> Reply:
        return json_reply(_user(self._bot, exchange.at, is_bot=True) | {"commands": []})

    async def _get_chat(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            return json_reply(self._chat_object(self._chat(exchange.parameters["chat"]), exchange))

    async def _get_member(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            chat = self._chat(exchange.parameters["chat"])
            permissions = [] if chat.more.get("writing") is False else PERMISSIONS
        return json_reply(_user(self._bot, exchange.at, is_bot=True) | {
            "last_access_time": _ms(exchange.at), "is_owner": False, "is_admin": True, "join_time": 0,
            "permissions": permissions, "alias": "",
        })  # fmt: skip

    async def _get_messages(self, exchange: Exchange) -> Reply:
        asked = exchange.parameters
        with self._world.lock:
            if mids := [mid for mid in asked.get("message_ids", "").split(",") if mid]:
                found = [e for mid in mids if (e := self._entry(mid, exchange)) is not None]
            else:
                if "chat_id" not in asked:
                    raise Refusal("proto.payload", "chat_id or message_ids is required", status=400)
                found = self._chat(asked["chat_id"]).standing(exchange.at)
                earliest, latest = self._window(asked)
                found = [e for e in found if earliest <= _ms(e.at) <= latest][
                    : _limited(asked, "count", 50, 100)
                ]
            return json_reply({"messages": [self._message(e) for e in found]})

    def _window(self, asked: dict[str, str]) -> tuple[int, int]:
        """`from`..`to`. The schema's words turn the two round; `max_window_reversed` does as they say."""
        start, end = _integer(asked, "from"), _integer(asked, "to")
        if self._stand.max_window_reversed:
            start, end = end, start
        return start or 0, end or 2**62

    async def _get_message(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            return json_reply(self._message(self._must(exchange)))

    async def _get_comments(self, exchange: Exchange) -> Reply:
        asked = exchange.parameters
        with self._world.lock:
            entry = self._must(exchange)
            self._check_comments(entry)
            live = sorted(entry.live_comments(), key=lambda c: (c.at, c.number), reverse=True)
            if ids := [i for i in asked.get("comment_ids", "").split(",") if i]:
                live = [c for c in live if c.key in ids]
            else:
                after, before = _integer(asked, "after") or 0, _integer(asked, "before") or 2**62
                live = [c for c in live if after <= _ms(c.at) <= before][: _limited(asked, "count", 50, 100)]
            return json_reply({"messages": [self._comment(c) for c in live]})

    async def _get_comment(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            return json_reply(self._comment(self._must_comment(exchange, exchange.parameters["comment"])))

    async def _updates(self, exchange: Exchange) -> Reply:
        asked = exchange.parameters
        limit = _limited(asked, "limit", 100, 1000)
        types = {name for name in asked.get("types", "").split(",") if name}
        marker = _integer(asked, "marker")
        with self._world.lock:
            newest = self._world.newest_event
        start = max(0, newest - 1) if marker is None else marker  # without a marker: the last one only
        stop = asyncio.get_running_loop().time() + min(_integer(asked, "timeout") or 0, 90)
        while True:
            with self._world.lock:
                events = self._world.since(start)
                updates, seen = self._updates_of(events, types, limit, exchange)
            if updates or asyncio.get_running_loop().time() >= stop or self._stand.closing.is_set():
                return json_reply({"updates": updates, "marker": start + seen})
            await asyncio.sleep(0.05)

    def _updates_of(
        self, events: list[Event], types: set[str], limit: int, exchange: Exchange
    ) -> tuple[list[dict[str, Any]], int]:
        updates: list[dict[str, Any]] = []
        for seen, event in enumerate(events):
            if len(updates) == limit:
                return updates, seen
            update = self._update(event)
            if update is not None and (not types or update["update_type"] in types):
                updates.append(update)
        return updates, len(events)

    def _update(self, event: Event) -> dict[str, Any] | None:
        """Posts only: the list of update types that was read has no event for comments."""
        entry, at = event.entry, _ms(event.at)
        if (
            entry.community.network is not Network.MAX
            or event.comment is not None
            or not entry.community.has_bot
        ):
            return None
        if event.change is Change.DELETED:
            return {
                "update_type": "message_removed", "timestamp": at, "message_id": entry.key,
                "chat_id": chat_id(entry.community), "user_id": entry.author.number,
            }  # fmt: skip
        kind = "message_created" if event.change is Change.POSTED else "message_edited"
        return {"update_type": kind, "timestamp": at, "message": self._message(entry)}

    # writing ----------------------------------------------------------------------------------------------

    async def _get_upload(self, exchange: Exchange) -> Reply:
        kind = exchange.parameters.get("type", "")
        if kind not in ("image", "video", "audio", "file"):
            raise Refusal("proto.payload", f"Invalid value for query parameter type: {kind}", status=400)
        with self._world.lock:
            name = f"{len(self._uploads) + 1:08d}"
        return json_reply({"url": f"{self._stand.base_url}/max/upload/{name}"})

    async def _on_upload(self, request: Request) -> Response:
        return await self._stand.serve(self, "upload", request, self._take_upload)

    async def _take_upload(self, exchange: Exchange) -> Reply:
        if not exchange.files:
            raise Refusal("upload.error", "No file in the request", status=400)
        content, mime = next(iter(exchange.files.values()))
        with self._world.lock:
            photo = self._world.add_photo(content, mime=mime)
            if not photo.width:
                raise Refusal("upload.error", "File extension is not supported", status=400)
            token = base64.b64encode(f"max:{photo.key}".encode()).decode()
            self._uploads[token] = photo
        return json_reply({"photos": {str(photo.number): {"token": token}}})

    async def _post_message(self, exchange: Exchange) -> Reply:
        body = _body(exchange)
        with self._world.lock:
            chat = self._chat(exchange.parameters.get("chat_id", ""))
            self._check_writing(chat)
            self._pace_chat(chat, exchange)
            text, photos = self._contents(body)
            author = chat.author if chat.is_channel and chat.author else self._bot
            entry = self._world.write_post(chat, author, text, exchange.at, photos=photos, is_ours=True)
            return json_reply({"message": self._message(entry)})

    def _contents(self, body: dict[str, Any]) -> tuple[str, tuple[Photo, ...]]:
        text, photos = str(body.get("text") or ""), []
        if len(text) > MAX_TEXT:
            raise Refusal("proto.payload", f"text: size must be between 0 and {MAX_TEXT}", status=400)
        for attachment in body.get("attachments") or []:
            if attachment.get("type") == "image":
                photos += self._pictures(attachment.get("payload") or {})
        if not text.strip() and not photos:
            raise Refusal("proto.payload", "Message is empty", status=400)
        return text, tuple(photos)

    def _pictures(self, payload: dict[str, Any]) -> list[Photo]:
        tokens = [payload["token"]] if payload.get("token") else []
        tokens += [photo.get("token") for photo in (payload.get("photos") or {}).values()]
        found = [self._uploads[token] for token in tokens if token in self._uploads]
        if not tokens or len(found) != len(tokens):
            raise Refusal("proto.payload", "Invalid attachment token", status=400)
        return found

    async def _put_message(self, exchange: Exchange) -> Reply:
        body = _body(exchange)
        with self._world.lock:
            entry = self._own(exchange)
            if "text" in body and body["text"] is not None:
                entry.text = str(body["text"])
            entry.edited_at = exchange.at
            self._world.note(Change.EDITED, entry, None, exchange.at)
        return json_reply({"success": True})

    async def _delete_message(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            entry = self._own(exchange)
            entry.is_deleted = True
            self._world.note(Change.DELETED, entry, None, exchange.at)
        return json_reply({"success": True})

    def _own(self, exchange: Exchange) -> Entry:
        exchange.parameters["mid"] = exchange.parameters.get("message_id", "")
        return self._must(exchange)

    async def _post_comment(self, exchange: Exchange) -> Reply:
        """Text and an answered comment only: no attachments here."""
        body = _body(exchange)
        with self._world.lock:
            entry = self._must(exchange)
            self._check_comments(entry)
            self._check_writing(entry.community)
            self._pace_chat(entry.community, exchange)
            text = str(body.get("text") or "")
            if not text.strip() or len(text) > MAX_TEXT or body.get("attachments"):
                raise Refusal("proto.payload", "Comment has to be a text without attachments", status=400)
            parent = self._answered(entry, body.get("link"))
            comment = self._world.write_comment(
                entry, self._bot, text, exchange.at, parent=parent, is_ours=True
            )
            return json_reply({"message": self._comment(comment)})

    @staticmethod
    def _answered(entry: Entry, link: Any) -> Comment | None:
        if not link:
            return None
        if link.get("type") != "reply":
            raise Refusal("proto.payload", "link: only reply is allowed", status=400)
        parent = next((c for c in entry.live_comments() if c.key == link.get("mid")), None)
        if parent is None:
            raise Refusal("not.found", "Comment is not found", status=404)
        return parent

    async def _put_comment(self, exchange: Exchange) -> Reply:
        body = _body(exchange)
        with self._world.lock:
            comment = self._must_comment(exchange, exchange.parameters.get("comment_id", ""))
            comment.text, comment.edited_at = str(body.get("text") or ""), exchange.at
            self._world.note(Change.EDITED, comment.post, comment, exchange.at)
        return json_reply({"success": True})

    async def _delete_comment(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            comment = self._must_comment(exchange, exchange.parameters.get("comment_id", ""))
            comment.is_deleted = True
            self._world.note(Change.DELETED, comment.post, comment, exchange.at)
        return json_reply({"success": True})

    # who and where ----------------------------------------------------------------------------------------

    def _chat(self, name: str) -> Community:
        chat = next(
            (c for c in self._world.of(Network.MAX) if str(chat_id(c)) == name or c.address == name), None
        )
        if chat is None:
            raise Refusal("chat.not.found", f"Chat {name} not found", status=404)
        if not chat.has_bot or chat.access is not Access.OPEN:
            raise Refusal("chat.denied", "Bot is not a member of the chat", status=403)
        return chat

    @staticmethod
    def _check_writing(chat: Community) -> None:
        if chat.more.get("writing") is False:
            raise Refusal("chat.denied", "Bot has no permission write", status=403)

    @staticmethod
    def _check_comments(entry: Entry) -> None:
        if not entry.community.is_channel or not entry.community.comments_open:
            raise Refusal("comments.disabled", "Comments are disabled", status=403)

    def _entry(self, mid: str, exchange: Exchange) -> Entry | None:
        entry = self._world.found.get(f"max:{mid}")
        if not isinstance(entry, Entry) or not entry.community.has_bot:
            return None
        return self._stand.entry(entry.community, entry.number, at=exchange.at)

    def _must(self, exchange: Exchange) -> Entry:
        entry = self._entry(exchange.parameters.get("mid", ""), exchange)
        if entry is None:
            raise Refusal("not.found", "Message is not found", status=404)
        return entry

    def _must_comment(self, exchange: Exchange, key: str) -> Comment:
        comment = next((c for c in self._must(exchange).live_comments() if c.key == key), None)
        if comment is None:
            raise Refusal("not.found", "Comment is not found", status=404)
        return comment

    # objects ----------------------------------------------------------------------------------------------

    def _message(self, entry: Entry) -> dict[str, Any]:
        """A channel's own message carries no sender; `stat` stands in channels only."""
        message: dict[str, Any] = {
            "recipient": _recipient(entry.community),
            "timestamp": _ms(entry.at),
            "body": {
                "mid": entry.key,
                "seq": entry.number,
                "text": entry.text,
                "attachments": [self._photo(p) for p in entry.photos],
            },
        }
        if entry.author.community is None:
            message["sender"] = _user(entry.author, entry.at, is_bot=entry.author is self._bot)
        if entry.origin is not None:
            origin = entry.origin
            message["link"] = {
                "type": "forward", "chat_id": chat_id(origin.community),
                "message": {"mid": origin.key, "seq": origin.number, "text": origin.text, "attachments": []},
            }  # fmt: skip
        if entry.community.is_channel:
            message["stat"] = {"views": entry.views}
            message["url"] = f"https://max.ru/c/{chat_id(entry.community)}/{entry.key}"
        return message

    def _photo(self, photo: Photo) -> dict[str, Any]:
        payload = {"photo_id": photo.number, "token": photo.key, "url": self._stand.photo_url(photo)}
        return {"type": "image", "payload": payload}

    def _comment(self, comment: Comment) -> dict[str, Any]:
        channel = comment.post.community
        shown: dict[str, Any] = {
            "recipient": {
                "chat_id": chat_id(channel),
                "chat_type": "channel",
                "user_id": None,
                "post_id": comment.post.key,
            },
            "timestamp": _ms(comment.at),
            "body": {"mid": comment.key, "seq": comment.number, "text": comment.text, "markup": []},
        }
        if comment.author.community is None:
            shown["sender"] = _user(comment.author, comment.at, is_bot=comment.author is self._bot)
        if comment.parent is not None:
            above = comment.parent
            shown["link"] = {
                "type": "reply", "chat_id": chat_id(channel),
                "sender": _user(above.author, above.at, is_bot=above.author is self._bot),
                "message": {"mid": above.key, "seq": above.number, "text": above.text, "markup": []},
            }  # fmt: skip
        return shown

    def _chat_object(self, chat: Community, exchange: Exchange) -> dict[str, Any]:
        newest = next(iter(chat.standing(exchange.at)), None)
        return {
            "chat_id": chat_id(chat),
            "type": "channel" if chat.is_channel else "chat",
            "status": "active",
            "title": chat.title,
            "icon": None,
            "last_event_time": _ms(newest.at) if newest else 0,
            "participants_count": chat.members,
            "is_public": True,
            "link": f"https://max.ru/id{chat.number}",
            "description": str(chat.more.get("description", "")) or None,
            "messages_count": len(chat.entries),
        }


def chat_id(chat: Community) -> int:
    """As the bot API names it: the address where that is a number, else the negative number of the chat."""
    return int(chat.address) if chat.address.lstrip("-").isdigit() else -chat.number


def _recipient(chat: Community) -> dict[str, Any]:
    return {"chat_id": chat_id(chat), "chat_type": "channel" if chat.is_channel else "chat", "user_id": None}


def _user(author: Author, at: datetime, *, is_bot: bool) -> dict[str, Any]:
    first, _, last = author.name.partition(" ")
    return {
        "user_id": abs(author.number),
        "first_name": first,
        "last_name": last,
        "name": author.name,
        "username": None,
        "is_bot": is_bot,
        "last_activity_time": _ms(at),
    }


def _too_many(limit: int) -> Refusal:
    message = f"Too many requests. Limit is: {limit} calls per second."
    return Refusal("too.many.requests", message, status=429)


def _body(exchange: Exchange) -> dict[str, Any]:
    if not isinstance(exchange.body, dict):
        raise Refusal("proto.payload", "Failed to parse body", status=400)
    return exchange.body


def _integer(asked: dict[str, str], name: str) -> int | None:
    value = asked.get(name, "")
    if value in ("", "null"):
        return None
    try:
        return int(value)
    except ValueError:
        raise Refusal("proto.payload", f"Invalid value for query parameter {name}", status=400) from None


def _limited(asked: dict[str, str], name: str, default: int, highest: int) -> int:
    value = _integer(asked, name)
    value = default if value is None else value
    if not 1 <= value <= highest:
        raise Refusal("proto.payload", f"{name}: must be between 1 and {highest}", status=400)
    return value


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)
