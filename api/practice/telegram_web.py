"""t.me as a browser without an account sees it: /s/<channel> in two layouts, and the discussion widget."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.practice.exchange import Exchange, Refusal, Reply, html_reply, json_reply
from api.practice.faults import Fault, FaultKind
from api.practice.pages import page
from api.practice.stand import Stand
from api.practice.world import Access, Comment, Community, Entry
from index.domain.post import Network

PER_PAGE = 20
WINDOW = timedelta(seconds=10)


class TelegramWeb:
    """Paths: /telegram/s/<channel>, /telegram/<channel>, /telegram/<channel>/<id>?embed=1&discussion=1."""

    network = Network.TELEGRAM

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._world = stand.world

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/telegram/s/{channel}", self._on_history, methods=["GET", "POST"]),
            Route("/telegram/api/method", self._on_api, methods=["POST"]),
            Route("/telegram/{channel}", self._on_landing, methods=["GET"]),
            Route("/telegram/{channel}/{post:int}", self._on_post, methods=["GET"]),
        ]

    async def _on_history(self, request: Request) -> Response:
        return await self._stand.serve(self, f"/s/{request.path_params['channel']}", request, self._history)

    async def _on_landing(self, request: Request) -> Response:
        return await self._stand.serve(self, f"/{request.path_params['channel']}", request, self._landing)

    async def _on_post(self, request: Request) -> Response:
        channel, post = request.path_params["channel"], request.path_params["post"]
        return await self._stand.serve(self, f"/{channel}/{post}", request, self._post)

    async def _on_api(self, request: Request) -> Response:
        hidden = ("discussion_hash",)
        return await self._stand.serve(self, "loadComments", request, self._load_comments, hidden=hidden)

    def refusal(self, refusal: Refusal, exchange: Exchange) -> Reply:
        reply = html_reply(
            f"<html><body><h1>{escape(refusal.message)}</h1></body></html>", status=refusal.status
        )
        reply.headers |= {str(name): str(value) for name, value in refusal.more.get("headers", {}).items()}
        return reply

    def as_refusal(self, fault: Fault, exchange: Exchange) -> Refusal:
        if fault.kind is FaultKind.ERROR:
            status = int(fault.code or 500)
            return Refusal(status, f"HTTP {status}", status=status)
        return Refusal(429, "Too Many Requests", status=429, headers={"retry-after": "5"})

    def _count(self, exchange: Exchange) -> None:
        limits, meter = self._stand.limits, self._stand.meter
        if limits is not None and not meter.passes(
            "telegram:web", at=exchange.at, limit=limits.telegram_web_per_10_seconds, window=WINDOW
        ):
            wait = meter.wait("telegram:web", at=exchange.at, window=WINDOW)
            raise Refusal(429, "Too Many Requests", status=429, headers={"retry-after": str(wait)})

    # pages ------------------------------------------------------------------------------------------------

    async def _history(self, exchange: Exchange) -> Reply:
        name = exchange.path.rpartition("/")[2]
        with self._world.lock:
            self._count(exchange)
            channel = self._channel(name)
            if channel is None or not channel.is_channel or channel.access is not Access.OPEN:
                return Reply(
                    body=b"", status=302, headers={"location": f"{self._stand.base_url}/telegram/{name}"}
                )
            return html_reply(self._history_page(channel, exchange))

    def _history_page(self, channel: Community, exchange: Exchange) -> str:
        """Twenty messages, oldest first; no link to older ones at the start of the channel."""
        entries = sorted(channel.standing(exchange.at), key=lambda e: e.number)
        if query := exchange.parameters.get("q", "").lower():
            entries = [e for e in entries if query in e.text.lower()]
        before, after = _id(exchange.parameters.get("before")), _id(exchange.parameters.get("after"))
        if after is not None:
            shown = [e for e in entries if e.number > after][:PER_PAGE]
        else:
            shown = [e for e in entries if before is None or e.number < before][-PER_PAGE:]
        return page(
            "telegram_history.html",
            title=channel.title,
            channel=channel.address,
            about=str(channel.more.get("description", "")),
            members=_short(channel.members),
            photos=sum(len(e.photos) for e in entries),
            messages=[self._message(e) for e in shown],
            older=shown[0].number if shown and shown[0] is not entries[0] else None,
            newer=shown[-1].number if shown and shown[-1] is not entries[-1] else None,
        )

    async def _landing(self, exchange: Exchange) -> Reply:
        """What t.me/<name> shows: a title and a button, no posts."""
        name = exchange.path.rpartition("/")[2]
        with self._world.lock:
            self._count(exchange)
            channel = self._channel(name)
        title = channel.title if channel else f"Telegram: Contact @{name}"
        extra = f"{channel.members} subscribers" if channel else ""
        return html_reply(page("telegram_landing.html", name=name, title=title, extra=extra))

    async def _post(self, exchange: Exchange) -> Reply:
        _, name, number = exchange.path.rsplit("/", 2)
        facts: dict[str, Any] = {"error": "", "message": None, "discussion": None}
        with self._world.lock:
            self._count(exchange)
            channel = self._channel(name)
            entry = self._stand.entry(channel, int(number), at=exchange.at) if channel else None
            if entry is None:
                facts["error"] = "Post not found"
            elif "discussion" in exchange.parameters:
                facts["discussion"] = self._discussion(entry, exchange)
            else:
                facts["message"] = self._message(entry)
        return html_reply(page("telegram_widget.html", **facts))

    def _discussion(self, entry: Entry, exchange: Exchange) -> dict[str, Any] | None:
        """The newest comments, or those from a comment on; None: there is no discussion."""
        group = entry.community.discussion
        if group is None or not entry.community.comments_open:
            return None
        limit = _id(exchange.parameters.get("comments_limit")) or 5
        first = _id(exchange.parameters.get("comment"))
        live = entry.live_comments()
        shown = [c for c in live if c.number >= first][:limit] if first else live[-limit:]
        word = "comment" if len(live) == 1 else "comments"
        return {
            "header": f"{len(live)} {word}" if live else "Comments",
            "post": entry.key,
            "older": live.index(shown[0]) if shown else 0,
            "comments": [_comment(c, group) for c in shown],
            "peer": _peer(group),
            "top": entry.more.get("forwarded_as", entry.number),
            "hash": hashlib.sha256(f"discussion {entry.id}".encode()).hexdigest()[:18],
        }

    async def _load_comments(self, exchange: Exchange) -> Reply:
        """POST api/method of the widget: older comments as a piece of HTML inside JSON."""
        with self._world.lock:
            self._count(exchange)
            entry = self._discussed(exchange)
            group = entry.community.discussion if entry else None
            if entry is None or group is None:
                return json_reply({"ok": False, "error": "PEER_INVALID"})
            before = _id(exchange.parameters.get("before_id")) or 2**62
            older = [c for c in entry.live_comments() if c.number < before][-PER_PAGE:]
            pieces = page("telegram_comments.html", comments=[_comment(c, group) for c in older])
        return json_reply({"ok": True, "comments_html": pieces})

    def _discussed(self, exchange: Exchange) -> Entry | None:
        peer, top = exchange.parameters.get("peer"), exchange.parameters.get("top_msg_id")
        for channel in self._world.of(Network.TELEGRAM):
            if channel.discussion is not None and _peer(channel.discussion) == peer:
                entries = channel.standing(exchange.at)
                return next((e for e in entries if str(e.more.get("forwarded_as", e.number)) == top), None)
        return None

    def _channel(self, name: str) -> Community | None:
        lowered = name.lower()
        return next((c for c in self._world.of(Network.TELEGRAM) if c.address.lower() == lowered), None)

    # facts of a message -----------------------------------------------------------------------------------

    def _message(self, entry: Entry) -> dict[str, Any]:
        channel, more = entry.community, entry.more
        answered = more.get("reply_to")
        link = str(more.get("link", ""))
        return {
            "key": entry.key,
            "number": entry.number,
            "channel": channel.address,
            "title": channel.title,
            "layout": channel.layout,
            "view": _view(channel, f"{entry.number}g" if len(entry.photos) > 1 else entry.number, entry.at),
            "is_service": bool(more.get("service")),
            "origin": {"key": entry.origin.key, "title": entry.origin.community.title}
            if entry.origin
            else None,
            "reply": _quoted(answered.key, answered.community.title, answered.text) if answered else None,
            "photos": [{"number": p.number, "url": self._stand.photo_url(p)} for p in entry.photos],
            "video": more.get("video"),
            "text": _marked_up(entry.text),
            "poll": more.get("poll"),
            "link": link,
            "link_site": link.split("/")[2] if link else "",
            "link_title": more.get("link_title", ""),
            "likes": _short(entry.likes) if entry.likes else "",
            "views": _short(entry.views) if entry.views else "",
            "is_edited": entry.edited_at is not None,
            "signature": entry.author.name if entry.author.community is None else "",
            **_time(entry.at),
        }


def _comment(comment: Comment, group: Community) -> dict[str, Any]:
    """A message of the discussion group inside the widget."""
    above, author = comment.parent, comment.author
    return {
        "number": comment.number,
        "post": comment.post.key,
        "view": _view(group, comment.number, comment.at),
        "peer_id": author.number if author.community is None else -author.community.number,
        "author": author.name,
        "reply": _quoted(f"{comment.post.key}?comment={above.number}", above.author.name, above.text)
        if above
        else None,
        "text": _marked_up(comment.text),
        "is_edited": comment.edited_at is not None,
        **_time(comment.at),
    }


def _quoted(key: str, title: str, text: str) -> dict[str, str]:
    return {"key": key, "title": title, "text": text[:60]}


def _time(at: datetime) -> dict[str, str]:
    return {"at": f"{at:%Y-%m-%dT%H:%M:%S}+00:00", "clock": f"{at:%H:%M}"}


def _view(chat: Community, post: int | str, at: datetime) -> str:
    """data-view: base64url of {"c": channel, "p": post or "14g" for an album, "t": moment, "h": hash}."""
    hash_ = hashlib.sha256(f"{chat.address}/{post}".encode()).hexdigest()[:18]
    facts = {"c": -chat.number, "p": post, "t": int(at.timestamp()), "h": hash_}
    return base64.urlsafe_b64encode(json.dumps(facts, separators=(",", ":")).encode()).decode().rstrip("=")


def _marked_up(text: str) -> Markup:
    """The text as t.me writes it: <br/>, links, emoji in their own elements."""
    marked = str(escape(text)).replace("\n", "<br/>")
    marked = re.sub(r"(https?://[^\s<]+)", r'<a href="\1" target="_blank" rel="noopener">\1</a>', marked)
    return Markup(re.sub(r"([\U0001F300-\U0001FAFF☀-➿])", r'<i class="emoji"><b>\1</b></i>', marked))  # noqa: S704 escaped above


def _peer(group: Community) -> str:
    return f"c{group.number}_{hashlib.sha256(group.address.encode()).hexdigest()[:16]}"


def _short(number: int) -> str:
    """92 · 1.2K · 3.42M, rounded as t.me does."""
    for size, letter in ((1_000_000, "M"), (1_000, "K")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return str(number)


def _id(value: str | None) -> int | None:
    return int(value) if value and value.isdigit() else None
