"""kill -9 of the whole service at random moments: nothing collected is lost, nothing goes out twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.practice.scenario import build_places
from api.practice.setup import prepare
from api.practice.twin import Twin
from index.desk import Desk, open_desk
from index.domain.publication import DeliveryState, Message, Publication
from index.posts import open_posts
from index.posts.query import PostState
from tests.browser.conftest import start_up
from tests.services import free_port, wait_until

KILLS = 4
GROUPS = (("vk", "club99000004"), ("ok", "57000000035"), ("telegram", "gus_khrustalnyy_rayo_demo"))
PAGES = ("vk:club99000002", "telegram:gus_khrustalnyy_rayo_demo")
SETTLED = {DeliveryState.PUBLISHED, DeliveryState.NEEDS_HUMAN}


@pytest.mark.model
@pytest.mark.timeout(600)
def test_killed_at_random_nothing_is_lost_and_nothing_goes_twice(tmp_path: Path) -> None:
    chance = random.Random(20261124)
    with Twin() as twin:
        build_places(twin)
        desk = open_desk("sqlite", tmp_path)
        prepare(desk, twin, datetime.now(UTC))
        texts, said = [], []
        for round_ in range(KILLS):
            process = start_up(tmp_path, twin, free_port(), tmp_path / "mcu.log")
            for number in range(12):
                network, address = GROUPS[number % len(GROUPS)]
                said.append(twin.say(network, address, f"Круг {round_}, {number}: в Анопино опять нет воды"))
                time.sleep(chance.uniform(0, 0.4))
            texts.append(plan(desk, round_))
            time.sleep(chance.uniform(0.2, 3))
            process.kill()
            process.wait(10)
        last = start_up(tmp_path, twin, free_port(), tmp_path / "mcu.log")
        try:
            posts = open_posts("sqlite", tmp_path)
            wait_until(
                lambda: (
                    all(r.state is PostState.WATCHED for r in posts.get_many(said).values())
                    and len(posts.get_many(said)) == len(said)
                ),
                seconds=120,
                what="every post, read and watched",
            )
            wait_until(lambda: states(desk) <= SETTLED, seconds=240, what="the end of every delivery")
        finally:
            last.terminate()
            last.wait(20)
        posts.close()
        for page in PAGES:
            network, address = page.split(":")
            standing = Counter(post.text for post in twin.posts(network, address) if post.is_ours)
            assert all(standing[text] <= 1 for text in texts), standing
        assert_told_truly(desk, twin, texts)
        desk.close()


def plan(desk: Desk, number: int) -> str:
    """A publication on two pages, due in a moment; its text."""
    now = datetime.now(UTC)
    due = (now + timedelta(seconds=2)).replace(microsecond=0)
    text = f"Приём граждан номер {number}"
    draft = Publication(
        id=f"kill-{number}", title=text, author="publics", due_at=due, zone="UTC",
        wall_time=due.replace(tzinfo=None).isoformat(),
        variants=tuple((page, Message(text=text)) for page in PAGES),
    )  # fmt: skip
    saved = desk.publications.save_draft(draft, actor="publics", at=now)
    ready = desk.publications.submit(saved.id, actor="publics", at=now, version=saved.version)
    desk.publications.approve(
        ready.id, actor="editor", at=now, version=ready.version, hash=ready.payload_hash
    )
    return text


def states(desk: Desk) -> set[DeliveryState]:
    found = set()
    for number in range(KILLS):
        found |= {delivery.state for delivery in desk.deliveries.find(subject_id=f"kill-{number}")[0]}
    return found


def assert_told_truly(desk: Desk, twin: Twin, texts: list[str]) -> None:
    """What the desk calls published stands on its page; what stands there is not called anything worse
    than «нужен человек»."""
    for number, text in enumerate(texts):
        for delivery in desk.deliveries.find(subject_id=f"kill-{number}")[0]:
            network, address = delivery.page_id.split(":")
            stands = any(post.text == text for post in twin.posts(network, address))
            assert stands or delivery.state is not DeliveryState.PUBLISHED, delivery
