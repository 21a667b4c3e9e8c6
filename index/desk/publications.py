"""Publications: drafted, submitted, approved by another person; the approval writes their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from index.desk import tables
from index.desk.approval import must_be_second
from index.desk.database import Database, Transaction
from index.desk.delivery_rows import cancel_unsent, schedule
from index.desk.pages import PAGES
from index.desk.paging import page_of
from index.desk.rows import Rows
from index.domain.publication import (
    MAY_BE_OUT,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Publication,
    PublicationState,
)
from index.errors import Conflict, NotFound, Refused

PUBLICATIONS = Rows(tables.publications, Publication, missing="Такой публикации нет.")
ORDER = [tables.publications.c.due_at, tables.publications.c.id]


class Publications:
    def __init__(self, database: Database, *, two_people: bool) -> None:
        self._database = database
        self._two_people = two_people

    def save_draft(self, publication: Publication, *, actor: str, at: datetime) -> Publication:
        """Keep a new one, or the changes of a known one, as a draft; an approval is gone and what was not
        sent is cancelled. `version` is the one the officer saw.

        Raises Refused on a wrong field, Conflict when it changed meanwhile, or is out or being sent.
        """
        publication.checked()
        with self._database.write() as tx:
            try:
                before = PUBLICATIONS.lock(tx, publication.id, version=publication.version)
            except NotFound:
                return _add(tx, publication, actor=actor, at=at)
            kept = before.edited(publication)
            _must_not_be_out(cancel_unsent(tx, publication.id, actor=actor, at=at))
            tx.audit("publication_edited", f"publication:{kept.id}", actor=actor, at=at,
                     was=before.state.value, payload_hash=kept.payload_hash)  # fmt: skip
            return PUBLICATIONS.save(tx, kept, edited_by=actor)

    def submit(self, publication_id: str, *, actor: str, at: datetime, version: int) -> Publication:
        """To whoever approves. Raises NotFound, Conflict unless it is a draft, Refused when incomplete."""
        with self._database.write() as tx:
            publication = PUBLICATIONS.lock(tx, publication_id, version=version).submitted()
            tx.audit("publication_submitted", f"publication:{publication_id}", actor=actor, at=at,
                     payload_hash=publication.payload_hash)  # fmt: skip
            return PUBLICATIONS.save(tx, publication)

    def approve(
        self, publication_id: str, *, actor: str, at: datetime, version: int, hash: str
    ) -> tuple[Publication, list[Delivery]]:
        """Approve what was read (`hash` is its payload hash) and hand it to the outbox, in one transaction.

        Raises NotFound, Conflict unless it is on review with that hash, when the approver wrote it and two
        people are required, or when a page is switched off; Refused when its time has passed.
        """
        with self._database.write() as tx:
            publication = PUBLICATIONS.lock(tx, publication_id, version=version)
            publication = publication.approved(by=actor, payload_hash=hash)
            if self._two_people:
                must_be_second(tx, PUBLICATIONS, publication_id, author=publication.author, actor=actor)
            deliveries = [
                _deliver(tx, publication, page_id, actor=actor, at=at) for page_id, _ in publication.variants
            ]
            tx.audit("publication_approved", f"publication:{publication_id}", actor=actor, at=at,
                     payload_hash=hash)  # fmt: skip
            return PUBLICATIONS.save(tx, publication), deliveries

    def return_to_author(
        self, publication_id: str, note: str, *, actor: str, at: datetime, version: int
    ) -> Publication:
        """A draft again, with the reviewer's words. Raises NotFound, Conflict, Refused without a note."""
        with self._database.write() as tx:
            publication = PUBLICATIONS.lock(tx, publication_id, version=version).returned(note)
            tx.audit("publication_returned", f"publication:{publication_id}", actor=actor, at=at,
                     note=publication.note)  # fmt: skip
            return PUBLICATIONS.save(tx, publication)

    def withdraw(self, publication_id: str, *, actor: str, at: datetime, version: int) -> Publication:
        """Send nothing more of it; what is out stays out. Raises NotFound, Conflict while one is sent."""
        with self._database.write() as tx:
            publication = PUBLICATIONS.lock(tx, publication_id, version=version).withdrawn()
            rest = cancel_unsent(tx, publication_id, actor=actor, at=at)
            if any(delivery.state is DeliveryState.SENDING for delivery in rest):
                raise Conflict("Публикация отправляется прямо сейчас: повторите через минуту.")
            tx.audit("publication_withdrawn", f"publication:{publication_id}", actor=actor, at=at)
            return PUBLICATIONS.save(tx, publication)

    def get(self, publication_id: str) -> Publication:
        """Raises NotFound."""
        with self._database.read() as connection:
            return PUBLICATIONS.get(connection, publication_id)

    def find(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        states: Sequence[PublicationState] = (),
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Publication], str | None]:
        """By the time they are due, earliest first: since <= due_at < until."""
        publication = tables.publications.c
        query = select(tables.publications)
        if since is not None:
            query = query.where(publication.due_at >= since)
        if until is not None:
            query = query.where(publication.due_at < until)
        if states:
            query = query.where(publication.state.in_(states))
        with self._database.read() as connection:
            rows, following = page_of(connection, query, ORDER, limit=limit, cursor=cursor, descending=False)
        return PUBLICATIONS.values(rows), following


def _add(tx: Transaction, publication: Publication, *, actor: str, at: datetime) -> Publication:
    new = replace(publication, author=actor, created_at=at, state=PublicationState.DRAFT, version=0,
                  approved_by=None, approved_hash=None)  # fmt: skip
    PUBLICATIONS.add(tx, new, edited_by=actor)
    tx.audit("publication_drafted", f"publication:{new.id}", actor=actor, at=at,
             payload_hash=new.payload_hash)  # fmt: skip
    return new


def _deliver(
    tx: Transaction, publication: Publication, page_id: str, *, actor: str, at: datetime
) -> Delivery:
    page = PAGES.get(tx.connection, page_id)
    if not page.is_enabled:
        raise Conflict(f"Страница «{page.title}» выключена: уберите её вариант.")
    if at > publication.due_at + page.late_limit:
        raise Refused("Время выхода уже прошло: назначьте другое.", field="due_at")
    return schedule(
        tx,
        kind=DeliveryKind.PUBLICATION,
        subject_id=publication.id,
        page_id=page_id,
        message=dict(publication.variants)[page_id],
        due_at=publication.due_at,
        actor=actor,
        at=at,
    )


def _must_not_be_out(deliveries: Sequence[Delivery]) -> None:
    if any(delivery.state in MAY_BE_OUT for delivery in deliveries):
        raise Conflict("Публикация уже вышла или выходит: правка — это новая публикация.")
