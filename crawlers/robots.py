"""robots.txt of sites: kept to by every request, also by those that wait for the same file at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.http import Request

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.robotstxt import RobotParser


class RobotsMiddleware(RobotsTxtMiddleware):
    """Scrapy's own, which lets the third of several waiting requests pass unchecked, and all requests after
    a robots.txt that did not come. Here one is fetched at a time, and a failure of it is the request's own.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._fetching: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def robot_parser(self, request: Request) -> RobotParser | None:
        async with self._fetching[urlsplit(request.url).netloc]:
            return await super().robot_parser(request)

    def _robots_error(self, exc: Exception, netloc: str) -> NoReturn:
        """RFC 9309, 2.3.1.4: a file that cannot be reached forbids; the next request asks for it again."""
        del self._parsers[netloc]
        raise exc
