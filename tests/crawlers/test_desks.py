"""Crawling is the same on every database that the desk runs on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from api.practice.twin import Twin
from index.desk import open_desk
from index.posts import open_posts
from tests.crawlers.conftest import FAST, Stand


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def stand(request: pytest.FixtureRequest, twin: Twin, tmp_path: Path) -> Iterator[Stand]:
    is_postgres = request.param == "postgres"
    desk = open_desk(request.getfixturevalue("postgres_url") if is_postgres else "sqlite", tmp_path)
    posts = open_posts("sqlite", tmp_path)
    stand = Stand(twin=twin, desk=desk, posts=posts, overrides=twin.settings() | {"limits": FAST})
    yield stand
    stand.close()
    posts.close()
    desk.close()


PAGES = [("vk", "club1"), ("telegram", "kurlovo_news"), ("ok", "57000000007")]


def test_posts_and_comments_are_read_once_and_cursors_move(stand: Stand) -> None:
    said = set()
    for network, address in PAGES:
        stand.watch(network, address)
        for number in range(25):
            said.add(stand.twin.say(network, address, f"{address} запись {number}"))
    said.add(stand.twin.say("vk", "club1", "ответ", parent=stand.twin.posts("vk", "club1")[0].id))
    first = stand.crawl()
    assert not first.troubles
    stand.ahead += timedelta(minutes=6)
    stand.crawl()
    assert set(stand.all_posts()) == said
    assert all(stand.desk.cursors.get(f"{n}:{a}", "posts") for n, a in PAGES)
    assert stand.crawl().new == 0


def test_reading_from_the_start_again_changes_nothing(stand: Stand) -> None:
    source_id = stand.watch("vk", "club1")
    for number in range(150):
        stand.twin.say("vk", "club1", f"запись {number}")
    assert stand.crawl().new == 150
    stand.desk.cursors.save(source_id, {}, "posts")
    stand.close()  # what this process remembers of its posts is forgotten
    stand._open.clear()
    again = stand.crawl()
    assert (again.new, again.changed) == (0, 0)
    assert len(stand.all_posts()) == 150


def test_two_processes_share_one_register(stand: Stand) -> None:
    for number in range(1, 7):
        stand.watch("vk", f"club{number}")
        stand.twin.say("vk", f"club{number}", f"запись {number}")
    reports = [crawler.run_due(stand.clock()) for crawler in (stand.crawler(), stand.another())]
    assert sum(report.visited for report in reports if not report.troubles) >= 6
    assert sum(report.new for report in reports) == 6


def test_a_source_of_a_killed_process_is_read_when_its_lease_runs_out(stand: Stand) -> None:
    source_id = stand.watch("vk", "club1")
    stand.twin.say("vk", "club1", "запись")
    held = stand.desk.jobs.claim_due(stand.clock(), worker="killed", lease=timedelta(seconds=20), limit=5)
    assert [source.id for source in held] == [source_id]
    assert stand.crawl("vk:club1").visited == 0
    stand.ahead += timedelta(seconds=21)
    assert stand.crawl("vk:club1").new == 1


def test_a_record_that_cannot_be_read_waits_in_the_quarantine(stand: Stand) -> None:
    source_id = stand.watch("vk", "club1")
    stand.desk.quarantine.add(
        stage="crawl:vk.wall", network=stand.desk.sources.get(source_id).network, source_id=source_id,
        raw='{"response": {"items": [{"id": 5, "owner_id": -1, "from_id": -1, "date": 1795510800,'
        ' "post_type": "post", "text": "запись"}]}}',
        error="проба", at=stand.clock(),
    )  # fmt: skip
    report = stand.crawler().replay(stand.clock())
    assert (report.tried, report.mended, report.new) == (1, 1, 1)
    assert not stand.desk.quarantine.list()
