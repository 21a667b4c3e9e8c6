"""Deliveries of unknown outcome: their page is read until it shows them, proves absence or needs a person."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from index.desk import Desk
from index.domain.page import Page
from index.domain.publication import Delivery, DeliveryState
from index.errors import Conflict, Misconfigured, NeedsOperator, NotFound, Refused, Unavailable
from publisher.channels.base import SAME_TEXT_AROUND, Channel

logger = logging.getLogger(__name__)

SKEW = timedelta(minutes=2)  # the network's clock and ours
SETTLE = timedelta(seconds=60)  # a slow network may still be putting it up: before this, absence says nothing
MAX_UNKNOWN = 3  # attempts whose outcome got lost; then a person looks why
PATIENCE = timedelta(hours=1)  # of a page that cannot be read
BATCH = 100
THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileReport:
    """What the reads of one turn settled."""

    found: int = 0  #: they stand on the page
    absent: int = 0  #: an empty read was noted; the second one makes them due again
    needs_human: int = 0
    waiting: int = 0  #: too early, or the page could not be read: next turn


def reconcile(desk: Desk, channels: Callable[[Page], Channel], now: datetime) -> ReconcileReport:
    """Look once for every delivery of unknown outcome, pages side by side.

    Repeatable; sends nothing. Raises Unavailable when the desk does not answer.
    """
    by_page: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in desk.deliveries.unknown(BATCH):
        by_page[delivery.page_id].append(delivery)
    if not by_page:
        return ReconcileReport()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="reconcile") as pool:
        done = [
            name
            for part in pool.map(lambda d: _page(desk, channels, d, now), by_page.values())
            for name in part
        ]
    return ReconcileReport(**{name: done.count(name) for name in ReconcileReport.__slots__})


def _page(
    desk: Desk, channels: Callable[[Page], Channel], deliveries: Sequence[Delivery], now: datetime
) -> list[str]:
    """One page's deliveries one after another: what one of them is found to be, no other can be."""
    return [_look(desk, channels, delivery, now) for delivery in sorted(deliveries, key=_began)]


def _look(desk: Desk, channels: Callable[[Page], Channel], delivery: Delivery, now: datetime) -> str:
    try:
        page = desk.pages.get(delivery.page_id)
        channel = channels(page)
        receipt = channel.find(
            page,
            delivery.message,
            since=_began(delivery) - SKEW,
            until=now + SKEW,
            known=_known(desk, delivery),
        )
        if receipt is None:
            return _absent(desk, channel, delivery, now)
        desk.deliveries.record_published(delivery.id, remote_id=receipt.remote_id, url=receipt.url, at=now)
        return "found"
    except Unavailable as error:
        return _unreadable(desk, delivery, str(error), now)
    except (NeedsOperator, NotFound, Refused, Misconfigured) as error:
        return _to_person(desk, delivery, str(error), now)
    except Conflict as error:  # a person or another process decided meanwhile
        logger.info(
            "A reconciled delivery was settled by another.",
            extra={"action": "reconcile_late", "delivery": delivery.id, "reason": str(error)},
        )
        return "waiting"


def _absent(desk: Desk, channel: Channel, delivery: Delivery, now: datetime) -> str:
    """The page was read and does not show it."""
    if now < _began(delivery) + SETTLE:
        return "waiting"
    is_last = delivery.absent_reads + 1 >= 2 and now - (delivery.checked_at or now) >= SETTLE
    if is_last and not channel.proves_absence:
        return _to_person(
            desk,
            delivery,
            "На открытой странице записи нет, но это ещё не доказывает, что она не вышла.",
            now,
        )
    if is_last and delivery.attempt >= MAX_UNKNOWN:
        return _to_person(
            desk, delivery, f"{delivery.attempt} попытки подряд остались без ясного ответа.", now
        )
    desk.deliveries.record_absent_read(delivery.id, at=now)
    return "absent"


def _unreadable(desk: Desk, delivery: Delivery, said: str, now: datetime) -> str:
    if now - _began(delivery) < PATIENCE:
        return "waiting"
    return _to_person(desk, delivery, f"{said} Сверить запись не удаётся больше часа.", now)


def _to_person(desk: Desk, delivery: Delivery, said: str, now: datetime) -> str:
    asked = f"Неизвестно, вышла ли запись. {said} Проверьте страницу и решите."
    desk.deliveries.need_person(delivery.id, asked, at=now, attempt=delivery.attempt)
    return "needs_human"


def _known(desk: Desk, delivery: Delivery) -> set[str]:
    """What of the page belongs to other deliveries, by id and by address."""
    since = (
        _began(delivery) - SAME_TEXT_AROUND - timedelta(days=30)
    )  # by due time, and a delivery may be late
    known: set[str] = set()
    cursor: str | None = None
    while True:
        others, cursor = desk.deliveries.find(
            page_id=delivery.page_id, states=[DeliveryState.PUBLISHED], since=since, limit=500, cursor=cursor
        )
        known.update(name for other in others for name in (other.remote_id, other.url) if name)
        if cursor is None:
            return known


def _began(delivery: Delivery) -> datetime:
    return delivery.started_at or delivery.due_at
