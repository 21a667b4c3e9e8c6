"""Feeds, sitemaps and pages of news sites, descriptions of open video pages -> posts."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zlib
from calendar import timegm
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import feedparser
import trafilatura
from lxml import etree
from trafilatura.settings import Extractor

from crawlers.pages.base import (
    BadRecord,
    Broken,
    Context,
    Mention,
    Parsed,
    Thread,
    Unreadable,
    as_raw,
    from_unix,
    hidden_authors,
    read_json,
    title_of,
    voice,
    whole,
)
from crawlers.pages.charset import decoded
from crawlers.pages.html import Element, text_of, tree
from crawlers.pages.mentions import named
from crawlers.pages.text import MAX_CHARACTERS, presentable
from index.domain.post import Attachment, AuthorKind, Counters, Network, Post, PostKind
from index.domain.source import Source

MOSCOW = ZoneInfo("Europe/Moscow")  # of dates without a zone

MAX_BYTES = 20_000_000  # of a feed or a page
MAX_SITEMAP_BYTES = 60_000_000  # unpacked; the standard allows 50 MB
MAX_ENTRIES = 2_000  # of one feed
FULL_TEXT_CHARACTERS = 600  # a description shorter than this is taken for the start of an article
SHORTEST_ARTICLE = 40  # characters; less is a menu, not a text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    """`pages` with the time of their last change (None: not told); `parts` are further sitemaps."""

    pages: Sequence[tuple[str, datetime | None]]
    parts: Sequence[str]


def feed(body: bytes, context: Context, *, url: str, content_type: str = "") -> Parsed:
    """RSS, Atom, RDF, JSON Feed in any charset.

    `posts` hold what the feed tells. `links`: articles of which it holds only the start, or no date; ask
    for them with `article`, whose post replaces the one from the feed (same id).
    Raises Unreadable when there is no feed in it.
    """
    text = decoded(body[:MAX_BYTES], content_type)
    start = text.lstrip("\ufeff \t\r\n")
    reading = Reading(context=context, url=url)
    if start.startswith("{"):
        _json_feed(read_json(start), reading)
    else:
        _xml_feed(start, reading)
    return reading.parsed()


def article(
    body: bytes,
    context: Context,
    *,
    url: str,
    content_type: str = "",
    known_date: datetime | None = None,
) -> Parsed:
    """One page: the article's text, title, date, canonical address; or the description of a video page.

    `known_date` (from the feed or the first visit) wins over what the page says, so that a post never
    moves in time. No post when the page holds no text. The id is the one the feed gives to the article.
    """
    root = tree(decoded(body[:MAX_BYTES], content_type))
    reading = Reading(context=context, url=url)
    facts = _Facts.of(root, url)
    try:
        _page(root, facts, reading, known_date)
    except BadRecord as error:
        reading.broken.append(Broken(place=url[:300], reason=str(error), raw=as_raw(text_of(root))))
    return reading.parsed()


def sitemap(body: bytes, *, url: str) -> Sitemap:
    """sitemap.xml or an index of sitemaps, also gzipped or as plain lines. Raises Unreadable."""
    raw = _unpacked(body)
    if not raw.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        lines = [line.strip() for line in decoded(raw).splitlines()]
        pages = [(line, None) for line in lines if line.startswith(("http://", "https://"))]
        if not pages:
            raise Unreadable("Это не карта сайта.")
        return Sitemap(pages=pages, parts=())
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(decoded(raw).encode(), parser=parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unreadable(f"Карта сайта не читается: {error.__class__.__name__}.") from None
    if root is None or _local(root) not in ("urlset", "sitemapindex"):
        raise Unreadable("Это не карта сайта.")
    listed = [(_child(entry, "loc"), _moment(_last_change(entry))) for entry in root]
    found = [(urljoin(url, loc), moment) for loc, moment in listed if loc]
    if _local(root) == "sitemapindex":
        return Sitemap(pages=(), parts=[loc for loc, _ in found])
    return Sitemap(pages=found, parts=())


def links(body: bytes, *, url: str, content_type: str = "") -> list[str]:
    """Addresses on a list page that look like articles of the same site, in order, without repeats."""
    root = tree(decoded(body[:MAX_BYTES], content_type))
    host = _host(url)
    found: dict[str, str] = {}
    for link in root.iter("a"):
        target = _absolute(url, link.get("href"))
        if target is None or _host(target) != host or not _is_article(target, text_of(link)):
            continue
        found.setdefault(news_id(target), target)
    found.pop(news_id(url), None)
    return list(found.values())


def feeds(body: bytes, *, url: str, content_type: str = "") -> list[str]:
    """Feeds that the page announces (link rel=alternate)."""
    root = tree(decoded(body[:MAX_BYTES], content_type))
    found = []
    for link in root.iter("link"):
        kind = (link.get("type") or "").lower()
        if "alternate" in (link.get("rel") or "").lower().split() and kind in _FEED_TYPES:
            found.append(_absolute(url, link.get("href")))
    return list(dict.fromkeys(filter(None, found)))


def videos(answer: Any, context: Context) -> Parsed:
    """Rutube's open JSON list of videos: title and description of each; `next` is the next page's address.

    Its times carry no zone: Moscow.
    """
    if not isinstance(answer, Mapping) or not isinstance(answer.get("results"), list):
        raise Unreadable("В ответе Rutube нет results.")
    reading = Reading(context=context, url="https://rutube.ru/")
    for number, item in enumerate(answer["results"]):
        try:
            reading.video(item)
        except BadRecord as error:
            raw = as_raw({"results": [item]})
            reading.broken.append(Broken(place=f"results[{number}]", reason=str(error), raw=raw))
    following = answer.get("next")
    return reading.parsed(next=following if isinstance(following, str) else None)


def videos_address(url: str) -> str | None:
    """Open list of a Rutube channel's videos, when the address is that of a channel; None: it is not."""
    found = re.match(r"https?://(?:m\.|www\.)?rutube\.ru/(?:channel|video/person)/([0-9]+)(?:/|$)", url)
    return f"https://rutube.ru/api/video/person/{found[1]}/" if found else None


