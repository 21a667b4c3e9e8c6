"""The editor of one publication: a variant per page with its counter, a photo, the slot, approval of what was read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from html import escape
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from nicegui import app as nicegui_app
from nicegui import events, ui

from api.console.button import Button
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.parts import moment_html
from api.console.russian import SYMBOLS, exact, grouped, plural
from api.security import person_of
from api.service import Service
from api.words import DELIVERY_STATE_WORDS, NETWORK_WORDS, PUBLICATION_STATE_WORDS
from index.desk.media import mime_of
from index.desk.rows import new_id
from index.domain.page import Page
from index.domain.person import Right
from index.domain.publication import DeliveryState, Message, Publication, PublicationState
from index.errors import NotFound, ServiceError
from publisher.channels import LIMITS
from publisher.channels.base import check_message
from publisher.schedule import check_slot

PATH = "/publication"
PHOTO_BYTES = 10 * 1024 * 1024


def register(service: Service) -> None:
    guarded(service, PATH, "Публикация", build)

    @nicegui_app.get("/media/{sha256}", include_in_schema=False)
    def photo(request: Request, sha256: str) -> Response:
        """A photo of the media folder, for people who are logged in."""
        if person_of(request, service) is None:
            return Response(status_code=401)
        try:
            body = service.desk.media.open(sha256)
        except ServiceError:
            return Response(status_code=404)
        return Response(body, media_type=mime_of(body) or "application/octet-stream")


def build(visit: Visit, id: str = "", page: str = "", day: str = "") -> None:
    with frame(visit, "Публикация", here="/publications"):
        try:
            publication = visit.service.desk.publications.get(id) if id else None
        except NotFound:
            empty("Такой публикации нет", "Возможно, ссылка устарела. Все публикации — в календаре.")
            return
        if publication is None and not visit.may(Right.WRITE_PUBLICATION):
            empty("Писать публикации может ответственный за госпаблики или редактор", "Откройте календарь.")
            return
        _Editor(visit, publication, first_page=page, first_day=day).show()


class _Editor:
    def __init__(
        self, visit: Visit, publication: Publication | None, *, first_page: str, first_day: str
    ) -> None:
        self.visit = visit
        self.desk = visit.service.desk
        self.publication = publication
        self.pages = {page.id: page for page in self.desk.pages.list(enabled_only=True)}
        now = visit.service.now().astimezone(visit.service.zone)
        slot = (now + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0, tzinfo=None)
        wall = (
            publication.wall_time
            if publication
            else f"{first_day}T10:00"
            if first_day
            else slot.isoformat(timespec="minutes")
        )
        self.day, self.time = wall.split("T")[0], wall.split("T")[1][:5]
        self.title = publication.title if publication else ""
        self.messages: dict[str, Message] = dict(publication.variants) if publication else {}
        if not publication and first_page in self.pages:
            self.messages[first_page] = Message(text="")

    @property
    def is_editable(self) -> bool:
        if not self.visit.may(Right.WRITE_PUBLICATION):
            return False
        return self.publication is None or self.publication.state is not PublicationState.WITHDRAWN

    @ui.refreshable_method
    def show(self) -> None:
        with (
            ui.element("div")
            .classes("sheet card-grid")
            .style("display:grid; gap:12px; grid-template-columns:minmax(0, 1fr) minmax(0, 1fr)")
        ):
            with ui.element("section").classes("panel"):
                self._head()
                self._fields()
                self._decisions()
            with ui.element("section").classes("panel"):
                with ui.element("h2"):
                    ui.label("Как это выйдет")
                self.previews()

    def _head(self) -> None:
        publication = self.publication
        if publication is None:
            ui.label("Новая публикация").classes("strong")
            return
        approved = f" · согласовал {escape(publication.approved_by)}" if publication.approved_by else ""
        ui.html(
            f'<span class="chip">{PUBLICATION_STATE_WORDS[publication.state]}</span> написал {escape(publication.author)}{approved}'
            f' · <span title="{exact(publication.due_at, self.visit.service.zone)}">выйдет {moment_html(self.visit, publication.due_at)}</span>',
            sanitize=False,
        ).classes("small soft")
        if publication.note:
            ui.label(f"Замечание: {publication.note}").classes("strong")
        if publication.state is PublicationState.APPROVED and self.is_editable:
            ui.label("Любая правка снимает согласование: текст уйдёт на согласование заново.").classes(
                "small soft"
            )
        self.deliveries()
        ui.timer(5.0, self.deliveries.refresh)

    @ui.refreshable_method
    def deliveries(self) -> None:
        if self.publication is None:
            return
        for delivery in self.desk.deliveries.find(subject_id=self.publication.id)[0]:
            page = self.pages.get(delivery.page_id)
            words = (
                f"{NETWORK_WORDS[page.network]}, {escape(page.title)}" if page else escape(delivery.page_id)
            )
            door = (
                f' · <a href="{escape(delivery.url, quote=True)}" target="_blank" rel="noreferrer">открыть</a>'
                if delivery.url
                else ""
            )
            tone = "good" if delivery.state is DeliveryState.PUBLISHED else "bad" if delivery.error else ""
            ui.html(
                f'<span class="chip {tone}">{DELIVERY_STATE_WORDS[delivery.state]}</span> {words}{door} {escape(delivery.error)}',
                sanitize=False,
            ).classes("small")

    # ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _fields(self) -> None:
        lock = "" if self.is_editable else " readonly"
        title = ui.input(
            "Рабочее название (не публикуется)",
            value=self.title,
            on_change=lambda e: setattr(self, "title", e.value or ""),
        )
        title.props("outlined dense" + lock).style("width:100%; margin-top:8px")
        with ui.element("div").style(
            "display:flex; gap:8px; align-items:center; margin:8px 0; flex-wrap:wrap"
        ):
            ui.input("День", value=self.day, on_change=lambda e: setattr(self, "day", e.value or "")).props(
                "outlined dense type=date" + lock
            )
            ui.input(
                "Время", value=self.time, on_change=lambda e: setattr(self, "time", e.value or "")
            ).props("outlined dense type=time" + lock)
            ui.label("по часам района").classes("small soft").tooltip(self.visit.service.zone.key)
        if self.is_editable:
            self._choose_pages()
        for page_id in list(self.messages):
            if page_id in self.pages:
                self._variant(self.pages[page_id], lock)
        if self.is_editable and self.messages:
            ui.upload(label="Фото для всех страниц: JPEG или PNG до 10 МБ", auto_upload=True, max_file_size=PHOTO_BYTES,
                      on_upload=self._upload, on_rejected=lambda: ui.notify("Фото не принято: больше 10 МБ.", type="negative", position="top")
                      ).props('accept="image/jpeg,image/png" flat bordered').style("width:100%")  # fmt: skip

    def _choose_pages(self) -> None:
        names = {page.id: f"{page.title} ({NETWORK_WORDS[page.network]})" for page in self.pages.values()}
        select = ui.select(
            names, value=[p for p in self.messages if p in names], multiple=True, label="Страницы"
        )
        select.props("outlined dense use-chips").style("width:100%; margin-bottom:8px")

        def choose() -> None:
            chosen = list(select.value)
            common = next(iter(self.messages.values()), Message(text=""))
            self.messages = {page: self.messages.get(page, common) for page in chosen}
            self.show.refresh()

        select.on_value_change(choose)

    def _variant(self, page: Page, lock: str) -> None:
        message, limits = self.messages[page.id], LIMITS[page.network]
        longest = limits.photo_text_characters if message.photo else limits.text_characters
        area = (
            ui.textarea(f"{NETWORK_WORDS[page.network]}: {page.title}", value=message.text)
            .props("outlined autogrow" + lock)
            .style("width:100%")
        )
        counter = ui.label().classes("small soft")

        def count() -> None:
            length = limits.count(area.value or "")
            counter.text = f"{plural(length, SYMBOLS)} из {grouped(longest)}"
            counter.classes(
                add="strong" if length > longest else "", remove="" if length > longest else "strong"
            )

        def write() -> None:
            self.messages[page.id] = replace(self.messages[page.id], text=area.value or "")
            count()
            self.previews.refresh()

        count()
        area.on_value_change(write)

    async def _upload(self, event: events.UploadEventArguments) -> None:
        body = await event.file.read()
        sha256 = told(lambda: self.desk.media.put(body, event.file.content_type))
        if isinstance(sha256, str):
            self.messages = {page: replace(message, photo=sha256) for page, message in self.messages.items()}
            self.show.refresh()

    @ui.refreshable_method
    def previews(self) -> None:
        if not self.messages:
            ui.label("Выберите страницы — здесь появится вид поста на каждой.").classes("soft")
        for page_id, message in self.messages.items():
            page = self.pages.get(page_id)
            if page is None:
                continue
            with ui.element("article").classes("post"):
                ui.html(
                    f"<b>{escape(page.title)}</b> · {NETWORK_WORDS[page.network]}", sanitize=False
                ).classes("small")
                if message.photo:
                    ui.html(
                        f'<img src="/media/{message.photo}" alt="{escape(message.photo_alt, quote=True)}" style="max-width:100%; max-height:220px; border-radius:6px">',
                        sanitize=False,
                    )
                ui.label(message.text or "текста ещё нет").classes("text" + ("" if message.text else " soft"))
                for fault in self._faults(page, message):
                    ui.label(fault).classes("small strong").style("color:var(--critical)")
        if any(message.photo for message in self.messages.values()) and self.is_editable:
            Button("Убрать фото", on_click=self._drop_photo)

    def _drop_photo(self) -> None:
        self.messages = {page: replace(message, photo=None) for page, message in self.messages.items()}
        self.show.refresh()

    def _faults(self, page: Page, message: Message) -> list[str]:
        """What the network would refuse, said before anybody approves it."""
        if not message.text and not message.photo:
            return []
        try:
            check_message(message, LIMITS[page.network], self.desk.media)
        except ServiceError as error:
            return [str(error)]
        return []

    # ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _decisions(self) -> None:
        publication = self.publication
        with ui.element("div").style("display:flex; gap:8px; flex-wrap:wrap; margin-top:10px"):
            if self.is_editable:
                self._button("На согласование", lambda: self._save(submit=True), "first")
                self._button("Сохранить черновик", self._save, "plain")
            if (
                publication
                and publication.state is PublicationState.ON_REVIEW
                and self.visit.may(Right.APPROVE_PUBLICATION)
            ):
                self._button("Согласовать", self._approve, "first")
                self._button("Вернуть с замечанием", self._ask_note, "plain")
            if (
                publication
                and publication.state is not PublicationState.WITHDRAWN
                and self.visit.may(Right.WRITE_PUBLICATION)
            ):
                self._button("Снять", self._withdraw, "danger")

    def _button(self, words: str, act: Callable[[], Any], kind: str) -> None:
        Button(words, on_click=act, kind=kind)

    def _save(self, submit: bool = False) -> None:
        faults = [
            f"{self.pages[p].title}: {f}"
            for p, m in self.messages.items()
            for f in self._faults(self.pages[p], m)
        ]
        if submit and faults:
            ui.notify(faults[0], type="negative", position="top", timeout=8000)
            return
        saved = told(self._saved, done="" if submit else "Черновик сохранён")
        if not isinstance(saved, Publication):
            return
        self.publication = saved
        if submit:
            self._change(self.desk.publications.submit, done="Отдано на согласование")
        ui.navigate.to(link(PATH, id=saved.id))

    def _saved(self) -> Publication:
        service = self.visit.service
        wall = f"{self.day}T{self.time}"
        due_at = check_slot(wall, service.zone.key, now=service.now())
        draft = Publication(
            id=self.publication.id if self.publication else new_id("p"),
            title=self.title.strip(),
            author=self.publication.author if self.publication else self.visit.person.login,
            due_at=due_at,
            wall_time=wall,
            zone=service.zone.key,
            variants=tuple(self.messages.items()),
            version=self.publication.version if self.publication else 0,
        )
        return self.desk.publications.save_draft(draft, actor=self.visit.person.login, at=service.now())

    def _approve(self) -> None:
        """Approves exactly what this page shows: the hash was computed from what was read."""
        assert self.publication is not None  # noqa: S101  (the button stands only then)
        self._change(self.desk.publications.approve, hash=self.publication.payload_hash, done="Согласовано")

    def _ask_note(self) -> None:
        with ui.dialog() as dialog, ui.card():
            ui.label("Что исправить?").classes("strong")
            note = ui.textarea("Замечание автору").props("outlined autofocus").style("width:360px")

            def act() -> None:
                dialog.close()
                self._change(
                    self.desk.publications.return_to_author, note.value or "", done="Возвращено автору"
                )

            with ui.row():
                self._button("Вернуть", act, "first")
                self._button("Отмена", dialog.close, "plain")
        dialog.open()

    def _withdraw(self) -> None:
        self._change(self.desk.publications.withdraw, done="Снято: больше ничего не выйдет")

    def _change(self, act: Callable[..., Any], *arguments: Any, done: str, **more: Any) -> None:
        assert self.publication is not None  # noqa: S101
        publication = self.publication
        result = told(
            lambda: act(
                publication.id, *arguments, actor=self.visit.person.login, at=self.visit.service.now(),
                version=publication.version, **more,
            ),
            done=done,
        )  # fmt: skip
        if result is not None:
            self.publication = self.desk.publications.get(publication.id)
            self.messages = dict(self.publication.variants)
            self.show.refresh()
