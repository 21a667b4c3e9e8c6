"""Telegram as an account reads it (MTProto, `to_dict` of Telethon): the records of t.me/s and more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from crawlers.pages.base import (
    BadRecord,
    Broken,
    Context,
    Mention,
    Parsed,
    Unreadable,
    must,
    read_each,
    title_of,
    voice,
    whole,
)
from crawlers.pages.mentions import named
from crawlers.pages.text import presentable, without_spans
from index.domain.post import Attachment, Counters, Network, Post, PostKind

Answer = Mapping[str, Any]


def history(answer: Answer, context: Context, *, channel: str, asked: int) -> Parsed:
    """One answer of messages.getHistory, newest first; parts of an album are one post.

    `next` is the `offset_id` of older ones: an album that the page may cut through is left to the next page.
    `asked` is how many messages were asked for.
    """
    items = _messages(answer)
    kept = _whole_albums(items) if len(items) >= asked else items
    reading = Reading(answer=answer, context=context, channel=channel.lower())
    reading.read(kept, reading.post)
    return reading.parsed(next=_oldest(kept) if len(items) >= asked else None)


def replies(answer: Answer, context: Context, *, post_id: str, asked: int) -> Parsed:
    """One answer of messages.getReplies under our `post_id`, newest first; `next` as of `history`."""
    items = _messages(answer)
    channel = post_id.removeprefix("telegram:").partition("/")[0]
    reading = Reading(answer=answer, context=context, channel=channel, parent_id=post_id)
    reading.read(items, reading.comment)
    total = whole(answer.get("count"))
    return reading.parsed(next=_oldest(items) if len(items) >= asked else None, total=total)


def _messages(answer: Answer) -> list[Any]:
    items = answer.get("messages") if isinstance(answer, Mapping) else None
    if not isinstance(items, list):
        raise Unreadable("В ответе Telegram (MTProto) нет списка messages.")
    return items


def _oldest(items: Sequence[Any]) -> str | None:
    numbers = [n for one in items if isinstance(one, Mapping) and (n := whole(one.get("id"))) is not None]
    return str(min(numbers)) if numbers else None


def _whole_albums(items: list[Any]) -> list[Any]:
    """Without the parts of the oldest album; a page that is one album alone is taken as it is."""
    album = items[-1].get("grouped_id") if items and isinstance(items[-1], Mapping) else None
    if album is None:
        return items
    kept = [one for one in items if not isinstance(one, Mapping) or one.get("grouped_id") != album]
    return kept or items


@dataclass(slots=True)
class Reading:
    """One answer while it is read."""

    answer: Answer
    context: Context
    channel: str  #: name, lower case
    parent_id: str = ""  #: post the comments stand under
    posts: dict[str, Post] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    left_out: int = 0
    albums: dict[int, str] = field(default_factory=dict)

    def read(self, items: Iterable[Any], read: Any) -> None:
        facts = {"channel": self.channel, "parent": self.parent_id, "chats": self._chats()}
        self.broken += read_each(
            items, read, place="messages", context=self.context, network=Network.TELEGRAM,
            little_answer=lambda one: {"_": KIND, "messages": [one], **facts},
        )  # fmt: skip

    def parsed(self, **facts: Any) -> Parsed:
        return Parsed(
            posts=tuple(self.posts.values()),
            broken=tuple(self.broken),
            mentions=tuple(self.mentions),
            left_out=self.left_out,
            **facts,
        )

    def post(self, message: Any) -> None:
        """One message of the channel."""
        if self._is_no_message(message):
            return
        number = must(whole(message.get("id")), "id")
        chat = _peer(message.get("peer_id"))
        post_id, url = f"telegram:{self.channel}/{number}", f"https://t.me/{self.channel}/{number}"
        source = self.context.source_for(chat, self.channel)
        self._add(
            message,
            Post(
                id=post_id,
                network=Network.TELEGRAM,
                kind=PostKind.POST,
                source=title_of(source, self._title(chat) or self.channel),
                source_id=source.id if source else None,
                source_home=source.home if source else None,
                author=self.context.author(Network.TELEGRAM, chat or self.channel),
                author_kind=voice(source, is_community=True, is_own=True),
                published_at=_moment(message.get("date")),
                collected_at=self.context.fetched_at,
                text=self._text(message, post_id),
                reply_to_id=self._replied(message, f"telegram:{self.channel}"),
                origin_id=self._origin(message, post_id, own=chat),
                url=url,
                attachments=tuple(_attachments(message.get("media"), url)),
                counters=_counters(message),
                is_edited=_is_edited(message),
            ),
        )

    def comment(self, message: Any) -> None:
        """One message of the discussion group."""
        if self._is_no_message(message):
            return
        number = must(whole(message.get("id")), "id")
        group = _peer(message.get("peer_id"))
        if not group.startswith("c"):
            raise BadRecord("комментарий не в группе")
        comment_id = f"telegram:{group}/{number}"
        url = f"https://t.me/{self.parent_id.removeprefix('telegram:')}?comment={number}"
        speaker = _peer(message.get("from_id")) or group  # an administrator who hides himself
        source = self.context.source_for(self.channel)
        is_community = speaker.startswith("c")
        self._add(
            message,
            Post(
                id=comment_id,
                network=Network.TELEGRAM,
                kind=PostKind.COMMENT,
                source=title_of(source, self.channel),
                source_id=source.id if source else None,
                source_home=source.home if source else None,
                author=self.context.author(Network.TELEGRAM, speaker),
                author_kind=voice(source, is_community=is_community, is_own=self._is_own(speaker, group)),
                published_at=_moment(message.get("date")),
                collected_at=self.context.fetched_at,
                text=self._text(message, comment_id),
                parent_id=self.parent_id,
                reply_to_id=self._replied(message, f"telegram:{group}", in_thread=True),
                url=url,
                attachments=tuple(_attachments(message.get("media"), url)),
                counters=Counters(likes=_likes(message)),
                is_edited=_is_edited(message),
            ),
        )

    def _is_no_message(self, message: Any) -> bool:
        if not isinstance(message, Mapping):
            raise BadRecord("сообщение — не объект")
        if message.get("_") in ("MessageService", "MessageEmpty"):
            self.left_out += 1
            return True
        return False

    def _add(self, message: Answer, post: Post) -> None:
        """A part of an album joins the others; the post is known by the number of the first part."""
        album = whole(message.get("grouped_id"))
        known = self.posts.pop(self.albums.get(album, ""), None) if album is not None else None
        if known is not None:
            first, later = sorted((known, post), key=lambda one: int(one.id.rpartition("/")[2]))
            post = replace(
                first,
                text=first.text or later.text,
                attachments=first.attachments + later.attachments,
                counters=later.counters if first.counters == Counters() else first.counters,
                is_edited=first.is_edited or later.is_edited,
            )
        if album is not None:
            self.albums[album] = post.id
        self.posts[post.id] = post

    def _text(self, message: Answer, post_id: str) -> str:
        raw = message.get("message") or ""
        if not isinstance(raw, str):
            raise BadRecord("поле message не строка")
        listed = [one for one in message.get("entities") or () if isinstance(one, Mapping)]
        links = " ".join(one["url"] for one in listed if isinstance(one.get("url"), str))
        at = " ".join(
            f"https://t.me/{_span(raw, one).removeprefix('@')}"
            for one in listed
            if one.get("_") == "MessageEntityMention"
        )
        self.mentions += named(f"{raw} {links} {at}", post_id=post_id, own=self.channel)
        people = [one for one in listed if one.get("_") in _PEOPLE]
        spans = [(whole(one.get("offset")) or 0, whole(one.get("length")) or 0) for one in people]
        return presentable(without_spans(raw, spans))

    def _replied(self, message: Answer, prefix: str, *, in_thread: bool = False) -> str | None:
        header = message.get("reply_to")
        number = whole(header.get("reply_to_msg_id")) if isinstance(header, Mapping) else None
        if number is None or header is None:
            return None
        top = whole(header.get("reply_to_top_id"))
        if in_thread and top in (None, number):
            return None  # it answers the post itself
        return f"{prefix}/{number}"

    def _origin(self, message: Answer, post_id: str, *, own: str) -> str | None:
        header = message.get("fwd_from")
        origin = _peer(header.get("from_id")) if isinstance(header, Mapping) else ""
        if header is None or not origin.startswith("c") or origin == own:
            return None  # a person, somebody who hides, or the channel itself
        name = self._name(origin) or origin
        self.mentions.append(
            Mention(
                post_id=post_id, network=Network.TELEGRAM, address=name, how="repost",
                title=self._title(origin),
            )
        )  # fmt: skip
        number = whole(header.get("channel_post"))
        return f"telegram:{name}/{number}" if number else None

    # -- chats of the answer -------------------------------------------------------------------------------

    def _chats(self) -> list[dict[str, Any]]:
        """What the quarantine keeps of them: channels only, people never."""
        return [
            {"id": chat.get("id"), "username": chat.get("username"), "title": chat.get("title")}
            for chat in self.answer.get("chats") or ()
            if isinstance(chat, Mapping)
        ]

    def _chat(self, peer: str) -> Answer:
        found = (c for c in self.answer.get("chats") or () if isinstance(c, Mapping))
        return next((chat for chat in found if f"c{chat.get('id')}" == peer), {})

    def _title(self, peer: str) -> str:
        return _line(self._chat(peer).get("title"))

    def _name(self, peer: str) -> str:
        name = self._chat(peer).get("username")
        return name.lower() if isinstance(name, str) else ""

    def _is_own(self, speaker: str, group: str) -> bool:
        return speaker == group or self._name(speaker) == self.channel


KIND = "ChannelMessages"  # what Telethon calls the answer, and the quarantine with it
_PEOPLE = ("MessageEntityMentionName", "InputMessageEntityMentionName")


def _peer(value: Any) -> str:
    """`c1006503122` of a channel or group, the number of a person; empty: nobody is named."""
    if not isinstance(value, Mapping):
        return ""
    for name in ("channel_id", "chat_id"):
        if (number := whole(value.get(name))) is not None:
            return f"c{number}"
    person = value.get("user_id")
    if isinstance(person, str) and person.startswith("~"):
        return person  # hidden already, in a raw record of the quarantine
    return str(must(whole(person), "user_id"))


def _moment(value: Any) -> datetime:
    """Telethon gives a time, the quarantine its text."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime):
        raise BadRecord("поле date не время")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_edited(message: Answer) -> bool:
    """A change of reactions or buttons is an edit too, which Telegram does not show: `edit_hide`."""
    return message.get("edit_date") is not None and not message.get("edit_hide")


