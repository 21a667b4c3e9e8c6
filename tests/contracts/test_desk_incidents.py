"""Incidents and replies on the desk."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from index.desk import Desk, open_desk
from index.domain.analysis import Severity
from index.domain.incident import Incident, IncidentState, IncidentType, Outcome, Regime, Reply, ReplyState
from index.domain.publication import DeliveryKind, DeliveryState
from index.errors import Conflict, NotFound, Refused
from tests.factories import NOON, page

HOUR = timedelta(hours=1)
LATER = NOON + HOUR
S = IncidentState


def opened(desk: Desk, **facts) -> Incident:
    ordinary = {"title": "Нет тепла", "post_ids": ("vk:-1_1",), "actor": "ivanova", "at": NOON}
    return desk.incidents.open(**ordinary | facts)


def move(desk: Desk, incident: Incident, state: S, **facts) -> Incident:
    return desk.incidents.move(
        incident.id, state, actor="ivanova", at=LATER, version=incident.version, **facts
    )


def test_an_incident_comes_back_as_it_was_opened(desk: Desk):
    incident = opened(
        desk,
        severity=Severity.NOW,
        regime=Regime.POS_FAST,
        type=IncidentType.SOLVABLE,
        outside_number="ПОС-17",
        place="Курлово",
        address="Строительная, 5",
        executor="sidorov",
    )
    assert desk.incidents.get(incident.id) == incident
    assert (incident.state, incident.number) == (S.ASSIGNED, "2026-000001")


def test_numbers_follow_one_another_within_the_city_s_year(desk: Desk):
    assert [opened(desk).number for _ in range(3)] == ["2026-000001", "2026-000002", "2026-000003"]
    new_year_in_moscow = datetime(2026, 12, 31, 21, 30, tzinfo=UTC)
    assert opened(desk, at=new_year_in_moscow).number == "2027-000001"


def test_a_failed_opening_takes_no_number(desk: Desk):
    opened(desk)
    with contextlib.suppress(Refused), desk.database.write() as tx:
        desk.incidents.open_within(tx, title="Есть", post_ids=(), actor="i", at=NOON)
        raise Refused("чего-то не хватило")
    assert len(desk.incidents.find()[0]) == 1
    assert opened(desk).number == "2026-000002"


def test_each_step_is_in_the_history_and_in_the_audit(desk: Desk):
    incident = opened(desk, executor="sidorov")
    incident = move(desk, incident, S.IN_WORK)
    desk.incidents.note(incident.id, "Звонил в котельную", actor="sidorov", at=LATER)
    desk.incidents.close(
        incident.id, outcome=Outcome.SOLVED, actor="ivanova", at=LATER, version=incident.version
    )
    assert [e.action for e in desk.incidents.events(incident.id)] == ["opened", "moved", "note", "closed"]
    audited = [row.action for row in desk.audit.find(subject=f"incident:{incident.id}")[0]]
    assert audited == ["incident_closed", "incident_noted", "incident_moved", "incident_opened"]


def test_an_old_version_is_refused(desk: Desk):
    incident = opened(desk)
    move(desk, incident, S.CHECKING)
    with pytest.raises(Conflict, match="изменил"):
        move(desk, incident, S.IN_WORK)


def test_a_duplicate_names_an_incident_that_exists(desk: Desk):
    incident = opened(desk)
    with pytest.raises(NotFound):
        move(desk, incident, S.DUPLICATE, duplicate_of="i-0")
    other = opened(desk)
    assert move(desk, incident, S.DUPLICATE, duplicate_of=other.id).duplicate_of == other.id


def test_handing_on_counts_the_answer_anew(desk: Desk):
    incident = opened(desk, executor="sidorov")
    moved = desk.incidents.assign(
        incident.id, executor="petrov", actor="i", at=NOON + 3 * HOUR, version=incident.version
    )
    before, after = ({d.name: d.due_at for d in i.deadlines} for i in (incident, moved))
    assert after["answer"] > before["answer"]
    assert after["cap"] == before["cap"]


def test_naming_the_same_executor_again_counts_nothing_anew(desk: Desk):
    incident = opened(desk, executor="sidorov")
    again = desk.incidents.assign(
        incident.id, executor="sidorov", actor="i", at=NOON + 3 * HOUR, version=incident.version
    )
    assert again.deadlines == incident.deadlines


def test_a_graver_incident_is_due_sooner(desk: Desk):
    incident = opened(desk)
    graver = desk.incidents.edit(
        incident.id, actor="i", at=LATER, version=incident.version, severity=Severity.NOW, place="Курлово"
    )
    assert graver.place == "Курлово"
    assert graver.next_due_at <= incident.next_due_at
    assert min(d.due_at for d in graver.deadlines if d.name == "answer") < min(
        d.due_at for d in incident.deadlines if d.name == "answer"
    )


def test_overdue_ones_are_found_until_they_end(desk: Desk):
    incident = opened(desk, executor="sidorov")
    opened(desk, at=NOON + timedelta(days=3))
    in_two_days = NOON + timedelta(days=2)
    found, _ = desk.incidents.find(overdue_at=in_two_days)
    assert [i.id for i in found] == [incident.id]
    incident = move(desk, incident, S.IN_WORK)
    desk.incidents.close(
        incident.id, outcome=Outcome.SOLVED, actor="i", at=in_two_days, version=incident.version
    )
    assert desk.incidents.find(overdue_at=in_two_days)[0] == []


def test_reopening_starts_its_clocks(desk: Desk):
    incident = move(desk, opened(desk), S.DECLINED, reason="не наше")
    assert incident.next_due_at is None
    again = desk.incidents.reopen(
        incident.id, reason="всё же наше", actor="i", at=LATER, version=incident.version
    )
    assert (again.state, again.next_due_at is None) == (S.CHECKING, False)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"text": "МЁРЗНУТ курлово"}, ["Мерзнут дети"]),
        ({"text": "000002"}, ["Мерзнут дети"]),
        ({"text": "%"}, []),
        ({"executor": "sidorov"}, ["Свет"]),
        ({"sector": "ЖКХ"}, ["Свет"]),
        ({"states": [S.NEW]}, ["Мерзнут дети", "Яма"]),
        ({"since": LATER}, ["Мерзнут дети"]),
        ({"until": LATER}, ["Свет", "Яма"]),
    ],
)
def test_conditions_choose(desk: Desk, asked: dict, found: list[str]):
    opened(desk, title="Яма", at=NOON - HOUR)
    opened(desk, title="Мерзнут дети", place="Курлово", at=LATER)
    opened(desk, title="Свет", executor="sidorov", sector="ЖКХ")
    assert [i.title for i in desk.incidents.find(**asked)[0]] == found


def test_pages_are_newest_first(desk: Desk):
    for n in range(5):
        opened(desk, title=str(n), at=NOON + n * HOUR)
    first, cursor = desk.incidents.find(limit=3)
    rest, end = desk.incidents.find(limit=3, cursor=cursor)
    assert [i.title for i in (*first, *rest)] == ["4", "3", "2", "1", "0"]
    assert end is None


# replies


def drafted(desk: Desk, **facts) -> Reply:
    desk.pages.add(page(id="vk-1"), actor="admin", at=NOON)
    incident = opened(desk, executor="sidorov")
    ordinary = {"post_id": "vk:-1_1", "page_id": "vk-1", "text": "Чиним", "actor": "ivanova", "at": NOON}
    return desk.incidents.draft_reply(incident.id, **ordinary | facts)


def submitted(desk: Desk, **facts) -> Reply:
    reply = drafted(desk, **facts)
    return desk.incidents.submit_reply(reply.id, actor="ivanova", at=NOON, version=reply.version)


def approved(desk: Desk, **facts):
    reply = submitted(desk, **facts)
    return desk.incidents.approve_reply(reply.id, actor="petrov", at=NOON, version=reply.version)


def publish(desk: Desk, delivery_id: str) -> None:
    desk.deliveries.claim_due(NOON, worker="w", lease=HOUR, limit=10)
    desk.deliveries.begin_sending(delivery_id, worker="w", at=NOON)
    desk.deliveries.record_published(delivery_id, remote_id="9", url="https://vk.ru/wall-1_9", at=LATER)


def test_approving_writes_the_delivery_in_the_same_transaction(desk: Desk):
    reply, delivery = approved(desk)
    assert reply.state is ReplyState.APPROVED
    assert (delivery.kind, delivery.subject_id, delivery.due_at) == (DeliveryKind.REPLY, reply.id, NOON)
    assert (delivery.message.text, delivery.message.reply_to) == ("Чиним", "vk:-1_1")
    assert desk.deliveries.get(delivery.id) == delivery


def test_the_incident_follows_its_reply(desk: Desk):
    reply = submitted(desk)
    assert desk.incidents.get(reply.incident_id).state is S.ANSWER_ON_REVIEW
    desk.incidents.return_reply(reply.id, "мягче", actor="petrov", at=NOON, version=reply.version)
    assert desk.incidents.get(reply.incident_id).state is S.IN_WORK


def test_a_published_answer_is_told_to_reply_and_incident(desk: Desk):
    reply, delivery = approved(desk)
    publish(desk, delivery.id)
    assert desk.incidents.get_reply(reply.id).state is ReplyState.PUBLISHED
    incident = desk.incidents.get(reply.incident_id)
    assert (incident.state, incident.answered_at) == (S.ANSWERED, LATER)


def test_an_interim_answer_promises_the_final_one(desk: Desk):
    reply, delivery = approved(desk, is_interim=True)
    publish(desk, delivery.id)
    incident = desk.incidents.get(reply.incident_id)
    assert incident.state is S.INTERIM_ANSWER
    assert [d.name for d in incident.deadlines if d.is_running] == ["final"]


def test_a_refused_answer_says_so(desk: Desk):
    reply, delivery = approved(desk)
    desk.deliveries.claim_due(NOON, worker="w", lease=HOUR, limit=10)
    desk.deliveries.begin_sending(delivery.id, worker="w", at=NOON)
    desk.deliveries.record_failed(delivery.id, "Комментарии закрыты", at=LATER)
    assert desk.incidents.get_reply(reply.id).state is ReplyState.FAILED
    assert "Комментарии закрыты" in desk.incidents.events(reply.incident_id)[-1].text


def test_nobody_approves_their_own_words(desk: Desk):
    reply = submitted(desk)
    with pytest.raises(Conflict, match="другой сотрудник"):
        desk.incidents.approve_reply(reply.id, actor="ivanova", at=NOON, version=reply.version)


def test_nor_the_words_they_put_into_another_s_draft(desk: Desk):
    reply = drafted(desk)
    reply = desk.incidents.edit_reply(
        reply.id, text="Починим", actor="petrov", at=NOON, version=reply.version
    )
    reply = desk.incidents.submit_reply(reply.id, actor="ivanova", at=NOON, version=reply.version)
    with pytest.raises(Conflict, match="другой сотрудник"):
        desk.incidents.approve_reply(reply.id, actor="petrov", at=NOON, version=reply.version)


def test_where_one_person_is_enough_the_author_approves(desk_setting: str, tmp_path):
    desk = open_desk(desk_setting, tmp_path, two_person_approval=False)
    reply = submitted(desk)
    reply, _ = desk.incidents.approve_reply(reply.id, actor="ivanova", at=NOON, version=reply.version)
    assert reply.state is ReplyState.APPROVED
    desk.close()


def test_words_that_changed_since_they_were_read_are_not_approved(desk: Desk):
    read = submitted(desk)
    edited = desk.incidents.edit_reply(read.id, text="Иначе", actor="ivanova", at=NOON, version=read.version)
    desk.incidents.submit_reply(read.id, actor="ivanova", at=NOON, version=edited.version)
    with pytest.raises(Conflict, match="изменил"):
        desk.incidents.approve_reply(read.id, actor="petrov", at=NOON, version=read.version)


def test_editing_an_approved_reply_cancels_its_delivery_and_approving_again_uses_the_same_row(desk: Desk):
    reply, delivery = approved(desk)
    reply = desk.incidents.edit_reply(reply.id, text="Иначе", actor="ivanova", at=NOON, version=reply.version)
    assert desk.deliveries.get(delivery.id).state is DeliveryState.CANCELLED
    reply = desk.incidents.submit_reply(reply.id, actor="ivanova", at=NOON, version=reply.version)
    _, again = desk.incidents.approve_reply(reply.id, actor="petrov", at=NOON, version=reply.version)
    assert (again.id, again.state, again.message.text) == (delivery.id, DeliveryState.SCHEDULED, "Иначе")


def test_a_reply_that_is_being_sent_is_not_edited(desk: Desk):
    reply, delivery = approved(desk)
    desk.deliveries.claim_due(NOON, worker="w", lease=HOUR, limit=10)
    desk.deliveries.begin_sending(delivery.id, worker="w", at=NOON)
    with pytest.raises(Conflict, match="отправляется"):
        desk.incidents.edit_reply(reply.id, text="Иначе", actor="i", at=NOON, version=reply.version)


def test_a_closed_incident_takes_no_answer(desk: Desk):
    desk.pages.add(page(id="vk-1"), actor="admin", at=NOON)
    incident = move(desk, opened(desk), S.DECLINED, reason="не наше")
    with pytest.raises(Conflict, match="завершён"):
        desk.incidents.draft_reply(incident.id, post_id="p", page_id="vk-1", text="Чиним", actor="i", at=NOON)


def test_replies_are_listed_oldest_first_and_by_state(desk: Desk):
    first = drafted(desk)
    second = desk.incidents.draft_reply(
        first.incident_id, post_id="p", page_id="vk-1", text="Ещё", actor="i", at=LATER
    )
    assert desk.incidents.replies(first.incident_id) == [first, second]
    desk.incidents.submit_reply(second.id, actor="i", at=LATER, version=0)
    assert [r.id for r in desk.incidents.find_replies(states=(ReplyState.ON_REVIEW,))] == [second.id]
