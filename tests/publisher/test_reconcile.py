"""Unknown outcomes: found on the page, proved absent by two reads, or left to a person; never both."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from api.practice.twin import COMMUNITY, Twin
from index.desk import Desk
from index.domain.page import Page
from index.domain.publication import Delivery, DeliveryState
from publisher.channels.base import Channel
from publisher.outbox import Outbox
from publisher.reconcile import reconcile
from tests.publisher.conftest import PAGES, TEXT, Clock, plan, state, texts

PROVING = ["vk", "ok", "max"]  #: networks whose pages can be listed


@pytest.fixture
def outbox(desk: Desk, channels: Callable[[Page], Channel]) -> Iterator[Outbox]:
    outbox = Outbox(desk, channels)
    yield outbox
    outbox.close()


WRITES = {"vk": "wall.post", "ok": "mediatopic.post", "telegram": "sendMessage", "max": "POST /messages"}


def lose(outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, page: str, fault: str) -> Delivery:
    """A delivery whose answer got lost."""
    twin.fail(page, WRITES[page], fault)
    [delivery] = plan(desk, page, at=clock())
    outbox.run(clock())
    assert state(desk, delivery) is DeliveryState.UNKNOWN
    return delivery


@pytest.mark.parametrize("page", PAGES)
def test_what_stands_on_the_page_is_out(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel], page: str
):
    delivery = lose(outbox, desk, twin, clock, page, "reset_after_accept")
    assert reconcile(desk, channels, clock.on(seconds=5)).found == 1
    out = desk.deliveries.get(delivery.id)
    [standing] = twin.posts(PAGES[page].network, PAGES[page].address)
    assert (out.state, f"{page}:{out.remote_id}") == (DeliveryState.PUBLISHED, standing.id)


@pytest.mark.parametrize("page", PROVING)
def test_two_empty_reads_a_minute_apart_send_it_again_once(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel], page: str
):
    delivery = lose(outbox, desk, twin, clock, page, "reset")
    assert reconcile(desk, channels, clock.on(seconds=30)).waiting == 1  # it may still be on its way
    assert reconcile(desk, channels, clock.on(seconds=40)).absent == 1
    reconcile(desk, channels, clock.on(seconds=30))  # too close to the first read
    assert state(desk, delivery) is DeliveryState.UNKNOWN
    reconcile(desk, channels, clock.on(seconds=40))
    assert state(desk, delivery) is DeliveryState.SCHEDULED
    assert outbox.run(clock()).published == 1
    assert texts(twin, page) == [TEXT]


def test_a_post_that_comes_up_late_is_found_by_the_second_read(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    delivery = lose(outbox, desk, twin, clock, "vk", "reset")
    reconcile(desk, channels, clock.on(seconds=70))
    twin.say("vk", "club1", TEXT, author=COMMUNITY)
    assert reconcile(desk, channels, clock.on(seconds=70)).found == 1
    assert (state(desk, delivery), texts(twin, "vk")) == (DeliveryState.PUBLISHED, [TEXT])


def test_absence_on_the_open_page_of_telegram_proves_nothing(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    delivery = lose(outbox, desk, twin, clock, "telegram", "reset")
    reconcile(desk, channels, clock.on(seconds=70))
    reconcile(desk, channels, clock.on(seconds=70))
    asked = desk.deliveries.get(delivery.id)
    assert asked.state is DeliveryState.NEEDS_HUMAN
    assert "не доказывает" in asked.error


def test_nearly_the_same_text_is_shown_to_a_person_with_its_address(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    delivery = lose(outbox, desk, twin, clock, "vk", "reset")
    twin.say("vk", "club1", TEXT.replace("10:00", "11:00"), author=COMMUNITY)
    assert reconcile(desk, channels, clock.on(seconds=5)).needs_human == 1
    assert "https://vk.com/wall-1_1" in desk.deliveries.get(delivery.id).error


def test_two_lost_posts_of_one_text_do_not_both_claim_the_one_that_stands(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    twin.fail("vk", "wall.post", "reset_after_accept")
    [first] = plan(desk, "vk", at=clock())
    outbox.run(clock())
    twin.fail("vk", "wall.post", "reset")
    [second] = plan(desk, "vk", at=clock.on(seconds=1))
    outbox.run(clock())
    reconcile(desk, channels, clock.on(seconds=70))
    reconcile(desk, channels, clock.on(seconds=70))
    assert (state(desk, first), state(desk, second)) == (DeliveryState.PUBLISHED, DeliveryState.SCHEDULED)


def test_a_page_that_cannot_be_read_waits_and_after_an_hour_needs_a_person(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    delivery = lose(outbox, desk, twin, clock, "vk", "reset_after_accept")
    twin.fail("vk", "wall.get", "http_502", times=None)
    assert reconcile(desk, channels, clock.on(minutes=5)).waiting == 1
    assert reconcile(desk, channels, clock.on(minutes=56)).needs_human == 1
    assert state(desk, delivery) is DeliveryState.NEEDS_HUMAN


def test_an_answer_that_gets_lost_again_and_again_ends_with_a_person(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    delivery = lose(outbox, desk, twin, clock, "vk", "html")
    twin.fail("vk", "wall.post", "html", times=None)
    for _ in range(12):
        reconcile(desk, channels, clock.on(seconds=70))
        outbox.run(clock())
    asked = desk.deliveries.get(delivery.id)
    assert (asked.state, asked.attempt, texts(twin, "vk")) == (DeliveryState.NEEDS_HUMAN, 3, [])


def test_what_is_found_after_its_slot_passed_is_out_and_what_is_absent_waits_for_a_person(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    delivery = lose(outbox, desk, twin, clock, "vk", "reset")
    reconcile(desk, channels, clock.on(minutes=40))
    reconcile(desk, channels, clock.on(minutes=2))
    outbox.run(clock())
    assert (state(desk, delivery), texts(twin, "vk")) == (DeliveryState.NEEDS_HUMAN, [])


def test_a_person_who_found_the_post_gives_its_address_and_nothing_is_sent(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    delivery = lose(outbox, desk, twin, clock, "telegram", "reset_after_accept")
    desk.deliveries.resolve(
        delivery.id, published_url="https://t.me/rayon_adm/1", actor="officer", at=clock.on(seconds=5)
    )
    reconcile(desk, channels, clock.on(minutes=5))
    outbox.run(clock())
    assert (state(desk, delivery), texts(twin, "telegram")) == (DeliveryState.PUBLISHED, [TEXT])


def test_every_step_of_an_unknown_outcome_is_in_the_audit(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    delivery = lose(outbox, desk, twin, clock, "vk", "reset_after_accept")
    reconcile(desk, channels, clock.on(seconds=5))
    rows, _ = desk.audit.find(limit=20, subject=f"delivery:{delivery.id}")
    wanted = [
        "delivery_scheduled",
        "delivery_claimed",
        "delivery_sending",
        "delivery_unknown",
        "delivery_published",
    ]
    assert [row.action for row in reversed(rows)] == wanted
    assert desk.audit.verify() is None
