"""Incidents: opened from alerts or by hand, routed, worked on and closed; each step is in the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select, update

from index.desk import tables
from index.desk.database import Database, Transaction
from index.desk.incident_rows import EVENTS, INCIDENTS, add_incident, folded, save_incident, tell
from index.desk.paging import page_of
from index.desk.replies import Replies
from index.desk.rows import insert_new, new_id
from index.domain.analysis import Severity
from index.domain.deadlines import Promises
from index.domain.incident import (
    STATE_WORDS,
    Deadline,
    Incident,
    IncidentEvent,
    IncidentState,
    IncidentType,
    Outcome,
    Regime,
)
from index.errors import Conflict, Refused

ORDER = [tables.incidents.c.created_at, tables.incidents.c.id]


class Facts(TypedDict, total=False):
    """What an officer knows of an incident; the same fields as `Incident`."""

    title: str
    severity: Severity
    regime: Regime
    type: IncidentType | None
    outside_number: str | None
    topic_group: str | None
    topic: str | None
    place: str | None
    address: str | None
    sector: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentCounts:
    """What the head of the page and the risk summary say."""

    open: int
    overdue: int  #: open with a running deadline that has passed
    opened: int  #: created in the period
    closed: int  #: ended in the period


class Incidents(Replies):
    def __init__(self, database: Database, promises: Promises, *, two_people: bool) -> None:
        super().__init__(database, two_people=two_people)
        self._promises = promises

    def open(
        self,
        *,
        post_ids: Sequence[str],
        actor: str,
        at: datetime,
        executor: str | None = None,
        alert_id: str | None = None,
        deadlines: Sequence[Deadline] | None = None,
        **facts: Unpack[Facts],
    ) -> Incident:
        """A new incident with the next number of its year; deadlines by the district's promises unless given.

        With an executor it is assigned at once. Raises Refused without a title.
        """
        with self._database.write() as tx:
            return self.open_within(
                tx, post_ids=post_ids, actor=actor, at=at, executor=executor, alert_id=alert_id,
                deadlines=deadlines, **facts,
            )  # fmt: skip

    def open_within(
        self,
        tx: Transaction,
        *,
        post_ids: Sequence[str],
        actor: str,
        at: datetime,
        executor: str | None = None,
        alert_id: str | None = None,
        deadlines: Sequence[Deadline] | None = None,
        **facts: Unpack[Facts],
    ) -> Incident:
        """`open` as part of a larger transaction."""
        if not facts.get("title", "").strip():
            raise Refused("Назовите инцидент.", field="title")
        incident = Incident(
            id=new_id("i"),
            number=_next_number(tx, at.astimezone(ZoneInfo(self._promises.calendar.zone)).year),
            created_at=at,
            created_by=actor,
            post_ids=tuple(post_ids),
            alert_id=alert_id,
            **facts,
        )
        if deadlines is None:
            deadlines = self._promises.deadlines(incident.regime, incident.severity, at)
        incident = replace(incident, deadlines=tuple(deadlines))
        if executor is not None:
            incident = incident.assigned(executor, sector=None, at=at, answer=None)
        add_incident(tx, incident)
        tell(tx, incident.id, "opened", "Инцидент открыт", actor=actor, at=at)
        tx.audit("incident_opened", f"incident:{incident.id}", actor=actor, at=at, number=incident.number,
                 alert=alert_id, posts=list(post_ids), executor=executor)  # fmt: skip
        return incident

    def get(self, incident_id: str) -> Incident:
        """Raises NotFound."""
        with self._database.read() as connection:
            return INCIDENTS.get(connection, incident_id)

    def find(
        self,
        *,
        states: Sequence[IncidentState] = (),
        executor: str | None = None,
        sector: str | None = None,
        overdue_at: datetime | None = None,
        text: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[Incident], str | None]:
        """Newest first. `overdue_at`: with a running deadline that has passed by then.

        `text`: every word stands in the number, title, place, address or outside number.
        """
        query = _matching(states, executor, sector, overdue_at, text, since, until)
        with self._database.read() as connection:
            rows, following = page_of(connection, query, ORDER, limit=limit, cursor=cursor)
        return INCIDENTS.values(rows), following

    def counts(
        self, now: datetime, *, since: datetime | None = None, until: datetime | None = None
    ) -> IncidentCounts:
        """`since` <= created or closed < `until`: the last seven days unless given."""
        incident = tables.incidents.c
        since, until = since or now - timedelta(days=7), until or now
        conditions = (
            incident.closed_at.is_(None),
            incident.next_due_at < now,
            (incident.created_at >= since) & (incident.created_at < until),
            (incident.closed_at >= since) & (incident.closed_at < until),
        )
        with self._database.read() as connection:
            numbers = [
                connection.execute(
                    select(func.count()).select_from(tables.incidents).where(condition)
                ).scalar_one()
                for condition in conditions
            ]
        return IncidentCounts(open=numbers[0], overdue=numbers[1], opened=numbers[2], closed=numbers[3])

    def of_posts(self, post_ids: Sequence[str]) -> dict[str, str]:
        """Post id → id of the newest incident that has it; posts without one are left out."""
        found: dict[str, str] = {}
        columns = tables.incident_posts.c
        query = select(columns.post_id, columns.incident_id).where(columns.post_id.in_(post_ids))
        with self._database.read() as connection:
            for post_id, incident_id in connection.execute(query.order_by(columns.number)):
                found[post_id] = incident_id  # the newest comes last
        return found

    def edit(
        self, incident_id: str, *, actor: str, at: datetime, version: int, **facts: Unpack[Facts]
    ) -> Incident:
        """Change what is known. Another severity or regime counts the running deadlines anew from the start.

        Raises NotFound, Conflict.
        """
        with self._database.write() as tx:
            before = INCIDENTS.lock(tx, incident_id, version=version)
            after = replace(before, **facts)
            if not after.title.strip():
                raise Refused("Назовите инцидент.", field="title")
            if (after.regime, after.severity) != (before.regime, before.severity) and not after.is_ended:
                promised = self._promises.deadlines(after.regime, after.severity, after.created_at)
                after = after.promised_anew(promised)
            changed = sorted(facts)
            tell(tx, incident_id, "edited", f"Изменено: {_words(changed)}", actor=actor, at=at)
            tx.audit("incident_edited", f"incident:{incident_id}", actor=actor, at=at, fields=changed)
            return save_incident(tx, after)

    def move(
        self,
        incident_id: str,
        state: IncidentState,
        *,
        actor: str,
        at: datetime,
        version: int,
        reason: str = "",
        outcome: Outcome | None = None,
        duplicate_of: str | None = None,
    ) -> Incident:
        """One step of `index.domain.incident.MOVES`.

        Raises NotFound, Conflict when the step is not allowed, Refused when it lacks a fact.
        """
        with self._database.write() as tx:
            incident = INCIDENTS.lock(tx, incident_id, version=version)
            if duplicate_of is not None:
                INCIDENTS.get(tx.connection, duplicate_of)
            moved = incident.moved(state, at=at, reason=reason, outcome=outcome, duplicate_of=duplicate_of)
            if state is IncidentState.INTERIM_ANSWER:
                moved = moved.promised(self._promises.final.deadline(at, self._promises.calendar))
            told = f"Состояние: {STATE_WORDS[state]}" + (f". {reason.strip()}" if reason.strip() else "")
            tell(tx, incident_id, "moved", told, actor=actor, at=at)
            tx.audit("incident_moved", f"incident:{incident_id}", actor=actor, at=at, state=state.value,
                     was=incident.state.value, reason=reason, outcome=outcome,
                     duplicate_of=duplicate_of)  # fmt: skip
            return save_incident(tx, moved)

    def assign(
        self,
        incident_id: str,
        *,
        executor: str,
        sector: str | None = None,
        actor: str,
        at: datetime,
        version: int,
    ) -> Incident:
        """To an executor; for another one the time to answer is counted anew. Raises NotFound, Conflict."""
        with self._database.write() as tx:
            incident = INCIDENTS.lock(tx, incident_id, version=version)
            is_passed_on = incident.executor not in (None, executor)
            answer = self._promises.answer(incident.regime, incident.severity, at) if is_passed_on else None
            tell(tx, incident_id, "assigned", f"Исполнитель: {executor}", actor=actor, at=at)
            tx.audit("incident_assigned", f"incident:{incident_id}", actor=actor, at=at, executor=executor,
                     sector=sector)  # fmt: skip
            return save_incident(tx, incident.assigned(executor, sector=sector, at=at, answer=answer))

    def close(
        self,
        incident_id: str,
        *,
        outcome: Outcome,
        type: IncidentType | None = None,
        reason: str = "",
        actor: str,
        at: datetime,
        version: int,
    ) -> Incident:
        """Closed with its outcome; all clocks stop. Raises NotFound, Conflict."""
        with self._database.write() as tx:
            incident = INCIDENTS.lock(tx, incident_id, version=version)
            closed = incident.moved(IncidentState.CLOSED, at=at, outcome=outcome, reason=reason)
            tell(tx, incident_id, "closed", "Инцидент закрыт", actor=actor, at=at)
            tx.audit("incident_closed", f"incident:{incident_id}", actor=actor, at=at,
                     outcome=outcome.value, reason=reason)  # fmt: skip
            return save_incident(tx, replace(closed, type=type or closed.type))

    def reopen(self, incident_id: str, *, reason: str, actor: str, at: datetime, version: int) -> Incident:
        """Back in work, its clocks start again. Raises NotFound, Conflict, Refused without a reason."""
        with self._database.write() as tx:
            incident = INCIDENTS.lock(tx, incident_id, version=version)
            deadlines = self._promises.deadlines(incident.regime, incident.severity, at)
            reopened = incident.reopened(reason=reason, deadlines=deadlines)
            tell(tx, incident_id, "reopened", f"Возвращён в работу: {reason.strip()}", actor=actor, at=at)
            tx.audit("incident_reopened", f"incident:{incident_id}", actor=actor, at=at, reason=reason)
            return save_incident(tx, reopened)

    def join_within(
        self, tx: Transaction, incident_id: str, post_ids: Sequence[str], *, actor: str, at: datetime
    ) -> Incident:
        """More posts about the same, as part of a larger transaction. Raises Conflict when it has ended."""
        incident = INCIDENTS.lock(tx, incident_id)
        if incident.is_ended:
            raise Conflict(f"Инцидент {STATE_WORDS[incident.state]}: сначала верните его в работу.")
        joined = tuple(dict.fromkeys((*incident.post_ids, *post_ids)))
        tell(tx, incident_id, "joined", f"Добавлено постов: {len(post_ids)}", actor=actor, at=at)
        return save_incident(tx, replace(incident, post_ids=joined))

    def undo_within(self, tx: Transaction, incident_id: str, *, actor: str, at: datetime) -> None:
        """Decline an incident whose alert was reopened. Raises Conflict once somebody works on it."""
        incident = INCIDENTS.lock(tx, incident_id)
        if incident.state not in (IncidentState.NEW, IncidentState.DECLINED):
            raise Conflict(f"Инцидент {incident.number} уже {STATE_WORDS[incident.state]}: отменить нельзя.")
        if incident.state is IncidentState.NEW:
            declined = incident.moved(IncidentState.DECLINED, at=at, reason="Сигнал возвращён")
            tell(tx, incident_id, "declined", "Сигнал возвращён", actor=actor, at=at)
            tx.audit("incident_moved", f"incident:{incident_id}", actor=actor, at=at,
                     was=incident.state.value, state=declined.state.value)  # fmt: skip
            save_incident(tx, declined)

    def note(self, incident_id: str, text: str, *, actor: str, at: datetime) -> None:
        """An officer's own words for colleagues. Raises NotFound, Refused when empty."""
        if not text.strip():
            raise Refused("Заметка пуста.", field="text")
        with self._database.write() as tx:
            INCIDENTS.get(tx.connection, incident_id)
            tell(tx, incident_id, "note", text.strip(), actor=actor, at=at)
            tx.audit("incident_noted", f"incident:{incident_id}", actor=actor, at=at)

    def events(self, incident_id: str) -> list[IncidentEvent]:
        """The history, oldest first."""
        columns = tables.incident_events.c
        query = select(tables.incident_events).where(columns.incident_id == incident_id)
        with self._database.read() as connection:
            return EVENTS.values(connection.execute(query.order_by(columns.id)).all())


