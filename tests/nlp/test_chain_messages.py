"""Rumours that go round word for word."""

from __future__ import annotations

from datetime import timedelta

from nlp.chain_messages import ChainMessages
from tests.factories import NOON


def told(*rumours: bool) -> ChainMessages:
    chains = ChainMessages()
    for n, is_rumour in enumerate(rumours):
        chains.add(str(n), None if n == 0 else "0", NOON + timedelta(hours=n), is_rumour=is_rumour)
    return chains


def test_one_copy_that_was_judged_a_rumour_speaks_for_all() -> None:
    assert told(False, False, True).mass("0") == ("0", "1", "2")


def test_two_copies_are_not_many() -> None:
    assert told(True, True).mass("0") == ()


def test_copies_of_harmless_text_are_no_mass_fake() -> None:
    assert told(False, False, False, False).mass("3") == ()


def test_the_same_post_twice_counts_once() -> None:
    chains = told(True, True)
    chains.add("1", "0", NOON, is_rumour=True)
    assert chains.mass("1") == ()


def test_an_edited_copy_leaves_the_chain() -> None:
    chains = told(True, True, True)
    chains.remove("2")
    assert (chains.mass("0"), chains.mass("2")) == ((), ())


def test_a_chain_without_new_copies_is_forgotten() -> None:
    chains = told(True, True, True)
    chains.forget(NOON + timedelta(hours=2))
    assert chains.mass("0")
    chains.forget(NOON + timedelta(hours=3))
    assert chains.mass("0") == ()
