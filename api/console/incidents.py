"""«Инциденты»: what did I promise and am I in time? A board by state, a table by deadline."""

from __future__ import annotations

from datetime import datetime
from html import escape

from nicegui import ui

from api.console import incident_card
from api.console.filters import choice, members, options, search_box, switch
from api.console.frame import Visit, empty, frame, guarded, link
from api.console.parts import moment_html, severity_html
from api.console.russian import left
from api.service import Service
from api.words import INCIDENT_STATE_WORDS
from index.domain.incident import Deadline, Incident, IncidentState

PATH = "/incidents"
ROWS = 200
REFRESH_SECONDS = 10.0
BOARD = (
    ("Новые", (IncidentState.NEW, IncidentState.CHECKING)),
    ("Назначены", (IncidentState.ASSIGNED,)),
    ("В работе", (IncidentState.IN_WORK, IncidentState.INTERIM_ANSWER)),
    ("На согласовании", (IncidentState.ANSWER_ON_REVIEW,)),
    ("Ответ вышел", (IncidentState.ANSWERED,)),
)
OPEN_STATES = tuple(state for _, states in BOARD for state in states)
DEADLINE_WORDS = {
    "route": "назначить",
    "answer": "ответить",
    "cap": "ответить (24 ч)",
    "final": "окончательный ответ",
}


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
    chosen = {"q": q, "state": state, "sector": sector, "mine": mine, "late": late, "table": table}

    def find() -> list[Incident]:
        incidents, _ = visit.service.desk.incidents.find(
            states=members(IncidentState, state) or ((), OPEN_STATES)[not q],
            executor=visit.person.login if mine else None,
            sector=sector or None,
            overdue_at=visit.service.now() if late else None,
            text=q or None,
            limit=ROWS,
        )
        return sorted(incidents, key=_urgency)

    @ui.refreshable
    def content() -> None:
        incidents = find()
        if not incidents:
            empty(
                "Инцидентов нет",
                "Они появляются, когда сотрудник принимает сигнал или открывает инцидент из «Ленты».",
            )
        elif table or state:
            _table(visit, incidents)
        else:
            _board(visit, incidents)

    with frame(visit, "Инциденты", here=PATH) as bar:
        with bar:
            search_box(PATH, chosen, hint="Номер или слова")
            choice(PATH, chosen, "state", "Состояние", options(INCIDENT_STATE_WORDS), width=210)
            choice(PATH, chosen, "sector", "Отрасль", dict(visit.service.district.sectors), width=210)
            switch(PATH, chosen, "mine", "Мои")
            switch(PATH, chosen, "late", "Просроченные")
            switch(PATH, chosen, "table", "Таблицей")
        with ui.element("section").classes("sheet").props('aria-label="Инциденты"'):
            content()
        ui.timer(REFRESH_SECONDS, content.refresh)


def _urgency(incident: Incident) -> tuple[bool, float, int]:
    due = next_deadline(incident)
    return (due is None, due.due_at.timestamp() if due else 0.0, -int(incident.severity))


def next_deadline(incident: Incident) -> Deadline | None:
    """The nearest promise that still runs; None when nothing does."""
    running = [deadline for deadline in incident.deadlines if deadline.is_running]
    return min(running, key=lambda deadline: deadline.due_at, default=None)


def clock_html(incident: Incident, now: datetime) -> str:
    """«ответить: осталось 2 ч 10 мин» over a bar that fills to amber at 75 % and is red when late."""
    due = next_deadline(incident)
    if due is None:
        return ""
    whole = (due.due_at - incident.created_at).total_seconds() or 1.0
    share = max(0.0, min(1.0, (now - incident.created_at).total_seconds() / whole))
    kind = "late" if now >= due.due_at else "warn" if now >= due.warn_at else ""
    words = f"{DEADLINE_WORDS.get(due.name, due.name)}: {left(due.due_at, now)}"
    return (
        f'<div class="small">{words}</div><div class="clock {kind}"><i style="width:{share:.0%}"></i></div>'
    )


def _board(visit: Visit, incidents: list[Incident]) -> None:
    with ui.element("div").style(
        "display:grid; gap:10px; grid-template-columns:repeat(auto-fit, minmax(200px, 1fr)); align-items:start"
    ):
        for title, states in BOARD:
            column = [incident for incident in incidents if incident.state in states]
            with ui.element("section").classes("panel"):
                with ui.element("h2"):
                    ui.label(f"{title} · {len(column)}")
                for incident in column:
                    _card(visit, incident)
                if not column:
                    ui.label("пусто").classes("soft small")


def _card(visit: Visit, incident: Incident) -> None:
    where = " · ".join(filter(None, [incident.place, incident.address]))
    who = escape(incident.executor or "исполнитель не назначен")
    ui.html(
        f'<a class="line" data-row="{incident.id}" href="{link("/incident", id=incident.id)}" '
        'style="display:block; padding:8px 0; border-bottom:1px solid var(--line)">'
        f'<div class="small soft">{severity_html(incident.severity)} · {incident.number} · {moment_html(visit, incident.created_at)}</div>'
        f'<div class="strong">{escape(incident.title)}</div>'
        f'<div class="small soft">{escape(where)}{" · " if where else ""}{who}</div>'
        f"{clock_html(incident, visit.service.now())}</a>",
        sanitize=False,
    )


def _table(visit: Visit, incidents: list[Incident]) -> None:
    heads = ("Номер", "Что случилось", "Место", "Тяжесть", "Состояние", "Исполнитель", "Срок")
    rows = "".join(
        f"<tr><td class=nowrap><a href='{link('/incident', id=i.id)}'>{i.number}</a></td><td>{escape(i.title)}</td>"
        f"<td>{escape(i.place or '—')}</td><td>{severity_html(i.severity)}</td><td>{INCIDENT_STATE_WORDS[i.state]}</td>"
        f"<td>{escape(i.executor or '—')}</td><td style='min-width:150px'>{clock_html(i, visit.service.now()) or moment_html(visit, i.closed_at)}</td></tr>"
        for i in incidents
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    ui.html(
        f'<div class="panel" style="overflow-x:auto"><table class="plain"><tr>{head}</tr>{rows}</table></div>',
        sanitize=False,
    )
