"""The outbox: deliveries claimed by a lease, their attempts and outcomes; nothing is ever sent twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, update

from index.desk import tables
from index.desk.database import Database, Transaction
from index.desk.delivery_rows import DELIVERIES, STOP, is_stopped
from index.desk.flags import set_flag
from index.desk.incident_rows import INCIDENTS, save_incident, tell
from index.desk.paging import page_of
from index.desk.replies import REPLIES
from index.domain.deadlines import Promises
from index.domain.incident import ReplyState
from index.domain.publication import Delivery, DeliveryKind, DeliveryState
from index.errors import Conflict

TABLE = tables.deliveries
ROW = tables.deliveries.c
SENDING_LEASE = timedelta(minutes=2)  # longer than any timeout of a channel
SERVICE = "service"


class Deliveries:
    """`attempt`, where it can be given, is the one the worker began: a worker that comes back late can't
    touch the attempt of another, it gets Conflict."""

    def __init__(self, database: Database, promises: Promises) -> None:
        self._database = database
        self._promises = promises

    def due_pages(self, now: datetime) -> list[str]:
        """Pages with deliveries whose time has come, the longest waiting first; none while all is stopped."""
        query = select(ROW.page_id).join(tables.pages, tables.pages.c.id == ROW.page_id).where(*_is_due(now))
        if self.is_stopped():
            return []
        with self._database.read() as connection:
            ordered = query.group_by(ROW.page_id).order_by(func.min(ROW.due_at), ROW.page_id)
            return list(connection.execute(ordered).scalars())

    def claim_due(
        self, now: datetime, *, worker: str, lease: timedelta, limit: int, page_id: str | None = None
    ) -> list[Delivery]:
        """Deliveries whose time has come, earliest first, now held by `worker`; none while all is stopped.

        Only what was approved as it stands; `page_id`: of one page alone. A publication later than its page's
        limit is left to a person.
        """
        with self._database.write() as tx:
            if is_stopped(tx):
                return []
            due = []
            for delivery, late_limit in _due(tx, now, limit, page_id):
                if delivery.kind is DeliveryKind.PUBLICATION and now > delivery.due_at + late_limit:
                    _keep(tx, delivery.missed(at=now), at=now)
                else:
                    due.append(_keep(tx, delivery.claimed(worker=worker, lease_until=now + lease), at=now))
        return due

    def begin_sending(
        self,
        delivery_id: str,
        *,
        worker: str,
        at: datetime,
        upload: str | None = None,
        lease: timedelta = SENDING_LEASE,
    ) -> Delivery:
        """Commit that the next attempt begins; only then open the socket, for exactly one write.

        Raises Conflict when the worker does not hold it any more, or all was stopped: then do not send.
        """
        with self._database.write() as tx:
            if is_stopped(tx):
                raise Conflict("Отправка остановлена кнопкой «стоп всё».")
            delivery = DELIVERIES.lock(tx, delivery_id)
            return _keep(
                tx, delivery.sending(worker=worker, at=at, lease_until=at + lease, upload=upload), at=at
            )

    def keep_upload(self, delivery_id: str, *, worker: str, upload: str) -> Delivery:
        """Remember the uploaded photo before anything irreversible. Raises NotFound, Conflict."""
        with self._database.write() as tx:
            delivery = DELIVERIES.lock(tx, delivery_id)
            if delivery.state is not DeliveryState.CLAIMED or delivery.worker != worker:
                raise Conflict("Доставку уже взял другой работник.")
            tx.execute(update(TABLE).where(ROW.id == delivery_id).values(upload=upload))
        return self.get(delivery_id)

    def record_published(
        self, delivery_id: str, *, remote_id: str | None, url: str | None, at: datetime
    ) -> Delivery:
        """The first commit after the answer: that it is out, and nothing else. Repeating it changes nothing.

        What follows from it (audit, reply, incident) is a second commit that can't touch this one; when
        it does not come about, `sweep` makes it up. Raises NotFound, Conflict when out under another id.
        """
        with self._database.write() as tx:
            before = DELIVERIES.lock(tx, delivery_id)
            delivery = before.published(remote_id=remote_id, url=url, at=at)
            if delivery != before:
                DELIVERIES.save(tx, delivery, is_settled=False)
        self._settle(delivery_id, at)
        return delivery

    def record_failed(
        self,
        delivery_id: str,
        error: str,
        *,
        at: datetime,
        code: str | None = None,
        attempt: int | None = None,
    ) -> Delivery:
        """The network refused it for good; proven not out. Raises NotFound, Conflict."""
        with self._database.write() as tx:
            delivery = _of_attempt(_lock(tx, delivery_id), attempt).failed(error)
            _tell(tx, _keep(tx, delivery, at=at, code=code), self._promises, at=at)
        return delivery

    def retry_later(
        self,
        delivery_id: str,
        at_next: datetime,
        error: str,
        *,
        at: datetime,
        code: str | None = None,
        attempt: int | None = None,
    ) -> Delivery:
        """Proven not out; due again at `at_next`. Raises NotFound, Conflict."""
        with self._database.write() as tx:
            delivery = _of_attempt(DELIVERIES.lock(tx, delivery_id), attempt)
            return _keep(tx, delivery.put_off(until=at_next, error=error), at=at, code=code)

    def record_unknown(
        self,
        delivery_id: str,
        error: str,
        *,
        at: datetime,
        code: str | None = None,
        attempt: int | None = None,
    ) -> Delivery:
        """It may be out: reconcile, never repeat. Raises NotFound, Conflict."""
        with self._database.write() as tx:
            delivery = _of_attempt(DELIVERIES.lock(tx, delivery_id), attempt)
            return _keep(tx, delivery.unclear(error), at=at, code=code)

    def need_person(
        self,
        delivery_id: str,
        error: str,
        *,
        at: datetime,
        code: str | None = None,
        attempt: int | None = None,
    ) -> Delivery:
        """A person acts first (token, rights), or finds out whether it is out. Raises NotFound, Conflict."""
        with self._database.write() as tx:
            delivery = _of_attempt(DELIVERIES.lock(tx, delivery_id), attempt)
            return _keep(tx, delivery.left_to_person(error), at=at, code=code)

    def unknown(self, limit: int = 100) -> list[Delivery]:
        """Those the reconciler has to look for, longest ago first."""
        query = select(TABLE).where(ROW.state == DeliveryState.UNKNOWN)
        with self._database.read() as connection:
            return DELIVERIES.values(
                connection.execute(
                    query.order_by(ROW.checked_at.asc().nulls_first(), ROW.id).limit(limit)
                ).all()
            )

    def record_absent_read(self, delivery_id: str, *, at: datetime) -> Delivery:
        """The page was read and it is not there; the second such read, a minute later or more, proves it
        and the delivery is due again. Reads too close together do not count. Raises NotFound, Conflict.
        """
        with self._database.write() as tx:
            before = DELIVERIES.lock(tx, delivery_id)
            after = before.not_found(at=at)
            return before if after == before else _keep(tx, after, at=at)

    def resolve(self, delivery_id: str, *, published_url: str | None, actor: str, at: datetime) -> Delivery:
        """A person decides: «нашёл — вот ссылка», or None for «не вышла — отправить сейчас».

        Raises NotFound, Conflict unless it waits for a person, is unknown or was refused.
        """
        with self._database.write() as tx:
            delivery = _lock(tx, delivery_id).resolved(published_url=published_url, at=at)
            _tell(tx, _keep(tx, delivery, at=at, actor=actor), self._promises, at=at)
        return delivery

    def cancel(self, delivery_id: str, *, actor: str, at: datetime) -> Delivery:
        """A person decides that it is not needed. Raises NotFound, Conflict when it is out or being sent."""
        with self._database.write() as tx:
            return _keep(tx, DELIVERIES.lock(tx, delivery_id).cancelled(), at=at, actor=actor)

    def sweep(self, now: datetime) -> tuple[int, int]:
        """Take back what dead workers hold: (claimed → scheduled, sending → unknown); do it every minute.

        Also makes up the consequences of outcomes whose second commit did not come about.
        """
        held = (DeliveryState.CLAIMED, DeliveryState.SENDING)
        query = select(TABLE).where(ROW.state.in_(held), ROW.lease_until <= now).order_by(ROW.id)
        with self._database.write() as tx:
            expired = DELIVERIES.values(tx.execute(query.with_for_update(skip_locked=True)).all())
            for delivery in expired:
                _keep(tx, delivery.expired(), at=now)
        for delivery_id in self._unsettled():
            self._settle(delivery_id, now)
        unknown = sum(delivery.state is DeliveryState.SENDING for delivery in expired)
        return len(expired) - unknown, unknown

    def get(self, delivery_id: str) -> Delivery:
        """Raises NotFound."""
        with self._database.read() as connection:
            return DELIVERIES.get(connection, delivery_id)

    def find(
        self,
        *,
        subject_id: str | None = None,
        page_id: str | None = None,
        states: Sequence[DeliveryState] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Delivery], str | None]:
        """Latest due first: since <= due_at < until."""
        query = select(TABLE)
        if subject_id is not None:
            query = query.where(ROW.subject_id == subject_id)
        if page_id is not None:
            query = query.where(ROW.page_id == page_id)
        if states:
            query = query.where(ROW.state.in_(states))
        if since is not None:
            query = query.where(ROW.due_at >= since)
        if until is not None:
            query = query.where(ROW.due_at < until)
        with self._database.read() as connection:
            rows, following = page_of(connection, query, [ROW.due_at, ROW.id], limit=limit, cursor=cursor)
        return DELIVERIES.values(rows), following

    def counts(self) -> dict[DeliveryState, int]:
        """How many stand in each state; states without any are left out."""
        query = select(ROW.state, func.count()).group_by(ROW.state)
        with self._database.read() as connection:
            return dict(connection.execute(query).all())

    def stop_all(self, on: bool, *, actor: str, at: datetime, reason: str = "") -> int:
        """«Стоп всё»: hold what has not begun to be sent, or let it go on in its slot; how many."""
        waiting = (DeliveryState.SCHEDULED, DeliveryState.CLAIMED) if on else (DeliveryState.HELD,)
        query = select(TABLE).where(ROW.state.in_(waiting)).order_by(ROW.id).with_for_update()
        with self._database.write() as tx:
            set_flag(tx, STOP, on)
            found = DELIVERIES.values(tx.execute(query).all())
            for delivery in found:
                _keep(tx, delivery.held() if on else delivery.released(), at=at, actor=actor)
            tx.audit("stop_all_on" if on else "stop_all_off", "flag:stop_all", actor=actor, at=at,
                     reason=reason)  # fmt: skip
        return len(found)

    def is_stopped(self) -> bool:
        flag = tables.flags.c
        with self._database.read() as connection:
            return bool(connection.execute(select(flag.value).where(flag.name == STOP)).scalar_one_or_none())

    def _unsettled(self) -> Sequence[str]:
        with self._database.read() as connection:
            return connection.execute(select(ROW.id).where(ROW.is_settled.is_(False))).scalars().all()

    def _settle(self, delivery_id: str, at: datetime) -> None:
        """Write what follows from a publication, once."""
        with self._database.write() as tx:
            delivery = _lock(tx, delivery_id)
            mine = update(TABLE).where(ROW.id == delivery_id, ROW.is_settled.is_(False))
            if tx.execute(mine.values(is_settled=True)).rowcount == 1:
                _audit(tx, delivery, at=at, actor=SERVICE, code=None)
                _tell(tx, delivery, self._promises, at=at)


def _is_due(now: datetime) -> list[ColumnElement[bool]]:
    return [
        ROW.state == DeliveryState.SCHEDULED,
        ROW.due_at <= now,
        ROW.approved_hash == ROW.payload_hash,
        or_(ROW.next_try_at.is_(None), ROW.next_try_at <= now),
        tables.pages.c.is_enabled,
    ]


def _due(tx: Transaction, now: datetime, limit: int, page_id: str | None) -> list[tuple[Delivery, timedelta]]:
    query = (
        select(*DELIVERIES.columns, tables.pages.c.late_limit)
        .join(tables.pages, tables.pages.c.id == ROW.page_id)
        .where(*_is_due(now), *([] if page_id is None else [ROW.page_id == page_id]))
        .order_by(ROW.due_at, ROW.id)
        .limit(limit)
        .with_for_update(of=TABLE, skip_locked=True)
    )
    return [(DELIVERIES.value(row), row.late_limit) for row in tx.execute(query)]


def _of_attempt(delivery: Delivery, attempt: int | None) -> Delivery:
    if attempt is not None and delivery.attempt != attempt:
        raise Conflict("Эту доставку с тех пор взял другой работник.")
    return delivery


def _lock(tx: Transaction, delivery_id: str) -> Delivery:
    """The delivery, after the reply it carries: whoever takes both takes them in this order."""
    delivery = DELIVERIES.get(tx.connection, delivery_id)
    if delivery.kind is DeliveryKind.REPLY:
        REPLIES.lock(tx, delivery.subject_id)
    return DELIVERIES.lock(tx, delivery_id)


def _keep(
    tx: Transaction, delivery: Delivery, *, at: datetime, actor: str = SERVICE, code: str | None = None
) -> Delivery:
    """Save a transition with its row of the audit."""
    _audit(tx, delivery, at=at, actor=actor, code=code)
    return DELIVERIES.save(tx, delivery)


def _audit(tx: Transaction, delivery: Delivery, *, at: datetime, actor: str, code: str | None) -> None:
    tx.audit(f"delivery_{delivery.state.value}", f"delivery:{delivery.id}", actor=actor, at=at,
             attempt=delivery.attempt, payload_hash=delivery.payload_hash, remote_id=delivery.remote_id,
             url=delivery.url, code=code, error=delivery.error)  # fmt: skip


REPLY_STATES = {
    DeliveryState.PUBLISHED: ReplyState.PUBLISHED,
    DeliveryState.FAILED: ReplyState.FAILED,
    DeliveryState.SCHEDULED: ReplyState.APPROVED,  # a person sends it once more
}


def _tell(tx: Transaction, delivery: Delivery, promises: Promises, *, at: datetime) -> None:
    """A reply and its incident learn what became of the delivery."""
    if delivery.kind is not DeliveryKind.REPLY:
        return
    reply = REPLIES.lock(tx, delivery.subject_id)
    state = REPLY_STATES[delivery.state]
    if state is reply.state:
        return
    REPLIES.save(tx, reply.delivered(state))
    if state is ReplyState.PUBLISHED:
        out_at = delivery.published_at or at
        incident = INCIDENTS.lock(tx, reply.incident_id)
        final = promises.final.deadline(out_at, promises.calendar)
        save_incident(tx, incident.answered(is_interim=reply.is_interim, at=out_at, final=final))
        tell(tx, incident.id, "answered", "Ответ опубликован", actor=SERVICE, at=out_at)
    elif state is ReplyState.FAILED:
        tell(tx, reply.incident_id, "reply_failed", f"Ответ не вышел: {delivery.error}", actor=SERVICE, at=at)
