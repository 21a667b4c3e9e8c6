"""Answers to the resident on an incident's card: written once, approved by another person, never lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from nicegui import ui

from api.console.button import Button
from api.console.frame import Visit, link, told
from api.console.parts import heading, moment_html, names_of, outside_html
from api.console.russian import SYMBOLS, grouped, plural, when
from api.console.similar import Similar, similar_incidents
from api.words import NETWORK_WORDS, REPLY_STATE_WORDS
from index.domain.incident import Incident, Reply, ReplyState
from index.domain.page import Page
from index.domain.person import Right
from index.domain.publication import DeliveryState, Message
from index.errors import Conflict, NotFound
from index.posts.query import Record
from publisher.channels import LIMITS
from publisher.channels.base import check_message
from publisher.comments import speakers

WRITABLE = (ReplyState.DRAFT, ReplyState.REJECTED)
UNDER_WAY = (*WRITABLE, ReplyState.ON_REVIEW, ReplyState.APPROVED)
POSTS_OFFERED = 20
TONES = {ReplyState.PUBLISHED: "good", ReplyState.FAILED: "bad", ReplyState.ON_REVIEW: "accent"}


class Replies:
    """`changed` draws the card again."""

    def __init__(self, visit: Visit, incident: Incident, changed: Callable[[], Any]) -> None:
        self.visit = visit
        self.incident = incident
        self.changed = changed
        self.desk = visit.service.desk
        self.replies = self.desk.incidents.replies(incident.id)
        self.names = names_of(visit)

    @property
    def is_writing(self) -> bool:
        """Whether a field stands on the card that a redraw would empty."""
        has_draft = any(reply.state in WRITABLE for reply in self.replies)
        return self.visit.may(Right.WRITE_REPLY) and (has_draft or self._may_begin())

    def _may_begin(self) -> bool:
        return not self.incident.is_ended and not any(reply.state in UNDER_WAY for reply in self.replies)

    @property
    def kept_as(self) -> str:
        return f"reply:{self.incident.id}:{self.visit.person.login}"

    def show(self) -> None:
        heading("Ответ жителю")
        for reply in self.replies:
            self._reply(reply)
        if self.visit.may(Right.WRITE_REPLY) and self._may_begin():
            self._new()
        elif not self.replies:
            ui.label("Ответа ещё нет.").classes("soft")

    # ── a new answer ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _new(self) -> None:
        wanted = self.incident.post_ids[:POSTS_OFFERED]
        found = self.visit.service.posts.get_many(wanted)
        records = {post_id: found[post_id] for post_id in wanted if post_id in found}
        if not records:
            ui.label("Отвечать не на что: постов у инцидента нет.").classes("soft")
            return
        _NewReply(self, records).show()

    def begun(self, reply: Reply, *, submit: bool) -> None:
        ui.run_javascript(f"forgetDrafts({json.dumps(self.kept_as)})")
        if submit:
            self._act(self.desk.incidents.submit_reply, reply, done="Ответ отдан на согласование")
        else:
            ui.notify("Черновик сохранён", type="positive", position="top")
        self.changed()

    def must_be_only(self) -> None:
        """Raises Conflict when an answer has been begun meanwhile, here in another tab or by a colleague."""
        for reply in self.desk.incidents.replies(self.incident.id):
            if reply.state in UNDER_WAY:
                who = self.names.get(reply.author, reply.author)
                raise Conflict(
                    f"Ответ уже готовит {who}: обновите страницу, ваш текст сохранён в этом браузере."
                )

    # ── an answer that stands ────────────────────────────────────────────────────────────────────────────────────────

    def _reply(self, reply: Reply) -> None:
        kind = "промежуточный ответ" if reply.is_interim else "ответ"
        page = _page_title(self.visit, reply.page_id)
        approver = reply.approved_by
        approved = f" · согласовал(а) {escape(self.names.get(approver, approver))}" if approver else ""
        with ui.element("article").classes("inset"):
            ui.html(
                f'<span class="chip {TONES.get(reply.state, "")}">{REPLY_STATE_WORDS[reply.state]}</span> {kind} от «{escape(page)}» · '
                f"{escape(self.names.get(reply.author, reply.author))}{approved} · {moment_html(self.visit, reply.created_at)}",
                sanitize=False,
            ).classes("small soft")
            if reply.note:
                ui.label(f"Замечание: {reply.note}").classes("strong")
            if reply.state in WRITABLE and self.visit.may(Right.WRITE_REPLY):
                self._edit(reply)
            else:
                ui.label(reply.text).classes("text").style("white-space:pre-wrap; margin:4px 0")
            self._delivery(reply)
            if reply.state is ReplyState.ON_REVIEW and self.visit.may(Right.APPROVE_REPLY):
                with ui.element("div").classes("acts no-print"):
                    approve = Button("Согласовать и отправить", kind="first", key="a")
                    approve.on_click(lambda: self._approve(reply))
                    Button("Вернуть с замечанием", on_click=lambda: self._ask_note(reply))

    def _approve(self, reply: Reply) -> None:
        self._act(self.desk.incidents.approve_reply, reply, done="Согласовано, отправляется")
        self.changed()

    def _edit(self, reply: Reply) -> None:
        text = ui.textarea("Текст ответа", value=reply.text).props('outlined autogrow data-key="e"')
        text.props["data-keep"] = f"{self.kept_as}:{reply.id}"
        text.style("width:100%; margin:6px 0")

        def save(submit: bool) -> None:
            edited = self._act(self.desk.incidents.edit_reply, reply, text=text.value or "")
            if not isinstance(edited, Reply):
                return  # the words stay in the field
            ui.run_javascript(f"forgetDrafts({json.dumps(self.kept_as)})")
            if submit:
                self._act(self.desk.incidents.submit_reply, edited, done="Ответ отдан на согласование")
            self.changed()

        with ui.element("div").classes("acts"):
            Button("На согласование", on_click=lambda: save(True), kind="first")
            Button("Сохранить", on_click=lambda: save(False))

    def _ask_note(self, reply: Reply) -> None:
        with ui.dialog() as dialog, ui.card().style("min-width:min(420px, 90vw)"):
            ui.label("Что исправить?").classes("strong")
            note = ui.textarea("Замечание автору").props("outlined autofocus").style("width:100%")

            def act() -> None:
                dialog.close()
                self._act(self.desk.incidents.return_reply, reply, note.value or "", done="Ответ возвращён")
                self.changed()

            with ui.element("div").classes("acts"):
                Button("Вернуть", on_click=act, kind="first")
                Button("Отмена", on_click=dialog.close)
        dialog.open()

    def _act(
        self, act: Callable[..., Any], reply: Reply, *arguments: Any, done: str = "", **more: Any
    ) -> Any:
        who, at = self.visit.person.login, self.visit.service.now()
        return told(
            lambda: act(reply.id, *arguments, actor=who, at=at, version=reply.version, **more), done=done
        )

    def _delivery(self, reply: Reply) -> None:
        for delivery in self.desk.deliveries.find(subject_id=reply.id)[0]:
            if outside := outside_html(delivery.url, "Ответ в сети"):
                ui.html(
                    f"{outside} · {moment_html(self.visit, delivery.published_at)}", sanitize=False
                ).classes("small")
            elif delivery.error:
                ui.label(delivery.error).classes("small strong")
            if delivery.state in (DeliveryState.UNKNOWN, DeliveryState.NEEDS_HUMAN):
                ui.html(
                    f'<a href="{link("/publications", delivery=delivery.id)}">Решить, вышел ли ответ</a>',
                    sanitize=False,
                )


class _NewReply:
    """The form of a new answer: under which message, from which page, what words."""

    def __init__(self, replies: Replies, records: dict[str, Record]) -> None:
        self.replies = replies
        self.visit = replies.visit
        self.records = records
        self.pages = self.visit.service.desk.pages.list(enabled_only=True)
        self.page: ui.select | None = None

    def show(self) -> None:
        with ui.element("div").classes("fields"):
            records = sorted(self.records.values(), key=self._worth, reverse=True)
            targets = {
                r.post.id: f"{NETWORK_WORDS[r.post.network]}: {' '.join(r.post.text.split())[:70]}"
                for r in records
            }
            self.post = ui.select(targets, label="Под каким сообщением", value=next(iter(targets)))
            self.post.props("outlined dense")
            self.page_box = ui.element("div")
            self.text = ui.textarea("Текст ответа").props('outlined autogrow data-key="e"')
            self.text.props["data-keep"] = self.replies.kept_as
            self.counter = ui.label().classes("small soft")
            self.interim = ui.checkbox("Промежуточный ответ: окончательный будет позже").props("dense")
            with ui.element("div").classes("acts"):
                Button("На согласование", on_click=lambda: self.save(submit=True), kind="first")
                Button("Сохранить черновик", on_click=lambda: self.save(submit=False))
                Button("Приняли в работу", on_click=self.promise).tooltip("Подставить промежуточный ответ")
        self.post.on_value_change(self.choose_page)
        self.text.on_value_change(self.count)
        self.choose_page()
        incident = self.replies.incident
        found = similar_incidents(self.visit.service, incident.post_ids, without=[incident.id], limit=5)
        self._templates([each for each in found if each.answer])

    def _worth(self, record: Record) -> tuple[bool, bool, int]:
        """Where an answer is possible, waited for and most needed comes first; equal ones as the incident lists them."""
        analysis = record.analysis
        can_speak = bool(speakers(record.post.id, self.pages))
        return (
            can_speak,
            bool(analysis and analysis.needs_answer),
            int(analysis.severity) if analysis else 0,
        )

    def choose_page(self) -> None:
        record = self.records[self.post.value]
        fitting = speakers(record.post.id, self.pages)
        self.page_box.clear()
        self.page = None
        with self.page_box:
            if fitting:
                choices = {page.id: page.title for page in fitting}
                self.page = ui.select(choices, label="От имени страницы", value=fitting[0].id)
                self.page.props("outlined dense").style("width:100%").on_value_change(self.count)
            else:
                network = NETWORK_WORDS[record.post.network]
                ui.label(f"Официальной страницы в сети «{network}» нет: ответить оттуда нельзя.").classes(
                    "soft"
                )
        self.count()

    def _speaker(self) -> Page | None:
        return next((page for page in self.pages if self.page and page.id == self.page.value), None)

    def count(self) -> None:
        page = self._speaker()
        if page is None:
            self.counter.text = ""
            return
        limits = LIMITS[page.network]
        longest, length = limits.text_characters, limits.count(self.text.value or "")
        self.counter.text = f"{plural(length, SYMBOLS)} из {grouped(longest)}"
        self.counter.classes(
            add="late" if length > longest else "", remove="" if length > longest else "late"
        )

    def promise(self) -> None:
        """Words that buy time honestly: what was heard, and until when the answer comes."""
        final = self.visit.service.desk.promises.final
        now, zone = self.visit.service.now(), self.visit.service.zone
        due = final.deadline(now, self.visit.service.desk.promises.calendar).due_at
        until = when(due, now, zone).partition(",")[0]
        self.text.value = (
            f"Здравствуйте! Приняли ваше сообщение, разбираемся. Ответим здесь не позже чем {until}."
        )
        self.interim.value = True

    def _templates(self, found: Sequence[Similar]) -> None:
        """What was answered to the like, taken as a start by one press."""
        if not found:
            return
        with ui.element("details").classes("inset").props("open"):
            with ui.element("summary").classes("strong"):
                ui.label("Как отвечали на похожее").style("display:inline")
            for each in found:
                ui.html(
                    f'<a href="{link("/incident", id=each.incident.id)}">{each.incident.number}</a> {escape(each.incident.title)}',
                    sanitize=False,
                ).classes("small soft")
                ui.label(each.answer).classes("text").style("white-space:pre-wrap")
                Button("Взять за основу", on_click=lambda each=each: self.text.set_value(each.answer))

    def save(self, *, submit: bool) -> None:
        page = self._speaker()
        if page is None:
            words = "Выберите сообщение из сети, где есть официальная страница."
            ui.notify(words, type="warning", position="top")
            return
        reply = told(lambda: self._draft(page))
        if isinstance(reply, Reply):
            self.replies.begun(reply, submit=submit)

    def _draft(self, page: Page) -> Reply:
        desk, text = self.visit.service.desk, self.text.value or ""
        self.replies.must_be_only()
        check_message(Message(text=text, reply_to=self.post.value), LIMITS[page.network], desk.media)
        return desk.incidents.draft_reply(
            self.replies.incident.id, post_id=self.post.value, page_id=page.id, text=text,
            is_interim=bool(self.interim.value), actor=self.visit.person.login, at=self.visit.service.now(),
        )  # fmt: skip


def _page_title(visit: Visit, page_id: str) -> str:
    try:
        return visit.service.desk.pages.get(page_id).title
    except NotFound:
        return page_id
