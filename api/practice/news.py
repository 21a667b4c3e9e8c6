"""News sites: RSS, article pages, lists of articles, sitemap and robots.txt, with conditional GET."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from markupsafe import escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.practice.exchange import Exchange, Refusal, Reply, html_reply
from api.practice.faults import Fault, FaultKind
from api.practice.pages import page
from api.practice.stand import Answer, Stand
from api.practice.world import Access, Community, Entry
from index.domain.post import Network

MOSCOW = timezone(timedelta(hours=3))
IN_FEED, ON_PAGE = 30, 20


class News:
    """Paths: /news/<site>/rss.xml, …/item/<n>, …/ (the list), …/sitemap.xml, …/private/, and /robots.txt.

    Facts of a site in `more`: `charset` (default utf-8), `has_feed` False (only the list of articles).
    """

    network = Network.NEWS

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._world = stand.world

    @property
    def routes(self) -> list[Route]:
        pages = {
            "/robots.txt": self._robots,
            "/news/{site}/rss.xml": self._feed,
            "/news/{site}/sitemap.xml": self._sitemap,
            "/news/{site}/item/{number:int}": self._article,
            "/news/{site}/private/{rest:path}": self._private,
            "/news/{site}/": self._list,
        }
        return [Route(path, self._on(answer), methods=["GET", "HEAD"]) for path, answer in pages.items()]

    def _on(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def on_call(request: Request) -> Response:
            return await self._stand.serve(self, request.url.path.removeprefix("/news"), request, answer)

        return on_call

    def refusal(self, refusal: Refusal, exchange: Exchange) -> Reply:
        said = escape(refusal.message)
        reply = html_reply(f"<html><head><title>{said}</title></head><body><h1>{said}</h1></body></html>")
        reply.status = refusal.status
        reply.headers |= refusal.more.get("headers", {})
        return reply

    def as_refusal(self, fault: Fault, exchange: Exchange) -> Refusal:
        if fault.kind in (FaultKind.RATE, FaultKind.FLOOD):
            return Refusal(429, "Too Many Requests", status=429, headers={"retry-after": "3"})
        if fault.kind is FaultKind.ERROR:
            code = int(fault.code or 500)
            return Refusal(code, f"HTTP {code}", status=code)
        return Refusal(403, "Доступ ограничен", status=403)

    # pages ------------------------------------------------------------------------------------------------

    async def _robots(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            sites = list(self._world.of(Network.NEWS))
            rules = [f"Disallow: /news/{site.address}/private/" for site in sites]
            rules += [f"Disallow: /news/{site.address}/" for site in sites if site.access is not Access.OPEN]
            maps = [f"Sitemap: {self._address(site)}/sitemap.xml" for site in sites]
        text = "\n".join(["User-agent: *", *rules, *maps, ""])
        return Reply(body=text.encode(), headers={"content-type": "text/plain; charset=utf-8"})

    async def _feed(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            site = self._site(exchange)
            if site.more.get("has_feed") is False:
                raise Refusal(404, "Страница не найдена", status=404)
            entries = site.standing(exchange.at)
            facts = {
                "items": [self._item(e) for e in entries[:IN_FEED]],
                "changed": _rss_date(_changed(entries)),
            }
            return self._page(site, "news_feed.xml", "application/rss+xml", entries, exchange, **facts)

    async def _article(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            site, number = self._site(exchange), int(exchange.path.rpartition("/")[2])
            entry = self._stand.entry(site, number, at=exchange.at)
            if entry is None:
                status = 410 if number in site.entries else 404
                raise Refusal(status, "Страница не найдена", status=status)
            others = [e for e in site.standing(entry.at)[:4] if e is not entry]
            facts = {
                "item": self._item(entry),
                "comments": [
                    {"author": c.author.name, "text": c.text, "iso": c.at.isoformat(), "local": _local(c.at)}
                    for c in entry.live_comments()
                ],
                "others": [self._item(e) for e in others],
            }
            return self._page(site, "news_article.html", "text/html", [entry], exchange, **facts)

    async def _list(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            site = self._site(exchange)
            entries = site.standing(exchange.at)
            number = max(1, int(exchange.parameters.get("page", "1") or 1))
            shown = entries[(number - 1) * ON_PAGE : number * ON_PAGE]
            older = number + 1 if number * ON_PAGE < len(entries) else None
            facts = {"items": [self._item(e) for e in shown], "older": older}
            return self._page(site, "news_list.html", "text/html", entries, exchange, **facts)

    async def _sitemap(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            site = self._site(exchange)
            entries = site.standing(exchange.at)
            facts = {"items": [self._item(e) for e in entries]}
            return self._page(site, "news_sitemap.xml", "application/xml", entries, exchange, **facts)

    async def _private(self, exchange: Exchange) -> Reply:
        """robots.txt asks to stay out; a polite crawler is never seen here."""
        return html_reply("<html><body>Служебный раздел</body></html>")

    # parts ------------------------------------------------------------------------------------------------

    def _site(self, exchange: Exchange) -> Community:
        name = exchange.path.removeprefix("/news/").partition("/")[0]
        site = self._world.communities.get((Network.NEWS, name))
        if site is None:
            raise Refusal(404, "Страница не найдена", status=404)
        if site.access is Access.BLOCKED:
            raise Refusal(403, "Доступ ограничен", status=403)
        return site

    def _address(self, site: Community) -> str:
        return f"{self._stand.base_url}/news/{site.address}"

    def _item(self, entry: Entry) -> dict[str, Any]:
        title, rest = _title(entry)
        local = entry.at.astimezone(MOSCOW)
        return {
            "title": title,
            "lead": (rest or title)[:300],
            "paragraphs": [part for part in (rest or entry.text).split("\n") if part.strip()],
            "url": f"{self._stand.base_url}/news/{entry.key}",
            "number": entry.number,
            "date": _rss_date(entry.at),
            "iso": local.isoformat(timespec="seconds"),
            "local": _local(entry.at),
            "day": f"{local:%d.%m.%Y}",
            "changed": _changed([entry]).isoformat(timespec="seconds"),
            "photos": [
                {"url": self._stand.photo_url(p), "mime": p.mime, "bytes": len(p.content), "alt": p.alt}
                for p in entry.photos
            ],
        }

    def _page(
        self,
        site: Community,
        template: str,
        kind: str,
        entries: Sequence[Entry],
        exchange: Exchange,
        **facts: Any,
    ) -> Reply:
        """The page in the site's charset; 304 for the reader who has this very version."""
        charset = str(site.more.get("charset", "utf-8"))
        about = {
            "title": site.title,
            "url": self._address(site),
            "about": str(site.more.get("description", site.title)),
            "has_feed": site.more.get("has_feed") is not False,
        }
        body = page(template, charset=charset, site=about, **facts).encode(
            charset, errors="xmlcharrefreplace"
        )
        changed, etag = _changed(entries), f'"{hashlib.sha256(body).hexdigest()[:24]}"'
        headers = {
            "content-type": f"{kind}; charset={charset}",
            "etag": etag,
            "last-modified": format_datetime(changed.astimezone(UTC).replace(microsecond=0), usegmt=True),
            "cache-control": "max-age=0",
        }
        if _is_same(exchange, etag, changed):
            return Reply(body=b"", status=304, headers=headers)
        return Reply(body=b"" if exchange.verb == "HEAD" else body, headers=headers)


