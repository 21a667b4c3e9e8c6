"""Answers of the MAX bot API -> posts and comments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
    Sight,
    Unreadable,
    from_unix,
    latest,
    must,
    read_each,
    refuse,
    retry_after,
    title_of,
    voice,
    whole,
)
from crawlers.pages.mentions import named
from crawlers.pages.prints import is_kept, printed
from crawlers.pages.text import MAX_CHARACTERS, presentable, without_spans
from index.domain.post import Attachment, Counters, Network, Post, PostKind

_BAD = Rule(reaction=Reaction.BAD_REQUEST)
_CLOSED = Rule(reaction=Reaction.NO_ACCESS)
_TOKEN = Rule(reaction=Reaction.STOP_TOKEN)
_SLOW = Rule(reaction=Reaction.SLOW_DOWN, after=timedelta(seconds=1), doubles=True)

#: Reactions when reading, by the code of the body, else by the HTTP status. Anything else is UNKNOWN.
ERRORS: Mapping[str, Rule] = {
    "verify.token": _TOKEN,
    "too.many.requests": _SLOW,
    "attachment.not.ready": Rule(reaction=Reaction.RETRY, pauses=(timedelta(seconds=1),), tries=5),
    "400": _BAD,
    "401": _TOKEN,
    "403": _CLOSED,
    "404": Rule(reaction=Reaction.GONE),
    "405": _BAD,
    "429": _SLOW,
    "500": SERVER_TROUBLE,
    "502": SERVER_TROUBLE,
    "503": SERVER_TROUBLE,
    "504": SERVER_TROUBLE,
}


def check(
    answer: Any, *, status: int = 200, headers: Mapping[str, str], now: datetime, method: str | None = None
) -> None:
    """Raises NetworkRefusal when the status or the body is an error, Unreadable when it is no answer."""
    body: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    own_code = body.get("code")
    is_error = isinstance(own_code, str) and "message" in body and "body" not in body
    is_refused = is_error or body.get("success") is False
    if status < 400 and not is_refused:
        if not isinstance(answer, Mapping):
            raise Unreadable("Ответ MAX — не объект JSON.")
        return
    known = isinstance(own_code, str) and own_code in ERRORS
    message = body.get("message")
    refusal = refuse(
        Network.MAX,
        ERRORS,
        code=str(own_code) if known or status < 400 else str(status),
        message=" ".join(
            part for part in (own_code if not known else "", message) if isinstance(part, str) and part
        )[:300],
        now=now,
        method=method,
    )
    if refusal.reaction is Reaction.SLOW_DOWN:
        refusal.after = retry_after(headers, now=now) or refusal.after
    raise refusal


def updates(answer: Any, context: Context) -> Parsed:
    """GET /updates, or the body of one webhook: `next` is the marker; removed messages are in `gone`, chats
    the bot was added to or removed from in `communities`."""
    check(answer, headers={}, now=context.fetched_at, method="/updates")
    items = [answer] if "update_type" in answer else answer.get("updates")
    if not isinstance(items, list):
        raise Unreadable("В ответе MAX нет updates.")
    reading = Reading(context=context)
    reading.read_all(items, reading.update, "updates", lambda item: {"updates": [item]})
    marker = whole(answer.get("marker"))
    return reading.parsed(next=str(marker) if marker is not None else None)


def chat_of(update: Mapping[str, Any]) -> str:
    """Number of the chat an update happened in; empty: it names none."""
    message = update.get("message")
    recipient = message.get("recipient") if isinstance(message, Mapping) else None
    chat = recipient.get("chat_id") if isinstance(recipient, Mapping) else update.get("chat_id")
    return str(chat) if chat is not None else ""


def messages(answer: Any, context: Context) -> Parsed:
    """GET /messages, newest first, or one message: `next` is the time (ms) to give as `to` for older ones.

    Whether `to` includes that moment is not documented: stop when an answer brings nothing new.
    """
    check(answer, headers={}, now=context.fetched_at, method="/messages")
    items = [answer] if "body" in answer and "recipient" in answer else answer.get("messages")
    if not isinstance(items, list):
        raise Unreadable("В ответе MAX нет messages.")
    reading = Reading(context=context)
    reading.read_all(items, reading.message, "messages", lambda item: {"messages": [item]})
    return reading.parsed(next=_oldest(items))


def comments(answer: Any, context: Context, *, post_id: str) -> Parsed:
    """GET /messages/{mid}/comments under our `post_id`: `next` is the time (ms) to give as `before`."""
    check(answer, headers={}, now=context.fetched_at, method="/comments")
    if "body" in answer and "recipient" in answer:
        items: Any = [answer]
    else:
        items = answer.get("comments", answer.get("messages"))
    if not isinstance(items, list):
        raise Unreadable("В ответе MAX нет comments.")
    reading = Reading(context=context)
    reading.read_all(
        items,
        lambda item: reading.comment(item, post_id),
        "comments",
        lambda item: {"comments": [item], "parent": post_id},
    )
    return reading.parsed(next=_oldest(items))


def ids(answer: Any, *, post_id: str | None = None) -> list[str]:
    """Ids of the messages, or of the comments under `post_id`, as far as they can be told at a glance."""
    about = answer if isinstance(answer, Mapping) else {}
    items = about.get("messages") if post_id is None else about.get("comments", about.get("messages"))
    bodies = [item.get("body") for item in _listed(items)]
    mids = [body.get("mid") for body in bodies if isinstance(body, Mapping)]
    return [f"max:{mid}" if post_id is None else f"{post_id}_r{mid}" for mid in mids]


def community(answer: Any) -> Community:
    """GET /chats/{id}. `number` is the chat id. Raises Unreadable."""
    number = whole(answer.get("chat_id")) if isinstance(answer, Mapping) else None
    if number is None:
        raise Unreadable("В ответе MAX нет chat_id.")
    return _community(answer, number)


def _community(about: Mapping[str, Any], number: int) -> Community:
    return Community(
        network=Network.MAX,
        address=str(number),
        number=str(number),
        title=_line(about.get("title")) or f"Чат {number}",
        description=_text(about.get("description")),
        members=whole(about.get("participants_count")),
        is_closed=about.get("is_public") is False,
        is_gone=about.get("status") in ("removed", "left", "closed"),
    )


YEAR_2001 = 1_000_000_000_000  # ms; an earlier time is a broken one and must not end the paging


def _oldest(items: Sequence[Any]) -> str | None:
    times = [
        moment
        for item in items
        if isinstance(item, Mapping) and (moment := whole(item.get("timestamp")) or 0) > YEAR_2001
    ]
    return str(min(times)) if times else None


@dataclass(slots=True)
class Reading:
    """One answer while it is read; collects what its records give."""

    context: Context
    posts: list[Post] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    communities: list[Community] = field(default_factory=list)
    same: list[Sight] = field(default_factory=list)
    left_out: int = 0

    def read_all(
        self, items: Sequence[Any], read: Callable[[Any], None], place: str, shape: Callable[[Any], Any]
    ) -> None:
        self.broken += read_each(
            items, read, place=place, little_answer=shape, context=self.context, network=Network.MAX
        )

    def parsed(self, **facts: Any) -> Parsed:
        return Parsed(
            posts=latest(self.posts),
            broken=tuple(self.broken),
            same=tuple(self.same),
            gone=tuple(self.gone),
            mentions=tuple(self.mentions),
            communities=tuple(self.communities),
            left_out=self.left_out,
            **facts,
        )

    def update(self, value: Any) -> None:
        """One event. No event of comments is documented; one that comes with a comment is read."""
        value = _record(value)
        kind = value.get("update_type")
        if not isinstance(kind, str):
            raise BadRecord("у события нет update_type")
        match kind:
            case "message_created":
                self.message(value.get("message"))
            case "message_edited":
                self.message(value.get("message"), is_edited=True)
            case "message_removed":
                self.gone.append(f"max:{_mid(value.get('message_id'), 'message_id')}")
            case "bot_added" | "bot_removed" | "chat_title_changed":
                number = must(whole(value.get("chat_id")), "chat_id")
                status = "removed" if kind == "bot_removed" else "active"
                self.communities.append(_community({**value, "status": status}, number))
            case _ if isinstance(value.get("comment"), Mapping):
                comment = value["comment"]
                self.comment(comment, f"max:{_mid(_recipient(comment).get('post_id'), 'post_id')}")
            case _:
                self.left_out += 1

    def message(self, message: Any, *, is_edited: bool = False) -> None:
        """One message of a channel or a group chat; talk with the bot is nobody's post."""
        message = _record(message)
        recipient = _recipient(message)
        if recipient.get("chat_type") == "dialog":
            self.left_out += 1
            return
        chat = must(whole(recipient.get("chat_id")), "recipient.chat_id")
        body = message.get("body")
        body = body if isinstance(body, Mapping) else {}
        post_id = f"max:{_mid(body.get('mid'), 'body.mid')}"
        stat = message.get("stat")
        published_at = _time(message)
        found = printed(message, (stat,), self.context)
        if is_kept(post_id, found, published_at, self.context):
            self.same.append(Sight(post_id, PostKind.POST, published_at))
            return
        url = message.get("url")
        self.posts.append(
            Post(
                id=post_id,
                kind=PostKind.POST,
                **self._common(message, chat),
                **self._contents(message, body, post_id),
                reply_to_id=_linked(message, "reply"),
                origin_id=_linked(message, "forward"),
                url=url[:2000] if isinstance(url, str) and url.startswith(("http://", "https://")) else None,
                counters=Counters(views=_count(stat.get("views")) if isinstance(stat, Mapping) else None),
                is_edited=is_edited,
                print=found,
            )
        )

    def comment(self, comment: Any, post_id: str) -> None:
        """One comment of a channel's post."""
        comment = _record(comment)
        body = _record(comment.get("body"))
        mid = _mid(body.get("mid"), "body.mid")
        comment_id = f"{post_id}_r{mid}"
        published_at = _time(comment)
        found = printed(comment, (), self.context)
        if is_kept(comment_id, found, published_at, self.context):
            self.same.append(Sight(comment_id, PostKind.COMMENT, published_at))
            return
        over = _linked(comment, "reply")
        self.posts.append(
            Post(
                id=comment_id,
                kind=PostKind.COMMENT,
                **self._common(comment, whole(_recipient(comment).get("chat_id"))),
                **self._contents(comment, body, comment_id),
                parent_id=post_id,
                reply_to_id=f"{post_id}_r{over.removeprefix('max:')}" if over else None,
                print=found,
            )
        )

    def _common(self, message: Mapping[str, Any], chat: int | None) -> dict[str, Any]:
        sender = message.get("sender")
        speaker = sender.get("user_id") if isinstance(sender, Mapping) else None
        is_hidden = isinstance(speaker, str) and speaker.startswith("~")
        if speaker is not None and not is_hidden and whole(speaker) is None:
            raise BadRecord("поле sender.user_id не число")
        if speaker is None and chat is None:
            raise BadRecord("нет отправителя")
        is_channel = speaker is None  # posts of a channel carry no sender
        source = self.context.source_for(*([chat] if chat is not None else []))
        return {
            "network": Network.MAX,
            "source": title_of(source, f"Чат {chat}" if chat is not None else "MAX"),
            "source_id": source.id if source else None,
            "source_home": source.home if source else None,
            "author": self.context.author(Network.MAX, f"chat:{chat}" if is_channel else str(speaker)),
            "author_kind": voice(source, is_community=is_channel, is_own=is_channel),
            "published_at": _time(message),
            "collected_at": self.context.fetched_at,
        }

    def _contents(self, message: Mapping[str, Any], body: Mapping[str, Any], post_id: str) -> dict[str, Any]:
        """Own text, then the text of what is forwarded; attachments of both."""
        bodies = [body]
        link = message.get("link")
        if (
            isinstance(link, Mapping)
            and link.get("type") == "forward"
            and isinstance(link.get("message"), Mapping)
        ):
            bodies.append(link["message"])
        texts, attachments = [], []
        for one in bodies:
            raw = one.get("text")
            if raw is not None and not isinstance(raw, str):
                raise BadRecord("поле text не строка")
            texts.append(presentable(without_spans(raw or "", _mentioned(one))))
            attachments += [_attachment(part) for part in _listed(one.get("attachments"))]
            links = " ".join(str(mark.get("url") or "") for mark in _listed(one.get("markup")))
            self.mentions += named(f"{raw or ''} {links}", post_id=post_id)
        return {
            "text": "\n\n".join(dict.fromkeys(filter(None, texts)))[:MAX_CHARACTERS],
            "attachments": tuple(attachments),
        }


