"""The stages as ticks: APScheduler only rings the bell, what is due lives in the desk and the index."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

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
        """One tick; never raises. What goes wrong stands in the heartbeat until a tick goes well."""
        if time.monotonic() < self._rest_until:
            return {}
        try:
            done = self._stage.tick()
        except ServiceError as error:
            logger.warning("A stage waits: %s", error, extra=self._extra("stage_waits"))
            return self._failed(str(error))
        except Exception as error:  # a bug: the other stages go on, this one says so and tries again
            logger.exception("A stage broke.", extra=self._extra("stage_broke"))
            return self._failed(f"ошибка программы: {type(error).__name__}")
        has_recovered, self._failures = self._failures > 0, 0
        if done:
            logger.info("A stage did its work: %s", dict(done), extra=self._extra("stage_done"))
        if done or has_recovered or time.monotonic() - self._beaten_at > BEAT_EVERY.total_seconds():
            self._beat(done)
        return done

    def _failed(self, reason: str) -> Mapping[str, Any]:
        self._failures += 1
        pause = min(2.0**self._failures, LONGEST_PAUSE.total_seconds())
        self._rest_until = time.monotonic() + pause
        self._beat({"error": reason})
        return {}

    def _extra(self, action: str) -> dict[str, str]:
        return {"action": action, "stage": self._stage.name}

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
    # «maximum number of running instances reached» is how a slow tick looks here, nothing to warn of
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
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
