"""«Инциденты»: what did I promise and am I in time? A board by state, a table by deadline."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from html import escape
from typing import Any

from nicegui import ui

from api.console import incident_card
from api.console.clock import clock_html, next_deadline
from api.console.filters import choice, folded, members, options, search_box, switch
from api.console.frame import Visit, empty, frame, guarded, link
from api.console.parts import moment_html, names_of, severity_html
from api.service import Service
from api.words import INCIDENT_STATE_WORDS
from index.domain.incident import Incident, IncidentState
from index.domain.person import Right, Role
from index.errors import ServiceError

PATH = "/incidents"
ROWS = 200
LOOK_SECONDS = 5.0
BOARD = (
    ("Новые", (IncidentState.NEW, IncidentState.CHECKING)),
    ("Назначены", (IncidentState.ASSIGNED,)),
    ("В работе", (IncidentState.IN_WORK, IncidentState.INTERIM_ANSWER)),
    ("На согласовании", (IncidentState.ANSWER_ON_REVIEW,)),
    ("Ответ вышел", (IncidentState.ANSWERED,)),
)
OPEN_STATES = tuple(state for _, states in BOARD for state in states)


def register(service: Service) -> None:
    guarded(service, PATH, "Инциденты", build)
    incident_card.register(service)


def build(
    visit: Visit,
    q: str = "",
    state: str = "",
    sector: str = "",
    mine: bool = False,
    late: bool = False,
    table: bool = False,
) -> None:
    own = own_sector(visit)
    chosen = {"q": q, "state": state, "sector": sector or own, "mine": mine, "late": late, "table": table}
    page = _Incidents(visit, chosen)
    with frame(visit, "Инциденты", here=PATH) as bar:
        with bar:
            search_box(PATH, chosen, hint="Номер или слова")
            with folded():
                choice(PATH, chosen, "state", "Состояние", options(INCIDENT_STATE_WORDS), width=180)
                sectors = dict(visit.service.district.sectors)
                choice(PATH, chosen, "sector", "Отрасль", sectors, width=190, every="all" if own else "")
                switch(PATH, chosen, "mine", "Мои")
                switch(PATH, chosen, "late", "Просроченные")
                switch(PATH, chosen, "table", "Таблицей")
        with ui.element("section").classes("sheet").props('aria-label="Инциденты"'):
            if own and chosen["sector"] == own:
                name = visit.service.district.sectors.get(own, own)
                ui.label(f"Ваша отрасль: {name}, и то, что назначено вам.").classes("soft").style(
                    "margin-bottom:8px"
                )
            page.content()
        ui.timer(LOOK_SECONDS, page.look)


def own_sector(visit: Visit) -> str:
    """The sector of a sector lead who does no other work here: the list begins with what is theirs."""
    person = visit.person
    is_lead = Role.SECTOR_LEAD in person.roles and not visit.may(Right.WORK_INCIDENTS)
    return (person.sector or "") if is_lead else ""


class _Incidents:
    """One open list; drawn again when something in it has changed."""

    def __init__(self, visit: Visit, chosen: Mapping[str, Any]) -> None:
        self.visit = visit
        self.chosen = chosen
        self.drawn: Hashable = None

    def find(self) -> list[Incident]:
        """Those that match, most urgent first; for a sector lead also those assigned to them."""
        chosen, person = self.chosen, self.visit.person
        sector = None if chosen["sector"] in ("", "all") else chosen["sector"]
        found = self._find(sector=sector, executor=person.login if chosen["mine"] else None)
        if sector and sector == own_sector(self.visit):
            found += self._find(sector=None, executor=person.login)
        return sorted({incident.id: incident for incident in found}.values(), key=_urgency)

    def _find(self, *, sector: str | None, executor: str | None) -> list[Incident]:
        chosen = self.chosen
        incidents, _ = self.visit.service.desk.incidents.find(
            states=members(IncidentState, chosen["state"]) or ((), OPEN_STATES)[not chosen["q"]],
            executor=executor,
            sector=sector,
            overdue_at=self.visit.service.now() if chosen["late"] else None,
            text=chosen["q"] or None,
            limit=ROWS,
        )
        return incidents

    @ui.refreshable_method
    def content(self) -> None:
        try:
            incidents = self.find()
        except ServiceError as error:
            empty("Инциденты сейчас недоступны", str(error))
            return
        self.drawn = self._state(incidents)
        names = names_of(self.visit)
        if not incidents:
            empty(
                "Инцидентов нет",
                "Они появляются, когда сотрудник принимает сигнал или открывает инцидент из «Ленты».",
            )
        elif self.chosen["table"] or self.chosen["state"]:
            _table(self.visit, incidents, names)
        else:
            _board(self.visit, incidents, names)

    def look(self) -> None:
        try:
            is_same = self._state(self.find()) == self.drawn
        except ServiceError:
            return  # what stands on the screen stays; the next look tries again
        if not is_same:
            self.content.refresh()

    def _state(self, incidents: list[Incident]) -> Hashable:
        minute = self.visit.service.now().replace(second=0, microsecond=0)  # the clocks move too
        return (minute, tuple((incident.id, incident.version) for incident in incidents))


def _urgency(incident: Incident) -> tuple[bool, float, int]:
    due = next_deadline(incident)
    return (due is None, due.due_at.timestamp() if due else 0.0, -int(incident.severity))


def _board(visit: Visit, incidents: list[Incident], names: Mapping[str, str]) -> None:
    with ui.element("div").classes("board"):
        for title, states in BOARD:
            column = [incident for incident in incidents if incident.state in states]
            with ui.element("section").classes("panel" + ("" if column else " bare")):
                with ui.element("h2"):
                    ui.label(f"{title} · {len(column)}")
                for incident in column:
                    _card(visit, incident, names)


def _card(visit: Visit, incident: Incident, names: Mapping[str, str]) -> None:
    where = " · ".join(filter(None, [incident.place, incident.address]))
    executor = incident.executor
    who = escape(names.get(executor, executor) if executor else "исполнитель не назначен")
    ui.html(
        f'<a class="line card" data-row="{escape(incident.id, quote=True)}" href="{link("/incident", id=incident.id)}">'
        f'<div class="small soft">{severity_html(incident.severity)} · {incident.number} · {moment_html(visit, incident.created_at)}</div>'
        f'<div class="strong">{escape(incident.title)}</div>'
        f'<div class="small soft">{escape(where)}{" · " if where else ""}{who}</div>'
        f"{clock_html(incident, visit.service.now())}</a>",
        sanitize=False,
    )


def _table(visit: Visit, incidents: list[Incident], names: Mapping[str, str]) -> None:
    heads = ("Номер", "Что случилось", "Место", "Тяжесть", "Состояние", "Исполнитель", "Срок")
    rows = "".join(
        f'<tr><td class="nowrap"><a data-row="{escape(i.id, quote=True)}" href="{link("/incident", id=i.id)}">{i.number}</a></td><td>{escape(i.title)}</td>'
        f"<td data-name='место'>{escape(i.place or '—')}</td><td>{severity_html(i.severity)}</td><td data-name='состояние'>{INCIDENT_STATE_WORDS[i.state]}</td>"
        f"<td data-name='исполнитель'>{escape(names.get(i.executor or '', i.executor or '—'))}</td><td style='min-width:150px'>{clock_html(i, visit.service.now()) or moment_html(visit, i.closed_at)}</td></tr>"
        for i in incidents
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    ui.html(
        f'<div class="panel" style="overflow-x:auto"><table class="plain stack"><tr>{head}</tr>{rows}</table></div>',
        sanitize=False,
    )
