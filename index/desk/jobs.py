"""Crawl jobs: which sources are due, each claimed by one worker at a time over all processes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from index.desk import tables
from index.desk.database import Database
from index.desk.sources import HEALTH, SOURCES
from index.domain.post import Network
from index.domain.source import Source, SourceHealth

JOBS = tables.source_health


class Jobs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def claim_due(
        self,
        now: datetime,
        *,
        worker: str,
        lease: timedelta,
        limit: int,
        only: Sequence[str] | None = None,
        networks: Sequence[Network] | None = None,
    ) -> list[Source]:
        """Enabled sources that are due and that nobody holds, longest due first; now held by `worker`.

        A lease that has run out counts as none. `only`: ids to choose from; `networks`: theirs alone.
        """
        job = JOBS.c
        query = (
            select(tables.sources)
            .join(JOBS, job.source_id == tables.sources.c.id)
            .where(
                tables.sources.c.is_enabled,
                or_(job.due_at.is_(None), job.due_at <= now),
                or_(job.lease_until.is_(None), job.lease_until <= now),
            )
            .order_by(job.due_at.asc().nulls_first(), job.source_id)
            .limit(limit)
            .with_for_update(of=JOBS, skip_locked=True)
        )
        if only is not None:
            query = query.where(job.source_id.in_(only))
        if networks is not None:
            query = query.where(tables.sources.c.network.in_(networks))
        with self._database.write(is_durable=False) as tx:
            sources = SOURCES.values(tx.execute(query).all())
            taken = update(JOBS).where(job.source_id.in_([source.id for source in sources]))
            tx.execute(taken.values(worker=worker, lease_until=now + lease))
        return sources

    def extend(self, source_id: str, *, worker: str, until: datetime) -> bool:
        """Hold it longer; False: the lease was lost to another worker, stop."""
        mine = update(JOBS).where(JOBS.c.source_id == source_id, JOBS.c.worker == worker)
        with self._database.write(is_durable=False) as tx:
            return tx.execute(mine.values(lease_until=until)).rowcount == 1

    def finish(self, health: SourceHealth, *, worker: str) -> None:
        """Save what the visit showed and give the source back, in one transaction; a lease that another
        worker holds by now stays his. A source that was removed meanwhile is passed over."""
        values = HEALTH.fields(health)
        source_id = values.pop("source_id")
        row = JOBS.c.source_id == source_id
        with self._database.write(is_durable=False) as tx:
            tx.execute(update(JOBS).where(row).values(**values))
            mine = update(JOBS).where(row, JOBS.c.worker == worker)
            tx.execute(mine.values(worker=None, lease_until=None))

    def release(self, source_id: str, *, worker: str) -> None:
        """Give it back; when another worker holds it by now, nothing happens."""
        mine = update(JOBS).where(JOBS.c.source_id == source_id, JOBS.c.worker == worker)
        with self._database.write(is_durable=False) as tx:
            tx.execute(mine.values(worker=None, lease_until=None))