def _next_number(tx: Transaction, year: int) -> str:
    """`2026-000123`. The counter's row is locked until the commit, so a rollback leaves no gap."""
    counter = tables.counters
    name = f"incident:{year}"
    insert_new(tx, counter, {"name": name, "value": 0})
    tx.execute(update(counter).where(counter.c.name == name).values(value=counter.c.value + 1))
    number: int = tx.execute(select(counter.c.value).where(counter.c.name == name)).scalar_one()
    return f"{year}-{number:06d}"


def _matching(
    states: Sequence[IncidentState],
    executor: str | None,
    sector: str | None,
    overdue_at: datetime | None,
    text: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Select[Any]:
    incident = tables.incidents.c
    query = select(tables.incidents)
    if states:
        query = query.where(incident.state.in_(states))
    if executor is not None:
        query = query.where(incident.executor == executor)
    if sector is not None:
        query = query.where(incident.sector == sector)
    if overdue_at is not None:
        query = query.where(incident.next_due_at < overdue_at)
    if since is not None:
        query = query.where(incident.created_at >= since)
    if until is not None:
        query = query.where(incident.created_at < until)
    for word in folded(text or "").split():
        query = query.where(incident.search.contains(word, autoescape=True))
    return query


def _words(fields: Sequence[str]) -> str:
    return ", ".join(FIELD_WORDS[name] for name in fields)


FIELD_WORDS = {
    "title": "название",
    "severity": "важность",
    "regime": "режим",
    "type": "тип",
    "outside_number": "внешний номер",
    "topic_group": "группа тем",
    "topic": "тема",
    "place": "место",
    "address": "адрес",
    "sector": "отрасль",
}
