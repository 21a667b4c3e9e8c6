"""The register of official pages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from index.desk import tables
from index.desk.database import Database, Transaction
from index.desk.rows import Rows, insert_new
from index.domain.page import Page, page_address
from index.domain.publication import DeliveryState
from index.errors import Conflict

PAGES = Rows(tables.pages, Page, missing="Такой официальной страницы нет.")
PLACE = ("network", "address", "discussion", "mode")  #: where a page's posts go and are looked for
UNDER_WAY = (DeliveryState.CLAIMED, DeliveryState.SENDING, DeliveryState.UNKNOWN)


class Pages:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, page: Page, *, actor: str, at: datetime) -> bool:
        """Keep it unless a page with its id is there; whether it was new.

        Raises Refused for an address that cannot be one, Conflict when another page has it already.
        """
        with self._database.write() as tx:
            _must_be_alone(tx, page)
            is_new = insert_new(tx, tables.pages, PAGES.fields(page))
            if is_new:
                tx.audit("page_added", f"page:{page.id}", actor=actor, at=at, mode=page.mode.value)
        return is_new

    def save(self, page: Page, *, actor: str, at: datetime) -> Page:
        """Overwrite a known one.

        Raises NotFound, Refused and Conflict as `add`; Conflict also when it would move to another place
        while a post is being sent there or looked for: it would be looked for in the wrong one.
        """
        with self._database.write() as tx:
            before = PAGES.lock(tx, page.id)
            _must_be_alone(tx, page)
            if any(getattr(page, name) != getattr(before, name) for name in PLACE):
                _must_be_idle(tx, page)
            changed = sorted(n for n, value in PAGES.fields(page).items() if value != getattr(before, n))
            PAGES.save(tx, page)
            tx.audit("page_changed", f"page:{page.id}", actor=actor, at=at, fields=changed,
                     mode=page.mode.value)  # fmt: skip
        return page

    def get(self, page_id: str) -> Page:
        """Raises NotFound."""
        with self._database.read() as connection:
            return PAGES.get(connection, page_id)

    def list(self, *, enabled_only: bool = False) -> list[Page]:
        """By title, then id."""
        query = select(tables.pages).order_by(tables.pages.c.title, tables.pages.c.id)
        if enabled_only:
            query = query.where(tables.pages.c.is_enabled)
        with self._database.read() as connection:
            return PAGES.values(connection.execute(query).all())


def _must_be_alone(tx: Transaction, page: Page) -> None:
    """Two pages of one place would put one post there twice."""
    address = page_address(page.network, page.address)
    others = select(*PAGES.columns).where(
        tables.pages.c.network == page.network, tables.pages.c.id != page.id
    )
    for other in PAGES.values(tx.execute(others).all()):
        if page_address(other.network, other.address) == address:
            raise Conflict(f"Эта страница уже есть в реестре: «{other.title}».")


def _must_be_idle(tx: Transaction, page: Page) -> None:
    delivery = tables.deliveries.c
    query = select(delivery.id).where(delivery.page_id == page.id, delivery.state.in_(UNDER_WAY)).limit(1)
    if tx.execute(query).first() is not None:
        raise Conflict(
            "На страницу прямо сейчас отправляется запись: повторите, когда станет ясно, вышла ли она."
        )
