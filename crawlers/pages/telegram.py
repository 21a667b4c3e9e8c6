"""Telegram's open pages: t.me/s, both layouts, and the discussion widget -> posts and comments."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lxml import etree

from crawlers.pages.base import (
    BadRecord,
    Broken,
    Community,
    Context,
    Mention,
    Parsed,
    Sight,
    Unreadable,
    as_raw,
    title_of,
    voice,
    whole,
)
from crawlers.pages.html import Element, by_class, classes, is_inside, text_of, tree
from crawlers.pages.mentions import named
from crawlers.pages.prints import is_kept, print_of
from crawlers.pages.telegram_bot import check, update, updates
from crawlers.pages.text import mask, presentable
from index.domain.post import Attachment, Counters, Network, Post, PostKind, Print

__all__ = [
    "Discussion",
    "channel",
    "chat_of",
    "check",
    "discussion",
    "ids",
    "more_comments",
    "page",
    "update",
    "updates",
]

Found = dict[str, list[Element]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    """Comments of one post, and what asks t.me/api/method loadComments for more."""

    parsed: Parsed  #: oldest first; `next` is before_id for older ones
    request: Mapping[str, str]  #: peer, top_msg_id, discussion_hash; empty: there is no form
    api_url: str | None  #: with its api_hash; None: the page names none
    is_available: bool  #: False: the post has no open discussion
    after: str | None = None  #: after_id for newer ones


def page(html: str | bytes, context: Context) -> Parsed:
    """t.me/s/<channel>, both layouts, oldest first. `next` is the `before` of the older page.

    `preview_off` when the answer shows no history: then the channel is not empty, it is closed to the web.
    """
    reading = Reading(context=context)
    if context.kept is not None:
        html = reading.without_kept(html if isinstance(html, bytes) else html.encode("utf-8", "replace"))
    root = tree(html)
    messages = [one for one in _POSTS(root) if one.get("data-post") and _MESSAGE in classes(one)]
    if not messages:
        found = by_class(root)
        if "tgme_channel_history" not in found:
            if "tgme_page" in found or "tgme_page_title" in found:
                return Parsed(preview_off=True)
            raise Unreadable("Это не страница канала Telegram, или она оборвана.")
    for message in messages:
        reading.read(message, reading.post)
    return reading.parsed(next=_older(root))


def ids(html: bytes) -> list[str]:
    """Ids of the posts of a channel's page, as far as they can be told at a glance."""
    return [_id_of(found) for found in _DATA_POST.finditer(html)]


def _id_of(found: re.Match[bytes]) -> str:
    return f"telegram:{found[1].decode().lower()}/{int(found[2])}"


_DATA_POST = re.compile(rb'data-post="([A-Za-z][A-Za-z0-9_]{0,63})/([0-9]{1,12})"')
_WRAP = re.compile(rb'<div class="tgme_widget_message_wrap\b')
_DATE = re.compile(rb'tgme_widget_message_date"[^>]*>\s*<time datetime="([^"]{10,40})"')
_COUNTERS = re.compile(
    rb'<span class="tgme_widget_message_views">[^<]*|<div class="tgme_widget_message_reactions.*?</div>',
    re.DOTALL,
)
_PASSING = re.compile(  # tokens, addresses of pictures, votes: another at every visit, and never kept
    rb'data-view="[^"]*"|url\([^)]*\)|\bsrc="[^"]*"|(?:_option_percent|_message_voters)">[^<]*|width:[0-9.]+%'
)

_MESSAGE = "tgme_widget_message"
_POSTS = etree.XPath("descendant-or-self::*[@data-post]")


def channel(html: str | bytes, context: Context) -> Community | None:
    """Head of the same page; None: the page has none."""
    root = tree(html)
    found = by_class(root)
    heads = found.get("tgme_channel_info_header_username") or found.get("tgme_page_extra") or []
    name = next((match[1] for head in heads if (match := re.search(r"@(\w{4,32})", text_of(head)))), None)
    if name is None:
        return None
    views = [one for one in found.get("tgme_widget_message", ()) if one.get("data-view")]
    number = _chat_number(views[0]) if views else None
    return Community(
        network=Network.TELEGRAM,
        address=name.lower(),
        number=f"c{number}" if number else name.lower(),
        title=_line(_first(found, "tgme_channel_info_header_title", "tgme_page_title"))
        or " ".join(presentable(next(iter(root.xpath(_OG_TITLE)), "")).split())
        or name,
        description=_text(_first(found, "tgme_channel_info_description", "tgme_page_description")),
        members=_subscribers(found),
    )


