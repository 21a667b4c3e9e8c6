"""The workflow of an incident, its clocks, and the way of a reply."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from index.domain.deadlines import Promises
from index.domain.incident import (
    ENDED,
    MOVES,
    Deadline,
    Incident,
    IncidentState,
    Outcome,
    Regime,
    Reply,
    ReplyState,
)
from index.errors import Conflict, Refused
from tests.factories import NOON

LATER = NOON + timedelta(hours=1)
S = IncidentState
FACTS = {"reason": "не наше", "outcome": Outcome.EXPLAINED, "duplicate_of": "i-0"}


def incident(**facts) -> Incident:
    ordinary = {
        "id": "i-1",
        "number": "2026-000001",
        "title": "Нет тепла",
        "created_at": NOON,
        "created_by": "ivanova",
        "post_ids": ("vk:-1_1",),
        "executor": "sidorov",
    }
    whole = Incident(**ordinary | facts)
    if "deadlines" in facts:
        return whole
    return replace(whole, deadlines=Promises().deadlines(whole.regime, whole.severity, NOON))


def deadline(whole: Incident, name: str) -> Deadline:
    return next(d for d in whole.deadlines if d.name == name)


@pytest.mark.parametrize(("before", "after"), list(product(S, S)))
def test_only_what_stands_in_the_table_follows(before, after):
    if after in MOVES[before]:
        assert incident(state=before).moved(after, at=LATER, **FACTS).state is after
    else:
        with pytest.raises(Conflict, match="нельзя перейти"):
            incident(state=before).moved(after, at=LATER, **FACTS)


def test_a_refused_move_says_what_may_follow():
    with pytest.raises(Conflict, match="«назначен»"):
        incident(state=S.NEW).moved(S.CLOSED, at=LATER, outcome=Outcome.SOLVED)


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        (S.IN_WORK, S.CLOSED, "outcome"),
        (S.NEW, S.DECLINED, "reason"),
        (S.NEW, S.FORWARDED, "reason"),
        (S.NEW, S.DUPLICATE, "duplicate_of"),
    ],
)
def test_a_step_without_its_fact_is_refused(before, after, field):
    with pytest.raises(Refused) as refused:
        incident(state=before).moved(after, at=LATER)
    assert refused.value.field == field


def test_an_incident_does_not_repeat_itself():
    with pytest.raises(Refused):
        incident().moved(S.DUPLICATE, at=LATER, duplicate_of="i-1")


def test_nobody_is_assigned_without_a_name():
    with pytest.raises(Refused):
        incident(executor=None).moved(S.ASSIGNED, at=LATER)


@pytest.mark.parametrize("state", ENDED)
def test_clocks_stop_when_it_ends(state):
    before = next(s for s in S if state in MOVES[s] and s not in ENDED)
    ended = incident(state=before).moved(state, at=LATER, **FACTS)
    assert not any(d.is_running for d in ended.deadlines)
    assert (ended.next_due_at, ended.closed_at) == (None, LATER)
    assert not ended.is_overdue(NOON + timedelta(days=365))


def test_a_late_close_stays_late():
    long_after = NOON + timedelta(days=30)
    closed = incident(state=S.IN_WORK).moved(S.CLOSED, at=long_after, outcome=Outcome.SOLVED)
    assert deadline(closed, "answer").is_overdue(long_after + timedelta(days=1))


def test_reopening_starts_the_clocks_anew():
    closed = incident(state=S.IN_WORK).moved(S.CLOSED, at=LATER, outcome=Outcome.SOLVED)
    anew = Promises().deadlines(Regime.OPEN_SOURCE, closed.severity, LATER)
    reopened = closed.reopened(reason="снова холодно", deadlines=anew)
    assert (reopened.state, reopened.outcome, reopened.closed_at) == (S.IN_WORK, None, None)
    assert reopened.deadlines == anew


@pytest.mark.parametrize("state", sorted(set(S) - ENDED))
def test_what_has_not_ended_is_not_reopened(state):
    with pytest.raises(Conflict):
        incident(state=state).reopened(reason="снова", deadlines=())


def test_assigning_meets_the_routing_deadline():
    assigned = incident(executor=None).assigned("sidorov", sector=None, at=LATER, answer=None)
    assert (assigned.state, deadline(assigned, "route").met_at) == (S.ASSIGNED, LATER)


def test_a_new_executor_gets_the_whole_time_to_answer_but_the_cap_stays():
    before = incident(state=S.IN_WORK)
    after_lunch = NOON + timedelta(hours=3)
    answer = Promises().answer(before.regime, before.severity, after_lunch)
    after = before.assigned("petrov", sector="ЖКХ", at=after_lunch, answer=answer)
    assert deadline(after, "answer").due_at > deadline(before, "answer").due_at
    assert deadline(after, "cap") == deadline(before, "cap")
    assert (after.executor, after.sector, after.state) == ("petrov", "ЖКХ", S.IN_WORK)


@pytest.mark.parametrize("state", sorted(ENDED | {S.ANSWERED}))
def test_finished_work_is_not_handed_on(state):
    with pytest.raises(Conflict, match="верните"):
        incident(state=state).assigned("petrov", sector=None, at=LATER, answer=None)


FINAL = Deadline(name="final", due_at=LATER + timedelta(days=7), warn_at=LATER + timedelta(days=5))


def test_an_answer_meets_its_deadlines():
    answered = incident(state=S.ANSWER_ON_REVIEW).answered(is_interim=False, at=LATER, final=FINAL)
    assert (answered.state, answered.answered_at) == (S.ANSWERED, LATER)
    assert deadline(answered, "answer").met_at == deadline(answered, "cap").met_at == LATER


def test_an_interim_answer_promises_a_final_one_once():
    interim = incident(state=S.ANSWER_ON_REVIEW).answered(is_interim=True, at=LATER, final=FINAL)
    assert (interim.state, interim.next_due_at) == (
        S.INTERIM_ANSWER,
        min(FINAL.due_at, deadline(interim, "route").due_at),
    )
    moved = replace(FINAL, due_at=FINAL.due_at + timedelta(days=1))
    assert deadline(interim.answered(is_interim=True, at=LATER, final=moved), "final") == FINAL


def test_an_answer_to_a_closed_incident_leaves_it_closed():
    closed = incident(state=S.IN_WORK).moved(S.CLOSED, at=LATER, outcome=Outcome.SOLVED)
    assert closed.answered(is_interim=True, at=LATER, final=FINAL).state is S.CLOSED


def test_it_warns_before_it_is_late():
    answer = deadline(incident(), "answer")
    moments = (NOON, answer.warn_at, answer.due_at + timedelta(seconds=1))
    assert [answer.is_warning(m) for m in moments] == [False, True, False]
    assert [answer.is_overdue(m) for m in moments] == [False, False, True]


def reply(state: ReplyState) -> Reply:
    return Reply(id="r-1", incident_id="i-1", post_id="vk:-1_1", page_id="vk-1", text="Чиним",
                 author="ivanova", created_at=NOON, state=state)  # fmt: skip


R = ReplyState
REPLY_STEPS = {
    "edit": (lambda r: r.edited("Починили"), {R.DRAFT, R.REJECTED, R.ON_REVIEW, R.APPROVED, R.FAILED}),
    "submit": (lambda r: r.submitted(), {R.DRAFT, R.REJECTED}),
    "approve": (lambda r: r.approved(by="petrov"), {R.ON_REVIEW}),
    "return": (lambda r: r.returned("мягче"), {R.ON_REVIEW}),
}


@pytest.mark.parametrize("step", REPLY_STEPS)
@pytest.mark.parametrize("state", R)
def test_a_reply_takes_only_allowed_steps(state, step):
    take, allowed = REPLY_STEPS[step]
    if state in allowed:
        take(reply(state))
    else:
        with pytest.raises(Conflict, match="Нельзя"):
            take(reply(state))


def test_an_edit_undoes_the_approval():
    approved = reply(R.ON_REVIEW).approved(by="petrov")
    edited = approved.edited("Иначе")
    assert (edited.state, edited.approved_by) == (R.DRAFT, None)
