"""A post: one text of one author on one network, as it was found in the open."""

from __future__ import annotations

import hashlib
import hmac
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Network(StrEnum):
    VK = "vk"  #: ВКонтакте
    OK = "ok"  #: Одноклассники
    TELEGRAM = "telegram"  #: Telegram
    MAX = "max"  #: MAX
    NEWS = "news"  #: news sites, feeds and other web pages


class PostKind(StrEnum):
    POST = "post"  #: starts a thread
    COMMENT = "comment"  #: stands under a post


class AuthorKind(StrEnum):
    PERSON = "person"  #: a private person
    COMMUNITY = "community"  #: a page, group or channel speaks for itself
    OFFICIAL = "official"  #: an official page of the district


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Something that hangs on a post: kept as metadata and text, never as a file."""

    kind: str  #: photo video link document poll audio sticker location article
    url: str | None = None  #: where the network shows it; None: the network does not tell
    title: str = ""  #: caption, question of a poll, title of a link
    text: str = ""  #: description, answers of a poll one a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """How far a post has spread; None: the network does not tell."""

    views: int | None = None
    likes: int | None = None
    reposts: int | None = None
    comments: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """Tells the raw record of a post that was read before, without reading it again."""

    record: str  #: of all but the counters, and of the parser that read it (hex)
    counters: str  #: of the counters alone (hex)
    at: datetime = field(compare=False)  #: when the counters were read


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One text of one author. `id` is unique over all networks: `vk:-1_23`, `telegram:durov/142`."""

    id: str
    network: Network
    kind: PostKind
    source: str  #: title of the page, group, channel or site
    author: str  #: pseudonym, see `pseudonym`; never a name
    published_at: datetime  #: aware
    text: str  #: as written; personal data masked, markup of the network resolved
    collected_at: datetime | None = None  #: aware; None: not stored yet
    source_id: str | None = None  #: id in the register of sources; None: came from a file
    source_home: str | None = None  #: settlement the source belongs to, canonical name
    author_kind: AuthorKind = AuthorKind.PERSON
    parent_id: str | None = None  #: post a comment stands under; None: a post
    reply_to_id: str | None = None  #: comment this one answers
    origin_id: str | None = None  #: first post of a chain of reposts or forwards
    url: str | None = None  #: permalink; None: the network has none
    attachments: tuple[Attachment, ...] = ()
    counters: Counters = Counters()
    is_edited: bool = False
    is_deleted: bool = False
    print: Print | None = field(default=None, compare=False)  #: None: read it again whenever it comes

    @property
    def content_hash(self) -> str:
        """Changes when the text or the attachments change; the same over networks and runs (hex, 32)."""
        parts = [self.text, *(f"{a.kind}\x1f{a.title}\x1f{a.text}" for a in self.attachments)]
        return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()[:32]

    @property
    def shard_key(self) -> int:
        """0..255, even over posts; the shards of `mcu analyse --shard` are ranges of it."""
        return zlib.crc32(self.id.encode()) & 0xFF


def pseudonym(secret: bytes, network: Network, user_id: str | int) -> str:
    """Author key that nobody can turn back without the secret (hex, 16): HMAC-SHA256 of network and id."""
    message = f"{network.value}:{user_id}".encode()
    return hmac.new(secret, message, hashlib.sha256).hexdigest()[:16]
