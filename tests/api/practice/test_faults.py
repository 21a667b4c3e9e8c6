"""Every fault does what it says, seen through a real socket by a real client."""

from __future__ import annotations

import gzip
import io
import json
import socket
import time

import httpx2
import pytest

from api.practice.twin import COMMUNITY, Twin
from tests.api.practice.calls import Caller


@pytest.fixture
def wall(twin: Twin) -> str:
    return twin.say("vk", "club1", "Нет тепла")


def write(call: Caller) -> httpx2.Response:
    return call.http.post(
        f"{call.settings['vk_api_url']}/method/wall.post",
        data={"v": "5.199", "owner_id": -1, "from_group": 1, "message": "Чиним"},
        headers={"Authorization": "Bearer practice-vk-user"},
        timeout=0.6,
    )


BROKEN = [("timeout", httpx2.ReadTimeout), ("reset", httpx2.ReadError)]


@pytest.mark.parametrize(("fault", "error"), BROKEN)
def test_a_lost_answer_leaves_nothing_on_the_wall(
    twin: Twin, call: Caller, wall: str, fault: str, error: type[Exception]
) -> None:
    twin.fail("vk", "wall.post", fault)
    with pytest.raises(error):
        write(call)
    assert len(twin.posts("vk", "club1")) == 1


@pytest.mark.parametrize(("fault", "error"), BROKEN)
def test_after_accept_the_post_stands_though_no_answer_came(
    twin: Twin, call: Caller, wall: str, fault: str, error: type[Exception]
) -> None:
    twin.fail("vk", "wall.post", f"{fault}_after_accept")
    with pytest.raises(error):
        write(call)
    assert [post.text for post in twin.posts("vk", "club1")] == ["Чиним", "Нет тепла"]


@pytest.mark.parametrize("fault", ["http_502", "http_500", "html", "empty", "error:10", "rate"])
def test_an_answer_may_lie_about_what_was_done(twin: Twin, call: Caller, wall: str, fault: str) -> None:
    twin.fail("vk", "wall.post", fault)
    first = write(call)
    twin.fail("vk", "wall.post", f"{fault}_after_accept")
    second = write(call)
    assert first.content == second.content
    assert b"post_id" not in second.content
    assert [post.text for post in twin.posts("vk", "club1")] == ["Чиним", "Нет тепла"]


def test_a_reset_in_mid_body_comes_after_the_headers(twin: Twin, call: Caller, wall: str) -> None:
    twin.fail("vk", "wall.get", "reset_mid_body")
    host, port = twin.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        ask = "GET /vk/method/wall.get?owner_id=-1&v=5.199&access_token=practice-vk-user HTTP/1.1"
        raw.sendall(f"{ask}\r\nHost: x\r\n\r\n".encode())
        seen = until_reset(raw)
    assert seen.startswith(b"HTTP/1.1 200")
    assert b'"count"' in seen
    assert not seen.endswith(b"}")


def until_reset(raw: socket.socket) -> bytes:
    seen = b""
    try:
        while part := raw.recv(4096):
            seen += part
    except ConnectionResetError:
        return seen
    raise AssertionError("the connection was closed in good order")


def test_a_truncated_answer_is_whole_http_and_broken_json(twin: Twin, call: Caller, wall: str) -> None:
    twin.fail("vk", "wall.get", "truncated")
    with pytest.raises(json.JSONDecodeError):
        call.vk("wall.get", owner_id=-1)


def test_a_wrong_charset_is_not_what_the_header_says(twin: Twin, call: Caller, wall: str) -> None:
    twin.fail("telegram", "*", "wrong_charset")
    twin.say("telegram", "ch", "Нет тепла", author=COMMUNITY)
    answer = call.tme("/s/ch")
    assert "charset=utf-8" in answer.headers["content-type"]
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode()
    assert "Нет тепла" in answer.content.decode("cp1251")


def test_a_gzip_bomb_is_small_on_the_wire(twin: Twin, call: Caller, wall: str) -> None:
    twin.fail("vk", "wall.get", "gzip_bomb")
    url = f"{call.settings['vk_api_url']}/method/wall.get"
    ask = {"owner_id": -1, "v": "5.199", "access_token": "practice-vk-user"}
    with call.http.stream("GET", url, params=ask) as answer:
        wire = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(wire) < 500_000
    assert int.from_bytes(wire[-4:], "little") == 256 * 1024 * 1024  # gzip's own size of what is inside
    with gzip.open(io.BytesIO(wire)) as inside:
        assert sum(map(len, iter(lambda: inside.read(2**22), b""))) == 256 * 1024 * 1024


