"""Saved raw answers -> posts: tells what kind of answer it is, runs its page object (`mcu parse`, replay)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crawlers.pages import max as max_pages
from crawlers.pages import news, ok, telegram, telegram_mtproto, vk
from crawlers.pages.base import Broken, Context, Parsed, Unreadable, read_json
from crawlers.pages.charset import decoded
from index.domain.post import Network, Post
from index.errors import Refused, ServiceError

MAX_BYTES = 100_000_000
SECRET = b"pseudonyms of one mcu parse"  # the index keeps other ones: its secret is nobody's business here

NO_ROOT = (
    "telegram:unknown/0",
    "vk:0_0",
    "ok:0",
    "max:unknown",
    "news:unknown",
)  #: posts of comments that do not name theirs


def parse(network: str, path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Posts and comments of a saved answer in the shape of the JSON lines, and what could not be read.

    Never raises on what stands in the file: an answer that cannot be read at all is a fault without posts.
    Raises Refused on an unknown network or a file that is not there.
    """
    if network not in set(Network):
        raise Refused(f"Неизвестная сеть {network!r}: бывают {', '.join(Network)}.", field="network")
    try:
        size, changed = path.stat().st_size, path.stat().st_mtime
        body = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise Refused(f"Файл {path} не читается: {error.strerror}.", field="file") from None
    if size > MAX_BYTES:
        raise Refused(f"Файл {path} больше {MAX_BYTES // 1_000_000} МБ.", field="file")
    context = Context(secret=SECRET, fetched_at=datetime.fromtimestamp(changed, UTC))
    try:
        parsed = read(Network(network), body, context)
    except ServiceError as error:
        return [], [str(error)]
    return [line(post) for post in parsed.posts], [f"{one.place}: {one.reason}" for one in parsed.broken]


def read(network: Network, body: bytes, context: Context) -> Parsed:
    """The same on an answer in memory; also reads `Broken.raw` again. Raises Unreadable, NetworkRefusal."""
    match network:
        case Network.VK:
            return _vk(read_json(decoded(body)), context)
        case Network.OK:
            return _ok(read_json(decoded(body)), context)
        case Network.TELEGRAM:
            return _telegram(decoded(body), context)
        case Network.MAX:
            return _max(read_json(decoded(body)), context)
        case Network.NEWS:
            return _news(body, context)


def line(post: Post) -> dict[str, Any]:
    """A post as one of the JSON lines: the fields of the import, then what else is known."""
    counters = post.counters
    has_root = post.parent_id not in NO_ROOT
    return {
        "id": post.id,
        "platform": post.network.value,
        "kind": post.kind.value,
        "parent": post.parent_id if has_root else None,
        "source": post.source,
        "author": post.author,
        "published_at": post.published_at.isoformat(),
        "text": post.text,
        "url": post.url if has_root else None,
        "source_home": post.source_home,
        "reactions": counters.likes,
        "views": counters.views,
        "reposts": counters.reposts,
        "comments": counters.comments,
        "author_kind": post.author_kind.value,
        "reply_to": post.reply_to_id,
        "origin": post.origin_id,
        "is_edited": post.is_edited,
        "attachments": [
            {"kind": one.kind, "url": one.url, "title": one.title, "text": one.text}
            for one in post.attachments
        ],
    }


def together(parts: Iterable[Parsed]) -> Parsed:
    """Posts and faults of several answers as of one."""
    listed = list(parts)
    return Parsed(
        posts=tuple(post for part in listed for post in part.posts),
        broken=tuple(one for part in listed for one in part.broken),
        gone=tuple(one for part in listed for one in part.gone),
        mentions=tuple(one for part in listed for one in part.mentions),
        threads=tuple(one for part in listed for one in part.threads),
        left_out=sum(part.left_out for part in listed),
    )


def _vk(answer: Any, context: Context) -> Parsed:
    if isinstance(answer, list):
        answer = {"response": {"items": answer}}
    if not isinstance(answer, Mapping):
        raise Unreadable("Ответ ВКонтакте — не объект JSON.")
    if "updates" in answer or "failed" in answer:
        return vk.events(answer, context)
    if "type" in answer and "object" in answer:
        return vk.event(answer, context)
    if "response" not in answer and "error" not in answer and "id" in answer:
        answer = {"response": {"items": [answer]}}  # one object alone
    if "execute_errors" in answer or _is_execute(answer.get("response")):
        return _vk_execute(answer, context)
    if isinstance(answer.get("parent"), str):
        return vk.comments(answer, context, post_id=answer["parent"])
    if isinstance(answer.get("photos_of"), int):
        return vk.photo_comments(answer, context, owner=answer["photos_of"])
    vk.check(answer, now=context.fetched_at)
    items = _items(answer["response"])
    if _has(items, {"duration"}) and _has(items, {"title"}):
        return vk.videos(answer, context)
    if isinstance(answer.get("group"), int):
        return vk.topics(answer, context, group=answer["group"])
    if any(items_are for items_are in (_has(items, _POST_FIELDS), not items)):
        return vk.wall(answer, context)
    if _has(items, {"title", "created"}):
        return vk.topics(answer, context, group=0)
    if _has(items, {"from_id", "deleted"}):
        return vk.comments(answer, context, post_id=_vk_parent(items))
    raise Unreadable("В ответе ВКонтакте нет ни постов, ни комментариев.")


