"""Odnoklassniki as api.ok.ru answers it: signed calls, topics, discussions, comments, posting, photos."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.practice.exchange import Exchange, Refusal, Reply, json_reply
from api.practice.faults import Fault, FaultKind
from api.practice.stand import Stand
from api.practice.world import Access, Author, Change, Comment, Community, Entry, Photo
from index.domain.post import Network

APPLICATION_KEY = "PRACTICEOKKEYAAAA"
ACCESS_TOKEN = "practice-ok-access-token"  # noqa: S105 the stand's invented tokens
SESSION_SECRET = "practice-ok-session-secret"  # noqa: S105
OFFICER = Author(number=580_000_000_001, name="Сотрудник Практикант")  #: whom the token belongs to

MOSCOW = ZoneInfo("Europe/Moscow")
MAX_TEXT = 32_000  #: the true limit is not published; only error 601 is
MESSAGES = {
    1: "UNKNOWN : Unknown error",
    2: "SERVICE : Service temporary unavailable",
    3: "METHOD : Method does not exist",
    4: "REQUEST : Request cannot be processed",
    7: "ACTION_BLOCKED : Action blocked",
    8: "FLOOD_BLOCKED : Flood blocked",
    10: "PERMISSION_DENIED : No permission",
    11: "LIMIT_REACHED : Limit reached",
    100: "PARAM : Missing or invalid parameter",
    101: "PARAM_API_KEY : Application not exist",
    102: "PARAM_SESSION_EXPIRED : Session expired",
    103: "PARAM_SESSION_KEY : Invalid session key",
    104: "PARAM_SIGNATURE : Invalid signature",
    160: "PARAM_GROUP_ID : Invalid group id",
    200: "PARAM_PERMISSION : Application requires permission",
    300: "NOT_FOUND : Requested object is not found",
    454: "CENSOR_MATCH : Text is rejected by censor",
    601: "MEDIA_TOPIC_TEXT_LIMIT : Text is too long",
    607: "MEDIA_TOPIC_LINK_BAD_FORMAT : Link has bad format",
}


class Ok:
    """Paths: /ok/fb.do?method=…, /ok/api/<group>/<name>, /ok/upload."""

    network = Network.OK

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._world = stand.world
        self._uploads: dict[str, Photo] = {}
        self._methods: dict[str, Callable[[Exchange], Any]] = {
            "stream.get": self._stream_get,
            "mediatopic.getByIds": self._mediatopic_get_by_ids,
            "mediatopic.post": self._mediatopic_post,
            "mediatopic.deleteTopic": self._mediatopic_delete_topic,
            "discussions.get": self._discussions_get,
            "discussions.getComments": self._discussions_get_comments,
            "discussions.getDiscussionComments": self._discussions_get_comments,
            "discussions.addDiscussionComment": self._add_discussion_comment,
            "discussions.deleteDiscussionComment": self._delete_discussion_comment,
            "group.getInfo": self._group_get_info,
            "group.getStatTopic": self._group_get_stat_topic,
            "photosV2.getUploadUrl": self._photos_get_upload_url,
            "url.getInfo": self._url_get_info,
            "users.getCallsLeft": self._users_get_calls_left,
            "users.getCurrentUser": lambda exchange: _user_object(OFFICER),
        }

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/ok/fb.do", self._on_call, methods=["GET", "POST"]),
            Route("/ok/api/{group}/{name}", self._on_call, methods=["GET", "POST"]),
            Route("/ok/upload", self._on_upload, methods=["POST"]),
        ]

    # one call ---------------------------------------------------------------------------------------------

    async def _on_call(self, request: Request) -> Response:
        method = request.query_params.get("method", "")
        if "name" in request.path_params:
            method = f"{request.path_params['group']}.{request.path_params['name']}"
        elif not method and request.method == "POST":
            method = str((await request.form()).get("method", ""))  # starlette keeps the form for later
        hidden = ("access_token", "session_key", "sig", "application_key")
        return await self._stand.serve(self, method, request, self._answer, hidden=hidden)

    async def _answer(self, exchange: Exchange) -> Reply:
        asked = exchange.parameters
        exchange.token = asked.get("access_token") or asked.get("session_key") or ""
        with self._world.lock:
            self._admit(exchange)
            return json_reply(self._methods[exchange.method](exchange))

    def _admit(self, exchange: Exchange) -> None:
        if exchange.method not in self._methods:
            raise Refusal(3, MESSAGES[3])
        if exchange.parameters.get("application_key") != APPLICATION_KEY:
            raise Refusal(101, MESSAGES[101])
        if exchange.token != ACCESS_TOKEN or exchange.token in self._stand.revoked:
            raise Refusal(103, MESSAGES[103])
        if exchange.parameters.get("sig", "") != signature(exchange.parameters):
            raise Refusal(104, MESSAGES[104])
        limits, meter = self._stand.limits, self._stand.meter
        if limits is None:
            return
        if not meter.passes("ok", at=exchange.at, limit=limits.ok_per_second):
            raise Refusal(11, MESSAGES[11])
        if not meter.spend(f"ok:{exchange.method}", at=exchange.at, limit=limits.ok_calls_per_day):
            raise Refusal(11, MESSAGES[11])

    def refusal(self, refusal: Refusal, exchange: Exchange) -> Reply:
        body = {"error_code": refusal.code, "error_msg": refusal.message, "error_data": None}
        reply = json_reply(body | refusal.more)
        reply.headers["invocation-error"] = str(refusal.code)
        return reply

    def as_refusal(self, fault: Fault, exchange: Exchange) -> Refusal:
        codes = {FaultKind.CAPTCHA: 7, FaultKind.FLOOD: 8, FaultKind.RATE: 11, FaultKind.BANNED: 103}
        code = codes.get(fault.kind, int(fault.code or 1))
        return Refusal(code, MESSAGES.get(code, f"ERROR {code}"))

    # reading ----------------------------------------------------------------------------------------------

    def _stream_get(self, exchange: Exchange) -> dict[str, Any]:
        """Lines of the feed, newest first. There is no has_more: the end is an empty list."""
        group = self._group(exchange.parameters.get("gid", ""))
        entries = group.standing(exchange.at)
        if anchor := exchange.parameters.get("anchor", ""):
            last = _read_anchor(anchor)
            entries = [e for e in entries if _order(e) < last]
        shown = entries[: _count(exchange)]
        feeds = [
            {
                "pattern": "POST",
                "type": "GROUP_TOPIC",
                "date": _moscow(e.at),
                "date_ms": _ms(e.at),
                "message": f"{{media_topic:{e.key}}}",
                "actor_refs": [_ref(e.author)],
                "target_refs": [f"media_topic:{e.key}"],
                "owner_refs": [f"group:{group.number}"],
            }
            for e in shown
        ]
        answer: dict[str, Any] = {"feeds": feeds, "entities": self._entities(shown)}
        if "media_topic" in exchange.parameters.get("fields", ""):
            answer["entities"]["media_topics"] = [self._topic(e) for e in shown]
        answer["anchor"] = _anchor(_order(shown[-1])) if shown else anchor
        return answer

    def _mediatopic_get_by_ids(self, exchange: Exchange) -> dict[str, Any]:
        keys = [key for key in exchange.parameters.get("topic_ids", "").split(",") if key]
        if not keys or len(keys) > 100:
            raise Refusal(100, f"{MESSAGES[100]} topic_ids")
        limit = int(exchange.parameters.get("media_limit", "3") or 3)
        found = [e for key in keys if (e := self._entry(key, exchange)) is not None]
        return {
            "media_topics": [self._topic(e, limit=limit) for e in found],
            "entities": self._entities(found),
        }

    def _discussions_get(self, exchange: Exchange) -> dict[str, Any]:
        entry = self._discussion(exchange)
        live, group = entry.live_comments(), entry.community
        title = entry.text.split("\n")[0][:256]
        return {
            "discussion": {
                "attrs": {"flags": "c,l,s"},
                "creation_date": _moscow(entry.at),
                "last_activity_date": _moscow(live[-1].at if live else entry.at),
                "last_user_access_date": _moscow(exchange.at),
                "like_count": entry.likes,
                "liked_it": False,
                "message": f"Topic in the {{group:{group.number}}}{group.title}{{group}} group",
                "new_comments_count": 0,
                "object_id": entry.key,
                "object_type": "GROUP_TOPIC",
                "owner_uid": str(abs(entry.author.number)),
                "ref_objects": [{"id": str(entry.community.number), "type": "GROUP"}],
                "title": title,
                "total_comments_count": len(live),
            },
            "entities": self._entities([entry]) | {"themes": [{"id": entry.key, "title": title}]},
        }

    def _discussions_get_comments(self, exchange: Exchange) -> dict[str, Any]:
        """FIRST walks forward from the oldest, LAST back from the newest, an anchor goes on from there."""
        entry = self._discussion(exchange)
        asked, anchor = exchange.parameters, exchange.parameters.get("anchor") or "LAST"
        forward = asked.get("direction", "FORWARD" if anchor == "FIRST" else "BACKWARD") == "FORWARD"
        comments = sorted(entry.live_comments(), key=lambda c: (c.at, c.number), reverse=not forward)
        if anchor not in ("FIRST", "LAST", "UNREAD"):
            last = _read_anchor(anchor)
            comments = [c for c in comments if (_order(c) > last if forward else _order(c) < last)]
        shown = comments[: _count(exchange)]
        answer: dict[str, Any] = {"has_more": len(comments) > len(shown)}
        if shown:
            answer["comments"] = [self._comment(c) for c in shown]
            answer["anchor"] = _anchor(_order(shown[-1]))
            answer["entities"] = self._entities(shown)
        else:
            answer["comments"] = []
        return answer

    def _group_get_info(self, exchange: Exchange) -> list[dict[str, Any]]:
        uids = [uid for uid in exchange.parameters.get("uids", "").split(",") if uid]
        if not uids:
            raise Refusal(100, f"{MESSAGES[100]} uids")
        return [self._group_object(g) for uid in uids if (g := self._world.find(Network.OK, uid)) is not None]

    def _group_get_stat_topic(self, exchange: Exchange) -> dict[str, Any]:
        entry = self._entry(exchange.parameters.get("topic_id", ""), exchange)
        if entry is None:
            raise Refusal(300, MESSAGES[300])
        return {
            "topic_id": entry.key,
            "renderings": entry.views,
            "reach": entry.views,
            "likes": entry.likes,
            "comments": len(entry.live_comments()),
            "reshares": entry.reposts,
            "engagement": entry.likes + entry.reposts,
            "link_clicks": 0,
            "hides_from_feed": 0,
            "complaints": 0,
        }

    def _url_get_info(self, exchange: Exchange) -> dict[str, Any]:
        name = exchange.parameters.get("url", "").rstrip("/").rpartition("/")[2]
        group = self._world.find(Network.OK, name)
        return {"type": "UNKNOWN"} if group is None else {"type": "GROUP", "objectId": group.number}

    def _users_get_calls_left(self, exchange: Exchange) -> list[dict[str, Any]]:
        limits, asked = self._stand.limits, exchange.parameters.get("methods", "")
        whole = limits.ok_calls_per_day if limits else 1_000_000
        return [
            {
                "methodName": name,
                "available": True,
                "callsLeft": whole - self._stand.meter.spent(f"ok:{name}", at=exchange.at),
            }
            for name in asked.split(",")
            if name
        ]

    # writing ----------------------------------------------------------------------------------------------

    def _photos_get_upload_url(self, exchange: Exchange) -> dict[str, Any]:
        group = self._group(exchange.parameters.get("gid", ""))
        ids = [
            f"{900_000_000_000 + len(self._uploads) * 10 + i}"
            for i in range(int(exchange.parameters.get("count", "1") or 1))
        ]
        url = f"{self._stand.base_url}/ok/upload?gid={group.number}&photo_ids={','.join(ids)}"
        expires = _moscow(exchange.at)
        return {
            "photo_ids": ids,
            "upload_url": url,
            "expires": expires,
            "expires_ms": _ms(exchange.at) + 3_600_000,
        }

    async def _on_upload(self, request: Request) -> Response:
        return await self._stand.serve(self, "upload", request, self._take_upload)

    async def _take_upload(self, exchange: Exchange) -> Reply:
        ids = exchange.parameters.get("photo_ids", "").split(",")
        tokens: dict[str, Any] = {}
        with self._world.lock:
            for photo_id, (content, mime) in zip(ids, exchange.files.values(), strict=False):
                photo = self._world.add_photo(content, mime=mime)
                if not photo.width:
                    return json_reply({"error_code": 1, "error_msg": "upload.bad_image", "error_data": None})
                token = base64.b64encode(f"photo:{photo.key}".encode()).decode()
                self._uploads[token] = photo
                tokens[photo_id] = {"token": token}
        return json_reply({"photos": tokens})

    def _mediatopic_post(self, exchange: Exchange) -> str:
        if exchange.parameters.get("type", "GROUP_THEME") not in ("GROUP_THEME", "GROUP_SUGGESTED"):
            raise Refusal(100, f"{MESSAGES[100]} type")
        group = self._group(exchange.parameters.get("gid", ""))
        if group.more.get("writing") is False:
            raise Refusal(10, MESSAGES[10])
        attachment = self._attachment(exchange.parameters.get("attachment", ""))
        text, photos, more = self._contents(attachment)
        is_group = str(attachment.get("onBehalfOfGroup", "")).lower() == "true"
        at_ms = attachment.get("publishAtMs")
        entry = self._world.write_post(
            group,
            (group.author if is_group else None) or OFFICER,
            text,
            exchange.at,
            photos=photos,
            more=more,
            is_ours=True,
            publish_at=datetime.fromtimestamp(int(at_ms) / 1000, UTC) if at_ms else None,
        )
        if str(attachment.get("disableComments", "")).lower() == "true":
            entry.more["comments_open"] = False
        return entry.key

    @staticmethod
    def _attachment(text: str) -> dict[str, Any]:
        try:
            attachment = json.loads(text)
        except ValueError:
            attachment = None
        if not isinstance(attachment, dict) or not isinstance(attachment.get("media"), list):
            raise Refusal(100, f"{MESSAGES[100]} attachment")
        return attachment

    def _contents(self, attachment: dict[str, Any]) -> tuple[str, tuple[Photo, ...], dict[str, Any]]:
        texts: list[str] = []
        photos: list[Photo] = []
        more: dict[str, Any] = {}
        for block in attachment["media"]:
            match block.get("type"):
                case "text":
                    texts.append(str(block.get("text", "")))
                case "photo":
                    photos += [self._uploaded(item) for item in block.get("list", [])]
                case "link":
                    if not str(block.get("url", "")).startswith("http"):
                        raise Refusal(607, MESSAGES[607])
                    more["link"] = block["url"]
                case "poll":
                    more["poll"] = {
                        "question": block["question"],
                        "answers": [a["text"] for a in block["answers"]],
                    }
                case _:
                    raise Refusal(100, f"{MESSAGES[100]} attachment.media.type")
        text = "\n".join(texts)
        if len(text) > MAX_TEXT:
            raise Refusal(601, MESSAGES[601])
        if not text.strip() and not photos and not more:
            raise Refusal(100, f"{MESSAGES[100]} attachment.media")
        return text, tuple(photos), more

    def _uploaded(self, item: Any) -> Photo:
        photo = self._uploads.get(str(item.get("id", "")) if isinstance(item, dict) else "")
        if photo is None:
            raise Refusal(100, f"{MESSAGES[100]} photo token")
        return photo

    def _mediatopic_delete_topic(self, exchange: Exchange) -> bool:
        entry = self._entry(exchange.parameters.get("topic_id", ""), exchange)
        if entry is None:
            raise Refusal(300, MESSAGES[300])
        entry.is_deleted = True
        self._world.note(Change.DELETED, entry, None, exchange.at)
        return True

    def _add_discussion_comment(self, exchange: Exchange) -> str:
        asked = exchange.parameters
        entry = self._entry(asked.get("entityId", ""), exchange)
        if entry is None:
            raise Refusal(300, MESSAGES[300])
        if not entry.more.get("comments_open", entry.community.comments_open):
            raise Refusal(10, MESSAGES[10])
        text = asked.get("comment", "")
        if not text.strip():
            raise Refusal(100, f"{MESSAGES[100]} comment")
        parent = None
        if answered := asked.get("reply_to_comment_id"):
            parent = next((c for c in entry.live_comments() if c.key == answered), None)
            if parent is None:
                raise Refusal(300, MESSAGES[300])
        if asked.get("as_admin") == "true" and entry.community.more.get("ours") is False:
            raise Refusal(50, "NOT_ADMIN : Caller is not an administrator of the group")
        author = entry.community.author if asked.get("as_admin") == "true" else None
        author = author or OFFICER
        return self._world.write_comment(entry, author, text, exchange.at, parent=parent, is_ours=True).key

    def _delete_discussion_comment(self, exchange: Exchange) -> bool:
        entry = self._entry(exchange.parameters.get("entityId", ""), exchange)
        live = entry.live_comments() if entry else []
        comment = next((c for c in live if c.key == exchange.parameters.get("commentId")), None)
        if comment is None:
            raise Refusal(300, MESSAGES[300])
        comment.is_deleted = True
        self._world.note(Change.DELETED, comment.post, comment, exchange.at)
        return True

    # who and where ----------------------------------------------------------------------------------------

    def _group(self, gid: str) -> Community:
        group = self._world.find(Network.OK, gid) if gid else None
        if group is None:
            raise Refusal(160, MESSAGES[160])
        if group.access is not Access.OPEN:
            raise Refusal(10 if group.access is Access.CLOSED else 300, MESSAGES[10])
        return group

    def _entry(self, key: str, exchange: Exchange) -> Entry | None:
        entry = self._world.found.get(f"ok:{key}")
        if not isinstance(entry, Entry) or entry.community.access is not Access.OPEN:
            return None
        return self._stand.entry(entry.community, entry.number, at=exchange.at)

    def _discussion(self, exchange: Exchange) -> Entry:
        if exchange.parameters.get("discussionType", "GROUP_TOPIC") != "GROUP_TOPIC":
            raise Refusal(100, f"{MESSAGES[100]} discussionType")
        entry = self._entry(exchange.parameters.get("discussionId", ""), exchange)
        if entry is None:
            raise Refusal(300, MESSAGES[300])
        return entry

    # objects ----------------------------------------------------------------------------------------------

    def _topic(self, entry: Entry, *, limit: int = 3) -> dict[str, Any]:
        media: list[dict[str, Any]] = [{"type": "text", "text": entry.text}] if entry.text else []
        if entry.photos:
            media.append({"type": "photo", "photos": [self._photo(p) for p in entry.photos]})
        if link := entry.more.get("link"):
            media.append({"type": "link", "url": link, "title": entry.more.get("link_title", "")})
        if poll := entry.more.get("poll"):
            answers = [{"text": text, "vote_summary": {"count": 0}} for text in poll["answers"]]
            media.append({"type": "poll", "polls": [{"question": poll["question"], "answers": answers}]})
        if entry.origin is not None:
            media.append({"type": "topic", "media_reshare": self._topic(entry.origin)})
        topic: dict[str, Any] = {
            "id": entry.key,
            "author_ref": _ref(entry.author),
            "owner_ref": f"group:{entry.community.number}",
            "created_ms": _ms(entry.publish_at or entry.at),
            "like_summary": {"count": entry.likes, "self": False, "like_possible": True},
            "reshare_summary": {"count": entry.reposts, "self": False, "reshare_possible": True},
            "discussion_summary": {
                "discussion_id": entry.key,
                "discussion_type": "GROUP_TOPIC",
                "comments_count": len(entry.live_comments()),
            },
            "media": media[:limit],
            "has_more": len(media) > limit,
            "ref": f"group_topic:{entry.key}",
        }
        if entry.views:
            topic["views_count"] = entry.views
        return topic

    def _photo(self, photo: Photo) -> dict[str, Any]:
        url = self._stand.photo_url(photo)
        return {
            "id": str(photo.number), "pic128x128": url, "pic640x480": url, "pic1024x768": url,
            "standard_width": photo.width, "standard_height": photo.height, "text": photo.alt,
        }  # fmt: skip

    @staticmethod
    def _comment(comment: Comment) -> dict[str, Any]:
        """No edit time; dates in Moscow time without a zone."""
        shown: dict[str, Any] = {
            "attrs": {"flags": "l,s"},
            "author_id": str(abs(comment.author.number)),
            "date": _moscow(comment.at),
            "id": comment.key,
            "like_count": comment.likes,
            "liked_it": False,
            "text": comment.text,
            "type": "ACTIVE_MESSAGE",
        }
        if comment.author.community is not None:
            shown |= {"author_type": "GROUP", "author_name": comment.author.name}
        if comment.parent is not None:
            shown |= {
                "reply_to_comment_id": comment.parent.key,
                "reply_to_id": str(abs(comment.parent.author.number)),
            }
        return shown

    def _entities(self, shown: Iterable[Entry | Comment]) -> dict[str, Any]:
        groups: dict[int, Community] = {}
        people: dict[int, Author] = {}
        for item in shown:
            community = item.community if isinstance(item, Entry) else item.post.community
            groups[community.number] = community
            if item.author.community is None:
                people[item.author.number] = item.author
        return {
            "groups": [self._group_object(g) for g in groups.values()],
            "users": [_user_object(a) for a in people.values()],
        }

    def _group_object(self, group: Community) -> dict[str, Any]:
        return {
            "uid": str(group.number),
            "name": group.title,
            "description": str(group.more.get("description", group.title)),
            "shortname": group.address,
            "picAvatar": f"{self._stand.base_url}/photos/none",
            "shop_visible_admin": False,
            "shop_visible_public": False,
            "members_count": group.members,
        }


def signature(parameters: dict[str, str]) -> str:
    """md5 over sorted `key=value` without the session's own parameters, then the session secret."""
    kept = sorted((k, v) for k, v in parameters.items() if k not in ("access_token", "session_key", "sig"))
    joined = "".join(f"{key}={value}" for key, value in kept)
    return hashlib.md5(f"{joined}{SESSION_SECRET}".encode(), usedforsecurity=False).hexdigest()


