"""The risk score as a sum of named parts."""

from __future__ import annotations

import pytest

from index.domain.analysis import ScorePart
from nlp.district import load_district
from nlp.score import MASS_FAKE, Company, Scorer, total


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(load_district())


QUIET = (ScorePart(name="Опасность сейчас", points=9), ScorePart(name="Слух", points=4))


def test_a_mass_fake_is_urgent_by_its_copies_whatever_else_it_earned(scorer: Scorer) -> None:
    foreign = (*QUIET, ScorePart(name="Не о районе", points=-9))
    for parts in (QUIET, foreign):
        copied = scorer.of_mass_fake(parts)
        assert (copied[-1].name, total(copied)) == ("Массовая рассылка слуха", MASS_FAKE)
        assert scorer.of_mass_fake(copied) == copied


def test_a_mass_fake_stays_one_when_its_company_is_made_anew(scorer: Scorer) -> None:
    company = Company(authors=5, growth=4, place="Курлово")
    once = scorer.with_company(scorer.of_mass_fake(QUIET), company)
    assert scorer.with_company(once, company) == once
    assert total(once) > MASS_FAKE


def test_copies_add_nothing_to_what_the_text_told_already(scorer: Scorer) -> None:
    told = (ScorePart(name="Опасность сейчас", points=66),)
    assert scorer.of_mass_fake(told) == told


def test_a_post_that_earned_nothing_gets_nothing_for_its_company(scorer: Scorer) -> None:
    assert scorer.with_company((), Company(authors=9, growth=9)) == ()
