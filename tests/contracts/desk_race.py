"""Several processes with several threads each at one desk; what they do must be importable by name."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from index.desk import Desk, open_desk
from index.errors import ServiceError
from tests.factories import NOON, alert

PROCESSES = 3
THREADS = 3
LEASE = timedelta(minutes=5)
SPACING = timedelta(seconds=1)
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.contracts.desk_race"])


def race(setting: str, data: Path, work: Callable[[Desk, str], Any]) -> list[Any]:
    """What `work(desk, worker)` gave in each thread of each process, all begun at the same moment."""
    answers = _context.Queue()
    barrier = _context.Barrier(PROCESSES)
    processes = [
        _context.Process(target=_one, args=(setting, data, work, f"w{n}", barrier, answers))
        for n in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    found = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(timeout=30)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    return [answer for answers in found for answer in answers]


def _one(setting: str, data: Path, work: Callable[..., Any], worker: str, barrier: Any, answers: Any) -> None:
    desk = open_desk(setting, data)
    try:
        barrier.wait(timeout=60)
        with ThreadPoolExecutor(THREADS) as pool:
            names = [f"{worker}.{n}" for n in range(THREADS)]
            answers.put(list(pool.map(partial(work, desk), names)))
    finally:
        desk.close()


def hold_and_die(setting: str, data: Path, ready: Any) -> None:
    """Begin a write, then be killed inside it."""
    desk = open_desk(setting, data)
    with desk.database.write() as tx:
        desk.incidents.open_within(tx, title="Пропадёт", post_ids=(), actor="w", at=NOON)
        ready.set()
        time.sleep(60)


def killed_inside_a_write(setting: str, data: Path) -> None:
    ready = _context.Event()
    process = _context.Process(target=hold_and_die, args=(setting, data, ready))
    process.start()
    assert ready.wait(timeout=60)
    assert process.pid is not None
    os.kill(process.pid, 9)
    process.join(timeout=30)


# what the racers do


def claim_jobs(desk: Desk, worker: str) -> list[str]:
    taken: list[str] = []
    while found := desk.jobs.claim_due(NOON, worker=worker, lease=LEASE, limit=2):
        taken += [source.id for source in found]
    return taken


def claim_deliveries(desk: Desk, worker: str) -> list[str]:
    taken: list[str] = []
    while found := desk.deliveries.claim_due(NOON, worker=worker, lease=LEASE, limit=2):
        taken += [delivery.id for delivery in found]
    return taken


def send_all(desk: Desk, worker: str) -> int:
    """Every racer believes that it holds every delivery; how many it was allowed to send."""
    allowed = 0
    for delivery in desk.deliveries.find()[0]:
        try:
            desk.deliveries.begin_sending(delivery.id, worker="w", at=NOON)
            allowed += 1
        except ServiceError:
            continue
    return allowed


def reserve(desk: Desk, worker: str) -> list[float]:
    return [desk.quotas.reserve("vk", now=NOON, spacing=SPACING).timestamp() for _ in range(4)]


def spend(desk: Desk, worker: str) -> int:
    return sum(desk.quotas.spend("vk", day=NOON.date(), limit=20) for _ in range(4))


def open_incidents(desk: Desk, worker: str) -> list[str]:
    return [
        desk.incidents.open(title="Нет тепла", post_ids=(), actor=worker, at=NOON).number for _ in range(4)
    ]


def raise_one_matter(desk: Desk, worker: str) -> list[str]:
    return [
        desk.alerts.raise_alert(alert(id=f"{worker}-{n}", key="story:s-1", post_ids=(f"{worker}-{n}",))).id
        for n in range(3)
    ]


def accept(desk: Desk, worker: str) -> int:
    try:
        desk.alerts.accept("a-1", actor=worker, at=NOON, version=0)
    except ServiceError:
        return 0
    return 1


def guess(desk: Desk, worker: str) -> int:
    """How many passwords were looked at before the lock."""
    tried = 0
    for _ in range(2):
        try:
            desk.people.verify("ivanova", "нет", now=NOON)
        except ServiceError as error:
            tried += "Неверн" in str(error)
    return tried


def write_notes(desk: Desk, worker: str) -> None:
    for n in range(6):
        desk.flags.set(f"{worker}-{n}", n, actor=worker, at=NOON)
