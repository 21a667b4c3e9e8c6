"""Cases of other systems -> incidents of the desk; what is there already stays as people left it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from crawlers.imports.table import ImportReport, Refusal, Row
from crawlers.pages.text import presentable
from index.desk import Desk
from index.domain.incident import Deadline, Incident, IncidentState, IncidentType, Outcome, Regime
from index.errors import Refused

PAGE = 200  # incidents read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of an export, understood."""

    number: str  #: of the other system
    title: str
    created_at: datetime
    closed_at: datetime | None  #: None: open
    regime: Regime
    type: IncidentType | None
    outcome: Outcome | None  #: of closed ones
    due_at: datetime | None = None  #: None: by our own promises
    topic_group: str | None = None
    topic: str | None = None
    place: str | None = None
    address: str | None = None
    link: str | None = None  #: to the message it is about
    note: str = ""  #: masked


@dataclass(slots=True)
class Known:
    """Incidents that came from this system before, by its own number."""

    pos: bool
    incidents: dict[str, Incident] = field(default_factory=dict)

    @classmethod
    def of(cls, desk: Desk, *, pos: bool) -> Known:
        """`pos`: those of ПОС, else those of open sources. Their numbers may be the same."""
        known = cls(pos)
        cursor: str | None = None
        while True:
            found, cursor = desk.incidents.find(limit=PAGE, cursor=cursor)
            for incident in found:
                is_pos = incident.regime is not Regime.OPEN_SOURCE
                if incident.outside_number is not None and is_pos == pos:
                    known.incidents[incident.outside_number] = incident
            if cursor is None:
                return known


def keep(
    rows: Iterable[Row],
    understand: Callable[[Row], Case],
    known: Known,
    desk: Desk,
    *,
    actor: str,
    at: datetime,
) -> ImportReport:
    """Keep each row's case once. `at` is the moment of the import: nothing is dated later."""
    report = ImportReport()
    for row in rows:
        try:
            case = understand(row)
            if case.created_at > at:
                raise Refused("дата в будущем")
        except Refused as error:
            report.refused.append(Refusal(line=row.line, reason=str(error)))
            continue
        incident = known.incidents.get(case.number)
        if incident is None:
            incident = _open(desk, case, actor=actor)
            report.added += 1
        else:
            report.skipped += 1
        known.incidents[case.number] = _close(desk, incident, case, actor=actor, at=at)
    return report


def _open(desk: Desk, case: Case, *, actor: str) -> Incident:
    deadlines = None
    if case.due_at is not None:
        warn_at = case.created_at + (case.due_at - case.created_at) * 3 / 4
        deadlines = [Deadline(name="final", due_at=case.due_at, warn_at=warn_at)]
    incident = desk.incidents.open(
        post_ids=_posts(case.link),
        actor=actor,
        at=case.created_at,
        deadlines=deadlines,
        title=presentable(case.title)[:300],
        regime=case.regime,
        type=case.type,
        outside_number=case.number,
        topic_group=case.topic_group,
        topic=case.topic,
        place=case.place,
        address=case.address,
    )
    if case.note:
        desk.incidents.note(incident.id, case.note, actor=actor, at=case.created_at)
    return incident


def _close(desk: Desk, incident: Incident, case: Case, *, actor: str, at: datetime) -> Incident:
    """Close what the other system closed, unless somebody here has taken it up."""
    is_untouched = incident.state is IncidentState.NEW and incident.created_by == actor
    if case.closed_at is None or case.outcome is None or not is_untouched:
        return incident
    moment = min(max(case.closed_at, case.created_at), at)
    moved = desk.incidents.move(
        incident.id, IncidentState.IN_WORK, actor=actor, at=moment, version=incident.version
    )
    return desk.incidents.close(
        moved.id, outcome=case.outcome, type=case.type, actor=actor, at=moment, version=moved.version
    )


_LINKS = (
    (
        re.compile(r"vk\.(?:com|ru)/(?:.*[?&]w=)?wall(-?[0-9]+_[0-9]+)[^#]*?[?&_]r(?:eply=)?([0-9]+)"),
        "vk:{}_r{}",
    ),
    (re.compile(r"vk\.(?:com|ru)/(?:.*[?&]w=)?wall(-?[0-9]+_[0-9]+)"), "vk:{}"),
    (re.compile(r"ok\.ru/[\w/]+/topic/([0-9]+)"), "ok:{}"),
    (re.compile(r"t\.me/(?:s/)?([A-Za-z]\w{2,31}/[0-9]+)(?:$|[/#?](?!comment))"), "telegram:{}"),
)


def _posts(link: str | None) -> list[str]:
    """Our id of the message that a link leads to; nothing when the link is of no network we read."""
    for pattern, shape in _LINKS:
        if link and (match := pattern.search(link)):
            return [shape.format(*(part.lower() for part in match.groups()))]
    return []
