"""The practice stand as one object: real sockets on 127.0.0.1, a network a prefix, a world to write into."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.practice import ok, telegram_bot, vk
from api.practice.faults import Fault, read_fault
from api.practice.keep import load_world, save_world
from api.practice.limits import PRACTICE, Limits, Meter
from api.practice.max import TOKEN as MAX_TOKEN
from api.practice.max import Max
from api.practice.news import News
from api.practice.ok import Ok
from api.practice.stand import Call, Stand, utc_now
from api.practice.telegram_bot import TelegramBot
from api.practice.telegram_web import TelegramWeb
from api.practice.vk import Vk
from api.practice.walls import Walls
from api.practice.world import Author, Change, Comment, Community, Entry, Photo, World
from index.domain.post import Network
from index.errors import Unavailable

logger = logging.getLogger(__name__)

#: Setting LIMITS of a crawler on the practice stand: what `limits.PRACTICE` permits.
CRAWL_LIMITS = (
    "vk:wall.get=9000000/day, vk:newsfeed.search=9000000/day, vk:newsfeed.search=every 5s, ok=9/s, "
    "ok=every 3s, telegram=19/s, telegram=every 3s, max=every 5s, news=20/s, news=every 1s"
)

COMMUNITY = "community"  #: `author=COMMUNITY`: the page speaks for itself (the invented posts use the word)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingComment:
    """A comment as a reader of the page sees it."""

    id: str
    text: str
    author: str
    at: datetime
    is_ours: bool  #: written through the network's API
    is_official: bool  #: the community itself speaks
    reply_to: str | None  #: id of the comment it answers


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingPost:
    """A post as a reader of the page sees it; `photos` are the stored bytes."""

    id: str
    text: str
    author: str
    at: datetime
    is_ours: bool
    photos: tuple[bytes, ...]
    comments: tuple[StandingComment, ...]
    is_edited: bool
    reply_to: str | None = None


class Twin:
    """Local twins of VK, OK, Telegram, MAX and a news site.

    `with Twin() as twin:` serves on a free port until the block ends; without `with`, call `start` and
    `stop`. `limits=False` switches off rate limits and quotas; a `Limits` sets other numbers. `clock` tells
    the time of new posts and of the limits. `guid_window` is how long VK remembers a guid (not at all).
    `store` is a file that keeps the world over restarts (see `save`). Any method, from any thread.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        limits: bool | Limits = True,
        clock: Callable[[], datetime] = utc_now,
        guid_window: timedelta = timedelta(0),
        max_window_reversed: bool = False,
        first_number: int = 1,
        store: Path | None = None,
    ) -> None:
        chosen = limits if isinstance(limits, Limits) else Limits() if limits else None
        self._stand = Stand(
            world=World(first_number=first_number),
            clock=clock,
            limits=chosen,
            guid_window=guid_window,
            max_window_reversed=max_window_reversed,
        )
        self._world = self._stand.world
        self._port = port
        self._server: _Server | None = None
        self._store = store
        if store is not None:
            load_world(self._world, store)

    # life -------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Serve until `stop`; the port is known when this returns. Raises Unavailable when it is taken."""
        try:
            listener = socket.create_server(("127.0.0.1", self._port))
        except OSError as error:
            raise Unavailable(
                f"Порт {self._port} для учебных сетей занят: остановите другой стенд или смените порт."
            ) from error
        self._stand.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._stand.closing.clear()
        self._server = _Server(self._app(), listener, self._stand.closing)
        self._server.start()

    def stop(self) -> None:
        """Stop serving; what stands in the world stays and may be served again."""
        if self._server is not None:
            self._stand.closing.set()
            self._server.stop()
            self._server = None
            self.save()

    def save(self) -> None:
        """Keep what stands in the file `store`; nothing to do without one."""
        if self._store is not None:
            with self._world.lock:
                save_world(self._world, self._store)

    def _app(self) -> Starlette:
        networks = [kind(self._stand) for kind in (Vk, Ok, TelegramBot, TelegramWeb, Max, News)]
        routes = [route for part in (*networks, Walls(self._stand)) for route in part.routes]
        return Starlette(routes=[*routes, Route("/photos/{key}", self._on_photo)])

    async def _on_photo(self, request: Request) -> Response:
        photo = self._world.photos.get(request.path_params["key"])
        return Response(status_code=404) if photo is None else Response(photo.content, media_type=photo.mime)

    @property
    def url(self) -> str:
        return self._stand.base_url

    def settings(self) -> dict[str, str]:
        """Overrides for `index.settings.read_settings`: base URLs, the tokens the twins accept, and the pace
        that a crawler may take here (`limits.PRACTICE`: as fast as these twins permit)."""
        return {
            "limits": CRAWL_LIMITS if self._stand.limits in (None, PRACTICE) else "",
            "vk_api_url": f"{self.url}/vk",
            "ok_api_url": f"{self.url}/ok",
            "telegram_web_url": f"{self.url}/telegram",
            "telegram_api_url": f"{self.url}/telegram-api",
            "max_api_url": f"{self.url}/max",
            "vk_tokens": f"{vk.USER_TOKEN},{vk.SERVICE_TOKEN}",
            "ok_application_key": ok.APPLICATION_KEY,
            "ok_access_token": ok.ACCESS_TOKEN,
            "ok_session_secret": ok.SESSION_SECRET,
            "telegram_bot_token": telegram_bot.BOT_TOKEN,
            "max_token": MAX_TOKEN,
        }

    # the world --------------------------------------------------------------------------------------------

    def community(self, network: Network | str, address: str, **facts: Any) -> Community:
        """A community with its facts (title, access, members, discussion, layout …), made when it is new."""
        with self._world.lock:
            if isinstance(group := facts.get("discussion"), str):
                facts.pop("discussion")
                channel = self._world.community(Network(network), address, **facts)
                self._world.link(channel, self._world.community(Network(network), group))
                return channel
            return self._world.community(Network(network), _slug(network, address), **facts)

    def say(
        self,
        network: Network | str,
        address: str,
        text: str,
        *,
        author: str | int | None = None,
        at: datetime | None = None,
        parent: str | None = None,
        photos: Sequence[bytes] = (),
        **more: Any,
    ) -> str:
        """A post, or with `parent` (an id that `say` gave) a comment; gives its id.

        `author` None is somebody new, COMMUNITY the page itself, anything else a person who stays the same.
        `more`: number, likes, views, reposts, is_pinned, origin (id of the reposted post), poll
        {question, answers}, link, video, geo, signer, board (title of a discussion), film (title of
        a video), picture (True: a photo of an album), service.
        """
        with self._world.lock:
            community = self._world.community(Network(network), _slug(network, address))
            at = at or self._stand.clock()
            writer = self._writer(community, author)
            if parent is not None:
                return self._comment(parent, writer, text, at, more).id
            pictures = tuple(self._world.add_photo(content, mime=_mime(content)) for content in photos)
            return self._write(community, writer, text, at, pictures, more).id

    def _writer(self, community: Community, author: str | int | None) -> Author:
        if author == COMMUNITY and community.author is not None:
            return community.author
        return self._world.author(community.network, author)

    def _comment(self, parent: str, writer: Author, text: str, at: datetime, more: dict[str, Any]) -> Comment:
        above = self._world.found[parent]
        if isinstance(above, Comment):
            return self._world.write_comment(above.post, writer, text, at, parent=above, **more)
        return self._world.write_comment(above, writer, text, at, **more)

    def _write(
        self,
        community: Community,
        writer: Author,
        text: str,
        at: datetime,
        photos: tuple[Photo, ...],
        more: dict[str, Any],
    ) -> Entry:
        facts: dict[str, Any] = {
            name: more.pop(name)
            for name in ("number", "likes", "views", "reposts", "is_pinned")
            if name in more
        }
        if origin := more.pop("origin", None):
            facts["origin"] = self._world.found[origin]
        if answered := more.pop("reply_to", None):
            more["reply_to"] = self._world.found[answered]
        return self._world.write_post(community, writer, text, at, photos=photos, more=more, **facts)

    def feed(self, site: str) -> str:
        """Address of a news site's RSS, as `sources.yaml` would name it."""
        return f"{self.url}/news/{site}/rss.xml"

    def edit(self, id: str, text: str, *, at: datetime | None = None) -> None:
        """Change the text of a post or a comment; the network marks it as edited where it does so."""
        with self._world.lock:
            item, at = self._world.found[id], at or self._stand.clock()
            item.text, item.edited_at = text, at
            self._note(Change.EDITED, item, at)

    def delete(self, id: str, *, at: datetime | None = None) -> None:
        with self._world.lock:
            item = self._world.found[id]
            item.is_deleted = True
            self._note(Change.DELETED, item, at or self._stand.clock())

    def count(self, id: str, **counters: int) -> None:
        """Set likes, views, reposts of a post, or likes of a comment."""
        with self._world.lock:
            for name, value in counters.items():
                setattr(self._world.found[id], name, value)

    def grow(self, id: str, **by: int) -> None:
        """Add to views, likes or reposts of a post."""
        with self._world.lock:
            for name, more in by.items():
                setattr(self._world.found[id], name, getattr(self._world.found[id], name) + more)

    def now(self) -> datetime:
        return self._stand.clock()

    def _note(self, change: Change, item: Entry | Comment, at: datetime) -> None:
        if isinstance(item, Comment):
            self._world.note(change, item.post, item, at)
        else:
            self._world.note(change, item, None, at)

    def posts(self, network: Network | str, address: str) -> list[StandingPost]:
        """What stands on a page now, newest first, with its comments in the order they came."""
        with self._world.lock:
            community = self._world.find(Network(network), _slug(network, address))
            entries = community.standing(self._stand.clock()) if community else []
            return [_standing(entry) for entry in entries]

    def addresses(self, network: Network | str) -> list[str]:
        with self._world.lock:
            return [community.address for community in self._world.of(Network(network))]

    # calls and faults -------------------------------------------------------------------------------------

    @property
    def calls(self) -> list[Call]:
        """Every request so far, oldest first; a copy."""
        with self._world.lock:
            return list(self._stand.calls)

    def fail(
        self,
        network: Network | str,
        method: str,
        fault: str | int,
        *,
        times: int | None = 1,
        seconds: float = 30.0,
    ) -> None:
        """Show `fault` to the next `times` calls of a method ("*": any; None: until `mend`).

        Faults: timeout reset reset_mid_body http_<status> html empty truncated wrong_charset gzip_bomb
        redirect_loop slow captcha flood banned_token rate (or "429") and error:<code> or the number. With
        `_after_accept` at the end the network carries the call out and only the answer is lost.
        """
        found: Fault = read_fault(fault, network=Network(network), method=method, left=times, seconds=seconds)
        with self._world.lock:
            self._stand.faults.append(found)

    def mend(self) -> None:
        """Forget all faults and take revoked tokens back."""
        with self._world.lock:
            self._stand.faults.clear()
            self._stand.revoked.clear()

    def clear(self) -> None:
        """An empty world again, no calls, no faults, fresh limits; the server goes on serving."""
        with self._world.lock:
            self._world.clear()
            self._stand.calls.clear()
            self._stand.meter = Meter()
        self.mend()

    def revoke(self, token: str) -> None:
        """The networks refuse this token from now on."""
        with self._world.lock:
            self._stand.revoked.add(token)


