"""A crawling process killed at any moment loses nothing and doubles nothing."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from index.domain.post import Post
from index.posts import open_posts
from tests import factories
from tests.crawlers.conftest import SECRET, Stand
from tests.load import kill

#: Crawls until it is killed; says so on stdout once the first run is done.
CHILD = """
import json, sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from crawlers.crawl import Crawler
from index.desk import open_desk
from index.posts import open_posts
from index.settings import read_settings

folder, secret, overrides = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), json.loads(sys.argv[3])
desk, posts = open_desk("sqlite", folder), open_posts("sqlite", folder)
crawler = Crawler(
    desk=desk, posts=posts, settings=read_settings({}, **overrides), secret=secret, lease=timedelta(seconds=1)
)
print("ready", flush=True)
while True:
    crawler.run_due(datetime.now(UTC), patience=timedelta(seconds=1))
"""


def crawling(folder: Path, overrides: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(folder), SECRET.hex(), json.dumps(overrides)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def standing(stand: Stand) -> set[str]:
    """Ids of everything that stands on the twins."""
    found = set()
    for network, address in (
        ("vk", "club1"),
        ("vk", "club2"),
        ("telegram", "kurlovo_news"),
        ("ok", "57000000007"),
    ):
        for post in stand.twin.posts(network, address):
            found |= {post.id, *(comment.id for comment in post.comments)}
    return found


def test_kills_at_random_moments_lose_nothing_and_double_nothing(stand: Stand, tmp_path: Path) -> None:
    chance = random.Random(5)
    for network, address in (
        ("vk", "club1"),
        ("vk", "club2"),
        ("telegram", "kurlovo_news"),
        ("ok", "57000000007"),
    ):
        stand.watch(network, address)
        for number in range(60):
            post = stand.twin.say(network, address, f"{address} запись {number}")
            if network != "telegram" and number % 4 == 0:
                stand.twin.say(network, address, f"{address} ответ {number}", parent=post)
    for _ in range(3):
        child = crawling(tmp_path, stand.overrides)
        try:
            stand.twin.say("vk", "club1", f"между делом {chance.random()}")
            time.sleep(chance.uniform(0.05, 1.2))
        finally:
            child.kill()
            child.communicate()
    stand.ahead = timedelta(seconds=5)  # leases of the killed have run out
    for _ in range(8):
        stand.crawl()
        stand.ahead += timedelta(minutes=6)
        if (kept := stand.all_posts()).keys() >= standing(stand):
            break
    assert set(kept) == standing(stand)
    assert all(stand.posts.get(post_id).versions == 1 for post_id in kept)
    assert len({_words(post) for post in kept.values()}) == len(kept)


def test_the_kill_run_counts_what_is_lost_doubled_strange_or_edited(tmp_path: Path) -> None:
    posts = open_posts("sqlite", tmp_path)
    posts.add([factories.post(id="vk:-1_1", text="раз"), factories.post(id="vk:-1_2", text="два")])
    whole = kill.counted(posts, {"vk:-1_1": "раз", "vk:-1_2": "два"}, kills=1, by_killed=2)
    posts.add([factories.post(id="vk:-1_3", text="раз"), factories.post(id="vk:-1_2", text="два, правка")])
    found = kill.counted(posts, {"vk:-1_1": "раз", "vk:-1_2": "два", "vk:-1_4": "ещё"}, kills=1, by_killed=2)
    posts.close()
    assert whole.is_whole
    assert (found.lost, found.strange) == ({"vk:-1_4"}, {"vk:-1_3"})
    assert (found.doubled, found.edited) == (("раз",), {"vk:-1_2"})


def test_the_kill_run_in_short() -> None:
    count = kill.run(timedelta(seconds=6), seed=5)
    assert count.kills >= 2
    assert count.is_whole, str(count)


def _words(post: Post) -> tuple[str, str]:
    return post.source, post.text
