"""Stories as nlp makes them and officers mend them; what an officer decided is never undone by nlp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update

from index.desk import tables
from index.desk.database import Database, Transaction
from index.desk.paging import page_of
from index.desk.rows import Rows, new_id, upsert
from index.domain.story import Story
from index.errors import Conflict, Refused

STORIES = Rows(tables.stories, Story, missing="Такого сюжета нет.")
PINS = tables.story_pins
OFFICERS = ("merged_into", "is_checked")  # columns that counting a story anew leaves alone


class Stories:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, story_id: str) -> Story:
        """Raises NotFound."""
        with self._database.read() as connection:
            return STORIES.get(connection, story_id)

    def get_many(self, story_ids: Sequence[str]) -> dict[str, Story]:
        """Those that exist, by id, in the order asked for."""
        query = select(tables.stories).where(tables.stories.c.id.in_(story_ids))
        with self._database.read() as connection:
            found = {story.id: story for story in STORIES.values(connection.execute(query).all())}
        return {story_id: found[story_id] for story_id in story_ids if story_id in found}

    def open_since(self, moment: datetime) -> list[Story]:
        """Stories that still take posts and had one since, newest first."""
        story = tables.stories.c
        query = select(tables.stories).where(story.updated_at >= moment, story.merged_into.is_(None))
        with self._database.read() as connection:
            return STORIES.values(connection.execute(query.order_by(story.updated_at.desc(), story.id)).all())

    def save(self, *stories: Story) -> None:
        """Keep or overwrite what nlp knows; merging and the officer's check stay as they stand."""
        with self._database.write() as tx:
            for story in stories:
                upsert(tx, tables.stories, STORIES.fields(story), keep=OFFICERS)

    def find(
        self,
        *,
        since: datetime | None = None,
        min_authors: int = 1,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[Story], str | None]:
        """Those not merged away, newest post first."""
        story = tables.stories.c
        query = select(tables.stories).where(story.merged_into.is_(None), story.authors >= min_authors)
        if since is not None:
            query = query.where(story.updated_at >= since)
        with self._database.read() as connection:
            rows, following = page_of(
                connection, query, [story.updated_at, story.id], limit=limit, cursor=cursor
            )
        return STORIES.values(rows), following

    def check(self, story_id: str, *, actor: str, at: datetime) -> Story:
        """An officer has looked at it. Raises NotFound."""
        with self._database.write() as tx:
            story = STORIES.save(tx, replace(STORIES.lock(tx, story_id), is_checked=True))
            tx.audit("story_checked", f"story:{story_id}", actor=actor, at=at)
        return story

    def merge(self, story_ids: Sequence[str], into: str, *, actor: str, at: datetime) -> Story:
        """Let `into` take the posts of the others from now on, their pins included.

        Raises NotFound, Conflict when one of them has been merged away, Refused when there is nothing to do.
        """
        others = sorted(set(story_ids) - {into})
        if not others:
            raise Refused("Выберите хотя бы два разных сюжета.", field="story_ids")
        with self._database.write() as tx:
            locked = {key: _lock_live(tx, key) for key in sorted((*others, into))}  # in one order for all
            told = tables.stories.c.merged_into
            tx.execute(update(tables.stories).where(told.in_(others)).values(merged_into=into))
            tx.execute(update(PINS).where(PINS.c.story_id.in_(others)).values(story_id=into))
            for key in others:
                STORIES.save(tx, replace(locked[key], merged_into=into))
                tx.audit("story_merged", f"story:{key}", actor=actor, at=at, into=into)
            return STORIES.save(tx, replace(locked[into], is_checked=True))

    def absorb(self, merged: Mapping[str, str]) -> None:
        """Note that nlp found stories to be part of others; those that an officer has checked stay.

        Repeating it changes nothing. What is not kept yet is passed over.
        """
        if not merged:
            return
        story = tables.stories.c
        with self._database.write() as tx:
            for story_id, into in merged.items():
                is_free = (story.id == story_id) & story.is_checked.is_(False) & story.merged_into.is_(None)
                if tx.execute(update(tables.stories).where(is_free).values(merged_into=into)).rowcount:
                    followed = update(tables.stories).where(story.merged_into == story_id)
                    tx.execute(followed.values(merged_into=into))

    def split(self, story_id: str, post_ids: Sequence[str], *, title: str, actor: str, at: datetime) -> Story:
        """A new story of these posts, pinned to it; nlp counts both anew at its next turn.

        Raises NotFound, Conflict when it has been merged away, Refused without posts.
        """
        if not post_ids:
            raise Refused("Выберите посты нового сюжета.", field="post_ids")
        with self._database.write() as tx:
            whole = _lock_live(tx, story_id)
            part = replace(
                whole,
                id=new_id("s"),
                title=title.strip() or whole.title,
                posts=len(post_ids),
                authors=min(whole.authors, len(post_ids)),
                is_checked=True,
            )
            STORIES.add(tx, part)
            STORIES.save(tx, replace(whole, is_checked=True))
            for post_id in post_ids:
                _pin(tx, post_id, part.id, actor=actor, at=at)
            tx.audit(
                "story_split", f"story:{story_id}", actor=actor, at=at, into=part.id, posts=list(post_ids)
            )
        return part

    def pin(self, post_id: str, story_id: str | None, *, actor: str, at: datetime) -> None:
        """The officer's decision where a post belongs; None: to no story. Raises NotFound."""
        with self._database.write() as tx:
            if story_id is not None:
                _lock_live(tx, story_id)
            _pin(tx, post_id, story_id, actor=actor, at=at)
            tx.audit("post_pinned", f"post:{post_id}", actor=actor, at=at, story=story_id or "none")

    def pinned(self, post_ids: Sequence[str] | None = None) -> dict[str, str | None]:
        """Officers' decisions, post id → story id or None; of these posts, or all."""
        query = select(PINS.c.post_id, PINS.c.story_id)
        if post_ids is not None:
            query = query.where(PINS.c.post_id.in_(post_ids))
        with self._database.read() as connection:
            return dict(connection.execute(query).all())


def _lock_live(tx: Transaction, story_id: str) -> Story:
    story = STORIES.lock(tx, story_id)
    if story.merged_into is not None:
        raise Conflict("Этот сюжет уже объединён с другим: обновите страницу.")
    return story


def _pin(tx: Transaction, post_id: str, story_id: str | None, *, actor: str, at: datetime) -> None:
    upsert(tx, PINS, {"post_id": post_id, "story_id": story_id, "pinned_by": actor, "pinned_at": at})
