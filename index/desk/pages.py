"""The register of official pages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from index.desk import tables
from index.desk.database import Database
from index.desk.rows import Rows, insert_new
from index.domain.page import Page

PAGES = Rows(tables.pages, Page, missing="Такой официальной страницы нет.")


class Pages:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, page: Page, *, actor: str, at: datetime) -> bool:
        """Keep it unless a page with its id is there; whether it was new."""
        with self._database.write() as tx:
            is_new = insert_new(tx, tables.pages, PAGES.fields(page))
            if is_new:
                tx.audit("page_added", f"page:{page.id}", actor=actor, at=at, mode=page.mode.value)
        return is_new

    def save(self, page: Page, *, actor: str, at: datetime) -> Page:
        """Overwrite a known one. Raises NotFound."""
        with self._database.write() as tx:
            before = PAGES.lock(tx, page.id)
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
