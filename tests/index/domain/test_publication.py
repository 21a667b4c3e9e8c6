"""Approval bound to the text, and the states of a delivery in which nothing is ever sent twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from index.domain.publication import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    Publication,
    PublicationState,
    instant,
)
from index.errors import Conflict, Refused
from tests.factories import NOON, message, publication

P, D = PublicationState, DeliveryState
LATER = NOON + timedelta(minutes=1)


def on_page(**facts) -> Publication:
    return publication(variants=(("vk-1", message()),), **facts)


PUBLICATION_STEPS = {
    "edit": (lambda p: p.edited(p), {P.DRAFT, P.ON_REVIEW, P.APPROVED}),
    "submit": (lambda p: p.submitted(), {P.DRAFT}),
    "approve": (lambda p: p.approved(by="petrov", payload_hash=p.payload_hash), {P.ON_REVIEW}),
    "return": (lambda p: p.returned("короче"), {P.ON_REVIEW}),
    "withdraw": (lambda p: p.withdrawn(), {P.DRAFT, P.ON_REVIEW, P.APPROVED}),
}


@pytest.mark.parametrize("step", PUBLICATION_STEPS)
@pytest.mark.parametrize("state", P)
def test_a_publication_takes_only_allowed_steps(state, step):
    take, allowed = PUBLICATION_STEPS[step]
    if state in allowed:
        take(on_page(state=state))
    else:
        with pytest.raises(Conflict, match="Нельзя"):
            take(on_page(state=state))


def test_only_the_text_that_was_read_is_approved():
    read = on_page(state=P.ON_REVIEW)
    changed = replace(read, variants=(("vk-1", message(text="Другой текст")),))
    with pytest.raises(Conflict, match="изменились"):
        changed.approved(by="petrov", payload_hash=read.payload_hash)


def test_the_hash_covers_time_and_every_variant_but_not_the_zone_it_is_told_in():
    one = on_page()
    assert one.payload_hash != replace(one, due_at=LATER).payload_hash
    assert one.payload_hash != replace(one, variants=(*one.variants, ("ok-1", message()))).payload_hash
    in_moscow = replace(one, due_at=one.due_at.astimezone(ZoneInfo("Europe/Moscow")))
    assert one.payload_hash == in_moscow.payload_hash


def test_an_edit_returns_it_to_draft_and_keeps_its_author():
    approved = on_page(state=P.ON_REVIEW)
    approved = approved.approved(by="petrov", payload_hash=approved.payload_hash)
    edited = approved.edited(replace(approved, title="Иначе", author="somebody"))
    assert (edited.state, edited.approved_hash, edited.author) == (P.DRAFT, None, approved.author)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"due_at": LATER}, "due_at"),
        ({"wall_time": "завтра"}, "wall_time"),
        ({"wall_time": "2026-11-24T12:00+03:00"}, "wall_time"),
        ({"zone": "Курлово"}, "wall_time"),
        ({"variants": (("vk-1", message()), ("vk-1", message(text="Два")))}, "variants"),
    ],
)
def test_a_wrong_field_is_named(facts, field):
    with pytest.raises(Refused) as refused:
        publication(**facts).checked()
    assert refused.value.field == field


@pytest.mark.parametrize("variants", [(), (("vk-1", message(text="  ")),)])
def test_nothing_is_not_submitted(variants):
    with pytest.raises(Refused):
        publication(variants=variants).submitted()


def test_a_wall_time_keeps_its_hour_when_the_clocks_change():
    assert instant("2026-10-24T10:00", "Europe/Berlin") == datetime(2026, 10, 24, 8, tzinfo=UTC)
    assert instant("2026-10-26T10:00", "Europe/Berlin") == datetime(2026, 10, 26, 9, tzinfo=UTC)


def delivery(state: DeliveryState, **facts) -> Delivery:
    ordinary = {
        "id": "d-1",
        "kind": DeliveryKind.PUBLICATION,
        "subject_id": "p-1",
        "page_id": "vk-1",
        "message": message(),
        "payload_hash": message().payload_hash,
        "approved_hash": message().payload_hash,
        "due_at": NOON,
        "state": state,
        "worker": "w1",
        "lease_until": NOON + timedelta(minutes=5),
    }
    return Delivery(**ordinary | facts)


def begin(d: Delivery, **facts) -> Delivery:
    return d.sending(**{"worker": "w1", "at": LATER, "lease_until": LATER, "upload": None} | facts)


DELIVERY_STEPS = {
    "claim": (lambda d: d.claimed(worker="w2", lease_until=LATER), {D.SCHEDULED}),
    "miss": (lambda d: d.missed(at=LATER), {D.SCHEDULED}),
    "send": (begin, {D.CLAIMED}),
    "publish": (lambda d: d.published(remote_id="1", url=None, at=LATER), set(D)),
    "fail": (lambda d: d.failed("нет прав"), {D.CLAIMED, D.SENDING, D.UNKNOWN}),
    "put off": (lambda d: d.put_off(until=LATER, error="занято"), {D.CLAIMED, D.SENDING, D.UNKNOWN}),
    "lose": (lambda d: d.unclear("обрыв"), {D.SENDING, D.UNKNOWN, D.PUBLISHED}),
    "ask": (lambda d: d.left_to_person("решите"), {D.CLAIMED, D.SENDING, D.UNKNOWN}),
    "expire": (lambda d: d.expired(), {D.CLAIMED, D.SENDING}),
    "not find": (lambda d: d.not_found(at=LATER), {D.UNKNOWN}),
    "resolve": (lambda d: d.resolved(published_url=None, at=LATER), {D.UNKNOWN, D.NEEDS_HUMAN, D.FAILED}),
    "cancel": (
        lambda d: d.cancelled(),
        {D.SCHEDULED, D.HELD, D.CLAIMED, D.FAILED, D.NEEDS_HUMAN},
    ),
    "hold": (lambda d: d.held(), {D.SCHEDULED, D.CLAIMED}),
    "release": (lambda d: d.released(), {D.HELD}),
}


@pytest.mark.parametrize("step", DELIVERY_STEPS)
@pytest.mark.parametrize("state", D)
def test_a_delivery_takes_only_allowed_steps(state, step):
    take, allowed = DELIVERY_STEPS[step]
    before = delivery(state, remote_id="1" if state is D.PUBLISHED else None)
    if state in allowed:
        take(before)
    else:
        with pytest.raises(Conflict, match="Нельзя"):
            take(before)


def test_no_step_but_a_person_s_leads_from_a_possible_send_back_to_waiting_without_proof():
    """From SENDING and UNKNOWN only what says «proven not sent» schedules again."""
    proofs = {"put off", "resolve", "not find"}
    for state in (D.SENDING, D.UNKNOWN):
        for name, (take, allowed) in DELIVERY_STEPS.items():
            if state in allowed and take(delivery(state, absent_reads=1)).state is D.SCHEDULED:
                assert name in proofs


def test_a_worker_that_lost_its_lease_may_not_send():
    with pytest.raises(Conflict, match="другой работник"):
        begin(delivery(D.CLAIMED), worker="w2")
    with pytest.raises(Conflict, match="другой работник"):
        begin(delivery(D.CLAIMED, lease_until=NOON))


def test_a_text_that_was_not_approved_may_not_be_sent():
    with pytest.raises(Conflict, match="согласован"):
        begin(delivery(D.CLAIMED, message=message(text="Подменили")))


def test_an_expired_claim_waits_again_but_an_expired_send_is_unknown():
    assert delivery(D.CLAIMED).expired().state is D.SCHEDULED
    assert delivery(D.SENDING).expired().state is D.UNKNOWN


def test_two_empty_reads_a_minute_apart_prove_absence():
    lost = delivery(D.UNKNOWN)
    once = lost.not_found(at=NOON)
    assert (once.state, once.absent_reads) == (D.UNKNOWN, 1)
    assert once.not_found(at=NOON + timedelta(seconds=59)) == once  # too soon
    assert once.not_found(at=NOON + timedelta(seconds=60)).state is D.SCHEDULED


def test_a_late_answer_of_the_network_is_believed():
    out = delivery(D.UNKNOWN).published(remote_id="7", url="https://vk.ru/wall-1_7", at=LATER)
    assert (out.state, out.remote_id, out.worker) == (D.PUBLISHED, "7", None)


def test_what_is_published_never_changes():
    out = delivery(D.PUBLISHED, remote_id="7", published_at=NOON)
    assert out.published(remote_id="7", url="https://x", at=LATER) == out
    with pytest.raises(Conflict, match="двух"):
        out.published(remote_id="8", url=None, at=LATER)


def test_a_person_sends_it_now_not_in_its_old_slot():
    again = delivery(D.NEEDS_HUMAN).resolved(published_url=None, at=LATER)
    assert (again.state, again.due_at) == (D.SCHEDULED, LATER)


def test_a_person_who_found_it_gives_its_address():
    found = delivery(D.UNKNOWN).resolved(published_url="https://vk.ru/wall-1_7", at=LATER)
    assert (found.state, found.url) == (D.PUBLISHED, "https://vk.ru/wall-1_7")