def is_video_list(body: bytes) -> bool:
    """Whether a body is Rutube's JSON list, and no JSON Feed."""
    return re.match(rb"\s*\{", body) is not None and re.search(rb'"results"\s*:\s*\[', body) is not None


def comments_address(url: str, *, listed_at: str) -> str | None:
    """Where Rutube gives the comments of a video of the list at `listed_at`; None: it does not."""
    found = re.search(r"/video/(?:private/)?([0-9a-f]{32})(?:/|$)", url)
    if found is None or (base := _absolute(listed_at, "/")) is None:
        return None
    return f"{base}api/comments/video/{found[1]}/"


def dzen_comments_address(body: bytes, *, url: str) -> str | None:
    """Where Дзен gives the comments of this page, by its meta `zen_object_id`. None: no page of Дзен."""
    if b"zen_object_id" not in body or (base := _absolute(url, "/")) is None:
        return None
    named = _meta(tree(decoded(body[:MAX_BYTES]))).get("zen_object_id", "")
    if (found := re.fullmatch(r"([0-9A-Za-z]{1,60}):([0-9A-Za-z]{1,60})", named)) is None:
        return None
    query = urlencode({"documentId": f"native:{found[2]}", "publicationPublisherId": found[1]})
    return f"{base}api/comments/v2/root-comments?{query}"


def comments(answer: Any, context: Context, *, post_id: str, url: str) -> Parsed:
    """Comments of Rutube (`results`) or Дзен (`items`) under our `post_id`, whose page is `url`.

    `next` is the next page's address, `threads` are comments of Rutube with replies (ask with parent_id).
    Both are undocumented (news.md 5): another shape raises Unreadable. Times without a zone are Moscow's.
    """
    if not isinstance(answer, Mapping):
        raise Unreadable("Ответ с комментариями — не объект JSON.")
    reading = Reading(context=context, url=url)
    name = "results" if "results" in answer else "items"
    listed = answer.get(name)
    if not isinstance(listed, list):
        raise Unreadable("В ответе с комментариями нет ни results, ни items.")
    for number, item in enumerate(listed):
        try:
            reading.comment(_rutube(item) if name == "results" else _dzen(item), post_id)
        except BadRecord as error:
            little = hidden_authors({name: [item], "parent": post_id, "url": url}, context, Network.NEWS)
            reading.broken.append(Broken(place=f"{name}[{number}]", reason=str(error), raw=as_raw(little)))
    following = answer.get("next")
    return reading.parsed(
        next=following if isinstance(following, str) else None, threads=tuple(reading.threads)
    )