def _counters(message: Answer) -> Counters:
    answered = message.get("replies")
    return Counters(
        views=whole(message.get("views")),
        likes=_likes(message),
        reposts=whole(message.get("forwards")),
        comments=whole(answered.get("replies")) if isinstance(answered, Mapping) else None,
    )


def _likes(message: Answer) -> int | None:
    about = message.get("reactions")
    results = about.get("results") if isinstance(about, Mapping) else None
    if not isinstance(results, list):
        return None
    return sum(whole(one.get("count")) or 0 for one in results if isinstance(one, Mapping))


def _span(text: str, entity: Answer) -> str:
    """Offsets count UTF-16 units."""
    start, length = whole(entity.get("offset")) or 0, whole(entity.get("length")) or 0
    units = text.encode("utf-16-le", "surrogatepass")
    return units[2 * start : 2 * (start + length)].decode("utf-16-le", "ignore")


def _attachments(media: Any, url: str) -> Iterator[Attachment]:
    if not isinstance(media, Mapping):
        return
    match media.get("_"):
        case "MessageMediaPhoto":
            yield Attachment(kind="photo", url=url)
        case "MessageMediaDocument":
            yield _document(media.get("document"), url)
        case "MessageMediaWebPage" if isinstance(page := media.get("webpage"), Mapping) and page.get("url"):
            title = _line(page.get("title")) or _line(page.get("site_name"))
            text = presentable(page.get("description") or "")
            yield Attachment(kind="link", url=str(page["url"])[:2000], title=title, text=text)
        case "MessageMediaPoll" if isinstance(poll := media.get("poll"), Mapping):
            answers = [_line(_words(one.get("text"))) for one in poll.get("answers") or ()]
            title = _line(_words(poll.get("question")))
            yield Attachment(kind="poll", url=url, title=title, text="\n".join(filter(None, answers)))
        case "MessageMediaGeo" | "MessageMediaGeoLive" | "MessageMediaVenue":
            yield from _place(media)
        case "MessageMediaContact":
            yield Attachment(kind="contact")  # a person's card: nothing of it is kept


