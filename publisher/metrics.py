"""How far our posts spread: read again often while they are young, and ever more seldom."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from index.desk import Desk
from index.domain.page import Page
from index.domain.post import Counters
from index.domain.publication import Delivery, DeliveryKind, DeliveryState
from index.errors import Misconfigured, NeedsOperator, NotFound, Refused, Unavailable
from publisher.channels.base import Channel

logger = logging.getLogger(__name__)

#: age of a post up to which it is read so often; older ones are not read any more
RHYTHM = (
    (timedelta(hours=2), timedelta(minutes=10)),
    (timedelta(days=1), timedelta(hours=1)),
    (timedelta(days=7), timedelta(hours=6)),
    (timedelta(days=30), timedelta(days=1)),
)
OLDEST = RHYTHM[-1][0]
PER_TURN = 100  # posts of one page


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureReport:
    """What one turn read."""

    read: int = 0  #: posts with a new reading
    refused: int = 0  #: pages whose network tells nothing now


def is_due(published_at: datetime, read_at: datetime | None, now: datetime) -> bool:
    """Whether a post is read now; `read_at` is the last reading, None: none yet."""
    age = now - published_at
    pause = next((every for limit, every in RHYTHM if age <= limit), None)
    if pause is None:
        return False
    return read_at is None or now - read_at >= pause


def measure(desk: Desk, channels: Callable[[Page], Channel], now: datetime) -> MeasureReport:
    """Read what is due of all pages and keep it. Repeatable. Raises Unavailable when the desk is down."""
    read = refused = 0
    for page_id, due in _due(desk, now).items():
        try:
            page = desk.pages.get(page_id)
            ids = [d.remote_id for d in due if d.remote_id]
            found = channels(page).figures(page, ids)
        except (Unavailable, NeedsOperator, NotFound, Refused, Misconfigured) as error:
            refused += 1
            logger.warning(
                "A network tells no figures.",
                extra={"action": "figures_refused", "page": page_id, "reason": str(error)},
            )
            continue
        # a post the network is silent about is noted too: the rhythm holds for it as well
        desk.figures.add({d.id: found.get(d.remote_id or "", Counters()) for d in due}, at=now)
        read += sum(d.remote_id in found for d in due)
    return MeasureReport(read=read, refused=refused)


def _due(desk: Desk, now: datetime) -> dict[str, list[Delivery]]:
    """Posts to be read, by page, youngest first and not more than PER_TURN a page."""
    published, cursor = [], None
    while True:
        some, cursor = desk.deliveries.find(
            states=[DeliveryState.PUBLISHED], since=now - OLDEST - timedelta(days=1), limit=500, cursor=cursor
        )
        published += [d for d in some if d.kind is DeliveryKind.PUBLICATION and d.remote_id]
        if cursor is None:
            break
    newest = desk.figures.newest([d.id for d in published])
    by_page: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in published:
        reading = newest.get(delivery.id)
        if is_due(delivery.published_at or delivery.due_at, reading.at if reading else None, now):
            if len(by_page[delivery.page_id]) < PER_TURN:
                by_page[delivery.page_id].append(delivery)
    return by_page
