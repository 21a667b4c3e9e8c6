"""VK as API 5.199 answers it: walls, comments, search, boards, execute, posting, photos, Long Poll."""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.practice.exchange import Exchange, Refusal, Reply, json_reply
from api.practice.faults import Fault, FaultKind
from api.practice.stand import Stand
from api.practice.vk_objects import OFFICER, VkObjects, parents_of, replies_of, unix, updated_at, user
from api.practice.vkscript import CannotCompile, read_script
from api.practice.world import Access, Author, Change, Comment, Community, Entry, Photo
from index.domain.post import Network

USER_TOKEN = "practice-vk-user"  # noqa: S105 the stand's invented tokens
SERVICE_TOKEN = "practice-vk-service"  # noqa: S105
GROUP_TOKEN = "practice-vk-group"  # noqa: S105 followed by -<number of the community>

MAX_TEXT = 16_000
MESSAGES = {
    1: "Unknown error occurred",
    5: "User authorization failed: invalid access_token (4).",
    6: "Too many requests per second",
    9: "Flood control",
    10: "Internal server error",
    14: "Captcha needed",
    15: "Access denied",
    17: "Validation required: please open redirect_uri in browser",
    18: "User was deleted or banned",
    19: "Content blocked",
    27: "Group authorization failed: method is unavailable with group auth.",
    28: "Application authorization failed: method is unavailable with service token.",
    29: "Rate limit reached",
    100: "One of the parameters specified was missing or invalid",
    104: "Not found",
    121: "Invalid hash",
    129: "Invalid photo",
    210: "Access to wall's post denied",
    211: "Access to wall's comment denied",
    212: "Access to post comments denied",
    213: "Access to status replies denied",
    214: "Access to adding post denied",
    219: "Advertisement post was recently added",
    222: "Hyperlinks are forbidden",
    223: "Too many replies",
    801: "Comments for this video are closed",
    1051: "Profile is invalid",
    1117: "Access token has expired",
}

#: method → letters of the tokens that may call it: u user, g group, s service (vk.md 2.2).
RIGHTS = {
    "wall.get": "us",
    "wall.getById": "us",
    "wall.getComments": "us",
    "wall.getComment": "u",
    "wall.search": "us",
    "newsfeed.search": "us",
    "board.getTopics": "us",
    "board.getComments": "us",
    "groups.getById": "ugs",
    "groups.search": "u",
    "video.get": "u",
    "video.getComments": "u",
    "photos.getComments": "u",
    "photos.getAllComments": "u",
    "groups.getLongPollServer": "ug",
    "groups.getTokenPermissions": "g",
    "users.get": "ugs",
    "utils.resolveScreenName": "ugs",
    "execute": "ugs",
    "photos.getWallUploadServer": "u",
    "photos.saveWallPhoto": "u",
    "wall.post": "ug",  # a community key posts text, whatever the schema says
    "wall.edit": "u",
    "wall.delete": "u",
    "wall.pin": "u",
    "wall.createComment": "ug",
    "wall.editComment": "u",
    "wall.deleteComment": "u",
    "wall.closeComments": "ug",
    "wall.openComments": "ug",
}


