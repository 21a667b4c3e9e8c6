"""Feeds, sitemaps and pages of news sites -> posts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crawlers.pages.base import Context, Parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    """`pages` with the time of their last change (None: not told); `parts` are further sitemaps."""

    pages: Sequence[tuple[str, datetime | None]]
    parts: Sequence[str]


def feed(body: bytes, context: Context, *, url: str, content_type: str = "") -> Parsed:
    """RSS, Atom, RDF, JSON Feed in any charset. `links`: articles of which the feed holds only the start.

    Raises Unreadable when there is no feed in it.
    """
    raise NotImplementedError


def article(body: bytes, context: Context, *, url: str, content_type: str = "") -> Parsed:
    """One page: the article's text, title, date, canonical address; or the description of a video page.

    No post when the page holds no text. The id is the one that the feed gives to the same article.
    """
    raise NotImplementedError


def sitemap(body: bytes, *, url: str) -> Sitemap:
    """sitemap.xml or an index of sitemaps, also gzipped. Raises Unreadable."""
    raise NotImplementedError


def links(body: bytes, *, url: str, content_type: str = "") -> list[str]:
    """Addresses on a list page that look like articles of the same site, in order, without repeats."""
    raise NotImplementedError


def feeds(body: bytes, *, url: str, content_type: str = "") -> list[str]:
    """Feeds that the page announces (link rel=alternate)."""
    raise NotImplementedError


def news_id(url: str) -> str:
    """`news:` and a hash of the address without what does not change the page (scheme, www, utm_, #)."""
    raise NotImplementedError
