"""Quotas that let everything through, for tests of what is not the pace."""

from __future__ import annotations

from datetime import date, datetime, timedelta


class FreeQuotas:
    """Stands in for the desk's `quotas`."""

    def reserve(self, bucket: str, *, now: datetime, spacing: timedelta) -> datetime:
        return now

    def spend(self, bucket: str, *, day: date, amount: int = 1, limit: int | None) -> bool:
        return True

    def freeze(self, bucket: str, *, until: datetime, reason: str) -> None:
        """Nothing is held back."""

    def frozen(self, bucket: str, now: datetime) -> tuple[datetime, str] | None:
        return None
