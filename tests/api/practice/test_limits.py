"""The twins refuse what the networks refuse, counted by the stand's own clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from api.practice.limits import Limits, Meter
from api.practice.twin import COMMUNITY, Twin
from tests.api.practice.calls import Caller


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def call(clock: Clock, http: httpx2.Client) -> Iterator[Caller]:
    """A twin whose clock stands still until a test moves it."""
    with Twin(clock=clock, limits=Limits(vk_wall_get_per_day=5, vk_posts_per_day=3, ok_per_second=2)) as twin:
        twin.say("vk", "club1", "x")
        yield Caller(twin, http)


def vk_codes(call: Caller, method: str, times: int, **parameters: object) -> list[int]:
    return [call.vk(method, **parameters).get("error", {}).get("error_code", 0) for _ in range(times)]


def test_a_user_token_asks_three_times_a_second(call: Caller, clock: Clock) -> None:
    assert vk_codes(call, "users.get", 5) == [0, 0, 0, 6, 6]
    clock.now += timedelta(seconds=1)
    assert vk_codes(call, "users.get", 1) == [0]


def test_tokens_are_counted_apart_and_a_group_may_ask_twenty_times(call: Caller) -> None:
    vk_codes(call, "users.get", 4)
    assert "response" in call.vk("users.get", token="practice-vk-service", user_ids="1")
    assert vk_codes(call, "groups.getById", 21, token="practice-vk-group-1", group_id=1) == [*[0] * 20, 6]


def test_a_days_cap_is_its_own_error_and_ends_at_midnight(call: Caller, clock: Clock) -> None:
    codes = []
    for _ in range(6):
        clock.now += timedelta(seconds=1)
        codes += vk_codes(call, "wall.get", 1, owner_id=-1)
    assert codes == [0, 0, 0, 0, 0, 29]
    assert vk_codes(call, "users.get", 1) == [0]
    clock.now += timedelta(days=1)
    assert vk_codes(call, "wall.get", 1, owner_id=-1) == [0]


def test_calls_inside_execute_count_for_the_day(call: Caller) -> None:
    batch = "return [" + ",".join(['API.wall.get({"owner_id":-1})'] * 7) + "];"
    answer = call.vk("execute", code=batch)
    assert [bool(part) for part in answer["response"]] == [True] * 5 + [False] * 2
    assert {e["error_code"] for e in answer["execute_errors"]} == {29}


def test_a_wall_takes_so_many_posts_a_day(call: Caller, clock: Clock) -> None:
    codes = []
    for _ in range(4):
        clock.now += timedelta(seconds=1)
        codes += vk_codes(call, "wall.post", 1, owner_id=-1, from_group=1, message="x")
    assert codes == [0, 0, 0, 214]


def test_telegram_tells_how_long_to_wait(call: Caller, clock: Clock) -> None:
    call.twin.community("telegram", "rayon")
    assert call.bot("sendMessage", chat_id="@rayon", text="раз")["ok"]
    refused = call.bot("sendMessage", chat_id="@rayon", text="два")
    assert (refused["error_code"], refused["parameters"]["retry_after"]) == (429, 1)
    clock.now += timedelta(seconds=refused["parameters"]["retry_after"])
    assert call.bot("sendMessage", chat_id="@rayon", text="два")["ok"]


def test_a_channel_takes_twenty_messages_a_minute(call: Caller, clock: Clock) -> None:
    call.twin.community("telegram", "rayon")
    sent = 0
    for _ in range(25):
        clock.now += timedelta(seconds=1)
        sent += call.bot("sendMessage", chat_id="@rayon", text="x")["ok"]
    assert sent == 20


def test_open_pages_of_telegram_are_limited_by_address(call: Caller) -> None:
    call.twin.say("telegram", "ch", "x", author=COMMUNITY)
    codes = [call.tme("/s/ch").status_code for _ in range(21)]
    assert codes == [*[200] * 20, 429]


def test_max_and_ok_have_their_own_words(call: Caller) -> None:
    call.twin.community("max", "-7001")
    codes = [call.max("POST", "/messages", {"text": "x"}, chat_id=-7001).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    call.twin.say("ok", "57", "тема")
    assert [call.ok("stream.get", gid="57").get("error_code", 0) for _ in range(3)] == [0, 0, 11]


def test_a_refused_call_does_not_lengthen_the_wait() -> None:
    meter, start = Meter(), datetime(2026, 11, 24, tzinfo=UTC)
    assert meter.passes("a", at=start, limit=1)
    for tenth in range(1, 10):
        assert not meter.passes("a", at=start + timedelta(seconds=tenth / 10), limit=1)
    assert meter.passes("a", at=start + timedelta(seconds=1), limit=1)
