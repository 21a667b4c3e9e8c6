"""One visit to one source: what it read goes to the index first, only then does its cursor move."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from crawlers.cursors import MISSES_APART, Position, Walk, Young
from crawlers.discovery import Evidence
from crawlers.health import Outcome, Trouble
from crawlers.pace import Pace
from crawlers.pages.base import Context, Parsed, Sight
from crawlers.parse import line
from index.desk import Desk
from index.domain.post import Post, PostKind, Print
from index.domain.source import Source, SourceHealth
from index.errors import Refused
from index.posts.base import PostIndex
from index.posts.document import admit
from index.posts.query import Added, Query
from index.settings import Settings

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

SEEN_AT_MOST = 60_000  # posts remembered by one process; a post takes about 200 bytes
STORED_AT_ONCE = 500  # posts in one write


class Seen:
    """Posts this process has stored already, so that reading a wall again costs the index nothing.

    Only a saving: what is forgotten here is simply stored again, and the index keeps it once.
    """

    def __init__(self) -> None:
        self._prints: OrderedDict[str, int] = OrderedDict()

    def unknown(self, posts: Iterable[Post]) -> list[Post]:
        """Posts that were not stored in this very form."""
        return [post for post in posts if self._prints.get(post.id) != _print(post)]

    def stored(self, posts: Iterable[Post]) -> None:
        for post in posts:
            self._prints[post.id] = _print(post)
            self._prints.move_to_end(post.id)
        while len(self._prints) > SEEN_AT_MOST:
            self._prints.popitem(last=False)


def _print(post: Post) -> int:
    return hash(
        (
            post.content_hash,
            post.counters,
            post.is_edited,
            post.is_deleted,
            post.source_id,
            post.parent_id,
            post.print,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every spider of one process works with. Handed over as it is, never through Scrapy's settings."""

    desk: Desk
    posts: PostIndex
    settings: Settings
    pace: Pace
    secret: bytes  #: of the authors' pseudonyms
    clock: Callable[[], datetime]
    queries: tuple[str, ...] = ()  #: names of the district, for the search of open posts
    seen: Seen = field(default_factory=Seen)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)  #: one writer of posts a process, in turn
    evidence: Evidence = field(default_factory=Evidence)
    hot: set[str] = field(default_factory=set)  #: posts of open alerts: their comments are read first
    #: The only thread that stores posts: a connection keeps a cache of its own for every thread it serves.
    writer: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="posts")
    )

    async def write(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Run `work` in the thread that stores posts."""
        return await asyncio.get_running_loop().run_in_executor(self.writer, work, *arguments)


@dataclass(slots=True, kw_only=True)
class Visit:
    """A visit while it goes on. Every method that stores returns only when the posts are durable."""

    means: Means
    source: Source
    health: SourceHealth
    young: Young
    may_wait: bool = False  #: an event may be waited for a moment (long polls)
    is_probe: bool = False  #: only look whether the source answers: nothing is stored, no cursor moves
    is_complete: bool = False
    read: int = 0
    trouble: Trouble | None = None
    _new: int = 0
    _changed: int = 0
    _broken: int = 0
    _published: list[datetime] = field(default_factory=list)
    _newest_post_at: datetime | None = None
    _cursors: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)  #: as the desk holds them

    @property
    def now(self) -> datetime:
        return self.means.clock()

    def context(self, source: Source | None = None, *, kept: Mapping[str, Print] | None = None) -> Context:
        """What page objects are given; the answer is taken to come now."""
        source = source or self.source
        return Context(secret=self.means.secret, fetched_at=self.now, source=source, kept=kept)

    async def knowing(self, post_ids: Sequence[str]) -> Context:
        """The context of an answer in which these stand: what the index holds of them is passed over."""
        if self.is_probe:
            return self.context()
        return self.context(kept=await self.means.write(self.means.posts.prints, post_ids))

    async def store(self, parsed: Parsed, *, page: str) -> None:
        """Keep the posts, put broken records aside, mark what the network says is gone.

        `page` names the page object, for the quarantine. Raises Unavailable: nothing may be taken as kept.
        """
        self.read += len(parsed.posts) + len(parsed.same)
        if self.is_probe:
            return
        async with self.means.writing:
            await self.means.write(self._store, parsed, page)

    def keep(self, parsed: Parsed, *, page: str) -> None:
        """As `store`, for a caller without a loop: it sees to it that one thread writes at a time."""
        self.read += len(parsed.posts)
        self._store(parsed, page)

    async def lost(self, post_ids: Sequence[str]) -> None:
        """Mark posts and comments as deleted on the network."""
        if post_ids and not self.is_probe:
            async with self.means.writing:
                await self.means.write(self._bury, post_ids)

    async def missing_comments(self, post_id: str, present: Iterable[str]) -> datetime | None:
        """The comments of this post were read to the end: those of the index that did not come are missed.

        Gives when to look for them once more; None: nothing is missing.
        """
        if self.is_probe:
            return None
        async with self.means.writing:
            return await self.means.write(self._miss_comments, post_id, frozenset(present))

    async def cursor(self, name: str = "posts") -> Mapping[str, Any] | None:
        """What the desk holds, not to be changed in place. None: nothing has been read yet."""
        value = await in_thread(self.means.desk.cursors.get, self.source.id, name)
        self._cursors[name] = value
        return value

    async def move_cursor(self, value: dict[str, Any], name: str = "posts") -> None:
        """Only after everything it stands for has been stored. What has not changed is not written."""
        if not self.is_probe and self._cursors.get(name) != value:
            self._cursors[name] = value
            await in_thread(self.means.desk.cursors.save, self.source.id, value, name)

    async def position(self) -> Position:
        return Position.from_json(await self.cursor())

    async def move_position(self, walk: Walk) -> None:
        """The cursor of a wall, once its pages are stored. What has still to be read under the new posts is
        written first: a process killed in between reads the wall again, and never forgets the comments."""
        await self.keep_young()
        await self.move_cursor(walk.after().to_json())
        self.is_complete = walk.is_complete

    async def keep_young(self) -> None:
        """Save the state of the young posts."""
        self.young.trim(self.now)
        await self.move_cursor(self.young.to_json(), "young")

    def outcome(self) -> Outcome:
        return Outcome(
            is_complete=self.is_complete and self.trouble is None,
            new=self._new,
            changed=self._changed,
            read=self.read,
            broken=self._broken,
            published=tuple(self._published),
            newest_post_at=self._newest_post_at,
            trouble=self.trouble,
        )

    def _store(self, parsed: Parsed, page: str) -> None:
        now = self.now
        for record in parsed.broken:
            self.means.desk.quarantine.add(
                stage=f"crawl:{page}",
                network=self.source.network,
                source_id=self.source.id,
                raw=record.raw,
                error=f"{record.place}: {record.reason}",
                at=now,
            )
        self._broken += len(parsed.broken)
        posts = self._kept(self._with_due_prints(parsed), page)
        added = self._add(posts, now)
        self._new += added.new
        self._changed += added.changed
        self._note_posts(posts, frozenset(added.new_ids))
        self._note_same(parsed.same)
        self.means.evidence.add(parsed.mentions)
        self._bury(parsed.gone)

    def _with_due_prints(self, parsed: Parsed) -> list[Post]:
        """A post that names other pages gets its print once the desk holds what it names: until then it is
        read again and tells the same, whenever this process ends."""
        naming = {mention.post_id for mention in parsed.mentions}
        untold = {post_id for post_id in naming if not self.means.evidence.is_told(post_id)}
        return [replace(post, print=None) if post.id in untold else post for post in parsed.posts]

    def _kept(self, posts: Sequence[Post], page: str) -> list[Post]:
        """Without posts that no index takes (a date in the year 3000): they never hold up the rest."""
        kept = []
        for post in posts:
            try:
                kept.append(admit(post))
            except Refused as error:
                self.means.desk.quarantine.add(
                    stage=f"crawl:{page}",
                    network=self.source.network,
                    source_id=self.source.id,
                    raw=json.dumps(line(post), ensure_ascii=False),
                    error=str(error),
                    at=self.now,
                )
                self._broken += 1
        return kept

    def _add(self, posts: Sequence[Post], now: datetime) -> Added:
        unknown = [
            post if post.collected_at else replace(post, collected_at=now)
            for post in self.means.seen.unknown(posts)
        ]
        total = Added()
        for start in range(0, len(unknown), STORED_AT_ONCE):
            part = unknown[start : start + STORED_AT_ONCE]
            added = self.means.posts.add(part)
            self.means.seen.stored(part)
            total = Added(
                new=total.new + added.new,
                changed=total.changed + added.changed,
                known=total.known + added.known,
                new_ids=total.new_ids + added.new_ids,
            )
        return total

    def _note_posts(self, posts: Iterable[Post], new_ids: frozenset[str]) -> None:
        for post in posts:
            if post.kind is not PostKind.POST:
                continue
            if post.id in new_ids:
                self._published.append(post.published_at)
            self._newest_post_at = max(self._newest_post_at or post.published_at, post.published_at)

    def _note_same(self, same: Sequence[Sight]) -> None:
        times = [published_at for _, kind, published_at, _ in same if kind is PostKind.POST]
        if times:
            self._newest_post_at = max(self._newest_post_at or times[0], *times)

    def _bury(self, post_ids: Sequence[str]) -> None:
        if not post_ids:
            return
        known = self.means.posts.get_many(post_ids)
        standing = [record.post for record in known.values() if not record.post.is_deleted]
        if standing:
            buried = [replace(post, is_deleted=True, print=None) for post in standing]
            self._changed += self.means.posts.add(buried).changed
            self.means.seen.stored(buried)
        self.young.gone(post_ids)

    def _miss_comments(self, post_id: str, present: frozenset[str]) -> datetime | None:
        known = self._comments_of(post_id)
        missed = dict(self.means.desk.cursors.get(post_id, "missed") or {})
        now = self.now
        absent = [comment_id for comment_id in known if comment_id not in present]
        first = {comment_id: missed.get(comment_id, now.isoformat()) for comment_id in absent}
        gone = [c for c, at in first.items() if now - datetime.fromisoformat(at) >= MISSES_APART]
        self._bury(gone)
        left = {comment_id: at for comment_id, at in first.items() if comment_id not in gone}
        if left != missed:
            self.means.desk.cursors.save(post_id, left, "missed")
        return now + MISSES_APART if left else None

    def known_comments(self, post_id: str) -> set[str]:
        """Ids of the comments under it that the index holds."""
        return set(self._comments_of(post_id))

    def _comments_of(self, post_id: str) -> list[str]:
        query, ids, cursor = Query(parent_ids=(post_id,), kinds=(PostKind.COMMENT,)), [], None
        while True:
            found = self.means.posts.find(query, limit=500, cursor=cursor)
            ids += [record.post.id for record in found.records]
            if (cursor := found.next) is None:
                return ids


def adopted(post: Post, source: Source) -> Post:
    """A post that came another way (search, updates of a bot) and stands on a page of the register."""
    return replace(post, source=source.title, source_id=source.id, source_home=source.home)


async def in_thread(work: Callable[..., Result], *arguments: Any) -> Result:
    """Databases block: they are asked in a thread, the loop goes on with the other sources."""
    return await asyncio.to_thread(work, *arguments)
