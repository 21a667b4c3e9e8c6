"""Objects of VK's answers: posts, comments, photos, communities, topics and events, field by field."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from api.practice.stand import Stand
from api.practice.world import Access, Author, Change, Comment, Community, Entry, Event, Photo
from index.domain.post import Network

OFFICER = Author(number=1_000_001, name="Сотрудник Практикант")  #: whom the user token belongs to
SIZES = (("s", 75), ("m", 130), ("x", 604), ("y", 807), ("z", 1080), ("w", 2560))


class VkObjects:
    """Renders the world; changes nothing."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._world = stand.world

    def post(self, entry: Entry, at: datetime) -> dict[str, Any]:
        """A `wall_wallpost_full` with the fields of a real answer of 2025."""
        waiting = entry.publish_at is not None and entry.publish_at > at
        post: dict[str, Any] = {
            "inner_type": "wall_wallpost",
            "donut": {"is_donut": False},
            "comments": {
                "can_post": int(entry.more.get("comments_open", entry.community.comments_open)),
                "can_view": 1,
                "count": len(entry.live_comments()),
                "groups_can_post": True,
            },
            "marked_as_ads": int(bool(entry.more.get("is_advert"))),
            "hash": hashlib.sha256(entry.id.encode()).hexdigest()[:28],
            "type": "post",
            "attachments": self._attachments(entry),
            "date": unix(entry.publish_at or entry.at),
            "from_id": entry.author.number,
            "id": entry.number,
            "is_favorite": False,
            "likes": {
                "can_like": 1,
                "count": entry.likes,
                "user_likes": 0,
                "can_publish": 1,
                "repost_disabled": False,
            },
            "reaction_set_id": "reactions",
            "owner_id": -entry.community.number,
            "post_source": {"type": "api" if entry.is_ours else "vk"},
            "post_type": "postpone" if waiting else "post",
            "reposts": {"count": entry.reposts, "user_reposted": 0},
            "text": html.escape(entry.text, quote=False),
        }
        if entry.views:
            post["views"] = {"count": entry.views}
        if entry.edited_at:
            post["edited"] = unix(entry.edited_at)
        if entry.is_pinned:
            post["is_pinned"] = 1
        if signer := entry.more.get("signer"):
            post["signer_id"] = self._world.author(Network.VK, signer).number
        if geo := entry.more.get("geo"):
            post["geo"] = {"type": "point", "coordinates": geo}
        if entry.origin is not None:
            post["copy_history"] = [self.post(entry.origin, at)]
        return post

    def _attachments(self, entry: Entry) -> list[dict[str, Any]]:
        owner, date = -entry.community.number, unix(entry.at)
        found: list[dict[str, Any]] = [
            {
                "type": "photo",
                "photo": self.photo(photo, owner, date) | {"post_id": entry.number},
                "style": "full",
            }
            for photo in entry.photos
        ]
        if link := entry.more.get("link"):
            found.append(
                {
                    "type": "link",
                    "link": {"url": link, "title": entry.more.get("link_title", link), "description": ""},
                }
            )
        if poll := entry.more.get("poll"):
            found.append({"type": "poll", "poll": _poll(poll, entry)})
        if video := entry.more.get("video"):
            found.append({"type": "video", "video": _video(str(video), entry)})
        return found

    def photo(self, photo: Photo, owner: int, date: int) -> dict[str, Any]:
        width, height, url = photo.width or 640, photo.height or 480, self._stand.photo_url(photo)
        sizes = [
            {
                "height": max(1, min(edge, width) * height // width),
                "type": name,
                "width": min(edge, width),
                "url": url,
            }
            for name, edge in SIZES
        ]
        return {
            "album_id": -8,
            "date": date,
            "id": photo.number,
            "owner_id": owner,
            "access_key": "practice",
            "sizes": sizes,
            "text": photo.alt,
            "user_id": OFFICER.number,
            "web_view_token": "practice",
            "has_tags": False,
            "orig_photo": {"height": height, "type": "base", "url": url, "width": width},
        }

    def comment(self, comment: Comment, *, with_likes: bool = False, threads: int = 0) -> dict[str, Any]:
        replies = replies_of(comment)
        thread: dict[str, Any] = {
            "count": len(replies),
            "items": [self.comment(c, with_likes=with_likes) for c in replies[:threads]],
            "can_post": True,
            "show_reply_button": True,
            "groups_can_post": True,
        }
        if comment.is_deleted:  # VK leaves no author, no text, no post
            return {
                "id": comment.number,
                "parents_stack": [],
                "date": unix(comment.at),
                "thread": thread,
                "deleted": True,
            }
        shown: dict[str, Any] = {
            "id": comment.number,
            "from_id": comment.author.number,
            "date": unix(comment.at),
            "text": html.escape(comment.text, quote=False),
            "post_id": comment.post.number,
            "owner_id": -comment.post.community.number,
            "parents_stack": parents_of(comment),
        }
        if with_likes:
            shown["likes"] = {
                "can_like": 1,
                "count": comment.likes,
                "user_likes": 0,
                "can_like_by_group": 0,
                "author_liked": False,
            }
        if comment.parent is not None:
            shown["reply_to_user"] = comment.parent.author.number
            shown["reply_to_comment"] = comment.parent.number
        else:
            shown["thread"] = thread
        if comment.author.community is comment.post.community:
            shown["is_from_post_author"] = True
        return shown

    def named(self, shown: Iterable[Entry | Comment]) -> dict[str, Any]:
        """Who speaks in them and where: what `extended` adds to an answer."""
        people: dict[int, Author] = {}
        groups: dict[int, Community] = {}
        for item in shown:
            community = item.community if isinstance(item, Entry) else item.post.community
            groups[community.number] = community
            if item.author.community is not None:
                groups[item.author.community.number] = item.author.community
            else:
                people[item.author.number] = item.author
        return {
            "profiles": [user(a) for a in people.values()],
            "groups": [self.group(g) for g in groups.values()],
        }

    def group(self, group: Community, fields: str = "") -> dict[str, Any]:
        picture = f"{self._stand.base_url}/photos/none"
        shown: dict[str, Any] = {
            "id": group.number,
            "name": group.title,
            "screen_name": group.address,
            "is_closed": int(group.access is Access.CLOSED),
            "type": "group",
            "is_admin": 0,
            "is_member": 0,
            "is_advertiser": 0,
            "photo_50": picture,
            "photo_100": picture,
            "photo_200": picture,
        }
        if group.access is Access.BLOCKED:
            shown["deactivated"] = "banned"
        if "can_post" in fields:
            shown["can_post"] = int(group.more.get("ours", True))
        if "members_count" in fields:
            shown["members_count"] = group.members
        if "description" in fields:
            shown["description"] = str(group.more.get("description", ""))
        return shown

    @staticmethod
    def film(entry: Entry) -> dict[str, Any]:
        """A video of the page: `text` is its description."""
        shown = _video(str(entry.more["film"]), entry)
        return shown | {
            "description": entry.text,
            "comments": len(entry.live_comments()),
            "views": entry.views,
            "likes": {"count": entry.likes, "user_likes": 0},
            "can_comment": 1,
        }

    @staticmethod
    def topic(entry: Entry, preview: int) -> dict[str, Any]:
        live = entry.live_comments()
        last = live[-1] if live else None
        topic: dict[str, Any] = {
            "id": entry.number,
            "title": str(entry.more["board"]),
            "created": unix(entry.at),
            "created_by": entry.author.number,
            "updated": unix(updated_at(entry)),
            "updated_by": last.author.number if last else entry.author.number,
            "is_closed": 0,
            "is_fixed": int(entry.is_pinned),
            "comments": len(live) + 1,
        }
        if preview & 1:
            topic["first_comment"] = html.escape(entry.text, quote=False)
        if preview & 2:
            topic["last_comment"] = html.escape(last.text if last else entry.text, quote=False)
        return topic

    def update(self, event: Event) -> dict[str, Any] | None:
        """An update of Bots Long Poll; None for what VK does not tell: edited and deleted posts."""
        group, entry, comment = event.entry.community, event.entry, event.comment
        if not entry.is_on_wall:
            return None
        if comment is None:
            if event.change is not Change.POSTED or entry.is_deleted:
                return None
            kind, about = "wall_post_new", self._new_post(entry)
        elif event.change is Change.DELETED:
            kind = "wall_reply_delete"
            about = {
                "owner_id": -group.number,
                "id": comment.number,
                "deleter_id": OFFICER.number,
                "post_id": entry.number,
            }
        else:
            kind = "wall_reply_new" if event.change is Change.COMMENTED else "wall_reply_edit"
            about = self._new_reply(comment)
        event_id = hashlib.sha256(f"{event.serial}".encode()).hexdigest()[:40]
        return {"group_id": group.number, "type": kind, "event_id": event_id, "v": "5.199", "object": about}

    @staticmethod
    def _new_post(entry: Entry) -> dict[str, Any]:
        return {
            "id": entry.number,
            "from_id": entry.author.number,
            "owner_id": -entry.community.number,
            "date": unix(entry.at),
            "marked_as_ads": 0,
            "post_type": "post",
            "text": html.escape(entry.text, quote=False),
            "can_edit": 1,
            "created_by": entry.author.number,
            "can_delete": 1,
            "comments": {"count": 0},
        }

    @staticmethod
    def _new_reply(comment: Comment) -> dict[str, Any]:
        """Thinner than a comment elsewhere, and the owner has another name."""
        return {
            "id": comment.number,
            "from_id": comment.author.number,
            "date": unix(comment.at),
            "text": html.escape(comment.text, quote=False),
            "post_owner_id": -comment.post.community.number,
            "post_id": comment.post.number,
        }


def user(author: Author) -> dict[str, Any]:
    first, _, last = author.name.partition(" ")
    return {
        "id": author.number,
        "first_name": first,
        "last_name": last,
        "can_access_closed": True,
        "is_closed": False,
    }


def _poll(poll: dict[str, Any], entry: Entry) -> dict[str, Any]:
    never = ("multiple", "closed", "is_board", "can_edit", "can_report", "disable_unvote")
    return dict.fromkeys(never, False) | {
        "id": entry.number,
        "owner_id": -entry.community.number,
        "author_id": entry.author.number,
        "question": poll["question"],
        "answers": [
            {"id": i, "text": text, "votes": 0, "rate": 0} for i, text in enumerate(poll["answers"], 1)
        ],
        "answer_ids": [],
        "votes": 0,
        "created": unix(entry.at),
        "end_date": 0,
        "anonymous": True,
        "can_vote": True,
        "can_share": True,
        "embed_hash": "practice",
    }


def _video(title: str, entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.number,
        "owner_id": -entry.community.number,
        "title": title,
        "description": "",
        "duration": 31,
        "date": unix(entry.at),
        "comments": 0,
        "views": 12,
        "type": "video",
        "access_key": "practice",
    }


def replies_of(comment: Comment) -> list[Comment]:
    """Live replies of a top comment's thread, oldest first; VK threads have one level."""
    return [c for c in comment.post.comments if c.parent and c.root is comment and not c.is_deleted]


def parents_of(comment: Comment) -> list[int]:
    return [] if comment.parent is None else [comment.root.number]


def updated_at(entry: Entry) -> datetime:
    live = entry.live_comments()
    return live[-1].at if live else entry.at


def unix(moment: datetime) -> int:
    return int(moment.timestamp())
