"""The world of the practice networks: communities, posts, comments, photos, in memory behind one lock."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from index.domain.post import Network

FIRST_NAMES = (
    "Анна",
    "Иван",
    "Ольга",
    "Пётр",
    "Елена",
    "Сергей",
    "Мария",
    "Андрей",
    "Нина",
    "Юрий",
    "Вера",
    "Олег",
)
LAST_NAMES = (
    "Бондаренко",
    "Черных",
    "Ткач",
    "Седых",
    "Коваль",
    "Лысенко",
    "Мороз",
    "Долгих",
    "Павленко",
    "Шульга",
    "Кравец",
)


#: Facts of what stands on a VK page beside its wall -> prefix of its id.
OFF_WALL = {"board": "topic", "film": "video", "picture": "photo"}


class Access(StrEnum):
    """Who may read a community."""

    OPEN = "open"  #: everybody
    CLOSED = "closed"  #: members only
    BLOCKED = "blocked"  #: closed by the network
    NO_PREVIEW = "no_preview"  #: Telegram: t.me/s is switched off, t.me itself answers


class Change(StrEnum):
    """What happened; long polls and update feeds of the networks are read from these."""

    POSTED = "posted"
    COMMENTED = "commented"
    EDITED = "edited"
    DELETED = "deleted"


@dataclass(slots=True, kw_only=True, eq=False)
class Author:
    """A person or, with `community`, a page that speaks for itself."""

    number: int
    name: str
    community: Community | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Photo:
    """A stored picture; `key` is its name in the /photos folder of the stand."""

    number: int
    key: str
    content: bytes
    mime: str
    width: int
    height: int
    alt: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Comment:
    """A text under a post; `parent` is the comment it answers."""

    id: str  #: as `Twin.say` gives it back
    number: int
    key: str  #: the network's own id where it is not the number: OK base64, MAX mid
    post: Entry
    author: Author
    text: str
    at: datetime
    parent: Comment | None = None
    likes: int = 0
    edited_at: datetime | None = None
    is_deleted: bool = False
    is_ours: bool = False  #: written through the network's API, not by `say`
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Comment:
        return self if self.parent is None else self.parent.root


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """A post on a wall, a topic, a channel message, an article. `more`: rarer facts (poll, link, geo)."""

    id: str
    number: int
    key: str
    community: Community
    author: Author
    text: str
    at: datetime
    photos: tuple[Photo, ...] = ()
    comments: list[Comment] = field(default_factory=list)
    likes: int = 0
    views: int = 0
    reposts: int = 0
    edited_at: datetime | None = None
    is_deleted: bool = False
    is_pinned: bool = False
    is_ours: bool = False
    publish_at: datetime | None = None  #: waits for its time; None: it stands
    origin: Entry | None = None  #: what it reposts or forwards
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def is_on_wall(self) -> bool:
        """Whether a reader of the wall sees it: no discussion, video or photo of VK."""
        return not any(self.more.get(fact) for fact in OFF_WALL)

    def live_comments(self) -> list[Comment]:
        return [comment for comment in self.comments if not comment.is_deleted]


@dataclass(slots=True, kw_only=True, eq=False)
class Community:
    """A wall, group, channel, chat or site. `number` is the positive id of the network."""

    network: Network
    address: str
    number: int
    title: str
    next_number: int
    access: Access = Access.OPEN
    members: int = 812
    comments_open: bool = True
    is_channel: bool = True  #: Telegram and MAX: a channel (True) or a chat
    layout: int = 2026  #: Telegram: year of the t.me/s layout
    discussion: Community | None = None  #: Telegram: the linked group where comments live
    channel: Community | None = None  #: Telegram: the channel whose discussion this group is
    has_bot: bool = True  #: Telegram and MAX: our bot is inside and may write
    entries: dict[int, Entry] = field(default_factory=dict)
    author: Author | None = None  #: the page itself as an author
    more: dict[str, Any] = field(default_factory=dict)

    def take_number(self) -> int:
        number, self.next_number = self.next_number, self.next_number + 1
        return number

    def standing(self, at: datetime) -> list[Entry]:
        """Posts a reader sees at that moment, newest first; a postponed post appears when its time comes."""
        seen = [
            e
            for e in self.entries.values()
            if not e.is_deleted and (e.publish_at is None or e.publish_at <= at)
        ]
        return sorted(seen, key=lambda e: (e.publish_at or e.at, e.number), reverse=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change, numbered from 1 over the whole world."""

    serial: int
    change: Change
    entry: Entry
    comment: Comment | None
    at: datetime