_POST_FIELDS = frozenset(
    "post_type inner_type source_id marked_as_ads post_source copy_history reposts views is_pinned".split()
)


def _has(items: Iterable[Any], fields: Iterable[str]) -> bool:
    wanted = set(fields)
    return any(not wanted.isdisjoint(item) for item in items if isinstance(item, Mapping))


def _items(response: Any) -> list[Any]:
    items = response.get("items") if isinstance(response, Mapping) else response
    if not isinstance(items, list):
        raise Unreadable("В ответе ВКонтакте нет ни постов, ни комментариев.")
    return items


def _is_execute(response: Any) -> bool:
    parts = response if isinstance(response, list) else []
    return any(isinstance(part, Mapping) and "items" in part for part in parts)


def _vk_execute(answer: Mapping[str, Any], context: Context) -> Parsed:
    response = answer.get("response")
    asked = len(response) if isinstance(response, list) else max(len(answer.get("execute_errors") or ()), 1)
    parts, faults = [], []
    for number, part in enumerate(vk.execute(answer, asked=asked, now=context.fetched_at)):
        try:
            if isinstance(part, Exception):
                raise part
            parts.append(_vk(part, context))
        except ServiceError as error:
            faults.append(Broken(place=f"response[{number}]", reason=str(error), raw=""))
    found = together(parts)
    return together([found, Parsed(broken=tuple(faults))])


def _vk_parent(items: Iterable[Any]) -> str:
    """Post of comments that do not say it themselves: a neighbour's, for deleted ones say nothing."""
    for item in items:
        if isinstance(item, Mapping) and item.get("owner_id") is not None and item.get("post_id"):
            return f"vk:{item['owner_id']}_{item['post_id']}"
    return "vk:0_0"


def _ok(answer: Any, context: Context) -> Parsed:
    if isinstance(answer, list):
        name = "comments" if _has(answer, {"author_id", "reply_to_comment_id"}) else "media_topics"
        answer = {name: answer}
    if not isinstance(answer, Mapping):
        raise Unreadable("Ответ Одноклассников — не объект JSON.")
    if "author_id" in answer and "id" in answer:
        answer = {"comments": [answer]}
    ok.check(answer, now=context.fetched_at)
    if "feeds" in answer:
        return ok.stream(answer, context)
    if "media_topics" in answer:
        topics = answer["media_topics"]
        if isinstance(topics, list) and not _has(topics, {"media", "created_ms", "author_ref", "owner_ref"}):
            raise Unreadable("В ответе Одноклассников нет ни постов, ни комментариев.")
        return ok.topics(answer, context)
    if "discussion" in answer or "discussions" in answer:
        return ok.discussions(answer, context)
    if "comments" in answer or "has_more" in answer:
        parent = answer.get("parent")
        comments = answer.get("comments")
        found = (
            parent if isinstance(parent, str) else _ok_parent(comments if isinstance(comments, list) else [])
        )
        return ok.comments(answer, context, post_id=found)
    raise Unreadable("В ответе Одноклассников нет ни постов, ни комментариев.")


def _ok_parent(items: Iterable[Any]) -> str:
    """Post of comments by their numbers, which hold the topic: «1397206382471:-15941:…:62503929662320:1»."""
    for item in items:
        number = item.get("id") if isinstance(item, Mapping) else None
        if not isinstance(number, str):
            continue
        try:
            parts = base64.b64decode(number + "=" * (-len(number) % 4)).decode("ascii").split(":")
        except ValueError:
            continue
        if len(parts) >= 4 and parts[3].isdecimal():
            return ok.post_id(parts[3])
    return "ok:0"


def _telegram(text: str, context: Context) -> Parsed:
    start = text.lstrip("\ufeff \t\r\n")
    if not start.startswith(("{", "[", '"')) or (start.startswith("[") and "<" in start[:500]):
        return _telegram_page(text, context)
    answer = read_json(start)
    if isinstance(answer, str):  # t.me/s/<channel>?before=… asked as its own script does
        return _telegram_page(answer, context)
    if isinstance(answer, list):
        answer = {"ok": True, "result": answer}
    if isinstance(answer, Mapping) and isinstance(answer.get("messages"), list):
        return _telegram_account(answer, context)
    if isinstance(answer, Mapping) and "comments_html" in answer:
        html = answer["comments_html"]
        return telegram.more_comments(
            answer, context, post_id=_telegram_post(html if isinstance(html, str) else ""), chat=None
        )
    if isinstance(answer, Mapping) and "message_id" in answer:
        answer = {"update_id": 0, "message": answer}
    if isinstance(answer, Mapping) and "update_id" in answer:
        return telegram.update(answer, context, roots={})
    return telegram.updates(answer, context, roots={})


