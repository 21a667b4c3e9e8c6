"""What the publics officer must be told: what is not out, what waits for a decision, keys that will fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from index.desk import Desk
from index.domain.page import Page
from index.domain.publication import Delivery, DeliveryKind, DeliveryState, Message
from index.errors import Misconfigured, NeedsOperator, NotFound, Refused, Unavailable
from publisher.channels.base import Ability, Channel
from publisher.outbox import STAGE

logger = logging.getLogger(__name__)

KEYS = "page_keys"  # cursor of a page that keeps what the last check of its keys found
OVERDUE = timedelta(minutes=2)  # after its time; a page's pace and a first retry fit in
SILENT = timedelta(minutes=2)  # without a heartbeat of the outbox
AHEAD = timedelta(hours=24)  # slots whose keys are checked in advance
SOON = timedelta(hours=1)
CHECK_EVERY = timedelta(hours=3)
CHECK_SOON_EVERY = timedelta(minutes=10)  # when a slot comes within SOON
OPEN = (DeliveryState.SCHEDULED, DeliveryState.CLAIMED, DeliveryState.HELD)


class NoticeKind(StrEnum):
    SILENT = "silent"  #: the outbox does not run
    STOPPED = "stopped"  #: «стоп всё» is on while something waits
    OVERDUE = "overdue"  #: should be out and is not
    NEEDS_HUMAN = "needs_human"  #: waits for a decision
    UNKNOWN = "unknown"  #: outcome unknown, being looked for
    FAILED = "failed"  #: the network refused it
    KEY = "key"  #: the page's keys will not do what a coming slot needs
    PAGE_OFF = "page_off"  #: something is planned for a page that is switched off


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to know. `text` is Russian and complete: what, where, what to do."""

    kind: NoticeKind
    text: str
    at: datetime  #: since when, or the slot it is about
    page_id: str | None = None
    delivery_id: str | None = None


def notices(desk: Desk, now: datetime) -> list[Notice]:
    """What stands now, most pressing kind first, then oldest. Reads the desk alone; repeatable.

    Raises Unavailable.
    """
    pages = {page.id: page for page in desk.pages.list()}
    found = [*_worker(desk, now), *_deliveries(desk, pages, now), *_keys(desk, pages, now)]
    order = list(NoticeKind)
    return sorted(found, key=lambda notice: (order.index(notice.kind), notice.at))


def check_keys(desk: Desk, channels: Callable[[Page], Channel], now: datetime) -> int:
    """Ask the networks about the keys of pages that have slots ahead, before the slots; how many were asked.

    A page is asked every few hours, and every few minutes when its slot is near. Raises Unavailable when the
    desk does not answer.
    """
    asked = 0
    for page_id, slots in _coming(desk, now).items():
        first = min(d.due_at for d in slots)
        every = CHECK_SOON_EVERY if first - now <= SOON else CHECK_EVERY
        before = desk.cursors.get(page_id, KEYS)
        if before is not None and now - datetime.fromisoformat(before["at"]) < every:
            continue
        verdict = _ask(desk, channels, page_id)
        if verdict is not None:
            desk.cursors.save(page_id, {"at": now.isoformat(), "off": verdict}, KEYS)
            asked += 1
    return asked


def _ask(desk: Desk, channels: Callable[[Page], Channel], page_id: str) -> dict[str, str] | None:
    """Abilities that are off and why; None: the network did not answer, which says nothing about the keys."""
    try:
        page = desk.pages.get(page_id)
        able = channels(page).check(page)
    except (NeedsOperator, Refused, Misconfigured, NotFound) as error:
        return {ability.value: str(error) for ability in Ability}
    except Unavailable as error:
        logger.warning(
            "Keys of a page could not be checked.",
            extra={"action": "keys_unchecked", "page": page_id, "reason": str(error)},
        )
        return None
    return {c.ability.value: c.why or "Выключено." for c in able.found if not c.is_on}


