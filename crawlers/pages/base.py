"""What every page object shares: what it is given, what it gives, and what a network's refusal means.

A page object takes one answer of a network and gives what stands in it. It never fetches, keeps no
state, and one bad record never costs the others. Ids, one scheme for all networks:

* post      `vk:-1_23` · `ok:62190641299501` · `telegram:durov/142` · `max:<mid>` · `news:<hash of url>`
* comment   its post, `_r`, number of the comment: `vk:-1_23_r45` · `ok:<topic>_r<id>` · `max:<post>_r<mid>`
* VK boards, photos, videos, goods:  `vk:topic-1_5` and `vk:topic-1_5_r3`, `vk:photo-1_5_r3` …
* Telegram comments are messages of the discussion group, whatever way they came: `telegram:c<chat>/<message>`
* private Telegram channels have no name: `telegram:c<chat>/<message>` too
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from crawlers.pages.text import mask
from index.domain.post import AuthorKind, Network, Post, PostKind, Print, pseudonym
from index.domain.source import Source
from index.errors import ServiceError
from index.pace import next_midnight

RAW_CHARACTERS = 20_000  # of a record that could not be read, kept for the quarantine
HIDDEN = "~"  # before an author that is already a pseudonym, in raw records of the quarantine


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a page object has to know besides the answer."""

    secret: bytes  #: of the authors' pseudonyms
    fetched_at: datetime  #: aware; when the answer came
    source: Source | None = None  #: None: found by a search, or the answer speaks of several sources
    #: Registered sources by what the network calls them, for answers that speak of several: VK owner
    #: `-1`, OK group `53923499278353`, Telegram `c1006503122` or `durov`, MAX chat id, news host.
    known: Mapping[str, Source] = field(default_factory=dict)
    #: Prints that the index holds of records in the answer, by id: these are passed over while they stay the
    #: same. None: every record is read, and gets no print.
    kept: Mapping[str, Print] | None = None

    def source_for(self, *names: str | int) -> Source | None:
        """The source that was asked for, else the registered one with any of these names."""
        if self.source is not None:
            return self.source
        return next((self.known[str(name)] for name in names if str(name) in self.known), None)

    def author(self, network: Network, user_id: str | int) -> str:
        """Pseudonym of a person, community or channel; one that is already hidden stays as it is."""
        if isinstance(user_id, str) and user_id.startswith(HIDDEN):
            return user_id[1:]
        return _hidden_as(self.secret, network, user_id)


_hidden_as = lru_cache(maxsize=4_096)(pseudonym)  # a page speaks on its own wall all day


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A record that could not be read. `raw` is a whole little answer with this record alone, its
    authors hidden, so that the same page object can try it again once it is mended."""

    place: str  #: where it stood: `response.items[3]`
    reason: str  #: Russian
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A page of a network that a post names: the evidence from which new sources are proposed."""

    post_id: str
    network: Network
    address: str  #: as `sources.yaml` writes it: club1, durov, group/123, site.ru
    how: str  #: repost | mention | link | search (stands on its wall) | community (found by its name)
    title: str = ""  #: empty: the answer does not tell
    also: str = ""  #: another address of the same page
    about: str = ""  #: Russian, what else is known of it: «участников 1 240»


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """Replies to a comment that the answer holds only in part."""

    comment_id: str  #: number of the comment on the network
    replies: int  #: how many there are
    read: int  #: how many the answer held


@dataclass(frozen=True, slots=True, kw_only=True)
class Community:
    """A page, group, channel or site, as the network describes it. `number` is its id on the network."""

    network: Network
    address: str  #: as `sources.yaml` writes it
    number: str
    title: str
    description: str = ""
    members: int | None = None  #: None: the network does not tell
    is_closed: bool = False  #: only members read it
    is_gone: bool = False  #: deleted, or banned by the network