def _rutube(item: Any) -> Mapping[str, Any]:
    """{id, text, date, author, likes, replies, over} of a comment."""
    if not isinstance(item, Mapping):
        raise BadRecord("вместо комментария пришло другое")
    user = item.get("user") if isinstance(item.get("user"), Mapping) else item.get("author")
    return {
        "id": item.get("id"),
        "text": item.get("text"),
        "date": _moment(item.get("created_ts") or item.get("publication_ts")),
        "author": user.get("id") if isinstance(user, Mapping) else user,
        "likes": whole(item.get("likes_number")),
        "replies": whole(item.get("replies_number")) or 0,
        "over": item.get("parent_id"),
    }


def _dzen(item: Any) -> Mapping[str, Any]:
    about = item.get("entityData") if isinstance(item, Mapping) else None
    if not isinstance(about, Mapping):
        raise BadRecord("у комментария нет entityData")
    return {
        "id": about.get("id"),
        "text": about.get("text"),
        "date": from_unix(about.get("createdTs"), "createdTs", unit=timedelta(milliseconds=1)),
        "author": about.get("authorSafeUid") or about.get("authorUid"),
        "likes": whole(about.get("likes")),
        "replies": 0,
        "over": None,
    }


def news_id(url: str) -> str:
    """`news:` and a hash of the address without what does not change the page (scheme, www, utm_, #)."""
    return f"news:{hashlib.sha256(_plain(url).encode('utf-8', 'replace')).hexdigest()[:20]}"


_TRACKING = re.compile(
    r"utm_\w+|yclid|gclid|fbclid|_openstat|ysclid|from|ref|rss|erid|spm|amp", re.IGNORECASE
)  # parameters that say where a reader came from
_FEED_TYPES = frozenset(
    "application/rss+xml application/atom+xml application/rdf+xml application/feed+json".split()
)


