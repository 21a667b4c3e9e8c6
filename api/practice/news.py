"""News sites: RSS, article pages, lists of articles, sitemap and robots.txt, with conditional GET."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.practice.exchange import Exchange, Refusal, Reply
from api.practice.faults import Fault, FaultKind
from api.practice.stand import Answer, Stand
from api.practice.world import Access, Community, Entry
from index.domain.post import Network

MOSCOW = timezone(timedelta(hours=3))
IN_FEED, ON_PAGE = 30, 20


class News:
    """Paths: /news/<site>/rss.xml, /news/<site>/item/<n>, /news/<site>/, …/sitemap.xml, …/private/, /robots.txt.

    Facts of a site in `more`: `charset` (default utf-8), `has_feed` False (only the list of articles).
    """

    network = Network.NEWS

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._world = stand.world

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/robots.txt", self._on(self._robots), methods=["GET", "HEAD"]),
            Route("/news/{site}/rss.xml", self._on(self._feed), methods=["GET", "HEAD"]),
            Route("/news/{site}/sitemap.xml", self._on(self._sitemap), methods=["GET", "HEAD"]),
            Route("/news/{site}/item/{number:int}", self._on(self._article), methods=["GET", "HEAD"]),
            Route("/news/{site}/private/{rest:path}", self._on(self._private), methods=["GET", "HEAD"]),
            Route("/news/{site}/", self._on(self._list), methods=["GET", "HEAD"]),
        ]

    def _on(self, answer: Answer) -> object:
        async def on_call(request: Request) -> Response:
            return await self._stand.serve(self, request.url.path.removeprefix("/news"), request, answer)

        return on_call

    def refusal(self, refusal: Refusal, exchange: Exchange) -> Reply:
        page = f"<html><head><title>{refusal.code}</title></head><body><h1>{escape(refusal.message)}</h1></body></html>"
        headers = {"content-type": "text/html; charset=utf-8"} | refusal.more.get("headers", {})
        return Reply(body=page.encode(), status=refusal.status, headers=headers)

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
            rules = "".join(f"Disallow: /news/{site.address}/private/\n" for site in sites)
            closed = "".join(
                f"Disallow: /news/{site.address}/\n" for site in sites if site.access is not Access.OPEN
            )
            maps = "".join(f"Sitemap: {self._address(site)}/sitemap.xml\n" for site in sites)
        text = f"User-agent: *\n{rules}{closed}Crawl-delay: 0\n{maps}"
        return Reply(body=text.encode(), headers={"content-type": "text/plain; charset=utf-8"})

    async def _feed(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            site = self._site(exchange)
            if site.more.get("has_feed") is False:
                raise Refusal(404, "Страница не найдена", status=404)
            entries = site.standing(exchange.at)
            changed = _changed(entries)
            items = "".join(self._item(e) for e in entries[:IN_FEED])
            text = (
                '<?xml version="1.0" encoding="CHARSET"?>\n'
                '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom">\n'
                f"<channel>\n<title>{escape(site.title)}</title>\n<link>{self._address(site)}/</link>\n"
                f'<atom:link href="{self._address(site)}/rss.xml" rel="self" type="application/rss+xml"/>\n'
                f"<description>{escape(str(site.more.get('description', site.title)))}</description>\n<language>ru</language>\n"
                f"<pubDate>{_rss_date(changed)}</pubDate>\n{items}</channel>\n</rss>\n"
            )
            return self._conditional(site, text, "application/rss+xml", changed, exchange)

    def _item(self, entry: Entry) -> str:
        title, rest = _title(entry)
        lead = (rest or title)[:300]
        address = self._entry_address(entry)
        picture = ""
        if entry.photos:
            url = self._stand.photo_url(entry.photos[0])
            picture = f'<media:thumbnail url="{url}" />\n<enclosure url="{url}" type="{entry.photos[0].mime}" length="{len(entry.photos[0].content)}"/>\n'
        return (
            f"<item>\n<title>{escape(title)}</title>\n<link>{address}</link>\n<pubDate>{_rss_date(entry.at)}</pubDate>\n"
            f'<guid isPermaLink="false">{self._address(entry.community)}/?p={entry.number}</guid>\n'
            f'<description><![CDATA[<p>{escape(lead)}</p>\n<p><a href="{address}">Читать далее…</a></p>]]></description>\n'
            f"{picture}</item>\n"
        )

    async def _article(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            site = self._site(exchange)
            entry = self._stand.entry(site, int(exchange.path.rpartition("/")[2]), at=exchange.at)
            if entry is None:
                gone = int(exchange.path.rpartition("/")[2]) in site.entries
                raise Refusal(410 if gone else 404, "Страница не найдена", status=410 if gone else 404)
            return self._conditional(
                site, self._article_page(site, entry), "text/html", _changed([entry]), exchange
            )

    def _article_page(self, site: Community, entry: Entry) -> str:
        title, rest = _title(entry)
        paragraphs = "".join(
            f"<p>{escape(part)}</p>\n" for part in (rest or entry.text).split("\n") if part.strip()
        )
        pictures = "".join(
            f'<figure><img src="{self._stand.photo_url(p)}" alt="{escape(p.alt)}"></figure>'
            for p in entry.photos
        )
        said = "".join(
            f'<li class="comment"><b>{escape(c.author.name)}</b> <time datetime="{c.at.isoformat()}">'
            f"{c.at.astimezone(MOSCOW):%d.%m.%Y %H:%M}</time><p>{escape(c.text)}</p></li>"
            for c in entry.live_comments()
        )
        others = "".join(
            f'<li><a href="{self._entry_address(e)}">{escape(_title(e)[0])}</a></li>'
            for e in site.standing(entry.at)[:4]
            if e is not entry
        )
        local = entry.at.astimezone(MOSCOW)
        return f"""<!DOCTYPE html>
