"""The scenario: the same seed says the same, threads keep their parent, bursts come, history is lived in."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import yaml

from api.practice import scenario
from api.practice.scenario import Scenario, history, open_stand, places, timeline
from api.practice.twin import Twin
from index.domain.post import Network
from tests.services import wait_until

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")


def test_the_same_seed_says_the_same() -> None:
    first, second, other = (list(islice(timeline(seed=seed), 2000)) for seed in (1, 1, 2))
    assert first == second
    assert [line.after for line in first] != [line.after for line in other]


def test_about_twenty_texts_a_minute_over_five_networks() -> None:
    lines = list(takewhile(lambda line: line.after <= timedelta(minutes=30), timeline()))
    ordinary = [line for line in lines if not line.key.startswith("burst")]
    assert 540 <= len(ordinary) <= 660
    assert {line.network for line in ordinary} == set(Network)


def test_time_never_runs_back_and_no_key_comes_twice_though_the_texts_loop() -> None:
    lines = list(islice(timeline(), 3000))
    assert all(before.after <= after.after for before, after in pairwise(lines))
    assert len({line.key for line in lines}) == 3000
    assert len({line.text for line in lines}) < 1500


def test_a_comment_follows_its_post_on_the_same_page() -> None:
    said: dict[str, scenario.Line] = {}
    for line in islice(timeline(), 3000):
        if line.parent is not None:
            above = said[line.parent]
            assert (above.network, above.address) == (line.network, line.address)
        said[line.key] = line


def test_a_burst_has_six_authors_of_one_event_within_minutes() -> None:
    lines = takewhile(lambda line: line.after <= timedelta(minutes=70), timeline())
    bursts: dict[str, list[scenario.Line]] = {}
    for line in lines:
        if line.key.startswith("burst"):
            bursts.setdefault(line.story or "", []).append(line)
    assert len(bursts) >= 3
    for event, told in bursts.items():
        assert len({(line.network, line.author) for line in told}) >= 6, event
        assert told[-1].after - told[0].after <= timedelta(minutes=5)
        assert len({line.network for line in told}) >= 3


def test_history_fills_the_fortnight_before_today_in_waking_hours() -> None:
    told = history(NOW)
    days = Counter(at.astimezone(MOSCOW).date() for at, _ in told)
    assert 350 <= len(told) <= 450
    assert min(days) == datetime(2026, 11, 10, tzinfo=MOSCOW).date()
    assert max(days) == datetime(2026, 11, 23, tzinfo=MOSCOW).date()
    night = sum(1 <= at.astimezone(MOSCOW).hour < 5 for at, _ in told)
    assert night < len(told) / 20


def test_every_text_stands_in_a_known_place() -> None:
    known = {(place.network, place.address) for place in places()}
    said = [line for _, line in history(NOW)] + list(islice(timeline(), 1500))
    assert {(line.network, line.address) for line in said} <= known
    rows = [row for script in yaml.safe_load(scenario._resource("bursts.yaml")) for row in script["lines"]]
    assert {(row["network"], row["address"]) for row in rows} <= {(n.value, a) for n, a in known}


def test_what_was_played_stands_on_the_twins() -> None:
    twin = Twin()
    played = Scenario(twin)
    played.prepare(NOW)
    before = total(twin)
    count = played.play(timedelta(minutes=10), NOW)
    assert before == len(history(NOW))
    assert total(twin) == before + count
    assert played.play(timedelta(minutes=10), NOW) == 0


def test_a_stand_that_starts_again_remembers_its_pages(tmp_path) -> None:
    store = tmp_path / "practice.json"
    with open_stand(store=store) as twin:
        answered = twin.posts("vk", places()[1].address)[0]
        said = twin.say("vk", places()[1].address, "ответ", parent=answered.id)
    with open_stand(store=store) as again:
        comments = [c.id for post in again.posts("vk", places()[1].address) for c in post.comments]
        assert said in comments
        assert total(again) < total(twin) + 50  # the history was not said twice


def test_a_running_stand_speaks_by_itself() -> None:
    with open_stand(per_minute=600) as twin:
        before = total(twin)
        wait_until(lambda: total(twin) > before + 5, seconds=10, what="the scenario's posts")


def total(twin: Twin) -> int:
    posts = [
        post
        for network in Network
        for address in twin.addresses(network)
        for post in twin.posts(network, address)
    ]
    return len(posts) + sum(len(post.comments) for post in posts)