_OG_TITLE = "//meta[@property='og:title']/@content"


def discussion(html: str | bytes, context: Context, *, post_id: str) -> Discussion:
    """t.me/<ch>/<id>?embed=1&discussion=1."""
    root = tree(html)
    found = by_class(root)
    error = _line(_first(found, "tgme_widget_message_error"))
    nothing = _line(_first(found, "tme_no_messages_found"))
    has_history = bool(
        {"tgme_post_discussion", "js-message_history", "tgme_post_discussion_header"} & found.keys()
    )
    if not (error or nothing or has_history):
        raise Unreadable("Это не страница обсуждения Telegram.")
    request = {
        name: value
        for name in ("peer", "top_msg_id", "discussion_hash")
        if (value := next(iter(root.xpath("//input[@name=$name]/@value", name=name)), ""))
    }
    reading = Reading(context=context, chat=chat_of(request.get("peer", "")), parent_id=post_id)
    reading.top = request.get("top_msg_id")
    reading.read_comments(found)
    is_closed = any(words in nothing.lower() for words in ("not available", "open telegram"))
    return Discussion(
        parsed=reading.parsed(
            next=_more(found, "data-before"), total=_number(_line(_first(found, "js-header")) or "")
        ),
        request=request,
        api_url=_api_url(root),
        is_available=not error and not is_closed,
        after=_more(found, "data-after"),
    )


def more_comments(answer: Any, context: Context, *, post_id: str, chat: str | None) -> Parsed:
    """t.me/api/method loadComments; `chat` is the number in `Discussion.request["peer"]`."""
    if not isinstance(answer, Mapping) or not isinstance(
        answer.get("comments_html", answer.get("error")), str
    ):
        raise Unreadable("Ответ loadComments не читается.")
    if "comments_html" not in answer:
        raise Unreadable(f"Telegram не дал комментарии: {presentable(answer['error'])[:200]}.")
    body = answer["comments_html"]
    total = whole(answer.get("comments_cnt"))
    if not body.strip():
        return Parsed(total=total)
    found = by_class(tree(body))
    reading = Reading(context=context, chat=chat, parent_id=post_id)
    reading.read_comments(found)
    return reading.parsed(next=_more(found, "data-before"), total=total)


def chat_of(peer: str) -> str | None:
    """Number of the discussion group in a peer: `c1322215945_45…` -> `1322215945`."""
    match = re.match(r"c([0-9]{1,19})(?:_|$)", peer)
    return match[1] if match else None


