"""Bot API updates of Telegram -> posts of channels, comments in their discussion groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from crawlers.pages.base import (
    SERVER_TROUBLE,
    BadRecord,
    Broken,
    Community,
    Context,
    Mention,
    Parsed,
    Reaction,
    Rule,
    Unreadable,
    from_unix,
    must,
    read_each,
    refuse,
    title_of,
    voice,
    whole,
)
from crawlers.pages.mentions import named
from crawlers.pages.text import presentable, without_spans
from index.domain.post import Attachment, Network, Post, PostKind
from index.domain.source import Source

#: Reactions when reading. A code that is not here is UNKNOWN and fails with the server's text.
ERRORS: Mapping[str, Rule] = {
    "400": Rule(reaction=Reaction.BAD_REQUEST),
    "401": Rule(reaction=Reaction.STOP_TOKEN),
    "403": Rule(reaction=Reaction.NO_ACCESS),  # the bot was kicked or has no rights
    "404": Rule(reaction=Reaction.STOP_TOKEN),  # wrong token: the method is not found under it
    "409": Rule(reaction=Reaction.RETRY, pauses=(timedelta(seconds=5), timedelta(seconds=30)), tries=5),
    # ↑ another getUpdates or a webhook is at work
    "420": Rule(reaction=Reaction.SLOW_DOWN, after=timedelta(seconds=30), doubles=True),
    "429": Rule(reaction=Reaction.SLOW_DOWN, after=timedelta(seconds=30)),  # or parameters.retry_after
    "500": SERVER_TROUBLE,
    "502": SERVER_TROUBLE,
    "503": SERVER_TROUBLE,
    "504": SERVER_TROUBLE,
}


def check(answer: Any, *, now: datetime, method: str | None = None) -> None:
    """Bot API: raises NetworkRefusal for `ok: false`, Unreadable when it is no answer of the Bot API."""
    if not isinstance(answer, Mapping) or "ok" not in answer:
        raise Unreadable("Ответ Telegram — не ответ Bot API.")
    if answer["ok"] is True:
        return
    description = answer.get("description")
    parameters = answer.get("parameters")
    refusal = refuse(
        Network.TELEGRAM,
        ERRORS,
        code=str(whole(answer.get("error_code"))),
        message=presentable(description)[:300] if isinstance(description, str) else "",
        now=now,
        method=method,
    )
    seconds = whole(parameters.get("retry_after")) if isinstance(parameters, Mapping) else None
    if seconds is not None and refusal.reaction is Reaction.SLOW_DOWN:
        refusal.after = timedelta(seconds=min(max(seconds, 0), 86_400))
    raise refusal


def updates(answer: Any, context: Context, *, roots: Mapping[str, str]) -> Parsed:
    """Bot API getUpdates: channel posts, and messages of linked groups as comments; `next` is the offset.

    `roots` (thread of a group -> id of the post) is what earlier answers gave in `Parsed.roots`.
    Parts of an album that came together are one post.
    """
    check(answer, now=context.fetched_at, method="getUpdates")
    result = answer.get("result")
    if not isinstance(result, list):
        raise Unreadable("В ответе Bot API нет списка result.")
    reading = Reading(context=context, known_roots=roots)
    reading.broken += read_each(
        result,
        reading.update,
        place="result",
        little_answer=lambda one: {"ok": True, "result": [one]},
        context=context,
        network=Network.TELEGRAM,
    )
    numbers = [
        number
        for one in result
        if isinstance(one, Mapping) and (number := whole(one.get("update_id"))) is not None
    ]
    return Parsed(
        posts=tuple(reading.posts.values()),
        broken=tuple(reading.broken),
        mentions=tuple(reading.mentions),
        left_out=reading.left_out,
        roots=reading.roots,
        communities=tuple(reading.communities),
        next=str(max(numbers) + 1) if numbers else None,
    )


def update(value: Any, context: Context, *, roots: Mapping[str, str]) -> Parsed:
    """One update, as a webhook brings it."""
    return updates({"ok": True, "result": [value]}, context, roots=roots)


@dataclass(slots=True)
class Reading:
    """One answer while it is read; collects what its updates give."""

    context: Context
    known_roots: Mapping[str, str]
    posts: dict[str, Post] = field(default_factory=dict)
    albums: dict[tuple[str, str], str] = field(default_factory=dict)  # chat, album -> id of its first part
    broken: list[Broken] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)
    communities: list[Community] = field(default_factory=list)
    left_out: int = 0

    def update(self, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise BadRecord(f"вместо обновления пришло {type(value).__name__}")
        for name in ("channel_post", "edited_channel_post", "message", "edited_message"):
            message = value.get(name)
            if message is not None:
                self.message(message)
                return
        member = value.get("my_chat_member")
        if isinstance(member, Mapping):
            self._membership(member)
        self.left_out += 1

    def _membership(self, member: Mapping[str, Any]) -> None:
        """The bot was added to a chat, or removed from it."""
        chat = _chat(member.get("chat"))
        new = member.get("new_chat_member")
        status = new.get("status") if isinstance(new, Mapping) else None
        if chat.kind != "private":
            self.communities.append(
                Community(
                    network=Network.TELEGRAM,
                    address=chat.name or f"c{chat.number}",
                    number=f"c{chat.number}",
                    title=chat.title,
                    is_closed=not chat.name,
                    is_gone=status in ("left", "kicked"),
                )
            )

    def message(self, message: Any) -> None:
        if not isinstance(message, Mapping):
            raise BadRecord("сообщение — не объект")
        chat = _chat(message.get("chat"))
        if chat.kind == "private" or not any(message.get(name) is not None for name in CONTENTS):
            self.left_out += 1  # talk with the bot is nobody's post; service messages neither
            return
        number = must(whole(message.get("message_id")), "message_id")
        if chat.kind == "channel":
            self._add(message, self._post(message, chat, number))
        elif message.get("is_automatic_forward") is True:
            self._automatic(message, chat, number)
        else:
            self._add(message, self._group_message(message, chat, number))

    def _automatic(self, message: Mapping[str, Any], group: Chat, number: int) -> None:
        """The post of the linked channel, as it arrives in the group: it roots the thread of comments."""
        origin, origin_number = _forwarded_channel(message)
        if origin is None or origin_number is None:
            raise BadRecord("у автоматической пересылки нет канала")
        post = self._post(message, origin, origin_number)
        self.roots[f"{group.number}/{number}"] = post.id
        sent = message.get("forward_origin")
        if isinstance(sent, Mapping) and sent.get("date") is not None:
            post = replace(post, published_at=from_unix(sent["date"], "forward_origin.date"))
        if post.id not in self.posts:  # the channel's own copy says more
            self._add(message, post)

    def _post(self, message: Mapping[str, Any], channel: Chat, number: int) -> Post:
        post_id = f"telegram:{channel.name or f'c{channel.number}'}/{number}"
        url = f"https://t.me/{channel.name or f'c/{channel.number}'}/{number}"
        origin, origin_number = _forwarded_channel(message)
        is_own = origin is not None and origin.number == channel.number
        origin_id = None
        if origin is not None and not is_own:
            self._repost(origin, post_id)
            if origin_number is not None:
                origin_id = f"telegram:{origin.name or f'c{origin.number}'}/{origin_number}"
        return Post(
            id=post_id,
            kind=PostKind.POST,
            **self._common(message, channel, speaker=f"c{channel.number}", is_community=True, is_own=True),
            **self._contents(message, post_id, url, own=channel.name),
            origin_id=origin_id,
            reply_to_id=_replied(message, post_id.rpartition("/")[0]),
        )

    def _group_message(self, message: Mapping[str, Any], group: Chat, number: int) -> Post:
        """A message of a group: a comment when it stands in a thread, else a post of the group."""
        prefix = f"telegram:c{group.number}"
        replied = message.get("reply_to_message")
        replied = replied if isinstance(replied, Mapping) else {}
        thread = whole(message.get("message_thread_id"))
        if message.get("is_topic_message") is True:
            thread = None  # a forum topic is no thread of comments
        if thread is None and replied.get("is_automatic_forward") is True:
            thread = whole(replied.get("message_id"))
        root = self._root(group, thread, replied)
        sender = message.get("sender_chat")
        author = _chat(sender) if isinstance(sender, Mapping) else None
        speaker = f"c{author.number}" if author else _person(message.get("from"))
        replied_number = whole(replied.get("message_id"))
        is_reply = replied_number is not None and replied_number != thread
        comment_id = f"{prefix}/{number}"
        url = _group_url(group, number, root)
        return Post(
            id=comment_id,
            kind=PostKind.POST if thread is None else PostKind.COMMENT,
            **self._common(
                message,
                group,
                speaker=speaker,
                is_community=author is not None,
                is_own=author is not None,
                root=root,
            ),
            **self._contents(message, comment_id, url, own=group.name),
            parent_id=None if thread is None else root or f"{prefix}/{thread}",
            reply_to_id=f"{prefix}/{replied_number}" if is_reply else None,
        )

    def _root(self, group: Chat, thread: int | None, replied: Mapping[str, Any]) -> str | None:
        """Id of the post whose thread this is; None: the thread began before we looked."""
        if thread is None:
            return None
        key = f"{group.number}/{thread}"
        if replied.get("is_automatic_forward") is True and whole(replied.get("message_id")) == thread:
            channel, number = _forwarded_channel(replied)
            if channel is not None and number is not None:
                self.roots[key] = f"telegram:{channel.name or f'c{channel.number}'}/{number}"
        return self.roots.get(key) or self.known_roots.get(key)

    def _common(
        self,
        message: Mapping[str, Any],
        chat: Chat,
        *,
        speaker: str,
        is_community: bool,
        is_own: bool,
        root: str | None = None,
    ) -> dict[str, Any]:
        source = self._source(chat, root)
        return {
            "network": Network.TELEGRAM,
            "source": title_of(source, chat.title),
            "source_id": source.id if source else None,
            "source_home": source.home if source else None,
            "author": self.context.author(Network.TELEGRAM, speaker),
            "author_kind": voice(source, is_community=is_community, is_own=is_own),
            "published_at": from_unix(message.get("date")),
            "collected_at": self.context.fetched_at,
            "is_edited": bool(message.get("edit_date")),
        }

    def _source(self, chat: Chat, root: str | None) -> Source | None:
        """Of the channel under whose post the message stands, else of the chat itself."""
        names = [root.removeprefix("telegram:").partition("/")[0]] if root else []
        return self.context.source_for(*names, f"c{chat.number}", *([chat.name] if chat.name else []))

    def _contents(self, message: Mapping[str, Any], post_id: str, url: str, *, own: str) -> dict[str, Any]:
        raw = message.get("text", message.get("caption"))
        if raw is not None and not isinstance(raw, str):
            raise BadRecord("поле text не строка")
        raw = raw or _rich(message.get("rich_message"))
        entities = message.get("entities", message.get("caption_entities"))
        listed = [one for one in entities if isinstance(one, Mapping)] if isinstance(entities, list) else []
        links = " ".join(one["url"] for one in listed if isinstance(one.get("url"), str))
        self.mentions += named(f"{raw} {links} {_at_links(raw)}", post_id=post_id, own=own)
        return {
            "text": presentable(_without_names(raw, listed)),
            "url": url,
            "attachments": _attachments(message, url),
        }

    def _repost(self, origin: Chat, post_id: str) -> None:
        address = origin.name or f"c{origin.number}"
        self.mentions.append(
            Mention(
                post_id=post_id, network=Network.TELEGRAM, address=address, how="repost", title=origin.title
            )
        )

    def _add(self, message: Mapping[str, Any], post: Post) -> None:
        """Keep a post; a later part of an album adds its text and attachments to the first."""
        album = message.get("media_group_id")
        if not isinstance(album, str) or not album:
            self.posts[post.id] = post
            return
        key = (post.id.rpartition("/")[0], album)
        first = self.posts.get(self.albums.setdefault(key, post.id))
        if first is None or first.id == post.id:
            self.posts[post.id] = post
            return
        self.posts[first.id] = replace(
            first,
            text=first.text or post.text,
            attachments=first.attachments + post.attachments,
            is_edited=first.is_edited or post.is_edited,
        )


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat of the Bot API. `number` is without the -100 of channels, as links and pages write it."""

    number: str
    kind: str
    title: str
    name: str  # lower case; empty: private


