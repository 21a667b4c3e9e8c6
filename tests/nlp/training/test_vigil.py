"""A labelled fortnight passes through the watching stage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from index.domain.analysis import Intent, Sentiment
from nlp.analyse import Analyser
from nlp.district import load_district
from nlp.training.corpus import Line
from nlp.training.vigil import Vigil, keep_vigil
from tests.factories import NOON
from tests.nlp.fakes import SpokenModels


def line(number: int, text: str, **facts: Any) -> Line:
    """A labelled post, an hour after the one before it."""
    ordinary: dict[str, Any] = {
        "id": f"e-{number}", "platform": "vk", "kind": "post", "parent": None, "source": "Курлово: болтаем",
        "author": str(number), "published_at": (NOON + timedelta(hours=number)).isoformat(), "text": text,
        "relevant": True, "places": (), "address": None, "intent": Intent.CHATTER, "topic_group": None,
        "sentiment": Sentiment.NEUTRAL, "risks": (), "severity": 0, "needs_answer": False, "story": None,
        "duplicate_of": None,
    }  # fmt: skip
    return Line(**ordinary | facts)


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(SpokenModels(), load_district())


def passed(analyser: Analyser, *lines: Line) -> Vigil:
    return keep_vigil(lines, analyser)


def test_a_post_with_an_alert_of_its_own_is_reached_at_once(analyser: Analyser) -> None:
    vigil = passed(analyser, line(0, "В Курлово горит дом", severity=3), line(1, "Доброе утро"))
    assert (vigil.posts, vigil.alerts, list(vigil.reached), vigil.missed) == (2, 1, ["e-0"], [])
    assert vigil.reached["e-0"] <= timedelta(minutes=15)


def test_a_post_that_nothing_raises_is_named(analyser: Analyser) -> None:
    vigil = passed(analyser, line(0, "бабушка не открывает третий день", severity=3))
    assert [record.post.id for record in vigil.missed] == ["e-0"]
    assert str(vigil) == "0 of 1 reach an officer, half within 0 min; 0 alerts of 1 posts (0.000)"


def test_the_first_copies_of_a_mass_fake_wait_for_the_third(analyser: Analyser) -> None:
    text = "Перешлите всем! Говорят, в Курлово ночью взорвут мост и никого не выпустят, заправляйте машины"
    vigil = passed(analyser, *(line(number, text, severity=3) for number in range(3)))
    assert vigil.alerts == 1
    assert [round(wait.total_seconds() / 3600) for wait in vigil.reached.values()] == [2, 1, 0]


def test_ordinary_posts_are_not_asked_about(analyser: Analyser) -> None:
    vigil = passed(analyser, line(0, "В Курлово горит дом", severity=1))
    assert (vigil.alerts, vigil.reached, vigil.missed) == (1, {}, [])