@dataclass(slots=True)
class Reading:
    """One page while it is read; collects what its messages give."""

    context: Context
    chat: str | None = None  # number of the discussion group
    parent_id: str = ""  # post the comments stand under
    top: str | None = None  # message of the group that carries the post
    posts: list[Post] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    same: list[Sight] = field(default_factory=list)
    prints: dict[str, Print] = field(default_factory=dict)  # of the messages that are read
    left_out: int = 0

    def parsed(self, **facts: Any) -> Parsed:
        return Parsed(
            posts=tuple(self.posts),
            broken=tuple(self.broken),
            same=tuple(self.same),
            mentions=tuple(self.mentions),
            left_out=self.left_out,
            **facts,
        )

    def without_kept(self, html: bytes) -> bytes:
        """The page without the messages that the index holds as they are: no tree is made of those."""
        starts = [found.start() for found in _WRAP.finditer(html)]
        if not starts:
            return html
        stop = html.find(b"</section>", starts[-1])
        left, at = [], 0
        for start, end in zip(starts, [*starts[1:], stop], strict=True):
            if end > start and self._is_kept(html[start:end]):
                left.append(html[at:start])
                at = end
        return b"".join([*left, html[at:]])

    def _is_kept(self, block: bytes) -> bool:
        named_as, dated = _DATA_POST.search(block), _DATE.search(block)
        if named_as is None or dated is None:
            return False
        post_id = _id_of(named_as)
        record = _PASSING.sub(b"", _COUNTERS.sub(b"", block))
        counters = _PASSING.sub(b"", b"".join(_COUNTERS.findall(block)))
        self.prints[post_id] = print_ = print_of(record, counters, self.context)
        try:
            published_at = _moment(dated[1].decode("ascii", "replace"))
        except BadRecord:
            return False
        if not is_kept(post_id, print_, published_at, self.context):
            return False
        self.same.append(Sight(post_id, PostKind.POST, published_at))
        return True

    def read(self, message: Element, read: Any) -> None:
        try:
            read(message)
        except BadRecord as error:
            place = f"data-post={message.get('data-post') or message.get('data-post-id')}"
            self.broken.append(Broken(place=place[:100], reason=str(error), raw=self._raw(message)))

    def _raw(self, message: Element) -> str:
        """A little page with this message alone, which reads as this one did."""
        if not self.parent_id:
            return as_raw(f'<section class="tgme_channel_history">{_nameless(message)}</section>')
        link = f'<a href="https://t.me/{self.parent_id.removeprefix("telegram:")}">this post</a>'
        peer = f'<input type="hidden" name="peer" value="c{self.chat}_0"/>' if self.chat else ""
        return as_raw(f'<div class="tgme_post_discussion">{link}{peer}{_nameless(message)}</div>')

    def read_comments(self, found: Found) -> None:
        for message in found.get("tgme_widget_message", ()):
            if message.get("data-post-id"):
                self.read(message, self.comment)

    def post(self, message: Element) -> None:
        """One message of a channel's page."""
        if "service_message" in classes(message):
            self.left_out += 1
            return
        name, number = _address(message.get("data-post") or "")
        found = by_class(message)
        post_id = f"telegram:{name}/{number}"
        chat = _chat_number(message)
        source = self.context.source_for(f"c{chat}", name)
        forwarded = _first(found, "tgme_widget_message_forwarded_from_name")
        text, raw = _message_text(found, message)
        attachments = _attachments(found, message, f"https://t.me/{name}/{number}")
        self._note(post_id, raw, attachments, own=name)
        origin = self._origin(forwarded, post_id, own=name)
        self.posts.append(
            Post(
                id=post_id,
                network=Network.TELEGRAM,
                kind=PostKind.POST,
                source=(source.title if source is not None else "") or _owner(found) or name,
                source_id=source.id if source else None,
                source_home=source.home if source else None,
                author=self.context.author(Network.TELEGRAM, f"c{chat}" if chat else name),
                author_kind=voice(source, is_community=True, is_own=True),
                published_at=_time(found, message),
                collected_at=self.context.fetched_at,
                text=text,
                reply_to_id=_replied(found, name),
                origin_id=origin,
                url=f"https://t.me/{name}/{number}",
                attachments=attachments,
                counters=Counters(views=_views(found), likes=_reactions(found)),
                is_edited=_is_edited(found),
                print=self.prints.get(post_id),
            )
        )

    def comment(self, message: Element) -> None:
        """One message of the discussion widget."""
        number = whole(message.get("data-post-id"))
        if number is None:
            raise BadRecord("data-post-id не число")
        found = by_class(message)
        channel_name, _, post_number = self.parent_id.removeprefix("telegram:").partition("/")
        comment_id = f"telegram:c{self.chat}/{number}" if self.chat else f"{self.parent_id}_r{number}"
        text, raw = _message_text(found, message)
        url = f"https://t.me/{channel_name}/{post_number}?comment={number}"
        attachments = _attachments(found, message, url)
        self._note(comment_id, raw, attachments, own=channel_name)
        speaker, is_channel = _speaker(found, message, channel_name)
        source = self.context.source_for(channel_name)
        self.posts.append(
            Post(
                id=comment_id,
                network=Network.TELEGRAM,
                kind=PostKind.COMMENT,
                source=title_of(source, channel_name),
                source_id=source.id if source else None,
                source_home=source.home if source else None,
                author=self.context.author(Network.TELEGRAM, speaker),
                author_kind=voice(source, is_community=is_channel, is_own=is_channel),
                published_at=_time(found, message),
                collected_at=self.context.fetched_at,
                text=text,
                parent_id=self.parent_id,
                reply_to_id=self._over(found, comment_id),
                url=url,
                attachments=attachments,
                counters=Counters(likes=_reactions(found)),
                is_edited=_is_edited(found),
            )
        )

    def _over(self, found: Found, comment_id: str) -> str | None:
        replied = _first(found, "js-reply_to", "tgme_widget_message_reply")
        number = whole(replied.get("data-reply-to")) if replied is not None else None
        if number is None or str(number) == self.top:
            return None
        prefix = comment_id.rpartition("/" if self.chat else "_r")[0]
        return f"{prefix}{'/' if self.chat else '_r'}{number}"

    def _note(self, post_id: str, raw: str, attachments: tuple[Attachment, ...], *, own: str) -> None:
        links = " ".join([raw, *(each.url for each in attachments if each.kind == "link" and each.url)])
        self.mentions += named(links, post_id=post_id, own=own)

    def _origin(self, forwarded: Element | None, post_id: str, *, own: str) -> str | None:
        if forwarded is None:
            return None
        match = _MESSAGE_LINK.match(forwarded.get("href") or "")
        if match is None:
            return None  # a person, or a channel that hides itself
        name = match[1].lower()
        if name != own:
            mention = Mention(
                post_id=post_id,
                network=Network.TELEGRAM,
                address=name,
                how="repost",
                title=_line(forwarded) if match[2] else "",
            )
            self.mentions.append(mention)
        return f"telegram:{name}/{match[2]}" if match[2] else None


