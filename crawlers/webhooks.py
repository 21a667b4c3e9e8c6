"""Events that a network brings to us: VK Callback API and MAX webhooks, kept by the path of the crawl."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from crawlers.cursors import Young
from crawlers.pace import Pace
from crawlers.pages import max as max_pages
from crawlers.pages import vk
from crawlers.pages.base import Context, NetworkRefusal, Parsed, Unreadable
from crawlers.visits import Means, Visit
from index.desk import Desk
from index.domain.page import page_address
from index.domain.post import Network
from index.domain.source import Source, SourceHealth
from index.errors import Misconfigured, Refused
from index.pace import limits
from index.posts.base import PostIndex
from index.settings import Settings

logger = logging.getLogger(__name__)

ACTOR = "webhook"
LEASE = timedelta(minutes=1)  # an event taken by a process that was killed is free again after this
MAX_UPDATES = "max:updates"
HEALTH_EVERY = timedelta(seconds=10)  # the health of a source is not written with every event


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackGroup:
    """One community whose events VK brings."""

    confirmation: str  #: what VK asks for once, when the server is added
    secret: str  #: stands in every event


class Forbidden(Refused):
    """The event does not come from the network: wrong secret, or a community nobody has set up."""


def callback_groups(settings: Settings) -> dict[int, CallbackGroup]:
    """Communities of VK_CALLBACKS by number. Raises Misconfigured, never with the secret in it."""
    groups = {}
    for address, value in settings.vk_callbacks.items():
        confirmation, _, secret = value.get_secret_value().partition("|")
        try:
            number = -int(page_address(Network.VK, address.removeprefix("vk:")))
        except Refused as error:
            raise Misconfigured(f"VK_CALLBACKS, {address}: {error}") from error
        if not confirmation or not secret:
            raise Misconfigured(
                f"VK_CALLBACKS, {address}: нет строки подтверждения или тайны.",
                remedy="Нужно club123=строка|тайна: без тайны события мог бы слать кто угодно.",
            )
        groups[number] = CallbackGroup(confirmation=confirmation, secret=secret)
    return groups


class Receiver:
    """Keeps what events bring, exactly as a crawl would. Safe to use from several threads.

    An event counts as taken in only after its posts are stored: a database that is down makes the network
    come again, and so does an event that another process is storing at this moment. Methods raise Forbidden,
    Refused (a body nobody can read), Unavailable.
    """

    def __init__(
        self,
        *,
        desk: Desk,
        posts: PostIndex,
        settings: Settings,
        secret: bytes,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`secret` is that of the authors' pseudonyms. Raises Misconfigured."""
        self._groups = callback_groups(settings)
        given = settings.max_webhook_secret
        self._max_secret = given.get_secret_value() if given is not None else None
        self._means = Means(
            desk=desk,
            posts=posts,
            settings=settings,
            pace=Pace(desk=desk, limits=limits(settings.limits), clock=clock),
            secret=secret,
            clock=clock,
        )
        self._lock = threading.Lock()  # of the index: one writer a process

    @property
    def has_vk(self) -> bool:
        return bool(self._groups)

    @property
    def has_max(self) -> bool:
        return self._max_secret is not None

    def vk(self, body: bytes) -> str:
        """One event of the Callback API; what VK wants to hear: `ok`, or the confirmation string."""
        event = _object(body)
        number = event.get("group_id")
        group = self._groups.get(number) if type(number) is int else None
        if group is None or number is None:
            raise Forbidden("Это сообщество не настроено.")
        if event.get("type") == "confirmation" and "secret" not in event:
            return group.confirmation
        if not _is_same(event.get("secret"), group.secret):
            raise Forbidden("Тайна события не та.")
        if event.get("type") == "confirmation":
            return group.confirmation
        plain = {name: value for name, value in event.items() if name != "secret"}  # never to the quarantine
        self._take(
            lambda: self._vk_source(-number), _event_id(event, body), lambda v: self._read_vk(v, plain)
        )
        return "ok"

    def max(self, body: bytes, secret: str | None) -> None:
        """One update of the bot; `secret` is the header X-Max-Bot-Api-Secret."""
        if self._max_secret is None or not _is_same(secret, self._max_secret):
            raise Forbidden("Тайна события не та.")
        update = _object(body)
        visit = self._take(self._max_source, _digest(body), lambda v: self._read_max(v, update))
        if visit is not None:
            self._note_fresh(MAX_UPDATES)

    # -- keeping -------------------------------------------------------------------------------------------

    def _take(
        self, source_of: Callable[[], Source], event_id: str, read: Callable[[Visit], Parsed]
    ) -> Visit | None:
        """Store what the event brings, once; None: it has come before, or nobody watches this source."""
        with self._lock:
            source, events = source_of(), self._means.desk.events
            if not source.is_enabled or not events.take(
                source.id, event_id, now=self._means.clock(), lease=LEASE
            ):
                return None
            try:
                visit, parsed = self._keep(source, read)
            except BaseException:
                events.release(source.id, event_id)
                raise
            events.keep(source.id, event_id)
        logger.info(
            "An event was taken in.",
            extra={"action": "event_taken", "source": source.id, "posts": len(parsed.posts)},
        )
        return visit

    def _keep(self, source: Source, read: Callable[[Visit], Parsed]) -> tuple[Visit, Parsed]:
        health = self._means.desk.sources.healths().get(source.id) or SourceHealth(source_id=source.id)
        visit = Visit(means=self._means, source=source, health=health, young=Young())
        parsed = read(visit)
        visit.keep(parsed, page=f"{source.network.value}.event")
        self._means.evidence.flush(self._means.desk, self._means.clock())
        return visit, parsed

    def _read_vk(self, visit: Visit, event: Mapping[str, Any]) -> Parsed:
        try:
            return vk.event(event, visit.context())
        except (Unreadable, NetworkRefusal) as error:
            raise Refused(f"Событие ВКонтакте не читается. {error}") from error

    def _read_max(self, visit: Visit, update: Mapping[str, Any]) -> Parsed:
        """A message is read as of its own chat, as the long poll reads it."""
        chat = max_pages.chat_of(update)
        source = next((s for s in self._sources(Network.MAX) if s.address == chat), None)
        context = Context(secret=self._means.secret, fetched_at=self._means.clock(), source=source)
        try:
            return max_pages.updates(dict(update), context)
        except (Unreadable, NetworkRefusal) as error:
            raise Refused(f"Событие MAX не читается. {error}") from error

    # -- sources -------------------------------------------------------------------------------------------

    def _vk_source(self, owner: int) -> Source:
        """The community in the register; one that nobody has entered is entered now: it is our own page."""
        for source in self._sources(Network.VK):
            if self._owner(source) == owner:
                return source
        address = f"club{-owner}"
        new = Source(
            id=f"vk:{address}", network=Network.VK, address=address, title=self._title(owner) or address,
            is_official=True,
        )  # fmt: skip
        self._means.desk.sources.add([new], actor=ACTOR, at=self._means.clock())
        return new

    def _max_source(self) -> Source:
        for source in self._sources(Network.MAX):
            if source.id == MAX_UPDATES:
                return source
        new = Source(id=MAX_UPDATES, network=Network.MAX, address="updates", title="MAX: события бота")
        self._means.desk.sources.add([new], actor=ACTOR, at=self._means.clock())
        return new

    def _sources(self, network: Network) -> list[Source]:
        return [source for source in self._means.desk.sources.list() if source.network is network]

    def _owner(self, source: Source) -> int | None:
        if match := re.fullmatch(r"(?:club|public|event|-)(\d+)", source.address):
            return -int(match[1])
        known = self._means.desk.cursors.get(source.id, "owner")  # a short name the crawler has resolved
        return int(known["owner_id"]) if known and "owner_id" in known else None

    def _title(self, owner: int) -> str:
        for page in self._means.desk.pages.list():
            if page.network is Network.VK and page_address(page.network, page.address) == str(owner):
                return page.title
        return ""

    def _note_fresh(self, source_id: str) -> None:
        """Long polling is off: the freshness of the bot's events is what the webhook brings."""
        now, health = self._means.clock(), self._means.desk.sources.health(source_id)
        if health.fresh_at is None or now - health.fresh_at >= HEALTH_EVERY:
            self._means.desk.sources.save_health(replace(health, fresh_at=now))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused("Тело события — не объект JSON.")
    return found


def _is_same(given: object, wanted: str) -> bool:
    """In constant time, whatever the network sent."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())


def _event_id(event: Mapping[str, Any], body: bytes) -> str:
    given = event.get("event_id")
    return given if isinstance(given, str) and 0 < len(given) <= 64 else _digest(body)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]
