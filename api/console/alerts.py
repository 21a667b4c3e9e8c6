"""«Сигналы»: what needs me now? A list by urgency, the evidence beside it, one press to accept, snooze or dismiss."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from html import escape
from typing import Any

from fastapi.responses import RedirectResponse
from nicegui import ui

from api.console.alert_pane import POSTS_SHOWN, AlertPane, reason_menu, until_menu
from api.console.button import Button
from api.console.filters import choice, folded, members, named, options, switch
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.parts import moment_html, names_of, severity_html, spark
from api.console.russian import ALERTS, AUTHORS, POSTS, plural
from api.service import Service
from api.words import ALERT_KIND_WORDS, ALERT_STATE_WORDS, RISK_WORDS
from index.domain.alert import LIVE, Alert, AlertState
from index.domain.analysis import Risk
from index.domain.person import Person, Right, Role
from index.errors import NotFound

PATH = "/alerts"
ROWS = 100  # alerts on one page
PULSE_STEPS = 12
PULSE_STEP = timedelta(minutes=3)  # the shortest step of a row's line of blocks
POLL_SECONDS = 3.0
#: Where each role's day begins; the first role of this list that a person has decides.
HOMES = (
    (Role.INCIDENT_OFFICER, PATH),
    (Role.HEAD, "/summary"),
    (Role.PUBLICS_OFFICER, "/publications"),
    (Role.EDITOR, "/publications"),
    (Role.POS_OFFICER, "/incidents"),
    (Role.SECTOR_LEAD, "/incidents"),
    (Role.ADMIN, PATH),
    (Role.READER, "/summary"),
)


def register(service: Service) -> None:
    guarded(service, PATH, "Сигналы", build)
    guarded(service, "/", "Сигналы", lambda visit: RedirectResponse(home_of(visit.person), status_code=303))


def home_of(person: Person) -> str:
    return next((path for role, path in HOMES if role in person.roles), PATH)


def build(
    visit: Visit,
    state: str = "open",
    risk: str = "",
    place: str = "",
    mine: bool = False,
    late: bool = False,
    selected: str = "",
) -> None:
    chosen = {"state": state, "risk": risk, "place": place, "mine": mine, "late": late}
    view = _View(visit=visit, state=chosen, selected=selected)
    with frame(visit, "Сигналы", here=PATH) as bar:
        with bar:
            view.filters()
        with ui.element("div").classes("split" + (" open" if selected else "")) as split:
            view.split = split
            with ui.element("section").classes("list").props('aria-label="Список сигналов"'):
                view.undo_bar = ui.element("div")
                view.picked_bar = ui.element("div")
                view.news = ui.element("div").props('aria-live="polite"')
                view.rows()
            with ui.element("section").classes("pane").props('aria-label="Сигнал" tabindex=-1') as pane:
                view.pane_box = pane
                view.pane(view.selected)
        ui.timer(POLL_SECONDS, view.look_for_news)


class _View:
    """One open page: its filters, what it shows, what is selected and what is marked."""

    split: ui.element
    news: ui.element
    undo_bar: ui.element
    picked_bar: ui.element
    pane_box: ui.element

    def __init__(self, *, visit: Visit, state: dict[str, Any], selected: str) -> None:
        self.visit = visit
        self.state = state
        self.selected = selected
        self.shown: dict[str, Alert] = {}  # as they stood when the row was drawn
        self.elements: dict[str, ui.element] = {}
        self.boxes: dict[str, ui.checkbox] = {}
        self.names = names_of(visit)

    def filters(self) -> None:
        with folded():
            self._choices()
        ui.element("div").classes("grow")
        ui.html('<a href="/rules">Правила сигналов</a>', sanitize=False)
        # Pressed by `x`: marks the row that is selected.
        ui.element("button").props('data-key="x" type=button tabindex=-1 aria-hidden=true').classes(
            "unseen"
        ).on("click", lambda: self.pick(self.selected))

    def _choices(self) -> None:
        places = named(sorted({place.name for place in self.visit.service.district.places}))
        choice(PATH, self.state, "state", "Состояние", options(ALERT_STATE_WORDS), width=160, every="all")
        choice(PATH, self.state, "risk", "Риск", options(RISK_WORDS), width=170)
        choice(PATH, self.state, "place", "Место", places, width=170)
        switch(PATH, self.state, "mine", "Мои")
        switch(PATH, self.state, "late", "Просроченные")

    def find(self) -> list[Alert]:
        chosen = self.state
        alerts, _ = self.visit.service.desk.alerts.find(
            states=members(AlertState, chosen["state"]),
            risks=members(Risk, chosen["risk"]),
            places=(chosen["place"],) if chosen["place"] else (),
            assignee=self.visit.person.login if chosen["mine"] else None,
            limit=ROWS,
        )
        return [alert for alert in alerts if self._is_late(alert)] if chosen["late"] else alerts

    def _is_late(self, alert: Alert) -> bool:
        """Open for longer than the promise of triage."""
        waited = self.visit.service.now() - alert.raised_at
        return alert.state is AlertState.OPEN and waited > self.visit.service.desk.promises.triage

    def first(self) -> str:
        return next(iter(self.shown), "")

    @ui.refreshable_method
    def rows(self) -> None:
        alerts = self.find()
        self.shown = {alert.id: alert for alert in alerts}
        self.elements, self.boxes = {}, {}
        self.selected = self.selected or self.first()
        if not alerts:
            empty(
                "Новых сигналов нет" if self.state["state"] == "open" else "Здесь пусто",
                "Сервис следит за источниками; новый сигнал появится сам. Все посты — в «Ленте».",
            )
        pulses = _pulses(self.visit, alerts)
        for alert in alerts:
            self.row(alert, pulses[alert.id])

    def row(self, alert: Alert, pulse: str) -> None:
        element = ui.element("div").classes("line" + (" here" if alert.id == self.selected else ""))
        element.props('data-select="" tabindex=0 role=button').style(
            "grid-template-columns: 26px 52px minmax(0, 1fr) auto"
        )
        element.props["data-row"] = alert.id
        element.on("click", lambda: self.select(alert.id))
        self.elements[alert.id] = element
        where = (
            f"{plural(alert.posts, POSTS)} · {plural(alert.authors, AUTHORS)}"
            if alert.posts
            else ALERT_KIND_WORDS[alert.kind]
        )
        late = '<b class="late">просрочен</b> · ' if self._is_late(alert) else ""
        with element:
            self.box(alert)
            ui.html(
                f"{severity_html(alert.severity, with_word=False)} <b>{alert.score}</b>", sanitize=False
            ).classes("number")
            with ui.element("div").style("min-width:0"):
                ui.label(alert.title).classes("title strong").tooltip(alert.title)
                ui.html(
                    f"{late}{where} · {moment_html(self.visit, alert.raised_at)}", sanitize=False
                ).classes("small soft clip")
            with ui.element("div").classes("small soft").style("text-align:right"):
                ui.label(pulse).classes("pulse wide-only").tooltip("Посты от первого до сейчас")
                who = self.names.get(alert.assignee or "", alert.assignee or "никто")
                ui.label(who).classes("" if alert.assignee else "nobody")

    def box(self, alert: Alert) -> None:
        if alert.state not in LIVE or not self.visit.may(Right.TRIAGE):
            ui.element("span")
            return
        box = ui.checkbox().props(
            f'dense size=xs aria-label="Отметить сигнал {escape(alert.title, quote=True)}"'
        )
        box.on("click.stop", lambda: None)
        box.on_value_change(self.show_picked)
        self.boxes[alert.id] = box

    def select(self, alert_id: str) -> None:
        for known, element in self.elements.items():
            element.classes(
                add="here" if known == alert_id else "", remove="" if known == alert_id else "here"
            )
        self.split.classes(add="open")
        if alert_id == self.selected:
            return  # what stands in the pane stays under the hand
        ui.navigate.history.replace(link(PATH, **self.state, selected=alert_id))
        self.pane.refresh(alert_id)

    def back(self) -> None:
        self.split.classes(remove="open")

    def look_for_news(self) -> None:
        """Rows never jump under the hand: new ones wait behind a button."""
        fresh = [alert for alert in self.find() if alert.id not in self.shown]
        self.news.clear()
        if fresh:
            words = plural(len(fresh), ("новый сигнал", "новых сигнала", "новых сигналов"))
            with self.news:
                ui.element("button").classes("fresh").props(
                    f'data-fresh="{len(fresh)}" type=button innerHTML="{words} — показать"'
                ).on("click", self.show_news)

    def show_news(self) -> None:
        self.news.clear()
        before = self.selected
        self.rows.refresh()
        self.show_picked()
        if self.selected != before:
            self.pane.refresh(self.selected)

    def changed(self, alert_id: str) -> None:
        """After a decision that stays on the alert: its row says so, the others stand where they are."""
        if alert_id in self.elements:
            self.elements[alert_id].classes(add="done")
        self.pane.refresh(alert_id)

    def left(self, alert: Alert, words: str) -> None:
        """After a decision that ends the matter: the row goes, the next alert opens, the way back stands above."""
        order = list(self.elements)
        place = order.index(alert.id) if alert.id in order else 0
        self.drop(alert.id)
        rest = list(self.elements)
        self.show_undo([alert.id], f"Сигнал «{alert.title}» {words}")
        if rest:
            self.select(rest[min(place, len(rest) - 1)])
        else:
            self.begin_anew()

    def begin_anew(self) -> None:
        """The last row is gone: whatever has come meanwhile is shown."""
        self.selected = ""
        self.rows.refresh()
        self.pane.refresh(self.selected)
        self.back()

    def drop(self, alert_id: str) -> None:
        if alert_id in self.elements:
            self.elements.pop(alert_id).delete()
        self.boxes.pop(alert_id, None)

    def show_undo(self, alert_ids: list[str], words: str) -> None:
        def undo() -> None:
            alerts = self.visit.service.desk.alerts
            who, at = self.visit.person.login, self.visit.service.now()
            for alert_id in alert_ids:
                told(partial(alerts.reopen, alert_id, actor=who, at=at, version=alerts.get(alert_id).version))
            self.undo_bar.clear()
            self.selected = alert_ids[0]
            self.rows.refresh()
            self.pane.refresh(alert_ids[0])

        self.undo_bar.clear()
        with self.undo_bar, ui.element("div").classes("undo").props("role=status"):
            ui.label(words).style("min-width:0; flex:1")
            Button("Вернуть", on_click=undo, key="z")

    # ── several at once ──────────────────────────────────────────────────────────────────────────────────────────────

    def pick(self, alert_id: str) -> None:
        if box := self.boxes.get(alert_id):
            box.value = not box.value

    def picked(self) -> list[str]:
        return [alert_id for alert_id, box in self.boxes.items() if box.value]

    def show_picked(self) -> None:
        picked = self.picked()
        self.picked_bar.clear()
        if not picked:
            return
        with self.picked_bar, ui.element("div").classes("pickbar"):
            ui.label(f"Отмечено: {plural(len(picked), ALERTS)}")
            with Button("Отклонить", kind="danger"):
                reason_menu(self.dismiss_picked)
            with Button("Отложить"):
                until_menu(self.visit, self.snooze_picked)
            Button("Снять отметки", on_click=self.unpick)

    def unpick(self) -> None:
        for alert_id in self.picked():
            self.boxes[alert_id].value = False

    def dismiss_picked(self, reason: str) -> None:
        self._each_picked(self.visit.service.desk.alerts.dismiss, reason, words=f"отклонено: {reason}")

    def snooze_picked(self, until: datetime) -> None:
        self._each_picked(self.visit.service.desk.alerts.snooze, until, words="отложено")

    def _each_picked(self, act: Callable[..., Any], value: Any, *, words: str) -> None:
        """Each by its own version: what somebody else has changed meanwhile stays, and is named."""
        done = []
        who, at = self.visit.person.login, self.visit.service.now()
        for alert_id in self.picked():
            version = self.shown[alert_id].version
            result = told(partial(act, alert_id, value, actor=who, at=at, version=version))
            if result is not None:
                done.append(alert_id)
                self.drop(alert_id)
        self.show_picked()
        if done:
            self.show_undo(done, f"{plural(len(done), ALERTS)} {words}")
        if self.selected in done:
            rest = list(self.elements)
            if rest:
                self.select(rest[0])
            else:
                self.begin_anew()

    @ui.refreshable_method
    def pane(self, alert_id: str) -> None:
        self.selected = alert_id
        self.pane_box.props["data-shows"] = alert_id  # keys.js waits for it
        if not alert_id:
            empty("Сигнал не выбран", "Выберите строку слева или нажмите j.")
            return
        try:
            alert = self.visit.service.desk.alerts.get(alert_id)
        except NotFound:
            empty("Такого сигнала нет", "Возможно, ссылка устарела.")
            return
        self.shown[alert_id] = alert
        AlertPane(
            visit=self.visit,
            alert=alert,
            changed=lambda: self.changed(alert.id),
            left=self.left,
            back=self.back,
        ).show()


def _pulses(visit: Visit, alerts: list[Alert]) -> dict[str, str]:
    """A line of blocks an alert: its posts from the first one till now; one read for all rows."""
    now = visit.service.now()
    ids = {post_id for alert in alerts for post_id in alert.post_ids[:POSTS_SHOWN]}
    moments = {i: r.post.published_at for i, r in visit.service.posts.get_many(sorted(ids)).items()}
    pulses = {}
    for alert in alerts:
        ages = [now - moments[i] for i in alert.post_ids[:POSTS_SHOWN] if i in moments]
        pulses[alert.id] = _pulse(ages) if len(ages) > 1 else ""
    return pulses


def _pulse(ages: list[timedelta]) -> str:
    """The oldest on the left; a step is never shorter than a few minutes."""
    step = max(max(ages) / PULSE_STEPS, PULSE_STEP)
    counts = [0] * PULSE_STEPS
    for age in ages:
        counts[PULSE_STEPS - 1 - min(int(max(age, timedelta()) / step), PULSE_STEPS - 1)] += 1
    return spark(counts)
