"""The card of one incident: the thread and our drafts on the left, the facts on the right, one button for the next step."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from nicegui import ui

from api.console.button import Button
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.parts import moment_html, post_card, severity_html
from api.console.russian import exact, left
from api.service import Service
from api.words import (
    INCIDENT_STATE_WORDS,
    INCIDENT_TYPE_WORDS,
    NETWORK_WORDS,
    OUTCOME_WORDS,
    REGIME_WORDS,
    REPLY_STATE_WORDS,
    SEVERITY_WORDS,
)
from index.domain.analysis import Severity
from index.domain.incident import (
    MOVES,
    Incident,
    IncidentState,
    IncidentType,
    Outcome,
    Regime,
    Reply,
    ReplyState,
)
from index.domain.person import Right
from index.domain.publication import DeliveryState, Message
from index.errors import NotFound
from publisher.channels import LIMITS
from publisher.channels.base import check_message
from publisher.comments import speakers

PATH = "/incident"
POSTS_SHOWN = 20
STEP_WORDS = {
    IncidentState.CHECKING: "Проверяю",
    IncidentState.ASSIGNED: "Назначить",
    IncidentState.IN_WORK: "Взять в работу",
    IncidentState.INTERIM_ANSWER: "Дан промежуточный ответ",
    IncidentState.ANSWER_ON_REVIEW: "Ответ на согласование",
    IncidentState.ANSWERED: "Ответ дан",
    IncidentState.CLOSED: "Закрыть",
    IncidentState.DECLINED: "Отклонить",
    IncidentState.DUPLICATE: "Это дубль",
    IncidentState.FORWARDED: "Перенаправить",
}
BY_REPLY = (
    IncidentState.ANSWER_ON_REVIEW,
    IncidentState.ANSWERED,
    IncidentState.INTERIM_ANSWER,
)  # follow the reply itself
DEADLINE_WORDS = {
    "route": "Назначить исполнителя",
    "answer": "Ответить",
    "cap": "Ответить не позже 24 ч",
    "final": "Окончательный ответ",
}
WRITABLE = (ReplyState.DRAFT, ReplyState.REJECTED)


def register(service: Service) -> None:
    guarded(service, PATH, "Инцидент", build)


def build(visit: Visit, id: str = "") -> None:
    with frame(visit, "Инцидент", here="/incidents"):
        try:
            visit.service.desk.incidents.get(id)
        except NotFound:
            empty("Такого инцидента нет", "Проверьте номер или найдите его в списке инцидентов.")
            return
        _Card(visit, id).show()


class _Card:
    def __init__(self, visit: Visit, incident_id: str) -> None:
        self.visit = visit
        self.id = incident_id
        self.incidents = visit.service.desk.incidents

    @property
    def incident(self) -> Incident:
        return self.incidents.get(self.id)

    @ui.refreshable_method
    def show(self) -> None:
        incident = self.incident
        with (
            ui.element("div")
            .classes("sheet")
            .style("display:grid; gap:12px; grid-template-columns:minmax(0, 1.6fr) minmax(300px, 1fr)")
            .classes("card-grid")
        ):
            with ui.element("section").classes("panel"):
                self._head(incident)
                self._replies(incident)
                with ui.element("h2"):
                    ui.label("Что написали жители")
                self._posts(incident)
            with ui.element("section").classes("panel"):
                self._step(incident)
                self._deadlines(incident)
                self._facts(incident)
                self._history(incident)

    def _head(self, incident: Incident) -> None:
        ui.html(
            f'<div class="small soft">{incident.number} · {severity_html(incident.severity)} · {INCIDENT_STATE_WORDS[incident.state]}'
            f" · открыт {moment_html(self.visit, incident.created_at)}</div>"
            f'<div style="font-size:18px; font-weight:700; line-height:1.3">{escape(incident.title)}</div>',
            sanitize=False,
        )

    def _act(self, act: Callable[..., Any], *arguments: Any, done: str = "", **more: Any) -> Any:
        result = told(
            lambda: act(
                self.id, *arguments,
                actor=self.visit.person.login, at=self.visit.service.now(), version=self.incident.version, **more,
            ),
            done=done,
        )  # fmt: skip
        self.show.refresh()
        return result

    # ── the next step ────────────────────────────────────────────────────────────────────────────────────────────────

    def _step(self, incident: Incident) -> None:
        if not self.visit.may(Right.WORK_INCIDENTS):
            return
        following = [state for state in MOVES[incident.state] if state not in BY_REPLY]
        with ui.element("div").style("display:flex; gap:8px; flex-wrap:wrap; margin-bottom:8px"):
            if incident.is_ended:
                Button("Вернуть в работу", on_click=self._ask_reopen)
            for number, state in enumerate(following):
                kind = "first" if number == 0 else "plain"
                Button(STEP_WORDS[state], on_click=lambda state=state: self._move(state), kind=kind)

    def _move(self, state: IncidentState) -> None:
        match state:
            case IncidentState.ASSIGNED:
                self._ask_executor()
            case IncidentState.CLOSED:
                self._ask_outcome()
            case IncidentState.DECLINED | IncidentState.FORWARDED:
                self._ask_reason(state)
            case IncidentState.DUPLICATE:
                self._ask_original()
            case IncidentState.IN_WORK if self.incident.executor is None:
                self._act(self.incidents.assign, executor=self.visit.person.login)
                self._act(self.incidents.move, state, done="Инцидент в работе у вас")
            case _:
                self._act(self.incidents.move, state, done=f"Состояние: {INCIDENT_STATE_WORDS[state]}")

    def _ask_executor(self) -> None:
        people = {
            p.login: f"{p.name}{f' · {p.sector}' if p.sector else ''}"
            for p in self.visit.service.desk.people.list()
            if p.is_enabled
        }
        with _dialog("Кто исполнитель?") as dialog:
            chosen = ui.select(people, label="Сотрудник", with_input=True).props("outlined")
            _decide(
                dialog,
                "Назначить",
                lambda: (
                    self._act(self.incidents.assign, executor=chosen.value, done="Исполнитель назначен")
                    if chosen.value
                    else None
                ),
            )

    def _ask_outcome(self) -> None:
        with _dialog("Чем закончилось?") as dialog:
            outcome = ui.select(
                {o.value: w.capitalize() for o, w in OUTCOME_WORDS.items()},
                label="Итог",
                value=Outcome.SOLVED.value,
            ).props("outlined")
            kind = ui.select(
                {t.value: w.capitalize() for t, w in INCIDENT_TYPE_WORDS.items()},
                label="Тип инцидента",
                value=(self.incident.type or IncidentType.SOLVABLE).value,
            ).props("outlined")
            reason = ui.input("Пояснение").props("outlined")
            _decide(
                dialog, "Закрыть инцидент",
                lambda: self._act(
                    self.incidents.close, outcome=Outcome(outcome.value), type=IncidentType(kind.value),
                    reason=reason.value or "", done="Инцидент закрыт",
                ),
            )  # fmt: skip

    def _ask_reason(self, state: IncidentState) -> None:
        with _dialog("Почему?" if state is IncidentState.DECLINED else "Куда и почему?") as dialog:
            reason = ui.input("Причина").props("outlined autofocus")
            _decide(
                dialog,
                STEP_WORDS[state],
                lambda: self._act(self.incidents.move, state, reason=reason.value or ""),
            )

    def _ask_original(self) -> None:
        others = {
            i.id: f"{i.number} · {i.title}" for i in self.incidents.find(limit=100)[0] if i.id != self.id
        }
        with _dialog("Какой инцидент он повторяет?") as dialog:
            chosen = ui.select(others, label="Инцидент", with_input=True).props("outlined")
            _decide(
                dialog,
                "Это дубль",
                lambda: self._act(self.incidents.move, IncidentState.DUPLICATE, duplicate_of=chosen.value),
            )

    def _ask_reopen(self) -> None:
        with _dialog("Почему инцидент возвращается в работу?") as dialog:
            reason = ui.input("Причина").props("outlined autofocus")
            _decide(
                dialog,
                "Вернуть в работу",
                lambda: self._act(self.incidents.reopen, reason=reason.value or ""),
            )

    # ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _replies(self, incident: Incident) -> None:
        replies = self.incidents.replies(self.id)
        with ui.element("h2"):
            ui.label("Ответ жителю")
        for reply in replies:
            self._reply(reply)
        is_open = not any(
            reply.state in (*WRITABLE, ReplyState.ON_REVIEW, ReplyState.APPROVED) for reply in replies
        )
        if is_open and not incident.is_ended and self.visit.may(Right.WRITE_REPLY):
            self._new_reply(incident)

    def _new_reply(self, incident: Incident) -> None:
        records = self.visit.service.posts.get_many(incident.post_ids[:POSTS_SHOWN])
        targets = {
            i: f"{NETWORK_WORDS[r.post.network]}: {' '.join(r.post.text.split())[:70]}"
            for i, r in records.items()
        }
        if not targets:
            ui.label("Отвечать не на что: постов у инцидента нет.").classes("soft")
            return
        post = (
            ui.select(targets, label="Под каким сообщением", value=next(iter(targets)))
            .props("outlined dense")
            .style("width:100%")
        )
        page_box = ui.element("div")
        text = ui.textarea("Текст ответа").props('outlined autogrow data-key="e"').style("width:100%")
        state: dict[str, ui.select] = {}

        def pages_for() -> None:
            record = records[post.value]
            fitting = speakers(record.post.id, self.visit.service.desk.pages.list(enabled_only=True))
            page_box.clear()
            with page_box:
                if fitting:
                    choices = {page.id: page.title for page in fitting}
                    state["page"] = (
                        ui.select(choices, label="От имени страницы", value=fitting[0].id)
                        .props("outlined dense")
                        .style("width:100%; margin:8px 0")
                    )
                else:
                    state.pop("page", None)
                    ui.label(
                        f"Официальной страницы в сети «{NETWORK_WORDS[record.post.network]}» нет: ответить оттуда нельзя."
                    ).classes("soft")

        def save(submit: bool) -> None:
            if "page" not in state:
                ui.notify(
                    "Выберите сообщение из сети, где есть официальная страница.",
                    type="warning",
                    position="top",
                )
                return
            page = self.visit.service.desk.pages.get(state["page"].value)
            message = Message(text=text.value or "", reply_to=post.value)
            if (
                told(lambda: check_message(message, LIMITS[page.network], self.visit.service.desk.media))
                is None
            ):
                return
            reply = told(
                lambda: self.incidents.draft_reply(
                    self.id, post_id=post.value, page_id=state["page"].value, text=text.value or "",
                    is_interim=bool(interim.value), actor=self.visit.person.login, at=self.visit.service.now(),
                )
            )  # fmt: skip
            if isinstance(reply, Reply) and submit:
                told(
                    lambda: self.incidents.submit_reply(
                        reply.id,
                        actor=self.visit.person.login,
                        at=self.visit.service.now(),
                        version=reply.version,
                    ),
                    done="Ответ отдан на согласование",
                )
            if reply:
                self.show.refresh()

        post.on_value_change(pages_for)
        pages_for()
        interim = ui.checkbox("Промежуточный ответ: окончательный будет позже")
        with ui.element("div").style("display:flex; gap:8px; flex-wrap:wrap"):
            Button("На согласование", on_click=lambda: save(True), kind="first")
            Button("Сохранить черновик", on_click=lambda: save(False))

    def _reply(self, reply: Reply) -> None:
        with ui.element("article").classes("post"):
            kind = "промежуточный ответ" if reply.is_interim else "ответ"
            tone = {
                ReplyState.PUBLISHED: "good",
                ReplyState.FAILED: "bad",
                ReplyState.ON_REVIEW: "accent",
            }.get(reply.state, "")
            page = _page_title(self.visit, reply.page_id)
            ui.html(
                f'<span class="chip {tone}">{REPLY_STATE_WORDS[reply.state]}</span> {kind} от «{escape(page)}» · написал {escape(reply.author)}'
                f"{f' · согласовал {escape(reply.approved_by)}' if reply.approved_by else ''} · {moment_html(self.visit, reply.created_at)}",
                sanitize=False,
            ).classes("small soft")
            if reply.state in WRITABLE and self.visit.may(Right.WRITE_REPLY):
                self._edit(reply)
            else:
                ui.label(reply.text).classes("text")
            if reply.note:
                ui.label(f"Замечание: {reply.note}").classes("strong")
            self._delivery(reply)
            if reply.state is ReplyState.ON_REVIEW and self.visit.may(Right.APPROVE_REPLY):
                with ui.element("div").style("display:flex; gap:8px"):
                    Button(
                        "Согласовать и отправить",
                        on_click=lambda: self._on_reply(
                            self.incidents.approve_reply, reply, done="Согласовано, отправляется"
                        ),
                        kind="first",
                    )
                    Button("Вернуть с замечанием", on_click=lambda: self._ask_note(reply))

    def _edit(self, reply: Reply) -> None:
        text = ui.textarea(value=reply.text).props("outlined autogrow").style("width:100%")

        def save(submit: bool) -> None:
            edited = self._on_reply(self.incidents.edit_reply, reply, text=text.value or "", refresh=False)
            if isinstance(edited, Reply) and submit:
                self._on_reply(
                    self.incidents.submit_reply, edited, done="Ответ отдан на согласование", refresh=False
                )
            self.show.refresh()

        with ui.element("div").style("display:flex; gap:8px; margin-top:6px"):
            Button("На согласование", on_click=lambda: save(True), kind="first")
            Button("Сохранить", on_click=lambda: save(False))

    def _ask_note(self, reply: Reply) -> None:
        with _dialog("Что исправить?") as dialog:
            note = ui.textarea("Замечание автору").props("outlined autofocus")
            _decide(
                dialog,
                "Вернуть",
                lambda: self._on_reply(
                    self.incidents.return_reply, reply, note.value or "", done="Ответ возвращён"
                ),
            )

    def _on_reply(
        self,
        act: Callable[..., Any],
        reply: Reply,
        *arguments: Any,
        done: str = "",
        refresh: bool = True,
        **more: Any,
    ) -> Any:
        result = told(
            lambda: act(
                reply.id, *arguments,
                actor=self.visit.person.login, at=self.visit.service.now(), version=reply.version, **more,
            ),
            done=done,
        )  # fmt: skip
        if refresh:
            self.show.refresh()
        return result

    def _delivery(self, reply: Reply) -> None:
        for delivery in self.visit.service.desk.deliveries.find(subject_id=reply.id)[0]:
            if delivery.url:
                ui.html(
                    f'<a href="{escape(delivery.url, quote=True)}" target="_blank" rel="noreferrer">Ответ в сети</a> · {moment_html(self.visit, delivery.published_at)}',
                    sanitize=False,
                ).classes("small")
            elif delivery.error:
                ui.label(delivery.error).classes("small strong")
            if delivery.state in (DeliveryState.UNKNOWN, DeliveryState.NEEDS_HUMAN):
                ui.html(
                    f'<a href="{link("/publications", delivery=delivery.id)}">Решить, вышел ли ответ</a>',
                    sanitize=False,
                )

    # ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _posts(self, incident: Incident) -> None:
        records = self.visit.service.posts.get_many(incident.post_ids[:POSTS_SHOWN])
        for post_id in incident.post_ids[:POSTS_SHOWN]:
            if post_id in records:
                post_card(self.visit, records[post_id])
        if len(incident.post_ids) > POSTS_SHOWN:
            ui.label(f"и ещё {len(incident.post_ids) - POSTS_SHOWN}").classes("soft small")

    def _deadlines(self, incident: Incident) -> None:
        now, zone = self.visit.service.now(), self.visit.service.zone
        for deadline in incident.deadlines:
            if deadline.met_at:
                words, kind = (
                    "выполнено" if deadline.met_at <= deadline.due_at else "выполнено с опозданием",
                    "soft",
                )
            elif not deadline.is_running:
                words, kind = "остановлено", "soft"
            else:
                words, kind = left(deadline.due_at, now), "strong"
            name = DEADLINE_WORDS.get(deadline.name, deadline.name)
            ui.html(
                f'<div title="{exact(deadline.due_at, zone)}">{name}: <span class="{kind}">{words}</span></div>',
                sanitize=False,
            )

    def _facts(self, incident: Incident) -> None:
        district = self.visit.service.district
        may = self.visit.may(Right.WORK_INCIDENTS) and not incident.is_ended
        with ui.element("h2").style("margin-top:14px"):
            ui.label("Карточка")

        def field(
            name: str,
            label: str,
            choices: dict[str, str],
            value: str | None,
            kind: Callable[[str], Any] = str,
        ) -> None:
            shown = {"": "—"} | choices
            select = ui.select(
                shown, label=label, value=value if value in shown else "", with_input=len(choices) > 12
            )
            select.props("outlined dense" + ("" if may else " readonly")).style(
                "width:100%; margin-bottom:6px"
            )
            if may:
                select.on_value_change(
                    lambda event: self._act(
                        self.incidents.edit, **{name: kind(event.value) if event.value else None}
                    )
                )

        def severity_of(value: str) -> Severity:
            return Severity(int(value))

        field(
            "severity",
            "Тяжесть",
            {str(int(s)): w for s, w in SEVERITY_WORDS.items()},
            str(int(incident.severity)),
            severity_of,
        )
        field(
            "type",
            "Тип инцидента",
            {t.value: w for t, w in INCIDENT_TYPE_WORDS.items()},
            incident.type,
            IncidentType,
        )
        field("regime", "Порядок", {r.value: w for r, w in REGIME_WORDS.items()}, incident.regime, Regime)
        field("topic_group", "Группа тем", {g.name: g.name for g in district.topics}, incident.topic_group)
        field(
            "topic",
            "Тема",
            {t.name: t.name for g in district.topics if g.name == incident.topic_group for t in g.topics},
            incident.topic,
        )
        field("place", "Место", {p.name: p.name for p in district.places}, incident.place)
        field("sector", "Отрасль", dict(district.sectors), incident.sector)
        for label, value in (("Адрес", incident.address), ("Исполнитель", incident.executor), ("Внешний номер", incident.outside_number),
                             ("Итог", OUTCOME_WORDS[incident.outcome] if incident.outcome else None), ("Причина", incident.reason)):  # fmt: skip
            if value:
                ui.html(f'<span class="soft">{label}:</span> {escape(value)}', sanitize=False)

    def _history(self, incident: Incident) -> None:
        with ui.element("h2").style("margin-top:14px"):
            ui.label("История")
        for event in reversed(self.incidents.events(incident.id)):
            who = "сервис" if event.actor == "service" else event.actor
            ui.html(
                f'<div class="small">{moment_html(self.visit, event.at)} · {escape(who)} — {escape(event.text)}</div>',
                sanitize=False,
            )
        if not self.visit.may(Right.WORK_INCIDENTS):
            return
        note = (
            ui.input(placeholder="Заметка для коллег, Enter — сохранить")
            .props("outlined dense")
            .style("width:100%; margin-top:8px")
        )

        def save() -> None:
            told(
                lambda: self.incidents.note(
                    self.id, note.value or "", actor=self.visit.person.login, at=self.visit.service.now()
                )
            )
            self.show.refresh()

        note.on("keydown.enter", save)


def _page_title(visit: Visit, page_id: str) -> str:
    try:
        return visit.service.desk.pages.get(page_id).title
    except NotFound:
        return page_id


def _dialog(question: str) -> Any:
    """A small dialog with its question; used as a context, opened at the end of `_decide`."""
    dialog = ui.dialog()
    with dialog, ui.card().style("min-width: min(420px, 90vw)") as card:
        ui.label(question).classes("strong")
    card.dialog = dialog  # type: ignore[attr-defined]
    return card


def _decide(card: Any, words: str, act: Callable[[], Any]) -> None:
    """The two buttons of a dialog, and open it."""
    with ui.row():
        Button(words, on_click=lambda: (card.dialog.close(), act()), kind="first")
        Button("Отмена", on_click=card.dialog.close)
    card.dialog.open()
