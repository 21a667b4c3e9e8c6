"""One suite over all channels: what a channel promises, through real sockets against the practice twins."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.practice.twin import COMMUNITY, StandingPost, Twin
from index.domain.page import Page, PageMode
from index.domain.post import Network
from index.domain.publication import Message
from index.errors import NeedsOperator, OutcomeUnknown, Refused, Rejected, RetryLater, Unavailable
from index.settings import read_settings
from publisher.channels import channel_for, wire
from publisher.channels.base import Ability, Channel
from tests.publisher.pictures import PNG
from tests.quotas import FreeQuotas

TEXT = "Субботник в парке — в субботу, в 10:00. Приходите!"
KEY = "0123456789abcdef" * 4
HOUR = timedelta(hours=1)


class Media:
    """The desk's media folder with one photo."""

    def __init__(self) -> None:
        self.media = self
        self.quotas = FreeQuotas()

    def open(self, sha256: str) -> bytes:
        return {"sunset": PNG}[sha256]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A page of a network as these tests need it: what its methods are called, what its errors look like."""

    network: Network
    page: Page
    write: str  #: method that publishes a text
    write_photo: str  #: method that publishes a photo
    comment: str
    read: str  #: method that `find` reads the page with
    flood: str | int
    refusal: str | int  #: an error of the content


def live(network: Network, address: str) -> Page:
    return Page(id=network.value, network=network, address=address, title="Курлово", mode=PageMode.LIVE)


PLACES = [
    Place(
        network=Network.VK,
        page=live(Network.VK, "club{}"),
        write="wall.post",
        write_photo="wall.post",
        comment="wall.createComment",
        read="wall.get",
        flood=9,
        refusal=214,
    ),
    Place(
        network=Network.OK,
        page=live(Network.OK, "7000000000{}"),
        write="mediatopic.post",
        write_photo="mediatopic.post",
        comment="discussions.addDiscussionComment",
        read="stream.get",
        flood=8,
        refusal=454,
    ),
    Place(
        network=Network.TELEGRAM,
        page=live(Network.TELEGRAM, "@kurlovo{}"),
        write="sendMessage",
        write_photo="sendPhoto",
        comment="sendMessage",
        read="/s/{}",
        flood="flood",
        refusal=400,
    ),
    Place(
        network=Network.MAX,
        page=live(Network.MAX, "-7000{}"),
        write="POST /messages",
        write_photo="POST /messages",
        comment="POST /messages/{mid}/comments",
        read="GET /messages",
        flood="flood",
        refusal="error:proto.payload",
    ),
]


@pytest.fixture(scope="module")
def shared_twin() -> Iterator[Twin]:
    with Twin(limits=False) as twin:
        yield twin


@pytest.fixture
def twin(shared_twin: Twin) -> Iterator[Twin]:
    yield shared_twin
    shared_twin.mend()


@pytest.fixture(params=PLACES, ids=lambda place: place.network.value)
def place(request: pytest.FixtureRequest, twin: Twin) -> Place:
    """A page nobody has written on yet, with its discussion group where comments need one."""
    given: Place = request.param
    number = len(twin.calls) + 1_000
    page = replace(given.page, address=given.page.address.format(number))
    facts: dict[str, Any] = {"title": "Администрация Курлова"}
    if given.network is Network.TELEGRAM:
        group = twin.community(given.network, f"kurlovo{number}_chat", is_channel=False)
        page = replace(page, discussion=f"-100{group.number}")
        facts["discussion"] = group
    community = twin.community(given.network, page.address, **facts)
    if community.discussion is not None:
        community.discussion.channel = community
    return replace(given, page=page, read=given.read.format(page.address.lstrip("@")))


@pytest.fixture
def channel(place: Place, twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    monkeypatch.setattr(wire, "TIMEOUT", httpx2.Timeout(0.5))
    monkeypatch.setattr(wire, "DEADLINE", 1.0)
    settings = read_settings({}, **twin.settings(), data=tmp_path)
    channel = channel_for(place.page, settings, Media())
    yield channel
    channel.close()


def standing(twin: Twin, place: Place) -> list[StandingPost]:
    return twin.posts(place.network, place.page.address)


def send(channel: Channel, place: Place, **facts: Any) -> Any:
    message = Message(**{"text": TEXT} | facts)
    upload = channel.upload(place.page, message.photo) if message.photo else None
    return channel.send(place.page, message, upload=upload, key=KEY)


def find(channel: Channel, place: Place, **facts: Any) -> Any:
    now = datetime.now(UTC)
    known = facts.pop("known", ())
    message = Message(**{"text": TEXT} | facts)
    return channel.find(place.page, message, since=now - HOUR, until=now + HOUR, known=known)


def written(twin: Twin, place: Place) -> int:
    """How many irreversible requests the network has seen from this page."""
    return sum(call.method in (place.write, place.write_photo, place.comment) for call in twin.calls)


# the good way ---------------------------------------------------------------------------------------------


def test_a_text_stands_on_the_page_and_the_receipt_names_it(channel: Channel, place: Place, twin: Twin):
    receipt = send(channel, place)
    [post] = standing(twin, place)
    assert (post.text, post.is_ours) == (TEXT, True)
    assert post.id == f"{place.network.value}:{receipt.remote_id}"


def test_a_photo_goes_with_the_text_though_it_was_uploaded_twice(channel: Channel, place: Place, twin: Twin):
    channel.upload(place.page, "sunset")
    send(channel, place, photo="sunset")
    [post] = standing(twin, place)
    assert (post.text, post.photos) == (TEXT, (PNG,))


def test_an_answer_stands_under_the_residents_comment(channel: Channel, place: Place, twin: Twin):
    post = twin.say(place.network, place.page.address, "График", author=COMMUNITY)
    question = twin.say(place.network, place.page.address, "Когда дадут тепло?", parent=post)
    receipt = channel.comment(place.page, question, "Сегодня к 18:00.", key=KEY)
    [_, answer] = standing(twin, place)[0].comments
    assert (answer.text, answer.is_ours, answer.reply_to) == ("Сегодня к 18:00.", True, question)
    assert answer.id == f"{place.network.value}:{receipt.remote_id}"


def test_an_answer_stands_under_a_post(channel: Channel, place: Place, twin: Twin):
    post = twin.say(place.network, place.page.address, "Нет воды", author=COMMUNITY)
    channel.comment(place.page, post, "Воду дадут к 18:00.", key=KEY)
    [answer] = standing(twin, place)[0].comments
    assert (answer.text, answer.reply_to) == ("Воду дадут к 18:00.", None)


def test_what_was_sent_is_found_once_and_not_again_when_it_belongs_to_another(channel: Channel, place: Place):
    receipt = send(channel, place)
    assert find(channel, place).remote_id == receipt.remote_id
    assert find(channel, place, known=[receipt.remote_id]) is None


def test_a_photo_post_is_found_and_a_text_that_never_was_is_not(channel: Channel, place: Place):
    receipt = send(channel, place, photo="sunset")
    assert find(channel, place, photo="sunset").remote_id == receipt.remote_id
    assert find(channel, place, text="Отключение воды на Советской") is None


def test_the_check_tells_the_title_and_what_the_keys_can_do(channel: Channel, place: Place):
    able = channel.check(place.page)
    assert able.title == "Администрация Курлова"
    assert all(able.can(ability) for ability in (Ability.POST, Ability.PHOTO, Ability.COMMENT, Ability.FIND))


def test_figures_of_our_posts_are_read(channel: Channel, place: Place, twin: Twin):
    receipt = send(channel, place)
    twin.count(f"{place.network.value}:{receipt.remote_id}", views=1200, likes=15)
    assert channel.figures(place.page, [receipt.remote_id])[receipt.remote_id].views == 1200


# before approval ------------------------------------------------------------------------------------------


def test_a_text_too_long_for_the_network_is_refused_before_anything_is_sent(
    channel: Channel, place: Place, twin: Twin
):
    before = len(twin.calls)
    channel.prepare(Message(text="я" * channel.limits.text_characters), place.page)
    with pytest.raises(Refused):
        channel.prepare(Message(text="я" * (channel.limits.text_characters + 1)), place.page)
    assert len(twin.calls) == before


# proven not sent ------------------------------------------------------------------------------------------


def test_flood_control_asks_to_come_later(channel: Channel, place: Place, twin: Twin):
    twin.fail(place.network, place.write, place.flood)
    with pytest.raises(RetryLater):
        send(channel, place)
    assert standing(twin, place) == []


def test_a_dead_key_needs_a_person(channel: Channel, place: Place, twin: Twin):
    twin.fail(place.network, "*", "banned_token", times=None)
    with pytest.raises(NeedsOperator):
        send(channel, place)
    assert not channel.check(place.page).can(Ability.POST)


def test_an_error_of_the_content_is_final(channel: Channel, place: Place, twin: Twin):
    twin.fail(place.network, place.write, place.refusal)
    with pytest.raises(Rejected):
        send(channel, place)


def test_a_network_that_is_down_has_taken_nothing(place: Place, tmp_path: Path):
    closed = "http://127.0.0.1:9"  # discard: nobody listens
    addresses = {
        f"{name}_url": closed for name in ("vk_api", "ok_api", "telegram_api", "telegram_web", "max_api")
    }
    with Twin() as twin:
        tokens = {name: value for name, value in twin.settings().items() if not name.endswith("_url")}
    channel = channel_for(place.page, read_settings({}, **addresses, **tokens, data=tmp_path), Media())
    with pytest.raises(RetryLater):
        send(channel, place)
    with pytest.raises(Unavailable):
        find(channel, place)
    channel.close()


# unknown --------------------------------------------------------------------------------------------------

AFTER_ACCEPT = [
    "timeout_after_accept",
    "reset_after_accept",
    "http_502_after_accept",
    "http_500_after_accept",
    "html_after_accept",
    "empty_after_accept",
    "truncated",
    "reset_mid_body",
]


@pytest.mark.parametrize("fault", AFTER_ACCEPT)
def test_an_answer_that_is_lost_is_unknown_sent_once_and_found(
    channel: Channel, place: Place, twin: Twin, fault: str
):
    twin.fail(place.network, place.write, fault, seconds=5)
    before = written(twin, place)
    with pytest.raises(OutcomeUnknown):
        send(channel, place)
    assert written(twin, place) - before == 1
    assert len(standing(twin, place)) == 1
    assert find(channel, place) is not None


@pytest.mark.parametrize("fault", ["timeout", "reset", "http_502", "html", "redirect_loop"])
def test_an_answer_that_says_nothing_is_unknown_too_and_absence_is_seen(
    channel: Channel, place: Place, twin: Twin, fault: str
):
    twin.fail(place.network, place.write, fault, seconds=5)
    with pytest.raises(OutcomeUnknown):
        send(channel, place)
    assert standing(twin, place) == []
    assert find(channel, place) is None


def test_an_answer_that_drips_is_unknown_and_does_not_hold_the_page(
    channel: Channel, place: Place, twin: Twin
):
    twin.fail(place.network, place.write, "slow", seconds=8)
    started = datetime.now(UTC)
    with pytest.raises(OutcomeUnknown):
        send(channel, place)
    assert datetime.now(UTC) - started < timedelta(seconds=3)


def test_a_lost_answer_to_a_comment_is_unknown_and_found(channel: Channel, place: Place, twin: Twin):
    post = twin.say(place.network, place.page.address, "Нет воды", author=COMMUNITY)
    twin.fail(place.network, place.comment, "reset_after_accept")
    with pytest.raises(OutcomeUnknown):
        channel.comment(place.page, post, "Воду дадут к 18:00.", key=KEY)
    assert len(standing(twin, place)[0].comments) == 1
    if place.network is Network.TELEGRAM:  # a bot cannot read the discussion: a person looks
        with pytest.raises(NeedsOperator):
            find(channel, place, text="Воду дадут к 18:00.", reply_to=post)
    else:
        assert find(channel, place, text="Воду дадут к 18:00.", reply_to=post) is not None


def test_a_page_that_cannot_be_read_is_never_an_empty_page(channel: Channel, place: Place, twin: Twin):
    for fault in ("http_502", "html", "reset", "truncated"):
        twin.fail(place.network, place.read, fault)
        with pytest.raises((Unavailable, NeedsOperator)):
            find(channel, place)


# secrets --------------------------------------------------------------------------------------------------


def test_no_key_is_ever_in_an_error_or_a_log(
    channel: Channel, place: Place, twin: Twin, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    secrets = [value for name, value in twin.settings().items() if not name.endswith("_url")]
    tokens = [part for value in secrets for part in value.split(",")]
    for fault in ("banned_token", "reset", "http_502"):
        twin.fail(place.network, place.write, fault)
        with pytest.raises((NeedsOperator, OutcomeUnknown)) as error:
            send(channel, place)
        assert not any(token in f"{error.value!r}{error.value.__cause__!r}" for token in tokens)
    if place.network is not Network.TELEGRAM:  # its key is a part of the address; api.cli silences httpx2
        assert "HTTP Request" in caplog.text
        assert not any(token in caplog.text for token in tokens)


# the rehearsal ------------------------------------------------------------------------------------------


@pytest.fixture
def rehearsal(place: Place, twin: Twin, tmp_path: Path) -> Channel:
    page = replace(place.page, mode=PageMode.REHEARSAL)
    return channel_for(page, read_settings({}, **twin.settings(), data=tmp_path), Media())


def test_a_page_in_rehearsal_does_everything_and_nothing_leaves(rehearsal: Channel, place: Place, twin: Twin):
    before = len(twin.calls)
    receipt = send(rehearsal, place, photo="sunset")
    post = f"{place.network.value}:{place.page.address}"
    answer = rehearsal.comment(place.page, post, "Сегодня к 18:00.", key=KEY[::-1])
    assert find(rehearsal, place, photo="sunset").remote_id == receipt.remote_id
    assert find(rehearsal, place, text="Сегодня к 18:00.", reply_to=post).remote_id == answer.remote_id
    assert find(rehearsal, place, text="Чего не было") is None
    assert len(twin.calls) == before


def test_a_rehearsal_keeps_the_limits_of_its_network(rehearsal: Channel, channel: Channel, place: Place):
    with pytest.raises(Refused):
        rehearsal.prepare(Message(text="я" * (channel.limits.text_characters + 1)), place.page)


def test_a_line_cut_short_by_a_dying_process_does_not_spoil_the_rehearsal(
    rehearsal: Channel, place: Place, tmp_path: Path
):
    send(rehearsal, place)
    [file] = (tmp_path / "rehearsal").iterdir()
    file.write_text(file.read_text(encoding="utf-8") + '{"id": "log-1", "te', encoding="utf-8")
    assert find(rehearsal, place) is not None
    send(rehearsal, place, text="График приёма граждан")
    assert find(rehearsal, place, text="График приёма граждан") is not None


def test_a_disk_that_takes_nothing_has_sent_nothing(rehearsal: Channel, place: Place, tmp_path: Path):
    (tmp_path / "rehearsal").write_text("a file where the folder should be")
    with pytest.raises(RetryLater):
        send(rehearsal, place)
