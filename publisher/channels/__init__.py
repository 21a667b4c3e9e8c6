"""Which channel a page speaks through, and with which keys: the only place that picks one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from pydantic import SecretStr

from index.domain.page import Page, PageMode, page_address
from index.domain.post import Network
from index.errors import Misconfigured, Refused
from index.pace import HasQuotas, Turns, limits
from index.settings import Settings
from publisher.channels.base import Channel, Limits, Photos
from publisher.channels.log import LogChannel
from publisher.channels.max import MaxChannel
from publisher.channels.ok import OkChannel
from publisher.channels.telegram import TelegramChannel
from publisher.channels.turns import KeyTurns
from publisher.channels.vk import VkChannel
from publisher.channels.wire import Wire

LIMITS: dict[Network, Limits] = {
    Network.VK: VkChannel.limits,
    Network.OK: OkChannel.limits,
    Network.TELEGRAM: TelegramChannel.limits,
    Network.MAX: MaxChannel.limits,
}


class HasMedia(HasQuotas, Protocol):
    """What a channel needs of the desk."""

    @property
    def media(self) -> Photos: ...


def _now() -> datetime:
    return datetime.now(UTC)


def channel_for(
    page: Page, settings: Settings, desk: HasMedia, clock: Callable[[], datetime] = _now
) -> Channel:
    """The channel of the page; a page in rehearsal never gets one that can send.

    Raises Refused for a network without official pages, Misconfigured for wrong settings.
    """
    if page.network not in LIMITS:
        raise Refused("На новостных сайтах страниц не ведут.", field="network")
    if page.mode is not PageMode.LIVE:
        folder = settings.data / "rehearsal"
        return LogChannel(page.network, LIMITS[page.network], folder, photos=desk.media)
    keys = page_keys(page, settings)
    turns = turns_of(settings, desk, clock)

    def of_key(key: str, limit: str, title: str) -> KeyTurns:
        return KeyTurns(turns=turns, network=page.network, key=key, limit=limit, title=title)

    match page.network:
        case Network.VK:
            return VkChannel(
                Wire(name="ВКонтакте"),
                settings.vk_api_url,
                keys=keys or _open(*settings.vk_tokens),
                reading_keys=_open(*settings.vk_tokens),
                photos=desk.media,
                turns=turns,
                clock=clock,
            )
        case Network.OK:
            token, _, secret = keys[0].partition("|") if keys else (_first(settings.ok_access_token), "", "")
            return OkChannel(
                Wire(name="Одноклассники"),
                settings.ok_api_url,
                application_key=_first(settings.ok_application_key),
                access_token=token,
                session_secret=secret or _first(settings.ok_session_secret),
                photos=desk.media,
                turns=of_key(token, "ok", "Одноклассники"),
            )
        case Network.TELEGRAM:
            bot = keys[0] if keys else _first(settings.telegram_bot_token)
            return TelegramChannel(
                Wire(name="Telegram", proxy=settings.proxy),
                settings.telegram_api_url,
                settings.telegram_web_url,
                bot_token=bot,
                photos=desk.media,
                turns=of_key(bot, "telegram:bot", "Telegram"),
                pages=turns,
            )
        case _:
            bot = keys[0] if keys else _first(settings.max_token)
            return MaxChannel(
                Wire(name="MAX", ca_file=settings.max_ca_file),
                settings.max_api_url,
                token=bot,
                photos=desk.media,
                turns=of_key(bot, "max", "MAX"),
            )


def turns_of(settings: Settings, desk: HasQuotas, clock: Callable[[], datetime]) -> Turns:
    """Turns of calls, shared with the crawlers through the desk: they and we may hold one token.

    A token that the crawlers have put aside for a person is tried all the same: it may be closed to what they
    ask (Long Poll, walls) and open to publishing. Raises Misconfigured (LIMITS).
    """
    return Turns(
        desk=desk,
        limits=limits(settings.limits),
        clock=clock,
        heeds_dead=False,
        counted_at_once=1,
    )


def page_keys(page: Page, settings: Settings) -> tuple[str, ...]:
    """The page's own keys in PAGE_TOKENS, in order; empty: it uses the network's.

    VK may have several, `|` between: the one that publishes first, then those for photos and reading.
    OK writes `access_token|session_secret`. Raises Misconfigured when an address there cannot be read.
    """
    wanted = page_address(page.network, page.address)
    for name, secret in settings.page_tokens.items():
        network, _, address = name.partition(":")
        if network != page.network.value:
            continue
        try:
            is_ours = page_address(page.network, address) == wanted
        except Refused as error:
            raise Misconfigured(f"PAGE_TOKENS, {name}: {error}") from error
        if is_ours:
            value = secret.get_secret_value()
            return tuple(value.split("|")) if page.network is Network.VK else (value,)
    return ()


class Channels:
    """Channels of many pages, made once and kept: connections and certificates are dear."""

    def __init__(self, settings: Settings, desk: HasMedia, clock: Callable[[], datetime] = _now) -> None:
        self._settings, self._desk, self._clock = settings, desk, clock
        self._made: dict[tuple[Network, str, PageMode], Channel] = {}
        self._lock = threading.Lock()

    def __call__(self, page: Page) -> Channel:
        """As `channel_for`. A page that changed its mode or address gets another one at once."""
        key = (page.network, page.address, page.mode)
        with self._lock:
            if key not in self._made:
                self._made[key] = channel_for(page, self._settings, self._desk, self._clock)
            return self._made[key]

    def close(self) -> None:
        with self._lock:
            for channel in self._made.values():
                channel.close()
            self._made.clear()


def _open(*secrets: SecretStr) -> tuple[str, ...]:
    return tuple(secret.get_secret_value() for secret in secrets)


def _first(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
