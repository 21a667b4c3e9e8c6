"""Rumours that go round word for word."""

from __future__ import annotations

from datetime import timedelta

from nlp.chain_messages import EARLY, ChainMessages
from tests.factories import NOON


def told(*rumours: bool, authors: str = "abcdefghijklmnopqrstuvwxyz") -> ChainMessages:
    """A text and its copies, an hour apart, each by its own author."""
    chains = ChainMessages(timedelta(days=30))
    for n, is_rumour in enumerate(rumours):
        chains.add(
            str(n), None if n == 0 else "0", author=authors[n], at=NOON + timedelta(hours=n),
            is_rumour=is_rumour,
        )  # fmt: skip
    return chains


def test_one_copy_that_was_judged_a_rumour_speaks_for_the_chain() -> None:
    chains = told(True, False, False)
    assert all(chains.is_mass(each) for each in "012")
    assert chains.early("2") == ["0", "1"]


def test_a_first_post_that_was_no_rumour_is_not_remembered_until_it_is_repeated() -> None:
    chains = told(False, True, True, True)
    assert chains.early("3") == ["1", "2"]


def test_two_authors_are_not_many() -> None:
    assert not told(True, True).is_mass("0")
    assert not told(True, True, True, authors="aab").is_mass("0")


def test_copies_of_harmless_text_are_no_mass_fake() -> None:
    assert not told(False, False, False, False).is_mass("3")


def test_a_verdict_that_a_newer_model_takes_back_counts_no_more() -> None:
    chains = told(True, False, False)
    chains.add("0", None, author="a", at=NOON, is_rumour=False)
    assert not chains.is_mass("2")


def test_an_edited_first_post_begins_a_chain_of_its_own() -> None:
    chains = told(True, True)
    chains.remove("0")
    chains.add("0", None, author="a", at=NOON, is_rumour=True)
    chains.add("8", "0", author="x", at=NOON, is_rumour=True)
    assert not any(map(chains.is_mass, "018"))


def test_a_first_post_that_was_edited_before_a_restart_is_no_part_of_the_chain() -> None:
    chains = ChainMessages(timedelta(days=30))
    for n in "123":
        chains.add(n, "0", author=n, at=NOON, is_rumour=True)
    chains.add("0", None, author="a", at=NOON, is_rumour=False)
    assert (chains.is_mass("0"), chains.is_mass("1")) == (False, True)


def test_a_chain_without_new_copies_is_forgotten_by_the_time_of_posts() -> None:
    chains = told(True, True, True)
    chains.add("9", None, author="z", at=NOON + timedelta(days=29), is_rumour=True)
    assert chains.is_mass("0")
    chains.add("10", None, author="z", at=NOON + timedelta(days=31), is_rumour=True)
    assert (chains.is_mass("0"), chains.early("0")) == (False, ())


def test_of_a_long_chain_only_the_first_are_looked_at_again() -> None:
    chains = told(*[True] * 26)
    assert len(chains.early("25")) == EARLY
