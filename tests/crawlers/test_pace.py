"""The limiter: one pace a token over processes, day budgets, freezes, breakers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crawlers.pace import Breaker, Pace, budget_rows, host_of
from crawlers.pages.base import NetworkRefusal, Reaction
from index.desk import Desk, open_desk
from index.domain.post import Network
from index.errors import Misconfigured
from index.pace import LIMITS, Call, NotNow, dead, limits, network_day, token_bucket
from tests.factories import NOON

CALL = Call(bucket="vk:abc", limit="vk", method="wall.get")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = open_desk("sqlite", tmp_path)
    yield desk
    desk.close()


def now() -> datetime:
    return datetime.now(UTC)


def pace(desk: Desk, setting: str = "", clock: object = now) -> Pace:
    return Pace(desk=desk, limits=limits(setting), clock=clock)  # type: ignore[arg-type]


def moments(paces: list[Pace], calls: int) -> list[float]:
    """When so many calls of one token went, shared evenly by limiters as of different processes."""

    async def one(limiter: Pace, went: list[float]) -> None:
        await limiter.turn(CALL, "host")
        await limiter.window(CALL)
        went.append(time.monotonic())

    async def all_of_them() -> list[float]:
        went: list[float] = []
        await asyncio.gather(*(one(paces[n % len(paces)], went) for n in range(calls)))
        return sorted(went)

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("processes", [1, 2])
def test_no_second_holds_more_calls_than_the_limit(desk: Desk, processes: int) -> None:
    went = moments([pace(desk, "vk=20/s") for _ in range(processes)], 50)
    assert all(late - early > 0.98 for early, late in zip(went, went[20:], strict=False))


def test_nearly_all_permitted_calls_are_used(desk: Desk) -> None:
    went = moments([pace(desk, "vk=20/s")], 61)
    assert 60 / (went[-1] - went[0]) > 0.90 * 20


def test_the_budget_of_a_day_ends_and_says_so(desk: Desk) -> None:
    limiter = pace(desk, "vk:wall.get=2/day", clock=lambda: NOON)
    limiter.charge("vk:abc", "wall.get")
    limiter.charge("vk:abc", "wall.get")
    with pytest.raises(NotNow, match="израсходован") as held:
        limiter.charge("vk:abc", "wall.get")
    assert held.value.is_ours
    assert held.value.until == datetime(2026, 11, 24, 21, 0, tzinfo=UTC)  # midnight in Moscow
    limiter.charge("vk:other", "wall.get")


def test_the_next_day_has_a_budget_of_its_own(desk: Desk) -> None:
    day = [NOON]
    limiter = pace(desk, "vk:wall.get=1/day", clock=lambda: day[0])
    limiter.charge("vk:abc", "wall.get")
    day[0] += timedelta(days=1)
    limiter.charge("vk:abc", "wall.get")


def test_a_day_ends_at_midnight_in_moscow() -> None:
    assert network_day(datetime(2026, 11, 24, 20, 59, tzinfo=UTC)).day == 24
    assert network_day(datetime(2026, 11, 24, 21, 0, tzinfo=UTC)).day == 25


def test_a_frozen_method_leaves_the_others_free(desk: Desk) -> None:
    limiter = pace(desk, clock=lambda: NOON)
    limiter.freeze("vk:abc:wall.get", until=NOON + timedelta(hours=1), reason="квота")
    with pytest.raises(NotNow, match="квота") as held:
        limiter.check("vk:abc", "wall.get")
    assert held.value.is_ours
    limiter.check("vk:abc", "wall.getComments")


def test_a_dead_token_holds_everything_until_a_person_acts(desk: Desk) -> None:
    limiter = pace(desk, clock=lambda: NOON)
    limiter.freeze(dead("vk:abc"), until=NOON + timedelta(hours=6), reason="ключ не принят")
    with pytest.raises(NotNow) as held:
        limiter.check("vk:abc", "wall.getComments")
    assert held.value.is_token


def test_flood_control_doubles_its_pause_and_success_forgets_it(desk: Desk) -> None:
    limiter = pace(desk, clock=lambda: NOON)
    flood = NetworkRefusal(
        Reaction.FREEZE_METHOD, network=Network.VK, code="9", message="Flood", doubles=True,
        until=NOON + timedelta(minutes=10),
    )  # fmt: skip
    ends = []
    for _ in range(3):
        limiter.freeze_method(CALL, flood)
        held = desk.quotas.frozen("vk:abc:wall.get", NOON)
        assert held is not None
        ends.append(held[0] - NOON)
    assert ends == [timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=40)]
    limiter.worked(CALL)
    limiter.freeze_method(CALL, flood)
    held = desk.quotas.frozen("vk:abc:wall.get", NOON)
    assert held is not None
    assert held[0] - NOON == timedelta(minutes=10)


def test_a_host_that_does_not_answer_is_left_alone_and_tried_by_one_caller() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.check(NOON, "t.me")
        breaker.failed(NOON)
    with pytest.raises(NotNow, match=r"t\.me"):
        breaker.check(NOON + timedelta(seconds=14), "t.me")
    later = NOON + timedelta(seconds=16)
    breaker.check(later, "t.me")
    with pytest.raises(NotNow):
        breaker.check(later, "t.me")
    breaker.worked()
    breaker.check(later, "t.me")


def test_the_rest_of_a_broken_host_grows_to_ten_minutes() -> None:
    breaker = Breaker()
    for _ in range(40):
        breaker.failed(NOON)
    assert breaker.opened_until == NOON + timedelta(minutes=10)


def test_rows_of_the_setting_go_over_the_table() -> None:
    table = limits("vk=20/s, vk:wall.get=50000/day, telegram=2/5s, news=every 30s")
    assert (table["vk"].calls, table["vk"].every) == (20, LIMITS["vk"].every)
    assert table["vk:wall.get"].per_day == 50_000
    assert table["telegram"].period == timedelta(seconds=5)
    assert (table["news"].every, table["news"].calls) == (timedelta(seconds=30), LIMITS["news"].calls)


@pytest.mark.parametrize("row", ["vk", "vk=fast", "twitter=3/s", "vk=3/week", "news=every day", "=3/s"])
def test_a_row_nobody_understands_stops_the_start_and_is_named(row: str) -> None:
    with pytest.raises(Misconfigured, match="LIMITS"):
        limits(f"vk=3/s, {row}")


def test_a_bucket_tells_tokens_apart_and_gives_none_away() -> None:
    one, two = token_bucket(Network.VK, "vk1.a.secret"), token_bucket(Network.VK, "vk1.a.other")
    assert one != two
    assert "secret" not in one


def test_the_spending_of_the_day_is_shown_with_its_limit() -> None:
    rows = budget_rows(limits(), {"vk:abc": 7, "vk:abc:wall.get": 12, "news:site.ru": 3})
    assert [row["spent"] for row in rows] == [12, 7, 3]
    assert rows[0] == {"bucket": "vk:abc", "method": "wall.get", "spent": 12, "limit": 5_000} | {
        "bucket": rows[0]["bucket"]
    }
    assert rows[2]["limit"] is None


def test_a_host_is_named_without_user_and_path() -> None:
    assert host_of("https://me@site.ru:8080/a/b") == "site.ru:8080"


def test_a_machine_whose_clock_runs_ahead_is_noticed(desk: Desk) -> None:
    desk.quotas.reserve("vk:abc", now=NOON + timedelta(hours=1), spacing=timedelta(seconds=1))
    limiter = pace(desk, clock=lambda: NOON)
    with pytest.raises(NotNow, match="часы"):
        asyncio.run(limiter.turn(CALL, "host"))
