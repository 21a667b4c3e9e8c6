"""The pane of one alert: why it was raised, what people wrote, who is on it already, and the decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from html import escape
from typing import Any

from nicegui import run, ui

from api.console.button import Button
from api.console.charts import small_map
from api.console.frame import Visit, link, told
from api.console.parts import (
    chips_html,
    heading,
    moment_html,
    names_of,
    parts_table,
    post_card,
    severity_html,
)
from api.console.russian import POSTS, plural, when
from api.console.similar import similar_incidents
from api.console.story_tools import StoryTools
from api.words import ALERT_KIND_WORDS, ALERT_STATE_WORDS, INCIDENT_STATE_WORDS
from index.domain.alert import LIVE, Alert, AlertState
from index.domain.incident import Incident
from index.domain.person import Right
from index.posts.query import Record
from nlp.digest import Digest, digest
from nlp.retelling import language_model, retold
from nlp.stages.places import PlaceFinder
from nlp.stages.text import read

POSTS_SHOWN = 30  # posts of an alert shown as evidence
DIGEST_SENTENCES = 4
REASONS = (
    "Не о районе",
    "Не требует действий",
    "Уже в работе",
    "Старое событие",
    "Учения или розыгрыш",
    "Ошибка разбора",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPane:
    """`changed` redraws the alert after a decision; `left` goes to the next one, with a way back."""

    visit: Visit
    alert: Alert
    changed: Callable[[], None]
    left: Callable[[Alert, str], None]
    back: Callable[[], None]

    def show(self) -> None:
        alert = self.alert
        Button("← К списку", on_click=self.back).classes("phone-only")
        ui.html(
            f"{severity_html(alert.severity)} · {ALERT_KIND_WORDS[alert.kind]} · поднят {moment_html(self.visit, alert.raised_at)}"
            f" · обновлён {moment_html(self.visit, alert.updated_at)}",
            sanitize=False,
        ).classes("small soft")
        ui.label(alert.title).classes("head")
        places = "".join(
            f'<a class="chip" href="{link("/feed", place=p, days=7)}">{escape(p)}</a>' for p in alert.places
        )
        group = alert.topic_group
        topic = (
            f'<a class="chip" href="{link("/feed", topic=group, days=7)}">{escape(group)}</a>'
            if group
            else ""
        )
        ui.html(chips_html(alert.risks) + places + topic, sanitize=False).classes("chips")
        self.actions()
        self.busy()
        records = _evidence(self.visit, alert)
        self.in_short(records)
        self.why()
        self.similar()
        self.posts(records)

    # ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def actions(self) -> None:
        alert = self.alert
        with ui.element("div").style("margin:10px 0").classes("acts no-print"):
            if alert.state in LIVE and self.visit.may(Right.TRIAGE):
                _button("Принять", "a", self.accept, "first")
                with _button("Отложить", "s", None, "plain"):
                    until_menu(self.visit, self.snooze)
                with _button("Отклонить", "d", None, "danger"):
                    reason_menu(self.dismiss)
                _button("К инциденту", "m", self.choose_incident, "plain")
                if alert.assignee != self.visit.person.login:
                    _button("Взять себе", "t", self.take, "plain")
            else:
                self.outcome()

    def outcome(self) -> None:
        """What was done, with the way back instead of «вы уверены?»."""
        alert = self.alert
        words = f"Сигнал {ALERT_STATE_WORDS[alert.state]}"
        if alert.triaged_by:
            words += f": {names_of(self.visit).get(alert.triaged_by, alert.triaged_by)}"
        if alert.reason:
            words += f" — {alert.reason}"
        ui.label(words).classes("strong")
        if alert.incident_id:
            incident = self.visit.service.desk.incidents.get(alert.incident_id)
            ui.html(
                f'<a href="{link("/incident", id=incident.id)}">Инцидент {incident.number}</a>',
                sanitize=False,
            )
            target = link("/incident", id=incident.id)
            _button("Ответить", "e", lambda: ui.navigate.to(target), "first")
        if alert.state is not AlertState.OPEN and self.visit.may(Right.TRIAGE):
            _button("Вернуть", "z", self.reopen, "plain")

    def busy(self) -> None:
        """Who is on it already, so that nobody does the work twice."""
        alert = self.alert
        incident = self._incident_of_posts()
        names = names_of(self.visit)
        if incident is None and (alert.assignee is None or alert.state not in LIVE):
            return
        with ui.element("div").classes("inset busy"):
            if alert.assignee and alert.state in LIVE:
                who = names.get(alert.assignee, alert.assignee)
                mine = alert.assignee == self.visit.person.login
                ui.label("Сигнал взят вами" if mine else f"Сигналом занимается: {who}").classes("strong")
            if incident is not None:
                who = names.get(incident.executor or "", "исполнитель не назначен")
                ui.html(
                    f'Об этом уже есть <a href="{link("/incident", id=incident.id)}">инцидент {incident.number}</a>: '
                    f"{INCIDENT_STATE_WORDS[incident.state]}, {escape(who)}",
                    sanitize=False,
                )
                if alert.state in LIVE and not incident.is_ended and self.visit.may(Right.TRIAGE):
                    Button("Присоединить к нему", on_click=lambda: self.join(incident.id))

    def _incident_of_posts(self) -> Incident | None:
        """The newest incident that has one of the alert's posts and is not the alert's own."""
        incidents = self.visit.service.desk.incidents
        known = incidents.of_posts(self.alert.post_ids[:POSTS_SHOWN])
        found = next((each for each in known.values() if each != self.alert.incident_id), None)
        return incidents.get(found) if found else None

    def _triage(self, act: Callable[..., Any], *arguments: Any, done: str = "", **more: Any) -> Any:
        return told(
            lambda: act(
                self.alert.id, *arguments,
                actor=self.visit.person.login, at=self.visit.service.now(), version=self.alert.version, **more,
            ),
            done=done,
        )  # fmt: skip

    def accept(self) -> None:
        group = self.visit.service.district.group(self.alert.topic_group)
        sector = group.sector if group else None
        accept = self.visit.service.desk.alerts.accept
        self._triage(accept, done="Сигнал принят, инцидент открыт", sector=sector)
        self.changed()

    def snooze(self, until: datetime) -> None:
        if self._triage(self.visit.service.desk.alerts.snooze, until):
            now, zone = self.visit.service.now(), self.visit.service.zone
            self.left(self.alert, f"отложен, вернётся {when(until, now, zone)}")
        else:
            self.changed()

    def dismiss(self, reason: str) -> None:
        if self._triage(self.visit.service.desk.alerts.dismiss, reason):
            self.left(self.alert, f"отклонён: {reason}")
        else:
            self.changed()

    def take(self) -> None:
        self._triage(self.visit.service.desk.alerts.assign, self.visit.person.login, done="Сигнал ваш")
        self.changed()

    def reopen(self) -> None:
        self._triage(self.visit.service.desk.alerts.reopen, done="Сигнал снова открыт")
        self.changed()

    def join(self, incident_id: str) -> None:
        join = self.visit.service.desk.alerts.join
        self._triage(join, incident_id, done="Сигнал присоединён к инциденту")
        self.changed()

    def choose_incident(self) -> None:
        """The alert tells of a matter that is already being worked on: its posts join that incident."""
        incidents, _ = self.visit.service.desk.incidents.find(limit=50)
        known = {
            i.id: f"{i.number} · {i.title} · {INCIDENT_STATE_WORDS[i.state]}"
            for i in incidents
            if not i.is_ended
        }
        with ui.dialog() as dialog, ui.card().style("min-width:min(560px, 92vw)"):
            ui.label("К какому инциденту присоединить?").classes("strong")
            if not known:
                ui.label("Открытых инцидентов нет.")
            chosen = ui.select(known, label="Инцидент", with_input=True).props("outlined dense")
            chosen.style("width:100%")

            def act() -> None:
                if chosen.value:
                    dialog.close()
                    self.join(chosen.value)

            with ui.element("div").classes("acts"):
                Button("Присоединить", on_click=act, kind="first")
                Button("Отмена", on_click=dialog.close)
        dialog.open()

    # ── evidence ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def in_short(self, records: list[Record]) -> None:
        """The matter in the residents' own words; every sentence leads to the posts that say it."""
        if self.alert.posts < 2:
            return
        said = digest(records, limit=DIGEST_SENTENCES)
        heading("Коротко, словами жителей")
        if said.note:
            ui.label(f"{said.note.capitalize()} для краткого пересказа.").classes("soft")
            return
        box = ui.element("div").props('aria-live="polite"')
        with box:
            _sentences(said)
        model = language_model(self.visit.service.settings)
        if model is None:
            return

        async def retell() -> None:
            button.disable()
            button.text = "Языковая модель пересказывает…"
            finder = PlaceFinder(self.visit.service.district)
            told_anew = await run.io_bound(
                retold, said, model.answer, lambda text: finder.find(read(text), text).names
            )
            if told_anew is None or box.is_deleted:  # the server is being stopped, or another alert is open
                return
            box.clear()
            with box:
                _sentences(told_anew)
            button.delete()

        button = Button("Пересказать связно", on_click=retell)

    def why(self) -> None:
        heading("Почему это сигнал")
        with ui.element("div").classes("two even"):
            with ui.element("div"):
                parts_table(self.alert.parts, self.alert.score)
                ui.html(
                    f'<a class="small" href="{link("/rules", rule=self.alert.rule)}">правило: '
                    f"{escape(self._rule())}</a>",
                    sanitize=False,
                )
            if self.alert.places:
                with ui.element("div").classes("wide-only"):
                    small_map(self.visit.service.district.places, self.alert.places)

    def _rule(self) -> str:
        rules = self.visit.service.district.rules
        return next((rule.title for rule in rules if rule.id == self.alert.rule), self.alert.rule)

    def similar(self) -> None:
        own = [self.alert.incident_id] if self.alert.incident_id else []
        found = similar_incidents(self.visit.service, self.alert.post_ids, without=own)
        if not found:
            return
        heading("Похожие инциденты и что ответили")
        for each in found:
            answer = f" — «{escape(each.answer[:140])}»" if each.answer else ""
            ui.html(
                f'<a href="{link("/incident", id=each.incident.id)}">{each.incident.number}</a> '
                f"{escape(each.incident.title)}, {INCIDENT_STATE_WORDS[each.incident.state]}{answer}",
                sanitize=False,
            ).classes("small")

    def posts(self, records: list[Record]) -> None:
        alert = self.alert
        heading(f"Что пишут: {plural(alert.posts, POSTS)}" if alert.posts else "Что произошло")
        if not records and alert.source_id:
            ui.html(
                f'<a href="{link("/sources", selected=alert.source_id)}">Состояние источника</a>',
                sanitize=False,
            )
        if alert.story_id:
            tools = StoryTools(self.visit, alert.story_id, self.changed)
            tools.head()
            tools.posts(records)
        else:
            for record in records:
                post_card(self.visit, record)
        if alert.story_id and alert.posts > len(records):
            ui.html(
                f'<a href="{link("/feed", story=alert.story_id, days=30)}">Весь сюжет в ленте</a>',
                sanitize=False,
            )