class World:
    """Everything that stands on the networks. Callers hold `lock` while they read or change it."""

    def __init__(self, *, first_number: int = 1) -> None:
        self.lock = threading.RLock()
        self.communities: dict[tuple[Network, str], Community] = {}
        self.authors: dict[tuple[Network, str], Author] = {}
        self.photos: dict[str, Photo] = {}
        self.found: dict[str, Entry | Comment] = {}
        self._events: list[Event] = []
        self._forgotten_events = 0  #: happened before this start of the stand
        self._first_number = first_number
        self.serial = 0

    def _next(self) -> int:
        self.serial += 1
        return self.serial

    def restore_counters(self, *, serial: int, newest_event: int) -> None:
        """Go on counting where a kept world stopped, so that nobody's place in the events is ahead of us."""
        self.serial, self._forgotten_events = serial, newest_event

    def clear(self) -> None:
        """Forget all that stands; numbers of communities begin anew, the numbers of events go on."""
        self._forgotten_events = self.newest_event
        for kept in (self.communities, self.authors, self.photos, self.found, self._events):
            kept.clear()

    @property
    def newest_event(self) -> int:
        return self._forgotten_events + len(self._events)

    def since(self, serial: int) -> list[Event]:
        """Events after that one, oldest first; those of before this start are gone."""
        return self._events[max(0, serial - self._forgotten_events) :]

    def community(self, network: Network, address: str, **facts: Any) -> Community:
        """The community of that address, made when it is new; `facts` overwrite what is known of it."""
        address = address.lstrip("@")
        known = self.communities.get((network, address))
        if known is None:
            number = facts.pop("number", None) or self._community_number(network, address)
            title = facts.pop("title", None) or address
            known = Community(
                network=network, address=address, number=number, title=title, next_number=self._first_number
            )
            known.author = Author(number=-number, name=title, community=known)
            self.communities[network, address] = known
        for name, value in facts.items():
            setattr(known, name, value)
        if "title" in facts and known.author is not None:
            known.author.name = known.title
        return known

    def _community_number(self, network: Network, address: str) -> int:
        digits = address.removeprefix("club").removeprefix("public").removeprefix("event").lstrip("-")
        return int(digits) if digits.isdigit() else 220_000_000 + self._next()

    def find(self, network: Network, address: str) -> Community | None:
        """By address or by number, as the networks let one ask."""
        address = address.lstrip("@")
        known = self.communities.get((network, address))
        if known is None and address.lstrip("-").isdigit():
            number = abs(int(address))
            known = next((c for c in self.of(network) if c.number == number), None)
        return known

    def of(self, network: Network) -> Iterator[Community]:
        return (community for (kind, _), community in self.communities.items() if kind is network)

    def author(self, network: Network, who: str | int | None) -> Author:
        """The same `who` is the same person within a network; None: somebody new."""
        key = f"new-{self._next()}" if who is None else str(who)
        known = self.authors.get((network, key))
        if known is None:
            number = 100_000_000 + len(self.authors) + 1
            if isinstance(who, int) or (who or "").isdigit() or who is None:
                name = f"{FIRST_NAMES[number % len(FIRST_NAMES)]} {LAST_NAMES[number % len(LAST_NAMES)]}"
            else:
                name = str(who)
            known = self.authors[network, key] = Author(number=number, name=name)
        return known

    def add_photo(self, content: bytes, *, mime: str, alt: str = "") -> Photo:
        number = 456_239_000 + self._next()
        width, height = picture_size(content)
        key = f"{number}.{mime.rpartition('/')[2] or 'jpeg'}"
        photo = Photo(number=number, key=key, content=content, mime=mime, width=width, height=height, alt=alt)
        self.photos[key] = photo
        return photo

    def write_post(
        self,
        community: Community,
        author: Author,
        text: str,
        at: datetime,
        *,
        number: int | None = None,
        **facts: Any,
    ) -> Entry:
        """A new post; `number` overrides the network's counter (ids above 2³¹ and the like)."""
        at = at.astimezone(UTC)
        number = community.take_number() if number is None else number
        key = entry_key(community, number)
        more = facts.get("more", {})
        kind = next((kind for fact, kind in OFF_WALL.items() if more.get(fact)), "")
        entry = Entry(
            id=f"{community.network.value}:{kind}{key}", number=number, key=key, community=community,
            author=author, text=text, at=at, **facts,
        )  # fmt: skip
        community.entries[number] = entry
        self.found[entry.id] = entry
        if community.discussion is not None:
            entry.more["forwarded_as"] = community.discussion.take_number()
        self.note(Change.POSTED, entry, None, at)
        return entry

    def write_comment(self, entry: Entry, author: Author, text: str, at: datetime, **facts: Any) -> Comment:
        """A new comment; on VK it takes its number from the wall, on Telegram from the linked group."""
        at = at.astimezone(UTC)
        if entry.community.network is Network.TELEGRAM and "forwarded_as" not in entry.more:
            self._link_group(entry)
        number = (entry.community.discussion or entry.community).take_number()
        key = comment_key(entry, number, at)
        comment = Comment(
            id=comment_id(entry, key),
            number=number,
            key=key,
            post=entry,
            author=author,
            text=text,
            at=at,
            **facts,
        )
        entry.comments.append(comment)
        self.found[comment.id] = comment
        self.note(Change.COMMENTED, entry, comment, at)
        return comment

    def _link_group(self, entry: Entry) -> None:
        """Comments under a channel need a linked group and the copy of the post in it."""
        channel = entry.community
        if channel.discussion is None:
            self.link(channel, self.community(Network.TELEGRAM, f"{channel.address}_chat", is_channel=False))
        entry.more["forwarded_as"] = channel.discussion.take_number() if channel.discussion else entry.number

    @staticmethod
    def link(channel: Community, group: Community) -> None:
        group.is_channel, group.channel, channel.discussion = False, channel, group

    def note(self, change: Change, entry: Entry, comment: Comment | None, at: datetime) -> None:
        event = Event(serial=self.newest_event + 1, change=change, entry=entry, comment=comment, at=at)
        self._events.append(event)


