"""Working time: nights, lunches, weekends, holidays, moved days, clocks that change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.domain.calendar import Hours, WorkingCalendar, hours
from index.errors import Misconfigured

MOSCOW = ZoneInfo("Europe/Moscow")
NINE_TO_FIVE = WorkingCalendar(week=(hours("09:00-17:00"),) * 5 + ((), ()))
WITH_LUNCH = WorkingCalendar(week=(hours("09:00-13:00", "14:00-18:00"),) * 5 + ((), ()))
ROUND = WorkingCalendar(week=(hours("00:00-00:00"),) * 7, country=None)
BERLIN = WorkingCalendar(zone="Europe/Berlin", week=(hours("00:00-00:00"),) * 7, country=None)


def moscow(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW)


@pytest.mark.parametrize(
    ("calendar", "start", "length", "due"),
    [
        (NINE_TO_FIVE, "2026-11-20T16:30", timedelta(hours=1), "2026-11-23T09:30"),  # Friday evening
        (NINE_TO_FIVE, "2026-11-20T16:00", timedelta(hours=1), "2026-11-20T17:00"),  # to the minute
        (NINE_TO_FIVE, "2026-11-21T12:00", timedelta(hours=1), "2026-11-23T10:00"),  # Saturday
        (NINE_TO_FIVE, "2026-11-23T03:00", timedelta(hours=1), "2026-11-23T10:00"),  # before work
        (NINE_TO_FIVE, "2026-11-23T09:00", timedelta(hours=8), "2026-11-23T17:00"),  # a whole day
        (NINE_TO_FIVE, "2026-11-23T09:00", timedelta(hours=9), "2026-11-24T10:00"),
        (WITH_LUNCH, "2026-11-23T12:30", timedelta(hours=1), "2026-11-23T14:30"),  # over lunch
        (WITH_LUNCH, "2026-11-23T13:30", timedelta(hours=1), "2026-11-23T15:00"),  # during lunch
        (NINE_TO_FIVE, "2026-11-03T16:00", timedelta(hours=2), "2026-11-05T10:00"),  # Unity Day
        (
            NINE_TO_FIVE,
            "2025-12-30T16:00",
            timedelta(hours=2),
            "2026-01-12T10:00",
        ),  # New Year, 9 moved by decree
        (NINE_TO_FIVE, "2026-11-23T09:00", timedelta(0), "2026-11-23T09:00"),
        (ROUND, "2026-11-20T23:30", timedelta(hours=1), "2026-11-21T00:30"),  # over midnight
    ],
)
def test_working_time_is_added(calendar, start, length, due):
    assert calendar.add(moscow(start), length) == moscow(due)


def test_time_between_skips_the_night_and_the_weekend():
    friday, monday = moscow("2026-11-20T16:30"), moscow("2026-11-23T09:30")
    assert NINE_TO_FIVE.between(friday, monday) == timedelta(hours=1)


def test_time_between_is_never_negative():
    assert NINE_TO_FIVE.between(moscow("2026-11-23T12:00"), moscow("2026-11-23T10:00")) == timedelta(0)


def test_a_moved_working_saturday_works():
    saturday = date(2026, 11, 21)
    calendar = WorkingCalendar(week=NINE_TO_FIVE.week, exceptions={saturday: hours("09:00-12:00")})
    assert calendar.add(moscow("2026-11-20T16:30"), timedelta(hours=1)) == moscow("2026-11-21T09:30")


def test_an_exception_beats_a_holiday():
    calendar = WorkingCalendar(week=NINE_TO_FIVE.week, exceptions={date(2026, 11, 4): hours("09:00-17:00")})
    assert calendar.is_working(moscow("2026-11-04T10:00"))


def test_a_day_of_mourning_does_not_work():
    calendar = WorkingCalendar(week=NINE_TO_FIVE.week, exceptions={date(2026, 11, 23): ()})
    assert calendar.add(moscow("2026-11-20T16:30"), timedelta(hours=1)) == moscow("2026-11-24T09:30")


def test_is_working_knows_the_edges():
    at = [moscow(f"2026-11-23T{clock}") for clock in ("08:59", "09:00", "13:00", "14:00", "18:00")]
    assert [WITH_LUNCH.is_working(moment) for moment in at] == [False, True, False, True, False]


def test_working_days_end_with_the_work_of_the_last_one():
    assert NINE_TO_FIVE.add_days(moscow("2026-11-20T16:30"), 7) == moscow("2026-12-01T17:00")


def test_the_hour_that_clocks_skip_is_not_worked():
    # Berlin, 29 March 2026: 02:00 becomes 03:00
    start = datetime(2026, 3, 29, 0, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    stop = datetime(2026, 3, 30, 0, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    assert BERLIN.between(start, stop) == timedelta(hours=23)


def test_answers_are_in_utc():
    due = NINE_TO_FIVE.add(moscow("2026-11-20T10:00"), timedelta(hours=1))
    assert due.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: WorkingCalendar(week=((),) * 7),
        lambda: WorkingCalendar(week=(hours("09:00-17:00"),) * 5),
        lambda: WorkingCalendar(week=(hours("09:00-14:00", "13:00-17:00"),) * 7),
        lambda: Hours(start=time(17), stop=time(9)),
        lambda: hours("с девяти до пяти"),
        lambda: WorkingCalendar(country="Курлово").add(moscow("2026-11-20T10:00"), timedelta(hours=1)),
    ],
)
def test_a_wrong_calendar_is_refused(wrong):
    with pytest.raises(Misconfigured):
        wrong()


def test_a_term_beyond_the_calendar_is_refused():
    with pytest.raises(Misconfigured):
        NINE_TO_FIVE.add(moscow("2026-11-20T10:00"), timedelta(days=10_000))


moments = st.integers(0, 4 * 365 * 24 * 3600).map(
    lambda s: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=s)
)
lengths = st.timedeltas(timedelta(0), timedelta(hours=200))
calendars = st.sampled_from([NINE_TO_FIVE, WITH_LUNCH, ROUND, BERLIN])


@given(calendars, moments, lengths)
def test_what_was_added_is_measured_again(calendar, start, length):
    assert calendar.between(start, calendar.add(start, length)) == length


@given(calendars, moments, lengths, lengths)
def test_a_longer_term_never_ends_sooner(calendar, start, one, other):
    assert calendar.add(start, min(one, other)) <= calendar.add(start, max(one, other))


@given(calendars, moments, moments, lengths)
def test_a_later_start_never_ends_sooner(calendar, one, other, length):
    assert calendar.add(min(one, other), length) <= calendar.add(max(one, other), length)


@given(calendars, moments, lengths.filter(bool), lengths.filter(bool))
def test_adding_in_two_steps_is_adding_at_once(calendar, start, one, other):
    assert calendar.add(calendar.add(start, one), other) == calendar.add(start, one + other)


@given(calendars, moments, moments)
def test_working_time_is_never_longer_than_time(calendar, one, other):
    start, stop = min(one, other), max(one, other)
    assert timedelta(0) <= calendar.between(start, stop) <= stop - start
