"""What all channels share: addresses, checks before approval, and telling our message among others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.domain.page import Page, PageMode, page_address
from index.domain.post import Network
from index.domain.publication import Message
from index.errors import Misconfigured, NeedsOperator, Refused
from index.settings import Settings, read_settings
from publisher.channels import Channels, channel_for, page_keys
from publisher.channels.base import Standing, check_message, letters, pick
from publisher.channels.log import LogChannel
from publisher.channels.max import MaxChannel
from publisher.channels.telegram import TelegramChannel
from publisher.channels.vk import VkChannel
from tests.factories import NOON
from tests.publisher.pictures import GIF, JPEG, PNG, png
from tests.quotas import FreeQuotas

TEXT = "Субботник в парке — в субботу, в 10:00. Приходите!"
SINCE, UNTIL = NOON, NOON + timedelta(minutes=5)


class Media:
    """Photos in memory, as the desk's media folder gives them."""

    def __init__(self, **photos: bytes) -> None:
        self._photos = photos
        self.media = self
        self.quotas = FreeQuotas()

    def open(self, sha256: str) -> bytes:
        return self._photos[sha256]


def page(**facts: Any) -> Page:
    ordinary = {
        "id": "p1",
        "network": Network.VK,
        "address": "club1",
        "title": "Администрация",
        "mode": PageMode.LIVE,
    }
    return Page(**ordinary | facts)


def standing(**facts: Any) -> Standing:
    ordinary: dict[str, Any] = {"remote_id": "-1_7", "text": TEXT, "at": NOON, "photos": 0, "url": None}
    return Standing(**ordinary | facts)


# -- addresses ----------


@pytest.mark.parametrize(
    ("network", "address", "wanted"),
    [
        (Network.VK, "club1", "-1"),
        (Network.VK, "-1", "-1"),
        (Network.VK, "https://vk.com/public01", "-1"),
        (Network.OK, "https://ok.ru/group/70000001234567", "70000001234567"),
        (Network.TELEGRAM, "https://t.me/s/Kurlovo_Adm", "@kurlovo_adm"),
        (Network.TELEGRAM, "kurlovo_adm", "@kurlovo_adm"),
        (Network.TELEGRAM, "-1001234", "-1001234"),
        (Network.MAX, " -7001 ", "-7001"),
    ],
)
def test_an_address_has_one_spelling(network: Network, address: str, wanted: str):
    assert page_address(network, address) == wanted


@pytest.mark.parametrize(
    ("network", "address"),
    [(Network.VK, "kurlovo_adm"), (Network.VK, "id1"), (Network.OK, "kurlovo"), (Network.MAX, "@nick"),
     (Network.TELEGRAM, "+abc"), (Network.NEWS, "https://site"), (Network.VK, "")],
)  # fmt: skip
def test_an_address_that_may_change_hands_is_refused(network: Network, address: str):
    with pytest.raises(Refused):
        page_address(network, address)


@given(st.integers(1, 10**10))
def test_normalising_twice_changes_nothing(number: int):
    once = page_address(Network.VK, f"club{number}")
    assert page_address(Network.VK, once) == once == f"-{number}"


# -- which channel, which key ----------


def settings(**facts: Any) -> Settings:
    return read_settings({}, **facts)


def test_a_page_in_rehearsal_only_ever_writes_to_the_log():
    for network, address in (
        (Network.VK, "club1"),
        (Network.OK, "1"),
        (Network.TELEGRAM, "@adm_x"),
        (Network.MAX, "1"),
    ):
        rehearsed = page(network=network, address=address, mode=PageMode.REHEARSAL)
        assert isinstance(channel_for(rehearsed, settings(), Media()), LogChannel)


def test_a_page_gets_its_own_key_however_its_address_is_spelt():
    given = settings(page_tokens="vk:public1=first|second,vk:-2=other")
    assert page_keys(page(address="https://vk.com/club1"), given) == ("first", "second")
    assert page_keys(page(address="club3"), given) == ()


def test_an_unreadable_address_among_the_keys_stops_with_its_name():
    with pytest.raises(Misconfigured, match="PAGE_TOKENS, vk:kurlovo"):
        page_keys(page(), settings(page_tokens="vk:kurlovo=key"))


