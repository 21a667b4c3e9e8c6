"""What the officer is told, before the slot where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from api.practice.twin import Twin
from index.desk import Desk
from index.domain.page import Page
from publisher.channels.base import Channel
from publisher.notices import NoticeKind, check_keys, notices
from publisher.outbox import Outbox
from tests.publisher.conftest import PAGES, Clock, plan
from tests.publisher.pictures import PNG


def kinds(desk: Desk, clock: Clock) -> list[NoticeKind]:
    return [notice.kind for notice in notices(desk, clock())]


def test_a_quiet_desk_has_nothing_to_tell(desk: Desk, clock: Clock):
    plan(desk, "vk", at=clock(), due_at=clock.now.replace(year=2027))
    assert kinds(desk, clock) == []


def test_a_post_that_should_be_out_is_told_after_two_minutes(desk: Desk, clock: Clock):
    plan(desk, "vk", at=clock())
    clock.on(minutes=1)
    assert kinds(desk, clock) == []
    clock.on(minutes=2)
    [notice] = notices(desk, clock())
    assert (notice.kind, notice.page_id) == (NoticeKind.OVERDUE, "vk")
    assert "«Район»" in notice.text


def test_an_outbox_that_fell_silent_is_told_first(
    desk: Desk, clock: Clock, channels: Callable[[Page], Channel]
):
    outbox = Outbox(desk, channels)
    outbox.run(clock())
    outbox.close()
    plan(desk, "vk", at=clock())
    clock.on(minutes=3)
    assert kinds(desk, clock) == [NoticeKind.SILENT, NoticeKind.OVERDUE]


def test_what_waits_for_a_decision_is_told_with_its_reason(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    twin.fail("max", "POST /messages", "banned_token")
    twin.fail("vk", "wall.post", "error:214")
    twin.fail("ok", "mediatopic.post", "reset")
    plan(desk, "max", "vk", "ok", at=clock())
    outbox = Outbox(desk, channels)
    outbox.run(clock())
    outbox.close()
    told = {notice.kind: notice.text for notice in notices(desk, clock())}
    assert set(told) == {NoticeKind.NEEDS_HUMAN, NoticeKind.UNKNOWN, NoticeKind.FAILED}
    assert "Переподключите" in told[NoticeKind.NEEDS_HUMAN]


def test_a_key_that_died_is_told_before_the_slot_and_the_notice_goes_when_it_is_mended(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    plan(desk, "max", at=clock(), due_at=clock.now.replace(hour=0, minute=0, year=2027, month=1, day=2))
    clock.now = clock.now.replace(year=2027, month=1, day=1, hour=12, minute=0)
    twin.fail("max", "*", "banned_token", times=None)
    assert check_keys(desk, channels, clock()) == 1
    [notice] = notices(desk, clock())
    assert notice.kind is NoticeKind.KEY
    assert "Переподключите" in notice.text
    twin.mend()
    assert check_keys(desk, channels, clock.on(hours=1)) == 0  # asked every few hours
    assert check_keys(desk, channels, clock.on(hours=3)) == 1
    assert kinds(desk, clock) == []


def test_a_key_that_cannot_upload_is_told_only_for_a_post_with_a_photo(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    twin.fail("vk", "photos.getWallUploadServer", "error:27", times=None)
    soon = clock.now.replace(microsecond=0)
    plan(desk, "vk", at=clock(), due_at=soon)
    check_keys(desk, channels, clock())
    assert kinds(desk, clock) == []
    plan(desk, "vk", at=clock(), due_at=soon, photo=desk.media.put(PNG, "image/png"))
    assert kinds(desk, clock) == [NoticeKind.KEY]


def test_a_network_that_does_not_answer_says_nothing_about_its_keys(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel]
):
    plan(desk, "max", at=clock())
    twin.fail("max", "*", "http_502", times=None)
    assert check_keys(desk, channels, clock()) == 0
    assert kinds(desk, clock) == []


def test_stop_all_and_a_page_that_is_off_are_told(desk: Desk, clock: Clock):
    plan(desk, "vk", at=clock())
    plan(desk, "max", at=clock())
    desk.pages.save(replace(PAGES["vk"], is_enabled=False), actor="officer", at=clock())
    desk.deliveries.stop_all(True, actor="head", at=clock(), reason="траур")
    assert kinds(desk, clock) == [NoticeKind.STOPPED, NoticeKind.PAGE_OFF]
