"""The clock of an incident: which promise is nearest and how much of its time has passed."""

from __future__ import annotations

from datetime import datetime

from api.console.russian import left
from index.domain.incident import Deadline, Incident

DEADLINE_WORDS = {
    "route": "назначить исполнителя",
    "answer": "ответить",
    "cap": "ответить не позже 24 ч",
    "final": "окончательный ответ",
    "register": "зарегистрировать",
    "forward": "переслать",
}


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
    words = f"{DEADLINE_WORDS.get(due.name, 'срок')}: {left(due.due_at, now)}"
    return f'<div class="small {kind}">{words}</div><div class="clock {kind}"><i style="width:{share:.0%}"></i></div>'
