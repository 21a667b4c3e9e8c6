"""The register of watched sources, how well each is seen, and sources that discovery proposes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from index.desk import tables
from index.desk.database import Database, Transaction
from index.desk.rows import Rows, insert_new, upsert
from index.domain.source import Proposal, ProposalState, Source, SourceHealth
from index.errors import Conflict

SOURCES = Rows(tables.sources, Source, missing="Такого источника нет.")
HEALTH = Rows(tables.source_health, SourceHealth, missing="Такого источника нет.")
PROPOSALS = Rows(tables.proposals, Proposal, missing="Такого предложения нет.")


class Sources:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, sources: Iterable[Source], *, actor: str, at: datetime) -> tuple[int, int, int]:
        """Keep new ones, overwrite changed ones: (new, changed, known). Repeating it changes nothing."""
        new = changed = known = 0
        with self._database.write() as tx:
            standing = {s.id: s for s in SOURCES.values(tx.execute(select(tables.sources)).all())}
            for source in sources:
                before = standing.get(source.id)
                if before == source:
                    known += 1
                    continue
                _keep(tx, source)
                standing[source.id] = source
                tx.audit(
                    "source_added" if before is None else "source_changed",
                    f"source:{source.id}", actor=actor, at=at, enabled=source.is_enabled,
                )  # fmt: skip
                new, changed = (new + 1, changed) if before is None else (new, changed + 1)
        return new, changed, known

    def get(self, source_id: str) -> Source:
        """Raises NotFound."""
        with self._database.read() as connection:
            return SOURCES.get(connection, source_id)

    def list(self, *, enabled_only: bool = False) -> list[Source]:
        """By id."""
        query = select(tables.sources).order_by(tables.sources.c.id)
        if enabled_only:
            query = query.where(tables.sources.c.is_enabled)
        with self._database.read() as connection:
            return SOURCES.values(connection.execute(query).all())

    def save(self, source: Source, *, actor: str, at: datetime) -> Source:
        """Overwrite a known one. Raises NotFound."""
        with self._database.write() as tx:
            SOURCES.lock(tx, source.id)
            SOURCES.save(tx, source)
            tx.audit("source_changed", f"source:{source.id}", actor=actor, at=at, enabled=source.is_enabled)
        return source

    def health(self, source_id: str) -> SourceHealth:
        """Raises NotFound."""
        with self._database.read() as connection:
            return HEALTH.get(connection, source_id)

    def healths(self) -> dict[str, SourceHealth]:
        """Of every source, by its id."""
        with self._database.read() as connection:
            found = HEALTH.values(connection.execute(select(tables.source_health)).all())
        return {health.source_id: health for health in found}

    def save_health(self, health: SourceHealth) -> None:
        """What the crawler saw, with the next visit; the lease of a running job stays. Raises NotFound."""
        with self._database.write(is_durable=False) as tx:
            HEALTH.lock(tx, health.source_id)
            HEALTH.save(tx, health)

    def propose(self, proposal: Proposal) -> bool:
        """Keep a proposal unless the source is known, or was proposed before; whether it was kept."""
        with self._database.write() as tx:
            known = select(tables.sources.c.id).where(tables.sources.c.id == proposal.id)
            if tx.execute(known).one_or_none() is not None:
                return False
            return insert_new(tx, tables.proposals, PROPOSALS.fields(proposal))

    def proposals(self, *, state: ProposalState = ProposalState.WAITING) -> Sequence[Proposal]:
        """Those with most mentions first."""
        columns = tables.proposals.c
        query = select(tables.proposals).where(columns.state == state)
        with self._database.read() as connection:
            return PROPOSALS.values(
                connection.execute(query.order_by(columns.mentions.desc(), columns.id)).all()
            )

    def decide(self, proposal_id: str, accepted: bool, *, actor: str, at: datetime) -> Proposal:
        """An accepted one becomes a source at once; a rejected one never comes back.

        Raises NotFound, Conflict when it has been decided.
        """
        with self._database.write() as tx:
            proposal = PROPOSALS.lock(tx, proposal_id)
            if proposal.state is not ProposalState.WAITING:
                raise Conflict(f"Решение уже принял {proposal.decided_by}.")
            state = ProposalState.ACCEPTED if accepted else ProposalState.REJECTED
            proposal = PROPOSALS.save(tx, replace(proposal, state=state, decided_by=actor, decided_at=at))
            if accepted:
                _keep(tx, proposal.source)
            tx.audit(f"proposal_{state.value}", f"source:{proposal.id}", actor=actor, at=at)
        return proposal


def _keep(tx: Transaction, source: Source) -> None:
    """The source with its row of health, which is its crawl job too."""
    upsert(tx, tables.sources, SOURCES.fields(source))
    insert_new(tx, tables.source_health, HEALTH.fields(SourceHealth(source_id=source.id)))
