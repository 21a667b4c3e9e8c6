"""The stages as ticks: APScheduler only rings the bell, what is due lives in the desk and the index."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from api.service import Service
from index.errors import ServiceError

logger = logging.getLogger(__name__)

BEAT_EVERY = timedelta(seconds=15)  # a quiet stage writes its heartbeat this seldom
LONGEST_PAUSE = timedelta(minutes=1)  # between tries while something is unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: `tick` does what is due now and says what it did; {} when nothing was."""

    name: str
    every: timedelta
    tick: Callable[[], Mapping[str, Any]]
    drain: Callable[[], None]  #: all that is due now, for --once
    close: Callable[[], None] = lambda: None  #: gives back threads and connections


class Beating:
    """Calls a stage's tick, keeps its heartbeat, and backs off while a database or network is down."""

    def __init__(self, service: Service, stage: Stage) -> None:
        self._service = service
        self._stage = stage
        self._failures = 0
        self._rest_until = 0.0  # monotonic seconds
        self._beaten_at = 0.0

    def __call__(self) -> Mapping[str, Any]:
        """One tick. Never raises a ServiceError; anything else is a bug and is left to the caller."""
        if time.monotonic() < self._rest_until:
            return {}
        try:
            done = self._stage.tick()
        except ServiceError as error:
            self._failures += 1
            pause = min(2.0**self._failures, LONGEST_PAUSE.total_seconds())
            self._rest_until = time.monotonic() + pause
            logger.warning(
                "A stage waits: %s",
                error,
                extra={"action": "stage_waits", "stage": self._stage.name, "pause_seconds": pause},
            )
            self._beat({"error": str(error)})
            return {}
        self._failures = 0
        if done:
            logger.info(
                "A stage did its work: %s",
                dict(done),
                extra={"action": "stage_done", "stage": self._stage.name},
            )
        if done or time.monotonic() - self._beaten_at > BEAT_EVERY.total_seconds():
            self._beat(done)
        return done

    def _beat(self, detail: Mapping[str, Any]) -> None:
        try:
            self._service.desk.beats.beat(self._stage.name, at=self._service.now(), detail=dict(detail))
            self._beaten_at = time.monotonic()
        except ServiceError as error:  # the desk itself is down: the log is all that is left
            logger.warning("A heartbeat could not be written: %s", error, extra={"action": "beat_lost"})


def start_ticks(service: Service, stages: list[Stage]) -> BackgroundScheduler:
    """All stages as interval jobs of one scheduler; at most one run of a stage at a time, late runs merge."""
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(len(stages))},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone="UTC",
    )
    for stage in stages:
        scheduler.add_job(
            Beating(service, stage), "interval", seconds=stage.every.total_seconds(), id=stage.name
        )
    scheduler.add_listener(_report, EVENT_JOB_ERROR | EVENT_JOB_MAX_INSTANCES)
    logging.getLogger("apscheduler").setLevel(
        logging.ERROR
    )  # its «maximum number of instances» is our normal
    scheduler.start()
    return scheduler


def run_alone(service: Service, stage: Stage, *, once: bool, stop: threading.Event) -> None:
    """One stage in this process: `once` drains what is due, else until `stop` is set.

    With `once` a ServiceError goes to the caller: the work failed.
    """
    try:
        if once:
            stage.drain()
            return
        beating = Beating(service, stage)
        while not stop.is_set():
            if not beating():
                stop.wait(stage.every.total_seconds())
    finally:
        stage.close()


def _report(event: JobExecutionEvent) -> None:
    if event.code == EVENT_JOB_ERROR:
        logger.error(
            "A stage broke: %s",
            event.exception,
            exc_info=event.exception,
            extra={"action": "stage_broke", "stage": event.job_id},
        )
