"""Answers of the Odnoklassniki API -> posts and comments. Its dates are Moscow time without a zone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

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
    must,
    read_each,
    refuse,
    title_of,
    voice,
    whole,
)
from crawlers.pages.mentions import named
from crawlers.pages.prints import is_kept, printed
from crawlers.pages.text import from_markup, presentable
from index.domain.post import Attachment, Counters, Network, Post, PostKind

MOSCOW = ZoneInfo("Europe/Moscow")

_BAD = Rule(reaction=Reaction.BAD_REQUEST)
_CLOSED = Rule(reaction=Reaction.NO_ACCESS)
_TOKEN = Rule(reaction=Reaction.STOP_TOKEN)

#: Reactions when reading. A code that is not here is UNKNOWN and fails with the server's text.
ERRORS: Mapping[str, Rule] = {
    "1": SERVER_TROUBLE,  # UNKNOWN
    "2": SERVER_TROUBLE,  # SERVICE: temporary
    "3": _BAD,  # METHOD
    "4": _BAD,  # REQUEST
    "7": _CLOSED,  # ACTION_BLOCKED
    "8": Rule(reaction=Reaction.SLOW_DOWN, after=timedelta(seconds=30), doubles=True),  # FLOOD_BLOCKED
    "9": _TOKEN,  # IP_BLOCKED
    "10": _CLOSED,  # PERMISSION_DENIED
    "11": Rule(
        reaction=Reaction.FREEZE_METHOD, until_tomorrow=True, after=timedelta(hours=1)
    ),  # LIMIT_REACHED
    "24": _CLOSED,  # NOT_OWNER
    "30": SERVER_TROUBLE,  # NETWORK
    "31": SERVER_TROUBLE,  # NETWORK_TIMEOUT
    "50": _CLOSED,  # NOT_ADMIN
    "100": _BAD,  # PARAM
    "101": _TOKEN,  # PARAM_API_KEY
    "102": Rule(reaction=Reaction.RENEW),  # SESSION_EXPIRED: refresh the session
    "103": _TOKEN,  # SESSION_KEY
    "104": _TOKEN,  # SIGNATURE
    "160": _BAD,  # GROUP_ID
    "200": _CLOSED,  # PARAM_PERMISSION
    "210": _TOKEN,  # APP_DISABLED
    "300": Rule(reaction=Reaction.GONE),  # NOT_FOUND
    "451": _TOKEN,  # session rules
    "453": _TOKEN,
    "454": _BAD,  # publishing only: CENSOR_MATCH
    "456": _CLOSED,  # GROUP_RESTRICTION
    "511": _CLOSED,  # IDS_BLOCKED (antispam)
    "600": _BAD,  # publishing only: MEDIA_TOPIC_BLOCK_LIMIT
    "601": _BAD,  # publishing only: MEDIA_TOPIC_TEXT_LIMIT
    "607": _BAD,  # publishing only: LINK_BAD_FORMAT
    "704": _BAD,  # publishing only: TIMEOUT_EXCEEDED
    "9999": SERVER_TROUBLE,  # SYSTEM
}


def check(answer: Any, *, now: datetime, method: str | None = None) -> None:
    """Raises NetworkRefusal when the answer is an error, Unreadable when it is no answer of OK."""
    if isinstance(answer, Mapping) and "error_code" in answer:
        message = answer.get("error_msg")
        raise refuse(
            Network.OK,
            ERRORS,
            code=str(whole(answer["error_code"])),
            message=presentable(message)[:300] if isinstance(message, str) else "",
            now=now,
            method=method,
        )
    if not isinstance(answer, Mapping | list):
        raise Unreadable("Ответ Одноклассников — не объект JSON.")


def stream(answer: Any, context: Context) -> Parsed:
    """stream.get: posts of the feed; `next` is the anchor. Topics named but not held are in `links` as ids
    for mediatopic.getByIds."""
    about = _about(answer, context, "stream.get")
    feeds = about.get("feeds")
    if not isinstance(feeds, list):
        raise Unreadable("В ответе Одноклассников нет feeds.")
    reading = Reading(context=context, titles=_titles(about))
    held = {
        str(topic.get("id")): topic
        for name in ("media_topics", "themes")
        for topic in _listed(_entities(about).get(name))
    }
    wanted: dict[str, None] = {}  # in order, each once
    for feed in feeds:
        wanted.update(dict.fromkeys(_topics_of(feed)))
    reading.read_all([held[number] for number in wanted if number in held], reading.topic, "media_topics")
    reading.left_out += sum(1 for feed in feeds if not _topics_of(feed))
    anchor = about.get("anchor")
    return reading.parsed(
        next=str(anchor) if anchor and feeds else None,
        links=tuple(number for number in wanted if number not in held),
    )


def _topics_of(feed: Any) -> list[str]:
    """Numbers of the topics that a line of the feed is about: `{media_topic:62190641299501}`."""
    if not isinstance(feed, Mapping):
        return []
    named_in = [feed.get("message"), feed.get("title"), feed.get("feed_object_ref")]
    for refs in ("target_refs", "ref_objects", "media_topic_refs"):
        listed = feed.get(refs)
        named_in += listed if isinstance(listed, list) else []
    text = " ".join(str(part) for part in named_in if isinstance(part, str))
    return list(dict.fromkeys(_TOPIC_REF.findall(text)))


_TOPIC_REF = re.compile(r"(?:media_topic|group_topic|theme):([0-9]{1,20})")


def topics(answer: Any, context: Context) -> Parsed:
    """mediatopic.getByIds: topics as posts."""
    about = _about(answer, context, "mediatopic.getByIds")
    items = about.get("media_topics")
    if not isinstance(items, list):
        raise Unreadable("В ответе Одноклассников нет media_topics.")
    reading = Reading(context=context, titles=_titles(about))
    reading.read_all(items, reading.topic, "media_topics")
    return reading.parsed()


def discussions(answer: Any, context: Context) -> Parsed:
    """discussions.get, discussions.getList: each discussion as a post; `next` is the anchor of the list."""
    about = _about(answer, context, "discussions.get")
    one = about.get("discussion")
    items = [one] if isinstance(one, Mapping) else about.get("discussions")
    if not isinstance(items, list):
        raise Unreadable("В ответе Одноклассников нет discussion.")
    reading = Reading(context=context, titles=_titles(about))
    reading.read_all(items, reading.discussion, "discussions")
    return reading.parsed(next=_anchor(about))


def comments(answer: Any, context: Context, *, post_id: str) -> Parsed:
    """discussions.getComments under our `post_id`; `next` is the anchor while has_more."""
    about = _about(answer, context, "discussions.getComments")
    items = about.get("comments")
    if not isinstance(items, list):
        if "comments" in about or "has_more" not in about:
            raise Unreadable("В ответе Одноклассников нет comments.")
        items = []  # an empty page holds no list at all
    reading = Reading(context=context, titles=_titles(about))
    reading.read_all(
        items,
        lambda item: reading.comment(item, post_id),
        "comments",
        shape=lambda item: {"comments": [item], "parent": post_id},
    )
    return reading.parsed(next=_anchor(about), total=whole(about.get("total_count")))


def ids(answer: Any, *, post_id: str | None = None) -> list[str]:
    """Ids of the topics of stream.get and mediatopic.getByIds, or of the comments under `post_id`, as far as
    they can be told at a glance."""
    about = answer if isinstance(answer, Mapping) else {}
    if post_id is not None:
        return [f"{post_id}_r{item.get('id')}" for item in _listed(about.get("comments"))]
    held = [about.get("media_topics"), *(_entities(about).get(name) for name in ("media_topics", "themes"))]
    return [f"ok:{item.get('id')}" for items in held for item in _listed(items)]


def communities(answer: Any, *, now: datetime) -> list[Community]:
    """group.getInfo, and the groups of `entities`."""
    check(answer, now=now, method="group.getInfo")
    groups = answer if isinstance(answer, list) else _entities(answer).get("groups", answer.get("groups"))
    if not isinstance(groups, list):
        raise Unreadable("В ответе Одноклассников нет сообществ.")
    return [found for group in groups if (found := _community(group)) is not None]


def post_id(number: str | int, kind: str = "GROUP_TOPIC") -> str:
    """Our id of a discussion: `ok:62190641299501`, of other kinds `ok:group_photo/62190641299501`."""
    return f"ok:{number}" if kind in ("GROUP_TOPIC", "") else f"ok:{kind.lower()}/{number}"


def discussion_of(post_id: str) -> tuple[str, str]:
    """discussionId and discussionType of our id, for discussions.getComments."""
    kind, _, number = post_id.removeprefix("ok:").rpartition("/")
    return number, kind.upper() or "GROUP_TOPIC"


def _about(answer: Any, context: Context, method: str) -> Mapping[str, Any]:
    check(answer, now=context.fetched_at, method=method)
    if not isinstance(answer, Mapping):
        raise Unreadable("Ответ Одноклассников — не объект JSON.")
    return answer


def _anchor(about: Mapping[str, Any]) -> str | None:
    anchor = about.get("anchor")
    return str(anchor) if about.get("has_more") and anchor else None


def _entities(about: Mapping[str, Any]) -> Mapping[str, Any]:
    entities = about.get("entities")
    return entities if isinstance(entities, Mapping) else {}


def _titles(about: Mapping[str, Any]) -> dict[str, str]:
    titles = {}
    for group in _listed(_entities(about).get("groups")):
        number, name = group.get("uid", group.get("id")), group.get("name")
        if number is not None and isinstance(name, str):
            titles[str(number).removeprefix("group:")] = _line(name)
    return titles


def _listed(value: Any) -> Iterator[Mapping[str, Any]]:
    return (part for part in value if isinstance(part, Mapping)) if isinstance(value, list) else iter(())


def _community(group: Any) -> Community | None:
    number = group.get("uid", group.get("id")) if isinstance(group, Mapping) else None
    if not isinstance(number, str | int) or isinstance(number, bool):
        return None
    name = group.get("shortname")
    return Community(
        network=Network.OK,
        address=name if isinstance(name, str) and name else f"group/{number}",
        number=str(number),
        title=_line(group.get("name")) or f"group/{number}",
        description=_text(group.get("description")),
        members=whole(group.get("members_count")),
        is_closed=bool(group.get("private")) or group.get("access_type") in ("CLOSED", "SECRET"),
        is_gone=bool(group.get("blocked")) or bool(group.get("disabled")),
    )


@dataclass(slots=True)
class Reading:
    """One answer while it is read; collects what its records give."""

    context: Context
    titles: Mapping[str, str]
    posts: list[Post] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    same: list[Sight] = field(default_factory=list)
    left_out: int = 0

    def read_all(
        self,
        items: Sequence[Any],
        read: Callable[[Any], None],
        name: str,
        *,
        shape: Callable[[Any], Any] | None = None,
    ) -> None:
        self.broken += read_each(
            items,
            read,
            place=name,
            little_answer=shape or (lambda item: {name: [item]}),
            context=self.context,
            network=Network.OK,
        )

    def parsed(self, **facts: Any) -> Parsed:
        return Parsed(
            posts=tuple(self.posts),
            broken=tuple(self.broken),
            same=tuple(self.same),
            gone=tuple(self.gone),
            mentions=tuple(self.mentions),
            left_out=self.left_out,
            **facts,
        )

    def topic(self, item: Any) -> None:
        """One media topic: its text blocks in order, what hangs on it, what it shares."""
        item = _record(item)
        our_id = post_id(must(whole(item.get("id")), "id"))
        if _is_gone(item):
            self.gone.append(our_id)
            return
        published_at = _topic_time(item)
        moving = (item.get("like_summary"), item.get("reshare_summary"), item.get("views_count"))
        found = printed(item, moving, self.context)
        if is_kept(our_id, found, published_at, self.context):
            comments = _count(item.get("discussion_summary"), "comments_count")
            self.same.append(Sight(our_id, PostKind.POST, published_at, comments))
            return
        media = list(_listed(item.get("media")))
        text, attachments = _contents(media, item)
        shared, origin_id, origin_media = _shared(media)
        text = "\n\n".join(dict.fromkeys(part for part in (text, shared) if part))
        raw = " ".join(str(block.get("text") or "") for block in (*media, *origin_media))
        self._note(raw, attachments, our_id)
        group = _group_of(item.get("owner_ref"))
        self.posts.append(
            Post(
                id=our_id,
                kind=PostKind.POST,
                **self._common(author=item.get("author_ref", item.get("owner_ref")), group=group),
                published_at=published_at,
                text=text,
                origin_id=origin_id,
                url=f"https://ok.ru/group/{group}/topic/{our_id[3:]}"
                if group
                else f"https://ok.ru/topic/{our_id[3:]}",
                attachments=attachments,
                counters=Counters(
                    likes=_count(item.get("like_summary")),
                    reposts=_count(item.get("reshare_summary")),
                    comments=_count(item.get("discussion_summary"), "comments_count"),
                    views=whole(item.get("views_count")),
                ),
                is_edited=bool(item.get("edited")),
                print=found,
            )
        )

    def discussion(self, item: Any) -> None:
        """One discussion: its title is the text of the topic, as far as OK gives it here."""
        item = _record(item)
        number = must(whole(item.get("object_id")), "object_id")
        kind = item.get("object_type")
        our_id = post_id(number, kind if isinstance(kind, str) else "")
        refs = (ref for ref in _listed(item.get("ref_objects")) if ref.get("type") == "GROUP")
        group = next((str(ref.get("id")) for ref in refs), "")
        raw = item.get("title")
        self._note(raw if isinstance(raw, str) else "", (), our_id)
        self.posts.append(
            Post(
                id=our_id,
                kind=PostKind.POST,
                **self._common(author=item.get("owner_uid"), group=group),
                published_at=moscow(item.get("creation_date"), "creation_date"),
                text=_text(raw),
                url=f"https://ok.ru/group/{group}/topic/{number}" if group else None,
                counters=Counters(
                    likes=_count(item.get("like_count")), comments=_count(item.get("total_comments_count"))
                ),
            )
        )

    def comment(self, item: Any, parent_id: str) -> None:
        """One comment of a discussion."""
        item = _record(item)
        number = item.get("id")
        if not isinstance(number, str) or not re.fullmatch(r"[\w+/=:.-]{1,200}", number):
            raise BadRecord("нет поля id или оно не строка")
        comment_id = f"{parent_id}_r{number}"
        if _is_gone(item):
            self.gone.append(comment_id)
            return
        published_at = _comment_time(item)
        moving = (item.get("like_count"),)
        found = printed(item, moving, self.context)
        if is_kept(comment_id, found, published_at, self.context):
            self.same.append(Sight(comment_id, PostKind.COMMENT, published_at))
            return
        over = item.get("reply_to_comment_id")
        raw = item.get("text")
        if raw is not None and not isinstance(raw, str):
            raise BadRecord("поле text не строка")
        attachments = tuple(_attachment(part) for part in _listed(item.get("attachments")))
        self._note(raw or "", attachments, comment_id)
        is_group = item.get("author_type") == "GROUP"
        author = item.get("author_id")
        self.posts.append(
            Post(
                id=comment_id,
                kind=PostKind.COMMENT,
                **self._common(author=f"group:{author}" if is_group and author else author, group=""),
                published_at=published_at,
                text=_text(raw),
                parent_id=parent_id,
                reply_to_id=f"{parent_id}_r{over}" if isinstance(over, str) and over else None,
                attachments=attachments,
                counters=Counters(likes=_count(item.get("like_count"))),
                is_edited=bool(item.get("edited")),
                print=found,
            )
        )

    def _common(self, *, author: Any, group: str) -> dict[str, Any]:
        if not isinstance(author, str | int) or isinstance(author, bool) or author == "":
            raise BadRecord("нет автора")
        speaker = str(author).removeprefix("user:")
        is_community = speaker.startswith("group:")
        own = speaker.removeprefix("group:")
        source = self.context.source_for(group, own)
        return {
            "network": Network.OK,
            "source": title_of(source, self.titles.get(group) or self.titles.get(own) or "Одноклассники"),
            "source_id": source.id if source else None,
            "source_home": source.home if source else None,
            "author": self.context.author(Network.OK, speaker),
            "author_kind": voice(source, is_community=is_community, is_own=not group or own == group),
            "collected_at": self.context.fetched_at,
        }

    def _note(self, raw: str, attachments: Sequence[Attachment], our_id: str) -> None:
        self.mentions += named(raw, post_id=our_id)
        for attachment in attachments:
            if attachment.kind == "link" and attachment.url:
                self.mentions += named(attachment.url, post_id=our_id)


def moscow(value: Any, name: str) -> datetime:
    """UTC time of "2013-10-12 14:29:26", which is Moscow time (+4 before 26.10.2014). Raises BadRecord."""
    if not isinstance(value, str):
        raise BadRecord(f"нет поля {name} или оно не дата")
    try:
        local = datetime.fromisoformat(value.strip())
    except ValueError:
        raise BadRecord(f"поле {name} не дата") from None
    moment = local if local.tzinfo else local.replace(tzinfo=MOSCOW)
    if not 1990 <= moment.year <= 9000:
        raise BadRecord(f"поле {name}: время вне разумных границ")
    return moment.astimezone(UTC)


def _topic_time(item: Mapping[str, Any]) -> datetime:
    created = item.get("created_ms", item.get("created_at"))
    if whole(created) is not None:
        return from_unix(created, "created_ms", unit=timedelta(milliseconds=1))
    return moscow(item.get("date", created), "created_ms")


def _comment_time(item: Mapping[str, Any]) -> datetime:
    exact = item.get("date_ms", item.get("created_ms"))
    if whole(exact) is not None:
        return from_unix(exact, "date_ms", unit=timedelta(milliseconds=1))
    return moscow(item.get("date"), "date")


def _is_gone(item: Mapping[str, Any]) -> bool:
    """OK is said to change `type` of what was deleted: ACTIVE_MESSAGE → REMOVED…, DELETED…"""
    kind = item.get("type")
    is_marked = isinstance(kind, str) and any(part in kind.upper() for part in ("REMOVED", "DELETED"))
    return is_marked or bool(item.get("deleted")) or bool(item.get("removed"))


def _record(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadRecord(f"вместо записи пришло {type(value).__name__}")
    return value


def _group_of(ref: Any) -> str:
    return ref.removeprefix("group:") if isinstance(ref, str) and ref.startswith("group:") else ""


def _count(value: Any, name: str = "count") -> int | None:
    number = whole(value.get(name)) if isinstance(value, Mapping) else whole(value)
    return number if number is not None and number >= 0 else None


def _contents(
    media: Sequence[Mapping[str, Any]], item: Mapping[str, Any]
) -> tuple[str, tuple[Attachment, ...]]:
    texts, attachments = [], []
    for block in media:
        if block.get("type", "text") == "text" and "text" in block:
            texts.append(_text(block.get("text")))
        elif block.get("type") not in ("topic", "reshare"):
            attachments += _blocks(block)
    if not texts:
        texts.append(_text(item.get("text", item.get("title"))))
    return "\n\n".join(filter(None, texts)), tuple(attachments)


def _shared(media: Sequence[Mapping[str, Any]]) -> tuple[str, str | None, list[Mapping[str, Any]]]:
    """Text, id and blocks of the topic that this one shares (`media_reshare` and blocks of type topic)."""
    for block in media:
        reshare = block.get("media_reshare", block.get("reshare"))
        inner = next(_listed(block.get("media_topics")), None) or (
            reshare if isinstance(reshare, Mapping) else None
        )
        if inner is None and block.get("type") in ("topic", "reshare"):
            inner = block
        if inner is not None:
            blocks = list(_listed(inner.get("media")))
            text, _ = _contents(blocks, inner)
            number = whole(inner.get("id", inner.get("topic_id")))
            return text, post_id(number) if number is not None else None, blocks
    return "", None, []


def _blocks(block: Mapping[str, Any]) -> list[Attachment]:
    """A block of a topic: a list of photos is one attachment a photo."""
    held = [
        part
        for name in ("photos", "photo_refs", "movies", "list", "music_tracks", "tracks", "polls", "links")
        for part in _listed(block.get(name))
    ]
    if not held:
        return [_attachment(block)]
    return [_attachment({**part, "type": block.get("type")}) for part in held]


_KINDS = {
    "photo": "photo",
    "movie": "video",
    "video": "video",
    "music": "audio",
    "audio": "audio",
    "link": "link",
    "poll": "poll",
    "app": "link",
    "present": "sticker",
    "sticker": "sticker",
    "gif": "photo",
    "place": "location",
    "file": "document",
    "doc": "document",
}


def _attachment(part: Mapping[str, Any]) -> Attachment:
    name = part.get("type")
    name = name.lower() if isinstance(name, str) else "unknown"
    kind = _KINDS.get(name.removeprefix("media_"), name if re.fullmatch(r"[a-z_]{1,30}", name) else "unknown")
    answers = "\n".join(filter(None, (_line(answer.get("text")) for answer in _listed(part.get("answers")))))
    url = next((part.get(key) for key in ("url", "permalink", "standard_url") if part.get(key)), None)
    return Attachment(
        kind=kind,
        url=url[:2000] if isinstance(url, str) and url.startswith(("http://", "https://")) else None,
        title=_line(part.get("question", part.get("title", part.get("name")))),
        text=answers or _text(part.get("description", part.get("text", part.get("caption")))),
    )


def _text(value: Any) -> str:
    return presentable(_MARK.sub("", from_markup(value))) if isinstance(value, str) else ""


_MARK = re.compile(r"\{(?:group|user|media_topic|theme|movie|photo)(?::[0-9]{1,20})?\}")


def _line(value: Any) -> str:
    return " ".join(_text(value).split())
