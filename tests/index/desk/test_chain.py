"""The hash of an audit row covers everything it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from index.desk.chain import FIRST, Entry, row_hash
from tests.factories import NOON

ENTRY = Entry(
    at=NOON, actor="ivanova", action="alert_accepted", subject="alert:a-1", detail={"incident": "i-1"}
)


@pytest.mark.parametrize(
    "changed",
    [
        {"at": NOON + timedelta(microseconds=1)},
        {"actor": "petrov"},
        {"action": "alert_dismissed"},
        {"subject": "alert:a-2"},
        {"detail": {"incident": "i-2"}},
        {"detail": {}},
    ],
)
def test_any_change_changes_the_hash(changed: dict):
    assert row_hash(1, FIRST, ENTRY) != row_hash(1, FIRST, replace(ENTRY, **changed))


def test_place_and_predecessor_count_too():
    assert row_hash(1, FIRST, ENTRY) != row_hash(2, FIRST, ENTRY)
    assert row_hash(1, FIRST, ENTRY) != row_hash(1, "1" * 64, ENTRY)


def test_the_zone_a_moment_is_told_in_does_not():
    in_moscow = replace(ENTRY, at=NOON.astimezone(timezone(timedelta(hours=3))))
    assert row_hash(1, FIRST, ENTRY) == row_hash(1, FIRST, in_moscow)


def test_fields_do_not_run_into_one_another():
    one = replace(ENTRY, actor="a", action="bc")
    other = replace(ENTRY, actor="ab", action="c")
    assert row_hash(1, FIRST, one) != row_hash(1, FIRST, other)
