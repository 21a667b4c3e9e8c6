"""Replies to residents: drafted, submitted, approved by another person, then a delivery takes over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from index.desk import tables
from index.desk.approval import must_be_second
from index.desk.database import Database, Transaction
from index.desk.delivery_rows import cancel_unsent, schedule
from index.desk.incident_rows import INCIDENTS, save_incident, tell
from index.desk.pages import PAGES
from index.desk.rows import Rows, new_id
from index.domain.incident import MOVES, Incident, IncidentState, Reply, ReplyState
from index.domain.publication import MAY_BE_OUT, Delivery, DeliveryKind, Message
from index.errors import Conflict, Refused

REPLIES = Rows(tables.replies, Reply, missing="Такого ответа нет.")


class Replies:
    """Part of `desk.incidents`. Submitting and returning a reply moves its incident too, where it may."""

    def __init__(self, database: Database, *, two_people: bool) -> None:
        self._database = database
        self._two_people = two_people

    def draft_reply(
        self,
        incident_id: str,
        *,
        post_id: str,
        page_id: str,
        text: str,
        is_interim: bool = False,
        actor: str,
        at: datetime,
    ) -> Reply:
        """Raises NotFound (incident or page), Conflict when the incident has ended, Refused when empty."""
        if not text.strip():
            raise Refused("Ответ пуст.", field="text")
        reply = Reply(
            id=new_id("r"),
            incident_id=incident_id,
            post_id=post_id,
            page_id=page_id,
            text=text,
            author=actor,
            created_at=at,
            is_interim=is_interim,
        )
        with self._database.write() as tx:
            incident = INCIDENTS.lock(tx, incident_id)
            if incident.is_ended:
                raise Conflict("Инцидент завершён: сначала верните его в работу.")
            PAGES.get(tx.connection, page_id)
            REPLIES.add(tx, reply, edited_by=actor)
            tell(tx, incident_id, "reply_drafted", "Подготовлен черновик ответа", actor=actor, at=at)
            tx.audit("reply_drafted", f"reply:{reply.id}", actor=actor, at=at, incident=incident_id)
        return reply

    def edit_reply(
        self,
        reply_id: str,
        *,
        text: str,
        page_id: str | None = None,
        is_interim: bool | None = None,
        actor: str,
        at: datetime,
        version: int,
    ) -> Reply:
        """Other words make it a draft again; an approval is gone and its delivery cancelled.

        Raises NotFound, Conflict when it is out or being sent, Refused when empty.
        """
        with self._database.write() as tx:
            reply = REPLIES.lock(tx, reply_id, version=version).edited(text)
            left = cancel_unsent(tx, reply_id, actor=actor, at=at)
            if any(delivery.state in MAY_BE_OUT for delivery in left):
                raise Conflict("Ответ уже отправляется или вышел: править его нельзя.")
            if page_id is not None:
                PAGES.get(tx.connection, page_id)
                reply = replace(reply, page_id=page_id)
            if is_interim is not None:
                reply = replace(reply, is_interim=is_interim)
            tx.audit("reply_edited", f"reply:{reply_id}", actor=actor, at=at)
            return REPLIES.save(tx, reply, edited_by=actor)

    def submit_reply(self, reply_id: str, *, actor: str, at: datetime, version: int) -> Reply:
        """Raises NotFound, Conflict unless it is a draft."""
        with self._database.write() as tx:
            reply = REPLIES.save(tx, REPLIES.lock(tx, reply_id, version=version).submitted())
            _move(tx, reply, IncidentState.ANSWER_ON_REVIEW, actor=actor, at=at)
            tell(tx, reply.incident_id, "reply_submitted", "Ответ отдан на согласование", actor=actor, at=at)
            tx.audit("reply_submitted", f"reply:{reply_id}", actor=actor, at=at)
        return reply

    def approve_reply(
        self, reply_id: str, *, actor: str, at: datetime, version: int
    ) -> tuple[Reply, Delivery]:
        """Approved and handed to the outbox at once, in one transaction. `version` is what was read.

        Raises NotFound, Conflict unless it is on review, or when the approver wrote it and two are required.
        """
        with self._database.write() as tx:
            reply = REPLIES.lock(tx, reply_id, version=version).approved(by=actor)
            if self._two_people:
                must_be_second(tx, REPLIES, reply_id, author=reply.author, actor=actor)
            if not PAGES.get(tx.connection, reply.page_id).is_enabled:
                raise Conflict("Официальная страница выключена: выберите другую.")
            reply = REPLIES.save(tx, reply)
            delivery = schedule(
                tx,
                kind=DeliveryKind.REPLY,
                subject_id=reply.id,
                page_id=reply.page_id,
                message=Message(text=reply.text, reply_to=reply.post_id),
                due_at=at,
                actor=actor,
                at=at,
            )
            tell(tx, reply.incident_id, "reply_approved", "Ответ согласован", actor=actor, at=at)
            tx.audit("reply_approved", f"reply:{reply_id}", actor=actor, at=at,
                     payload_hash=delivery.payload_hash)  # fmt: skip
        return reply, delivery

    def return_reply(self, reply_id: str, note: str, *, actor: str, at: datetime, version: int) -> Reply:
        """Back to its author. Raises NotFound, Conflict unless it is on review, Refused without a note."""
        with self._database.write() as tx:
            reply = REPLIES.save(tx, REPLIES.lock(tx, reply_id, version=version).returned(note))
            _move(tx, reply, IncidentState.IN_WORK, actor=actor, at=at)
            tell(
                tx, reply.incident_id, "reply_returned", f"Ответ возвращён: {reply.note}", actor=actor, at=at
            )
            tx.audit("reply_returned", f"reply:{reply_id}", actor=actor, at=at, note=reply.note)
        return reply

    def get_reply(self, reply_id: str) -> Reply:
        """Raises NotFound."""
        with self._database.read() as connection:
            return REPLIES.get(connection, reply_id)

    def replies(self, incident_id: str) -> list[Reply]:
        """Oldest first."""
        columns = tables.replies.c
        query = select(tables.replies).where(columns.incident_id == incident_id)
        with self._database.read() as connection:
            return REPLIES.values(connection.execute(query.order_by(columns.created_at, columns.id)).all())

    def find_replies(self, *, states: tuple[ReplyState, ...] = (), limit: int = 100) -> list[Reply]:
        """Oldest first: the queue of those who approve."""
        columns = tables.replies.c
        query = select(tables.replies)
        if states:
            query = query.where(columns.state.in_(states))
        with self._database.read() as connection:
            ordered = query.order_by(columns.created_at, columns.id).limit(limit)
            return REPLIES.values(connection.execute(ordered).all())


def _move(tx: Transaction, reply: Reply, state: IncidentState, *, actor: str, at: datetime) -> None:
    """The incident follows its reply where it may; a reply beside other work does not hold it up."""
    incident: Incident = INCIDENTS.lock(tx, reply.incident_id)
    if state in MOVES[incident.state]:
        save_incident(tx, incident.moved(state, at=at))
        tx.audit("incident_moved", f"incident:{incident.id}", actor=actor, at=at, state=state.value)