def _plain(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        query = [(name, value) for name, value in parse_qsl(parts.query) if not _TRACKING.fullmatch(name)]
        host = (parts.hostname or "").removeprefix("www.")
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return url.strip()
    return f"{host}{port}{parts.path.rstrip('/')}?{urlencode(sorted(query))}".rstrip("?")


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _absolute(base: str, href: Any) -> str | None:
    if not isinstance(href, str) or not href.strip():
        return None
    try:
        parts = urlsplit(urljoin(base, href.strip()))
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    return urlunsplit(parts._replace(fragment=""))[:2000]


@dataclass(slots=True)
class Reading:
    """One body while it is read; collects what its entries give."""

    context: Context
    url: str
    site: str = ""  # title of the feed or the site
    posts: list[Post] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    links: dict[str, None] = field(default_factory=dict)
    threads: list[Thread] = field(default_factory=list)
    left_out: int = 0

    def parsed(self, **facts: Any) -> Parsed:
        return Parsed(
            posts=tuple(self.posts),
            broken=tuple(self.broken),
            mentions=tuple(self.mentions),
            links=tuple(self.links),
            left_out=self.left_out,
            **facts,
        )

    def add(
        self,
        *,
        url: str,
        title: str,
        text: str,
        moment: datetime,
        attachments: Sequence[Attachment] = (),
        counters: Counters | None = None,
        identity: str | None = None,
        author: str | None = None,
        is_edited: bool = False,
    ) -> None:
        post_id = identity or news_id(url)
        source = self._source(url)
        self.mentions += named(text, post_id=post_id, own=f"https://{_host(url)}")
        self.posts.append(
            Post(
                id=post_id,
                network=Network.NEWS,
                kind=PostKind.POST,
                source=title_of(source, self.site or _host(url) or "Новости"),
                source_id=source.id if source else None,
                source_home=source.home if source else None,
                author=self.context.author(Network.NEWS, author or _host(url) or url),
                author_kind=voice(source, is_community=True, is_own=True),
                published_at=moment,
                collected_at=self.context.fetched_at,
                text=_joined(title, text),
                url=url,
                attachments=tuple(attachments),
                counters=counters or Counters(),
                is_edited=is_edited,
            )
        )

    def _source(self, url: str) -> Source | None:
        return self.context.source_for(_host(url), _host(self.url))

    def comment(self, item: Mapping[str, Any], post_id: str) -> None:
        number, text, moment = item["id"], item["text"], item["date"]
        if not isinstance(number, str | int) or not isinstance(text, str):
            raise BadRecord("у комментария нет id или text")
        if moment is None:
            raise BadRecord("нет даты комментария")
        author, over, source = item["author"], item["over"], self._source(self.url)
        comment_id = f"{post_id}_r{number}"
        self.mentions += named(text, post_id=comment_id, own=f"https://{_host(self.url)}")
        self.posts.append(
            Post(
                id=comment_id,
                network=Network.NEWS,
                kind=PostKind.COMMENT,
                source=title_of(source, _host(self.url) or "Новости"),
                source_id=source.id if source else None,
                source_home=source.home if source else None,
                author=self.context.author(
                    Network.NEWS, author if isinstance(author, str | int) else comment_id
                ),
                author_kind=AuthorKind.PERSON,
                published_at=moment,
                collected_at=self.context.fetched_at,
                text=_words(text),
                parent_id=post_id,
                reply_to_id=f"{post_id}_r{over}" if over else None,
                url=self.url,
                counters=Counters(likes=item["likes"]),
            )
        )
        if item["replies"]:
            self.threads.append(Thread(comment_id=str(number), replies=item["replies"], read=0))

    def video(self, item: Any) -> None:
        if not isinstance(item, Mapping):
            raise BadRecord("вместо видео пришло другое")
        if item.get("is_hidden") is True:
            self.left_out += 1
            return
        url = _absolute(self.url, item.get("video_url"))
        if url is None:
            raise BadRecord("нет адреса видео")
        moment = _moment(item.get("publication_ts") or item.get("created_ts"))
        if moment is None:
            raise BadRecord("нет даты видео")
        title = _line(item.get("title"))
        channel = item.get("author")
        channel = channel if isinstance(channel, Mapping) else {}
        self.site = _line(channel.get("name"))
        number = whole(channel.get("id"))
        self.add(
            author=f"rutube:{number}" if number is not None else None,
            url=url,
            title=title,
            text=_words(item.get("description")),
            moment=moment,
            attachments=[Attachment(kind="video", url=url, title=title)],
            counters=Counters(views=whole(item.get("hits"))),
        )


def _xml_feed(text: str, reading: Reading) -> None:
    if (plain := plain_rss(text, reading.url)) is not None:
        reading.site = _line(plain.title)
        for entry in plain.entries[:MAX_ENTRIES]:
            _entry(entry, reading)
        reading.left_out += max(0, len(plain.entries) - MAX_ENTRIES)
        return
    body = re.sub(r"^<\?xml[^>]{0,200}\?>", "", text).encode("utf-8", "replace")
    found = feedparser.parse(  # bytes only: a text that looks like an address would be fetched
        io.BytesIO(b'<?xml version="1.0" encoding="utf-8"?>' + body),
        response_headers={
            "content-type": "application/xml; charset=utf-8",
            "content-location": reading.url,
        },
        resolve_relative_uris=False,  # done here, for links only
        sanitize_html=False,  # only text is taken
    )
    if not found.get("version") and not found.entries:
        raise Unreadable("Это не лента RSS или Atom.")
    reading.site = _line(found.feed.get("title"))
    for number, entry in enumerate(found.entries[:MAX_ENTRIES]):
        try:
            # a plain dict: feedparser's own gives `published` for a missing `updated`, with a warning
            _entry({**entry, "enclosures": entry.get("enclosures")}, reading)
        except BadRecord as error:
            raw = as_raw(
                {key: dict(entry).get(key) for key in ("link", "id", "title", "published", "summary")}
            )
            reading.broken.append(Broken(place=f"item[{number}]", reason=str(error), raw=raw))
    reading.left_out += max(0, len(found.entries) - MAX_ENTRIES)


@dataclass(frozen=True, slots=True)
class PlainRss:
    title: str
    entries: Sequence[Mapping[str, Any]]  #: under the names that feedparser gives


def plain_rss(text: str, url: str) -> PlainRss | None:
    """A well-formed RSS 2.0 whose items hold only what nearly all do, read as feedparser reads it at a
    third of its price. None: something else stands in it, feedparser has to read it."""
    if not text[:2_000].lstrip().startswith(("<rss", "<?xml")):
        return None
    try:
        root = etree.fromstring(_DECLARATION.sub("", text).encode(), parser=_strict_parser())
    except (etree.XMLSyntaxError, ValueError):
        return None
    channels = list(root) if root.tag == "rss" else []
    if len(channels) != 1 or channels[0].tag != "channel" or _has_base(root, channels[0]):
        return None
    titles: list[str | None] = []
    entries = []
    for child in channels[0]:
        if child.tag == "item":
            entry = _plain_item(child, url)
            if entry is None:
                return None
            entries.append(entry)
        elif child.tag == "title":
            titles.append(_plain_text(child))
        elif not isinstance(child.tag, str) or child.tag.endswith("}title") or _has_base(child):
            return None
    if len(titles) > 1 or None in titles or not entries:
        return None
    return PlainRss(title=(titles[0] or "") if titles else "", entries=entries)


_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
_FULL_TEXT = "{http://news.yandex.ru}full-text"
_FIELDS = {"title": "title", "description": "summary", "pubDate": "published", "link": "link"} | {
    _CONTENT: "content",
    _FULL_TEXT: "yandex_full-text",
}
_PASSED_OVER = frozenset("guid author category comments {http://purl.org/dc/elements/1.1/}creator".split())
_MISREAD = re.compile("[\x80-\x9f]|[\xc2-\xf4][\x80-\xbf]")  # feedparser mends these in its own way
_ENTITY = re.compile(r"&\w+;")  # in an address: too


def _strict_parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )


