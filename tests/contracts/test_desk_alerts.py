"""Alerts on the desk: one a matter, the gravest first, each decision once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from index.desk import Desk
from index.domain.alert import AlertKind, AlertState, RuleCount
from index.domain.analysis import Risk, ScorePart, Severity
from index.domain.incident import IncidentState, Outcome
from index.errors import Conflict, NotFound, Refused
from tests.factories import NOON, alert

HOUR = timedelta(hours=1)
LATER = NOON + HOUR


def test_an_alert_comes_back_as_it_was_raised(desk: Desk):
    whole = alert(
        parts=(ScorePart(name="рост ×6", points=20),),
        risks=(Risk.OUTAGE, Risk.CHILDREN),
        places=("Гусь-Хрустальный", "Курлово"),
        topic_group="ЖКХ",
        story_id="s-1",
    )
    assert desk.alerts.raise_alert(whole) == whole
    assert desk.alerts.get(whole.id) == whole


def test_an_unknown_one_is_not_found(desk: Desk):
    with pytest.raises(NotFound, match="сигнала"):
        desk.alerts.get("a-0")


def test_the_same_matter_joins_what_is_open(desk: Desk):
    first = desk.alerts.raise_alert(alert(key="story:s-1", post_ids=("a",)))
    second = desk.alerts.raise_alert(alert(key="story:s-1", post_ids=("b",), score=80))
    assert (second.id, second.post_ids, second.score) == (first.id, ("b", "a"), 80)
    assert len(desk.alerts.find()[0]) == 1


def test_new_evidence_does_not_stop_the_officer(desk: Desk):
    seen = desk.alerts.raise_alert(alert(key="k"))
    desk.alerts.raise_alert(alert(key="k", post_ids=("b",)))
    desk.alerts.dismiss(seen.id, "учения", actor="ivanova", at=LATER, version=seen.version)


def test_a_dismissed_matter_stays_quiet_until_it_grows_or_the_cooldown_is_over(desk: Desk):
    first = desk.alerts.raise_alert(alert(key="k", severity=Severity.WATCH))
    desk.alerts.dismiss(first.id, "шутка", actor="ivanova", at=LATER, version=0)
    quiet = desk.alerts.raise_alert(alert(key="k", severity=Severity.WATCH, raised_at=LATER + HOUR))
    assert (quiet.id, quiet.state) == (first.id, AlertState.DISMISSED)
    graver = desk.alerts.raise_alert(alert(key="k", severity=Severity.NOW, raised_at=LATER + HOUR))
    assert (graver.state, graver.id) != (AlertState.DISMISSED, first.id)
    desk.alerts.dismiss(graver.id, "шутка", actor="ivanova", at=LATER + HOUR, version=0)
    in_time = alert(key="k", raised_at=LATER + 3 * HOUR)
    assert desk.alerts.raise_alert(in_time, cooldown=2 * HOUR).id == in_time.id


def test_the_gravest_come_first_then_the_higher_score_then_the_newer(desk: Desk):
    for name, severity, score, at in [
        ("old", Severity.WATCH, 50, NOON),
        ("new", Severity.WATCH, 50, LATER),
        ("high", Severity.WATCH, 70, NOON),
        ("grave", Severity.NOW, 10, NOON),
    ]:
        desk.alerts.raise_alert(alert(id=name, severity=severity, score=score, raised_at=at))
    assert [a.id for a in desk.alerts.find()[0]] == ["grave", "high", "new", "old"]


def test_pages_follow_one_another_though_new_ones_come_in(desk: Desk):
    for n in range(5):
        desk.alerts.raise_alert(alert(id=f"a{n}", score=50 - n))
    first, cursor = desk.alerts.find(limit=2)
    desk.alerts.raise_alert(alert(id="new", score=100))
    second, cursor = desk.alerts.find(limit=2, cursor=cursor)
    third, end = desk.alerts.find(limit=2, cursor=cursor)
    assert [a.id for a in (*first, *second, *third)] == ["a0", "a1", "a2", "a3", "a4"]
    assert end is None


@pytest.mark.parametrize("cursor", ["", "x", "bm90", "WzEsMl0", "W251bGwsbnVsbCxudWxsLG51bGxd", "Ж", "\x00"])
def test_a_foreign_cursor_is_refused(desk: Desk, cursor: str):
    with pytest.raises(Refused) as refused:
        desk.alerts.find(cursor=cursor)
    assert refused.value.field == "cursor"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"risks": [Risk.FRAUD]}, {"a"}),
        ({"risks": [Risk.FRAUD, Risk.OUTAGE]}, {"a", "b"}),
        ({"places": ["Курлово"]}, {"b"}),
        ({"places": ["Кур"]}, set()),  # whole names only
        ({"places": ["100%_"]}, {"c"}),  # nothing in a name is a pattern
        ({"kinds": [AlertKind.SOURCE]}, {"c"}),
        ({"assignee": "ivanova"}, {"a"}),
        ({"since": LATER}, {"c"}),
        ({"states": [AlertState.SNOOZED]}, set()),
        ({"states": [AlertState.OPEN, AlertState.SNOOZED], "places": ["Курлово"]}, {"b"}),
    ],
)
def test_conditions_choose(desk: Desk, asked: dict, found: set[str]):
    desk.alerts.raise_alert(alert(id="a", risks=(Risk.FRAUD,), assignee="ivanova"))
    desk.alerts.raise_alert(alert(id="b", risks=(Risk.OUTAGE, Risk.CRIME), places=("Курлово",)))
    desk.alerts.raise_alert(alert(id="c", kind=AlertKind.SOURCE, raised_at=LATER, places=("100%_",)))
    assert {a.id for a in desk.alerts.find(**asked)[0]} == found


def test_accepting_opens_an_incident_with_what_is_known(desk: Desk):
    desk.alerts.raise_alert(alert(id="a", places=("Курлово",), topic_group="ЖКХ", post_ids=("p1", "p2")))
    accepted, incident = desk.alerts.accept("a", actor="ivanova", at=LATER, version=0, sector="ЖКХ")
    assert (accepted.state, accepted.incident_id) == (AlertState.ACCEPTED, incident.id)
    assert (incident.place, incident.post_ids, incident.sector) == ("Курлово", ("p1", "p2"), "ЖКХ")
    assert desk.incidents.get(incident.id) == incident


def test_of_two_officers_one_accepts(desk: Desk):
    desk.alerts.raise_alert(alert(id="a"))
    desk.alerts.accept("a", actor="ivanova", at=LATER, version=0)
    with pytest.raises(Conflict, match="изменил"):
        desk.alerts.accept("a", actor="petrov", at=LATER, version=0)
    assert len(desk.incidents.find()[0]) == 1


def test_accepting_can_be_undone_while_nobody_works_on_it(desk: Desk):
    desk.alerts.raise_alert(alert(id="a"))
    accepted, incident = desk.alerts.accept("a", actor="ivanova", at=LATER, version=0)
    reopened = desk.alerts.reopen("a", actor="ivanova", at=LATER, version=accepted.version)
    assert (reopened.state, reopened.incident_id) == (AlertState.OPEN, None)
    assert desk.incidents.get(incident.id).state is IncidentState.DECLINED


def test_an_incident_in_work_is_not_undone(desk: Desk):
    desk.alerts.raise_alert(alert(id="a"))
    accepted, incident = desk.alerts.accept("a", actor="ivanova", at=LATER, version=0, executor="sidorov")
    assert incident.state is IncidentState.ASSIGNED
    with pytest.raises(Conflict, match="назначен"):
        desk.alerts.reopen("a", actor="ivanova", at=LATER, version=accepted.version)


def test_an_old_alert_does_not_reopen_beside_a_newer_one(desk: Desk):
    old = desk.alerts.raise_alert(alert(key="k", severity=Severity.WATCH))
    old = desk.alerts.dismiss(old.id, "шутка", actor="ivanova", at=LATER, version=0)
    desk.alerts.raise_alert(alert(key="k", severity=Severity.NOW, raised_at=LATER))
    with pytest.raises(Conflict):
        desk.alerts.reopen(old.id, actor="ivanova", at=LATER, version=old.version)


def test_an_alert_joins_an_incident_in_work(desk: Desk):
    desk.alerts.raise_alert(alert(id="a", post_ids=("p1",)))
    desk.alerts.raise_alert(alert(id="b", post_ids=("p2", "p1")))
    _, incident = desk.alerts.accept("a", actor="ivanova", at=LATER, version=0)
    joined, incident = desk.alerts.join("b", incident.id, actor="ivanova", at=LATER, version=0)
    assert (joined.incident_id, incident.post_ids) == (incident.id, ("p1", "p2"))
    assert desk.incidents.of_posts(["p1", "p2", "p3"]) == {"p1": incident.id, "p2": incident.id}


def test_an_alert_does_not_join_a_closed_incident(desk: Desk):
    desk.alerts.raise_alert(alert(id="a"))
    desk.alerts.raise_alert(alert(id="b"))
    _, incident = desk.alerts.accept("a", actor="ivanova", at=LATER, version=0, executor="sidorov")
    incident = desk.incidents.move(
        incident.id, IncidentState.IN_WORK, actor="i", at=LATER, version=incident.version
    )
    desk.incidents.close(incident.id, outcome=Outcome.SOLVED, actor="i", at=LATER, version=incident.version)
    with pytest.raises(Conflict, match="закрыт"):
        desk.alerts.join("b", incident.id, actor="ivanova", at=LATER, version=0)


def test_a_snoozed_alert_wakes_in_time(desk: Desk):
    desk.alerts.raise_alert(alert(id="a"))
    desk.alerts.snooze("a", LATER + HOUR, actor="ivanova", at=LATER, version=0)
    assert desk.alerts.wake(LATER) == []
    assert [a.id for a in desk.alerts.wake(LATER + HOUR)] == ["a"]
    assert desk.alerts.get("a").state is AlertState.OPEN


def test_counts_tell_what_waits_and_how_fast_it_is_triaged(desk: Desk):
    for name in ("a", "b", "c", "d"):
        desk.alerts.raise_alert(alert(id=name))
    desk.alerts.dismiss("a", "шутка", actor="i", at=NOON + timedelta(minutes=10), version=0)
    desk.alerts.dismiss("b", "шутка", actor="i", at=NOON + timedelta(minutes=30), version=0)
    desk.alerts.snooze("c", LATER + HOUR, actor="i", at=NOON, version=0)
    counts = desk.alerts.counts(LATER + timedelta(minutes=1))
    assert (counts.open, counts.overdue, counts.snoozed, counts.triaged) == (1, 1, 1, 2)
    assert counts.median_to_triage == timedelta(minutes=20)


def test_a_rule_in_monitor_mode_is_counted_once_a_matter(desk: Desk):
    count = RuleCount(rule="burst", key="burst:ЖКХ", title="Рост", at=NOON, post_ids=("a",))
    for told in (count, count, replace(count, at=LATER)):
        desk.alerts.count_rule(told)
    assert [c.at for c in desk.alerts.rule_counts(NOON)] == [LATER, NOON]
    assert desk.alerts.rule_counts(LATER + HOUR) == []