def _sentences(said: Digest) -> None:
    """Quotes in quotation marks, retold sentences without; each with the door to its posts."""
    for sentence in said.sentences:
        first, *rest = sentence.post_ids
        more = f", ещё {plural(len(rest), POSTS)}" if rest else ""
        words = f"«{escape(sentence.text)}»" if sentence.is_quote else escape(sentence.text)
        ui.html(
            f'{words} <a class="small nowrap" href="{link("/post", id=first)}">источник{more}</a>',
            sanitize=False,
        ).style("margin-bottom:4px")
    if said.notice:
        ui.label(said.notice).classes("small soft")


def until_menu(visit: Visit, act: Callable[[datetime], None]) -> None:
    """The menu of «Отложить»: moments that make sense now, each under its digit."""
    now, zone = visit.service.now(), visit.service.zone
    morning = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(8), zone)
    monday = morning + timedelta(days=(7 - morning.weekday()) % 7)
    moments = {
        now + timedelta(hours=1): "на час",
        now + timedelta(hours=4): "на 4 часа",
        morning: "до утра",
        monday: "до понедельника",
    }
    with ui.menu():
        for number, (moment, words) in enumerate(moments.items(), start=1):
            _item(number, f"{words}: {when(moment, now, zone)}", partial(act, moment))


