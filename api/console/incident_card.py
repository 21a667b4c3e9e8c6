"""The card of one incident: the thread and our drafts on the left, the facts on the right, one button for the next step."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from html import escape
from typing import Any

from nicegui import ui

from api.console.button import Button
from api.console.clock import DEADLINE_WORDS, clock_html
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.incident_replies import Replies
from api.console.parts import heading, moment_html, names_of, severity_html
from api.console.russian import exact, left
from api.console.thread import show_thread
from api.service import Service
from api.words import (
    INCIDENT_STATE_WORDS,
    INCIDENT_TYPE_WORDS,
    OUTCOME_WORDS,
    REGIME_WORDS,
    SEVERITY_WORDS,
)
from index.domain.analysis import Severity
from index.domain.incident import MOVES, Incident, IncidentState, IncidentType, Outcome, Regime
from index.domain.person import Person, Right, Role
from index.errors import NotFound, ServiceError

PATH = "/incident"
LOOK_SECONDS = 5.0
STEP_WORDS = {
    IncidentState.ASSIGNED: "Назначить",
    IncidentState.IN_WORK: "Взять в работу",
    IncidentState.CHECKING: "Проверяю",
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


def register(service: Service) -> None:
    guarded(service, PATH, "Инцидент", build)


def build(visit: Visit, id: str = "") -> None:
    with frame(visit, "Инцидент", here="/incidents"):
        try:
            visit.service.desk.incidents.get(id)
        except NotFound:
            empty("Такого инцидента нет", "Проверьте номер или найдите его в списке инцидентов.")
            return
        _Card(visit, id).open()


class _Card:
    def __init__(self, visit: Visit, incident_id: str) -> None:
        self.visit = visit
        self.id = incident_id
        self.incidents = visit.service.desk.incidents
        self.drawn: Hashable = None
        self.is_writing = False

    @property
    def incident(self) -> Incident:
        return self.incidents.get(self.id)

    def open(self) -> None:
        self.news = ui.element("div").props('aria-live="polite"')
        self.show()
        ui.timer(LOOK_SECONDS, self.look)

    @ui.refreshable_method
    def show(self) -> None:
        incident = self.incident
        replies = Replies(self.visit, incident, lambda: self.show.refresh())
        self.is_writing = replies.is_writing
        self.drawn = self._state()
        self.news.clear()
        with ui.element("div").classes("sheet two case"):
            with ui.element("section").classes("panel talk").props('aria-label="Переписка"'):
                self._head(incident)
                replies.show()
                heading("Что написали жители")
                show_thread(self.visit, incident, replies.replies)
            with ui.element("section").classes("panel promise").props('aria-label="Сроки и следующий шаг"'):
                self._deadlines(incident)
                self._step(incident)
            with ui.element("section").classes("panel").props('aria-label="Карточка"'):
                self._facts(incident)
                self._history(incident)

    def _state(self) -> Hashable:
        replies = self.incidents.replies(self.id)
        minute = self.visit.service.now().replace(second=0, microsecond=0)  # clocks on the card move too
        told = tuple((reply.id, reply.version, reply.state) for reply in replies)
        return (self.incident.version, told, None if self.is_writing else minute)

    def look(self) -> None:
        """What colleagues changed shows at once, or waits behind a button while something is being written."""
        try:
            is_same = self._state() == self.drawn
        except ServiceError:
            return  # what stands on the screen stays; the next look tries again
        if is_same:
            return
        if not self.is_writing:
            self.show.refresh()
            return
        self.news.clear()
        with self.news:
            words = "Карточку изменили — показать"
            ui.element("button").classes("fresh").props(f'type=button innerHTML="{words}"').on(
                "click", self.show.refresh
            )

    def _head(self, incident: Incident) -> None:
        alert = (
            f' · <a href="{link("/alerts", state="all", selected=incident.alert_id)}">сигнал</a>'
            if incident.alert_id
            else ""
        )
        ui.html(
            f"{incident.number} · {severity_html(incident.severity)} · <b>{INCIDENT_STATE_WORDS[incident.state]}</b>"
            f" · открыт {moment_html(self.visit, incident.created_at)}{alert}",
            sanitize=False,
        ).classes("small soft")
        ui.label(incident.title).classes("head")

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
        with ui.element("div").classes("acts no-print").style("margin:10px 0"):
            if incident.is_ended:
                Button("Вернуть в работу", on_click=self._ask_reopen)
            lead = self._lead(incident) if IncidentState.ASSIGNED in following else None
            if lead is not None and incident.executor != lead.login:
                name = lead.name.partition(",")[0]
                Button(f"Назначить: {name}", on_click=lambda: self._assign(lead.login), kind="first").tooltip(
                    self.visit.service.district.sectors.get(lead.sector or "", lead.name)
                )
            for number, state in enumerate(_by_use(following)):
                kind = "first" if number == 0 and lead is None else "plain"
                words = "Назначить другому" if lead and state is IncidentState.ASSIGNED else STEP_WORDS[state]
                Button(words, on_click=lambda state=state: self._move(state), kind=kind)

    def _lead(self, incident: Incident) -> Person | None:
        """The head of the sector that answers for the incident's topic, while nobody is assigned."""
        if incident.executor is not None:
            return None
        group = self.visit.service.district.group(incident.topic_group)
        sector = incident.sector or (group.sector if group else None)
        people = self.visit.service.desk.people.list()
        leads = [p for p in people if p.is_enabled and Role.SECTOR_LEAD in p.roles and p.sector == sector]
        return leads[0] if leads else None

    def _assign(self, login: str) -> None:
        self._act(self.incidents.assign, executor=login, done="Исполнитель назначен")

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
        sectors = self.visit.service.district.sectors
        people = {
            p.login: p.name + (f" · {sectors.get(p.sector, p.sector)}" if p.sector else "")
            for p in self.visit.service.desk.people.list()
            if p.is_enabled
        }
        with _dialog("Кто исполнитель?") as dialog:
            chosen = (
                ui.select(people, label="Сотрудник", with_input=True)
                .props("outlined dense")
                .style("width:100%")
            )
            _decide(dialog, "Назначить", lambda: self._assign(chosen.value) if chosen.value else None)

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

    # ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _deadlines(self, incident: Incident) -> None:
        """The nearest promise large, the others as lines."""
        now, zone = self.visit.service.now(), self.visit.service.zone
        if clock := clock_html(incident, now):
            ui.html(f'<div class="big-clock">{clock}</div>', sanitize=False)
        for deadline in incident.deadlines:
            if deadline.met_at:
                is_late = deadline.met_at > deadline.due_at
                words = "с опозданием" if is_late else "выполнено"
            elif not deadline.is_running:
                words = "остановлено"
            else:
                words = left(deadline.due_at, now)
            name = DEADLINE_WORDS.get(deadline.name, "срок")
            ui.html(
                f'<span class="soft">{name}:</span> <span title="{exact(deadline.due_at, zone)}">{words}</span>',
                sanitize=False,
            ).classes("small")

    def _facts(self, incident: Incident) -> None:
        district = self.visit.service.district
        may = self.visit.may(Right.WORK_INCIDENTS) and not incident.is_ended
        heading("Карточка")

        def field(
            name: str,
            label: str,
            choices: dict[str, str],
            value: str | None,
            kind: Callable[[str], Any] = str,
            *,
            is_required: bool = False,
        ) -> None:
            shown = choices if is_required else {"": "—"} | choices
            select = ui.select(
                shown, label=label, value=value if value in shown else "", with_input=len(choices) > 12
            )
            select.props("outlined dense" + ("" if may else " readonly")).style("margin-bottom:6px")

            def change() -> None:
                facts: dict[str, Any] = {name: kind(select.value) if select.value else None}
                self._act(self.incidents.edit, **facts)

            if may:
                select.on_value_change(change)

        def severity_of(value: str) -> Severity:
            return Severity(int(value))

        field(
            "severity",
            "Тяжесть",
            {str(int(s)): w for s, w in SEVERITY_WORDS.items()},
            str(int(incident.severity)),
            severity_of,
            is_required=True,
        )
        field(
            "type",
            "Тип инцидента",
            {t.value: w for t, w in INCIDENT_TYPE_WORDS.items()},
            incident.type,
            IncidentType,
        )
        field(
            "regime",
            "Порядок",
            {r.value: w for r, w in REGIME_WORDS.items()},
            incident.regime,
            Regime,
            is_required=True,
        )
        field("topic_group", "Группа тем", {g.name: g.name for g in district.topics}, incident.topic_group)
        field(
            "topic",
            "Тема",
            {t.name: t.name for g in district.topics if g.name == incident.topic_group for t in g.topics},
            incident.topic,
        )
        field("place", "Место", {p.name: p.name for p in district.places}, incident.place)
        field("sector", "Отрасль", dict(district.sectors), incident.sector)
        for label, value in (("Адрес", incident.address), ("Исполнитель", names_of(self.visit).get(incident.executor or "", incident.executor)), ("Внешний номер", incident.outside_number),
                             ("Итог", OUTCOME_WORDS[incident.outcome] if incident.outcome else None), ("Причина", incident.reason)):  # fmt: skip
            if value:
                ui.html(f'<span class="soft">{label}:</span> {escape(value)}', sanitize=False)

    def _history(self, incident: Incident) -> None:
        heading("История")
        names = names_of(self.visit)
        for event in reversed(self.incidents.events(incident.id)):
            who = names.get(event.actor, event.actor)
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


def _dialog(question: str) -> Any:
    """A small dialog with its question; used as a context, opened at the end of `_decide`."""
    dialog = ui.dialog()
    with dialog, ui.card().style("min-width: min(420px, 90vw)") as card:
        ui.label(question).classes("strong")
    card.dialog = dialog  # type: ignore[attr-defined]
    return card


def _decide(card: Any, words: str, act: Callable[[], Any]) -> None:
    """The two buttons of a dialog, and open it."""
    with ui.element("div").classes("acts"):
        Button(words, on_click=lambda: (card.dialog.close(), act()), kind="first")
        Button("Отмена", on_click=card.dialog.close)
    card.dialog.open()


def _by_use(states: list[IncidentState]) -> list[IncidentState]:
    """In the order officers need them: forward first, the ways out last."""
    order = list(STEP_WORDS)
    return sorted(states, key=order.index)