_CHANNELS = 1_000_000_000_000  # -1001006503122 is channel 1006503122


def _chat(value: Any) -> Chat:
    if not isinstance(value, Mapping):
        raise BadRecord("нет чата")
    number = must(whole(value.get("id")), "chat.id")
    name = value.get("username")
    kind = value.get("type")
    title = value.get("title")
    return Chat(
        number=str(-number - _CHANNELS if number < -_CHANNELS else abs(number)),
        kind=kind if isinstance(kind, str) else "",
        title=" ".join(presentable(title).split()) if isinstance(title, str) and title else "Telegram",
        name=name.lower() if isinstance(name, str) else "",
    )


def _forwarded_channel(message: Mapping[str, Any]) -> tuple[Chat | None, int | None]:
    """Channel and number of the message that was forwarded; old answers write it apart."""
    origin = message.get("forward_origin")
    if isinstance(origin, Mapping):
        chat = origin.get("chat") if origin.get("type") == "channel" else origin.get("sender_chat")
        return (_chat(chat), whole(origin.get("message_id"))) if isinstance(chat, Mapping) else (None, None)
    chat = message.get("forward_from_chat")
    if isinstance(chat, Mapping):
        return _chat(chat), whole(message.get("forward_from_message_id"))
    return None, None


def _person(value: Any) -> str:
    if not isinstance(value, Mapping):
        raise BadRecord("нет отправителя")
    number = value.get("id")
    if isinstance(number, str) and number.startswith("~"):
        return number
    return str(must(whole(number), "from.id"))