_MESSAGE_LINK = re.compile(
    r"https?://t(?:elegram)?\.me/(?:s/)?([A-Za-z]\w{2,31})(?:/([0-9]{1,12}))?(?:[/?#]|$)"
)


def _first(found: Found, *names: str) -> Element | None:
    for name in names:
        if elements := found.get(name):
            return elements[0]
    return None


def _address(data_post: str) -> tuple[str, int]:
    match = re.fullmatch(r"([A-Za-z]\w{0,63})/([0-9]{1,12})", data_post)
    if match is None:
        raise BadRecord("data-post не вида канал/номер")
    return match[1].lower(), int(match[2])


def _chat_number(message: Element) -> str | None:
    """Number of the channel in data-view, base64url of {"c":-1006503122,"p":508,…}; it outlives renames."""
    view = message.get("data-view") or ""
    try:
        about = json.loads(base64.urlsafe_b64decode(view + "=" * (-len(view) % 4)))
    except (ValueError, RecursionError):
        return None
    number = whole(about.get("c")) if isinstance(about, dict) else None
    return str(abs(number)) if number else None


def _message_text(found: Found, message: Element) -> tuple[str, str]:
    """Text of a message, and the same with its links written out. Albums nest two texts: the innermost
    is the text; a quoted reply and the «open Telegram» stub are none."""
    marked = (*found.get("tgme_widget_message_text", ()), *found.get("js-message_text", ()))
    blocks = [
        block
        for block in dict.fromkeys(marked)  # most have both names
        if "js-message_reply_text" not in classes(block)
        and not is_inside(block, "media_not_supported_cont", "tgme_widget_message_reply", stop=message)
    ]
    if len(blocks) > 1:
        blocks.sort(key=lambda one: -sum(1 for _ in one.iterancestors()))
    for block in blocks:
        if text := text_of(block):
            links = [link.get("href") or "" for link in block.iter("a")]
            return presentable(text), " ".join([text, *links])
    return "", ""


def _time(found: Found, message: Element) -> datetime:
    """A time without datetime is the length of a video."""
    own = [time for date in found.get("tgme_widget_message_date", ()) for time in date.iter("time")]
    dated = [at for time in own or message.iter("time") if (at := time.get("datetime"))]
    if not dated:
        raise BadRecord("нет даты")
    return _moment(dated[-1])


