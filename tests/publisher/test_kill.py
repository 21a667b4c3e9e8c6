"""kill -9 at any moment: no page ever holds a post twice, and nothing is silently dropped."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

from api.practice.twin import Twin
from index.desk import Desk, open_desk
from index.domain.page import Page
from index.domain.publication import DeliveryState
from publisher.channels.base import Channel
from publisher.outbox import LEASE, Outbox
from publisher.reconcile import reconcile
from tests.publisher.conftest import PAGES, TEXT, Clock, plan, register, state, texts
from tests.publisher.pictures import PNG
from tests.publisher.sender import POINTS, publish

SETTLED = {DeliveryState.PUBLISHED, DeliveryState.NEEDS_HUMAN}


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Real processes that start in a few milliseconds, their imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.publisher.sender"])
    return context


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def desk_url(request: pytest.FixtureRequest, tmp_path: Path, desk_file: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'desk.sqlite'}"


@pytest.fixture
def shared_desk(desk_url: str, tmp_path: Path, clock: Clock) -> Iterator[Desk]:
    """A desk that this process and the killed ones have open."""
    desk = open_desk(desk_url, tmp_path)
    register(desk, clock())
    for page in PAGES.values():
        desk.pages.save(replace(page, late_limit=timedelta(days=1)), actor="officer", at=clock())
    yield desk
    desk.close()


class Senders:
    """Starts processes that publish, and recovers from their deaths as a restarted service does."""

    def __init__(
        self, context: ForkServerContext, desk_url: str, folder: Path, twin: Twin, clock: Clock
    ) -> None:
        self._context, self._desk_url, self._folder = context, desk_url, folder
        self._twin, self._clock = twin, clock

    def start(self, die: str = "") -> ForkServerProcess:
        arguments = (self._desk_url, self._folder, self._twin.settings(), self._clock(), die)
        process = self._context.Process(target=publish, args=arguments, daemon=True)
        process.start()
        return process

    def kill_at_work(self, dice: random.Random) -> None:
        """Start one and kill it some calls later, somewhere between an answer and its record."""
        process = self.start()
        enough = len(self._twin.calls) + dice.randint(1, 6)
        while process.is_alive() and len(self._twin.calls) < enough:
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.02))
        process.kill()
        process.join(60)

    def recover(self, desk: Desk, channels: Callable[[Page], Channel]) -> None:
        """The leases run out, then turns of the outbox and the reconciler until nothing is left open."""
        self._clock.now += LEASE + timedelta(minutes=1)
        outbox = Outbox(desk, channels, patience=timedelta(seconds=60))
        for _ in range(6):
            outbox.run(self._clock.on(seconds=70))
            reconcile(desk, channels, self._clock())
        outbox.close()


@pytest.fixture
def senders(processes: ForkServerContext, desk_url: str, tmp_path: Path, twin: Twin, clock: Clock) -> Senders:
    return Senders(processes, desk_url, tmp_path, twin, clock)


@pytest.fixture
def desk(shared_desk: Desk) -> Desk:
    """The channels of this process read photos of the shared desk."""
    return shared_desk


@pytest.mark.parametrize("desk_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("die", POINTS)
def test_killed_at_this_very_point_the_post_stands_once(
    senders: Senders,
    shared_desk: Desk,
    twin: Twin,
    clock: Clock,
    unhurried: Callable[[Page], Channel],
    die: str,
):
    [delivery] = plan(shared_desk, "vk", at=clock(), photo=shared_desk.media.put(PNG, "image/png"))
    process = senders.start(die)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    senders.recover(shared_desk, unhurried)
    assert (texts(twin, "vk"), state(shared_desk, delivery)) == ([TEXT], DeliveryState.PUBLISHED)
    assert len(twin.posts("vk", "club1")[0].photos) == 1


@pytest.mark.parametrize("die", ["before send", "after send", "before record_published"])
@pytest.mark.parametrize("desk_url", ["sqlite"], indirect=True)
def test_a_network_that_cannot_be_listed_asks_a_person_rather_than_repeat(
    senders: Senders,
    shared_desk: Desk,
    twin: Twin,
    clock: Clock,
    unhurried: Callable[[Page], Channel],
    die: str,
):
    [delivery] = plan(shared_desk, "telegram", at=clock())
    senders.start(die).join(60)
    senders.recover(shared_desk, unhurried)
    stands = len(texts(twin, "telegram"))
    wanted = DeliveryState.NEEDS_HUMAN if stands == 0 else DeliveryState.PUBLISHED
    assert (stands <= 1, state(shared_desk, delivery)) == (True, wanted)


def test_killed_again_and_again_at_random_moments_every_post_stands_once(
    senders: Senders, shared_desk: Desk, twin: Twin, clock: Clock, unhurried: Callable[[Page], Channel]
):
    dice = random.Random(20261124)
    deliveries = [d for n in range(8) for d in plan(shared_desk, *PAGES, at=clock(), text=f"Новость {n}")]
    caught: Counter[DeliveryState] = Counter()
    for _ in range(6):
        senders.kill_at_work(dice)
        caught.update(state(shared_desk, delivery) for delivery in deliveries)
        clock.now += LEASE + timedelta(minutes=1)
    assert caught[DeliveryState.SENDING] > 0  # the deaths came in the middle of things
    senders.recover(shared_desk, unhurried)
    states = {delivery.id: state(shared_desk, delivery) for delivery in deliveries}
    assert set(states.values()) <= SETTLED
    for page in PAGES:
        stands = Counter(texts(twin, page))
        assert max(stands.values(), default=1) == 1, page
        for delivery in (d for d in deliveries if d.page_id == page):
            assert stands[delivery.message.text] == 1 or states[delivery.id] is DeliveryState.NEEDS_HUMAN
    assert {d.page_id for d in deliveries if states[d.id] is DeliveryState.NEEDS_HUMAN} <= {"telegram"}
    assert shared_desk.audit.verify() is None


def test_two_processes_share_the_outbox_and_nothing_goes_out_twice(
    senders: Senders, shared_desk: Desk, twin: Twin, clock: Clock
):
    deliveries = [d for n in range(8) for d in plan(shared_desk, *PAGES, at=clock(), text=f"Новость {n}")]
    both = [senders.start(), senders.start()]
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert {state(shared_desk, d) for d in deliveries} == {DeliveryState.PUBLISHED}
    for page in PAGES:
        assert sorted(texts(twin, page)) == [f"Новость {n}" for n in range(8)]
