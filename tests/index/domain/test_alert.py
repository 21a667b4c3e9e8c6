"""Triage of alerts: what may follow what, how evidence joins, when a matter is raised again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from index.domain.alert import EVIDENCE_POSTS, Alert, AlertState
from index.domain.analysis import Severity
from index.errors import Conflict, Refused
from tests.factories import NOON, alert

LATER = NOON + timedelta(hours=1)
STEPS = {
    "accept": lambda a: a.accepted("i-1", by="ivanova", at=LATER),
    "dismiss": lambda a: a.dismissed("шутка", by="ivanova", at=LATER),
    "snooze": lambda a: a.snoozed(LATER + timedelta(hours=1), at=LATER),
    "wake": lambda a: a.woken(),
    "reopen": lambda a: a.reopened(),
    "assign": lambda a: a.assigned("petrova"),
}
ALLOWED = {
    AlertState.OPEN: {"accept", "dismiss", "snooze", "assign"},
    AlertState.SNOOZED: {"accept", "dismiss", "snooze", "assign", "wake", "reopen"},
    AlertState.ACCEPTED: {"reopen"},
    AlertState.DISMISSED: {"reopen"},
}


def in_state(state: AlertState, **facts) -> Alert:
    way = {
        AlertState.OPEN: [],
        AlertState.SNOOZED: ["snooze"],
        AlertState.ACCEPTED: ["accept"],
        AlertState.DISMISSED: ["dismiss"],
    }
    found = alert(**facts)
    for step in way[state]:
        found = STEPS[step](found)
    return found


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", AlertState)
def test_only_allowed_steps_are_taken(state, step):
    before = in_state(state)
    if step in ALLOWED[state]:
        assert isinstance(STEPS[step](before), Alert)
    else:
        with pytest.raises(Conflict, match=r"[Сс]игнал"):
            STEPS[step](before)


def test_a_conflict_says_who_was_first():
    with pytest.raises(Conflict, match=r"уже отклонён \(ivanova\)"):
        STEPS["accept"](in_state(AlertState.DISMISSED))


def test_dismissing_needs_a_reason():
    with pytest.raises(Refused) as refused:
        alert().dismissed("  ", by="ivanova", at=LATER)
    assert refused.value.field == "reason"


def test_snoozing_into_the_past_is_refused():
    with pytest.raises(Refused, match="будущего"):
        alert().snoozed(NOON, at=LATER)


def test_reopening_forgets_the_decision():
    before = alert()
    assert STEPS["dismiss"](before).reopened() == before


def test_who_accepts_works_on_it_unless_somebody_does():
    assert STEPS["accept"](alert()).assignee == "ivanova"
    assert STEPS["accept"](alert(assignee="petrova")).assignee == "petrova"


def test_evidence_joins_newest_first_and_once():
    joined = alert(post_ids=("b", "a")).joined(alert(post_ids=("c", "b"), authors=2))
    assert (joined.post_ids, joined.posts, joined.authors) == (("c", "b", "a"), 3, 2)


def test_evidence_is_bounded_but_counted():
    many = tuple(f"vk:-1_{n}" for n in range(EVIDENCE_POSTS + 50))
    joined = alert().joined(alert(post_ids=many))
    assert len(joined.post_ids) == EVIDENCE_POSTS


def test_the_count_of_the_rule_wins_over_the_kept_evidence():
    assert alert(posts=900).joined(alert(posts=905)).posts == 905


def test_severity_of_a_live_alert_only_grows():
    joined = alert(severity=Severity.NOW).joined(alert(severity=Severity.WATCH))
    assert joined.severity is Severity.NOW


def test_a_snoozed_alert_wakes_when_it_gets_graver():
    asleep = in_state(AlertState.SNOOZED, severity=Severity.WATCH)
    assert asleep.joined(alert(severity=Severity.WATCH)).state is AlertState.SNOOZED
    awake = asleep.joined(alert(severity=Severity.NOW))
    assert (awake.state, awake.snoozed_until) == (AlertState.OPEN, None)


def test_a_triaged_alert_takes_evidence_but_keeps_what_was_decided_on():
    accepted = in_state(AlertState.ACCEPTED, severity=Severity.WATCH, score=40)
    joined = accepted.joined(alert(post_ids=("new",), severity=Severity.NOW, score=90))
    assert (joined.severity, joined.score, joined.state) == (Severity.WATCH, 40, AlertState.ACCEPTED)
    assert "new" in joined.post_ids


@pytest.mark.parametrize(
    ("after", "severity", "again"),
    [
        (timedelta(hours=5), Severity.TODAY, False),
        (timedelta(hours=6), Severity.TODAY, True),
        (timedelta(hours=1), Severity.NOW, True),
        (timedelta(hours=1), Severity.WATCH, False),
    ],
)
def test_a_dismissed_matter_is_raised_again_after_the_cooldown_or_when_graver(after, severity, again):
    dismissed = in_state(AlertState.DISMISSED)
    newer = alert(raised_at=LATER + after, severity=severity)
    assert dismissed.is_raised_again(newer, cooldown=timedelta(hours=6)) is again