def _has_base(*elements: Any) -> bool:
    return any(element.get("{http://www.w3.org/XML/1998/namespace}base") for element in elements)


def _plain_item(item: Any, url: str) -> dict[str, Any] | None:
    """None: not plain. The link is there, leads to the web, and the date can be read."""
    entry: dict[str, Any] = {}
    enclosures = []
    for child in item:
        if _has_base(child):
            return None
        if child.tag == "enclosure":
            enclosures.append({"href": child.get("url"), "type": child.get("type")})
            continue
        if child.tag in _PASSED_OVER:
            continue
        name = _FIELDS.get(child.tag)
        value = _plain_text(child) if name is not None and name not in entry else None
        if name is None or value is None:
            return None
        entry[name] = [{"value": value}] if name == "content" else value
    link = entry.get("link", "")
    if _absolute(url, link) is None or _ENTITY.search(link) or _has_base(item):
        return None
    if "published" in entry and _moment(entry["published"]) is None:
        return None
    return {**entry, "enclosures": enclosures}


def _plain_text(element: Any) -> str | None:
    """Text of an element without others inside; None: there are, or feedparser would mend its letters."""
    text = (element.text or "").strip()
    is_odd = len(element) or element.attrib or (not text.isascii() and _MISREAD.search(text))
    return None if is_odd else text


def _entry(entry: Mapping[str, Any], reading: Reading) -> None:
    url = _absolute(reading.url, entry.get("link"))
    guid = entry.get("id")
    if url is None and isinstance(guid, str):
        url = _absolute("", guid)
    if url is None and not isinstance(guid, str):
        raise BadRecord("нет ни ссылки, ни guid")
    title = _words(entry.get("title"))
    contents = [one.get("value") for one in entry.get("content") or () if isinstance(one, Mapping)]
    full = max((_words(value) for value in (*contents, entry.get("yandex_full-text"))), key=len, default="")
    summary = _words(entry.get("summary"))
    text = full if len(full) >= len(summary) else summary
    moment = _feed_date(entry)
    if url is not None and (moment is None or len(text) < FULL_TEXT_CHARACTERS):
        reading.links[url] = None
    if moment is None:
        if url is None:
            raise BadRecord("нет даты")
        reading.left_out += 1  # the page itself may tell
        return
    identity = None if url else news_id(f"{_host(reading.url)}/{guid}")
    reading.add(
        url=url or reading.url,
        title=title,
        text=text,
        moment=moment,
        attachments=_media(entry, reading.url),
        identity=identity,
    )


_ZONE = re.compile(r"(?:Z|GMT|UTC?|[A-Z]{3,4}|[+-][0-9]{2}:?[0-9]{2})\s*$")
_MOSCOW_ZONE = re.compile(r"(?:MSK|МСК)\s*$", re.IGNORECASE)
_RUSSIAN_DATE = re.compile(
    r"([0-9]{1,2})[./]([0-9]{1,2})[./]([0-9]{4})(?:[ ,в]{1,4}([0-9]{1,2}):([0-9]{2}))?"
)


