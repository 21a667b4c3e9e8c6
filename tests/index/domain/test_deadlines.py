"""Deadlines: which terms an incident gets, when they warn, and that a district may have its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from index.domain.analysis import Severity
from index.domain.calendar import WorkingCalendar, hours
from index.domain.deadlines import Clock, Promises, Term
from index.domain.incident import Regime

MOSCOW = ZoneInfo("Europe/Moscow")
CALENDAR = WorkingCalendar(week=(hours("09:00-17:00"),) * 5 + ((), ()))
PROMISES = Promises(calendar=CALENDAR)


def moscow(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW)


def due(regime: Regime, severity: Severity, start: str) -> dict[str, datetime]:
    return {d.name: d.due_at for d in PROMISES.deadlines(regime, severity, moscow(start))}


def test_an_ordinary_incident_is_answered_in_eight_working_hours():
    assert due(Regime.OPEN_SOURCE, Severity.WATCH, "2026-11-20T16:30") == {
        "route": moscow("2026-11-23T09:30"),
        "answer": moscow("2026-11-23T16:30"),
        "cap": moscow("2026-11-21T16:30"),  # round the clock
    }


def test_a_grave_one_in_four():
    assert due(Regime.OPEN_SOURCE, Severity.TODAY, "2026-11-20T10:00")["answer"] == moscow("2026-11-20T14:00")


def test_fast_track_has_ten_days():
    assert due(Regime.POS_FAST, Severity.NOW, "2026-11-20T10:00")["answer"] == moscow("2026-11-30T10:00")


def test_law_59_has_its_own_terms():
    found = due(Regime.LAW_59, Severity.WATCH, "2026-11-20T10:00")
    assert [found[name] - found["register"] for name in ("forward", "answer")] == [
        timedelta(days=4),
        timedelta(days=27),
    ]


def test_it_warns_at_three_quarters_of_the_working_way():
    answer = PROMISES.answer(Regime.OPEN_SOURCE, Severity.WATCH, moscow("2026-11-20T16:00"))
    assert answer.warn_at == moscow("2026-11-23T14:00")  # 6 of 8 working hours


def test_the_final_answer_is_due_at_the_end_of_the_seventh_working_day():
    final = PROMISES.final.deadline(moscow("2026-11-20T16:30"), CALENDAR)
    assert final.due_at == moscow("2026-12-01T17:00")
    assert moscow("2026-11-27T09:00") < final.warn_at < final.due_at


def test_a_district_may_promise_otherwise():
    promises = Promises(
        calendar=CALENDAR, normal=(Term(name="answer", length=timedelta(hours=2), clock=Clock.ROUND),)
    )
    (answer,) = promises.deadlines(Regime.OPEN_SOURCE, Severity.NONE, moscow("2026-11-20T16:30"))
    assert answer.due_at == moscow("2026-11-20T18:30")


def test_no_answer_is_promised_where_no_term_says_so():
    promises = Promises(calendar=CALENDAR, normal=())
    assert promises.answer(Regime.OPEN_SOURCE, Severity.NONE, moscow("2026-11-20T16:30")) is None
