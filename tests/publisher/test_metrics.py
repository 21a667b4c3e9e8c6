"""Figures of our posts: often while they are young, then ever more seldom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from api.practice.twin import Twin
from index.desk import Desk
from index.domain.page import Page
from publisher.channels.base import Channel
from publisher.metrics import is_due, measure
from publisher.outbox import Outbox
from tests.factories import NOON
from tests.publisher.conftest import PAGES, Clock, plan


@pytest.mark.parametrize(
    ("age", "since_reading", "due"),
    [
        ({"minutes": 1}, None, True),
        ({"hours": 1}, {"minutes": 9}, False),
        ({"hours": 1}, {"minutes": 10}, True),
        ({"hours": 10}, {"minutes": 50}, False),
        ({"days": 3}, {"hours": 6}, True),
        ({"days": 20}, {"hours": 23}, False),
        ({"days": 31}, None, False),
    ],
)
def test_the_older_a_post_the_more_seldom_it_is_read(age: dict, since_reading: dict | None, due: bool):
    read_at = None if since_reading is None else NOON - timedelta(**since_reading)
    assert is_due(NOON - timedelta(**age), read_at, NOON) is due


def test_figures_are_read_from_every_network_and_their_history_is_kept(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    deliveries = plan(desk, *PAGES, at=clock())
    outbox = Outbox(desk, channels)
    outbox.run(clock())
    outbox.close()
    for views in (100, 1200):
        for delivery in deliveries:
            out = desk.deliveries.get(delivery.id)
            twin.count(f"{out.page_id}:{out.remote_id}", views=views, likes=7)
        assert measure(desk, channels, clock.on(minutes=10)).read == 4
    assert measure(desk, channels, clock.on(minutes=5)).read == 0
    for delivery in deliveries:
        assert [figure.counters.views for figure in desk.figures.history(delivery.id)] == [100, 1200]


def test_a_network_that_tells_nothing_does_not_stop_the_others(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    plan(desk, "vk", "max", at=clock())
    outbox = Outbox(desk, channels)
    outbox.run(clock())
    outbox.close()
    twin.fail("vk", "wall.getById", "http_502")
    report = measure(desk, channels, clock.on(minutes=10))
    assert (report.read, report.refused) == (1, 1)
