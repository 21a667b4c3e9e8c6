"""Everything that publishes, turn by turn: the outbox first, what follows beside it and never in its way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta

from index.desk import Desk
from index.domain.page import Page
from index.errors import Unavailable
from publisher.channels.base import Channel
from publisher.metrics import measure
from publisher.notices import check_keys
from publisher.outbox import Outbox, PublishReport
from publisher.reconcile import reconcile

logger = logging.getLogger(__name__)

RECONCILE_EVERY = timedelta(seconds=10)
LOOK_EVERY = timedelta(minutes=1)  # at figures and keys; what is due then, they know themselves


class Publisher:
    """One a process. Reads of slow networks (reconciliation, figures, keys) have their own thread: a slot
    is met on its minute whatever they wait for."""

    def __init__(self, desk: Desk, channels: Callable[[Page], Channel]) -> None:
        self._desk, self._channels = desk, channels
        self._outbox = Outbox(desk, channels)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="publish-follow")
        self._following: Future[None] | None = None
        self._reconciled_at: datetime | None = None
        self._looked_at: datetime | None = None

    def run(self, now: datetime) -> PublishReport:
        """One turn, as `Outbox.run`. Raises Unavailable when the desk does not answer."""
        report = self._outbox.run(now)
        if self._following is None or self._following.done():
            self._following = self._pool.submit(self._follow, now)
        return report

    def drain(self, clock: Callable[[], datetime]) -> None:
        """Send all that is due now and look once at all that follows. Raises Unavailable."""
        while self._desk.deliveries.due_pages(clock()):
            self._outbox.run(clock())
        self._outbox.run(clock())
        self._reconciled_at = self._looked_at = None
        self._do(clock())

    def close(self) -> None:
        """Finish what is under way."""
        self._outbox.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _follow(self, now: datetime) -> None:
        try:
            self._do(now)
        except Unavailable as error:
            logger.warning(
                "What follows a publication waits for the desk.",
                extra={"action": "follow_waits", "reason": str(error)},
            )
        except Exception:  # a defect of ours: publishing goes on, the next turn tries again
            logger.exception("What follows a publication broke.", extra={"action": "follow_broke"})

    def _do(self, now: datetime) -> None:
        if _is_time(self._reconciled_at, now, RECONCILE_EVERY):
            self._reconciled_at = now
            settled = asdict(reconcile(self._desk, self._channels, now))
            if any(settled.values()):
                logger.info("Unknown outcomes were looked for.", extra={"action": "reconciled", **settled})
        if _is_time(self._looked_at, now, LOOK_EVERY):
            self._looked_at = now
            check_keys(self._desk, self._channels, now)
            measure(self._desk, self._channels, now)


def _is_time(last: datetime | None, now: datetime, every: timedelta) -> bool:
    """Also when the clock was set back."""
    return last is None or not timedelta(0) <= now - last < every
