"""The pages an officer looks at: what stands on each community of the stand, our texts and answers marked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from api.practice.pages import page
from api.practice.stand import Stand
from api.practice.world import Comment, Community, Entry
from index.domain.post import Network

ZONE = ZoneInfo("Europe/Moscow")
SHOWN = 100  # posts on one page
NETWORK_WORDS = {
    Network.VK: "ВКонтакте",
    Network.OK: "Одноклассники",
    Network.TELEGRAM: "Telegram",
    Network.MAX: "MAX",
    Network.NEWS: "Сайты новостей",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A community in the list."""

    link: str
    title: str
    official: bool
    posts: int
    comments: int
    ours: int


class Walls:
    """Paths: / lists the communities, /walls/<network>/<address> shows one, /see/<id> leads to a text."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._world = stand.world

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/", self._index),
            Route("/walls/{network}/{address}", self._wall),
            Route("/see/{id:path}", self._see),
        ]

    async def _index(self, request: Request) -> Response:
        with self._world.lock:
            networks = [(NETWORK_WORDS[network], self._rows(self._world.of(network))) for network in Network]
        return HTMLResponse(page("walls_index.html", title="Учебные сети", networks=networks))

    def _rows(self, communities: Iterable[Community]) -> list[Row]:
        """Official pages first, then the liveliest; groups that only hold comments are left out."""
        rows = [self._row(c) for c in communities if c.channel is None]
        return sorted(rows, key=lambda row: (not row.official, -row.posts, row.title))

    def _row(self, community: Community) -> Row:
        entries = community.standing(self._stand.clock())
        comments = [c for e in entries for c in e.live_comments()]
        return Row(
            link=_link(community),
            title=community.title,
            official=bool(community.more.get("ours")),
            posts=len(entries),
            comments=len(comments),
            ours=sum(e.is_ours for e in entries) + sum(c.is_ours for c in comments),
        )

    async def _wall(self, request: Request) -> Response:
        network, address = request.path_params["network"], request.path_params["address"]
        with self._world.lock:
            community = self._world.communities.get((network, address))
            if community is None:
                return HTMLResponse("Такой учебной страницы нет.", status_code=404)
            entries = community.standing(self._stand.clock())
            posts = [self._post(entry) for entry in entries[:SHOWN]]
        older = len(entries) if len(entries) > SHOWN else 0
        network = NETWORK_WORDS[community.network]
        return HTMLResponse(
            page("walls_page.html", title=community.title, network=network, posts=posts, older=older)
        )

    def _post(self, entry: Entry) -> dict[str, Any]:
        return {
            "id": entry.id,
            "author": entry.author.name,
            "when": _when(entry.publish_at or entry.at),
            "text": entry.text,
            "photos": [{"url": self._stand.photo_url(p), "alt": p.alt} for p in entry.photos],
            "views": entry.views,
            "likes": entry.likes,
            "is_ours": entry.is_ours,
            "is_edited": entry.edited_at is not None,
            "is_pinned": entry.is_pinned,
            "comments": [_comment(c) for c in entry.live_comments()],
        }

    async def _see(self, request: Request) -> Response:
        item = self._world.found.get(request.path_params["id"])
        if item is None:
            return HTMLResponse("Такой записи на учебных страницах нет.", status_code=404)
        entry = item.post if isinstance(item, Comment) else item
        return RedirectResponse(f"{_link(entry.community)}#{quote(item.id)}")


def _comment(comment: Comment) -> dict[str, Any]:
    return {
        "id": comment.id,
        "author": comment.author.name,
        "when": _when(comment.at),
        "text": comment.text,
        "reply_to": comment.parent.author.name if comment.parent else "",
        "is_ours": comment.is_ours,
    }


def _link(community: Community) -> str:
    return f"/walls/{community.network.value}/{quote(community.address)}"


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(ZONE):%d.%m.%Y %H:%M}"
