"""Heads learn from officers' corrections, and only what proves itself takes over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from index.desk import Desk, open_desk
from index.domain.analysis import Risk
from index.errors import Conflict, Misconfigured, NotFound
from index.posts import open_posts
from index.posts.base import PostIndex
from index.settings import Settings, read_settings
from nlp.models import (
    CURRENT,
    ModelsInUse,
    current_heads,
    heads_version,
    load_models,
    outdated_heads,
)
from nlp.models.base import HeadInput
from nlp.training.heads import (
    ENOUGH,
    RETURNED,
    SUBJECT,
    TAUGHT,
    Report,
    _alone,
    is_training,
    step_back,
    train_on_corrections,
)
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
HARMLESS = (
    "доброе утро, соседи с {}", "на {} сирень цветёт, красота", "гуляли по {}, погода чудо",
    "с праздником, друзья с {}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Office:
    desk: Desk
    posts: PostIndex
    settings: Settings

    def correct(
        self,
        values: dict[str, object],
        *,
        posts: int = len(STREETS) * len(WORDS),
        words: Sequence[str] = WORDS,
    ) -> None:
        texts = [each.format(street) for each in words for street in STREETS][:posts]
        written = [post(id=f"vk:-1_{n}", text=text) for n, text in enumerate(texts)]
        self.posts.add(written)
        for each in written:
            self.desk.corrections.add(each.id, values, actor="ivanova", at=NOON)

    def train(self) -> Report:
        return train_on_corrections(self.desk, self.posts, settings=self.settings, now=NOON, actor="ivanova")

    def back(self) -> str:
        return step_back(self.desk, data=self.settings.data, now=NOON, actor="petrov")

    def audit(self) -> list[tuple[str, str]]:
        """Who did what with the heads, oldest first."""
        return [(row.actor, row.action) for row in reversed(self.desk.audit.find(subject=SUBJECT)[0])]


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
    assert outage(current_heads(office.settings.data)) > outage(None) + 0.3
    assert "вступили" in report.as_text()


def test_corrections_that_teach_nothing_leave_the_heads_as_they_are(office: Office) -> None:
    office.correct({"risks": []}, words=HARMLESS)  # what the heads say anyway
    report = office.train()
    assert not report.taken
    assert current_heads(office.settings.data) is None


def test_a_handful_of_corrections_is_too_little_to_try(office: Office) -> None:
    office.correct({"risks": ["outage"]}, posts=ENOUGH - 1)
    report = office.train()
    assert (report.taken, report.before) == (False, None)
    assert "Правок мало" in report.as_text()


def test_one_step_back_returns_the_shipped_heads_and_the_audit_tells_who(office: Office) -> None:
    office.correct({"risks": ["outage"], "severity": 2})
    version = office.train().version
    assert version.startswith(heads_version(None) + "+")
    assert office.back() == heads_version(None)
    assert current_heads(office.settings.data) is None
    assert office.audit() == [("ivanova", TAUGHT), ("petrov", RETURNED)]


def test_there_is_no_step_back_before_the_first_retraining(office: Office) -> None:
    with pytest.raises(NotFound):
        office.back()


def test_two_do_not_teach_at_once(office: Office) -> None:
    with _alone(office.settings.data):
        assert is_training(office.settings.data)
        with pytest.raises(Conflict):
            office.train()
        with pytest.raises(Conflict):
            office.back()
    assert not is_training(office.settings.data)


def test_teaching_twice_in_a_second_gives_two_versions_and_one_step_back(office: Office) -> None:
    office.correct({"risks": ["outage"], "severity": 2})
    first, second = office.train().version, office.train().version
    assert first != second
    assert office.back() == first


def test_heads_taught_beside_other_shipped_models_are_not_used_and_are_named(office: Office) -> None:
    office.correct({"risks": ["outage"], "severity": 2})
    version = office.train().version
    folder = current_heads(office.settings.data)
    assert folder is not None
    card = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
    (folder / "heads.json").write_text(json.dumps(card | {"encoder": "mcu-encoder-before"}), encoding="utf-8")
    assert current_heads(office.settings.data) is None
    assert outdated_heads(office.settings.data) == version
    assert ModelsInUse(None, office.settings.data).models.version == heads_version(None)


def test_a_step_back_and_new_heads_are_seen_by_who_has_them_in_memory(office: Office) -> None:
    office.correct({"risks": ["outage"], "severity": 2})
    in_use = ModelsInUse(None, office.settings.data)
    assert in_use.renewed() is None
    version = office.train().version
    renewed = in_use.renewed()
    assert renewed is not None
    assert (renewed.version, in_use.renewed()) == (version, None)
    office.back()
    assert (in_use.renewed() or renewed).version == heads_version(None)


def test_heads_that_cannot_be_read_are_not_taken_and_said(office: Office) -> None:
    in_use = ModelsInUse(None, office.settings.data)
    folder = office.settings.data / "models"
    folder.mkdir(exist_ok=True)
    (folder / CURRENT).write_text("heads-lost")
    assert in_use.renewed() is None
    assert "heads-lost" in in_use.fault
    assert in_use.models.version in in_use.fault
    with pytest.raises(Misconfigured):
        ModelsInUse(None, office.settings.data)  # a start goes on with nothing that is broken