def entry_key(community: Community, number: int) -> str:
    """The network's own name of a post: -1_23 · 15000001… · durov/142 · mid.… · vesti/item/12."""
    match community.network:
        case Network.VK:
            return f"-{community.number}_{number}"
        case Network.OK:
            return f"15{community.number % 10**6:06d}{number:010d}"
        case Network.TELEGRAM:
            return f"{community.address}/{number}"
        case Network.MAX:
            return f"mid.{community.number & 0xFFFFFFFFFFFF:012x}{number:012x}"
        case Network.NEWS:
            return f"{community.address}/item/{number}"


def comment_key(entry: Entry, number: int, at: datetime) -> str:
    """The network's own name of a comment; OK hides the moment and the topic behind base64."""
    match entry.community.network:
        case Network.OK:
            moment = int(at.timestamp() * 1000)
            return base64.b64encode(f"{moment}:-{number}:{moment}:{entry.key}:1".encode()).decode()
        case Network.MAX:
            return f"mid.c{entry.community.number & 0xFFFFFFFFFFF:011x}{number:012x}"
        case Network.VK | Network.TELEGRAM | Network.NEWS:
            return str(number)


def comment_id(entry: Entry, key: str) -> str:
    """As the crawlers name it: the post, `_r`, the comment; on Telegram a message of the linked group."""
    group = entry.community.discussion
    if entry.community.network is Network.TELEGRAM and group is not None:
        return f"telegram:c{group.number}/{key}"
    return f"{entry.id}_r{key}"


def picture_size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG, GIF or JPEG; (0, 0) when the bytes are no such picture."""
    if content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content[:4] == b"GIF8" and len(content) >= 10:
        return int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    if content[:2] == b"\xff\xd8":
        return _jpeg_size(content)
    return 0, 0


def _jpeg_size(content: bytes) -> tuple[int, int]:
    place = 2
    while place + 9 < len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = content[place + 5 : place + 7], content[place + 7 : place + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        place += 2 + length
    return 0, 0