<html lang="ru"><head><meta charset="CHARSET"><title>{escape(title)} — {escape(site.title)}</title>
<link rel="canonical" href="{self._entry_address(entry)}">
<link rel="alternate" type="application/rss+xml" href="{self._address(site)}/rss.xml">
<meta property="og:type" content="article"><meta property="og:title" content="{escape(title)}">
<meta property="og:site_name" content="{escape(site.title)}">
<meta property="article:published_time" content="{local.isoformat(timespec="seconds")}">
</head><body>
<header><a href="{self._address(site)}/">{escape(site.title)}</a><nav><a href="#">Главная</a> <a href="#">Общество</a></nav></header>
<main><article><h1>{escape(title)}</h1>
<div class="meta"><time datetime="{local.isoformat(timespec="seconds")}">{local:%d.%m.%Y, %H:%M}</time></div>
<div class="article-body">
{paragraphs}</div>{pictures}
</article>
<section id="comments"><h2>Комментарии</h2><ul>{said}</ul></section></main>
<aside><h3>Читайте также</h3><ul>{others}</ul></aside>
<footer>© {escape(site.title)}. Учебный сайт: все тексты вымышлены.</footer>
</body></html>
"""

    async def _list(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            site = self._site(exchange)
            entries = site.standing(exchange.at)
            page = max(1, int(exchange.parameters.get("page", "1") or 1))
            shown = entries[(page - 1) * ON_PAGE : page * ON_PAGE]
            rows = "".join(
                f'<li><time>{e.at.astimezone(MOSCOW):%d.%m.%Y}</time> <a href="{self._entry_address(e)}">{escape(_title(e)[0])}</a></li>\n'
                for e in shown
            )
            older = (
                f'<a class="next" rel="next" href="?page={page + 1}">Раньше</a>'
                if page * ON_PAGE < len(entries)
                else ""
            )
            feed = "" if site.more.get("has_feed") is False else (
                f'<link rel="alternate" type="application/rss+xml" title="{escape(site.title)}" href="{self._address(site)}/rss.xml">'
            )  # fmt: skip
            text = (
                f'<!DOCTYPE html><html lang="ru"><head><meta charset="CHARSET"><title>{escape(site.title)}</title>{feed}</head>'
                f'<body><h1>{escape(site.title)}</h1><ul class="news">\n{rows}</ul>{older}</body></html>'
            )
            return self._conditional(site, text, "text/html", _changed(entries), exchange)

    async def _sitemap(self, exchange: Exchange) -> Reply:
        with self._world.lock:
            site = self._site(exchange)
            entries = site.standing(exchange.at)
            urls = "".join(
                f"<url><loc>{self._entry_address(e)}</loc><lastmod>{_changed([e]).isoformat(timespec='seconds')}</lastmod></url>\n"
                for e in entries
            )
            text = (
                '<?xml version="1.0" encoding="CHARSET"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
                f"{urls}</urlset>\n"
            )
            return self._conditional(site, text, "application/xml", _changed(entries), exchange)

    async def _private(self, exchange: Exchange) -> Reply:
        """robots.txt asks to stay out; a polite crawler is never seen here."""
        return Reply(
            body="<html><body>Служебный раздел</body></html>".encode(),
            headers={"content-type": "text/html; charset=utf-8"},
        )

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

    def _entry_address(self, entry: Entry) -> str:
        return f"{self._stand.base_url}/news/{entry.key}"

    def _conditional(
        self, site: Community, text: str, kind: str, changed: datetime, exchange: Exchange
    ) -> Reply:
        """304 for the reader who has this very version; ETag wins over the date."""
        charset = str(site.more.get("charset", "utf-8"))
        body = text.replace("CHARSET", charset).encode(charset, errors="xmlcharrefreplace")
        etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
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
    if given := exchange.headers.get("if-none-match"):
        return etag in [part.strip().removeprefix("W/") for part in given.split(",")]
    if since := exchange.headers.get("if-modified-since"):
        try:
            return changed.replace(microsecond=0) <= parsedate_to_datetime(since)
        except ValueError:
            return False
    return False


def _changed(entries: list[Entry]) -> datetime:
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
