"""What an officer may mend in a story: check it, merge it with others, take posts out. nlp never undoes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from html import escape
from typing import Any

from nicegui import ui

from api.console.button import Button
from api.console.frame import Visit, link, told
from api.console.parts import moment_html, post_card
from api.console.russian import AUTHORS, POSTS, plural
from index.domain.person import Right
from index.domain.story import Story
from index.errors import NotFound
from index.posts.query import Record

OTHERS_SHOWN = 60  # stories offered for a merge
LOOK_BACK = timedelta(days=7)


class StoryTools:
    """The story behind an alert and its posts, each with a box to mark it."""

    def __init__(self, visit: Visit, story_id: str, changed: Callable[[], None]) -> None:
        self.visit = visit
        self.desk = visit.service.desk
        self.changed = changed
        self.marked: set[str] = set()
        self.story = self._live(story_id)

    def _live(self, story_id: str) -> Story | None:
        """The story as it stands, or the one that it was merged into."""
        try:
            story = self.desk.stories.get(story_id)
            return self.desk.stories.get(story.merged_into) if story.merged_into else story
        except NotFound:
            return None  # nlp has not written it yet

    def head(self) -> None:
        story = self.story
        if story is None:
            return
        state = "проверен" if story.is_checked else "требует проверки"
        kind = "good" if story.is_checked else "risk"
        door = link("/feed", story=story.id, days=30)
        with ui.element("div").classes("inset"):
            ui.html(
                f'Сюжет: <a href="{door}" class="strong">{escape(story.title)}</a> <span class="chip {kind}">{state}</span>'
                f'<div class="small soft">{plural(story.posts, POSTS)} · {plural(story.authors, AUTHORS)} · '
                f"с {moment_html(self.visit, story.started_at)}</div>",
                sanitize=False,
            )
            if self.visit.may(Right.TRIAGE):
                with ui.element("div").classes("acts no-print").style("margin-top:6px"):
                    if not story.is_checked:
                        Button("Проверено", on_click=self.check)
                    Button("Объединить с другим сюжетом", on_click=self.ask_merge)

    def posts(self, records: Sequence[Record]) -> None:
        """The posts; those an officer took out of the story are named so and stand last."""
        pinned = self.desk.stories.pinned([record.post.id for record in records])
        story_id = self.story.id if self.story else ""
        out = {post_id for post_id, where in pinned.items() if where != story_id}
        self._bar = ui.element("div").classes("pickbar")
        self._bar.set_visibility(False)
        for record in sorted(records, key=lambda record: record.post.id in out):
            self._post(record, is_out=record.post.id in out)

    def _post(self, record: Record, *, is_out: bool) -> None:
        post_id = record.post.id
        if is_out:
            ui.label("Убран из сюжета сотрудником").classes("small soft")
        card = post_card(self.visit, record)
        if is_out:
            card.style("opacity:.6")
        elif self.story is not None and self.visit.may(Right.TRIAGE):
            with card:
                box = ui.checkbox("отметить").props("dense size=xs").classes("small soft no-print")
                box.on_value_change(lambda event: self._mark(post_id, event.value))

    def _mark(self, post_id: str, is_on: bool) -> None:
        (self.marked.add if is_on else self.marked.discard)(post_id)
        self._bar.clear()
        self._bar.set_visibility(bool(self.marked))
        with self._bar:
            ui.label(f"Отмечено: {plural(len(self.marked), POSTS)}")
            Button("Это не об этом — убрать из сюжета", on_click=self.take_out)
            Button("Выделить в отдельный сюжет", on_click=self.ask_split)

    # ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _act(self, act: Callable[..., Any], *arguments: Any, done: str, **more: Any) -> None:
        who, at = self.visit.person.login, self.visit.service.now()
        told(lambda: act(*arguments, actor=who, at=at, **more), done=done)
        self.changed()

    def check(self) -> None:
        if self.story is not None:
            self._act(self.desk.stories.check, self.story.id, done="Сюжет отмечен проверенным")

    def take_out(self) -> None:
        who, at = self.visit.person.login, self.visit.service.now()
        for post_id in sorted(self.marked):
            told(partial(self.desk.stories.pin, post_id, None, actor=who, at=at))
        ui.notify("Убрано из сюжета", type="positive", position="top")
        self.changed()

    def ask_split(self) -> None:
        story = self.story
        if story is None:
            return
        with ui.dialog() as dialog, ui.card().style("min-width:min(460px, 92vw)"):
            ui.label(f"Новый сюжет из отмеченного: {plural(len(self.marked), POSTS)}").classes("strong")
            title = ui.input("Как его назвать").props("outlined dense autofocus").style("width:100%")

            def act() -> None:
                dialog.close()
                self._act(
                    self.desk.stories.split, story.id, sorted(self.marked), title=title.value or "",
                    done="Новый сюжет выделен",
                )  # fmt: skip

            with ui.element("div").classes("acts"):
                Button("Выделить", on_click=act, kind="first")
                Button("Отмена", on_click=dialog.close)
        dialog.open()

    def ask_merge(self) -> None:
        story = self.story
        if story is None:
            return
        others = self._others(story)
        with ui.dialog() as dialog, ui.card().style("min-width:min(560px, 92vw)"):
            ui.label("С каким сюжетом объединить?").classes("strong")
            ui.label("Его посты и следующие о том же войдут сюда; повторно сервис их не разделит.").classes(
                "small soft"
            )
            chosen = ui.select(others, label="Сюжет", with_input=True).props("outlined dense")
            chosen.style("width:100%")

            def act() -> None:
                if not chosen.value:
                    return
                dialog.close()
                self._act(self.desk.stories.merge, [chosen.value], story.id, done="Сюжеты объединены")

            with ui.element("div").classes("acts"):
                Button("Объединить", on_click=act, kind="first")
                Button("Отмена", on_click=dialog.close)
        dialog.open()

    def _others(self, story: Story) -> dict[str, str]:
        """Stories of the last days, those of the same topic and place first."""
        since = self.visit.service.now() - LOOK_BACK
        found, _ = self.desk.stories.find(since=since, limit=OTHERS_SHOWN)

        def is_far(other: Story) -> bool:
            same_place = bool(set(other.places) & set(story.places))
            return not (same_place and other.topic_group == story.topic_group)

        return {
            other.id: f"{other.title[:80]} · {plural(other.posts, POSTS)}"
            for other in sorted(found, key=is_far)
            if other.id != story.id
        }
