"""The district's terms and working calendar (deadlines.yaml) as the promises that the desk counts with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from index.domain.calendar import Hours, WorkingCalendar, hours
from index.domain.deadlines import Clock, Promises, Term
from index.domain.incident import Regime
from index.errors import Misconfigured
from nlp.district import District

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHOLE_DAY = hours("08:00-12:00", "13:00-17:00")  # of a working Saturday that the week does not describe
UNITS: Mapping[str, tuple[timedelta, Clock]] = {
    "minutes": (timedelta(minutes=1), Clock.ROUND),
    "hours": (timedelta(hours=1), Clock.ROUND),
    "days": (timedelta(days=1), Clock.ROUND),
    "working_minutes": (timedelta(minutes=1), Clock.WORKING),
    "working_hours": (timedelta(hours=1), Clock.WORKING),
    "working_days": (timedelta(days=1), Clock.WORKING_DAYS),
}


def promises_of(district: District) -> Promises:
    """Raises Misconfigured on a date or an hour that cannot be read."""
    profiles = district.deadlines["profiles"]
    known = Promises()
    law = tuple(
        _term("answer", profiles["law_59"]) if term.name == "answer" else term
        for term in known.regimes[Regime.LAW_59]
    )
    return Promises(
        calendar=_calendar(district.deadlines["calendar"], district.timezone),
        normal=_terms(profiles["normal"]),
        high=_terms(profiles["high"]),
        urgent=_terms(profiles["urgent"]),
        regimes={
            Regime.POS: (_term("route", profiles["pos"]), _term("answer", profiles["pos"])),
            Regime.POS_FAST: (_term("route", profiles["pos_fast"]), _term("answer", profiles["pos_fast"])),
            Regime.LAW_59: law,
        },
        final=_term("final", profiles["normal"]),
    )


def _terms(profile: Mapping[str, Any]) -> tuple[Term, ...]:
    return tuple(_term(name, profile) for name in ("route", "answer", "cap"))


def _term(name: str, profile: Mapping[str, Any]) -> Term:
    unit, clock = UNITS[profile[name]["unit"]]
    return Term(name=name, length=unit * int(profile[name]["amount"]), clock=clock)


def _calendar(section: Mapping[str, Any], zone: str) -> WorkingCalendar:
    week = tuple(hours(*section["hours"][day]) for day in DAYS)
    exceptions: dict[date, tuple[Hours, ...]] = {_date(day): () for day in section.get("days_off", ())}
    for text in section.get("days_on", ()):
        day = _date(text)
        exceptions[day] = week[day.weekday()] or WHOLE_DAY
    return WorkingCalendar(zone=zone, week=week, country=section.get("country"), exceptions=exceptions)


def _date(text: object) -> date:
    try:
        return text if isinstance(text, date) else date.fromisoformat(str(text))
    except ValueError:
        raise Misconfigured(
            f"deadlines.yaml, calendar: дата «{text}» не читается.", remedy="Нужно 2026-12-31."
        ) from None
