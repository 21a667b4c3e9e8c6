"""The seam to a network: what a page can take, one irreversible write, and reading back what became of it."""

from __future__ import annotations

import hashlib
import html
import io
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Protocol

import imagesize

from index.desk.media import mime_of
from index.domain.page import Page
from index.domain.post import Counters, Network
from index.domain.publication import Message
from index.errors import NeedsOperator, Refused

NEAR = 0.9  # share of equal letters from which two texts are the same to an officer's eye
SAME_TEXT_AROUND = timedelta(days=1)  # our clock may have jumped: an equal text this near is asked about


class Ability(StrEnum):
    POST = "post"  #: публиковать
    PHOTO = "photo"  #: прикладывать снимок
    COMMENT = "comment"  #: отвечать под записями
    FIND = "find"  #: читать страницу: сверка после сбоя
    FIGURES = "figures"  #: просмотры и отметки


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing a page can do with the keys it has."""

    ability: Ability
    is_on: bool
    why: str = ""  #: Russian: why it is off, or what could not be checked; empty when simply on


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What `check` found out by calls that change nothing."""

    title: str  #: title of the page as the network tells it, for the officer to compare; empty: not told
    found: tuple[Capability, ...]

    def can(self, ability: Ability) -> bool:
        return any(c.is_on for c in self.found if c.ability is ability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the network takes. Characters are counted as the network counts them, see `count`."""

    text_characters: int
    photo_text_characters: int  #: of a text that goes with a photo
    comment_characters: int
    photo_bytes: int
    photo_types: frozenset[str]  #: MIME
    photo_sides_pixels: int | None = None  #: width + height; None: no such limit
    photo_side_pixels: int | None = None  #: the longer side
    counts_utf16: bool = False  #: an emoji counts as two
    comment_links: bool = True

    def count(self, text: str) -> int:
        return len(text.encode("utf-16-le")) // 2 if self.counts_utf16 else len(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof that a message stands on the page. `remote_id` is its `Post.id` without the network."""

    remote_id: str
    url: str | None  #: None: the network gives this kind no address


class Photos(Protocol):
    """Where the bytes of photos are: the desk's media folder."""

    def open(self, sha256: str) -> bytes:
        """Raises NotFound."""


class Channel(Protocol):
    """One network as one page sees it. Safe to use from several threads."""

    network: Network
    limits: Limits
    proves_absence: bool  #: two empty reads of `find` mean that the message is not there
    pace: timedelta  #: between two writes to one page

    def check(self, page: Page) -> Capabilities:
        """What the page's keys can do, by reads alone; repeatable. Raises Unavailable, NeedsOperator."""

    def prepare(self, message: Message, page: Page) -> None:
        """Everything that can be known before approval: address, length, photo. Raises Refused."""

    def upload(self, page: Page, photo: str) -> str:
        """Give the network the photo (sha256) and get its token; may be repeated freely.

        An empty token: this network takes the photo with the message. Raises Unavailable, RetryLater,
        NeedsOperator, Rejected.
        """

    def send(self, page: Page, message: Message, *, upload: str | None, key: str) -> Receipt:
        """Publish by exactly one irreversible HTTP request, never repeated here.

        `key` is the same on every attempt of one delivery; a network that knows such keys gets it.
        Raises RetryLater, NeedsOperator, Rejected (all proven not sent), OutcomeUnknown.
        """

    def comment(self, page: Page, post_id: str, text: str, *, key: str) -> Receipt:
        """Answer under the post or comment `post_id` (a Post.id) in the page's name; as `send`."""

    def find(
        self, page: Page, message: Message, *, since: datetime, until: datetime, known: Collection[str] = ()
    ) -> Receipt | None:
        """The message on the page between the two moments, or None; a read, repeatable.

        `known` are remote ids and addresses of other deliveries: a text may rightly stand there twice.
        Raises Unavailable, and NeedsOperator when only a person can tell: the network cannot list, or
        something stands there that is nearly the message.
        """

    def figures(self, page: Page, remote_ids: Sequence[str]) -> Mapping[str, Counters]:
        """How far our posts have spread; posts the network says nothing of are left out.

        Raises Unavailable, NeedsOperator.
        """

    def url(self, page: Page, remote_id: str) -> str | None:
        """Permalink of a published post or comment."""

    def close(self) -> None:
        """Give back connections."""


# -- checks before approval ----------------------------------------------------------------------------------


def check_message(message: Message, limits: Limits, photos: Photos) -> None:
    """The part of `prepare` that is the same on every network. Raises Refused naming the field."""
    if not message.text.strip() and not message.photo:
        raise Refused("Текст пуст.", field="text")
    if message.reply_to is not None and message.photo:
        raise Refused("Ответ под записью идёт без снимка: уберите его.", field="photo")
    _check_length(message, limits)
    if message.photo:
        _check_photo(photos.open(message.photo), limits)


def _check_length(message: Message, limits: Limits) -> None:
    if message.reply_to is not None:
        allowed, what = limits.comment_characters, "ответа"
        if not limits.comment_links and re.search(r"https?://|www\.", message.text):
            raise Refused("В ответах этой сети нельзя давать ссылки: уберите ссылку.", field="text")
    elif message.photo:
        allowed, what = limits.photo_text_characters, "подписи к снимку"
    else:
        allowed, what = limits.text_characters, "текста"
    length = limits.count(message.text)
    if length > allowed:
        raise Refused(
            f"Длина {what} — {length} знаков, можно {allowed}: сократите на {length - allowed}.",
            field="text",
        )


def _check_photo(content: bytes, limits: Limits) -> None:
    if len(content) > limits.photo_bytes:
        allowed = limits.photo_bytes // 1_000_000
        raise Refused(f"Снимок больше {allowed} МБ: уменьшите его.", field="photo")
    mime = photo_type(content)
    if mime not in limits.photo_types:
        names = ", ".join(sorted(kind.removeprefix("image/").upper() for kind in limits.photo_types))
        raise Refused(f"Снимок не того вида: сеть принимает {names}.", field="photo")
    width, height = imagesize.get(io.BytesIO(content))
    if width <= 0 or height <= 0:
        raise Refused("Снимок повреждён: его размеры не читаются.", field="photo")
    if limits.photo_sides_pixels and width + height > limits.photo_sides_pixels:
        raise Refused(
            f"Ширина и высота снимка вместе больше {limits.photo_sides_pixels} точек.", field="photo"
        )
    if limits.photo_side_pixels and max(width, height) > limits.photo_side_pixels:
        raise Refused(f"Сторона снимка больше {limits.photo_side_pixels} точек.", field="photo")
    if max(width, height) > 20 * min(width, height):
        raise Refused("Снимок слишком узкий: стороны различаются больше чем в 20 раз.", field="photo")


def photo_type(content: bytes) -> str:
    """MIME type by the first bytes; `application/octet-stream` when it is none of the pictures we know."""
    return mime_of(content) or "application/octet-stream"


# -- addresses -----------------------------------------------------------------------------------------------


def post_path(network: Network, post_id: str) -> str:
    """`Post.id` without its network. Raises Refused when the post is of another network."""
    name, _, path = post_id.partition(":")
    if name != network.value or not path:
        raise Refused("Отвечать под записью можно только со страницы той же сети.", field="reply_to")
    return path


def send_key(delivery_id: str) -> str:
    """The same on every attempt of a delivery (hex, 64)."""
    return hashlib.sha256(delivery_id.encode()).hexdigest()


# -- reconciliation ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Something that stands on the page, written in the page's name."""

    remote_id: str
    text: str
    at: datetime
    photos: int | None  #: None: the network does not tell here
    url: str | None


def letters(text: str) -> str:
    """Letters and digits alone: networks change quotes, dashes, spaces, entities and emoji on the way."""
    plain = unicodedata.normalize("NFKC", html.unescape(re.sub(r"<br\s*/?>", "\n", text)))
    kept = "".join(c for c in plain.casefold() if c.isalnum())
    return kept or "".join(plain.split())  # a text of emoji alone is compared as it is


def pick(
    standing: Iterable[Standing],
    message: Message,
    *,
    since: datetime,
    until: datetime,
    known: Collection[str],
) -> Receipt | None:
    """The one that is our message, or None when nothing there could be it.

    Absence leads to a second send, so doubt is never absence. Raises NeedsOperator when something is nearly
    the message: an edited text, another photo, a time the attempt does not explain.
    """
    wanted, photos = letters(message.text), 1 if message.photo else 0
    doubtful: Standing | None = None
    for found in sorted(standing, key=lambda s: s.at):
        if found.remote_id in known or (found.url is not None and found.url in known):
            continue
        if not since - SAME_TEXT_AROUND <= found.at <= until + SAME_TEXT_AROUND:
            continue
        text = letters(found.text)
        in_time = since <= found.at <= until
        if in_time and text == wanted and found.photos in (None, photos):
            return Receipt(remote_id=found.remote_id, url=found.url)
        if text == wanted or (in_time and _is_near(text, wanted)):
            doubtful = doubtful or found
    if doubtful is not None:
        where = doubtful.url or doubtful.remote_id
        raise NeedsOperator(f"На странице стоит почти такая же запись: {where}. Решите, она ли это.")
    return None


def _is_near(one: str, other: str) -> bool:
    if not one or not other:
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.real_quick_ratio() >= NEAR and matcher.quick_ratio() >= NEAR and matcher.ratio() >= NEAR