def _worker(desk: Desk, now: datetime) -> list[Notice]:
    beat = desk.beats.all().get(STAGE)
    if beat is None:
        return []  # never started: `mcu check` speaks of that
    if now - beat.at > SILENT:
        text = "Отправка не работает: служба публикаций молчит. Позовите администратора."
        return [Notice(kind=NoticeKind.SILENT, text=text, at=beat.at)]
    return []


def _deliveries(desk: Desk, pages: Mapping[str, Page], now: datetime) -> list[Notice]:
    found: list[Notice] = []
    said = {
        DeliveryState.NEEDS_HUMAN: (NoticeKind.NEEDS_HUMAN, "Нужно решение"),
        DeliveryState.UNKNOWN: (NoticeKind.UNKNOWN, "Исход неизвестен, проверяем по странице"),
        DeliveryState.FAILED: (NoticeKind.FAILED, "Сеть отказала"),
    }
    for delivery in _all(desk, states=list(said), since=now - timedelta(days=30)):
        kind, words = said[delivery.state]
        found.append(_notice(kind, words, delivery, pages, delivery.error))
    waiting = _all(desk, states=list(OPEN), until=now + AHEAD)
    if waiting and desk.deliveries.is_stopped():
        text = f"Включено «стоп всё»: остановлено {len(waiting)}. Снимите, когда можно продолжать."
        found.append(Notice(kind=NoticeKind.STOPPED, text=text, at=now))
    for delivery in waiting:
        page = pages.get(delivery.page_id)
        if page is not None and not page.is_enabled:
            found.append(
                _notice(NoticeKind.PAGE_OFF, "Страница выключена, запись не выйдет", delivery, pages, "")
            )
        elif delivery.state is not DeliveryState.HELD and delivery.due_at + OVERDUE < now:
            found.append(
                _notice(
                    NoticeKind.OVERDUE, "Должно было выйти и ещё не вышло", delivery, pages, delivery.error
                )
            )
    return found


def _keys(desk: Desk, pages: Mapping[str, Page], now: datetime) -> list[Notice]:
    found = []
    for page_id, slots in _coming(desk, now).items():
        off: Mapping[str, str] = (desk.cursors.get(page_id, KEYS) or {}).get("off", {})
        for delivery in slots:
            lacking = [off[a.value] for a in _needed(delivery.kind, delivery.message) if a.value in off]
            if lacking:
                words = "Ключ страницы не подойдёт к сроку"
                found.append(_notice(NoticeKind.KEY, words, delivery, pages, lacking[0]))
                break  # one notice a page: the first slot that would fail
    return found


def _needed(kind: DeliveryKind, message: Message) -> list[Ability]:
    if kind is DeliveryKind.REPLY:
        return [Ability.COMMENT]
    return [Ability.POST, Ability.PHOTO] if message.photo else [Ability.POST]


def _coming(desk: Desk, now: datetime) -> dict[str, list[Delivery]]:
    """What waits for its time within AHEAD, by page, earliest first."""
    by_page: dict[str, list[Delivery]] = {}
    for delivery in sorted(_all(desk, states=list(OPEN), until=now + AHEAD), key=lambda d: d.due_at):
        by_page.setdefault(delivery.page_id, []).append(delivery)
    return by_page


def _all(desk: Desk, **wanted: Any) -> list[Delivery]:
    found: list[Delivery] = []
    cursor: str | None = None
    while True:
        some, cursor = desk.deliveries.find(**wanted, limit=500, cursor=cursor)
        found += some
        if cursor is None:
            return found


def _notice(kind: NoticeKind, words: str, delivery: Delivery, pages: Mapping[str, Page], why: str) -> Notice:
    page = pages.get(delivery.page_id)
    where = f"«{page.title}»" if page is not None else delivery.page_id
    text = f"{words}: {where}." if not why else f"{words}: {where}. {why}"
    return Notice(kind=kind, text=text, at=delivery.due_at, page_id=delivery.page_id, delivery_id=delivery.id)
