"""How far a source has been read: a cursor stands only for posts that are stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from crawlers.pages.base import Sight
from crawlers.schedule import reread_at
from index.domain.post import PostKind

BACKFILL = timedelta(days=30)  # how far back a source is read when it is met for the first time
YOUNG = timedelta(days=14)  # older posts hardly change: they are not read again
WATCHED_AT_MOST = 400  # young posts of one source; the oldest are let go once their comments are read
READ_AGAIN = timedelta(minutes=1)  # a post seen again sooner is not noted: a quiet visit writes nothing
HOT_PAUSE = timedelta(minutes=1)  # between two readings of the comments under a post of an open alert
MISSES_APART = timedelta(hours=1)  # a post is gone when it was missed twice, this far apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the reading of a wall stands. Keys grow with time: post numbers, or milliseconds.

    Everything with a key up to `newest` is stored. While a long reading is unfinished, so is everything
    from `top` down to where `resume` goes on; the gap between that place and `newest` is still unread.
    """

    newest: int | None = None  #: None: never read to the end
    top: int | None = None  #: None: no unfinished reading
    resume: str | None = None  #: token of the page to go on with

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        value = value or {}
        return cls(newest=value.get("newest"), top=value.get("top"), resume=value.get("resume"))

    def to_json(self) -> dict[str, Any]:
        return {"newest": self.newest, "top": self.top, "resume": self.resume}


