"""«Сигналы»: what needs me now? A list by urgency, the evidence beside it, one press to accept, snooze or dismiss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from html import escape
from typing import Any

from nicegui import ui

from api.console.button import Button
from api.console.filters import choice, folded, members, named, options, switch
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.parts import chips_html, moment_html, parts_table, post_card, severity_html, spark
from api.console.russian import AUTHORS, POSTS, plural, when
from api.service import Service
from api.words import ALERT_KIND_WORDS, ALERT_STATE_WORDS, INCIDENT_STATE_WORDS, RISK_WORDS
from index.domain.alert import LIVE, Alert, AlertState
from index.domain.analysis import Risk
from index.domain.incident import Incident, ReplyState
from index.domain.person import Right
from index.errors import NotFound
from index.posts.query import Query, Record

PATH = "/alerts"
ROWS = 100  # alerts on one page
POSTS_SHOWN = 30  # posts of an alert shown as evidence
SPARK_HOURS = 12
POLL_SECONDS = 3.0
REASONS = (
    "Не о районе",
    "Не требует действий",
    "Уже в работе",
    "Старое событие",
    "Учения или розыгрыш",
    "Ошибка разбора",
)


def register(service: Service) -> None:
    guarded(service, PATH, "Сигналы", build)
    guarded(service, "/", "Сигналы", lambda visit: ui.navigate.to(PATH))


def build(
    visit: Visit, state: str = "open", risk: str = "", place: str = "", mine: bool = False, selected: str = ""
) -> None:
    view = _View(visit=visit, state=state, risk=risk, place=place, mine=mine)
    with frame(visit, "Сигналы", here=PATH) as bar:
        with bar:
            view.filters()
        with ui.element("div").classes("split" + (" open" if selected else "")) as split:
            view.split = split
            with ui.element("section").classes("list").props('aria-label="Список сигналов"'):
                view.news = ui.element("div")
                view.rows()
            with ui.element("section").classes("pane").props('aria-label="Сигнал"'):
                view.pane(selected or view.first())
        ui.timer(POLL_SECONDS, view.look_for_news)


class _View:
    """One open page: its filters, what it shows, and what is selected."""

    split: ui.element
    news: ui.element

    def __init__(self, *, visit: Visit, state: str, risk: str, place: str, mine: bool) -> None:
        self.visit = visit
        self.state: dict[str, Any] = {"state": state, "risk": risk, "place": place, "mine": mine}
        self.selected = ""
        self.shown: dict[str, int] = {}  # id → version of every row on the screen
        self.elements: dict[str, ui.element] = {}

    def filters(self) -> None:
        with folded():
            self._choices()

    def _choices(self) -> None:
        places = named(sorted({place.name for place in self.visit.service.district.places}))
        choice(PATH, self.state, "state", "Состояние", options(ALERT_STATE_WORDS), width=190)
        choice(PATH, self.state, "risk", "Риск", options(RISK_WORDS), width=180)
        choice(PATH, self.state, "place", "Место", places, width=180)
        switch(PATH, self.state, "mine", "Мои")

    def find(self) -> list[Alert]:
        chosen = self.state
        alerts, _ = self.visit.service.desk.alerts.find(
            states=members(AlertState, chosen["state"]),
            risks=members(Risk, chosen["risk"]),
            places=(chosen["place"],) if chosen["place"] else (),
            assignee=self.visit.person.login if chosen["mine"] else None,
            limit=ROWS,
        )
        return alerts

    def first(self) -> str:
        return next(iter(self.shown), "")

    @ui.refreshable_method
    def rows(self) -> None:
        alerts = self.find()
        self.shown = {alert.id: alert.version for alert in alerts}
        self.elements = {}
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
        element.props(f'data-row="{alert.id}" tabindex=0 role=button').style(
            "grid-template-columns: 54px minmax(0, 1fr) auto"
        )
        element.on("click", lambda: self.select(alert.id))
        self.elements[alert.id] = element
        where = (
            f"{plural(alert.posts, POSTS)} · {plural(alert.authors, AUTHORS)}"
            if alert.posts
            else ALERT_KIND_WORDS[alert.kind]
        )
        with element:
            ui.html(
                f"{severity_html(alert.severity, with_word=False)} <b>{alert.score}</b>", sanitize=False
            ).classes("number")
            with ui.element("div").style("min-width:0"):
                ui.label(alert.title).classes("title strong").tooltip(alert.title)
                ui.html(f"{where} · {moment_html(self.visit, alert.raised_at)}", sanitize=False).classes(
                    "small soft clip"
                )
            with ui.element("div").classes("small soft").style("text-align:right"):
                ui.label(pulse).classes("wide-only")
                ui.label(alert.assignee or "никто")

    def select(self, alert_id: str) -> None:
        for known, element in self.elements.items():
            element.classes(
                add="here" if known == alert_id else "", remove="" if known == alert_id else "here"
            )
        self.split.classes(add="open")
        ui.navigate.history.replace(link(PATH, **self.state, selected=alert_id))
        self.pane.refresh(alert_id)

    def back(self) -> None:
        self.split.classes(remove="open")

    def look_for_news(self) -> None:
        """Rows never jump under the hand: new ones wait behind a button; the open alert shows its news at once."""
        alerts = self.find()
        fresh = [alert for alert in alerts if alert.id not in self.shown]
        self.news.clear()
        if fresh:
            words = plural(len(fresh), ("новый сигнал", "новых сигнала", "новых сигналов"))
            with self.news:
                ui.element("button").classes("fresh").props(f'data-fresh="{len(fresh)}"').on(
                    "click", self.show_news
                ).props(f'innerHTML="{words} — показать"')

    def show_news(self) -> None:
        self.news.clear()
        self.rows.refresh()
        if not self.selected and self.shown:
            self.select(self.first())

    def changed(self, alert_id: str) -> None:
        self.rows.refresh()
        self.pane.refresh(alert_id)

    @ui.refreshable_method
    def pane(self, alert_id: str) -> None:
        self.selected = alert_id
        if not alert_id:
            empty("Сигнал не выбран", "Выберите строку слева или нажмите j.")
            return
        try:
            alert = self.visit.service.desk.alerts.get(alert_id)
        except NotFound:
            empty("Такого сигнала нет", "Возможно, ссылка устарела.")
            return
        _Detail(visit=self.visit, alert=alert, changed=lambda: self.changed(alert.id), back=self.back).show()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Detail:
    """The right pane: why it was raised, what people wrote, what to do."""

    visit: Visit
    alert: Alert
    changed: Callable[[], None]
    back: Callable[[], None]

    def show(self) -> None:
        alert = self.alert
        Button("← К списку", on_click=self.back).classes("phone-only")
        ui.html(
            f"{severity_html(alert.severity)} · {ALERT_KIND_WORDS[alert.kind]} · поднят {moment_html(self.visit, alert.raised_at)}"
            f" · обновлён {moment_html(self.visit, alert.updated_at)}",
            sanitize=False,
        ).classes("small soft")
        with ui.element("h1").style("font-size:17px; line-height:1.3; margin:2px 0 6px; font-weight:700"):
            ui.label(alert.title)
        places = "".join(
            f'<a class="chip" href="{link("/feed", place=p, days=7)}">{escape(p)}</a>' for p in alert.places
        )
        topic = f'<span class="chip">{escape(alert.topic_group)}</span>' if alert.topic_group else ""
        ui.html(chips_html(alert.risks) + places + topic, sanitize=False).classes("chips")
        self.actions()
        with ui.element("h2"):
            ui.label("Почему это сигнал")
        parts_table(alert.parts, alert.score)
        self.similar()
        self.posts()

    def actions(self) -> None:
        alert = self.alert
        with (
            ui.element("div")
            .style("display:flex; gap:8px; flex-wrap:wrap; margin:12px 0")
            .classes("no-print")
        ):
            if alert.state in LIVE and self.visit.may(Right.TRIAGE):
                _button("Принять", "a", self.accept, "first")
                with _button("Отложить", "s", None, "plain"), ui.menu():
                    for words, until in self.snooze_times():
                        ui.menu_item(words, on_click=lambda until=until: self.snooze(until))
                with _button("Отклонить", "d", None, "danger"), ui.menu():
                    for reason in REASONS:
                        ui.menu_item(reason, on_click=lambda reason=reason: self.dismiss(reason))
                    ui.separator()
                    ui.menu_item("Другая причина…", on_click=self.dismiss_with_words)
                _button("Объединить", "m", self.choose_incident, "plain")
                if alert.assignee != self.visit.person.login:
                    _button("Взять себе", "t", self.take, "plain")
            else:
                self.outcome()

    def outcome(self) -> None:
        """What was done, with the way back instead of «вы уверены?»."""
        alert = self.alert
        words = f"Сигнал {ALERT_STATE_WORDS[alert.state]}"
        if alert.triaged_by:
            words += f": {alert.triaged_by}"
        if alert.reason:
            words += f" — {alert.reason}"
        ui.label(words).classes("strong")
        if alert.incident_id:
            incident = self.visit.service.desk.incidents.get(alert.incident_id)
            ui.html(
                f'<a href="{link("/incident", id=incident.id)}">Инцидент {incident.number}</a>',
                sanitize=False,
            )
            _button("Ответить", "e", lambda: ui.navigate.to(link("/incident", id=incident.id)), "first")
        if alert.state is not AlertState.OPEN and self.visit.may(Right.TRIAGE):
            _button("Вернуть", "z", self.reopen, "plain")

    def _triage(self, act: Callable[..., Any], *arguments: Any, done: str, **more: Any) -> Any:
        result = told(
            lambda: act(
                self.alert.id, *arguments,
                actor=self.visit.person.login, at=self.visit.service.now(), version=self.alert.version, **more,
            ),
            done=done,
        )  # fmt: skip
        self.changed()
        return result

    def accept(self) -> None:
        district = self.visit.service.district
        sector = next((g.sector for g in district.topics if g.name == self.alert.topic_group), None)
        self._triage(
            self.visit.service.desk.alerts.accept, done="Сигнал принят, инцидент открыт", sector=sector
        )

    def snooze(self, until: datetime) -> None:
        self._triage(self.visit.service.desk.alerts.snooze, until, done="Сигнал отложен")

    def dismiss(self, reason: str) -> None:
        self._triage(self.visit.service.desk.alerts.dismiss, reason, done="Сигнал отклонён")

    def take(self) -> None:
        self._triage(self.visit.service.desk.alerts.assign, self.visit.person.login, done="Сигнал ваш")

    def reopen(self) -> None:
        self._triage(self.visit.service.desk.alerts.reopen, done="Сигнал снова открыт")

    def dismiss_with_words(self) -> None:
        with ui.dialog() as dialog, ui.card():
            ui.label("Почему сигнал отклонён?").classes("strong")
            reason = ui.input("Причина").props("outlined autofocus").style("width: 340px")
            with ui.row():
                Button(
                    "Отклонить", on_click=lambda: (dialog.close(), self.dismiss(reason.value)), kind="danger"
                )
                Button("Не отклонять", on_click=dialog.close)
        dialog.open()

    def choose_incident(self) -> None:
        """The alert tells of a matter that is already being worked on: its posts join that incident."""
        incidents, _ = self.visit.service.desk.incidents.find(limit=50)
        known = {
            i.id: f"{i.number} · {i.title} · {INCIDENT_STATE_WORDS[i.state]}"
            for i in incidents
            if i.closed_at is None
        }
        with ui.dialog() as dialog, ui.card():
            ui.label("К какому инциденту присоединить?").classes("strong")
            if not known:
                ui.label("Открытых инцидентов нет.")
            chosen = (
                ui.select(known, label="Инцидент", with_input=True)
                .props("outlined")
                .style("width: min(520px, 80vw)")
            )

            def join() -> None:
                dialog.close()
                if chosen.value:
                    self._triage(
                        self.visit.service.desk.alerts.join,
                        chosen.value,
                        done="Сигнал присоединён к инциденту",
                    )

            with ui.row():
                Button("Присоединить", on_click=join, kind="first")
                Button("Отмена", on_click=dialog.close)
        dialog.open()

    def snooze_times(self) -> list[tuple[str, datetime]]:
        service = self.visit.service
        now, zone = service.now(), service.zone
        morning = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(8), zone)
        monday = morning + timedelta(days=(7 - morning.weekday()) % 7)
        moments = {
            now + timedelta(hours=1): "на час",
            now + timedelta(hours=4): "на 4 часа",
            morning: "до утра",
            monday: "до понедельника",
        }
        return [(f"{words}: {when(moment, now, zone)}", moment) for moment, words in moments.items()]

    def similar(self) -> None:
        incidents = _similar_incidents(self.visit, self.alert)
        if not incidents:
            return
        with ui.element("h2"):
            ui.label("Похожие инциденты и что ответили")
        for incident in incidents:
            answers = [
                r
                for r in self.visit.service.desk.incidents.replies(incident.id)
                if r.state is ReplyState.PUBLISHED
            ]
            answer = f" — «{escape(answers[-1].text[:140])}»" if answers else ""
            ui.html(
                f'<a href="{link("/incident", id=incident.id)}">{incident.number}</a> {escape(incident.title)}, '
                f"{INCIDENT_STATE_WORDS[incident.state]}{answer}",
                sanitize=False,
            ).classes("small")

    def posts(self) -> None:
        alert = self.alert
        records = _evidence(self.visit, alert)
        with ui.element("h2"):
            ui.label(f"Что пишут: {plural(alert.posts, POSTS)}" if alert.posts else "Что произошло")
        if not records and alert.source_id:
            ui.html(
                f'<a href="{link("/sources", selected=alert.source_id)}">Состояние источника</a>',
                sanitize=False,
            )
        for record in records[:POSTS_SHOWN]:
            post_card(self.visit, record)
        if alert.story_id and alert.posts > POSTS_SHOWN:
            ui.html(
                f'<a href="{link("/feed", story=alert.story_id, days=30)}">Весь сюжет в ленте</a>',
                sanitize=False,
            )


def _evidence(visit: Visit, alert: Alert) -> list[Record]:
    found = visit.service.posts.get_many(alert.post_ids[:POSTS_SHOWN])
    return sorted(found.values(), key=lambda record: record.post.published_at, reverse=True)


def _similar_incidents(visit: Visit, alert: Alert) -> list[Incident]:
    """Incidents whose posts are near in meaning to the alert's newest post; not the alert's own."""
    service = visit.service
    own = service.posts.get_many(alert.post_ids[:1])
    vector = next((r.analysis.vector for r in own.values() if r.analysis and r.analysis.vector), None)
    if vector is None:
        return []
    near = service.posts.nearest(vector, Query(since=service.now() - timedelta(days=365)), limit=40)
    others = [
        record.post.id
        for record, closeness in near
        if closeness > 0.6 and record.post.id not in alert.post_ids
    ]
    ids = dict.fromkeys(service.desk.incidents.of_posts(others).values())
    return [
        service.desk.incidents.get(incident_id)
        for incident_id in list(ids)[:3]
        if incident_id != alert.incident_id
    ]


def _pulses(visit: Visit, alerts: list[Alert]) -> dict[str, str]:
    """A line of blocks an alert: its posts by hour over the last twelve hours, in one read for all rows."""
    now = visit.service.now()
    ids = {post_id for alert in alerts for post_id in alert.post_ids[:POSTS_SHOWN]}
    moments = {i: r.post.published_at for i, r in visit.service.posts.get_many(sorted(ids)).items()}
    pulses = {}
    for alert in alerts:
        counts = [0] * SPARK_HOURS
        for post_id in alert.post_ids[:POSTS_SHOWN]:
            hours = int((now - moments[post_id]) / timedelta(hours=1)) if post_id in moments else SPARK_HOURS
            if 0 <= hours < SPARK_HOURS:
                counts[SPARK_HOURS - 1 - hours] += 1
        pulses[alert.id] = spark(counts) if alert.posts > 1 else ""
    return pulses


def _button(words: str, key: str, act: Callable[[], Any] | None, kind: str) -> ui.button:
    button = Button(on_click=act, kind=kind, key=key)
    with button:
        ui.html(f'{words}<kbd class="wide-only">{key}</kbd>', sanitize=False)
    return button