class Sight(NamedTuple):
    """That a post or comment stands in an answer."""

    id: str
    kind: PostKind
    published_at: datetime
    comments: int | None = None  #: None: the network does not tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What stood in one answer, in the order of the answer."""

    posts: tuple[Post, ...] = ()
    broken: tuple[Broken, ...] = ()
    same: tuple[Sight, ...] = ()  #: passed over: the index holds them in this very form
    gone: tuple[str, ...] = ()  #: ids of posts and comments that the network says are deleted
    next: str | None = None  #: token that asks for what follows; None: the end, or the answer is not paged
    total: int | None = None  #: how many there are in all; None: the network does not tell
    level_count: int | None = None  #: VK comments: how many of the top level; page by this one
    left_out: int = 0  #: seen and left out on purpose: service messages, what is not published yet
    pinned: frozenset[str] = frozenset()  #: ids of pinned posts: old ones on the first page
    threads: tuple[Thread, ...] = ()  #: threads that need a call of their own
    mentions: tuple[Mention, ...] = ()
    links: tuple[str, ...] = ()  #: addresses to fetch next: articles, parts of a sitemap
    roots: Mapping[str, str] = field(default_factory=dict)  #: Telegram: discussion thread -> id of the post
    communities: tuple[Community, ...] = ()  #: chats our bot was added to; `is_gone`: removed from
    preview_off: bool = False  #: Telegram: the channel shows no posts on the open web

    @property
    def sights(self) -> list[Sight]:
        """Everything that stands in the answer, read or passed over; in no order."""
        read = [Sight(post.id, post.kind, post.published_at, post.counters.comments) for post in self.posts]
        return [*self.same, *read]


class Reaction(StrEnum):
    """What the crawler has to do about a refusal."""

    RETRY = "retry"  #: the same call again, after `pauses`, at most `tries` times; then skip this cycle
    SLOW_DOWN = "slow_down"  #: the token or the host is too fast: wait `after`, then the same call
    FREEZE_METHOD = "freeze_method"  #: this method waits until `until`, the others go on
    RENEW = "renew"  #: get a new session or Long Poll key, then the same call
    STOP_TOKEN = "stop_token"  # noqa: S105 #: the token is dead: stop it, tell the administrator
    CAPTCHA = "captcha"  #: a person is needed: stop the token, tell the administrator
    NO_ACCESS = "no_access"  #: this source or post is closed to us: mark it, try again daily
    GONE = "gone"  #: it was deleted
    BLOCKED = "blocked"  #: the network took the source down or made it private: drop it
    BAD_REQUEST = "bad_request"  #: our parameters are wrong: switch the source off, show it
    UNKNOWN = "unknown"  #: a code nobody described: fail loudly, show the server's text


class NetworkRefusal(ServiceError):
    """The network answered, but not with what was asked. Never holds the token or the request."""

    def __init__(
        self,
        reaction: Reaction,
        *,
        network: Network,
        code: str,
        message: str,
        method: str | None = None,
        after: timedelta | None = None,
        until: datetime | None = None,
        pauses: Sequence[timedelta] = (),
        tries: int = 0,
        doubles: bool = False,
    ) -> None:
        where = f" ({method})" if method else ""
        super().__init__(f"{network.value}{where}: код {code}: {message}")
        self.reaction = reaction
        self.network = network
        self.code = code
        self.message = message  #: the server's text
        self.method = method
        self.after = after  #: shortest pause; None: the table names none
        self.until = until  #: FREEZE_METHOD only
        self.pauses = tuple(pauses)
        self.tries = tries
        self.doubles = doubles  #: each repeat of this refusal doubles the pause


class Unreadable(ServiceError):
    """The whole answer is not what the network promised: HTML instead of JSON, cut off, another layout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of a network's error table."""

    reaction: Reaction
    after: timedelta | None = None
    freeze: timedelta | None = None
    until_tomorrow: bool = False
    pauses: tuple[timedelta, ...] = ()
    tries: int = 0
    doubles: bool = False


