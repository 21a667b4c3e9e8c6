"""Officers' corrections of analyses on every database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from index.desk import Desk
from index.errors import Refused
from tests.factories import NOON


def test_a_correction_is_kept_with_its_author(desk: Desk) -> None:
    desk.corrections.add("vk:1", {"risks": ["outage"], "severity": 2}, actor="ivanova", at=NOON)
    found = desk.corrections.of_post("vk:1")
    assert [(each.field, each.value, each.actor) for each in found] == [
        ("risks", ["outage"], "ivanova"),
        ("severity", 2, "ivanova"),
    ]
    assert desk.audit.find(limit=1)[0][0].action == "analysis_corrected"


def test_a_later_correction_of_a_field_replaces_the_earlier(desk: Desk) -> None:
    desk.corrections.add("vk:1", {"topic_group": "ЖКХ"}, actor="ivanova", at=NOON)
    desk.corrections.add("vk:1", {"topic_group": None}, actor="petrov", at=NOON + timedelta(hours=1))
    assert [(each.value, each.actor) for each in desk.corrections.since()] == [(None, "petrov")]


def test_corrections_come_oldest_first_from_a_moment_on(desk: Desk) -> None:
    for hours in (2, 0, 1):
        desk.corrections.add(f"vk:{hours}", {"relevant": False}, actor="i", at=NOON + timedelta(hours=hours))
    found = desk.corrections.since(NOON + timedelta(hours=1))
    assert [each.post_id for each in found] == ["vk:1", "vk:2"]


@pytest.mark.parametrize(
    "values",
    [
        {"risks": ["ufo"]},
        {"severity": 9},
        {"intent": "спор"},
        {"text": "иначе"},
        {"relevant": "да"},
        {"intent": ["news"]},
        {"severity": True},
    ],
)
def test_a_value_that_the_guide_does_not_know_is_refused(desk: Desk, values: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        desk.corrections.add("vk:1", values, actor="ivanova", at=NOON)
    assert desk.corrections.since() == []
