"""What each error of a network means for a write, code by code, as the tables of the networks say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from index.errors import NeedsOperator, OutcomeUnknown, Rejected, RetryLater, SendError
from publisher.channels import max as max_
from publisher.channels import ok, telegram, vk
from publisher.channels.wire import Answer
from tests.factories import NOON

VK = {
    RetryLater: (6, 9, 29, 601, 219, 220, 223),
    OutcomeUnknown: (1, 10, 36, 43),
    NeedsOperator: (
        *(5, 27, 28, 1116, 1117, 3609, 3610),  # the key
        *(14, 17, 24, 25, 3300, 3301, 3302),  # a person
        *(7, 15, 20, 21, 203, 204, 1051),  # not allowed
    ),
    Rejected: (8, 18, 19, 30, 100, 103, 104, 113, 118, 121, 125, 129, 210, 211, 212, 213, 214, 222, 224, 777),
}
OK = {
    RetryLater: (8, 11),
    OutcomeUnknown: (1, 2, 30, 31, 9999),
    NeedsOperator: (3, 7, 9, 10, 24, 50, 101, 102, 103, 104, 200, 210, 451, 453, 456, 511),
    Rejected: (4, 100, 160, 300, 454, 600, 601, 607, 704, 1003),
}


def table(codes: dict[type[SendError], tuple[int, ...]]) -> list[tuple[int, type[SendError]]]:
    return [(code, kind) for kind, row in codes.items() for code in row]


@pytest.mark.parametrize(("code", "kind"), table(VK))
def test_vk(code: int, kind: type[SendError]):
    error = vk.fault(
        {"error_code": code, "error_msg": "said", "request_params": [{"key": "access_token"}]}, NOON
    )
    assert type(error) is kind
    assert error.code == f"vk {code}"
    assert "said" in str(error)
    assert "access_token" not in str(error)


@pytest.mark.parametrize(("code", "kind"), table(OK))
def test_ok(code: int, kind: type[SendError]):
    error = ok.fault({"error_code": code, "error_msg": "said"})
    assert type(error) is kind
    assert error.code == f"ok {code}"


def test_vk_waits_as_long_as_the_table_asks():
    assert vk.fault({"error_code": 6}, NOON).after >= timedelta(seconds=0.34)
    assert vk.fault({"error_code": 9}, NOON).after >= timedelta(minutes=10)
    midnight_in_moscow = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)
    assert NOON + vk.fault({"error_code": 29}, NOON).after == midnight_in_moscow


@pytest.mark.parametrize(
    ("code", "subcode"), [(8, "error_request_try_again"), (15, "error_access_try_again")]
)
def test_vk_subcodes_that_ask_to_try_again_are_safe(code: int, subcode: str):
    assert isinstance(vk.fault({"error_code": code, "error_subcode": subcode}, NOON), RetryLater)


def test_a_code_nobody_described_asks_to_look_first():
    assert "посмотрите на страницу" in str(vk.fault({"error_code": 777}, NOON))
    assert "посмотрите на страницу" in str(ok.fault({"error_code": 1003}))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"error_code": 429, "parameters": {"retry_after": 7}}, RetryLater),
        (401, {"error_code": 401, "description": "Unauthorized"}, NeedsOperator),
        (404, {"error_code": 404, "description": "Not Found"}, NeedsOperator),
        (
            403,
            {"error_code": 403, "description": "Forbidden: bot was kicked from the channel chat"},
            NeedsOperator,
        ),
        (400, {"error_code": 400, "description": "Bad Request: chat not found"}, NeedsOperator),
        (
            400,
            {"error_code": 400, "description": "Bad Request: not enough rights to send text messages"},
            NeedsOperator,
        ),
        (400, {"error_code": 400, "parameters": {"migrate_to_chat_id": -100}}, NeedsOperator),
        (400, {"error_code": 400, "description": "Bad Request: message is too long"}, Rejected),
        (413, {"error_code": 413, "description": "Request Entity Too Large"}, Rejected),
    ],
)
def test_telegram(status: int, body: dict[str, object], kind: type[SendError]):
    assert type(telegram.fault(status, body)) is kind


def test_telegram_says_itself_how_long_to_wait():
    error = telegram.fault(429, {"error_code": 429, "parameters": {"retry_after": 7}})
    assert error.after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "attachment.not.ready", RetryLater),
        (200, "attachment.not.ready", RetryLater),
        (429, "too.many.requests", RetryLater),
        (401, "verify.token", NeedsOperator),
        (400, "verify.token", NeedsOperator),
        (403, "access.denied", NeedsOperator),
        (404, "chat.not.found", NeedsOperator),
        (405, "method.not.allowed", NeedsOperator),
        (400, "proto.payload", Rejected),
    ],
)
def test_max(status: int, code: str, kind: type[SendError]):
    answer = Answer(status=status, json={"code": code, "message": "said"}, text="")
    assert type(max_.fault(answer)) is kind


def test_max_waits_as_long_as_the_answer_asks():
    answer = Answer(status=429, json={"code": "too.many.requests"}, text="", retry_after=timedelta(seconds=9))
    assert max_.fault(answer).after == timedelta(seconds=9)


def test_the_signature_of_odnoklassniki_is_that_of_the_published_example():
    parameters = {
        "application_key": "ABCDEFGHIGKLMNOPK",
        "method": "events.get",
        "format": "json",
        "access_token": "-s-84W-s3egarWUsbkq-IWTucuedzTKT8VUXIA.s4Xx8IW7",
    }
    secret = "b1a2b89707a94624c43afae67d59274c"
    assert ok.signature(parameters, secret) == "232c8eb921951c4dba9b72606f9ddb4c"