def test_a_redirect_loop_leads_back_to_itself(twin: Twin, call: Caller) -> None:
    twin.say("news", "vesti", "Новость")
    twin.fail("news", "/vesti/rss.xml", "redirect_loop", times=None)
    with pytest.raises(httpx2.TooManyRedirects):
        call.http.get(twin.feed("vesti"), follow_redirects=True)


def test_a_slow_answer_is_right_in_the_end(twin: Twin, call: Caller, wall: str) -> None:
    twin.fail("vk", "wall.get", "slow", seconds=0.5)
    began = time.monotonic()
    assert call.vk("wall.get", owner_id=-1)["response"]["count"] == 1
    assert time.monotonic() - began > 0.4


def test_each_network_refuses_in_its_own_words(twin: Twin, call: Caller, wall: str) -> None:
    twin.community("telegram", "rayon")
    for network in ("vk", "ok", "telegram", "max"):
        twin.fail(network, "*", "banned_token")
    assert call.vk("wall.get", owner_id=-1)["error"]["error_code"] == 5
    assert call.ok("stream.get", gid="1")["error_code"] == 103
    assert call.bot("getMe")["error_code"] == 401
    assert call.max("GET", "/me").json()["code"] == "verify.token"
    for network in ("vk", "ok", "telegram", "max"):
        twin.fail(network, "*", "429", seconds=7)
    assert call.vk("wall.get", owner_id=-1)["error"]["error_code"] == 6
    assert call.ok("stream.get", gid="1")["error_code"] == 11
    assert call.bot("getMe")["parameters"] == {"retry_after": 7}
    assert (call.max("GET", "/me").status_code, call.max("GET", "/me").status_code) == (429, 200)


def test_a_refusal_inside_execute_spoils_one_call_only(twin: Twin, call: Caller, wall: str) -> None:
    twin.fail("vk", "wall.get", 29)
    code = 'return [API.wall.get({"owner_id": -1}), API.wall.get({"owner_id": -1})];'
    answer = call.vk("execute", code=code)
    assert answer["response"][0] is False
    assert answer["response"][1]["count"] == 1
    assert answer["execute_errors"][0]["error_code"] == 29


def test_a_fault_lasts_as_many_calls_as_it_was_told(twin: Twin, call: Caller, wall: str) -> None:
    twin.fail("vk", "wall.get", 1, times=2)
    codes = [call.vk("wall.get", owner_id=-1).get("error", {}).get("error_code") for _ in range(3)]
    assert codes == [1, 1, None]


def test_calls_are_remembered_without_their_secrets(twin: Twin, call: Caller, wall: str) -> None:
    twin.fail("vk", "wall.get", "flood")
    call.vk("wall.get", owner_id=-1)
    call.ok("stream.get", gid="1")
    call.bot("getMe")
    first, second, third = twin.calls
    assert (first.method, first.fault, first.refused, first.parameters["owner_id"]) == (
        "wall.get",
        "flood",
        "9",
        "-1",
    )
    assert not {"sig", "access_token", "application_key"} & set(second.parameters)
    assert third.parameters == {}


def test_a_revoked_token_is_refused_until_mended(twin: Twin, call: Caller, wall: str) -> None:
    twin.revoke("practice-vk-user")
    assert call.vk("wall.get", owner_id=-1)["error"]["error_code"] == 5
    assert "response" in call.vk("wall.get", token="practice-vk-service", owner_id=-1)
    twin.mend()
    assert "response" in call.vk("wall.get", owner_id=-1)


def test_a_waiting_caller_does_not_hold_the_stand_open() -> None:
    with Twin(limits=False) as twin:
        twin.say("vk", "club1", "x")
        twin.fail("vk", "wall.get", "timeout", seconds=600)
        host, port = twin.url.removeprefix("http://").split(":")
        waiting = socket.create_connection((host, int(port)))
        waiting.sendall(b"GET /vk/method/wall.get?v=5.199 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        began = time.monotonic()
    waiting.close()
    assert time.monotonic() - began < 3
