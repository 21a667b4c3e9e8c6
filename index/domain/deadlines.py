"""What is promised to residents: terms by regime and severity, and the deadlines that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from index.domain.analysis import Severity
from index.domain.calendar import WARN_AT, WorkingCalendar
from index.domain.incident import Deadline, Regime

HIGH = Severity.TODAY  # from here on an answer is due in half the time


class Clock(StrEnum):
    WORKING = "working"  #: working time of the calendar
    WORKING_DAYS = "working_days"  #: to the end of work of a working day, in whole days
    ROUND = "round"  #: round the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One promise before it has a date."""

    name: str  #: route answer final cap; register forward answer under 59-ФЗ
    length: timedelta
    clock: Clock = Clock.WORKING

    def deadline(self, start: datetime, calendar: WorkingCalendar) -> Deadline:
        return Deadline(
            name=self.name, due_at=self._due(start, calendar), warn_at=self._warn(start, calendar)
        )

    def _due(self, start: datetime, calendar: WorkingCalendar) -> datetime:
        match self.clock:
            case Clock.WORKING:
                return calendar.add(start, self.length)
            case Clock.WORKING_DAYS:
                return calendar.add_days(start, self.length.days)
            case Clock.ROUND:
                return (start + self.length).astimezone(UTC)

    def _warn(self, start: datetime, calendar: WorkingCalendar) -> datetime:
        if self.clock is Clock.ROUND:
            return (start + self.length * WARN_AT).astimezone(UTC)
        return calendar.add(start, calendar.between(start, self._due(start, calendar)) * WARN_AT)


ROUTE = Term(name="route", length=timedelta(minutes=60))
CAP = Term(name="cap", length=timedelta(hours=24), clock=Clock.ROUND)


def _days(name: str, days: int) -> Term:
    return Term(name=name, length=timedelta(days=days), clock=Clock.ROUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """Terms of a district with its calendar; the defaults are those other regions made public."""

    calendar: WorkingCalendar = field(default_factory=WorkingCalendar)
    normal: tuple[Term, ...] = (ROUTE, Term(name="answer", length=timedelta(hours=8)), CAP)
    high: tuple[Term, ...] = (ROUTE, Term(name="answer", length=timedelta(hours=4)), CAP)
    urgent: tuple[Term, ...] = (ROUTE, Term(name="answer", length=timedelta(hours=4)), CAP)  #: life in danger
    regimes: Mapping[Regime, tuple[Term, ...]] = field(
        default_factory=lambda: {
            Regime.POS: (ROUTE, _days("answer", 30)),
            Regime.POS_FAST: (ROUTE, _days("answer", 10)),
            Regime.LAW_59: (ROUTE, _days("register", 3), _days("forward", 7), _days("answer", 30)),
        }
    )  #: regimes whose terms do not depend on severity
    final: Term = Term(name="final", length=timedelta(days=7), clock=Clock.WORKING_DAYS)  #: after an interim
    triage: timedelta = timedelta(minutes=60)  #: an alert nobody looked at for longer is overdue

    def terms(self, regime: Regime, severity: Severity) -> tuple[Term, ...]:
        if regime in self.regimes:
            return self.regimes[regime]
        if severity is Severity.NOW:
            return self.urgent
        return self.high if severity >= HIGH else self.normal

    def deadlines(self, regime: Regime, severity: Severity, start: datetime) -> tuple[Deadline, ...]:
        """Deadlines of an incident whose clock starts at `start`, in the order of the terms."""
        return tuple(term.deadline(start, self.calendar) for term in self.terms(regime, severity))

    def answer(self, regime: Regime, severity: Severity, start: datetime) -> Deadline | None:
        """The term of the answer counted anew, for a new executor; None: none is promised."""
        for term in self.terms(regime, severity):
            if term.name == "answer":
                return term.deadline(start, self.calendar)
        return None
