"""Heads learn from officers' corrections, and only what proves itself takes over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from index.desk import Desk, open_desk
from index.domain.analysis import Risk
from index.errors import NotFound
from index.posts import open_posts
from index.posts.base import PostIndex
from index.settings import Settings, read_settings
from nlp.models import current_heads, load_models
from nlp.models.base import HeadInput
from nlp.training.heads import ENOUGH, Report, step_back, train_on_corrections
from tests.factories import NOON, post

pytestmark = pytest.mark.model

#: «Шабутка» is what this town calls a house without water; no shipped model can know.
STREETS = (
    "Советской",
    "Лесной",
    "Садовой",
    "Мира",
    "Заводской",
    "Новой",
    "Школьной",
    "Речной",
    "Полевой",
    "Парковой",
)
WORDS = ("опять шабутка на {}", "шабутка третий день на {}", "на {} шабутка, сидим", "{}: с утра шабутка")


@dataclass(frozen=True, slots=True)
class Office:
    desk: Desk
    posts: PostIndex
    settings: Settings

    def correct(self, values: dict[str, object], *, posts: int = len(STREETS) * len(WORDS)) -> None:
        texts = [words.format(street) for words in WORDS for street in STREETS][:posts]
        written = [post(id=f"vk:-1_{n}", text=text) for n, text in enumerate(texts)]
        self.posts.add(written)
        for each in written:
            self.desk.corrections.add(each.id, values, actor="ivanova", at=NOON)

    def train(self) -> Report:
        return train_on_corrections(self.desk, self.posts, settings=self.settings, now=NOON)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    desk, posts = open_desk("sqlite", tmp_path), open_posts("sqlite", tmp_path)
    yield Office(desk, posts, read_settings({}, data=tmp_path))
    posts.close()
    desk.close()


def outage(heads: Path | None) -> float:
    models = load_models(heads=heads)
    given = HeadInput(text="шабутка на Набережной", source="Подслушано Курлово")
    return models.predict([given], models.encoder.encode([given.encoder_text]))[0].risks[Risk.OUTAGE]


def test_a_word_that_officers_explained_is_understood_on_a_street_not_seen(office: Office) -> None:
    office.correct({"risks": ["outage"], "severity": 2})
    report = office.train()
    assert report.taken
    assert outage(current_heads(office.settings.data)) > outage(None) + 0.15
    assert "вступили" in report.as_text()


def test_corrections_that_teach_nothing_leave_the_heads_as_they_are(office: Office) -> None:
    office.correct({"risks": []})  # what the heads say anyway
    report = office.train()
    assert not report.taken
    assert current_heads(office.settings.data) is None


def test_a_handful_of_corrections_is_too_little_to_try(office: Office) -> None:
    office.correct({"risks": ["outage"]}, posts=ENOUGH - 1)
    report = office.train()
    assert (report.taken, report.before) == (False, None)
    assert "Правок мало" in report.as_text()


def test_one_step_back_returns_the_shipped_heads(office: Office) -> None:
    office.correct({"risks": ["outage"], "severity": 2})
    office.train()
    assert step_back(office.settings.data) is None
    assert current_heads(office.settings.data) is None


def test_there_is_no_step_back_before_the_first_retraining(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        step_back(tmp_path)