def refuse(
    network: Network,
    rules: Mapping[str, Rule],
    *,
    code: str,
    message: str,
    now: datetime,
    method: str | None = None,
) -> NetworkRefusal:
    """The refusal that a code of the network's table means; a code that is not there is UNKNOWN."""
    rule = rules.get(code, Rule(reaction=Reaction.UNKNOWN))
    until = now + rule.freeze if rule.freeze else None
    if rule.until_tomorrow:
        until = next_midnight(now)
    return NetworkRefusal(
        rule.reaction,
        network=network,
        code=code,
        message=message,
        method=method,
        after=rule.after,
        until=until,
        pauses=rule.pauses,
        tries=rule.tries,
        doubles=rule.doubles,
    )


SERVER_TROUBLE = Rule(
    reaction=Reaction.RETRY,
    pauses=(timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=30)),
    tries=5,
)
STATUSES = {
    "401": Rule(reaction=Reaction.STOP_TOKEN),
    "403": Rule(reaction=Reaction.NO_ACCESS),
    "404": Rule(reaction=Reaction.GONE),
    "408": SERVER_TROUBLE,
    "410": Rule(reaction=Reaction.GONE),
    "425": SERVER_TROUBLE,
    "451": Rule(reaction=Reaction.BLOCKED),
}
LONGEST_PAUSE = timedelta(hours=1)  # a server may ask for more: then the source is simply due later


def check_status(network: Network, status: int, headers: Mapping[str, str], *, now: datetime) -> None:
    """Raises NetworkRefusal when an HTTP status alone says that there is no answer to read.

    2xx and 304 pass, and so does any status of a network that puts its own code into the body (the page
    object of that network looks there first). Header names are compared without case.
    """
    if 200 <= status < 300 or status == 304:
        return
    if status == 429:
        pause = retry_after(headers, now=now) or timedelta(seconds=30)
        raise NetworkRefusal(
            Reaction.SLOW_DOWN,
            network=network,
            code="http_429",
            message="слишком часто",
            after=pause,
            doubles=True,
        )
    rule = SERVER_TROUBLE if status >= 500 else STATUSES.get(str(status), Rule(reaction=Reaction.UNKNOWN))
    pause_asked = retry_after(headers, now=now)
    raise NetworkRefusal(
        rule.reaction,
        network=network,
        code=f"http_{status}",
        message=f"ответ HTTP {status}",
        after=pause_asked,
        pauses=rule.pauses,
        tries=rule.tries,
    )


def retry_after(headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """Pause that the header Retry-After asks for (seconds or a date), at most an hour; None: not asked."""
    value = next((text for name, text in headers.items() if name.lower() == "retry-after"), "").strip()
    if not value:
        return None
    if value.isdecimal():
        return min(timedelta(seconds=min(int(value), 86_400)), LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta()), LONGEST_PAUSE)


def read_json(body: str | bytes) -> Any:
    """JSON of an answer. Raises Unreadable that says what came instead."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        start = (body if isinstance(body, str) else body[:200].decode("utf-8", "replace")).lstrip(
            "\ufeff \r\n\t"
        )
        came = "HTML" if start.startswith("<") else "оборванный или чужой ответ"
        raise Unreadable(f"Вместо JSON пришёл {came}: {error.__class__.__name__}.") from None


class BadRecord(Exception):
    """Inside a page object: this record cannot be read; becomes a Broken, never leaves the module."""


def read_each(
    items: Iterable[Any],
    read: Callable[[Any], None],
    *,
    place: str,
    little_answer: Callable[[Any], Any],
    context: Context,
    network: Network,
) -> list[Broken]:
    """Read every record; those that fail come back as Broken, the rest goes on."""
    broken = []
    for number, item in enumerate(items):
        try:
            read(item)
        except BadRecord as error:
            raw = hidden_authors(little_answer(item), context, network)
            broken.append(Broken(place=f"{place}[{number}]", reason=str(error), raw=as_raw(raw)))
    return broken


def as_raw(answer: Any) -> str:
    """Text for the quarantine; lone surrogates, which no database takes, are written as escapes."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode()[:RAW_CHARACTERS]


