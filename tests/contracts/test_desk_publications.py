"""Publications on the desk: approval is bound to what was read, and writes the deliveries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from index.desk import Desk
from index.domain.publication import DeliveryState, Publication, PublicationState
from index.errors import Conflict, NotFound, Refused
from tests.factories import NOON, message, page, publication

P, D = PublicationState, DeliveryState
MINUTE = timedelta(minutes=1)
EARLIER = NOON - timedelta(hours=2)
TWO_PAGES = (("ok-1", message(text="Воды не будет")), ("vk-1", message()))


@pytest.fixture
def pages(desk: Desk) -> Desk:
    for name in ("vk-1", "ok-1"):
        desk.pages.add(page(id=name), actor="admin", at=EARLIER)
    return desk


def drafted(desk: Desk, **facts) -> Publication:
    return desk.publications.save_draft(
        publication(**{"variants": TWO_PAGES} | facts), actor="petrova", at=EARLIER
    )


def submitted(desk: Desk, **facts) -> Publication:
    draft = drafted(desk, **facts)
    return desk.publications.submit(draft.id, actor="petrova", at=EARLIER, version=draft.version)


def approve(desk: Desk, read: Publication, **facts):
    how = {"actor": "orlov", "at": EARLIER, "version": read.version, "hash": read.payload_hash}
    return desk.publications.approve(read.id, **how | facts)


def states(desk: Desk, subject: Publication) -> dict[str, DeliveryState]:
    return {d.page_id: d.state for d in desk.deliveries.find(subject_id=subject.id)[0]}


def test_a_draft_comes_back_as_it_was_saved(pages: Desk):
    draft = drafted(pages)
    assert pages.publications.get(draft.id) == draft
    assert (draft.author, draft.created_at, draft.state) == ("petrova", EARLIER, P.DRAFT)


def test_approval_writes_one_delivery_a_page(pages: Desk):
    approved, deliveries = approve(pages, submitted(pages))
    assert (approved.state, approved.approved_by) == (P.APPROVED, "orlov")
    assert states(pages, approved) == {"vk-1": D.SCHEDULED, "ok-1": D.SCHEDULED}
    assert {d.due_at for d in deliveries} == {NOON}
    assert all(d.approved_hash == d.message.payload_hash for d in deliveries)


def test_approving_what_was_not_read_writes_nothing(pages: Desk):
    read = submitted(pages)
    with pytest.raises(Conflict, match="изменились"):
        approve(pages, read, hash="0" * 64)
    assert states(pages, read) == {}


def test_the_author_does_not_approve(pages: Desk):
    with pytest.raises(Conflict, match="другой сотрудник"):
        approve(pages, submitted(pages), actor="petrova")


def test_nor_does_who_edited_it_last(pages: Desk):
    draft = pages.publications.save_draft(replace(drafted(pages), title="Иначе"), actor="orlov", at=EARLIER)
    read = pages.publications.submit(draft.id, actor="petrova", at=EARLIER, version=draft.version)
    with pytest.raises(Conflict, match="другой сотрудник"):
        approve(pages, read)
    assert read.author == "petrova"


def test_any_edit_after_approval_cancels_what_was_not_sent(pages: Desk):
    approved, _ = approve(pages, submitted(pages))
    edited = pages.publications.save_draft(
        replace(approved, variants=(("vk-1", message(text="Иначе")),)), actor="petrova", at=EARLIER
    )
    assert (edited.state, edited.approved_hash) == (P.DRAFT, None)
    assert states(pages, approved) == {"vk-1": D.CANCELLED, "ok-1": D.CANCELLED}


def test_approving_again_sends_the_new_words_from_the_same_rows(pages: Desk):
    approved, before = approve(pages, submitted(pages))
    edited = pages.publications.save_draft(
        replace(approved, variants=(("vk-1", message(text="Иначе")),)), actor="petrova", at=EARLIER
    )
    read = pages.publications.submit(edited.id, actor="petrova", at=EARLIER, version=edited.version)
    _, (again,) = approve(pages, read)
    assert again.id in {d.id for d in before}
    assert states(pages, approved) == {"vk-1": D.SCHEDULED, "ok-1": D.CANCELLED}
    assert pages.deliveries.get(again.id).message.text == "Иначе"


@pytest.mark.parametrize("outcome", ["sending", "published", "unknown"])
def test_what_is_or_may_be_out_is_not_edited(pages: Desk, outcome: str):
    approved, _ = approve(pages, submitted(pages))
    first, *_ = pages.deliveries.claim_due(NOON, worker="w", lease=MINUTE, limit=1)
    pages.deliveries.begin_sending(first.id, worker="w", at=NOON)
    if outcome == "published":
        pages.deliveries.record_published(first.id, remote_id="1", url=None, at=NOON)
    elif outcome == "unknown":
        pages.deliveries.record_unknown(first.id, "обрыв", at=NOON)
    before = states(pages, approved)
    with pytest.raises(Conflict, match="правка — это новая публикация"):
        pages.publications.save_draft(replace(approved, title="Иначе"), actor="petrova", at=NOON)
    assert states(pages, approved) == before


def test_an_old_version_is_not_saved(pages: Desk):
    draft = drafted(pages)
    pages.publications.save_draft(replace(draft, title="Раз"), actor="petrova", at=EARLIER)
    with pytest.raises(Conflict, match="изменил"):
        pages.publications.save_draft(replace(draft, title="Два"), actor="orlov", at=EARLIER)


def test_a_late_time_is_not_approved(pages: Desk):
    read = submitted(pages)
    with pytest.raises(Refused) as refused:
        approve(pages, read, at=NOON + timedelta(hours=1))
    assert refused.value.field == "due_at"
    approve(pages, read, at=NOON + MINUTE)  # within the page's limit it goes at once


def test_pages_must_exist_and_be_on(pages: Desk):
    with pytest.raises(NotFound, match="страницы"):
        approve(pages, submitted(pages, variants=(("max-1", message()),)))
    pages.pages.save(replace(pages.pages.get("vk-1"), is_enabled=False), actor="admin", at=EARLIER)
    with pytest.raises(Conflict, match="выключена"):
        approve(pages, submitted(pages))


def test_a_returned_one_carries_the_reviewer_s_words(pages: Desk):
    read = submitted(pages)
    returned = pages.publications.return_to_author(
        read.id, "короче", actor="orlov", at=EARLIER, version=read.version
    )
    assert (returned.state, returned.note) == (P.DRAFT, "короче")


def test_withdrawing_cancels_the_rest_and_leaves_what_is_out(pages: Desk):
    approved, _ = approve(pages, submitted(pages))
    first, *_ = pages.deliveries.claim_due(NOON, worker="w", lease=MINUTE, limit=1)
    pages.deliveries.begin_sending(first.id, worker="w", at=NOON)
    pages.deliveries.record_published(first.id, remote_id="1", url=None, at=NOON)
    pages.publications.withdraw(approved.id, actor="orlov", at=NOON, version=approved.version)
    assert set(states(pages, approved).values()) == {D.PUBLISHED, D.CANCELLED}


def test_nothing_is_withdrawn_under_the_hand_of_the_sender(pages: Desk):
    approved, _ = approve(pages, submitted(pages))
    first, *_ = pages.deliveries.claim_due(NOON, worker="w", lease=MINUTE, limit=1)
    pages.deliveries.begin_sending(first.id, worker="w", at=NOON)
    with pytest.raises(Conflict, match="прямо сейчас"):
        pages.publications.withdraw(approved.id, actor="orlov", at=NOON, version=approved.version)


def test_they_are_found_by_their_time(pages: Desk):
    for name, hour in (("a", "12"), ("b", "13"), ("c", "14")):
        due = NOON + timedelta(hours=int(hour) - 12)
        drafted(pages, id=name, due_at=due, wall_time=f"2026-11-24T{hour}:00")
    hour = timedelta(hours=1)
    found, _ = pages.publications.find(since=NOON, until=NOON + 2 * hour)
    assert [p.id for p in found] == ["a", "b"]
    first, cursor = pages.publications.find(limit=2)
    rest, end = pages.publications.find(limit=2, cursor=cursor)
    assert [p.id for p in (*first, *rest)] == ["a", "b", "c"]
    assert end is None
    assert pages.publications.find(states=[P.APPROVED]) == ([], None)
