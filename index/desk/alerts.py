"""Alerts: raised by nlp, one live alert a matter; triaged by officers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from index.desk import tables
from index.desk.database import Database, Transaction
from index.desk.incidents import Incidents
from index.desk.paging import page_of
from index.desk.rows import Rows, insert_new
from index.domain.alert import LIVE, Alert, AlertKind, AlertState, RuleCount
from index.domain.analysis import Risk
from index.domain.deadlines import Promises
from index.domain.incident import Incident

ALERTS = Rows(tables.alerts, Alert, missing="Такого сигнала нет.")
COUNTS = Rows(tables.rule_counts, RuleCount, missing="Такого счёта нет.")
COOLDOWN = timedelta(hours=6)
ORDER = [tables.alerts.c[name] for name in ("severity", "score", "raised_at", "id")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCounts:
    """What the head of the page and the risk summary say."""

    open: int
    overdue: int  #: open for longer than the promise of triage
    snoozed: int
    triaged: int  #: since the moment asked for
    median_to_triage: timedelta | None  #: of these; None: none was triaged


class Alerts:
    def __init__(self, database: Database, incidents: Incidents, promises: Promises) -> None:
        self._database = database
        self._incidents = incidents
        self._promises = promises

    def raise_alert(self, alert: Alert, *, cooldown: timedelta = COOLDOWN) -> Alert:
        """What stands for this key now: the alert itself, or the earlier one with the evidence joined.

        An open or snoozed one takes the evidence. One triaged less than `cooldown` before `raised_at` takes
        it quietly, unless the severity has grown: then a new one is raised. Safe against other processes.
        """
        with self._database.write() as tx:
            standing = _newest(tx, alert.key)
            if standing is None or standing.is_raised_again(alert, cooldown=cooldown):
                if insert_new(tx, tables.alerts, ALERTS.fields(alert)):
                    _mark(tx, alert)
                    tx.audit("alert_raised", f"alert:{alert.id}", actor="service", at=alert.raised_at,
                             rule=alert.rule, severity=int(alert.severity), score=alert.score)  # fmt: skip
                    return alert
                standing = _newest(tx, alert.key)  # another process was first
                assert standing is not None  # noqa: S101
            joined = standing.joined(alert)
            _mark(tx, joined)
            return ALERTS.keep(tx, joined)  # evidence does not stop the officer

    def get(self, alert_id: str) -> Alert:
        """Raises NotFound."""
        with self._database.read() as connection:
            return ALERTS.get(connection, alert_id)

    def find(
        self,
        *,
        states: Sequence[AlertState] = (),
        risks: Sequence[Risk] = (),
        places: Sequence[str] = (),
        kinds: Sequence[AlertKind] = (),
        assignee: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[Alert], str | None]:
        """Gravest first: by severity, score, then newest. Within one condition any value is enough."""
        query = _matching(states, risks, places, kinds, assignee, since)
        with self._database.read() as connection:
            rows, following = page_of(connection, query, ORDER, limit=limit, cursor=cursor)
        return ALERTS.values(rows), following

    def accept(
        self,
        alert_id: str,
        *,
        actor: str,
        at: datetime,
        version: int,
        sector: str | None = None,
        topic: str | None = None,
        executor: str | None = None,
    ) -> tuple[Alert, Incident]:
        """Open an incident with what the alert knows. Raises NotFound, Conflict."""
        with self._database.write() as tx:
            alert = ALERTS.lock(tx, alert_id, version=version)
            incident = self._incidents.open_within(
                tx,
                title=alert.title,
                post_ids=alert.post_ids,
                severity=alert.severity,
                topic_group=alert.topic_group,
                topic=topic,
                place=alert.places[0] if alert.places else None,
                sector=sector,
                executor=executor,
                alert_id=alert.id,
                actor=actor,
                at=at,
            )
            alert = ALERTS.save(tx, alert.accepted(incident.id, by=actor, at=at))
            tx.audit("alert_accepted", f"alert:{alert_id}", actor=actor, at=at, incident=incident.id)
        return alert, incident

    def join(
        self, alert_id: str, incident_id: str, *, actor: str, at: datetime, version: int
    ) -> tuple[Alert, Incident]:
        """Accept it into an incident that is being worked on; its posts join. Raises NotFound, Conflict."""
        with self._database.write() as tx:
            alert = ALERTS.lock(tx, alert_id, version=version)
            incident = self._incidents.join_within(tx, incident_id, alert.post_ids, actor=actor, at=at)
            alert = ALERTS.save(tx, alert.accepted(incident.id, by=actor, at=at))
            tx.audit("alert_joined", f"alert:{alert_id}", actor=actor, at=at, incident=incident.id)
        return alert, incident

    def dismiss(self, alert_id: str, reason: str, *, actor: str, at: datetime, version: int) -> Alert:
        """Raises NotFound, Conflict, Refused without a reason."""
        with self._database.write() as tx:
            alert = ALERTS.lock(tx, alert_id, version=version).dismissed(reason, by=actor, at=at)
            tx.audit("alert_dismissed", f"alert:{alert_id}", actor=actor, at=at, reason=alert.reason)
            return ALERTS.save(tx, alert)

    def snooze(self, alert_id: str, until: datetime, *, actor: str, at: datetime, version: int) -> Alert:
        """Raises NotFound, Conflict, Refused when `until` is not in the future."""
        with self._database.write() as tx:
            alert = ALERTS.lock(tx, alert_id, version=version).snoozed(until, at=at)
            tx.audit("alert_snoozed", f"alert:{alert_id}", actor=actor, at=at, until=until.isoformat())
            return ALERTS.save(tx, alert)

    def reopen(self, alert_id: str, *, actor: str, at: datetime, version: int) -> Alert:
        """Undo what was done to it. The incident it opened is declined while nobody has touched it.

        Raises NotFound, Conflict when that incident is being worked on or the matter has a newer alert.
        """
        with self._database.write() as tx:
            alert = ALERTS.lock(tx, alert_id, version=version)
            if alert.incident_id is not None:
                self._incidents.undo_within(tx, alert.incident_id, actor=actor, at=at)
            tx.audit("alert_reopened", f"alert:{alert_id}", actor=actor, at=at, was=alert.state.value)
            return ALERTS.save(tx, alert.reopened())

    def assign(self, alert_id: str, login: str | None, *, actor: str, at: datetime, version: int) -> Alert:
        """None: nobody works on it. Raises NotFound, Conflict."""
        with self._database.write() as tx:
            alert = ALERTS.lock(tx, alert_id, version=version).assigned(login)
            tx.audit("alert_assigned", f"alert:{alert_id}", actor=actor, at=at, assignee=login)
            return ALERTS.save(tx, alert)

    def counts(self, now: datetime, *, since: datetime | None = None) -> AlertCounts:
        """`since` is for what was triaged; the last seven days unless given."""
        alert = tables.alerts.c
        late = now - self._promises.triage
        since = since or now - timedelta(days=7)
        states = select(alert.state, func.count()).where(alert.state.in_(LIVE)).group_by(alert.state)
        overdue = select(func.count()).where(alert.state == AlertState.OPEN, alert.raised_at < late)
        triaged = select(alert.raised_at, alert.triaged_at).where(alert.triaged_at >= since)
        with self._database.read() as connection:
            live: dict[AlertState, int] = dict(connection.execute(states).all())
            late_ones = connection.execute(overdue).scalar_one()
            took = [done - raised for raised, done in connection.execute(triaged)]
        return AlertCounts(
            open=live.get(AlertState.OPEN, 0),
            overdue=late_ones,
            snoozed=live.get(AlertState.SNOOZED, 0),
            triaged=len(took),
            median_to_triage=median(took) if took else None,
        )

    def wake(self, now: datetime) -> list[Alert]:
        """Snoozed ones whose time has come are open again; those."""
        alert = tables.alerts.c
        due = select(tables.alerts).where(alert.state == AlertState.SNOOZED, alert.snoozed_until <= now)
        with self._database.write() as tx:
            woken = []
            for sleeper in ALERTS.values(tx.execute(due.with_for_update(skip_locked=True)).all()):
                woken.append(ALERTS.save(tx, sleeper.woken()))
                tx.audit("alert_woken", f"alert:{sleeper.id}", actor="service", at=now)
        return woken

    def count_rule(self, count: RuleCount) -> None:
        """Note what a rule in monitor mode would have raised; the same twice is one."""
        with self._database.write() as tx:
            insert_new(tx, tables.rule_counts, COUNTS.fields(count))

    def rule_counts(self, since: datetime) -> list[RuleCount]:
        """Newest first."""
        at = tables.rule_counts.c.at
        query = select(tables.rule_counts).where(at >= since).order_by(at.desc())
        with self._database.read() as connection:
            return COUNTS.values(connection.execute(query).all())


def _newest(tx: Transaction, key: str) -> Alert | None:
    """The live alert of a key, or the last one."""
    alert = tables.alerts.c
    query = select(tables.alerts).where(alert.key == key)
    is_live = alert.state.in_(LIVE)
    row = tx.execute(
        query.order_by(is_live.desc(), alert.raised_at.desc(), alert.id).limit(1).with_for_update()
    ).one_or_none()
    return None if row is None else ALERTS.value(row)


def _mark(tx: Transaction, alert: Alert) -> None:
    """Risks and places of an alert only grow."""
    for mark in (*(f"risk:{risk}" for risk in alert.risks), *(f"place:{place}" for place in alert.places)):
        insert_new(tx, tables.alert_marks, {"mark": mark, "alert_id": alert.id})


def _has_mark(marks: Sequence[str]) -> ColumnElement[bool]:
    """Asked of an expression and not of the column, so that both databases walk the index of the order and
    stop at the page's end, where they would else fetch and sort every alert with the mark."""
    mark = tables.alert_marks.c
    return (tables.alerts.c.id + "").in_(select(mark.alert_id).where(mark.mark.in_(marks)))


def _matching(
    states: Sequence[AlertState],
    risks: Sequence[Risk],
    places: Sequence[str],
    kinds: Sequence[AlertKind],
    assignee: str | None,
    since: datetime | None,
) -> Select[Any]:
    alert = tables.alerts.c
    query = select(tables.alerts)
    if states:
        query = query.where(alert.state.in_(states))
    if risks:
        query = query.where(_has_mark([f"risk:{risk}" for risk in risks]))
    if places:
        query = query.where(_has_mark([f"place:{place}" for place in places]))
    if kinds:
        query = query.where(alert.kind.in_(kinds))
    if assignee is not None:
        query = query.where(alert.assignee == assignee)
    if since is not None:
        query = query.where(alert.raised_at >= since)
    return query
