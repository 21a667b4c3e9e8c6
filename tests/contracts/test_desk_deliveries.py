"""The outbox on the desk: claims, attempts, outcomes, and what a dead worker leaves behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from index.desk import Desk
from index.domain.publication import Delivery, DeliveryState
from index.errors import Conflict, NotFound
from tests.factories import NOON, message, page, publication

D = DeliveryState
MINUTE = timedelta(minutes=1)
LEASE = 5 * MINUTE


def scheduled(desk: Desk, page_id: str = "vk-1", **facts) -> Delivery:
    """An approved publication of one page, due at noon."""
    desk.pages.add(page(id=page_id, late_limit=30 * MINUTE), actor="admin", at=NOON)
    draft = publication(**{"variants": ((page_id, message()),)} | facts)
    draft = desk.publications.save_draft(draft, actor="petrova", at=NOON)
    read = desk.publications.submit(draft.id, actor="petrova", at=NOON, version=draft.version)
    _, (delivery,) = desk.publications.approve(
        read.id, actor="orlov", at=NOON, version=read.version, hash=read.payload_hash
    )
    return delivery


def claim(desk: Desk, worker: str = "w", at=NOON, **facts) -> list[Delivery]:
    return desk.deliveries.claim_due(at, **{"worker": worker, "lease": LEASE, "limit": 10} | facts)


def sending(desk: Desk) -> Delivery:
    delivery = scheduled(desk)
    claim(desk)
    return desk.deliveries.begin_sending(delivery.id, worker="w", at=NOON)


def state(desk: Desk, delivery: Delivery) -> DeliveryState:
    return desk.deliveries.get(delivery.id).state


def test_only_what_is_due_is_claimed_and_once(desk: Desk):
    now = scheduled(desk)
    scheduled(desk, due_at=NOON + MINUTE, wall_time="2026-11-24T12:01")
    assert [d.id for d in claim(desk)] == [now.id]
    assert claim(desk, "w2") == []


def test_the_whole_way_of_a_delivery(desk: Desk):
    delivery = sending(desk)
    assert (delivery.state, delivery.attempt, delivery.started_at) == (D.SENDING, 1, NOON)
    out = desk.deliveries.record_published(
        delivery.id, remote_id="7", url="https://vk.ru/wall-1_7", at=NOON + MINUTE
    )
    assert desk.deliveries.get(delivery.id) == out
    assert (out.state, out.published_at, out.worker) == (D.PUBLISHED, NOON + MINUTE, None)
    actions = [row.action for row in desk.audit.find(subject=f"delivery:{delivery.id}")[0]]
    assert actions == ["delivery_published", "delivery_sending", "delivery_claimed", "delivery_scheduled"]


def test_recording_the_same_answer_again_changes_nothing(desk: Desk):
    delivery = sending(desk)
    for _ in range(2):
        desk.deliveries.record_published(delivery.id, remote_id="7", url=None, at=NOON)
    subject = f"delivery:{delivery.id}"
    assert [r.action for r in desk.audit.find(subject=subject)[0]].count("delivery_published") == 1


def test_a_second_copy_on_the_page_is_not_hidden(desk: Desk):
    delivery = sending(desk)
    desk.deliveries.record_published(delivery.id, remote_id="7", url=None, at=NOON)
    with pytest.raises(Conflict, match="двух"):
        desk.deliveries.record_published(delivery.id, remote_id="8", url=None, at=NOON)


def test_begin_sending_belongs_to_the_worker_that_claimed(desk: Desk):
    delivery = scheduled(desk)
    claim(desk)
    with pytest.raises(Conflict, match="другой работник"):
        desk.deliveries.begin_sending(delivery.id, worker="w2", at=NOON)
    with pytest.raises(Conflict, match="другой работник"):
        desk.deliveries.begin_sending(delivery.id, worker="w", at=NOON + LEASE)


def test_a_text_changed_in_the_database_is_neither_claimed_nor_sent(desk: Desk):
    delivery = scheduled(desk)
    with desk.database.write() as tx:
        tx.execute(text("UPDATE deliveries SET payload_hash = 'x'"))
    assert claim(desk) == []
    with desk.database.write() as tx:
        tx.execute(text("UPDATE deliveries SET payload_hash = approved_hash"))
    claim(desk)
    with desk.database.write() as tx:
        tx.execute(text("""UPDATE deliveries SET message = '{"text":"Подменили"}'"""))
    with pytest.raises(Conflict, match="согласован"):
        desk.deliveries.begin_sending(delivery.id, worker="w", at=NOON)


def test_a_missed_slot_waits_for_a_person(desk: Desk):
    delivery = scheduled(desk)
    assert claim(desk, at=NOON + 31 * MINUTE) == []
    missed = desk.deliveries.get(delivery.id)
    assert missed.state is D.NEEDS_HUMAN
    assert "прошло" in missed.error


def test_a_slot_missed_by_little_is_sent(desk: Desk):
    scheduled(desk)
    assert len(claim(desk, at=NOON + 30 * MINUTE)) == 1


def test_a_person_sends_a_missed_one_after_all_or_drops_it(desk: Desk):
    late = NOON + timedelta(hours=2)
    one, other = scheduled(desk), scheduled(desk, "ok-1")
    claim(desk, at=late)
    desk.deliveries.resolve(one.id, published_url=None, actor="orlov", at=late)
    desk.deliveries.cancel(other.id, actor="orlov", at=late)
    assert [d.id for d in claim(desk, at=late)] == [one.id]
    assert state(desk, other) is D.CANCELLED


def test_a_disabled_page_sends_nothing(desk: Desk):
    scheduled(desk)
    desk.pages.save(replace(desk.pages.get("vk-1"), is_enabled=False), actor="admin", at=NOON)
    assert claim(desk) == []


def test_one_page_s_deliveries_can_be_claimed_alone(desk: Desk):
    scheduled(desk)
    other = scheduled(desk, "ok-1")
    assert desk.deliveries.due_pages(NOON) == ["ok-1", "vk-1"]
    assert [d.id for d in claim(desk, page_id="ok-1")] == [other.id]
    assert desk.deliveries.due_pages(NOON) == ["vk-1"]


def test_what_was_not_sent_is_tried_again_later(desk: Desk):
    delivery = sending(desk)
    desk.deliveries.retry_later(delivery.id, NOON + MINUTE, "занято", at=NOON, attempt=1)
    assert claim(desk) == []
    assert [d.id for d in claim(desk, at=NOON + MINUTE)] == [delivery.id]
    again = desk.deliveries.begin_sending(delivery.id, worker="w", at=NOON + MINUTE)
    assert again.attempt == 2


def test_a_worker_that_comes_back_late_does_not_touch_the_next_attempt(desk: Desk):
    delivery = sending(desk)
    desk.deliveries.retry_later(delivery.id, NOON, "занято", at=NOON, attempt=1)
    claim(desk, "w2")
    desk.deliveries.begin_sending(delivery.id, worker="w2", at=NOON)
    for late in (
        lambda: desk.deliveries.retry_later(delivery.id, NOON, "занято", at=NOON, attempt=1),
        lambda: desk.deliveries.record_failed(delivery.id, "нет", at=NOON, attempt=1),
        lambda: desk.deliveries.record_unknown(delivery.id, "обрыв", at=NOON, attempt=1),
    ):
        with pytest.raises(Conflict):
            late()
    assert state(desk, delivery) is D.SENDING


def test_the_uploaded_photo_is_kept_over_attempts(desk: Desk):
    delivery = scheduled(desk)
    claim(desk)
    desk.deliveries.keep_upload(delivery.id, worker="w", upload="photo-1_2")
    desk.deliveries.begin_sending(delivery.id, worker="w", at=NOON)
    desk.deliveries.retry_later(delivery.id, NOON, "занято", at=NOON)
    assert [d.upload for d in claim(desk)] == ["photo-1_2"]


def test_the_sweep_takes_back_claims_and_marks_sends_unknown(desk: Desk):
    claimed, sent = scheduled(desk), scheduled(desk, "ok-1")
    claim(desk)
    desk.deliveries.begin_sending(sent.id, worker="w", at=NOON, lease=LEASE)
    assert desk.deliveries.sweep(NOON + LEASE - MINUTE) == (0, 0)
    assert desk.deliveries.sweep(NOON + LEASE) == (1, 1)
    assert (state(desk, claimed), state(desk, sent)) == (D.SCHEDULED, D.UNKNOWN)
    assert claim(desk, at=NOON + LEASE) != []
    assert [d.id for d in desk.deliveries.unknown()] == [sent.id]


def test_an_answer_that_comes_after_the_sweep_is_believed(desk: Desk):
    delivery = sending(desk)
    desk.deliveries.sweep(NOON + LEASE)
    desk.deliveries.record_published(delivery.id, remote_id="7", url=None, at=NOON + LEASE)
    assert state(desk, delivery) is D.PUBLISHED


def test_two_empty_reads_a_minute_apart_schedule_it_again(desk: Desk):
    delivery = sending(desk)
    desk.deliveries.record_unknown(delivery.id, "обрыв", at=NOON)
    for seconds, wanted in ((0, D.UNKNOWN), (30, D.UNKNOWN), (60, D.SCHEDULED)):
        desk.deliveries.record_absent_read(delivery.id, at=NOON + timedelta(seconds=seconds))
        assert state(desk, delivery) is wanted


def test_a_person_finds_it_on_the_page(desk: Desk):
    delivery = sending(desk)
    desk.deliveries.need_person(delivery.id, "Telegram не показывает свои посты", at=NOON)
    found = desk.deliveries.resolve(
        delivery.id, published_url="https://t.me/gus/7", actor="orlov", at=NOON + MINUTE
    )
    assert (found.state, found.url) == (D.PUBLISHED, "https://t.me/gus/7")
    newest = desk.audit.find(subject=f"delivery:{delivery.id}")[0][0]
    assert (newest.actor, newest.action) == ("orlov", "delivery_published")


def test_what_follows_a_publication_is_made_up_when_the_process_died_before_it(desk: Desk):
    """Between the commit of «вышло» and the commit of its consequences."""
    delivery = sending(desk)
    desk.deliveries.record_published(delivery.id, remote_id="7", url=None, at=NOON)
    with desk.database.write() as tx:  # as if the second commit had not come about
        tx.execute(text("UPDATE deliveries SET is_settled = :no"), {"no": False})
    desk.deliveries.sweep(NOON + MINUTE)
    desk.deliveries.sweep(NOON + MINUTE)
    subject = f"delivery:{delivery.id}"
    assert [r.action for r in desk.audit.find(subject=subject)[0]].count("delivery_published") == 2


def test_stop_all_holds_what_is_not_being_sent_and_lets_it_go_on(desk: Desk):
    waiting, claimed, sent = scheduled(desk), scheduled(desk, "ok-1"), scheduled(desk, "max-1")
    claim(desk, page_id="ok-1")
    claim(desk, page_id="max-1")
    desk.deliveries.begin_sending(sent.id, worker="w", at=NOON)
    assert desk.deliveries.stop_all(True, actor="orlov", at=NOON, reason="траур") == 2
    assert desk.deliveries.is_stopped()
    assert [state(desk, d) for d in (waiting, claimed, sent)] == [D.HELD, D.HELD, D.SENDING]
    assert claim(desk) == []
    assert desk.deliveries.due_pages(NOON) == []
    with pytest.raises(Conflict, match="стоп всё"):
        desk.deliveries.begin_sending(claimed.id, worker="w", at=NOON)
    assert desk.deliveries.stop_all(False, actor="orlov", at=NOON) == 2
    assert {d.id for d in claim(desk)} == {waiting.id, claimed.id}


def test_what_is_approved_while_all_is_stopped_is_held_too(desk: Desk):
    desk.deliveries.stop_all(True, actor="orlov", at=NOON)
    assert scheduled(desk).state is D.HELD


def test_they_are_found_and_counted(desk: Desk):
    one, other = scheduled(desk), scheduled(desk, "ok-1")
    claim(desk, page_id="ok-1")
    assert [d.id for d in desk.deliveries.find(page_id="vk-1")[0]] == [one.id]
    assert [d.id for d in desk.deliveries.find(states=[D.CLAIMED])[0]] == [other.id]
    assert desk.deliveries.find(until=NOON)[0] == []
    assert desk.deliveries.counts() == {D.SCHEDULED: 1, D.CLAIMED: 1}
    with pytest.raises(NotFound, match="доставки"):
        desk.deliveries.get("d-0")
