"""The card of an official page."""

from __future__ import annotations

from datetime import timedelta

from index.domain.page import CARD
from tests.factories import NOON, page


def test_a_full_card_has_no_gaps():
    full = page(card=dict.fromkeys(CARD, "есть"), password_changed_at=NOON)
    assert full.gaps(NOON) == ()


def test_an_empty_field_is_a_gap():
    card = dict.fromkeys(CARD, "есть") | {"phone": " "}
    assert page(card=card, password_changed_at=NOON).gaps(NOON) == ("телефон",)


def test_an_old_password_is_a_gap():
    full = page(card=dict.fromkeys(CARD, "есть"), password_changed_at=NOON)
    assert len(full.gaps(NOON + timedelta(days=93))) == 1