def _moment(written: str) -> datetime:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise BadRecord("дата не читается") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 2010 <= moment.year <= 9000:
        raise BadRecord("дата вне разумных границ")
    return moment.astimezone(UTC)


def _views(found: Found) -> int | None:
    views = _first(found, "tgme_widget_message_views")
    return _number((views.text or "").strip() if views is not None and len(views) == 0 else _line(views))


_SHORT_NUMBER = re.compile(r"([0-9][0-9\s,]*(?:\.[0-9]+)?)\s*([KMBТ]?)", re.IGNORECASE)
_BETWEEN_DIGITS = re.compile(r"[\s,]")
_SCALE = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}


def _number(text: str) -> int | None:
    """`92`, `1.2K`, `3.42M`, `1 234`; Telegram rounds what it shortens."""
    if text.isdecimal() and text.isascii() and len(text) <= 15:
        return int(text)
    match = _SHORT_NUMBER.match(text)
    if match is None:
        return None
    digits = _BETWEEN_DIGITS.sub("", match[1])[:15]
    return round(float(digits) * _SCALE.get(match[2].upper(), 1))


def _reactions(found: Found) -> int | None:
    """Sum of the reactions (of rounded numbers); paid stars are money, not people."""
    counted = [
        number
        for reaction in found.get("tgme_reaction", ())
        if "tgme_reaction_paid" not in classes(reaction)
        and (number := _number(_own_text(reaction))) is not None
    ]
    return sum(counted) if counted else None


def _own_text(element: Element) -> str:
    if len(element) == 1 and not element.text:  # nearly every reaction: a picture, then its number
        return (element[0].tail or "").strip()
    return " ".join([element.text or "", *(child.tail or "" for child in element)]).strip()


def _is_edited(found: Found) -> bool:
    mark = _first(found, "tgme_widget_message_meta")
    if mark is None or not any(word in text_of(mark).lower() for word in _EDITED):
        return False
    meta = _line(mark).lower()
    author = _line(_first(found, "tgme_widget_message_from_author")).lower()
    return any(word in meta.replace(author, "", 1) for word in _EDITED)


_EDITED = ("edited", "изменено")


def _owner(found: Found) -> str:
    return _line(_first(found, "tgme_widget_message_owner_name"))


def _replied(found: Found, name: str) -> str | None:
    reply = _first(found, "tgme_widget_message_reply")
    match = _MESSAGE_LINK.match(reply.get("href") or "") if reply is not None else None
    return f"telegram:{match[1].lower()}/{match[2]}" if match and match[2] else None


def _speaker(found: Found, message: Element, channel_name: str) -> tuple[str, bool]:
    """Key of a comment's author: the account's name, else the shown name; and whether the channel speaks."""
    for author in found.get("tgme_widget_message_author_name", ()):
        if is_inside(author, "tgme_widget_message_reply", "js-reply_to", stop=message):
            continue
        match = _MESSAGE_LINK.match(author.get("href") or "")
        if match:
            name = match[1].lower()
            return f"@{name}", name == channel_name
        return f"name:{_line(author)}", False
    raise BadRecord("нет автора")


def _attachments(found: Found, message: Element, url: str) -> tuple[Attachment, ...]:
    """In order of the message; pictures are kept as links to where Telegram shows them."""
    media = [
        (element, kind)
        for name, kind in _MEDIA.items()
        for element in found.get(name, ())
        if not is_inside(element, "tgme_widget_message_reply", stop=message)
    ]
    if len(media) > 1:
        places = {element: place for place, element in enumerate(message.iter())}
        media.sort(key=lambda one: places[one[0]])
    return tuple(_attachment(kind, element, url) for element, kind in media)


_MEDIA = {
    "tgme_widget_message_photo_wrap": "photo",
    "tgme_widget_message_video_player": "video",
    "tgme_widget_message_roundvideo_player": "video",
    "tgme_widget_message_voice_player": "audio",
    "tgme_widget_message_document_wrap": "document",
    "tgme_widget_message_sticker_wrap": "sticker",
    "tgme_widget_message_location_wrap": "location",
    "tgme_widget_message_link_preview": "link",
    "tgme_widget_message_poll": "poll",
    "tgme_widget_message_contact": "contact",
}


