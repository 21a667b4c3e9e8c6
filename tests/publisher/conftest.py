"""A desk with official pages on practice networks, and approved posts that wait for their time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import httpx2
import pytest

from api.practice.twin import Twin
from index.desk import Desk, open_desk
from index.desk.database import FILE_NAME
from index.domain.page import Page, PageMode
from index.domain.post import Network
from index.domain.publication import Delivery, DeliveryState, Message, Publication
from index.settings import read_settings
from publisher.channels import Channels, wire
from publisher.channels.base import Channel

_serial = count(1)
TEXT = "Субботник в парке — в субботу, в 10:00. Приходите!"

PAGES = {
    "vk": Page(id="vk", network=Network.VK, address="club1", title="Район", mode=PageMode.LIVE),
    "ok": Page(id="ok", network=Network.OK, address="70000001234567", title="Район", mode=PageMode.LIVE),
    "telegram": Page(
        id="telegram", network=Network.TELEGRAM, address="@rayon_adm", title="Район", mode=PageMode.LIVE
    ),
    "max": Page(id="max", network=Network.MAX, address="-7000", title="Район", mode=PageMode.LIVE),
}


class Clock:
    """Time of a test: the networks and the service read the same one, and only the test moves it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def on(self, **length: float) -> datetime:
        self.now += timedelta(**length)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def twin(clock: Clock) -> Iterator[Twin]:
    with Twin(limits=False, clock=clock) as twin:
        for page in PAGES.values():
            twin.community(page.network, page.address, title=page.title)
        yield twin


@pytest.fixture(scope="session")
def desk_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty desk to copy: its migrations take longer than most tests."""
    folder = tmp_path_factory.mktemp("desk")
    open_desk("sqlite", folder).close()
    return folder / FILE_NAME


@pytest.fixture
def desk(tmp_path: Path, desk_file: Path, clock: Clock) -> Iterator[Desk]:
    shutil.copy(desk_file, tmp_path)
    desk = open_desk("sqlite", tmp_path)
    register(desk, clock())
    yield desk
    desk.close()


@pytest.fixture
def channels(
    twin: Twin, desk: Desk, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Channels]:
    monkeypatch.setattr(wire, "TIMEOUT", httpx2.Timeout(1.0))
    # the clock of these tests stands still: a turn that waits for it would never come
    unpaced = "vk=1000/s, ok=1000/s, telegram=1000/s, telegram:bot=1000/s, max=1000/s"
    channels = Channels(
        read_settings({}, **twin.settings() | {"limits": unpaced}, data=tmp_path), desk, clock
    )
    yield channels
    channels.close()


@pytest.fixture
def unhurried(channels: Channels) -> Callable[[Page], Channel]:
    """Channels without a pace of their own, for tests of many posts."""

    def hurry(page: Page) -> Channel:
        channel = channels(page)
        channel.pace = timedelta(0)
        return channel

    return hurry


def register(desk: Desk, at: datetime) -> None:
    for page in PAGES.values():
        desk.pages.add(page, actor="officer", at=at)


def plan(
    desk: Desk,
    *pages: str,
    at: datetime,
    due_at: datetime | None = None,
    text: str = TEXT,
    photo: str | None = None,
) -> Sequence[Delivery]:
    """A publication that the editor wrote and the head approved; one delivery a page."""
    due_at = due_at or at
    publication = Publication(
        id=f"pub-{next(_serial)}",
        title="Субботник",
        author="editor",
        due_at=due_at,
        wall_time=due_at.replace(tzinfo=None).isoformat(),
        zone="UTC",
        variants=tuple((page, Message(text=text, photo=photo)) for page in pages),
    )
    publication = desk.publications.save_draft(publication, actor="editor", at=at)
    publication = desk.publications.submit(publication.id, actor="editor", at=at, version=publication.version)
    _, deliveries = desk.publications.approve(
        publication.id, actor="head", at=at, version=publication.version, hash=publication.payload_hash
    )
    return deliveries


def state(desk: Desk, delivery: Delivery) -> DeliveryState:
    return desk.deliveries.get(delivery.id).state


def texts(twin: Twin, page: str) -> list[str]:
    """What stands on a page, newest first."""
    return [post.text for post in twin.posts(PAGES[page].network, PAGES[page].address)]