def _telegram_account(answer: Mapping[str, Any], context: Context) -> Parsed:
    """An answer of MTProto as the quarantine keeps it: with the channel, and the post of comments."""
    asked = len(answer["messages"]) + 1
    if parent := answer.get("parent"):
        return telegram_mtproto.replies(answer, context, post_id=str(parent), asked=asked)
    channel = str(answer.get("channel") or (context.source.address if context.source else ""))
    if not channel:
        raise Unreadable("В ответе MTProto не назван канал.")
    return telegram_mtproto.history(answer, context, channel=channel, asked=asked)


def _telegram_page(html: str, context: Context) -> Parsed:
    if "data-post-id" not in html and "tgme_post_discussion" not in html:
        parsed = telegram.page(html, context)
        if parsed.preview_off:
            raise Unreadable("Канал не показывает посты в открытом доступе.")
        return parsed
    discussion = telegram.discussion(html, context, post_id=_telegram_post(html))
    if not discussion.is_available:
        raise Unreadable("Обсуждение закрыто.")
    return discussion.parsed


def _telegram_post(html: str) -> str:
    """Post that the comments of a widget stand under, by the links of their dates."""
    link = re.search(r"https?://t\.me/([A-Za-z]\w{2,31})/([0-9]{1,12})(?:\?comment=|\")", html)
    return f"telegram:{link[1].lower()}/{link[2]}" if link else "telegram:unknown/0"


def _max(answer: Any, context: Context) -> Parsed:
    if isinstance(answer, list):
        answer = {"messages": answer}
    max_pages.check(answer, headers={}, now=context.fetched_at)
    if "updates" in answer or "update_type" in answer:
        return max_pages.updates(answer, context)
    if "comments" in answer or _recipient_post(answer):
        parent = answer.get("parent") or _max_parent(answer)
        return max_pages.comments(
            answer, context, post_id=parent if isinstance(parent, str) else "max:unknown"
        )
    return max_pages.messages(answer, context)


def _max_parent(answer: Mapping[str, Any]) -> str:
    listed = answer.get("comments")
    for item in (answer, *(listed if isinstance(listed, list) else ())):
        if isinstance(item, Mapping) and (post := _recipient_post(item)):
            return f"max:{post}"
    return "max:unknown"


def _recipient_post(item: Mapping[str, Any]) -> str | None:
    recipient = item.get("recipient")
    post = recipient.get("post_id") if isinstance(recipient, Mapping) else None
    return str(post) if isinstance(post, str | int) and post else None


def _news(body: bytes, context: Context) -> Parsed:
    text = decoded(body)
    start = text.lstrip("\ufeff \t\r\n")[:2000].lower()
    url = _own_address(text)
    if start.startswith(("{", "[")):
        answer = read_json(text.lstrip("\ufeff \t\r\n"))
        if isinstance(answer, Mapping) and _is_talk(answer):
            parent, page = answer.get("parent"), answer.get("url")
            return news.comments(
                answer,
                context,
                post_id=parent if isinstance(parent, str) else "news:unknown",
                url=page if isinstance(page, str) else url,
            )
        if isinstance(answer, Mapping) and "results" in answer:
            return news.videos(answer, context)
        return news.feed(body, context, url=url)
    if re.search(r"<(?:rss|feed|rdf:rdf)[\s>]", start):
        return news.feed(body, context, url=url)
    if re.search(r"<(?:urlset|sitemapindex)[\s>]", start):
        raise Unreadable("Это карта сайта: постов в ней нет.")
    parsed = news.article(body, context, url=url)
    if not parsed.posts and not parsed.broken:
        raise Unreadable("На странице нет текста статьи.")
    return parsed


def _is_talk(answer: Mapping[str, Any]) -> bool:
    """Comments of Rutube or Дзен, no list of videos and no JSON Feed."""
    listed = [one for one in (answer.get("results"), answer.get("items")) if isinstance(one, list)]
    return any(_has(one, {"replies_number", "entityData"}) for one in listed)


def _own_address(text: str) -> str:
    """Address that a page or a feed gives itself; a saved file carries no other."""
    patterns = (
        r"<link[^>]{0,200}rel=[\"']?canonical[\"']?[^>]{0,200}href=[\"']?(https?://[^\"'\s>]{3,500})",
        r"og:url[\"'][^>]{0,100}content=[\"'](https?://[^\"']{3,500})",
        r"<(?:atom:)?link[^>]{0,200}href=[\"'](https?://[^\"']{3,500})[\"'][^>]{0,100}rel=[\"']self",
        r"<link>\s*(https?://[^<\s]{3,500})\s*</link>",
    )
    matches = (re.search(pattern, text[:200_000], re.IGNORECASE) for pattern in patterns)
    return next((match[1] for match in matches if match), "http://saved.invalid/")
