"""The outbox: on the minute, once, in the approved words, and never silently dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.practice.twin import COMMUNITY, Twin
from index.desk import Desk
from index.domain.incident import IncidentState, ReplyState
from index.domain.page import Page, PageMode
from index.domain.publication import DeliveryState
from index.errors import (
    Conflict,
    NeedsOperator,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    SendError,
    Unavailable,
)
from publisher.channels.base import Channel
from publisher.outbox import LEASE, LONGEST_PAUSE, MAX_ATTEMPTS, Outbox, PublishReport, next_try
from tests.factories import NOON
from tests.publisher.conftest import PAGES, TEXT, Clock, plan, state, texts
from tests.publisher.pictures import PNG

S = timedelta(seconds=1)


@pytest.fixture
def outbox(desk: Desk, channels: Callable[[Page], Channel]) -> Iterator[Outbox]:
    outbox = Outbox(desk, channels)
    yield outbox
    outbox.close()


# when a message goes again ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "attempt", "pause"),
    [
        (RetryLater("", after=1 * S), 1, 5 * S),
        (RetryLater("", after=1 * S), 3, 20 * S),
        (RetryLater("", after=600 * S), 1, 600 * S),  # never sooner than the network asks
        (RetryLater("", after=1 * S), 20, LONGEST_PAUSE),
        (RetryLater("", after=1 * S), MAX_ATTEMPTS, None),
        (NeedsOperator(""), 1, None),
        (Rejected(""), 1, None),
        (OutcomeUnknown(""), 1, None),
    ],
)
def test_only_what_is_proven_not_sent_goes_again(error: SendError, attempt: int, pause: timedelta | None):
    assert next_try(error, attempt, NOON) == (None if pause is None else NOON + pause)


# the good way -----------------------------------------------------------------------------------------------


def test_a_post_goes_out_on_all_its_pages_at_its_time_and_not_before(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    deliveries = plan(desk, *PAGES, at=clock(), due_at=clock() + 600 * S)
    assert outbox.run(clock.on(seconds=599)).published == 0
    assert outbox.run(clock.on(seconds=1)).published == 4
    assert [texts(twin, page) for page in PAGES] == [[TEXT]] * 4
    for delivery in deliveries:
        out = desk.deliveries.get(delivery.id)
        assert (out.state, out.attempt) == (DeliveryState.PUBLISHED, 1)
        assert (
            f"{PAGES[out.page_id].network}:{out.remote_id}"
            == twin.posts(PAGES[out.page_id].network, PAGES[out.page_id].address)[0].id
        )
    assert outbox.run(clock.on(hours=1)).published == 0


def test_a_photo_goes_with_its_post(outbox: Outbox, desk: Desk, twin: Twin, clock: Clock):
    plan(desk, *PAGES, at=clock(), photo=desk.media.put(PNG, "image/png"))
    assert outbox.run(clock()).published == 4
    assert all(twin.posts(p.network, p.address)[0].photos == (PNG,) for p in PAGES.values())


def test_an_answer_stands_under_the_post_and_its_incident_is_answered(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    wall = twin.say("vk", "club1", "График отключений", author=COMMUNITY)
    question = twin.say("vk", "club1", "Когда дадут тепло?", parent=wall)
    incident = desk.incidents.open(title="Тепло", post_ids=[question], actor="officer", at=clock())
    reply = desk.incidents.draft_reply(
        incident.id, post_id=question, page_id="vk", text="Сегодня к 18:00.", actor="officer", at=clock()
    )
    reply = desk.incidents.submit_reply(reply.id, actor="officer", at=clock(), version=reply.version)
    desk.incidents.approve_reply(reply.id, actor="head", at=clock(), version=reply.version)
    assert outbox.run(clock()).published == 1
    answer = twin.posts("vk", "club1")[0].comments[-1]
    assert (answer.text, answer.reply_to) == ("Сегодня к 18:00.", question)
    assert desk.incidents.get_reply(reply.id).state is ReplyState.PUBLISHED
    assert desk.incidents.get(incident.id).state is IncidentState.ANSWERED


def test_a_page_in_rehearsal_sends_nothing(outbox: Outbox, desk: Desk, twin: Twin, clock: Clock):
    desk.pages.save(replace(PAGES["vk"], mode=PageMode.REHEARSAL), actor="officer", at=clock())
    [delivery] = plan(desk, "vk", at=clock())
    outbox.run(clock())
    assert state(desk, delivery) is DeliveryState.PUBLISHED
    assert twin.calls == []


def test_the_outbox_tells_that_it_is_alive(outbox: Outbox, desk: Desk, twin: Twin, clock: Clock):
    plan(desk, "vk", at=clock())
    outbox.run(clock())
    assert desk.beats.all()["publish"].detail["published"] == 1


# what was approved, and only that ---------------------------------------------------------------------------


def test_an_edit_after_the_approval_stops_the_post(outbox: Outbox, desk: Desk, twin: Twin, clock: Clock):
    [delivery] = plan(desk, "vk", at=clock(), due_at=clock() + 60 * S)
    publication = desk.publications.get(delivery.subject_id)
    desk.publications.save_draft(replace(publication, title="Другое"), actor="editor", at=clock())
    outbox.run(clock.on(seconds=60))
    assert (texts(twin, "vk"), state(desk, delivery)) == ([], DeliveryState.CANCELLED)


def test_an_edit_while_it_is_being_sent_is_refused_and_the_approved_words_go_out(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    [delivery] = plan(desk, "vk", at=clock())
    publication = desk.publications.get(delivery.subject_id)
    refused: list[Conflict] = []
    write = _during_the_write(outbox, desk, lambda: desk.publications.save_draft(
        replace(publication, variants=()), actor="editor", at=clock()
    ), refused)  # fmt: skip
    write.run(clock())
    assert len(refused) == 1
    assert (texts(twin, "vk"), state(desk, delivery)) == ([TEXT], DeliveryState.PUBLISHED)


def _during_the_write(
    outbox: Outbox, desk: Desk, act: Callable[[], object], refused: list[Conflict]
) -> Outbox:
    """An outbox whose channel lets `act` happen between the commit of `sending` and the request."""

    def channels(page: Page) -> Channel:
        channel = outbox._channels(page)
        send = channel.send

        def interrupted(*args: Any, **facts: Any) -> Any:
            try:
                act()
            except Conflict as error:
                refused.append(error)
            return send(*args, **facts)

        channel.send = interrupted
        return channel

    return Outbox(desk, channels)


def test_stop_all_holds_what_is_claimed_and_lets_it_go_afterwards(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    [delivery] = plan(desk, "vk", at=clock())
    begin = desk.deliveries.begin_sending

    def stopped_just_before(*args: Any, **facts: Any) -> Any:
        desk.deliveries.stop_all(True, actor="head", at=clock(), reason="траур")
        return begin(*args, **facts)

    monkeypatch.setattr(desk.deliveries, "begin_sending", stopped_just_before)
    assert outbox.run(clock()).left == 1
    assert (texts(twin, "vk"), state(desk, delivery)) == ([], DeliveryState.HELD)
    monkeypatch.undo()
    assert outbox.run(clock.on(minutes=1)).published == 0
    desk.deliveries.stop_all(False, actor="head", at=clock())
    assert outbox.run(clock()).published == 1


def test_a_slot_missed_by_more_than_the_pages_limit_waits_for_a_person(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    [late, in_time] = [
        plan(desk, "vk", at=clock(), text=t, due_at=clock() + n * S)[0] for t, n in (("А", 0), ("Б", 900))
    ]
    outbox.run(clock.on(minutes=31))
    assert state(desk, late) is DeliveryState.NEEDS_HUMAN
    assert state(desk, in_time) is DeliveryState.PUBLISHED
    assert texts(twin, "vk") == ["Б"]
    desk.deliveries.resolve(late.id, published_url=None, actor="officer", at=clock())  # «отправить сейчас»
    outbox.run(clock())
    assert texts(twin, "vk") == ["А", "Б"]


# proven not sent --------------------------------------------------------------------------------------------


def test_flood_control_is_waited_out_and_the_post_goes_out_once(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    twin.fail("vk", "wall.post", "flood")
    plan(desk, "vk", at=clock())
    assert outbox.run(clock()).retried == 1
    assert outbox.run(clock.on(minutes=9)).published == 0
    assert outbox.run(clock.on(minutes=2)).published == 1
    assert texts(twin, "vk") == [TEXT]


def test_a_network_down_for_half_an_hour_gets_the_post_when_it_is_back(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    desk.pages.save(replace(PAGES["vk"], late_limit=timedelta(hours=1)), actor="officer", at=clock())
    [patient] = plan(desk, "vk", at=clock())
    port = int(twin.url.rpartition(":")[2])
    twin.stop()
    for _ in range(30):
        outbox.run(clock.on(minutes=1))
        assert state(desk, patient) is DeliveryState.SCHEDULED
    twin._port = port
    twin.start()
    for _ in range(6):
        outbox.run(clock.on(minutes=1))
    assert (texts(twin, "vk"), state(desk, patient)) == ([TEXT], DeliveryState.PUBLISHED)


def test_a_network_down_past_the_limit_leaves_the_post_to_a_person(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    [delivery] = plan(desk, "max", at=clock())
    twin.stop()
    for _ in range(35):
        outbox.run(clock.on(minutes=1))
    kept = desk.deliveries.get(delivery.id)
    assert kept.state is DeliveryState.NEEDS_HUMAN
    assert "MAX: нет связи" in kept.error or "раньше, чем удалось" in kept.error


def test_a_key_that_dies_before_the_slot_needs_a_person_and_goes_out_once_after(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    [delivery] = plan(desk, "max", at=clock(), due_at=clock() + 60 * S)
    twin.fail("max", "*", "banned_token", times=None)
    assert outbox.run(clock.on(seconds=60)).needs_human == 1
    assert "Переподключите" in desk.deliveries.get(delivery.id).error
    twin.mend()
    assert outbox.run(clock.on(minutes=1)).published == 0  # not before a person says so
    desk.deliveries.resolve(delivery.id, published_url=None, actor="officer", at=clock())
    outbox.run(clock())
    assert texts(twin, "max") == [TEXT]


def test_an_upload_that_fails_is_repeated_and_the_photo_stands_once(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    twin.fail("vk", "upload", "reset")
    plan(desk, "vk", at=clock(), photo=desk.media.put(PNG, "image/png"))
    assert outbox.run(clock()).retried == 1
    assert outbox.run(clock.on(minutes=1)).published == 1
    assert len(twin.posts("vk", "club1")[0].photos) == 1


def test_a_photo_that_is_gone_and_a_text_grown_too_long_need_a_person(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    deliveries = [
        *plan(desk, "vk", at=clock(), photo="0" * 64),
        *plan(desk, "telegram", at=clock(), text="я" * 5000),
    ]
    outbox.run(clock())
    assert [state(desk, d) for d in deliveries] == [DeliveryState.NEEDS_HUMAN] * 2
    assert twin.calls == []


def test_a_refused_text_is_final(outbox: Outbox, desk: Desk, twin: Twin, clock: Clock):
    twin.fail("ok", "mediatopic.post", "error:454")
    [delivery] = plan(desk, "ok", at=clock())
    assert outbox.run(clock()).failed == 1
    assert outbox.run(clock.on(hours=1)).published == 0
    assert "454" in desk.deliveries.get(delivery.id).error


# unknown ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", ["timeout_after_accept", "reset_after_accept", "http_502_after_accept", "html"]
)
def test_a_lost_answer_is_never_a_reason_to_send_again(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, fault: str
):
    twin.fail("vk", "wall.post", fault, seconds=3)
    [delivery] = plan(desk, "vk", at=clock())
    assert outbox.run(clock()).unknown == 1
    for _ in range(3):
        outbox.run(clock.on(minutes=5))
    assert state(desk, delivery) is DeliveryState.UNKNOWN
    assert sum(call.method == "wall.post" for call in twin.calls) == 1


def test_a_refusal_of_a_post_that_stands_is_not_sent_again(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    twin.fail("vk", "wall.post", "error:100_after_accept")
    [delivery] = plan(desk, "vk", at=clock())
    outbox.run(clock())
    outbox.run(clock.on(hours=2))
    assert (texts(twin, "vk"), state(desk, delivery)) == ([TEXT], DeliveryState.FAILED)


def test_a_defect_of_ours_while_sending_is_unknown(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    def broken(*args: Any, **facts: Any) -> Any:
        raise KeyError("result")

    channels(PAGES["vk"]).send = broken
    [delivery] = plan(desk, "vk", at=clock())
    assert outbox.run(clock()).unknown == 1
    assert state(desk, delivery) is DeliveryState.UNKNOWN


def test_an_outcome_is_recorded_through_a_short_absence_of_the_database(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    _out_of_order(desk, monkeypatch, times=2)
    [delivery] = plan(desk, "vk", at=clock())
    outbox.run(clock())
    assert state(desk, delivery) is DeliveryState.PUBLISHED


def test_an_outcome_that_could_not_be_recorded_becomes_unknown_and_is_not_sent_again(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("publisher.outbox.RECORD_PAUSES", (0.0,))
    _out_of_order(desk, monkeypatch, times=2)
    [delivery] = plan(desk, "vk", at=clock())
    outbox.run(clock())
    assert state(desk, delivery) is DeliveryState.SENDING
    assert outbox.run(clock.on(minutes=6)).lost == 1
    assert (texts(twin, "vk"), state(desk, delivery)) == ([TEXT], DeliveryState.UNKNOWN)


def _out_of_order(desk: Desk, monkeypatch: pytest.MonkeyPatch, *, times: int) -> None:
    record, left = desk.deliveries.record_published, [times]

    def absent(*args: Any, **facts: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise Unavailable("База не отвечает.")
        return record(*args, **facts)

    monkeypatch.setattr(desk.deliveries, "record_published", absent)


# many and slow ----------------------------------------------------------------------------------------------


def test_one_slow_page_never_holds_the_others(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    answered = _hold(channels(PAGES["vk"]))
    outbox = Outbox(desk, channels, patience=timedelta(seconds=0.5))
    plan(desk, "vk", "max", "ok", at=clock())
    assert _run_until(outbox, clock, published=2).at_work == 1
    plan(desk, "max", at=clock(), text="Ещё одна")
    assert _run_until(outbox, clock, published=1).at_work == 1
    answered.set()
    outbox.close()
    assert texts(twin, "vk") == [TEXT]


def _hold(channel: Channel) -> threading.Event:
    """Let its writes wait for the event."""
    answered, send = threading.Event(), channel.send

    def held(*args: Any, **facts: Any) -> Any:
        answered.wait(60)
        return send(*args, **facts)

    channel.send = held
    return answered


def _run_until(outbox: Outbox, clock: Clock, *, published: int) -> PublishReport:
    """Turns until so many are out; the last report."""
    for _ in range(60):
        report = outbox.run(clock())
        published -= report.published
        if published == 0:
            return report
    raise TimeoutError("the other pages wait")


def test_a_page_keeps_its_pace_over_two_outboxes(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    for n in range(4):
        plan(desk, "vk", at=clock(), text=f"Новость {n}")
    moments: list[float] = []
    _time_of_writes(channels, moments)
    outboxes = [Outbox(desk, channels, patience=timedelta(0)) for _ in range(2)]
    for outbox in outboxes:
        outbox.run(clock())
    for outbox in outboxes:
        _finish(outbox)
    assert len(moments) == 4
    assert max(moments) - min(moments) > 0.8  # three thirds of a second, less the jitter of the commits


def _time_of_writes(channels: Callable[[Page], Channel], moments: list[float]) -> None:
    channel = channels(PAGES["vk"])
    send = channel.send

    def timed(*args: Any, **facts: Any) -> Any:
        moments.append(time.monotonic())
        return send(*args, **facts)

    channel.send = timed


def _finish(outbox: Outbox) -> None:
    """Wait for the lanes without stopping them."""
    for lane in list(outbox._lanes.values()):
        lane.result(timeout=20)
    outbox.close()


def test_two_hundred_posts_of_one_minute_all_go_out_once(
    desk: Desk, twin: Twin, clock: Clock, unhurried: Callable[[Page], Channel]
):
    for n in range(50):
        plan(desk, *PAGES, at=clock(), text=f"Новость {n}")
    outbox = Outbox(desk, unhurried, patience=timedelta(seconds=60))
    assert outbox.run(clock()).published == 200
    for page in PAGES:
        assert sorted(texts(twin, page)) == sorted(f"Новость {n}" for n in range(50))
    outbox.close()


def test_a_service_that_stops_puts_back_what_only_waits_for_its_turn(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    channels(PAGES["vk"]).pace = timedelta(minutes=1)
    first, second = [plan(desk, "vk", at=clock(), text=t)[0] for t in ("А", "Б")]
    outbox = Outbox(desk, channels, patience=timedelta(seconds=2))
    outbox.run(clock())
    outbox.close()
    assert {state(desk, first), state(desk, second)} == {DeliveryState.PUBLISHED, DeliveryState.SCHEDULED}


# clocks -----------------------------------------------------------------------------------------------------


def test_a_clock_that_jumps_ahead_while_sending_loses_nothing_and_repeats_nothing(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    twin.fail("vk", "wall.post", "slow", seconds=1.5)
    outbox = Outbox(desk, channels, patience=timedelta(seconds=0.3))
    [delivery] = plan(desk, "vk", at=clock())
    outbox.run(clock())
    assert outbox.run(clock.on(hours=3)).lost == 1  # its lease looks expired
    outbox.close()
    assert (texts(twin, "vk"), state(desk, delivery)) == ([TEXT], DeliveryState.PUBLISHED)


def test_a_clock_that_jumps_back_sends_nothing_twice(outbox: Outbox, desk: Desk, twin: Twin, clock: Clock):
    [delivery] = plan(desk, "vk", at=clock())
    outbox.run(clock())
    assert outbox.run(clock.on(hours=-3)).published == 0
    assert (texts(twin, "vk"), state(desk, delivery)) == ([TEXT], DeliveryState.PUBLISHED)


def test_a_claim_of_a_dead_worker_is_free_again_after_its_lease(
    outbox: Outbox, desk: Desk, twin: Twin, clock: Clock
):
    plan(desk, "vk", at=clock())
    desk.deliveries.claim_due(clock(), worker="dead", lease=LEASE, limit=1)
    assert outbox.run(clock()).published == 0
    report = outbox.run(clock.on(minutes=6))
    assert (report.freed, report.published) == (1, 1)


def test_a_disk_of_media_is_not_needed_for_a_text(
    outbox: Outbox, desk: Desk, clock: Clock, twin: Twin, tmp_path: Path
):
    assert not (tmp_path / "media").exists()
    plan(desk, "vk", at=clock())
    assert outbox.run(clock()).published == 1
