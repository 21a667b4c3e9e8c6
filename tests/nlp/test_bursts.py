"""A burst is a rise against the usual for this hour of the week."""

from __future__ import annotations

from datetime import datetime, timedelta

from nlp.bursts import Pulse
from tests.factories import NOON


def posted(pulse: Pulse, times: int, at: datetime, place: str = "Курлово") -> None:
    for n in range(times):
        pulse.add(f"{at.isoformat()}-{place}-{n}", f"author {n}", at - timedelta(minutes=n), "ЖКХ", (place,))


def test_a_sudden_crowd_rises() -> None:
    pulse = Pulse()
    for day in range(1, 28):
        posted(pulse, 1, NOON - timedelta(days=day))
    posted(pulse, 9, NOON)
    burst = next(b for b in pulse.rising(NOON) if b.key == ("ЖКХ", "Курлово"))
    assert (burst.posts, burst.authors) == (9, 9)
    assert burst.growth > 5
    assert burst.post_ids[0].endswith("-0")


def test_what_happens_every_week_at_this_hour_is_usual() -> None:
    pulse = Pulse()
    for week in range(1, 5):
        posted(pulse, 9, NOON - timedelta(weeks=week))
    posted(pulse, 9, NOON)
    assert pulse.growth("ЖКХ", ("Курлово",), NOON) < 2


def test_it_fires_on_the_rise_and_not_on_the_way_down() -> None:
    pulse = Pulse()
    posted(pulse, 9, NOON)
    posted(pulse, 3, NOON + timedelta(hours=3))
    assert pulse.rising(NOON)
    assert pulse.rising(NOON + timedelta(hours=3)) == []


def test_adding_a_post_again_changes_nothing() -> None:
    pulse = Pulse()
    posted(pulse, 4, NOON)
    posted(pulse, 4, NOON)
    assert pulse.burst(("ЖКХ", None), NOON).posts == 4


def test_old_posts_are_forgotten() -> None:
    pulse = Pulse()
    posted(pulse, 4, NOON - timedelta(weeks=5))
    pulse.forget(NOON - timedelta(weeks=4))
    assert pulse.rising(NOON - timedelta(weeks=5)) == []
