"""The risk score as a sum of named parts."""

from __future__ import annotations

import pytest

from index.domain.analysis import ScorePart
from nlp.district import load_district
from nlp.score import Company, Scorer, total


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(load_district())


QUIET = (ScorePart(name="Опасность сейчас", points=9), ScorePart(name="Слух", points=4))


def test_a_mass_fake_is_urgent_by_its_copies(scorer: Scorer) -> None:
    alone, copied = scorer.with_company(QUIET, Company()), scorer.with_company(QUIET, Company(copies=3))
    assert total(alone) < 20
    assert total(copied) > 40
    assert [part.name for part in copied][2] == "Рассылка слуха: 3"


def test_company_made_anew_changes_nothing(scorer: Scorer) -> None:
    company = Company(copies=3, authors=5, growth=4, place="Курлово")
    once = scorer.with_company(QUIET, company)
    assert scorer.with_company(once, company) == once


def test_copies_add_nothing_to_what_the_text_told_already(scorer: Scorer) -> None:
    told = (ScorePart(name="Опасность сейчас", points=66),)
    assert scorer.with_company(told, Company(copies=9)) == told


def test_a_post_that_earned_nothing_gets_nothing_for_its_company(scorer: Scorer) -> None:
    assert scorer.with_company((), Company(authors=9, growth=9)) == ()
