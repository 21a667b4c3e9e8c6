"""What the crawler has to do about each refusal: a row a code of the networks' tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crawlers.pages import max as max_pages
from crawlers.pages import ok, telegram, vk
from crawlers.pages.base import (
    Context,
    NetworkRefusal,
    Reaction,
    Unreadable,
    check_status,
    next_midnight,
    retry_after,
)
from index.domain.post import Network

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
R = Reaction

VK = {
    R.RETRY: [1, 10, 13, 36, 43],
    R.SLOW_DOWN: [6],
    R.FREEZE_METHOD: [9, 29, 601],
    R.STOP_TOKEN: [2, 4, 5, 27, 28, 37, 42, 1051, 1116, 1117, 3609, 3610],
    R.CAPTCHA: [14, 17, 24, 25, 3300, 3301, 3302],
    R.NO_ACCESS: [7, 15, 20, 21, 200, 203, 204, 210, 211, 212, 213, 801],
    R.GONE: [18, 104],
    R.BLOCKED: [19, 30],
    R.BAD_REQUEST: [3, 8, 12, 23, 100, 103, 113, 114, 118, 121, 125, 129, 214, 219, 220, 222, 223, 224],
    R.UNKNOWN: [0, 913, 935, 99999],
}
OK = {
    R.RETRY: [1, 2, 30, 31, 9999],
    R.SLOW_DOWN: [8],
    R.FREEZE_METHOD: [11],
    R.RENEW: [102],
    R.STOP_TOKEN: [9, 101, 103, 104, 210, 451, 453],
    R.NO_ACCESS: [7, 10, 24, 50, 200, 456, 511],
    R.GONE: [300],
    R.BAD_REQUEST: [3, 4, 100, 160, 454, 600, 601, 607, 704],
    R.UNKNOWN: [1003, 5],
}
BOT = {
    R.RETRY: [409, 500, 502, 503, 504],
    R.SLOW_DOWN: [420, 429],
    R.STOP_TOKEN: [401, 404],
    R.NO_ACCESS: [403],
    R.BAD_REQUEST: [400],
    R.UNKNOWN: [418],
}
MAX = {
    R.RETRY: ["attachment.not.ready", 500, 502, 503, 504],
    R.SLOW_DOWN: ["too.many.requests", 429],
    R.STOP_TOKEN: ["verify.token", 401],
    R.NO_ACCESS: [403],
    R.GONE: [404],
    R.BAD_REQUEST: [400, 405],
    R.UNKNOWN: [418],
}


def rows(table: dict[Reaction, list[Any]]) -> list[tuple[Any, Reaction]]:
    return [(code, reaction) for reaction, codes in table.items() for code in codes]


@pytest.mark.parametrize(("code", "reaction"), rows(VK))
def test_vk_code(code: int, reaction: Reaction) -> None:
    answer = {"error": {"error_code": code, "error_msg": "Почему-то", "request_params": TOKEN_ECHO}}
    refusal = refused(lambda: vk.check(answer, now=NOW, method="wall.get"))
    assert refusal.reaction is reaction
    assert str(refusal) == f"vk (wall.get): код {code}: Почему-то"


TOKEN_ECHO = [{"key": "access_token", "value": "vk1.a.secret"}, {"key": "method", "value": "wall.get"}]


@pytest.mark.parametrize(("code", "reaction"), rows(OK))
def test_ok_code(code: int, reaction: Reaction) -> None:
    answer = {"error_code": code, "error_msg": "Почему-то", "error_data": None}
    assert refused(lambda: ok.check(answer, now=NOW)).reaction is reaction


@pytest.mark.parametrize(("code", "reaction"), rows(BOT))
def test_telegram_bot_code(code: int, reaction: Reaction) -> None:
    answer = {"ok": False, "error_code": code, "description": "Почему-то"}
    assert refused(lambda: telegram.check(answer, now=NOW)).reaction is reaction


@pytest.mark.parametrize(("code", "reaction"), rows(MAX))
def test_max_code(code: int | str, reaction: Reaction) -> None:
    status, body = (code, {}) if isinstance(code, int) else (200, {"code": code, "message": "Почему-то"})
    refusal = refused(lambda: max_pages.check(body, status=status, headers={}, now=NOW))
    assert refusal.reaction is reaction


@pytest.mark.parametrize(
    ("status", "reaction"),
    [
        (401, R.STOP_TOKEN),
        (403, R.NO_ACCESS),
        (404, R.GONE),
        (408, R.RETRY),
        (410, R.GONE),
        (418, R.UNKNOWN),
        (429, R.SLOW_DOWN),
        (451, R.BLOCKED),
        (500, R.RETRY),
        (502, R.RETRY),
        (522, R.RETRY),
    ],
)
def test_http_status(status: int, reaction: Reaction) -> None:
    refusal = refused(lambda: check_status(Network.NEWS, status, {}, now=NOW))
    assert refusal.reaction is reaction


@pytest.mark.parametrize("status", [200, 204, 304])
def test_a_good_status_passes(status: int) -> None:
    check_status(Network.NEWS, status, {}, now=NOW)


def test_every_row_of_the_tables_is_tested() -> None:
    tested = {str(code) for table in (VK,) for codes in table.values() for code in codes}
    special = {"8_try_again", "15_try_again", "failed_2", "failed_3", "failed_4", vk.SHORT}
    assert set(vk.ERRORS) - special == tested - {str(code) for code in VK[R.UNKNOWN]}
    assert set(ok.ERRORS) == {str(c) for r, codes in OK.items() for c in codes if r is not R.UNKNOWN}
    assert set(max_pages.ERRORS) == {str(c) for r, codes in MAX.items() for c in codes if r is not R.UNKNOWN}


def test_the_token_that_vk_echoes_never_gets_into_the_refusal() -> None:
    answer = {"error": {"error_code": 5, "error_msg": "failed", "request_params": TOKEN_ECHO}}
    refusal = refused(lambda: vk.check(answer, now=NOW))
    assert "secret" not in repr(vars(refusal)) + str(refusal)


@pytest.mark.parametrize("code", [8, 15])
def test_vk_says_try_again_in_words(code: int) -> None:
    answer = {"error": {"error_code": code, "error_subcode": 1150, "error_msg": "Error, try again later"}}
    assert refused(lambda: vk.check(answer, now=NOW)).reaction is R.RETRY


def test_flood_control_of_vk_waits_ten_minutes_and_doubles() -> None:
    refusal = refused(lambda: vk.check({"error": {"error_code": 9, "error_msg": "Flood control"}}, now=NOW))
    assert refusal.until == NOW + timedelta(minutes=10)
    assert refusal.doubles


def test_a_used_up_quota_waits_for_the_next_day_in_moscow_and_probes_hourly() -> None:
    refusal = refused(lambda: vk.check({"error": {"error_code": 29, "error_msg": "Rate limit"}}, now=NOW))
    assert refusal.until == datetime(2026, 11, 24, 21, tzinfo=UTC)
    assert refusal.after == timedelta(hours=1)


def test_midnight_of_moscow_is_the_next_one_also_just_before_it() -> None:
    assert next_midnight(datetime(2026, 11, 24, 20, 59, 59, tzinfo=UTC)) == datetime(
        2026, 11, 24, 21, tzinfo=UTC
    )
    assert next_midnight(datetime(2026, 11, 24, 21, tzinfo=UTC)) == datetime(2026, 11, 25, 21, tzinfo=UTC)


def test_server_trouble_is_tried_five_times_with_growing_pauses() -> None:
    refusal = refused(lambda: vk.check({"error": {"error_code": 10, "error_msg": "Internal"}}, now=NOW))
    assert [pause.total_seconds() for pause in refusal.pauses] == [1, 5, 30]
    assert refusal.tries == 5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17),
        ("Tue, 24 Nov 2026 09:00:30 GMT", 30),
        ("Tue, 24 Nov 2026 08:00:00 GMT", 0),
        ("999999999999", 3600),
        ("скоро", None),
        ("", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(header: str, seconds: int | None) -> None:
    pause = retry_after({"retry-AFTER": header}, now=NOW)
    assert (pause.total_seconds() if pause is not None else None) == seconds


def test_max_answers_too_many_requests_with_its_own_pause() -> None:
    body = {"code": "too.many.requests", "message": "Limit is: 10 calls per second."}
    refusal = refused(lambda: max_pages.check(body, status=429, headers={"Retry-After": "3"}, now=NOW))
    assert (refusal.after, refusal.message) == (timedelta(seconds=3), "Limit is: 10 calls per second.")


def test_max_refuses_with_status_200_too() -> None:
    refusal = refused(lambda: max_pages.check({"success": False, "message": "нет"}, headers={}, now=NOW))
    assert refusal.reaction is R.UNKNOWN


@pytest.mark.parametrize(
    ("failed", "reaction"), [(2, R.RENEW), (3, R.RENEW), (4, R.BAD_REQUEST), (9, R.UNKNOWN)]
)
def test_long_poll_asks_for_a_new_key(failed: int, reaction: Reaction) -> None:
    context = Context(secret=b"s", fetched_at=NOW)
    assert refused(lambda: vk.events({"failed": failed}, context)).reaction is reaction


def test_execute_puts_each_failure_in_its_place_and_the_missing_tail_too() -> None:
    answer = {
        "response": [{"count": 0, "items": []}, False, {"count": 1, "items": []}],
        "execute_errors": [{"method": "wall.get", "error_code": 19, "error_msg": "Content blocked"}],
    }
    first, second, third, fourth = vk.execute(answer, asked=4, now=NOW)
    assert first == {"response": {"count": 0, "items": []}}
    assert third == {"response": {"count": 1, "items": []}}
    assert isinstance(second, NetworkRefusal)
    assert isinstance(fourth, NetworkRefusal)
    assert (second.reaction, fourth.reaction, fourth.code) == (R.BLOCKED, R.RETRY, vk.SHORT)


@pytest.mark.parametrize("answer", [None, 5, "x", [], {}, {"ok": None}, {"response2": 1}])
def test_what_is_no_answer_at_all_is_unreadable(answer: Any) -> None:
    with pytest.raises(Unreadable):
        vk.check(answer, now=NOW)


def refused(call: Any) -> NetworkRefusal:
    with pytest.raises(NetworkRefusal) as caught:
        call()
    return caught.value
