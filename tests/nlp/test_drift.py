"""Drift names what moved beyond chance, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from index.domain.analysis import Risk, Severity
from index.domain.post import Network
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.query import PostState
from nlp.drift import Days, Drift, against_days, against_rate, drift
from tests.factories import NOON, analysis, post

RATES = {"relevant": 1.0, "risk outage": 0.1, "risk threat": 0.0, "severity 2": 0.1}
DAY = timedelta(days=1)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PostIndex]:
    opened = open_posts("sqlite", tmp_path)
    yield opened
    opened.close()


def write(
    index: PostIndex, *, outages: Callable[[int], int], days: int = 35, a_day: int = 20,
    text: Callable[[int], str] = lambda day: "На Строительной второй день нет тепла в домах",
    network: Callable[[int], Network] = lambda day: Network.VK,
) -> Drift:  # fmt: skip
    """`a_day` posts every day, the first `outages(day)` of them about an outage; day 0 is today."""
    written, read = [], {}
    for day in range(days):
        for n in range(a_day):
            at = NOON - day * DAY - timedelta(hours=n % 12, minutes=30)
            one = post(text=f"{text(day)} {n}", published_at=at, network=network(day))
            bad = n < outages(day)
            written.append(one)
            read[one.id] = analysis(
                risks=(Risk.OUTAGE,) if bad else (), severity=Severity.TODAY if bad else Severity.NONE
            )
    index.add(written)
    index.save_analyses(read, PostState.WATCHED)
    return drift(index, rates=RATES, now=NOON)


def moved(found: Drift) -> set[str]:
    return {shift.name for shift in (*found.against_weeks, *found.against_card) if shift.has_moved}


def test_a_class_that_comes_three_times_as_often_every_day_has_moved(index: PostIndex) -> None:
    found = write(index, outages=lambda day: 6 if day < 7 else 2)
    assert moved(found) == {"risk outage", "severity 2"}
    assert found.against_weeks[0].now == pytest.approx(0.3)
    assert found.against_weeks[0].then == pytest.approx(0.1, abs=0.02)


def test_ordinary_ups_and_downs_are_no_drift(index: PostIndex) -> None:
    found = write(index, outages=lambda day: (1, 3, 2, 2, 1, 3, 2)[day % 7])
    assert found.against_weeks
    assert moved(found) == set()


def test_one_day_of_a_burst_is_no_drift(index: PostIndex) -> None:
    """All posts of a day are of one event: by posts it would look certain, by days it is not."""
    found = write(index, outages=lambda day: 18 if day == 3 else 2)
    assert "risk outage" not in {shift.name for shift in found.against_weeks if shift.has_moved}


def test_thin_data_are_not_judged(index: PostIndex) -> None:
    found = write(index, outages=lambda day: 0, days=3, a_day=5)
    assert (found.against_weeks, found.against_card, found.inputs) == ((), (), ())


def test_without_weeks_before_only_the_card_is_left(index: PostIndex) -> None:
    found = write(index, outages=lambda day: 8, days=6)
    assert found.against_weeks == ()
    assert {shift.name for shift in found.against_card if shift.has_moved} == {"risk outage", "severity 2"}


def test_a_network_that_fell_silent_is_seen(index: PostIndex) -> None:
    found = write(index, outages=lambda day: 2, network=lambda day: Network.OK if day < 7 else Network.VK)
    assert {shift.name for shift in found.networks if shift.has_moved} == {"network ok", "network vk"}


def test_words_that_the_models_do_not_know_are_seen(index: PostIndex) -> None:
    found = write(
        index, outages=lambda day: 2,
        text=lambda day: "Жабурдык шмякозюбр квыхтает ҳамма ұжымдық" if day < 7 else "Нет тепла в домах",
    )  # fmt: skip
    assert {m.name for m in found.inputs if m.has_moved} >= {"unknown_words", "unknown_letters"}
    by_name = {measure.name: measure for measure in found.inputs}
    assert by_name["unknown_words"].now > by_name["unknown_words"].then


def test_what_never_came_and_comes_once_is_not_called_a_change() -> None:
    once = Days(posts=(20,) * 7, hits=(1, 0, 0, 0, 0, 0, 0))
    never = Days(posts=(20,) * 28, hits=(0,) * 28)
    assert against_days("risk threat", once, never).p > 0.01
    assert against_rate("risk threat", once, 0.0).p > 0.01