def _record(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadRecord(f"вместо записи пришло {type(value).__name__}")
    return value


def _time(message: Mapping[str, Any]) -> datetime:
    return from_unix(message.get("timestamp"), "timestamp", unit=timedelta(milliseconds=1))


def _recipient(message: Mapping[str, Any]) -> Mapping[str, Any]:
    recipient = message.get("recipient")
    return recipient if isinstance(recipient, Mapping) else {}


def _mid(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable():
        raise BadRecord(f"нет поля {name} или оно не строка")
    return value


def _linked(message: Mapping[str, Any], kind: str) -> str | None:
    """Id of the message this one answers or forwards."""
    link = message.get("link")
    if not isinstance(link, Mapping) or link.get("type") != kind:
        return None
    inner = link.get("message")
    mid = inner.get("mid") if isinstance(inner, Mapping) else None
    return f"max:{mid}" if isinstance(mid, str) and 0 < len(mid) <= 200 and mid.isprintable() else None


def _mentioned(body: Mapping[str, Any]) -> list[tuple[int, int]]:
    return [
        (whole(mark.get("from")) or 0, whole(mark.get("length")) or 0)
        for mark in _listed(body.get("markup"))
        if mark.get("type") == "user_mention"
    ]


def _listed(value: Any) -> Iterator[Mapping[str, Any]]:
    return (part for part in value if isinstance(part, Mapping)) if isinstance(value, list) else iter(())


_KINDS = {
    "image": "photo",
    "video": "video",
    "audio": "audio",
    "file": "document",
    "sticker": "sticker",
    "contact": "contact",
    "share": "link",
    "location": "location",
    "inline_keyboard": "keyboard",
    "reply_keyboard": "keyboard",
}


def _attachment(part: Mapping[str, Any]) -> Attachment:
    name = part.get("type")
    kind = _KINDS.get(name, "unknown") if isinstance(name, str) else "unknown"
    payload = part.get("payload")
    payload = payload if isinstance(payload, Mapping) else {}
    if kind in ("sticker", "contact"):  # a contact is somebody's name and phone
        return Attachment(kind=kind)
    if kind == "location":
        return Attachment(kind=kind, text=f"{part.get('latitude')} {part.get('longitude')}")
    if kind == "keyboard":
        rows = payload.get("buttons", part.get("buttons"))
        listed = [button for row in rows for button in _listed(row)] if isinstance(rows, list) else []
        return Attachment(kind=kind, text="\n".join(filter(None, (_line(one.get("text")) for one in listed))))
    url = payload.get("url")
    return Attachment(
        kind=kind,
        url=url[:2000] if isinstance(url, str) and url.startswith(("http://", "https://")) else None,
        title=_line(part.get("title", part.get("filename"))),
        text=_text(part.get("description")),
    )


def _count(value: Any) -> int | None:
    number = whole(value)
    return number if number is not None and number >= 0 else None


def _text(value: Any) -> str:
    return presentable(value) if isinstance(value, str) else ""


def _line(value: Any) -> str:
    return " ".join(_text(value).split())