def _replied(message: Mapping[str, Any], prefix: str) -> str | None:
    replied = message.get("reply_to_message")
    number = whole(replied.get("message_id")) if isinstance(replied, Mapping) else None
    return f"{prefix}/{number}" if number else None


def _group_url(group: Chat, number: int, root: str | None) -> str:
    if root is not None and not root.startswith("telegram:c") and "/" in root:
        return f"https://t.me/{root.removeprefix('telegram:')}?comment={number}"
    return f"https://t.me/{group.name or f'c/{group.number}'}/{number}"


def _without_names(text: str, entities: Sequence[Mapping[str, Any]]) -> str:
    """Mentions of people without an account name are plain words; only the entities tell."""
    marked = [one for one in entities if one.get("type") == "text_mention"]
    return without_spans(
        text, [(whole(one.get("offset")) or 0, whole(one.get("length")) or 0) for one in marked]
    )


def _at_links(text: str) -> str:
    """`@durov` as a link, so that named channels count as mentions."""
    if "@" not in text:
        return ""
    words = (word.strip("()[]«»\"',.:;!?") for word in text.split() if "@" in word)
    return " ".join(f"https://t.me/{word[1:]}" for word in words if word.startswith("@"))


def _rich(value: Any) -> str:
    """Words of a rich message (Bot API 10): its blocks are trees with `text` leaves."""
    if not isinstance(value, Mapping):
        return ""
    lines: list[str] = []
    waiting: list[Any] = [value.get("blocks")]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            lines.append(one)
        elif isinstance(one, list):
            waiting += reversed(one)
        elif isinstance(one, Mapping):
            inner = [one[name] for name in ("text", "caption", "blocks", "items", "cells") if name in one]
            waiting += reversed(inner)
    return "\n".join(line for line in lines if line.strip())


