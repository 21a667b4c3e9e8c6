"""What is due leaves the service: claimed, uploaded, committed as `sending`, sent once, recorded."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from index.desk import Desk
from index.domain.page import Page, page_address
from index.domain.publication import Delivery, DeliveryKind
from index.errors import (
    Conflict,
    Misconfigured,
    NeedsOperator,
    NotFound,
    OutcomeUnknown,
    Refused,
    Rejected,
    RetryLater,
    SendError,
    Unavailable,
)
from publisher.channels.base import Channel, Receipt, send_key

logger = logging.getLogger(__name__)

STAGE = "publish"  # name of the heartbeat
LEASE = timedelta(minutes=5)  # of a claim and of an attempt: longer than any upload and any exchange
SWEEP_EVERY = timedelta(seconds=15)
MAX_ATTEMPTS = 30  # proven-not-sent attempts of one message; then a person looks
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
UPLOAD_PAUSE = timedelta(seconds=30)  # after an upload that did not work
RECORD_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)  # seconds; within LEASE, then `sweep` takes over


class Outcome(StrEnum):
    """What became of one delivery in one turn."""

    PUBLISHED = "published"  #: out
    RETRIED = "retried"  #: proven not out, due again later
    FAILED = "failed"  #: refused for good
    UNKNOWN = "unknown"  #: may be out
    NEEDS_HUMAN = "needs_human"  #: a person has to act
    LEFT = "left"  #: cancelled, stopped or taken by another before it was sent


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """What happened since the report before; pages still `at_work` are reported by the next ones."""

    published: int = 0
    retried: int = 0
    failed: int = 0
    unknown: int = 0
    needs_human: int = 0
    left: int = 0
    freed: int = 0  #: claimed by workers that died, due again
    lost: int = 0  #: sent by workers that died: outcome unknown
    at_work: int = 0  #: pages that are still sending


def next_try(error: SendError, attempt: int, now: datetime) -> datetime | None:
    """When a message that was proven not sent goes again; None: never by itself.

    `attempt` counts from 1. The pause doubles, and is never shorter than the network asks.
    """
    if not isinstance(error, RetryLater) or attempt >= MAX_ATTEMPTS:
        return None
    doubled = FIRST_PAUSE * 2 ** min(attempt - 1, 10) if attempt > 0 else FIRST_PAUSE
    return now + max(error.after, min(doubled, LONGEST_PAUSE))


class Outbox:
    """A lane a page: deliveries of one page leave one after another at its pace, pages do not wait for each
    other. Several outboxes, in one process or many, may run against one desk."""

    def __init__(
        self,
        desk: Desk,
        channels: Callable[[Page], Channel],
        *,
        worker: str | None = None,
        max_pages: int = 8,
        patience: timedelta = timedelta(seconds=5),
    ) -> None:
        """`max_pages` send at once; `patience`: how long `run` waits for them before it reports."""
        self._desk, self._channels = desk, channels
        self._worker = worker or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._patience = patience
        self._pool = ThreadPoolExecutor(max_pages, thread_name_prefix="publish")
        self._lanes: dict[str, Future[None]] = {}
        self._outcomes: Counter[Outcome] = Counter()
        self._swept_at: datetime | None = None
        self._beaten_at: datetime | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def run(self, now: datetime) -> PublishReport:
        """One turn: take back what dead workers held, start a lane for each page with something due.

        Repeatable at any time. Raises Unavailable when the desk does not answer; nothing is lost by it.
        """
        clock = _clock(now)
        freed, lost = self._sweep(now)
        for page_id in self._desk.deliveries.due_pages(now):
            self._start(page_id, clock)
        wait(self._lanes.values(), timeout=self._patience.total_seconds())
        report = self._report(freed, lost)
        self._beat(report, clock())
        return report

    def close(self) -> None:
        """Finish what is being sent, put back what only waits for its turn."""
        self._closing.set()
        self._pool.shutdown(wait=True)

    def _sweep(self, now: datetime) -> tuple[int, int]:
        """At the first turn and every SWEEP_EVERY; each second it would hold up other writers."""
        if self._swept_at is not None and timedelta(0) <= now - self._swept_at < SWEEP_EVERY:
            return 0, 0
        self._swept_at = now
        return self._desk.deliveries.sweep(now)

    def _beat(self, report: PublishReport, at: datetime) -> None:
        """When something happened, and else every SWEEP_EVERY."""
        detail = asdict(report)
        is_quiet = not any(detail.values())
        if is_quiet and self._beaten_at is not None and timedelta(0) <= at - self._beaten_at < SWEEP_EVERY:
            return
        self._desk.beats.beat(STAGE, at, detail)
        self._beaten_at = at

    def _start(self, page_id: str, clock: Callable[[], datetime]) -> None:
        lane = self._lanes.get(page_id)
        if lane is None or lane.done():
            self._lanes[page_id] = self._pool.submit(self._serve_page, page_id, clock)

    def _report(self, freed: int, lost: int) -> PublishReport:
        for page_id, lane in list(self._lanes.items()):
            if lane.done():
                del self._lanes[page_id]
                lane.result()  # a defect of ours surfaces here, after the other pages had their turn
        with self._lock:
            counted, self._outcomes = self._outcomes, Counter()
        counts = {outcome.value: number for outcome, number in counted.items()}
        return PublishReport(**counts, freed=freed, lost=lost, at_work=len(self._lanes))

    # -- one page ------------------------------------------------------------------------------------------

    def _serve_page(self, page_id: str, clock: Callable[[], datetime]) -> None:
        try:
            self._empty(page_id, clock)
        except Unavailable as error:  # what it holds is freed by `sweep`
            logger.warning(
                "A page waits for the desk.",
                extra={"action": "page_waits", "page": page_id, "reason": str(error)},
            )

    def _empty(self, page_id: str, clock: Callable[[], datetime]) -> None:
        """Deliver what is due on the page until nothing is."""
        deliveries = self._desk.deliveries
        while not self._closing.is_set():
            claimed = deliveries.claim_due(
                clock(), worker=self._worker, lease=LEASE, limit=1, page_id=page_id
            )
            for delivery in claimed:
                outcome = self._deliver(delivery, clock)
                with self._lock:
                    self._outcomes[outcome] += 1
            if not claimed and page_id not in deliveries.due_pages(clock()):
                return  # an empty claim may also mean that the first in the row was too late

    def _deliver(self, delivery: Delivery, clock: Callable[[], datetime]) -> Outcome:
        try:
            page = self._desk.pages.get(delivery.page_id)
            channel = self._channels(page)
            upload = self._prepare(delivery, page, channel)
            if not self._wait_turn(page, channel, clock):
                self._desk.deliveries.retry_later(delivery.id, clock(), "", at=clock())
                return Outcome.LEFT
            delivery = self._desk.deliveries.begin_sending(
                delivery.id, worker=self._worker, at=clock(), upload=upload, lease=LEASE
            )
        except Conflict as error:  # cancelled, edited, stopped, or the lease is gone: nothing was sent
            logger.info(
                "A delivery was left unsent.",
                extra={"action": "delivery_left", "delivery": delivery.id, "reason": str(error)},
            )
            return Outcome.LEFT
        except (SendError, Refused, NotFound, Misconfigured, Unavailable) as error:
            return self._not_sent(delivery, _before_sending(error), clock())
        except Exception as error:  # a defect of ours or an answer nobody foresaw; proven not sent
            logger.exception(
                "The preparation of a delivery broke.",
                extra={"action": "preparation_broke", "delivery": delivery.id},
            )
            broken = NeedsOperator("Служба сбилась при подготовке отправки.", code=type(error).__name__)
            return self._not_sent(delivery, broken, clock())
        return self._send(delivery, page, channel, clock)

    def _prepare(self, delivery: Delivery, page: Page, channel: Channel) -> str | None:
        """Checks and the upload: everything that may be repeated."""
        channel.prepare(delivery.message, page)
        if delivery.message.photo is None or delivery.upload:
            return delivery.upload
        upload = channel.upload(page, delivery.message.photo)
        if upload:
            self._desk.deliveries.keep_upload(delivery.id, worker=self._worker, upload=upload)
        return upload

    def _wait_turn(self, page: Page, channel: Channel, clock: Callable[[], datetime]) -> bool:
        """Keep the page's pace over all processes; False: the service is being stopped."""
        bucket = f"page:{page.network.value}:{page_address(page.network, page.address)}"
        turn = self._desk.quotas.reserve(bucket, now=clock(), spacing=channel.pace)
        return not self._closing.wait(max(0.0, (turn - clock()).total_seconds()))

    def _send(
        self, delivery: Delivery, page: Page, channel: Channel, clock: Callable[[], datetime]
    ) -> Outcome:
        """The one irreversible write, and the commit of what came of it."""
        try:
            receipt = _write(channel, page, delivery)
        except (RetryLater, NeedsOperator, Rejected) as error:
            return self._not_sent(delivery, error, clock())
        except OutcomeUnknown as error:
            return self._unknown(delivery, error, clock())
        except Exception as error:
            # A defect of ours, after the request may have left: never a reason to send again.
            logger.exception(
                "A channel broke while sending.", extra={"action": "channel_broke", "delivery": delivery.id}
            )
            broken = OutcomeUnknown("Служба сбилась во время отправки.", code=type(error).__name__)
            return self._unknown(delivery, broken, clock())
        return self._published(delivery, receipt, clock())

    # -- recording -----------------------------------------------------------------------------------------

    def _published(self, delivery: Delivery, receipt: Receipt, at: datetime) -> Outcome:
        logger.info(
            "A delivery is out.",
            extra={"action": "delivery_published", "delivery": delivery.id, "remote_id": receipt.remote_id},
        )
        self._record(
            lambda: self._desk.deliveries.record_published(
                delivery.id, remote_id=receipt.remote_id, url=receipt.url, at=at
            )
        )
        return Outcome.PUBLISHED

    def _unknown(self, delivery: Delivery, error: OutcomeUnknown, at: datetime) -> Outcome:
        _warn("delivery_unknown", delivery, error)
        self._record(
            lambda: self._desk.deliveries.record_unknown(
                delivery.id, str(error), at=at, code=error.code, attempt=delivery.attempt
            )
        )
        return Outcome.UNKNOWN

    def _not_sent(self, delivery: Delivery, error: SendError, at: datetime) -> Outcome:
        """Proven not sent: again later, to a person, or refused for good."""
        _warn("delivery_not_sent", delivery, error)
        deliveries = self._desk.deliveries
        facts: dict[str, Any] = {"at": at, "code": error.code, "attempt": delivery.attempt}
        again = next_try(error, delivery.attempt, at)
        if again is not None and not self._is_too_late(delivery, again):
            self._record(lambda: deliveries.retry_later(delivery.id, again, str(error), **facts))
            return Outcome.RETRIED
        if isinstance(error, Rejected):
            self._record(lambda: deliveries.record_failed(delivery.id, str(error), **facts))
            return Outcome.FAILED
        said = str(error) if again is None else f"{error} Следующая попытка была бы позже допустимого."
        self._record(lambda: deliveries.need_person(delivery.id, said, **facts))
        return Outcome.NEEDS_HUMAN

    def _is_too_late(self, delivery: Delivery, again: datetime) -> bool:
        """A congratulation of the next day is worse than none; an answer to a resident is not."""
        if delivery.kind is DeliveryKind.REPLY:
            return False
        return again > delivery.due_at + self._desk.pages.get(delivery.page_id).late_limit

    def _record(self, write: Callable[[], object]) -> None:
        """Commit an outcome, through a short absence of the database. When that fails the row stays as it is:
        `sweep` will call it unknown, which is true."""
        for pause in (*RECORD_PAUSES, None):
            try:
                write()
            except Unavailable:
                if pause is None:
                    raise
                time.sleep(pause)
            except Conflict as error:  # somebody else decided about it meanwhile
                logger.warning(
                    "An outcome came too late.", extra={"action": "outcome_late", "reason": str(error)}
                )
                return
            else:
                return


def _write(channel: Channel, page: Page, delivery: Delivery) -> Receipt:
    key, message = send_key(delivery.id), delivery.message
    if message.reply_to is not None:
        return channel.comment(page, message.reply_to, message.text, key=key)
    return channel.send(page, message, upload=delivery.upload, key=key)


def _before_sending(error: Exception) -> SendError:
    """An error of the preparation, in the words of a send that did not happen."""
    if isinstance(error, OutcomeUnknown | Unavailable):
        return RetryLater(str(error), after=UPLOAD_PAUSE)
    if isinstance(error, SendError):
        return error
    return NeedsOperator(str(error))  # a page or photo that is gone, a text the page cannot take


def _warn(action: str, delivery: Delivery, error: SendError) -> None:
    logger.warning(
        "A delivery did not come out.",
        extra={"action": action, "delivery": delivery.id, "attempt": delivery.attempt, "code": error.code},
    )


def _clock(now: datetime) -> Callable[[], datetime]:
    """Goes on from `now` by the monotonic clock: a jump of the wall clock does not reach a turn under way."""
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)