def _ref(author: Author) -> str:
    return f"group:{author.community.number}" if author.community else f"user:{author.number}"


def _user_object(author: Author) -> dict[str, Any]:
    first, _, last = author.name.partition(" ")
    return {
        "uid": str(author.number),
        "first_name": first,
        "last_name": last,
        "name": author.name,
        "gender": "female",
    }


def _count(exchange: Exchange) -> int:
    count = exchange.parameters.get("count", "20") or "20"
    if not count.isdigit() or not 1 <= int(count) <= 100:
        raise Refusal(100, f"{MESSAGES[100]} count")
    return int(count)


def _order(item: Entry | Comment) -> tuple[int, int]:
    at = item.publish_at or item.at if isinstance(item, Entry) else item.at
    return _ms(at), item.number


def _anchor(order: tuple[int, int]) -> str:
    return base64.urlsafe_b64encode(f"{order[0]}:{order[1]}".encode()).decode()


def _read_anchor(anchor: str) -> tuple[int, int]:
    try:
        moment, _, number = base64.urlsafe_b64decode(anchor.encode()).decode().partition(":")
        return int(moment), int(number)
    except ValueError:
        raise Refusal(100, f"{MESSAGES[100]} anchor") from None


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moscow(moment: datetime) -> str:
    return f"{moment.astimezone(MOSCOW):%Y-%m-%d %H:%M:%S}"
