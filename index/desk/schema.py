"""The schema of the desk: created, and brought up to date."""

from __future__ import annotations

from index.desk import chain
from index.desk.database import Database
from index.desk.rows import insert_new
from index.desk.tables import audit_head, metadata


def upgrade(database: Database) -> None:
    with database.write() as tx:
        metadata.create_all(tx.connection)
        insert_new(tx, audit_head, {"id": 1, "number": 0, "hash": chain.FIRST})