def _is_same(exchange: Exchange, etag: str, changed: datetime) -> bool:
    """The ETag wins over the date."""
    if given := exchange.headers.get("if-none-match"):
        return etag in [part.strip().removeprefix("W/") for part in given.split(",")]
    if since := exchange.headers.get("if-modified-since"):
        try:
            return changed.replace(microsecond=0) <= parsedate_to_datetime(since)
        except ValueError:
            return False
    return False


def _changed(entries: Sequence[Entry]) -> datetime:
    """When the page last changed; a site without articles has not changed since long ago."""
    moments = [e.edited_at or e.publish_at or e.at for e in entries]
    moments += [c.edited_at or c.at for e in entries for c in e.comments]
    return max(moments, default=datetime(2026, 1, 1, tzinfo=UTC))


def _title(entry: Entry) -> tuple[str, str]:
    """Title and the rest: the first line, or the first sentence of a single line."""
    first, _, rest = entry.text.partition("\n")
    if not rest.strip():
        head, stop, tail = first.partition(". ")
        first, rest = (head, tail) if stop and len(head) <= 120 else (first, "")
    return first[:160].strip(), rest.strip()


def _rss_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(MOSCOW).replace(microsecond=0))


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(MOSCOW):%d.%m.%Y, %H:%M}"