def _attachment(kind: str, element: Element, url: str) -> Attachment:
    inner = by_class(element) if kind in ("document", "link", "poll", "location") else {}
    href = element.get("href") or ""
    href = href[:2000] if href.startswith(("http://", "https://")) else url
    match kind:
        case "document":
            icon = _first(inner, "tgme_widget_message_document_icon")
            is_audio = icon is not None and "audio" in classes(icon)
            return Attachment(
                kind="audio" if is_audio else "document",
                url=href,
                title=_line(_first(inner, "tgme_widget_message_document_title")),
                text=_line(_first(inner, "tgme_widget_message_document_extra")),
            )
        case "link":
            return Attachment(
                kind="link",
                url=href,
                title=_line(_first(inner, "link_preview_title", "link_preview_site_name")),
                text=_text(_first(inner, "link_preview_description")),
            )
        case "poll":
            options = [_line(one) for one in inner.get("tgme_widget_message_poll_option_text", ())]
            return Attachment(
                kind="poll",
                url=url,
                title=_line(_first(inner, "tgme_widget_message_poll_question")),
                text="\n".join(filter(None, options)),
            )
        case "location":
            place = parse_qs(urlsplit(href).query).get("q", [""])[0]
            return Attachment(
                kind="location",
                url=href,
                title=_line(_first(inner, "tgme_widget_message_location_title")),
                text=place.replace(",", " ") if re.fullmatch(r"[-0-9., ]{3,60}", place) else "",
            )
        case "sticker" | "contact":
            return Attachment(kind=kind)
        case _:
            return Attachment(kind=kind, url=href)


def _text(element: Element | None) -> str:
    return presentable(text_of(element)) if element is not None else ""


def _line(element: Element | None) -> str:
    return " ".join(_text(element).split())


def _older(root: Element) -> str | None:
    """`before` of the older page: link rel=prev, else the «more» button; neither: the channel's start."""
    for link in root.iter("link"):
        if (link.get("rel") or "").lower() == "prev":
            before = parse_qs(urlsplit(link.get("href") or "").query).get("before", [""])[0]
            if before.isdecimal():
                return before
    return _more(by_class(root), "data-before")


def _more(found: Found, attribute: str) -> str | None:
    values = [more.get(attribute) or "" for more in found.get("js-messages_more", ())]
    return next((value for value in values if value.isdecimal()), None)


def _subscribers(found: Found) -> int | None:
    for counter in found.get("tgme_channel_info_counter", ()):
        inner = by_class(counter)
        if _line(_first(inner, "counter_type")).lower().startswith(("subscriber", "member", "подписчик")):
            return _number(_line(_first(inner, "counter_value")))
    match = re.match(r"([0-9][0-9\s]*) (?:subscriber|member)", _line(_first(found, "tgme_page_extra")))
    return _number(match[1]) if match else None


def _api_url(root: Element) -> str | None:
    """Address of loadComments in the script of the widget: TWidgetAuth.init({"api_url":"https:…"})."""
    for script in root.iter("script"):
        match = re.search(r'"api_url"\s*:\s*("(?:[^"\\]|\\.){1,300}")', script.text or "")
        if match:
            try:
                return str(json.loads(match[1]))
            except ValueError:
                return None
    return None


_NAMED = frozenset(
    "tgme_widget_message_from_author tgme_widget_message_author_name tgme_widget_message_user"
    " tgme_widget_message_forwarded_from_name".split()
)


def _nameless(message: Element) -> str:
    """Markup of a message without names of people."""
    kept = copy.deepcopy(message)
    kept.tail = None
    for element in list(kept.iter()):
        if isinstance(element.tag, str) and not _NAMED.isdisjoint(classes(element)):
            for child in list(element):
                element.remove(child)
            element.text = ""
            element.attrib.pop("href", None)
    return mask(etree.tostring(kept, encoding="unicode", method="html"))
