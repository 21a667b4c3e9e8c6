"""Rows of deliveries, written by an approval in its own transaction and cancelled by whatever undoes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from index.desk import tables
from index.desk.database import Transaction
from index.desk.rows import Rows, new_id
from index.domain.publication import (
    UNSENT,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Message,
)
from index.errors import Conflict

DELIVERIES = Rows(tables.deliveries, Delivery, missing="Такой доставки нет.")
STOP = "stop_all"  # the flag of «стоп всё»
ANEW = frozenset({DeliveryState.CANCELLED, DeliveryState.FAILED})  # proven not out: may go again


def schedule(
    tx: Transaction,
    *,
    kind: DeliveryKind,
    subject_id: str,
    page_id: str,
    message: Message,
    due_at: datetime,
    actor: str,
    at: datetime,
) -> Delivery:
    """The delivery of an approved message; the row of an earlier approval, proven not out, is used again.

    Raises Conflict when it is out or may be.
    """
    digest = message.payload_hash
    delivery = Delivery(
        id=new_id("d"),
        kind=kind,
        subject_id=subject_id,
        page_id=page_id,
        message=message,
        payload_hash=digest,
        approved_hash=digest,
        due_at=due_at,
        state=DeliveryState.HELD if is_stopped(tx) else DeliveryState.SCHEDULED,
    )
    earlier = next((d for d in of_subject(tx, subject_id) if d.page_id == page_id), None)
    if earlier is None:
        DELIVERIES.add(tx, delivery, is_settled=True)
    elif earlier.state in ANEW:
        # The attempts go on counting and the id stays: VK's guid is made from it.
        delivery = replace(delivery, id=earlier.id, attempt=earlier.attempt)
        DELIVERIES.save(tx, delivery, is_settled=True)
    else:
        raise Conflict("На эту страницу уже отправлено: повтор — это новая публикация.")
    tx.audit("delivery_scheduled", f"delivery:{delivery.id}", actor=actor, at=at, carries=subject_id,
             page=page_id, payload_hash=digest, due_at=due_at.isoformat())  # fmt: skip
    return delivery


def of_subject(tx: Transaction, subject_id: str) -> list[Delivery]:
    """All deliveries of a publication or reply, locked, by id."""
    columns = tables.deliveries.c
    query = select(tables.deliveries).where(columns.subject_id == subject_id).order_by(columns.id)
    return DELIVERIES.values(tx.execute(query.with_for_update()).all())


def cancel_unsent(tx: Transaction, subject_id: str, *, actor: str, at: datetime) -> list[Delivery]:
    """Cancel what has not begun to be sent; the rest as it stands."""
    rest = []
    for delivery in of_subject(tx, subject_id):
        if delivery.state in UNSENT:
            DELIVERIES.save(tx, delivery.cancelled())
            tx.audit("delivery_cancelled", f"delivery:{delivery.id}", actor=actor, at=at)
        else:
            rest.append(delivery)
    return rest


def is_stopped(tx: Transaction) -> bool:
    """Whether «стоп всё» is on; it can't be switched before this transaction ends."""
    flag = tables.flags.c
    query = select(flag.value).where(flag.name == STOP).with_for_update(read=True)
    return bool(tx.execute(query).scalar_one_or_none())
