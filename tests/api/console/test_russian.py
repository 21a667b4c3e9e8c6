from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from api.console.russian import AUTHORS, POSTS, ago, exact, grouped, left, plural, span, when

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)  # Tuesday noon in Moscow


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 постов"), (1, "1 пост"), (2, "2 поста"), (5, "5 постов"), (11, "11 постов"), (14, "14 постов"),
        (21, "21 пост"), (22, "22 поста"), (111, "111 постов"), (1_001, "1\u202f001 пост"),
    ],
)  # fmt: skip
def test_plurals(number: int, words: str) -> None:
    assert plural(number, POSTS) == words


def test_another_noun() -> None:
    assert plural(3, AUTHORS) == "3 автора"
    assert grouped(2_000_000) == "2\u202f000\u202f000"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "меньше минуты"),
        (40, "40 мин"),
        (60, "1 ч"),
        (200, "3 ч 20 мин"),
        (1440, "1 дн"),
        (1500, "1 дн 1 ч"),
    ],
)
def test_spans(minutes: int, words: str) -> None:
    assert span(timedelta(minutes=minutes)) == words


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (NOW - timedelta(seconds=20), "только что"),
        (NOW - timedelta(minutes=5), "5 мин назад"),
        (NOW - timedelta(minutes=200), "3 ч 20 мин назад"),
        (NOW - timedelta(hours=7), "сегодня, 05:00"),
        (NOW - timedelta(hours=13), "вчера, 23:00"),
        (NOW - timedelta(days=19), "5 ноября, 12:00"),
        (NOW - timedelta(days=400), "20 октября 2025, 12:00"),
        (NOW + timedelta(days=1), "завтра, 12:00"),
    ],
)
def test_moments(moment: datetime, words: str) -> None:
    assert ago(moment, NOW, MOSCOW) == words


def test_a_deadline_is_said_from_both_sides() -> None:
    assert left(NOW + timedelta(minutes=130), NOW) == "осталось 2 ч 10 мин"
    assert left(NOW - timedelta(minutes=40), NOW) == "просрочено на 40 мин"


def test_the_hint_is_exact() -> None:
    assert exact(NOW, MOSCOW) == "вторник, 24 ноября 2026, 12:00:00"
    assert when(NOW, NOW, MOSCOW) == "сегодня, 12:00"
