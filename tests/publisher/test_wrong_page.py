"""Nothing may make a post stand on another page than the one it was approved for, or twice on one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from api.practice.twin import Twin
from index.desk import Desk
from index.domain.page import Page, PageMode
from index.errors import Conflict, Refused
from publisher.channels.base import Channel
from publisher.outbox import Outbox
from publisher.reconcile import reconcile
from tests.publisher.conftest import PAGES, Clock, plan


@pytest.mark.parametrize("address", ["public1", "-1", "https://vk.com/club1"])
def test_one_place_is_in_the_register_once_however_it_is_spelt(desk: Desk, clock: Clock, address: str):
    twice = replace(PAGES["vk"], id="again", address=address)
    with pytest.raises(Conflict, match="«Район»"):
        desk.pages.add(twice, actor="officer", at=clock())
    other = replace(twice, address="club5")
    desk.pages.add(other, actor="officer", at=clock())
    with pytest.raises(Conflict):
        desk.pages.save(twice, actor="officer", at=clock())


def test_a_name_that_can_pass_to_strangers_is_no_address(desk: Desk, clock: Clock):
    with pytest.raises(Refused) as refused:
        desk.pages.add(replace(PAGES["vk"], id="new", address="kurlovo_adm"), actor="officer", at=clock())
    assert refused.value.field == "address"


@pytest.mark.parametrize("change", [{"address": "club9"}, {"mode": PageMode.REHEARSAL}])
def test_a_page_does_not_move_while_a_post_is_looked_for_there(
    desk: Desk, twin: Twin, clock: Clock, channels: Callable[[Page], Channel], change: dict
):
    twin.fail("vk", "wall.post", "reset_after_accept")
    plan(desk, "vk", at=clock())
    outbox = Outbox(desk, channels)
    outbox.run(clock())
    outbox.close()
    with pytest.raises(Conflict, match="прямо сейчас"):
        desk.pages.save(replace(PAGES["vk"], **change), actor="officer", at=clock())
    desk.pages.save(replace(PAGES["vk"], weekly_norm=5), actor="officer", at=clock())
    reconcile(desk, channels, clock.on(seconds=5))
    desk.pages.save(replace(PAGES["vk"], **change), actor="officer", at=clock())