def _slug(network: Network | str, address: str) -> str:
    """A news site may be named by its feed."""
    if network == Network.NEWS and "/news/" in address:
        return address.partition("/news/")[2].partition("/")[0]
    return address


def _standing(entry: Entry) -> StandingPost:
    return StandingPost(
        id=entry.id,
        text=entry.text,
        author=entry.author.name,
        at=entry.publish_at or entry.at,
        is_ours=entry.is_ours,
        photos=tuple(photo.content for photo in entry.photos),
        comments=tuple(
            StandingComment(
                id=c.id,
                text=c.text,
                author=c.author.name,
                at=c.at,
                is_ours=c.is_ours,
                is_official=c.author.community is entry.community,
                reply_to=c.parent.id if c.parent else None,
            )
            for c in entry.live_comments()
        ),
        is_edited=entry.edited_at is not None,
    )


def _mime(content: bytes) -> str:
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    return "image/gif" if content[:4] == b"GIF8" else "image/jpeg"


class _WatchedProtocol(HttpToolsProtocol):
    """Hands the transport to the app, so that a fault can break the connection below HTTP."""

    closing: threading.Event

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport, "closing": self.closing}
        super().connection_made(transport)


class _Server:
    """uvicorn in a thread on a socket that is already bound."""

    def __init__(self, app: Starlette, listener: socket.socket, closing: threading.Event) -> None:
        protocol = type("_Protocol", (_WatchedProtocol,), {"closing": closing})
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
            server_header=False,
        )
        self._listener = listener
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="practice", daemon=True
        )

    def start(self) -> None:
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            self._thread.join(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()


def serve(port: int, *, store: Path | None = None, seed: int = 1) -> None:
    """The practice networks alone, until a signal: what `mcu practice` runs. Raises Unavailable."""
    from api.practice.scenario import open_stand  # the scenario knows the twin, not the other way round

    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with open_stand(port=port, store=store, seed=seed) as twin:
        logger.info("The practice networks are at %s", twin.url, extra={"action": "practice_serves"})
        stop.wait()


def number_of_now() -> int:
    """First number of a stand that starts empty: above any number of a stand that started earlier."""
    return int((utc_now() - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds())
