"""Rows of incidents and their history, shared by everything that moves an incident."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert

from index.desk import tables
from index.desk.database import Transaction
from index.desk.rows import Rows, insert_new
from index.domain.incident import Incident, IncidentEvent

INCIDENTS = Rows(tables.incidents, Incident, missing="Такого инцидента нет.")
SEARCHED = 600  # characters of an incident that search reads; PostgreSQL's index takes no longer ones
EVENTS = Rows(tables.incident_events, IncidentEvent, missing="Такой записи нет.")


def add_incident(tx: Transaction, incident: Incident) -> Incident:
    INCIDENTS.add(tx, incident, **_derived(incident))
    _index_posts(tx, incident)
    return incident


def save_incident(tx: Transaction, incident: Incident) -> Incident:
    """Overwrite a locked one; what stands now, with its new version."""
    _index_posts(tx, incident)
    return INCIDENTS.save(tx, incident, **_derived(incident))


def tell(tx: Transaction, incident_id: str, action: str, text: str, *, actor: str, at: datetime) -> None:
    """Add a line to the incident's history; `text` is Russian."""
    line = {"incident_id": incident_id, "at": at, "actor": actor, "action": action, "text": text}
    tx.execute(insert(tables.incident_events).values(**line))


def folded(text: str) -> str:
    """As search compares it: lower case, ё→е."""
    return text.casefold().replace("ё", "е")


def _index_posts(tx: Transaction, incident: Incident) -> None:
    for post_id in incident.post_ids:
        row = {"post_id": post_id, "incident_id": incident.id, "number": incident.number}
        insert_new(tx, tables.incident_posts, row)


def _derived(incident: Incident) -> dict[str, Any]:
    told = (incident.number, incident.title, incident.place, incident.address, incident.outside_number)
    return {
        "next_due_at": incident.next_due_at,
        "search": folded(" ".join(word for word in told if word))[:SEARCHED],
    }
