"""The chain of the audit: each row carries the hash of the one before, so none changes unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from index.desk.columns import storable
from index.desk.tables import audit, audit_head

FIRST = "0" * 64  # what the first row follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to be audited; its place in the chain comes with the commit."""

    at: datetime
    actor: str  #: login, `service`, or `key:<id>`
    action: str  #: alert_accepted, delivery_published, …
    subject: str  #: kind and id: `alert:a-1`
    detail: Mapping[str, Any]


def append(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add the entries at the end; the lock on the head makes writers queue, so the chain never forks."""
    head = connection.execute(select(audit_head).where(audit_head.c.id == 1).with_for_update()).one()
    number, previous = head.number, head.hash
    rows = []
    for entry in entries:
        number += 1
        digest = row_hash(number, previous, entry)
        rows.append(_row(entry) | {"number": number, "previous": previous, "hash": digest})
        previous = digest
    connection.execute(insert(audit), rows)
    connection.execute(update(audit_head).where(audit_head.c.id == 1).values(number=number, hash=previous))


def row_hash(number: int, previous: str, entry: Entry) -> str:
    """sha256 (hex) over the row and the one it follows."""
    row = _row(entry)
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    fields = [number, previous, at, row["actor"], row["action"], row["subject"], row["detail"]]
    written = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(storable(written).encode()).hexdigest()


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "actor": storable(entry.actor),
        "action": entry.action,
        "subject": entry.subject,
        "detail": json.loads(json.dumps(entry.detail, default=str, ensure_ascii=False)),
    }
