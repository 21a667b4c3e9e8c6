"""The rhythm of a source, how often it is looked at, and when silence is strange."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.schedule import (
    LONGEST_INTERVAL,
    Budget,
    Rhythm,
    attention,
    backed_off,
    hour_of_week,
    interval,
    is_silent,
    reread_at,
)

MONDAY = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def weekly(hours: list[int], *, weeks: int) -> Rhythm:
    """One post in each of these hours of every week, learnt visit by visit."""
    rhythm = Rhythm()
    for week in range(weeks):
        for hour in sorted(hours):
            at = MONDAY + timedelta(weeks=week, hours=hour, minutes=30)
            rhythm = rhythm.learnt([at], at + timedelta(minutes=1))
    return rhythm


def test_a_source_nobody_knows_is_expected_to_post_a_few_times_a_day() -> None:
    assert 0.1 < Rhythm().rate(MONDAY) < 0.3


def test_hours_with_posts_are_expected_to_bring_more_than_the_others() -> None:
    rhythm = weekly([10, 34, 58], weeks=6)
    assert rhythm.rate(MONDAY + 10 * HOUR) > 5 * rhythm.rate(MONDAY + 12 * HOUR)


def test_hours_that_pass_without_a_post_teach_too() -> None:
    busy = Rhythm().learnt([MONDAY + timedelta(minutes=m) for m in range(60)], MONDAY + HOUR)
    quiet = busy.learnt([], MONDAY + timedelta(weeks=2))
    assert quiet.mean_rate < busy.mean_rate / 5


def test_old_habits_are_forgotten() -> None:
    rhythm = weekly([10], weeks=20)
    later = rhythm.learnt([], MONDAY + timedelta(weeks=80))
    assert later.rate(MONDAY + 10 * HOUR) < rhythm.rate(MONDAY + 10 * HOUR) / 3


def test_a_backfilled_wall_teaches_its_whole_past() -> None:
    posts = [MONDAY - timedelta(days=day) for day in range(28)]
    rhythm = Rhythm().learnt(posts, MONDAY)
    assert rhythm.mean_rate == pytest.approx(28 / (27 * 24), rel=0.2)


def test_a_post_from_the_future_counts_as_of_now() -> None:
    assert Rhythm().learnt([MONDAY + timedelta(days=365)], MONDAY).newest == MONDAY


@given(st.lists(st.integers(min_value=0, max_value=10_000), max_size=30))
def test_a_rhythm_survives_the_desk(minutes: list[int]) -> None:
    rhythm = Rhythm().learnt([MONDAY + timedelta(minutes=m) for m in minutes], MONDAY + timedelta(weeks=2))
    kept = Rhythm.from_json(rhythm.to_json())
    assert (kept.posts, kept.newest, kept.longest_pause) == (
        rhythm.posts,
        rhythm.newest,
        rhythm.longest_pause,
    )
    assert kept.rate(MONDAY) == pytest.approx(rhythm.rate(MONDAY), abs=0.001)


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_moment_has_an_hour_of_the_week(at: datetime) -> None:
    assert 0 <= hour_of_week(at) < 168


def test_four_times_the_posts_get_twice_the_visits() -> None:
    budget = Budget(calls_per_second=1.0)
    slow, fast = (interval(s, 3.0, budget, shortest=SECOND) for s in (1.0, 2.0))
    assert slow == 2 * fast


def test_visits_of_all_sources_together_stay_within_the_budget() -> None:
    budget = Budget(calls_per_second=3.0, calls_left=4_000, seconds_left=80_000)
    shares = [0.2, 0.5, 1.0, 3.0] * 25
    visits = sum(SECOND / interval(s, sum(shares), budget, shortest=SECOND) for s in shares)
    assert visits == pytest.approx(4_000 / 80_000, rel=0.01)


def test_a_spent_day_waits_for_the_next_one() -> None:
    spent = Budget(calls_per_second=3.0, calls_left=0, seconds_left=3_600)
    assert HOUR <= interval(1.0, 1.0, spent, shortest=SECOND) < HOUR + SECOND
    early = Budget(calls_per_second=3.0, calls_left=0, seconds_left=80_000)
    assert interval(1.0, 1.0, early, shortest=SECOND) == LONGEST_INTERVAL


def test_more_walls_than_the_day_has_calls_for_are_visited_as_often_as_it_has() -> None:
    day = Budget(calls_per_second=36.0, calls_left=4_500, seconds_left=86_400.0, calls_per_day=4_500)
    shares = [0.05 + 2 * number / 20_000 for number in range(20_000)]
    pauses = [interval(s, sum(shares), day, shortest=SECOND, sources=20_000) for s in shares]
    assert sum(timedelta(days=1) / pause for pause in pauses) < 4_500 * 1.2
    assert max(pauses) < timedelta(days=10)  # a dead page is not forgotten
    assert max(pauses) > 3 * min(pauses)


def test_the_last_calls_of_a_day_do_not_put_a_wall_off_for_weeks() -> None:
    late = Budget(calls_per_second=36.0, calls_left=1, seconds_left=1_800.0, calls_per_day=4_500)
    pause = interval(1.0, 300.0, late, shortest=SECOND, sources=300)
    assert timedelta(minutes=30) < pause < timedelta(hours=3)


def test_no_source_is_visited_faster_than_courtesy_allows() -> None:
    assert interval(1.0, 1.0, Budget(calls_per_second=1_000), shortest=2 * SECOND) == 2 * SECOND


def test_an_official_page_is_looked_at_twice_as_often() -> None:
    rhythm = Rhythm()
    assert attention(rhythm, MONDAY, is_official=True) == 2 * attention(rhythm, MONDAY, is_official=False)


def test_failures_in_a_row_lengthen_the_pause_to_an_hour() -> None:
    pauses = [backed_off(2 * SECOND, failures) for failures in (1, 2, 3, 40)]
    assert pauses == [20 * SECOND, 40 * SECOND, 80 * SECOND, HOUR]


def test_a_source_is_silent_only_beyond_its_own_habit() -> None:
    hourly = Rhythm().learnt([MONDAY + n * HOUR for n in range(168)], MONDAY + timedelta(weeks=1))
    assert hourly.newest is not None
    assert not is_silent(hourly, hourly.newest + 6 * HOUR)
    assert is_silent(hourly, hourly.newest + 20 * HOUR)


def test_a_weekly_page_may_be_quiet_for_a_week() -> None:
    rhythm = weekly([10], weeks=12)
    assert rhythm.newest is not None
    assert not is_silent(rhythm, rhythm.newest + timedelta(days=8))
    assert is_silent(rhythm, rhythm.newest + timedelta(days=90))


def test_a_page_with_few_posts_has_no_habit_to_break() -> None:
    rhythm = Rhythm().learnt([MONDAY, MONDAY + HOUR], MONDAY + 2 * HOUR)
    assert not is_silent(rhythm, MONDAY + timedelta(days=100))


@pytest.mark.parametrize(
    ("age", "pause"),
    [
        (timedelta(minutes=10), timedelta(minutes=5)),
        (timedelta(hours=5), timedelta(minutes=30)),
        (timedelta(days=2), timedelta(hours=6)),
        (timedelta(days=10), timedelta(days=1)),
        (timedelta(days=15), None),
    ],
)
def test_counters_are_read_again_less_and_less_often(age: timedelta, pause: timedelta | None) -> None:
    again = reread_at(MONDAY - age, MONDAY)
    assert again == (MONDAY + pause if pause is not None else None)


def simulated_waits(sources: int, *, visits_per_second: float, hours: int) -> list[float]:
    """Seconds each post waited for a visit: posts come evenly, visits by `interval`, on a simulated clock."""
    rates = [0.05 + 1.95 * number / sources for number in range(sources)]  # posts an hour
    shares = [rate**0.5 for rate in rates]
    budget, total, waits = Budget(calls_per_second=visits_per_second), sum(shares), []
    due = [(0.0, number, 0.0) for number in range(sources)]
    heapq.heapify(due)
    while due[0][0] < hours * 3600:
        at, number, before = heapq.heappop(due)
        step = 3600 / rates[number]
        posts = range(int(before / step) + 1, int(at / step) + 1)
        waits += [at - post * step for post in posts]
        pause = interval(shares[number], total, budget, shortest=2 * SECOND).total_seconds()
        heapq.heappush(due, (at + pause, number, at))
    return sorted(waits)


def test_three_hundred_walls_are_fresh_within_a_minute_at_the_pace_of_one_token() -> None:
    waits = simulated_waits(300, visits_per_second=3 * 12, hours=1)
    assert waits[int(len(waits) * 0.95)] < 60