#: Fields that make a message more than a service message.
CONTENTS = (
    "text caption rich_message photo video animation document audio voice video_note sticker poll location"
    " venue contact live_photo paid_media story checklist"
).split()

_KINDS = {
    "photo": "photo",
    "live_photo": "photo",
    "paid_media": "photo",
    "video": "video",
    "animation": "video",
    "video_note": "video",
    "story": "video",
    "audio": "audio",
    "voice": "audio",
    "document": "document",
    "sticker": "sticker",
    "contact": "contact",
}


def _attachments(message: Mapping[str, Any], url: str) -> tuple[Attachment, ...]:
    found = []
    for name, kind in _KINDS.items():
        about = message.get(name)
        if about is None or (name == "document" and "animation" in message):
            continue  # an animation comes a second time as a document
        about = about if isinstance(about, Mapping) else {}
        title = _line(about.get("title")) or ("" if kind == "contact" else _line(about.get("file_name")))
        artist = _line(about.get("performer"))
        found.append(
            Attachment(
                kind=kind,
                url=None if kind in ("sticker", "contact") else url,
                title=" — ".join(filter(None, (artist, title))),
            )
        )
    found += _places(message)
    for name, question, answers in (("poll", "question", "options"), ("checklist", "title", "tasks")):
        about = message.get(name)
        if isinstance(about, Mapping):
            options = about.get(answers)
            texts = [
                _line(one.get("text"))
                for one in (options if isinstance(options, list) else ())
                if isinstance(one, Mapping)
            ]
            found.append(
                Attachment(
                    kind="poll",
                    url=url,
                    title=_line(about.get(question)),
                    text="\n".join(filter(None, texts)),
                )
            )
    return tuple(found)


def _places(message: Mapping[str, Any]) -> list[Attachment]:
    venue = message.get("venue")
    place = venue.get("location") if isinstance(venue, Mapping) else message.get("location")
    if not isinstance(place, Mapping):
        return []
    title = (
        ", ".join(filter(None, (_line(venue.get("title")), _line(venue.get("address")))))
        if isinstance(venue, Mapping)
        else ""
    )
    return [
        Attachment(kind="location", title=title, text=f"{place.get('latitude')} {place.get('longitude')}")
    ]


def _line(value: Any) -> str:
    return " ".join(presentable(value).split()) if isinstance(value, str) else ""
