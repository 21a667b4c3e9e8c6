"""The desk of the practice stand: filled once, whole, and safe to fill again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.practice.scenario import build_places
from api.practice.setup import PRACTICE_PEOPLE, picture, practice_sources, prepare
from api.practice.twin import Twin
from index.desk import Desk, open_desk
from index.domain.page import PageMode, page_address
from index.domain.person import Role
from index.domain.post import Network
from index.domain.publication import PublicationState

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, served_twin: Twin):
    build_places(served_twin)
    found = open_desk("sqlite", tmp_path_factory.mktemp("desk"))
    prepare(found, served_twin, NOW)
    yield found
    found.close()


def test_sources_of_every_network_are_watched(desk: Desk, served_twin: Twin) -> None:
    sources = desk.sources.list(enabled_only=True)
    assert {source.network for source in sources} == set(Network)
    assert {source.id for source in sources} == {source.id for source in practice_sources(served_twin)}
    assert any(source.is_official for source in sources)
    assert {"Курлово", "Уршельский", "Мезиновский"} <= {source.home for source in sources}


def test_official_pages_are_live_on_the_twin_under_addresses_that_channels_take(
    desk: Desk, served_twin: Twin
) -> None:
    pages = desk.pages.list()
    assert {page.network for page in pages} == {Network.VK, Network.OK, Network.TELEGRAM, Network.MAX}
    assert {page.mode for page in pages} == {PageMode.LIVE}
    for page in pages:
        assert page_address(page.network, page.address)
        assert page.address.lstrip("@") in served_twin.addresses(page.network)


def test_everybody_can_log_in_and_every_role_of_people_is_there(desk: Desk) -> None:
    kept = {person.login: person for person in desk.people.list()}
    assert kept == {person.login: person for person, _ in PRACTICE_PEOPLE}
    person, password = PRACTICE_PEOPLE[0]  # argon2 is slow on purpose: one stands for all
    assert desk.people.verify(person.login, password, now=NOW) == person
    assert set(Role) - {Role.READER} <= {role for person, _ in PRACTICE_PEOPLE for role in person.roles}


def test_publications_stand_in_every_stage(desk: Desk) -> None:
    publications, _ = desk.publications.find()
    states = {publication.state for publication in publications}
    assert states == {PublicationState.DRAFT, PublicationState.ON_REVIEW, PublicationState.APPROVED}
    assert all(p.due_at > NOW for p in publications)
    assert any(message.photo for p in publications for _, message in p.variants)


def test_filling_again_changes_nothing(desk: Desk, served_twin: Twin) -> None:
    before = (desk.sources.list(), desk.pages.list(), desk.people.list(), desk.publications.find())
    rows = len(desk.audit.find(limit=1000)[0])
    prepare(desk, served_twin, NOW + timedelta(hours=1))
    assert (desk.sources.list(), desk.pages.list(), desk.people.list(), desk.publications.find()) == before
    assert len(desk.audit.find(limit=1000)[0]) == rows


def test_feeds_of_a_stand_on_another_port_are_switched_off(desk: Desk, tmp_path: Path) -> None:
    with Twin() as other:
        prepare(desk, other, NOW)
        feeds = [s for s in desk.sources.list(enabled_only=True) if s.network is Network.NEWS]
        assert all(feed.address.startswith(other.url) for feed in feeds)


def test_the_picture_is_a_png() -> None:
    assert picture(8, 4).startswith(b"\x89PNG\r\n\x1a\n")