def _document(document: Any, url: str) -> Attachment:
    listed = document.get("attributes") if isinstance(document, Mapping) else None
    about = {one.get("_"): one for one in listed or () if isinstance(one, Mapping)}
    name = _line(about.get("DocumentAttributeFilename", {}).get("file_name"))
    if "DocumentAttributeSticker" in about:
        return Attachment(kind="sticker")
    if (audio := about.get("DocumentAttributeAudio")) is not None:
        title = " — ".join(filter(None, (_line(audio.get("performer")), _line(audio.get("title")))))
        return Attachment(kind="audio", url=url, title=title or name)
    if "DocumentAttributeVideo" in about or "DocumentAttributeAnimated" in about:
        return Attachment(kind="video", url=url, title=name)
    return Attachment(kind="document", url=url, title=name)


def _place(media: Answer) -> Iterator[Attachment]:
    point = media.get("geo")
    if isinstance(point, Mapping) and "lat" in point:
        title = ", ".join(filter(None, (_line(media.get("title")), _line(media.get("address")))))
        yield Attachment(kind="location", title=title, text=f"{point.get('lat')} {point.get('long')}")


def _words(value: Any) -> Any:
    """Newer layers wrap texts of polls: {text, entities}."""
    return value.get("text") if isinstance(value, Mapping) else value


def _line(value: Any) -> str:
    return " ".join(presentable(value).split()) if isinstance(value, str) else ""