NAMES = frozenset(
    "first_name last_name name author_name screen_name nickname username title photo photo_50 photo_100"
    " photo_200 avatar_url full_avatar_url signature author_signature phone_number vcard"
    " pic128x128 pic50x50 pic640x480".split()
)
NUMBERS = frozenset(
    "from_id signer_id created_by user_id deleter_id reply_to_user author_id author_ref owner_uid reply_to_id"
    " post_author_id admin_id authorUid authorSafeUid".split()
)
PEOPLE = frozenset("from sender user users profiles sender_chat_user author".split())


def hidden_authors(value: Any, context: Context, network: Network) -> Any:
    """The same JSON without names; numbers of persons become pseudonyms that page objects accept back."""
    if isinstance(value, Mapping):
        return {key: _hidden(str(key), part, context, network) for key, part in value.items()}
    if isinstance(value, list):
        return [hidden_authors(part, context, network) for part in value]
    return mask(value) if isinstance(value, str) and len(value) < 1_000_000 else value


def _hidden(key: str, value: Any, context: Context, network: Network) -> Any:
    if key in PEOPLE and isinstance(value, Mapping | list):
        return _nameless(value, context, network)
    if key in NUMBERS and _is_person(value):
        return HIDDEN + context.author(network, value)
    if isinstance(value, str) and re.fullmatch(r"[\w.:/=+-]{1,200}", value):
        return value  # ids, tokens of paging, file names: nothing to mask, and masking would spoil them
    return hidden_authors(value, context, network)


def _nameless(value: Any, context: Context, network: Network) -> Any:
    if isinstance(value, list):
        return [_nameless(part, context, network) for part in value]
    if not isinstance(value, Mapping):
        return value
    kept = {key: part for key, part in value.items() if key not in NAMES}
    for key in ("id", "user_id", "uid"):
        if key in kept and _is_person(kept[key]):
            kept[key] = HIDDEN + context.author(network, kept[key])
    return kept


def _is_person(value: Any) -> bool:
    """Communities of VK are negative, of OK `group:1`; anything else in an author's field is a person."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int):
        return value > 0
    return isinstance(value, str) and value != "" and not value.startswith(("-", "group:", HIDDEN))


def whole(value: Any) -> int | None:
    """A whole number, however the network wrote it (5, "5", 5.0); None: it is not one."""
    if type(value) is int:
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**63 else None
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,19}", value.strip()):
        return int(value)
    return None


def must(number: int | None, name: str) -> int:
    """Raises BadRecord that names the field."""
    if number is None:
        raise BadRecord(f"нет поля {name} или оно не число")
    return number


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_unix(value: Any, name: str = "date", *, unit: timedelta = timedelta(seconds=1)) -> datetime:
    """Aware UTC time from seconds (or `unit`s) since 1970. Raises BadRecord."""
    number = must(whole(value), name)
    try:
        moment = EPOCH + number * unit
    except OverflowError:
        raise BadRecord(f"поле {name}: такого времени нет") from None
    if not 1990 <= moment.year <= 9000:
        raise BadRecord(f"поле {name}: время вне разумных границ")
    return moment


def latest(posts: Iterable[Post]) -> tuple[Post, ...]:
    """Each post once, as the answer said it last: an event of edit may follow one of creation."""
    return tuple({post.id: post for post in posts}.values())


def title_of(source: Source | None, otherwise: str) -> str:
    return source.title if source is not None and source.title else otherwise


def voice(source: Source | None, *, is_community: bool, is_own: bool) -> AuthorKind:
    """Who speaks: a person, a community, or the official page itself on its own wall."""
    if not is_community:
        return AuthorKind.PERSON
    if is_own and source is not None and source.is_official:
        return AuthorKind.OFFICIAL
    return AuthorKind.COMMUNITY
