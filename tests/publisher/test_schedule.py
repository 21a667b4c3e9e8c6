"""Slots: wall clocks, zones, daylight saving, weekly norms."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.domain.page import Page
from index.domain.post import Network
from index.domain.publication import Delivery, DeliveryKind, DeliveryState, Message
from index.errors import Refused
from publisher.schedule import check_slot, holes, instant, is_twice
from tests.factories import NOON

BERLIN = "Europe/Berlin"  # clocks: forward on 2026-03-29 at 2:00, back on 2026-10-25 at 3:00


def page(**facts: Any) -> Page:
    ordinary = {
        "id": "p1",
        "network": Network.VK,
        "address": "-1",
        "title": "Администрация",
        "weekly_norm": 3,
    }
    return Page(**ordinary | facts)


def delivery(due_at: datetime, **facts: Any) -> Delivery:
    message = Message(text="Субботник")
    ordinary: dict[str, Any] = {
        "id": f"d{due_at:%d%H%M}",
        "kind": DeliveryKind.PUBLICATION,
        "subject_id": "pub",
        "page_id": "p1",
        "message": message,
        "payload_hash": message.payload_hash,
        "approved_hash": message.payload_hash,
        "due_at": due_at,
    }
    return Delivery(**ordinary | facts)


def test_moscow_has_one_offset_all_year():
    assert instant("2026-11-24T10:00", "Europe/Moscow") == datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
    assert instant("2026-07-24T10:00", "Europe/Moscow") == datetime(2026, 7, 24, 7, 0, tzinfo=UTC)


def test_a_time_the_clocks_jump_over_is_refused_with_the_nearest():
    with pytest.raises(Refused, match="03:30"):
        instant("2026-03-29T02:30", BERLIN)


def test_an_hour_that_comes_twice_means_the_first_and_the_officer_is_told():
    assert instant("2026-10-25T02:30", BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert is_twice("2026-10-25T02:30", BERLIN)
    assert not is_twice("2026-10-25T04:30", BERLIN)
    assert not is_twice("2026-03-29T02:30", BERLIN)


@pytest.mark.parametrize(
    ("wall", "zone"),
    [
        ("завтра", BERLIN),
        ("2026-11-24T10:00+03:00", BERLIN),
        ("2026-11-24T10:00", "Москва"),
        ("2026-11-24T10:00", "../etc"),
    ],
)
def test_what_cannot_be_read_is_refused(wall: str, zone: str):
    with pytest.raises(Refused):
        instant(wall, zone)


def test_a_past_slot_is_refused():
    with pytest.raises(Refused, match="прошло"):
        check_slot("2026-11-24T11:59", "Europe/Moscow", now=NOON)
    assert check_slot("2026-11-24T12:01", "Europe/Moscow", now=NOON) > NOON


@given(
    st.datetimes(datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2040-01-01")),
    st.sampled_from(["Europe/Moscow", BERLIN, "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"]),
)
def test_an_instant_shows_the_wall_clock_it_came_from(wall: datetime, zone: str):
    wall = wall.replace(second=0, microsecond=0)
    try:
        moment = instant(wall.isoformat(), zone)
    except Refused:
        return  # the clocks jump over it
    assert moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) == wall


def test_a_week_below_the_norm_is_a_hole_with_its_free_days():
    planned = [
        delivery(NOON),
        delivery(NOON + timedelta(days=1)),
        delivery(NOON, id="x", state=DeliveryState.CANCELLED),
    ]
    [hole] = holes([page()], planned, zone="Europe/Moscow", now=NOON, weeks=1)
    assert (hole.monday, hole.planned, hole.missing) == (date(2026, 11, 23), 2, 1)
    assert hole.free_days == tuple(date(2026, 11, d) for d in (26, 27, 28, 29))


def test_a_full_week_a_reply_and_a_switched_off_page_make_no_holes():
    planned = [delivery(NOON + timedelta(days=n)) for n in range(3)]
    assert holes([page()], planned, zone="Europe/Moscow", now=NOON, weeks=1) == []
    assert holes([page(is_enabled=False)], [], zone="Europe/Moscow", now=NOON) == []
    answers = [delivery(NOON + timedelta(days=n), kind=DeliveryKind.REPLY) for n in range(3)]
    assert holes([page()], answers, zone="Europe/Moscow", now=NOON, weeks=1)[0].planned == 0


def test_a_sunday_evening_post_belongs_to_the_week_of_the_citys_clock():
    sunday_in_moscow_monday_never = datetime(2026, 11, 29, 21, 30, tzinfo=UTC)  # Monday 00:30 in Moscow
    found = holes(
        [page(weekly_norm=1)],
        [delivery(sunday_in_moscow_monday_never)],
        zone="Europe/Moscow",
        now=NOON,
        weeks=2,
    )
    assert [hole.monday for hole in found] == [date(2026, 11, 23)]