def _feed_date(entry: Mapping[str, Any]) -> datetime | None:
    """UTC time of an entry. A date without a zone, or in MSK (unknown to the parser), is Moscow's."""
    for name in ("published", "created", "updated", "date"):
        raw, parsed = entry.get(name), entry.get(f"{name}_parsed")
        if not isinstance(raw, str):
            continue
        if parsed is None:
            moment = _moment(raw)
        else:
            try:
                moment = datetime.fromtimestamp(timegm(parsed), UTC)
            except (ValueError, OverflowError, TypeError):
                continue
            if _MOSCOW_ZONE.search(raw) or not _ZONE.search(raw):
                moment = moment.replace(tzinfo=MOSCOW).astimezone(UTC)
        if moment is not None and 1990 <= moment.year <= 9000:
            return moment
    return None


def _moment(value: Any) -> datetime | None:
    """Aware UTC time of ISO 8601 or of 26.10.2021, 22:53; without a zone it is Moscow's. None: no date."""
    if not isinstance(value, str):
        return None
    raw = value.strip()
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        match = _RUSSIAN_DATE.search(raw)
        if match is None:
            return _mail_date(raw)
        day, month, year, hour, minute = (int(part or 0) for part in match.groups())
        try:
            moment = datetime(year, month, day, hour, minute, tzinfo=MOSCOW)
        except ValueError:
            return None
    if not 1990 <= moment.year <= 9000:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=MOSCOW)).astimezone(UTC)


def _mail_date(raw: str) -> datetime | None:
    """`Tue, 24 Nov 2026 11:00:00`, whose zone the site forgot."""
    try:
        moment = parsedate_to_datetime(raw)
    except (ValueError, OverflowError):
        return None
    if not 1990 <= moment.year <= 9000:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=MOSCOW)).astimezone(UTC)


def _media(entry: Mapping[str, Any], base: str) -> list[Attachment]:
    """Enclosures and pictures, each address once."""
    found: dict[str, str] = {}
    for name in ("enclosures", "media_content", "media_thumbnail"):
        for one in entry.get(name) or ():
            if not isinstance(one, Mapping):
                continue
            url = _absolute(base, one.get("href") or one.get("url"))
            kind = str(one.get("type") or one.get("medium") or "image").partition("/")[0]
            if url is not None:
                found.setdefault(
                    url, {"image": "photo", "video": "video", "audio": "audio"}.get(kind, "document")
                )
    return [Attachment(kind=kind, url=url) for url, kind in found.items()]


def _json_feed(answer: Any, reading: Reading) -> None:
    if not isinstance(answer, Mapping) or not isinstance(answer.get("items"), list):
        raise Unreadable("Это не JSON Feed.")
    reading.site = _line(answer.get("title"))
    for number, item in enumerate(answer["items"][:MAX_ENTRIES]):
        try:
            if not isinstance(item, Mapping):
                raise BadRecord("вместо записи пришло другое")
            _entry(_as_entry(item), reading)
        except BadRecord as error:
            place = f"items[{number}]"
            reading.broken.append(Broken(place=place, reason=str(error), raw=as_raw({"items": [item]})))


