"""The editor of one publication: a variant per page with its counter, a photo, the slot, approval of what was read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from html import escape
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from nicegui import app as nicegui_app
from nicegui import events, ui

from api.console.button import Button
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.looks import look
from api.console.parts import heading, moment_html, names_of, outside_html
from api.console.russian import SYMBOLS, day, exact, grouped, plural
from api.security import person_of
from api.service import Service
from api.words import DELIVERY_STATE_WORDS, NETWORK_WORDS, PUBLICATION_STATE_WORDS
from index.desk.media import mime_of
from index.desk.rows import new_id
from index.domain.page import Page
from index.domain.person import Right
from index.domain.publication import DeliveryState, Message, Publication, PublicationState
from index.errors import Conflict, NotFound, ServiceError
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


def build(visit: Visit, id: str = "", draft: str = "", page: str = "", day: str = "") -> None:
    """`draft`: the id a new publication will have, so that one tab opened twice never makes two."""
    with frame(visit, "Публикация", here="/publications"):
        publication = _known(visit, id or draft)
        if id and publication is None:
            empty("Такой публикации нет", "Возможно, ссылка устарела. Все публикации — в календаре.")
            return
        if publication is None and not visit.may(Right.WRITE_PUBLICATION):
            empty("Писать публикации может ответственный за госпаблики или редактор", "Откройте календарь.")
            return
        key = id or draft or new_id("p")
        if not id:
            ui.navigate.history.replace(
                link(PATH, id=key) if publication else link(PATH, draft=key, page=page, day=day)
            )
        _Editor(visit, publication, key=key, first_page=page, first_day=day).show()


def _known(visit: Visit, publication_id: str) -> Publication | None:
    try:
        return visit.service.desk.publications.get(publication_id) if publication_id else None
    except NotFound:
        return None


@dataclass(slots=True, kw_only=True)
class Draft:
    """What is being written: one text for all pages, own words where a page has them, one photo."""

    text: str = ""
    own: dict[str, str] = field(default_factory=dict)  #: page id → its own text
    pages: list[str] = field(default_factory=list)
    photo: str | None = None
    photo_alt: str = ""
    bare: set[str] = field(default_factory=set)  #: pages that go without the photo

    @classmethod
    def of(cls, publication: Publication) -> Draft:
        messages = dict(publication.variants)
        texts = [message.text for message in messages.values()]
        common = max(texts, key=texts.count, default="")
        with_photo = next((m for m in messages.values() if m.photo), None)
        return cls(
            text=common,
            own={page: m.text for page, m in messages.items() if m.text != common},
            pages=list(messages),
            photo=with_photo.photo if with_photo else None,
            photo_alt=with_photo.photo_alt if with_photo else "",
            bare={page for page, m in messages.items() if with_photo and not m.photo},
        )

    def message(self, page_id: str) -> Message:
        photo = None if page_id in self.bare else self.photo
        return Message(
            text=self.own.get(page_id, self.text), photo=photo, photo_alt=self.photo_alt if photo else ""
        )

    @property
    def variants(self) -> tuple[tuple[str, Message], ...]:
        return tuple((page_id, self.message(page_id)) for page_id in self.pages)


class _Editor:
    def __init__(
        self, visit: Visit, publication: Publication | None, *, key: str, first_page: str, first_day: str
    ) -> None:
        self.visit = visit
        self.desk = visit.service.desk
        self.publication = publication
        self.key = key
        self.pages = {page.id: page for page in self.desk.pages.list(enabled_only=True)}
        now = visit.service.now().astimezone(visit.service.zone)
        slot = (now + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0, tzinfo=None)
        wall = publication.wall_time if publication else slot.isoformat(timespec="minutes")
        if not publication and first_day and first_day != slot.date().isoformat():
            wall = f"{first_day}T10:00"
        self.day, self.time = wall.split("T")[0], wall.split("T")[1][:5]
        self.title = publication.title if publication else ""
        self.draft = Draft.of(publication) if publication else Draft()
        if not publication and first_page in self.pages:
            self.draft.pages.append(first_page)
        self.is_left = False  # saved and on the way to another page: further presses mean nothing

    @property
    def is_editable(self) -> bool:
        if not self.visit.may(Right.WRITE_PUBLICATION):
            return False
        return self.publication is None or self.publication.state is not PublicationState.WITHDRAWN

    @property
    def kept_as(self) -> str:
        """Under what name this browser keeps unsaved words; a new publication is found again by its author."""
        return f"publication:{self.publication.id if self.publication else 'new'}:{self.visit.person.login}"

    @ui.refreshable_method
    def show(self) -> None:
        with ui.element("div").classes("sheet two even"):
            with ui.element("section").classes("panel"):
                self._head()
                self._fields()
                self._decisions()
            with ui.element("section").classes("panel"):
                heading("Как это выйдет")
                self.previews()

    def _head(self) -> None:
        publication = self.publication
        if publication is None:
            ui.label("Новая публикация").classes("strong")
            return
        names = names_of(self.visit)
        approver = publication.approved_by
        approved = f" · согласовал(а) {escape(names.get(approver, approver))}" if approver else ""
        ui.html(
            f'<span class="chip">{PUBLICATION_STATE_WORDS[publication.state]}</span> написал(а) {escape(names.get(publication.author, publication.author))}{approved}'
            f' · <span title="{exact(publication.due_at, self.visit.service.zone)}">выйдет {moment_html(self.visit, publication.due_at)}</span>',
            sanitize=False,
        ).classes("small soft")
        if publication.note:
            ui.label(f"Замечание: {publication.note}").classes("inset strong")
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
            words = f"{NETWORK_WORDS[page.network]}, {page.title}" if page else delivery.page_id
            tone = "good" if delivery.state is DeliveryState.PUBLISHED else "bad" if delivery.error else ""
            pieces = [escape(words), outside_html(delivery.url, "открыть"), escape(delivery.error)]
            ui.html(
                f'<span class="chip {tone}">{DELIVERY_STATE_WORDS[delivery.state]}</span> {" · ".join(filter(None, pieces))}',
                sanitize=False,
            ).classes("small")

    # ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _fields(self) -> None:
        lock = "" if self.is_editable else " readonly"
        with ui.element("div").classes("fields").style("margin-top:8px"):
            title = ui.input("Рабочее название (не публикуется)", value=self.title)
            title.props("outlined dense" + lock).on_value_change(
                lambda event: setattr(self, "title", event.value or "")
            )
            self._slot(lock)
            self._choose_pages(lock)
            self.texts(lock)
            self._photo(lock)

    @ui.refreshable_method
    def texts(self, lock: str) -> None:
        """One field for the pages that share their text, one for each that has its own."""
        with ui.element("div").classes("fields"):
            for page_id in self.draft.own:
                if page_id in self.draft.pages and page_id in self.pages:
                    self._own_text(self.pages[page_id], lock)
            sharing = [p for p in self.draft.pages if p not in self.draft.own and p in self.pages]
            if sharing or not self.draft.pages:
                self._common_text(sharing, lock)

    def _redraw(self) -> None:
        """Texts and previews only: the fields above keep their focus and their open lists."""
        self.texts.refresh()
        self.previews.refresh()

    def _slot(self, lock: str) -> None:
        with ui.element("div").classes("acts"):
            that = ui.input("День", value=self.day).props("outlined dense type=date" + lock)
            hour = ui.input("Время", value=self.time).props("outlined dense type=time" + lock)
            ui.label("по часам района").classes("small soft").tooltip(self.visit.service.zone.key)

        def change() -> None:
            self.day, self.time = that.value or "", hour.value or ""
            self.previews.refresh()

        that.on_value_change(change)
        hour.on_value_change(change)

    def _choose_pages(self, lock: str) -> None:
        names = {page.id: f"{page.title} ({NETWORK_WORDS[page.network]})" for page in self.pages.values()}
        chosen = [page for page in self.draft.pages if page in names]
        select = ui.select(names, value=chosen, multiple=True, label="Страницы")
        select.props("outlined dense use-chips" + lock)

        def choose() -> None:
            self.draft.pages = list(select.value)
            self._redraw()

        select.on_value_change(choose)

    def _common_text(self, sharing: list[str], lock: str) -> None:
        names = [f"{NETWORK_WORDS[self.pages[p].network]}: {self.pages[p].title}" for p in sharing]
        label = names[0] if len(names) == 1 else "Текст для всех страниц" if names else "Текст"
        area = self._area(label, self.draft.text, lock, kept_as=f"{self.kept_as}:all")
        counters = [self._counter(self.pages[page_id]) for page_id in sharing]

        def write() -> None:
            self.draft.text = area.value or ""
            for count in counters:
                count(self.draft.text)
            self.previews.refresh()

        for count in counters:
            count(self.draft.text)
        area.on_value_change(write)
        if len(self.draft.pages) > 1 and not lock:
            with ui.element("div").classes("acts small"):
                ui.label("Свой текст для страницы:").classes("soft")
                for page_id in sharing:
                    page = self.pages[page_id]
                    Button(NETWORK_WORDS[page.network], on_click=lambda p=page_id: self._split(p)).tooltip(
                        page.title
                    )

    def _split(self, page_id: str) -> None:
        self.draft.own[page_id] = self.draft.text
        self._redraw()

    def _own_text(self, page: Page, lock: str) -> None:
        label = f"{NETWORK_WORDS[page.network]}: {page.title}"
        area = self._area(label, self.draft.own[page.id], lock, kept_as=f"{self.kept_as}:{page.id}")
        count = self._counter(page)
        count(area.value or "")

        def write() -> None:
            self.draft.own[page.id] = area.value or ""
            count(area.value or "")
            self.previews.refresh()

        area.on_value_change(write)
        if not lock and len(self.draft.pages) > 1:
            Button("Как у остальных", on_click=lambda: self._join(page.id)).classes("small")

    def _join(self, page_id: str) -> None:
        self.draft.own.pop(page_id, None)
        self._redraw()

    def _area(self, label: str, value: str, lock: str, *, kept_as: str) -> ui.textarea:
        area = ui.textarea(label, value=value).props("outlined autogrow" + lock)
        area.props["data-keep"] = kept_as
        return area

    def _counter(self, page: Page) -> Callable[[str], None]:
        """A line that says how long the text is for this network, bold and red when it is too long."""
        limits = LIMITS[page.network]
        line = ui.label().classes("small soft")

        def count(text: str) -> None:
            has_photo = self.draft.photo is not None and page.id not in self.draft.bare
            longest = limits.photo_text_characters if has_photo else limits.text_characters
            length = limits.count(text)
            line.text = f"{NETWORK_WORDS[page.network]}: {plural(length, SYMBOLS)} из {grouped(longest)}"
            line.classes(
                add="late strong" if length > longest else "",
                remove="" if length > longest else "late strong",
            )

        return count

    def _photo(self, lock: str) -> None:
        if self.draft.photo:
            alt = ui.input("Что на снимке: для тех, кто его не видит", value=self.draft.photo_alt)
            alt.props("outlined dense" + lock)

            def describe() -> None:
                self.draft.photo_alt = alt.value or ""
                self.previews.refresh()

            alt.on_value_change(describe)
        if not lock:
            upload = ui.upload(
                label="Заменить снимок" if self.draft.photo else "Снимок: JPEG или PNG до 10 МБ",
                auto_upload=True, max_file_size=PHOTO_BYTES, on_upload=self._upload, on_rejected=_too_large,
            )  # fmt: skip
            upload.props('accept="image/jpeg,image/png" flat bordered').classes("compact")

    async def _upload(self, event: events.UploadEventArguments) -> None:
        body = await event.file.read()
        sha256 = told(lambda: self.desk.media.put(body, event.file.content_type))
        if isinstance(sha256, str):
            self.draft.photo = sha256
            self.show.refresh()

    @ui.refreshable_method
    def previews(self) -> None:
        if not self.draft.pages:
            ui.label("Выберите страницы — здесь появится вид поста на каждой.").classes("soft")
        for page_id, message in self.draft.variants:
            page = self.pages.get(page_id)
            if page is None:
                continue
            with look(page, message, when=self._when()):
                for fault in self._faults(page, message):
                    ui.label(fault).classes("small strong late")
                if self.draft.photo and self.is_editable and len(self.draft.pages) > 1:
                    words = "Приложить снимок" if page_id in self.draft.bare else "Без снимка"
                    Button(words, on_click=lambda p=page_id: self._toggle_photo(p)).classes("small")
        if self.draft.photo and self.is_editable:
            with ui.element("div").classes("acts"):
                Button("Убрать снимок", on_click=self._drop_photo)
            if not self.draft.photo_alt.strip():
                ui.label("Опишите снимок в поле слева: незрячие услышат описание.").classes("small soft")

    def _when(self) -> str:
        today = self.visit.service.now().astimezone(self.visit.service.zone).date()
        try:
            return f"{day(date.fromisoformat(self.day), today)}, {self.time}"
        except ValueError:
            return "время не выбрано"

    def _toggle_photo(self, page_id: str) -> None:
        self.draft.bare ^= {page_id}
        self.show.refresh()

    def _drop_photo(self) -> None:
        self.draft.photo, self.draft.photo_alt, self.draft.bare = None, "", set()
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
        is_on_review = publication is not None and publication.state is PublicationState.ON_REVIEW
        may_approve = is_on_review and self.visit.may(Right.APPROVE_PUBLICATION)
        with ui.element("div").classes("acts no-print").style("margin-top:10px"):
            if may_approve:
                Button("Согласовать", on_click=self._approve, kind="first", key="a")
                Button("Вернуть с замечанием", on_click=self._ask_note)
            if self.is_editable:
                kind = "plain" if may_approve else "first"
                Button("На согласование", on_click=lambda: self._save(submit=True), kind=kind)
                Button("Сохранить черновик", on_click=self._save)
            if publication and self.is_editable and publication.state is not PublicationState.WITHDRAWN:
                Button("Снять", on_click=self._withdraw, kind="danger")

    def _save(self, submit: bool = False) -> None:
        if self.is_left:
            return
        messages = [(self.pages[p], m) for p, m in self.draft.variants if p in self.pages]
        faults = [f"{page.title}: {fault}" for page, m in messages for fault in self._faults(page, m)]
        if submit and faults:
            ui.notify(faults[0], type="negative", position="top", timeout=8000)
            return
        kept_as = self.kept_as
        saved = told(self._saved, done="" if submit else "Черновик сохранён")
        if not isinstance(saved, Publication):
            return
        self.publication = saved
        ui.run_javascript(f"forgetDrafts({json.dumps(kept_as)})")
        if submit and not self._change(self.desk.publications.submit, done="Отдано на согласование"):
            return
        self.is_left = True
        ui.navigate.to(link(PATH, id=saved.id))

    def _saved(self) -> Publication:
        service = self.visit.service
        if self.publication is None and _known(self.visit, self.key) is not None:
            raise Conflict("Эта публикация уже сохранена в другой вкладке: откройте её из календаря.")
        wall = f"{self.day}T{self.time}"
        due_at = check_slot(wall, service.zone.key, now=service.now())
        draft = Publication(
            id=self.publication.id if self.publication else self.key,
            title=self.title.strip() or " ".join(self.draft.text.split())[:60],
            author=self.publication.author if self.publication else self.visit.person.login,
            due_at=due_at,
            wall_time=wall,
            zone=service.zone.key,
            variants=self.draft.variants,
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
            note = (
                ui.textarea("Замечание автору")
                .props("outlined autofocus")
                .style("width:360px; max-width:80vw")
            )

            def act() -> None:
                dialog.close()
                self._change(
                    self.desk.publications.return_to_author, note.value or "", done="Возвращено автору"
                )

            with ui.element("div").classes("acts"):
                Button("Вернуть", on_click=act, kind="first")
                Button("Отмена", on_click=dialog.close)
        dialog.open()

    def _withdraw(self) -> None:
        self._change(self.desk.publications.withdraw, done="Снято: больше ничего не выйдет")

    def _change(self, act: Callable[..., Any], *arguments: Any, done: str, **more: Any) -> bool:
        """Whether it was done; then the page shows the publication as it stands now."""
        assert self.publication is not None  # noqa: S101
        publication = self.publication
        result = told(
            lambda: act(
                publication.id, *arguments, actor=self.visit.person.login, at=self.visit.service.now(),
                version=publication.version, **more,
            ),
            done=done,
        )  # fmt: skip
        if result is None:
            return False
        self.publication = self.desk.publications.get(publication.id)
        self.draft = Draft.of(self.publication)
        self.show.refresh()
        return True


def _too_large() -> None:
    ui.notify("Снимок не принят: нужен JPEG или PNG не больше 10 МБ.", type="negative", position="top")