class Vk:
    """The VK twin. Paths: /vk/method/<name>, /vk/upload, /vk/longpoll/<group>."""

    network = Network.VK

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._world = stand.world
        self._objects = VkObjects(stand)
        self._uploads: dict[str, tuple[bytes, str]] = {}
        self._guids: dict[tuple[int, str], tuple[datetime, int]] = {}
        self._methods: dict[str, Callable[[Exchange], Any]] = {
            "wall.get": self._wall_get,
            "wall.getById": self._wall_get_by_id,
            "wall.getComments": self._wall_get_comments,
            "wall.getComment": self._wall_get_comment,
            "wall.search": self._wall_search,
            "newsfeed.search": self._newsfeed_search,
            "board.getTopics": self._board_get_topics,
            "board.getComments": self._board_get_comments,
            "groups.getById": self._groups_get_by_id,
            "groups.search": self._groups_search,
            "video.get": self._video_get,
            "video.getComments": self._video_get_comments,
            "photos.getComments": self._photos_get_comments,
            "photos.getAllComments": self._photos_get_all_comments,
            "groups.getLongPollServer": self._groups_get_long_poll_server,
            "groups.getTokenPermissions": self._groups_get_token_permissions,
            "users.get": self._users_get,
            "utils.resolveScreenName": self._resolve_screen_name,
            "photos.getWallUploadServer": self._photos_get_wall_upload_server,
            "photos.saveWallPhoto": self._photos_save_wall_photo,
            "wall.post": self._wall_post,
            "wall.edit": self._wall_edit,
            "wall.delete": self._wall_delete,
            "wall.pin": self._wall_pin,
            "wall.createComment": self._wall_create_comment,
            "wall.editComment": self._wall_edit_comment,
            "wall.deleteComment": self._wall_delete_comment,
            "wall.closeComments": self._wall_close_comments,
            "wall.openComments": self._wall_open_comments,
        }

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/vk/method/{method}", self._on_method, methods=["GET", "POST"]),
            Route("/vk/upload", self._on_upload, methods=["POST"]),
            Route("/vk/longpoll/{group:int}", self._on_long_poll, methods=["GET"]),
        ]

    # one call ---------------------------------------------------------------------------------------------

    async def _on_method(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        token = token or request.query_params.get("access_token", "")
        return await self._stand.serve(
            self, request.path_params["method"], request, self._answer, token=token, hidden=("access_token",)
        )

    async def _answer(self, exchange: Exchange) -> Reply:
        exchange.token = exchange.token or exchange.parameters.get("access_token", "")
        with self._world.lock:
            self._admit(exchange)
            if exchange.method == "execute":
                return json_reply(self._execute(exchange))
            self._spend(exchange.method, exchange)
            return json_reply({"response": self._methods[exchange.method](exchange)})

    def _admit(self, exchange: Exchange) -> None:
        """Version, token, method, rate, rights: in the order VK checks them."""
        if exchange.method not in RIGHTS:
            raise Refusal(3, "Unknown method passed")
        letter = self._letter(exchange.token)
        if "v" not in exchange.parameters:
            raise Refusal(8, "Invalid request: v (version) is required")
        limits = self._stand.limits
        if limits is not None:
            per_second = {
                "u": limits.vk_user_per_second,
                "s": limits.vk_service_per_second,
                "g": limits.vk_group_per_second,
            }
            if not self._stand.meter.passes(f"vk:{exchange.token}", at=exchange.at, limit=per_second[letter]):
                raise Refusal(6, MESSAGES[6])
        self._check_right(exchange.method, letter)

    def _letter(self, token: str) -> str:
        if not token:
            raise Refusal(5, "User authorization failed: no access_token passed.")
        if token in self._stand.revoked:
            raise Refusal(5, MESSAGES[5])
        for name, letter in ((USER_TOKEN, "u"), (SERVICE_TOKEN, "s"), (GROUP_TOKEN, "g")):
            if token == name or token.startswith(f"{name}-"):
                return letter
        raise Refusal(5, MESSAGES[5])

    @staticmethod
    def _check_right(method: str, letter: str) -> None:
        if letter not in RIGHTS[method]:
            code = {"g": 27, "s": 28, "u": 15}[letter]
            raise Refusal(code, MESSAGES[code])

    def _spend(self, method: str, exchange: Exchange) -> None:
        """Daily caps; the calls inside `execute` count too."""
        limits = self._stand.limits
        caps = {} if limits is None else {
            "wall.get": limits.vk_wall_get_per_day,
            "newsfeed.search": limits.vk_search_per_day,
            "wall.search": limits.vk_search_per_day,
        }  # fmt: skip
        if method in caps:
            bucket = f"vk:{method}:{exchange.token}"
            if not self._stand.meter.spend(bucket, at=exchange.at, limit=caps[method]):
                raise Refusal(29, MESSAGES[29])

    def refusal(self, refusal: Refusal, exchange: Exchange) -> Reply:
        shown = {"method": exchange.method, "oauth": "1"} | exchange.parameters
        if exchange.token:
            shown["access_token"] = exchange.token  # VK really echoes it: nobody may log error bodies
        parameters = [{"key": key, "value": value} for key, value in shown.items()]
        error = {"error_code": refusal.code, "error_msg": refusal.message, "request_params": parameters}
        return json_reply({"error": error | refusal.more})

    def as_refusal(self, fault: Fault, exchange: Exchange) -> Refusal:
        match fault.kind:
            case FaultKind.CAPTCHA:
                picture = f"{self._stand.base_url}/vk/captcha.php?sid=548747100691"
                return Refusal(14, MESSAGES[14], captcha_sid="548747100691", captcha_img=picture)
            case FaultKind.FLOOD:
                return Refusal(9, MESSAGES[9])
            case FaultKind.RATE:
                return Refusal(6, MESSAGES[6])
            case FaultKind.BANNED:
                return Refusal(5, MESSAGES[5])
        code = int(fault.code or 1)
        refusal = Refusal(code, MESSAGES.get(code, f"Error {code}"))
        if code == 17:
            refusal.more["redirect_uri"] = f"{self._stand.base_url}/vk/activation"
        return refusal

    # execute ----------------------------------------------------------------------------------------------

    def _execute(self, exchange: Exchange) -> dict[str, Any]:
        code = exchange.parameters.get("code", "")
        if not code:
            raise Refusal(100, f"{MESSAGES[100]}: code is undefined")
        try:
            script = read_script(code)
        except CannotCompile as error:
            raise Refusal(12, f"Unable to compile code: {error}") from error
        if len(script.calls) > 25:
            raise Refusal(13, "Runtime error occurred during code invocation: Too many API calls")
        errors: list[dict[str, Any]] = []
        results = [
            self._inner_call(method, arguments, exchange, errors) for method, arguments in script.calls
        ]
        answer: dict[str, Any] = {"response": script.result(results)}
        if errors:
            answer["execute_errors"] = errors
        return answer

    def _inner_call(
        self, method: str, arguments: dict[str, Any], exchange: Exchange, errors: list[dict[str, Any]]
    ) -> Any:
        parameters = {name: _as_parameter(value) for name, value in arguments.items()}
        inner = Exchange(
            network=self.network, method=method, at=exchange.at, verb=exchange.verb, path=exchange.path,
            parameters=parameters, headers=exchange.headers, token=exchange.token,
        )  # fmt: skip
        try:
            if method not in self._methods:
                raise Refusal(3, "Unknown method passed")
            if fault := self._stand.take_fault(self.network, method, refusals_only=True):
                raise self.as_refusal(fault, inner)
            self._check_right(method, self._letter(exchange.token))
            self._spend(method, inner)
            return self._methods[method](inner)
        except Refusal as refusal:
            errors.append({"method": method, "error_code": refusal.code, "error_msg": refusal.message})
            return False

    # reading ----------------------------------------------------------------------------------------------

    def _wall_get(self, exchange: Exchange) -> dict[str, Any]:
        wall = self._wall(exchange)
        offset, count = _number(exchange, "offset", 0), min(_number(exchange, "count", 20), 100)
        kind = exchange.parameters.get("filter", "all")
        entries = [e for e in wall.standing(exchange.at) if e.is_on_wall]
        if kind == "postponed":
            entries = self._postponed(wall, exchange)
        elif kind == "owner":
            entries = [e for e in entries if e.author.community is wall]
        elif kind == "others":
            entries = [e for e in entries if e.author.community is not wall]
        elif kind != "all":
            entries = []
        entries.sort(key=lambda e: e.is_pinned, reverse=True)
        shown = entries[offset : offset + count]
        answer: dict[str, Any] = {
            "count": len(entries),
            "items": [self._objects.post(e, exchange.at) for e in shown],
        }
        if offset + count < len(entries):
            answer["next_from"] = str(offset + count)
        return answer | self._extended(exchange, shown)

    def _postponed(self, wall: Community, exchange: Exchange) -> list[Entry]:
        if self._letter(exchange.token) == "s":
            raise Refusal(15, f"{MESSAGES[15]}: filter is available for administrators only")
        waiting = [
            e
            for e in wall.entries.values()
            if e.publish_at and e.publish_at > exchange.at and not e.is_deleted
        ]
        return sorted(waiting, key=lambda e: e.publish_at or e.at)

    def _wall_get_by_id(self, exchange: Exchange) -> dict[str, Any]:
        wanted = [w for w in _text(exchange, "posts").split(",") if w]
        if len(wanted) > 100:
            raise Refusal(100, f"{MESSAGES[100]}: posts should contain at most 100 ids")
        found = []
        for name in wanted:
            owner, _, number = name.strip().partition("_")
            wall = self._world.find(Network.VK, owner)
            entry = (
                self._stand.entry(wall, int(number), at=exchange.at) if wall and number.isdigit() else None
            )
            if entry is not None and wall is not None and wall.access is Access.OPEN:
                found.append(entry)
        return {"items": [self._objects.post(e, exchange.at) for e in found]} | self._extended(
            exchange, found
        )

    def _wall_get_comments(self, exchange: Exchange) -> dict[str, Any]:
        wall, entry = self._wall(exchange), self._post_of(exchange, "post_id")
        if not wall.comments_open or not entry.more.get("comments_open", True):
            raise Refusal(212, MESSAGES[212])
        return self._comments_under(entry, exchange)

    def _comments_under(self, entry: Entry, exchange: Exchange) -> dict[str, Any]:
        """One page of a level, in the shape that walls and videos share."""
        parent = _number(exchange, "comment_id", 0)
        level = self._level(entry, parent, exchange.parameters.get("sort", "asc"))
        start = _number(exchange, "start_comment_id", 0)
        first = next((i for i, c in enumerate(level) if c.number == start), 0) if start else 0
        first += _number(exchange, "offset", 0)
        shown = level[first : first + min(_number(exchange, "count", 20), 100)]
        likes = _flag(exchange, "need_likes")
        threads = 0 if parent else min(_number(exchange, "thread_items_count", 0), 10)
        return {
            "count": len(entry.live_comments()) if not parent else len(level),
            "items": [self._objects.comment(c, with_likes=likes, threads=threads) for c in shown],
            "current_level_count": len(level),
            "can_post": True,
            "show_reply_button": True,
            "groups_can_post": True,
        } | self._extended(exchange, shown)

    @staticmethod
    def _level(entry: Entry, parent: int, sort: str) -> list[Comment]:
        """Comments of one level: those under the post, or all replies of a thread. A deleted comment stays
        as an empty place while it has replies."""
        if parent:
            level = [c for c in entry.comments if c.parent and c.root.number == parent and not c.is_deleted]
        else:
            level = [c for c in entry.comments if not c.parent and (not c.is_deleted or replies_of(c))]
        return sorted(level, key=lambda c: c.number, reverse=sort == "desc")

    def _wall_get_comment(self, exchange: Exchange) -> dict[str, Any]:
        wall, number = self._wall(exchange), _number(exchange, "comment_id", 0)
        for entry in wall.entries.values():
            if comment := self._stand.comment(entry, number):
                found = [self._objects.comment(comment)]
                return {"items": found, "can_post": True} | self._extended(exchange, [comment])
        raise Refusal(100, f"{MESSAGES[100]}: comment_id is incorrect")

    def _newsfeed_search(self, exchange: Exchange) -> dict[str, Any]:
        """Open posts of all walls, newest first; only the first 1000 of a query can be reached."""
        count = min(_number(exchange, "count", 30), 200)
        start = datetime.fromtimestamp(
            _number(exchange, "start_time", int(exchange.at.timestamp()) - 86400), UTC
        )
        end = datetime.fromtimestamp(_number(exchange, "end_time", int(exchange.at.timestamp())), UTC)
        matches = _matcher(exchange.parameters.get("q", ""))
        found = [
            e
            for wall in self._world.of(Network.VK)
            if wall.access is Access.OPEN
            for e in wall.standing(exchange.at)
            if e.is_on_wall and start <= (e.publish_at or e.at) <= end and matches(_searched(e))
        ]
        found.sort(key=lambda e: (e.publish_at or e.at, e.number), reverse=True)
        reachable = found[:1000]
        place = exchange.parameters.get("start_from", "").partition("/")[0]
        offset = int(place) if place.isdigit() else 0
        shown = reachable[offset : offset + count]
        answer: dict[str, Any] = {
            "items": [self._objects.post(e, exchange.at) for e in shown],
            "count": len(reachable),
            "total_count": len(found),
        }
        if offset + count < len(reachable):
            answer["next_from"] = f"{offset + count}/{shown[-1].key}"
        return answer | self._extended(exchange, shown)

    def _wall_search(self, exchange: Exchange) -> dict[str, Any]:
        wall, matches = self._wall(exchange), _matcher(_text(exchange, "query"))
        found = [e for e in wall.standing(exchange.at) if e.is_on_wall and matches(_searched(e))]
        offset = _number(exchange, "offset", 0)
        shown = found[offset : offset + min(_number(exchange, "count", 20), 100)]
        return {
            "count": len(found),
            "items": [self._objects.post(e, exchange.at) for e in shown],
        } | self._extended(exchange, shown)

    def _board_get_topics(self, exchange: Exchange) -> dict[str, Any]:
        group = self._group(exchange)
        topics = [e for e in group.standing(exchange.at) if e.more.get("board")]
        topics.sort(key=updated_at, reverse=_number(exchange, "order", 1) > 0)
        offset = _number(exchange, "offset", 0)
        shown = topics[offset : offset + min(_number(exchange, "count", 40), 100)]
        items = [self._objects.topic(e, _number(exchange, "preview", 0)) for e in shown]
        answer = {"count": len(topics), "items": items, "default_order": 1, "can_add_topics": 0}
        return answer | self._extended(exchange, shown)

    def _board_get_comments(self, exchange: Exchange) -> dict[str, Any]:
        topic = self._stand.entry(self._group(exchange), _number(exchange, "topic_id", 0), at=exchange.at)
        if topic is None or not topic.more.get("board"):
            raise Refusal(100, f"{MESSAGES[100]}: topic_id is incorrect")
        said: list[Entry | Comment] = [topic, *topic.live_comments()]
        if exchange.parameters.get("sort") == "desc":
            said.reverse()
        start = _number(exchange, "start_comment_id", 0)
        first = next((i for i, c in enumerate(said) if c.number == start), 0) + _number(exchange, "offset", 0)
        shown = said[first : first + min(_number(exchange, "count", 20), 100)]
        items = [
            {
                "id": c.number,
                "from_id": c.author.number,
                "date": unix(c.at),
                "text": html.escape(c.text, quote=False),
            }
            for c in shown
        ]
        return {"count": len(said), "items": items} | self._extended(exchange, shown)

    def _groups_get_by_id(self, exchange: Exchange) -> dict[str, Any]:
        asked = exchange.parameters.get("group_ids") or exchange.parameters.get("group_id") or ""
        names = [name for name in asked.split(",") if name]
        if not names and self._letter(exchange.token) == "g":
            names = [exchange.token.removeprefix(f"{GROUP_TOKEN}-")]
        groups = [g for name in names if (g := self._world.find(Network.VK, name))]
        if not groups:
            raise Refusal(100, f"{MESSAGES[100]}: group_ids is invalid")
        return {
            "groups": [self._objects.group(g, exchange.parameters.get("fields", "")) for g in groups],
            "profiles": [],
        }

    def _groups_search(self, exchange: Exchange) -> dict[str, Any]:
        matches = _matcher(_text(exchange, "q"))
        found = [g for g in self._world.of(Network.VK) if matches(g.title)][:1000]
        offset = _number(exchange, "offset", 0)
        shown = found[offset : offset + min(_number(exchange, "count", 20), 1000)]
        return {"count": len(found), "items": [self._objects.group(g) for g in shown]}

    def _video_get(self, exchange: Exchange) -> dict[str, Any]:
        films = [e for e in self._wall(exchange).standing(exchange.at) if e.more.get("film")]
        offset = _number(exchange, "offset", 0)
        shown = films[offset : offset + min(_number(exchange, "count", 100), 200)]
        return {
            "count": len(films),
            "items": [self._objects.film(e) for e in shown],
        } | self._extended(exchange, shown)

    def _video_get_comments(self, exchange: Exchange) -> dict[str, Any]:
        entry = self._post_of(exchange, "video_id")
        if not entry.more.get("film"):
            raise Refusal(15, MESSAGES[15])
        if not entry.more.get("comments_open", True):
            raise Refusal(801, MESSAGES[801])
        return self._comments_under(entry, exchange)

    def _photos_get_comments(self, exchange: Exchange) -> dict[str, Any]:
        entry = self._post_of(exchange, "photo_id")
        if not entry.more.get("picture"):
            raise Refusal(15, MESSAGES[15])
        return self._photo_page(entry.live_comments(), exchange)

    def _photos_get_all_comments(self, exchange: Exchange) -> dict[str, Any]:
        """Of all albums, newest first; each names its photo."""
        pictures = [e for e in self._wall(exchange).standing(exchange.at) if e.more.get("picture")]
        said = sorted((c for e in pictures for c in e.live_comments()), key=lambda c: (c.at, c.number))
        return self._photo_page(said[::-1], exchange)

    def _photo_page(self, said: Sequence[Comment], exchange: Exchange) -> dict[str, Any]:
        """Comments of photos have no threads and no owner; `pid` is the photo."""
        offset = _number(exchange, "offset", 0)
        shown = said[offset : offset + min(_number(exchange, "count", 20), 100)]
        items = [
            {
                "id": c.number,
                "from_id": c.author.number,
                "date": unix(c.at),
                "text": html.escape(c.text, quote=False),
                "pid": c.post.number,
            }
            for c in shown
        ]
        return {"count": len(said), "items": items}

    def _groups_get_token_permissions(self, exchange: Exchange) -> dict[str, Any]:
        rights = {
            "stories": 1,
            "photos": 4,
            "app_widget": 64,
            "messages": 4096,
            "docs": 131072,
            "manage": 262144,
        }
        permissions = [{"name": name, "setting": bit} for name, bit in rights.items()]
        return {"mask": sum(rights.values()), "permissions": permissions}

    def _users_get(self, exchange: Exchange) -> list[dict[str, Any]]:
        asked = exchange.parameters.get("user_ids", "")
        if not asked and self._letter(exchange.token) == "u":
            return [user(OFFICER)]
        numbers = {int(name) for name in asked.split(",") if name.strip().isdigit()}
        known = {a.number: a for (network, _), a in self._world.authors.items() if network is Network.VK}
        return [user(known[n]) for n in sorted(numbers) if n in known]

    def _resolve_screen_name(self, exchange: Exchange) -> Any:
        found = self._world.find(Network.VK, _text(exchange, "screen_name"))
        return [] if found is None else {"type": "group", "object_id": found.number, "group_id": found.number}

    # writing ----------------------------------------------------------------------------------------------

    def _photos_get_wall_upload_server(self, exchange: Exchange) -> dict[str, Any]:
        group = self._group(exchange)
        return {
            "upload_url": f"{self._stand.base_url}/vk/upload?gid={group.number}",
            "album_id": -14,
            "user_id": OFFICER.number,
            "group_id": group.number,
        }

    async def _on_upload(self, request: Request) -> Response:
        return await self._stand.serve(self, "upload", request, self._take_upload)

    async def _take_upload(self, exchange: Exchange) -> Reply:
        content, mime = exchange.files.get("photo") or exchange.files.get("file1") or (b"", "")
        if not content:
            return json_reply({"error": "ERR_UPLOAD_BAD_IMAGE_SIZE: no photo"})
        hash_ = hashlib.md5(content, usedforsecurity=False).hexdigest()
        with self._world.lock:
            self._uploads[hash_] = (content, mime)
        photo = json.dumps([{"photo": hash_[:20], "sizes": []}], separators=(",", ":"))
        return json_reply({"server": 854_136, "photo": photo, "hash": hash_})

    def _photos_save_wall_photo(self, exchange: Exchange) -> list[dict[str, Any]]:
        if _text(exchange, "photo") == "[]":
            raise Refusal(129, MESSAGES[129])
        uploaded = self._uploads.get(_text(exchange, "hash"))
        if uploaded is None:
            raise Refusal(121, MESSAGES[121])
        photo = self._world.add_photo(uploaded[0], mime=uploaded[1])
        if not photo.width:
            raise Refusal(129, MESSAGES[129])
        owner = -_number(exchange, "group_id", 0) or OFFICER.number
        return [self._objects.photo(photo, owner, unix(exchange.at))]

    def _wall_post(self, exchange: Exchange) -> dict[str, Any]:
        wall, message = self._wall(exchange), exchange.parameters.get("message", "")
        self._check_writer(exchange, wall)
        photos, link = self._attachments(exchange)
        if not message.strip() and not photos and not link:
            raise Refusal(100, f"{MESSAGES[100]}: message is undefined")
        if len(message) > MAX_TEXT:
            raise Refusal(100, f"{MESSAGES[100]}: message is too long")
        publish_at = self._publish_at(exchange, wall)
        guid = exchange.parameters.get("guid", "")
        known = self._guids.get((wall.number, guid))
        if guid and known and exchange.at - known[0] < self._stand.guid_window:
            return {"post_id": known[1]}
        limits = self._stand.limits
        if limits and not self._stand.meter.spend(
            f"vk:posts:{wall.number}", at=exchange.at, limit=limits.vk_posts_per_day
        ):
            raise Refusal(214, f"{MESSAGES[214]}: you can only add {limits.vk_posts_per_day} posts a day")
        author = (wall.author if _flag(exchange, "from_group") else None) or OFFICER
        entry = self._world.write_post(
            wall, author, message, exchange.at, photos=photos, is_ours=True, publish_at=publish_at,
            more={"link": link} if link else {},
        )  # fmt: skip
        if _flag(exchange, "close_comments"):
            entry.more["comments_open"] = False
        self._guids[wall.number, guid] = (exchange.at, entry.number)
        return {"post_id": entry.number}

    def _check_writer(self, exchange: Exchange, wall: Community) -> None:
        if self._letter(exchange.token) == "g" and exchange.token != f"{GROUP_TOKEN}-{wall.number}":
            raise Refusal(15, f"{MESSAGES[15]}: group auth failed for this wall")
        if wall.more.get("writing") is False:
            raise Refusal(214, f"{MESSAGES[214]}: you have no rights to post on this wall")

    def _attachments(self, exchange: Exchange) -> tuple[tuple[Photo, ...], str]:
        names = [name for name in exchange.parameters.get("attachments", "").split(",") if name]
        links = [name for name in names if name.startswith("http")]
        if len(names) > 10:
            raise Refusal(100, f"{MESSAGES[100]}: attachments should contain at most 10 items")
        if len(links) > 1:
            raise Refusal(100, f"{MESSAGES[100]}: attachments should contain at most 1 link")
        photos = []
        for name in names:
            if found := re.fullmatch(r"photo-?\d+_(\d+)(_\w+)?", name):
                photo = next((p for p in self._world.photos.values() if p.number == int(found[1])), None)
                if photo is None:
                    raise Refusal(100, f"{MESSAGES[100]}: attachments is invalid")
                photos.append(photo)
        return tuple(photos), links[0] if links else ""

    @staticmethod
    def _publish_at(exchange: Exchange, wall: Community) -> datetime | None:
        if "publish_date" not in exchange.parameters:
            return None
        publish_at = datetime.fromtimestamp(_number(exchange, "publish_date", 0), UTC)
        if publish_at <= exchange.at:
            raise Refusal(100, f"{MESSAGES[100]}: invalid publish_date")
        minute = publish_at.replace(second=0, microsecond=0)
        taken = (e.publish_at for e in wall.entries.values() if e.publish_at and not e.is_deleted)
        if any(at.replace(second=0, microsecond=0) == minute for at in taken):
            raise Refusal(214, f"{MESSAGES[214]}: a post is already scheduled for this time")
        return publish_at

    def _wall_edit(self, exchange: Exchange) -> dict[str, Any]:
        entry = self._own_post(exchange)
        entry.text = exchange.parameters.get("message", entry.text)
        if "publish_date" in exchange.parameters:
            entry.publish_at = self._publish_at(exchange, entry.community)
        else:
            entry.edited_at = exchange.at
        self._world.note(Change.EDITED, entry, None, exchange.at)
        return {"post_id": entry.number}

    def _wall_delete(self, exchange: Exchange) -> int:
        entry = self._own_post(exchange)
        entry.is_deleted = True
        self._world.note(Change.DELETED, entry, None, exchange.at)
        return 1

    def _wall_pin(self, exchange: Exchange) -> int:
        entry = self._own_post(exchange)
        for other in entry.community.entries.values():
            other.is_pinned = other is entry
        return 1

    def _own_post(self, exchange: Exchange) -> Entry:
        """The post named by `post_id`, a waiting one included."""
        entry = self._wall(exchange).entries.get(_number(exchange, "post_id", 0))
        if entry is None or entry.is_deleted:
            raise Refusal(100, f"{MESSAGES[100]}: post_id is incorrect")
        return entry

    def _wall_create_comment(self, exchange: Exchange) -> dict[str, Any]:
        wall, entry = self._wall(exchange), self._post_of(exchange, "post_id")
        message = exchange.parameters.get("message", "")
        if not wall.comments_open or not entry.more.get("comments_open", True):
            raise Refusal(213, MESSAGES[213])
        if not message.strip():
            raise Refusal(100, f"{MESSAGES[100]}: message is undefined")
        parent = None
        if answered := _number(exchange, "reply_to_comment", 0):
            parent = self._stand.comment(entry, answered)
            if parent is None:
                raise Refusal(100, f"{MESSAGES[100]}: reply_to_comment is incorrect")
        comment = self._world.write_comment(
            entry, self._comment_author(exchange), message, exchange.at, parent=parent, is_ours=True
        )
        return {"comment_id": comment.number, "parents_stack": parents_of(comment)}

    def _comment_author(self, exchange: Exchange) -> Author:
        speaker = _number(exchange, "from_group", 0)
        if self._letter(exchange.token) == "g":
            speaker = int(exchange.token.removeprefix(f"{GROUP_TOKEN}-"))
        if not speaker:
            return OFFICER
        group = self._world.find(Network.VK, str(speaker))
        if group is None or group.author is None:
            raise Refusal(100, f"{MESSAGES[100]}: from_group is incorrect")
        return group.author

    def _wall_edit_comment(self, exchange: Exchange) -> int:
        comment = self._comment_of(exchange)
        comment.text, comment.edited_at = exchange.parameters.get("message", comment.text), exchange.at
        self._world.note(Change.EDITED, comment.post, comment, exchange.at)
        return 1

    def _wall_delete_comment(self, exchange: Exchange) -> int:
        comment = self._comment_of(exchange)
        comment.is_deleted = True
        self._world.note(Change.DELETED, comment.post, comment, exchange.at)
        return 1

    def _comment_of(self, exchange: Exchange) -> Comment:
        number = _number(exchange, "comment_id", 0)
        for entry in self._wall(exchange).entries.values():
            if comment := self._stand.comment(entry, number):
                return comment
        raise Refusal(211, MESSAGES[211])

    def _wall_close_comments(self, exchange: Exchange) -> int:
        self._post_of(exchange, "post_id").more["comments_open"] = False
        return 1

    def _wall_open_comments(self, exchange: Exchange) -> int:
        self._post_of(exchange, "post_id").more["comments_open"] = True
        return 1

    # who and where ----------------------------------------------------------------------------------------

    def _wall(self, exchange: Exchange) -> Community:
        name = exchange.parameters.get("owner_id") or exchange.parameters.get("domain") or ""
        if not name:
            raise Refusal(100, f"{MESSAGES[100]}: owner_id is undefined")
        wall = self._world.find(Network.VK, name)
        if wall is None:
            raise Refusal(100, f"{MESSAGES[100]}: owner_id is incorrect")
        return self._opened(wall)

    def _group(self, exchange: Exchange) -> Community:
        group = self._world.find(Network.VK, _text(exchange, "group_id"))
        if group is None:
            raise Refusal(100, f"{MESSAGES[100]}: group_id is incorrect")
        return self._opened(group)

    @staticmethod
    def _opened(group: Community) -> Community:
        if group.access is Access.CLOSED:
            raise Refusal(15, f"{MESSAGES[15]}: this wall available only for community members")
        if group.access is Access.BLOCKED:
            raise Refusal(19, MESSAGES[19])
        return group

    def _post_of(self, exchange: Exchange, name: str) -> Entry:
        entry = self._stand.entry(self._wall(exchange), _number(exchange, name, 0), at=exchange.at)
        if entry is None:
            raise Refusal(15, f"{MESSAGES[15]}: post was not found or was deleted")
        return entry

    def _extended(self, exchange: Exchange, shown: Sequence[Entry | Comment]) -> dict[str, Any]:
        return self._objects.named(shown) if _flag(exchange, "extended") else {}

    # Long Poll --------------------------------------------------------------------------------------------

    def _groups_get_long_poll_server(self, exchange: Exchange) -> dict[str, Any]:
        group = self._group(exchange)
        return {
            "key": _poll_key(group),
            "server": f"{self._stand.base_url}/vk/longpoll/{group.number}",
            "ts": str(self._world.newest_event),
        }

    async def _on_long_poll(self, request: Request) -> Response:
        return await self._stand.serve(self, "longpoll", request, self._poll, hidden=("key",))

    async def _poll(self, exchange: Exchange) -> Reply:
        group = self._world.find(Network.VK, exchange.path.rpartition("/")[2])
        if group is None or exchange.parameters.get("key") != _poll_key(group):
            return json_reply({"failed": 2})
        with self._world.lock:
            newest = self._world.newest_event
        ts = _number(exchange, "ts", -1)
        if not 0 <= ts <= newest:
            return json_reply({"failed": 1, "ts": newest})
        stop = asyncio.get_running_loop().time() + min(_number(exchange, "wait", 25), 90)
        while True:
            with self._world.lock:
                events = self._world.since(ts)
                updates = [
                    u
                    for event in events
                    if event.entry.community is group and (u := self._objects.update(event))
                ]
                newest = ts + len(events)
            if updates or asyncio.get_running_loop().time() >= stop or self._stand.closing.is_set():
                return json_reply({"ts": str(newest), "updates": updates})
            await asyncio.sleep(0.05)


def _searched(entry: Entry) -> str:
    return f"{entry.text} {entry.origin.text if entry.origin else ''}"


def _matcher(query: str) -> Callable[[str], bool]:
    """All words of the query by their beginnings, phrases in double quotes exactly; ё is е."""
    query = query.lower().replace("ё", "е")
    phrases = re.findall(r'"([^"]+)"', query)
    words = re.findall(r"\w+", re.sub(r'"[^"]*"', " ", query))
    stems = [word[: len(word) - (len(word) > 3) - (len(word) > 5)] for word in words]

    def matches(text: str) -> bool:
        text = text.lower().replace("ё", "е")
        found = re.findall(r"\w+", text)
        return all(p in text for p in phrases) and all(any(w.startswith(s) for w in found) for s in stems)

    return matches


def _poll_key(group: Community) -> str:
    return hashlib.sha256(f"longpoll{group.number}".encode()).hexdigest()[:40]


def _text(exchange: Exchange, name: str) -> str:
    value = exchange.parameters.get(name, "")
    if not value:
        raise Refusal(100, f"{MESSAGES[100]}: {name} is undefined")
    return value


def _number(exchange: Exchange, name: str, default: int) -> int:
    value = exchange.parameters.get(name, "")
    if value == "":
        return default
    try:
        return int(value)
    except ValueError:
        raise Refusal(100, f"{MESSAGES[100]}: {name} not integer") from None


def _flag(exchange: Exchange, name: str) -> bool:
    return exchange.parameters.get(name, "0") not in ("", "0", "false")


def _as_parameter(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