def _as_entry(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of JSON Feed under the names that feedparser gives."""
    number = item.get("id")
    html, text = item.get("content_html"), item.get("content_text")
    listed = item.get("attachments")
    files = [
        {"href": one.get("url"), "type": one.get("mime_type")}
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping)
    ]
    image = item.get("image")
    return {
        "link": item.get("url") or item.get("external_url"),
        "id": str(number) if isinstance(number, str | int) else None,
        "title": item.get("title"),
        "summary": item.get("summary"),
        "content": [{"value": value} for value in (html, text) if isinstance(value, str)],
        "published": item.get("date_published"),
        "updated": item.get("date_modified"),
        "enclosures": files + ([{"href": image, "type": "image/any"}] if isinstance(image, str) else []),
    }


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the head of a page says of it."""

    url: str  # canonical
    title: str
    site: str
    description: str
    published: datetime | None
    modified: datetime | None
    is_video: bool
    image: str | None

    @classmethod
    def of(cls, root: Element, url: str) -> _Facts:
        meta = _meta(root)
        linked = _linked_data(root)
        video = next((one for one in linked if "VideoObject" in _types(one)), None)
        news = next((one for one in linked if _types(one) & _ARTICLES), None) or {}
        about = video or news
        published = [
            *(about.get(name) for name in ("datePublished", "uploadDate", "dateCreated")),
            *(meta.get(name) for name in _DATES),
            *(time.get("datetime") for time in root.iter("time") if time.get("datetime")),
        ]
        kind = meta.get("og:type", "")
        return cls(
            url=_canonical(root, meta, url),
            title=_line(about.get("headline") or about.get("name") or meta.get("og:title") or _heading(root)),
            site=_line(meta.get("og:site_name")),
            description=_words(
                about.get("description") or meta.get("og:description") or meta.get("description")
            ),
            published=next((moment for value in published if (moment := _moment(value))), None),
            modified=_moment(about.get("dateModified") or meta.get("article:modified_time")),
            is_video=video is not None or kind.startswith("video") or _VIDEO_PAGE.search(url) is not None,
            image=_absolute(url, meta.get("og:image")),
        )


_ARTICLES = frozenset("NewsArticle Article BlogPosting ReportageNewsArticle".split())
_DATES = (
    "article:published_time video:release_date og:video:release_date ya:ovs:upload_date datepublished"
    " pubdate date dc.date"
).split()
_VIDEO_PAGE = re.compile(
    r"//(?:m\.|www\.)?(?:vk(?:video)?\.(?:com|ru)/(?:video|clip)-?[0-9]|rutube\.ru/video/|dzen\.ru/video/)"
)


def _page(root: Element, facts: _Facts, reading: Reading, known_date: datetime | None) -> None:
    reading.site = facts.site
    text = facts.description if facts.is_video else _article_text(root)
    if len(text) < SHORTEST_ARTICLE and not (facts.is_video and facts.title):
        reading.left_out += 1
        return
    moment = known_date or facts.published or _found_date(root, facts.url)
    if moment is None:
        raise BadRecord("на странице нет даты")
    attachments = [Attachment(kind="photo", url=facts.image)] if facts.image else []
    if facts.is_video:
        attachments = [Attachment(kind="video", url=facts.url, title=facts.title)]
    reading.add(
        url=facts.url,
        title=facts.title,
        text=text,
        moment=moment,
        attachments=attachments,
        is_edited=facts.modified is not None and facts.modified > moment,
    )


def _article_text(root: Element) -> str:
    """Text of an article by trafilatura, without menus and comments; empty: there is none."""
    markup = etree.tostring(root, encoding="unicode", method="html")
    found = trafilatura.bare_extraction(markup, options=_extraction())
    text = getattr(found, "text", None)
    return presentable(text) if isinstance(text, str) else ""


@cache
def _extraction() -> Extractor:
    """Read from trafilatura's configuration once: a ninth of the cost of an article. The second extractor,
    which `fast` would leave out, stays: it finds the text of pages that the first one misses."""
    return Extractor(output_format="python", comments=False, tables=True, with_metadata=False)


def _found_date(root: Element, url: str) -> datetime | None:
    """Date written into the address or the page in Russian figures; only a day, so noon in Moscow."""
    match = re.search(r"/(20[0-9]{2})[/-]([01]?[0-9])[/-]([0-3]?[0-9])(?:/|-|_|$)", url)
    if match is not None:
        return _moment(f"{match[1]}-{int(match[2]):02}-{int(match[3]):02}T12:00")
    for name in ("date", "news-date", "published", "time", "created", "pubdate"):
        for element in root.xpath("//*[contains(concat('-', @class, '-'), $name)]", name=name)[:20]:
            if moment := _moment(text_of(element)[:60]):
                return moment
    return None


def _meta(root: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in root.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop")
        content = element.get("content")
        if name and content:
            found.setdefault(name.strip().lower(), content)
    return found


def _linked_data(root: Element) -> list[Mapping[str, Any]]:
    """Objects of the page's JSON-LD, those inside @graph too; broken blocks are passed over."""
    found: list[Mapping[str, Any]] = []
    for script in root.iter("script"):
        if (script.get("type") or "").strip().lower() != "application/ld+json":
            continue
        try:
            waiting = [json.loads(script.text or "", strict=False)]
        except (ValueError, RecursionError):
            continue
        while waiting and len(found) < 50:
            one = waiting.pop(0)
            if isinstance(one, list):
                waiting += one
            elif isinstance(one, Mapping):
                found.append(one)
                waiting += [one[name] for name in ("@graph", "mainEntity", "video") if name in one]
    return found


def _types(about: Mapping[str, Any]) -> set[str]:
    kind = about.get("@type")
    listed = kind if isinstance(kind, list) else [kind]
    return {one for one in listed if isinstance(one, str)}


def _canonical(root: Element, meta: Mapping[str, str], url: str) -> str:
    """Address the page gives itself; one on another site or a bare front page is a mistake of the site."""
    candidates = [
        link.get("href") for link in root.iter("link") if "canonical" in (link.get("rel") or "").lower()
    ]
    for candidate in (*candidates, meta.get("og:url")):
        found = _absolute(url, candidate)
        if (
            found
            and _host(found) == _host(url)
            and (urlsplit(found).path.strip("/") or urlsplit(found).query)
        ):
            return found
    return url


def _heading(root: Element) -> str:
    for tag in ("h1", "title"):
        for element in root.iter(tag):
            if text := text_of(element):
                return text
    return ""


def _is_article(url: str, anchor: str) -> bool:
    """Whether a link leads to an article: a number or a long name in its address, words as its text."""
    parts = urlsplit(url)
    if _DZEN_PAGE.match(url):
        return len(anchor) >= 12
    last = parts.path.rstrip("/").rpartition("/")[2]
    if _NOT_ARTICLE.search(parts.path) or _PAGING.search(parts.query):
        return False
    has_number = re.search(r"[0-9]{2,}", parts.path) or re.search(r"=[0-9]{2,}", parts.query)
    is_long_name = last.count("-") >= 3 or last.count("_") >= 3
    return bool(has_number or is_long_name) and len(anchor) >= 12 and len(anchor.split()) >= 2


_DZEN_PAGE = re.compile(
    r"https?://(?:www\.)?dzen\.ru/(?:[ab]/[\w-]{8,40}|video/watch/[0-9a-f]{16,40})(?:[?#]|$)"
)
_NOT_ARTICLE = re.compile(
    r"\.(?:jpe?g|png|gif|webp|pdf|docx?|xlsx?|zip|rar|mp[34])$|/(?:tag|tags|category|author|user|login|search)/",
    re.I,
)
_PAGING = re.compile(r"(?:^|&)(?:page|PAGEN_[0-9]+|start|offset)=[0-9]+(?:&|$)(?!.*news_full)")


def _unpacked(body: bytes) -> bytes:
    """A gzipped sitemap, at most MAX_SITEMAP_BYTES of it. Raises Unreadable on a bomb or broken gzip."""
    if not body.startswith(b"\x1f\x8b"):
        return body[:MAX_SITEMAP_BYTES]
    unpacker = zlib.decompressobj(wbits=31)
    try:
        raw = unpacker.decompress(body, MAX_SITEMAP_BYTES)
    except zlib.error:
        raise Unreadable("Карта сайта: испорченный gzip.") from None
    if unpacker.unconsumed_tail:
        raise Unreadable("Карта сайта слишком велика.")
    return raw


def _local(element: Any) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _child(entry: Any, *names: str) -> str:
    for child in entry.iter():
        if child is not entry and _local(child) in names and child.text and child.text.strip():
            return str(child.text.strip())
    return ""


def _last_change(entry: Any) -> str:
    return _child(entry, "lastmod") or _child(entry, "publication_date")


def _words(value: Any) -> str:
    """Text of a field that may hold HTML; «Читать далее…» at its end is no text."""
    if not isinstance(value, str) or not value.strip():
        return ""
    has_markup = "<" in value or "&" in value
    text = text_of(tree(f"<div>{value[: 4 * MAX_CHARACTERS]}</div>")) if has_markup else value
    return presentable(_READ_ON.sub("", text.rstrip()))


_READ_ON = re.compile(
    r"(?:\s|^)(?:Читать (?:далее|полностью|дальше)|Подробнее|Read more)[\s.…»→>]*$", re.IGNORECASE
)


def _line(value: Any) -> str:
    return " ".join(_words(value).split())


def _joined(title: str, text: str) -> str:
    if not title or text.startswith(title):
        return text[:MAX_CHARACTERS]
    return f"{title}\n\n{text}".strip()[:MAX_CHARACTERS]