@dataclass(slots=True, kw_only=True)
class Walk:
    """One reading of a wall, page by page from the newest down to what is known.

    Give it every page; it says which page comes next. It stops after a whole page of known posts (one
    old post may be pinned), at the start of the wall, or, at the first meeting, `BACKFILL` ago.
    """

    position: Position
    now: datetime
    pages_at_most: int = 20
    _top: int | None = None
    _pages: int = 0
    _is_done: bool = False
    _resume: str | None = None
    _in_gap: bool = False

    def page(
        self, keys: Iterable[tuple[int, datetime]], *, next_page: str | None, pinned: Collection[int] = ()
    ) -> str | None:
        """Take the keys and times of one page; give the token of the next one, or None to stop."""
        fresh = [(key, at) for key, at in keys if key not in pinned]
        self._pages += 1
        self._top = max(
            [key for key, _ in fresh] + ([self._top] if self._top is not None else []), default=None
        )
        self._resume = next_page
        if next_page is None or self._is_known(fresh):
            return self._reached(next_page)
        if self._pages >= self.pages_at_most:
            return None
        return next_page

    def _is_known(self, fresh: list[tuple[int, datetime]]) -> bool:
        if not fresh:  # only pinned posts, or nothing of the kind we keep: look further
            return False
        if self.position.newest is None and all(at < self.now - BACKFILL for _, at in fresh):
            return True
        floor = (
            self.position.top if self.position.top is not None and not self._in_gap else self.position.newest
        )
        return floor is not None and all(key <= floor for key, _ in fresh)

    def _reached(self, next_page: str | None) -> str | None:
        if self.position.resume is not None and not self._in_gap and next_page is not None:
            self._in_gap = True  # what is new joins what was read last time: go on where that stopped
            self._resume = self.position.resume
            return self._resume
        self._is_done = True
        return None

    @property
    def is_complete(self) -> bool:
        """Whether everything down to the known is read."""
        return self._is_done

    def after(self) -> Position:
        """The position to save once all given pages are stored."""
        if self._is_done:
            tops = [key for key in (self._top, self.position.top, self.position.newest) if key is not None]
            return Position(newest=max(tops, default=None))
        if self._pages == 0:
            return self.position
        top = self._top if self._top is not None else self.position.top
        return Position(newest=self.position.newest, top=top, resume=self._resume)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A young post that is read again: for its comments, counters, edits, deletion."""

    published_at: datetime
    read_at: datetime  #: when the post itself was last seen
    count: int | None = None  #: comments it had then; None: the network does not tell
    comments: int | None = None  #: comments it had when they were last read to the end; None: never read
    comments_at: datetime | None = None  #: when that was
    missed_at: datetime | None = None  #: first time it was not where it should be; None: it was
    recheck_at: datetime | None = None  #: when its comments are read again though their number is the same

    def next_at(self) -> datetime | None:
        """When it is read again; None: it has grown old."""
        if self.missed_at is not None:
            return self.missed_at + MISSES_APART
        return reread_at(self.published_at, self.read_at)

    def comments_due_at(self) -> datetime | None:
        """When its comments are read again on a network that does not count them; None: it has grown old."""
        if self.comments_at is None:
            return self.published_at
        return reread_at(self.published_at, self.comments_at)

    def is_cold(self, now: datetime) -> bool:
        """Whether its comments were read long ago for a post that an alert is about."""
        return self.comments_at is None or now - self.comments_at >= HOT_PAUSE

    def has_other_comments(self) -> bool:
        """Whether their number is another than when they were read."""
        return self.count != self.comments and bool(self.count or self.comments)

    def has_unread_comments(self, now: datetime) -> bool:
        """Whether their number is another than when they were read, or it is time to look for edits."""
        return self.has_other_comments() or (self.recheck_at is not None and self.recheck_at <= now)


@dataclass(slots=True)
class Young:
    """The young posts of one source, by id."""

    posts: dict[str, Watched] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        return cls({post_id: _watched(row) for post_id, row in (value or {}).get("posts", {}).items()})

    def to_json(self) -> dict[str, Any]:
        return {"posts": {post_id: _row(watched) for post_id, watched in self.posts.items()}}

    def seen(self, sights: Iterable[Sight], now: datetime) -> None:
        """These posts stand in an answer of `now`; comments among them are passed over."""
        for post_id, kind, published_at, comments in sights:
            if kind is not PostKind.POST or now - published_at > YOUNG:
                continue
            known = self.posts.get(post_id)
            if known is None:
                self.posts[post_id] = Watched(published_at=published_at, read_at=now, count=comments)
                continue
            is_fresh = known.missed_at is None and now - known.read_at < READ_AGAIN
            if not (is_fresh and known.count == comments):
                read_at = known.read_at if is_fresh else now
                self.posts[post_id] = replace(known, read_at=read_at, count=comments, missed_at=None)

    def missed(self, post_ids: Iterable[str], now: datetime) -> list[str]:
        """These were asked for and did not come. Gives those missed twice, far enough apart: gone."""
        gone = []
        for post_id in post_ids:
            watched = self.posts.get(post_id)
            if watched is None:
                continue
            if watched.missed_at is None:
                self.posts[post_id] = replace(watched, missed_at=now)
            elif now - watched.missed_at >= MISSES_APART:
                gone.append(post_id)
        return gone

    def gone(self, post_ids: Iterable[str]) -> None:
        """Deleted on the network: no need to look again."""
        for post_id in post_ids:
            self.posts.pop(post_id, None)

    def comments_read(self, post_id: str, now: datetime, *, recheck_at: datetime | None = None) -> None:
        """All comments of this post are stored; `recheck_at`: read them again then, whatever their number."""
        if watched := self.posts.get(post_id):
            self.posts[post_id] = replace(
                watched, comments=watched.count, comments_at=now, recheck_at=recheck_at
            )

    def unread(self, now: datetime, *, limit: int, hot: Collection[str] = ()) -> list[str]:
        """Posts whose comments have to be read: hot ones first, then those with other comments than we read,
        then those that are only looked over for edits; the newest first in each."""
        changed = [post_id for post_id, watched in self.posts.items() if watched.has_unread_comments(now)]
        other = [post_id for post_id in changed if self.posts[post_id].has_other_comments()]
        return list(dict.fromkeys([*self._hottest(other, now, hot), *self._newest(changed)]))[:limit]

    def comments_due(self, now: datetime, *, limit: int, hot: Collection[str] = ()) -> list[str]:
        """Posts whose comments are read by the clock: hot ones first, then the newest."""
        due = [p for p, w in self.posts.items() if (at := w.comments_due_at()) is not None and at <= now]
        return self._hottest(due, now, hot)[:limit]

    def _hottest(self, due: Iterable[str], now: datetime, hot: Collection[str]) -> list[str]:
        """A post of an open alert is read again every minute, before all others."""
        warm = [p for p in hot if p in self.posts and self.posts[p].is_cold(now)]
        return list(dict.fromkeys([*self._newest(warm), *self._newest(due)]))

    def due(self, now: datetime, *, limit: int) -> list[str]:
        """Posts to read again now, the longest overdue first."""
        waiting = [(at, p) for p, w in self.posts.items() if (at := w.next_at()) is not None and at <= now]
        return [post_id for _, post_id in sorted(waiting)[:limit]]

    def trim(self, now: datetime) -> None:
        """Let go what has grown old, and the oldest beyond WATCHED_AT_MOST whose comments are read."""
        young = self._newest(p for p, watched in self.posts.items() if now - watched.published_at <= YOUNG)
        late = [p for p in young[WATCHED_AT_MOST:] if self.posts[p].has_unread_comments(now)]
        self.posts = {p: self.posts[p] for p in [*young[:WATCHED_AT_MOST], *late]}

    def _newest(self, post_ids: Iterable[str]) -> list[str]:
        return sorted(post_ids, key=lambda post_id: self.posts[post_id].published_at, reverse=True)


def _row(watched: Watched) -> list[Any]:
    moments = (
        watched.published_at,
        watched.read_at,
        watched.comments_at,
        watched.missed_at,
        watched.recheck_at,
    )
    return [watched.count, watched.comments, *(int(at.timestamp()) if at else None for at in moments)]


def _watched(row: list[Any]) -> Watched:
    count, comments, published, read, comments_at, missed, recheck = row
    return Watched(
        published_at=_from_seconds(published),
        read_at=_from_seconds(read),
        count=count,
        comments=comments,
        comments_at=_from_seconds(comments_at) if comments_at is not None else None,
        missed_at=_from_seconds(missed) if missed is not None else None,
        recheck_at=_from_seconds(recheck) if recheck is not None else None,
    )


def _from_seconds(value: float) -> datetime:
    return datetime.fromtimestamp(value, UTC)
