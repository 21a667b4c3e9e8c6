"""One limiter a key on every network: the publisher takes its turns where the crawlers take theirs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.practice.twin import Twin
from crawlers.pace import Pace
from index.desk import Desk
from index.domain.page import Page, PageMode
from index.domain.post import Network
from index.domain.publication import Message
from index.errors import RetryLater, Unavailable
from index.pace import limits, network_day, token_bucket
from index.settings import read_settings
from publisher.channels import Channels
from publisher.channels.base import Ability, Channel

HOUR = timedelta(hours=1)
PACES = "ok=1000/s, telegram=1000/s, telegram:bot=1000/s, max=1000/s"
ADDRESSES = {Network.OK: "70000000001", Network.TELEGRAM: "@kurlovo", Network.MAX: "-70001"}
KEYS = {
    Network.OK: "ok_access_token",
    Network.TELEGRAM: "telegram_bot_token",
    Network.MAX: "max_token",
}


@pytest.fixture(params=ADDRESSES)
def page(request: pytest.FixtureRequest, twin: Twin) -> Page:
    network: Network = request.param
    address = ADDRESSES[network]
    twin.community(network, address, title="Район")
    return Page(id=network.value, network=network, address=address, title="Район", mode=PageMode.LIVE)


def channel(twin: Twin, desk: Desk, page: Page) -> Channel:
    return Channels(read_settings({}, **twin.settings() | {"limits": PACES}), desk)(page)


def bucket(twin: Twin, page: Page) -> str:
    return token_bucket(page.network, twin.settings()[KEYS[page.network]])


def crawler(desk: Desk) -> Pace:
    return Pace(desk=desk, limits=limits(PACES), clock=lambda: datetime.now(UTC))


def test_every_call_of_a_page_is_charged_to_the_key_that_the_crawlers_use(
    twin: Twin, desk: Desk, page: Page
) -> None:
    speaking = channel(twin, desk, page)
    assert speaking.check(page).can(Ability.POST)
    speaking.send(page, Message(text="Собрание"), upload=None, key="k")
    spent = desk.quotas.spent(network_day(datetime.now(UTC)))
    ours = sum(calls for name, calls in spent.items() if name.startswith(bucket(twin, page)))
    assert ours == len([call for call in twin.calls if call.network is page.network]) > 1


def test_nothing_leaves_while_the_network_asked_the_crawlers_for_a_pause(
    twin: Twin, desk: Desk, page: Page
) -> None:
    crawler(desk).freeze(bucket(twin, page), until=datetime.now(UTC) + HOUR, reason="Сеть просит паузу.")
    speaking = channel(twin, desk, page)
    with pytest.raises(RetryLater, match="Сеть просит паузу") as held:
        speaking.send(page, Message(text="Собрание"), upload=None, key="k")
    assert held.value.after is not None
    assert held.value.after > HOUR / 2
    with pytest.raises(Unavailable, match="Сеть просит паузу"):
        speaking.check(page)
    assert not twin.calls


def test_open_pages_of_telegram_are_read_at_the_pace_of_t_me(twin: Twin, desk: Desk) -> None:
    twin.community(Network.TELEGRAM, "@kurlovo", title="Район")
    page = Page(id="t", network=Network.TELEGRAM, address="@kurlovo", title="Район", mode=PageMode.LIVE)
    crawler(desk).freeze("telegram:web", until=datetime.now(UTC) + HOUR, reason="Сеть просит паузу.")
    with pytest.raises(Unavailable, match="Сеть просит паузу"):
        channel(twin, desk, page).figures(page, ["kurlovo/1"])
    assert not twin.calls
