"""An own page has one way for its events: the webhook, where there is one, and never Long Poll beside it."""

from __future__ import annotations

import logging

import pytest

from api.practice import vk as network
from index.domain.source import SourceState
from tests.crawlers.conftest import Stand

PAGE = {"page_tokens": f"vk:club1={network.USER_TOKEN}"}


@pytest.mark.parametrize("address", ["club1", "-1", "public1"])
def test_a_page_with_a_key_is_long_polled_however_its_address_is_written(stand: Stand, address: str) -> None:
    stand.overrides |= {"page_tokens": f"vk:{address}={network.USER_TOKEN}|another"}
    stand.twin.community("vk", "club1", title="Район")
    source = stand.watch("vk", "club1")
    stand.crawl(source)
    assert "groups.getLongPollServer" in stand.methods("vk")


def test_a_page_whose_events_vk_brings_is_not_long_polled_and_the_log_says_so(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    stand.overrides |= PAGE | {"vk_callbacks": "vk:-1=c0nf|tajna"}
    stand.twin.community("vk", "club1", title="Район")
    stand.twin.say("vk", "club1", "Собрание жителей")
    source = stand.watch("vk", "club1")
    stand.crawl(source)
    assert "groups.getLongPollServer" not in stand.methods("vk")
    assert "Собрание жителей" in stand.texts()  # the wall is still read: it fills the holes
    assert "never both at once" in caplog.text
    assert "tajna" not in caplog.text


def test_updates_of_max_are_not_polled_beside_the_webhook(stand: Stand) -> None:
    stand.overrides |= {"max_webhook_secret": "tajna"}
    source = stand.watch("max", "updates")
    stand.crawl(source)
    assert "updates" not in " ".join(stand.methods("max"))
    health = stand.health(source)
    assert health.state is SourceState.FINE
    assert "webhook" in health.reason
    assert health.fresh_at is None  # only an event makes it fresh
