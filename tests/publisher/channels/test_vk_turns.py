"""One limiter a VK token: the publisher and the crawlers take their turns from the same row of the desk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from api.practice import vk as network
from api.practice.twin import Twin
from crawlers.pace import Pace
from index.desk import Desk, open_desk
from index.domain.page import Page, PageMode
from index.domain.post import Network
from index.domain.publication import Message
from index.errors import NeedsOperator, RetryLater, Unavailable
from index.pace import Call, NotNow, Turns, dead, limits, network_day, token_bucket
from index.settings import read_settings
from publisher.channels import Channels
from publisher.channels.base import Ability, Channel

PAGE = Page(id="vk", network=Network.VK, address="club1", title="Район", mode=PageMode.LIVE)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BUCKET = token_bucket(Network.VK, network.USER_TOKEN)


@pytest.fixture
def twin(twin: Twin) -> Twin:
    twin.community(Network.VK, "club1", title="Район")
    return twin


def channel(twin: Twin, desk: Desk, **facts: Any) -> Channel:
    """The page's channel with one key, which the crawlers read with too."""
    ours: dict[str, Any] = {"vk_tokens": network.USER_TOKEN, "limits": "vk=1000/s"}
    return Channels(read_settings({}, **twin.settings() | ours | facts), desk)(PAGE)


def crawler(desk: Desk, setting: str = "") -> Pace:
    return Pace(desk=desk, limits=limits(setting), clock=lambda: datetime.now(UTC))


def test_two_users_of_one_token_never_get_turns_closer_than_its_pace(desk: Desk, tmp_path: Path) -> None:
    other_process = open_desk("sqlite", tmp_path)
    crawling = Pace(desk=desk, limits=limits(), clock=lambda: NOON)
    publishing = Turns(desk=other_process, limits=limits(), clock=lambda: NOON)
    call = Call(bucket=BUCKET, limit="vk", method="wall.getComments")
    moments = [user.reserve(call) for _ in range(6) for user in (crawling, publishing)]
    other_process.close()
    assert None not in moments
    taken = sorted(moment for moment in moments if moment)
    apart = [late - early for early, late in pairwise(taken)]
    assert min(apart) >= timedelta(seconds=1) / 3


def test_a_caller_sleeps_until_its_turn(desk: Desk) -> None:
    slept: list[float] = []
    turns = Turns(desk=desk, limits=limits(), clock=lambda: NOON)
    for _ in range(3):
        turns.wait(Call(bucket=BUCKET, limit="vk"), sleep=slept.append)
    assert slept[2] - slept[1] == pytest.approx(1.03 / 3, abs=0.001)


def test_every_call_of_a_page_takes_a_turn_of_its_key(twin: Twin, desk: Desk) -> None:
    page_channel = channel(twin, desk)
    assert page_channel.check(PAGE).can(Ability.POST)
    page_channel.send(PAGE, Message(text="Собрание"), upload=None, key="k")
    now = datetime.now(UTC)  # the twin's clock too: the post has just been written
    assert page_channel.find(PAGE, Message(text="Собрание"), since=now - HOUR, until=now + HOUR)
    spent = desk.quotas.spent(network_day(datetime.now(UTC)))
    calls = [call.method for call in twin.calls if call.network == "vk"]
    assert calls
    assert spent == {f"{BUCKET}:{method}": calls.count(method) for method in calls}


def test_a_budget_that_crawlers_have_spent_is_spent_for_the_page_too(twin: Twin, desk: Desk) -> None:
    page_channel = channel(twin, desk, limits="vk=1000/s, vk:wall.get=2/day")
    crawler(desk, "vk:wall.get=2/day").charge(BUCKET, "wall.get", amount=2)
    with pytest.raises(Unavailable, match="израсходован"):
        page_channel.find(PAGE, Message(text="Собрание"), since=NOON - HOUR, until=NOON + HOUR)
    assert not twin.calls


def test_a_read_that_came_too_soon_is_repeated(twin: Twin, desk: Desk) -> None:
    twin.fail("vk", "groups.getById", "rate", times=2)
    assert channel(twin, desk).check(PAGE).can(Ability.POST)


def test_flood_control_of_the_publisher_holds_the_method_back_for_everybody(twin: Twin, desk: Desk) -> None:
    page_channel = channel(twin, desk)
    twin.fail("vk", "wall.post", "flood")
    for _ in range(2):  # the second is not even asked
        with pytest.raises(RetryLater):
            page_channel.send(PAGE, Message(text="Собрание"), upload=None, key="k")
    assert [call.method for call in twin.calls] == ["wall.post"]
    with pytest.raises(NotNow):
        crawler(desk).check(BUCKET, "wall.post")
    crawler(desk).check(BUCKET, "wall.get")


def test_a_token_the_crawlers_may_not_use_still_publishes(twin: Twin, desk: Desk) -> None:
    later = datetime.now(UTC) + HOUR
    crawler(desk).freeze(dead(BUCKET), until=later, reason="Long Poll закрыт этому ключу")
    assert channel(twin, desk).send(PAGE, Message(text="Собрание"), upload=None, key="k").remote_id


def test_a_page_without_a_key_takes_no_turn(twin: Twin, desk: Desk) -> None:
    with pytest.raises(NeedsOperator, match="нет ключа"):
        channel(twin, desk, vk_tokens="").send(PAGE, Message(text="Собрание"), upload=None, key="k")
    assert desk.quotas.spent(network_day(datetime.now(UTC))) == {}
