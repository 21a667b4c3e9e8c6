"""An account that reads Telegram (MTProto through Telethon, extra `telegram`): sessions, calls, refusals.

`python -m crawlers.mtproto` logs in once and writes the session file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from crawlers.health import NoToken, Unreached
from crawlers.pages.base import NetworkRefusal, Reaction
from index.domain.post import Network
from index.errors import Misconfigured
from index.settings import Settings, read_settings

TIMEOUT = timedelta(seconds=20)  # of one call
EXTRA = "pip install 'mcu[telegram]'"

#: Errors of Telegram by the name of Telethon's class; FloodWait is handled apart, others are UNKNOWN.
REACTIONS: Mapping[str, Reaction] = {
    "AuthKeyDuplicatedError": Reaction.STOP_TOKEN,
    "AuthKeyUnregisteredError": Reaction.STOP_TOKEN,
    "ChannelInvalidError": Reaction.GONE,
    "ChannelPrivateError": Reaction.NO_ACCESS,
    "ChatAdminRequiredError": Reaction.NO_ACCESS,
    "MsgIdInvalidError": Reaction.GONE,  # of getReplies: the post has no discussion
    "PeerIdInvalidError": Reaction.GONE,
    "SessionExpiredError": Reaction.STOP_TOKEN,
    "SessionRevokedError": Reaction.STOP_TOKEN,
    "UserDeactivatedBanError": Reaction.STOP_TOKEN,
    "UserDeactivatedError": Reaction.STOP_TOKEN,
    "UsernameInvalidError": Reaction.GONE,
    "UsernameNotOccupiedError": Reaction.GONE,
}


class Client(Protocol):
    """What is used of `telethon.TelegramClient`; a call is `await client(request)`."""

    async def connect(self) -> None: ...

    async def is_user_authorized(self) -> bool: ...

    async def __call__(self, request: Any) -> Any: ...

    async def disconnect(self) -> None: ...


def is_wanted(settings: Settings) -> bool:
    """Whether channels are to be read by an account."""
    given = (settings.telegram_api_id, settings.telegram_api_hash, settings.telegram_session)
    return any(value is not None for value in given)


def open_client(settings: Settings) -> Client:
    """A client with the session of the file; nothing is asked of the network yet.

    The file is only read: processes may share it, and Telethon's own locks on it hold nobody up. Raises
    NoToken that says what is missing: a setting, the package, the file.
    """
    api_id, api_hash, path = _given(settings)
    if not path.is_file():
        raise NoToken("Telegram (MTProto): файла сеанса нет. Войдите: python -m crawlers.mtproto.")
    telethon, sessions = _telethon()
    import sqlite3

    try:
        stored = sessions.SQLiteSession(str(path.with_suffix("")))
        try:
            key = sessions.StringSession.save(stored)
        finally:
            stored.close()
    except (sqlite3.Error, ValueError, TypeError, OSError) as error:
        raise NoToken("Telegram (MTProto): файл сеанса не читается. Войдите заново.") from error
    if not key:
        raise NoToken("Telegram (MTProto): в файле нет входа. Войдите: python -m crawlers.mtproto.")
    client: Client = telethon.TelegramClient(
        sessions.StringSession(key), api_id, api_hash, flood_sleep_threshold=0, request_retries=1,
        connection_retries=1, receive_updates=False, proxy=_proxy(settings.proxy),
    )  # fmt: skip
    return client


def _given(settings: Settings) -> tuple[int, str, Any]:
    api_id, api_hash, path = settings.telegram_api_id, settings.telegram_api_hash, settings.telegram_session
    if api_id is None or api_hash is None or path is None:
        names = ("TELEGRAM_API_ID", "TELEGRAM_API_HASH", "TELEGRAM_SESSION")
        missing = [name for name, value in zip(names, (api_id, api_hash, path), strict=True) if value is None]
        raise NoToken(f"Telegram (MTProto): не задано {', '.join(missing)}.")
    number = api_id.get_secret_value()
    if not number.isdecimal():
        raise NoToken("Telegram (MTProto): TELEGRAM_API_ID — это число с my.telegram.org.")
    if path.suffix != ".session":
        raise NoToken("Telegram (MTProto): имя файла TELEGRAM_SESSION кончается на .session.")
    return int(number), api_hash.get_secret_value(), path


def _telethon() -> tuple[Any, Any]:
    try:
        import telethon
        from telethon import sessions
    except ImportError as error:
        raise NoToken(f"Telegram (MTProto): нет пакета Telethon. Поставьте: {EXTRA}.") from error
    return telethon, sessions


def _proxy(address: str | None) -> tuple[str, str, int] | None:
    if address is None:
        return None
    parts = urlsplit(address)
    if not parts.hostname or not parts.port:
        raise Misconfigured("Настройка PROXY неверна.", remedy="Нужен http://host:port.")
    return parts.scheme, parts.hostname, parts.port


async def ask(client: Client, request: Any, *, method: str) -> dict[str, Any]:
    """One call, its answer as plain values. Raises NetworkRefusal, Unreached; nothing is repeated here."""
    from telethon import errors

    try:
        answer = await asyncio.wait_for(client(request), TIMEOUT.total_seconds())
    except errors.FloodError as error:
        seconds = min(max(int(getattr(error, "seconds", 60)), 1), 7 * 86_400)
        raise _refusal(error, Reaction.SLOW_DOWN, method, after=timedelta(seconds=seconds)) from None
    except errors.RPCError as error:
        reaction = REACTIONS.get(type(error).__name__, Reaction.UNKNOWN)
        raise _refusal(error, reaction, method) from None
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise Unreached(f"Telegram (MTProto) не ответил ({type(error).__name__}).") from None
    given: dict[str, Any] = answer.to_dict()
    return given


def _refusal(
    error: Any, reaction: Reaction, method: str, *, after: timedelta | None = None
) -> NetworkRefusal:
    """Telethon's text may name the request with its peer: only the kind of the error is kept."""
    name = type(error).__name__
    said = f"подождать {int(after.total_seconds())} с" if after else name
    code = str(getattr(error, "code", "") or name)
    return NetworkRefusal(
        reaction, network=Network.TELEGRAM, code=code, message=said, method=method, after=after
    )


def login() -> None:  # pragma: no cover - asks a person for a phone and a code
    """Log in by phone and code and write the session file, readable by its owner only."""
    settings = read_settings()
    api_id, api_hash, path = _given(settings)
    telethon, _ = _telethon()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    with telethon.TelegramClient(
        str(path.with_suffix("")), api_id, api_hash, proxy=_proxy(settings.proxy)
    ) as client:
        client.start()


if __name__ == "__main__":  # pragma: no cover
    login()
