"""A publisher's turns: slots are met whatever the reads of slow networks wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from api.practice.twin import Twin
from index.desk import Desk
from index.domain.page import Page
from index.domain.publication import DeliveryState
from publisher.channels.base import Channel
from publisher.publish import Publisher
from tests.publisher.conftest import TEXT, Clock, plan, state, texts
from tests.services import wait_until


@pytest.fixture
def publisher(desk: Desk, channels: Callable[[Page], Channel]) -> Iterator[Publisher]:
    publisher = Publisher(desk, channels)
    yield publisher
    publisher.close()


def test_turns_send_what_is_due_and_settle_what_is_unknown(
    publisher: Publisher, desk: Desk, twin: Twin, clock: Clock
):
    twin.fail("vk", "wall.post", "reset_after_accept")
    [delivery] = plan(desk, "vk", at=clock())
    assert publisher.run(clock()).unknown == 1
    publisher.run(clock.on(seconds=11))
    wait_until(
        lambda: state(desk, delivery) is DeliveryState.PUBLISHED, seconds=20, what="the reconciled delivery"
    )


def test_a_slow_read_of_one_network_does_not_delay_a_slot_of_another(
    publisher: Publisher, desk: Desk, twin: Twin, clock: Clock
):
    twin.fail("vk", "wall.post", "reset_after_accept")
    plan(desk, "vk", at=clock())
    publisher.run(clock())
    twin.fail("vk", "wall.get", "slow", seconds=4)
    plan(desk, "max", at=clock.on(seconds=11))
    started = time.monotonic()
    publisher.run(clock())
    assert texts(twin, "max") == [TEXT]
    plan(desk, "ok", at=clock.on(seconds=1))
    publisher.run(clock())
    assert texts(twin, "ok") == [TEXT]
    assert time.monotonic() - started < 4


def test_draining_sends_all_that_is_due_and_looks_once_at_what_follows(
    publisher: Publisher, desk: Desk, twin: Twin, clock: Clock
):
    deliveries = [*plan(desk, "vk", at=clock()), *plan(desk, "max", at=clock())]
    publisher.drain(clock)
    assert {state(desk, d) for d in deliveries} == {DeliveryState.PUBLISHED}
    assert all(desk.figures.history(d.id) for d in deliveries)


def test_a_defect_in_what_follows_does_not_stop_the_turns(
    publisher: Publisher, desk: Desk, twin: Twin, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    def broken(*args: object) -> None:
        raise KeyError("defect")

    monkeypatch.setattr("publisher.publish.check_keys", broken)
    publisher.run(clock())
    plan(desk, "vk", at=clock.on(minutes=2))
    assert publisher.run(clock()).published == 1
