from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from index.domain.analysis import Severity
from index.domain.incident import Regime
from index.errors import Misconfigured
from nlp.district import load_district
from nlp.district.promises import promises_of

MONDAY = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # 10:00 in Moscow


def due(severity: Severity, regime: Regime = Regime.OPEN_SOURCE) -> dict[str, timedelta]:
    deadlines = promises_of(load_district()).deadlines(regime, severity, MONDAY)
    return {deadline.name: deadline.due_at - MONDAY for deadline in deadlines}


def test_an_ordinary_answer_is_due_in_eight_working_hours() -> None:
    assert due(Severity.WATCH)["answer"] == timedelta(days=1, hours=0)  # over lunch and the night


def test_a_danger_is_answered_in_two_hours_by_the_clock() -> None:
    assert due(Severity.NOW)["answer"] == timedelta(hours=2)


def test_a_formal_appeal_keeps_the_terms_of_the_law() -> None:
    assert due(Severity.WATCH, Regime.LAW_59) == {
        "route": timedelta(hours=1),
        "register": timedelta(days=3),
        "forward": timedelta(days=7),
        "answer": timedelta(days=30),
    }


def test_a_day_off_and_a_working_saturday_come_from_the_pack() -> None:
    district = load_district()
    calendar = {**district.deadlines["calendar"], "days_off": ["2026-11-24"], "days_on": ["2026-11-28"]}
    changed = replace(district, deadlines={**district.deadlines, "calendar": calendar})
    working = promises_of(changed).calendar
    assert not working.day(date(2026, 11, 24))
    assert working.day(date(2026, 11, 28))


def test_an_unreadable_date_is_named() -> None:
    district = load_district()
    calendar = {**district.deadlines["calendar"], "days_off": ["завтра"]}
    with pytest.raises(Misconfigured, match="завтра"):
        promises_of(replace(district, deadlines={**district.deadlines, "calendar": calendar}))