def reason_menu(act: Callable[[str], None]) -> None:
    """The menu of «Отклонить»: usual reasons under digits, or own words."""
    with ui.menu():
        for number, reason in enumerate(REASONS, start=1):
            _item(number, reason, partial(act, reason))
        ui.separator()
        _item(len(REASONS) + 1, "Другая причина…", lambda: _ask_reason(act))


def _item(number: int, words: str, act: Callable[[], None]) -> None:
    with ui.menu_item(on_click=act):
        ui.html(f"<kbd>{number}</kbd>{words}", sanitize=False)


def _ask_reason(act: Callable[[str], None]) -> None:
    with ui.dialog() as dialog, ui.card():
        ui.label("Почему сигнал отклонён?").classes("strong")
        reason = ui.input("Причина").props("outlined dense autofocus").style("width: 340px")

        def decide() -> None:
            dialog.close()
            act(reason.value or "")

        with ui.element("div").classes("acts"):
            Button("Отклонить", on_click=decide, kind="danger")
            Button("Не отклонять", on_click=dialog.close)
    dialog.open()


def _evidence(visit: Visit, alert: Alert) -> list[Record]:
    found = visit.service.posts.get_many(alert.post_ids[:POSTS_SHOWN])
    return sorted(found.values(), key=lambda record: record.post.published_at, reverse=True)


def _button(words: str, key: str, act: Callable[[], Any] | None, kind: str) -> ui.button:
    button = Button(on_click=act, kind=kind, key=key)
    with button:
        ui.html(f'{words}<kbd class="wide-only">{key}</kbd>', sanitize=False)
    return button
