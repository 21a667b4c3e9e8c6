from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from api import run as api_run
from api.run import Beating, Stage, run_alone, start_ticks
from api.service import Service
from api.stages import shard_range
from index.errors import Refused, Unavailable
from tests.services import wait_until


def stage(tick: Callable[[], Mapping[str, Any]], *, closed: list[str] | None = None) -> Stage:
    def drain() -> None:
        while tick():
            pass

    def close() -> None:
        if closed is not None:
            closed.append("closed")

    return Stage(name="watch", every=timedelta(milliseconds=20), tick=tick, drain=drain, close=close)


def answers(*given: Mapping[str, Any] | Exception) -> Callable[[], Mapping[str, Any]]:
    """A tick that gives these in turn, then nothing more."""
    left = list(given)

    def tick() -> Mapping[str, Any]:
        answer = left.pop(0) if left else {}
        if isinstance(answer, Exception):
            raise answer
        return answer

    return tick


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unavailable("Индекс не отвечает."), "Индекс не отвечает."),
        (KeyError("x"), "ошибка программы: KeyError"),
    ],
)
def test_what_goes_wrong_stands_in_the_heartbeat(service: Service, error: Exception, reason: str) -> None:
    Beating(service, stage(answers(error)))()
    assert service.desk.beats.all()["watch"].detail == {"error": reason}


def test_a_failed_stage_rests_and_its_recovery_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(api_run, "time", SimpleNamespace(monotonic=lambda: clock[0]))  # of this module alone
    beating = Beating(service, stage(answers(Unavailable("нет"), {"watched": 1}, {})))
    beating()
    assert beating() == {}  # rests
    clock[0] += 3
    assert beating() == {"watched": 1}
    assert service.desk.beats.all()["watch"].detail == {"watched": 1}


def test_ticks_of_a_broken_stage_do_not_stop_the_others(service: Service) -> None:
    ticked: list[int] = []
    broken = Stage(
        name="crawl", every=timedelta(milliseconds=20), tick=answers(RuntimeError()), drain=lambda: None
    )
    scheduler = start_ticks(service, [broken, stage(lambda: ticked.append(1) or {})])
    try:
        wait_until(lambda: len(ticked) > 2, seconds=10, what="ticks of the other stage")
    finally:
        scheduler.shutdown()


def test_once_drains_and_closes(service: Service) -> None:
    closed: list[str] = []
    tick = answers({"watched": 2}, {"watched": 1})
    run_alone(service, stage(tick, closed=closed), once=True, stop=threading.Event())
    assert (tick(), closed) == ({}, ["closed"])


def test_once_fails_loudly(service: Service) -> None:
    with pytest.raises(Unavailable):
        run_alone(service, stage(answers(Unavailable("нет"))), once=True, stop=threading.Event())


def test_alone_it_runs_until_it_is_stopped(service: Service) -> None:
    stop = threading.Event()
    run_alone(service, stage(lambda: stop.set() or {}), once=False, stop=stop)
    assert stop.is_set()


def test_shards_cover_every_post_once() -> None:
    for whole in (1, 3, 4, 7, 256):
        parts = [shard_range(f"{part}/{whole}") for part in range(whole)]
        assert sorted(key for part in parts for key in part) == list(range(256))


@pytest.mark.parametrize("text", ["", "1", "4/4", "-1/4", "0/0", "0/300", "a/b"])
def test_a_wrong_shard_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="0/4"):
        shard_range(text)