def test_a_page_that_goes_live_gets_another_channel_at_once():
    channels = Channels(settings(), Media())
    assert isinstance(channels(page(mode=PageMode.REHEARSAL)), LogChannel)
    assert isinstance(channels(page()), VkChannel)
    assert channels(page()) is channels(page())


def test_a_certificate_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(Misconfigured, match="MAX_CA_FILE"):
        channel_for(
            page(network=Network.MAX, address="1"), settings(max_ca_file=tmp_path / "none.pem"), Media()
        )


# -- checks before approval ----------


def test_a_text_just_within_the_limit_passes_and_one_more_sign_does_not():
    check_message(Message(text="a" * 4096), TelegramChannel.limits, Media())
    with pytest.raises(Refused, match="сократите на 1"):
        check_message(Message(text="a" * 4097), TelegramChannel.limits, Media())


def test_telegram_counts_an_emoji_as_two_and_a_caption_by_its_own_limit():
    with pytest.raises(Refused):
        check_message(Message(text="🎉" * 2049), TelegramChannel.limits, Media())
    with pytest.raises(Refused, match="подписи"):
        check_message(Message(text="a" * 1025, photo="p"), TelegramChannel.limits, Media(p=PNG))


@pytest.mark.parametrize("photo", [PNG, JPEG, GIF])
def test_ordinary_pictures_pass(photo: bytes):
    check_message(Message(text=TEXT, photo="p"), VkChannel.limits, Media(p=photo))


@pytest.mark.parametrize(
    "photo", [b"<svg/>", b"\x89PNG\r\n\x1a\n", png(1, 30), png(9000, 9000), PNG + bytes(51_000_000)],
    ids=["not a picture", "cut short", "too narrow", "too many pixels", "too big"],
)  # fmt: skip
def test_a_picture_the_network_would_refuse_is_refused_before_approval(photo: bytes):
    with pytest.raises(Refused) as refused:
        check_message(Message(text=TEXT, photo="p"), VkChannel.limits, Media(p=photo))
    assert refused.value.field == "photo"


def test_an_empty_text_a_photo_in_an_answer_and_a_link_in_a_max_answer_are_refused():
    for message in (
        Message(text="  "),
        Message(text=TEXT, photo="p", reply_to="max:mid.1"),
        Message(text="Смотрите https://site.ru", reply_to="max:mid.1"),
    ):
        with pytest.raises(Refused):
            check_message(message, MaxChannel.limits, Media(p=PNG))


# -- our message among others ----------


def found(*others: Standing, message: Message | None = None, known: tuple[str, ...] = ()) -> str | None:
    receipt = pick(others, message or Message(text=TEXT), since=SINCE, until=UNTIL, known=known)
    return receipt and receipt.remote_id


def test_the_same_text_in_time_is_ours_though_the_network_changed_its_signs():
    changed = "Субботник в парке &#8212; в субботу,<br>в 10:00. Приходите!️"
    assert found(standing(text=changed)) == "-1_7"


def test_what_belongs_to_another_delivery_is_not_taken_twice():
    twice = (standing(remote_id="-1_7"), standing(remote_id="-1_8", at=NOON + timedelta(minutes=1)))
    assert found(*twice, known=("-1_7",)) == "-1_8"
    assert found(*twice, known=("-1_7", "-1_8")) is None


def test_other_texts_prove_absence():
    assert found(standing(text="График вывоза мусора на ноябрь")) is None


@pytest.mark.parametrize(
    "doubtful",
    [
        standing(text=TEXT.replace("10:00", "11:00")),  # a colleague mended it by hand
        standing(photos=1),  # with a photo that ours has not
        standing(at=NOON - timedelta(hours=3)),  # our clock may have jumped
        standing(at=NOON + timedelta(hours=3)),
    ],
    ids=["nearly the text", "another photo", "earlier", "later"],
)
def test_doubt_is_never_absence(doubtful: Standing):
    with pytest.raises(NeedsOperator):
        found(doubtful)


def test_an_exact_one_beats_a_doubtful_one():
    assert found(standing(remote_id="-1_6", photos=1), standing()) == "-1_7"


def test_emoji_alone_are_compared_as_they_are():
    assert letters("🎉 🎉") == "🎉🎉" != letters("🎈🎈")


@given(st.text(min_size=1, max_size=60))
def test_a_text_is_always_found_as_itself(text: str):
    message = Message(text=text)
    assert found(standing(text=text), message=message) == "-1_7"
