"""Limits that networks set on us, kept in one place for all processes: spacing, daily budgets, freezes."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import select, update

from index.desk import tables
from index.desk.database import Database
from index.desk.rows import insert_new, upsert

BUCKETS = tables.quota_buckets
DAYS = tables.quota_days


class Quotas:
    """`bucket` names what the limit is on: a token, a page, a host; never the token itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, bucket: str, *, now: datetime, spacing: timedelta) -> datetime:
        """The moment this call may go: `now` or later, at least `spacing` after the one before it."""
        with self._database.write(is_durable=False) as tx:
            insert_new(tx, BUCKETS, {"bucket": bucket, "reason": ""})
            mine = BUCKETS.c.bucket == bucket
            free_at = tx.execute(select(BUCKETS.c.next_at).where(mine).with_for_update()).scalar_one()
            moment = now if free_at is None else max(now, free_at)
            tx.execute(update(BUCKETS).where(mine).values(next_at=moment + spacing))
        return moment

    def spend(self, bucket: str, *, day: date, amount: int = 1, limit: int | None) -> bool:
        """Take `amount` of the day's budget, all or nothing; False: it would not be enough."""
        with self._database.write(is_durable=False) as tx:
            insert_new(tx, DAYS, {"bucket": bucket, "day": day, "spent": 0})
            mine = (DAYS.c.bucket == bucket) & (DAYS.c.day == day)
            if limit is not None:
                mine &= DAYS.c.spent + amount <= limit
            return tx.execute(update(DAYS).where(mine).values(spent=DAYS.c.spent + amount)).rowcount == 1

    def spent(self, day: date) -> dict[str, int]:
        """Of every bucket used that day."""
        query = select(DAYS.c.bucket, DAYS.c.spent).where(DAYS.c.day == day)
        with self._database.read() as connection:
            return dict(connection.execute(query).all())

    def freeze(self, bucket: str, *, until: datetime, reason: str) -> None:
        """Let nothing through until then; a later freeze overwrites. `reason` is Russian."""
        with self._database.write(is_durable=False) as tx:
            upsert(tx, BUCKETS, {"bucket": bucket, "frozen_until": until, "reason": reason})

    def frozen(self, bucket: str, now: datetime) -> tuple[datetime, str] | None:
        """Until when and why; None: it is not."""
        query = select(BUCKETS.c.frozen_until, BUCKETS.c.reason).where(
            BUCKETS.c.bucket == bucket, BUCKETS.c.frozen_until > now
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.frozen_until, row.reason)
