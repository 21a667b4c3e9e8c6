"""Figures of quality on small files whose answer is known by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from index.domain.alert import AlertKind
from index.domain.analysis import Risk, Severity
from index.errors import Refused
from nlp.evaluate import (
    calibration_error,
    duplicates_f1,
    evaluate,
    evaluate_file,
    f1,
    labels_fault,
    not_missed,
    stories_f1,
)
from nlp.rules import AlertRule, RuleMode


def row(**facts: Any) -> dict[str, Any]:
    """A label or a prediction of an ordinary post: the fields of both."""
    ordinary: dict[str, Any] = {
        "id": "1", "platform": "vk", "kind": "post", "published_at": "2026-01-10T10:00:00+03:00",
        "text": "Нет воды", "relevant": True, "relevance": 0.9, "places": [], "intent": "complaint",
        "topic_group": "ЖКХ", "sentiment": "negative", "risks": [], "risk_scores": dict.fromkeys(RISKS, 0.0),
        "severity": 1, "needs_answer": True, "story": None, "duplicate_of": None, "risk_score": 10,
        "model": "m",
    }  # fmt: skip
    return ordinary | facts


RISKS = tuple(risk.value for risk in Risk)


def test_f1_of_half_found_and_half_invented_is_a_half() -> None:
    assert f1([True, True, False, False], [True, False, True, False]) == 0.5


def test_f1_without_a_positive_label_says_nothing() -> None:
    assert f1([False], [True]) is None


def test_urgent_posts_are_looked_for_among_the_top_eight_per_cent() -> None:
    labels = [row(id=str(n), severity=3 if n in (3, 4) else 0) for n in range(25)]
    said = [row(id=str(n), risk_score={3: 90, 7: 80}.get(n, 5)) for n in range(25)]
    assert not_missed(labels, said) == 0.5  # two places, one of them taken by post 7


def test_alerts_are_counted_of_what_must_not_be_missed_and_of_everything() -> None:
    rule = AlertRule(
        id="critical", title="Критический пост", kind=AlertKind.POST, mode=RuleMode.ACTIVE,
        cooldown=timedelta(hours=24), min_score=36,
    )  # fmt: skip
    labels = [row(id=str(n), severity=3 if n < 4 else 0) for n in range(50)]
    said = [row(id=str(n), risk_score=40 if n < 3 or n == 9 else 10) for n in range(50)]
    said[0]["relevant"] = False  # what is not about the district raises nothing
    told = evaluate(labels, said, [rule])
    found = {figure.name: figure for figure in told.figures}
    assert found["severity 3 that raise an alert"].value == 0.5
    assert found["posts that raise an alert"].value == pytest.approx(0.06)
    assert found["posts that raise an alert"].is_reached
    assert not found["severity 3 that raise an alert"].is_reached
    assert "цель не больше 0.08 ✓" in told.as_text()


def test_a_story_of_three_authors_reaches_its_urgent_post() -> None:
    rule = AlertRule(
        id="story", title="Сюжет", kind=AlertKind.STORY, mode=RuleMode.ACTIVE, cooldown=timedelta(hours=48),
        min_authors=3, min_severity=Severity.TODAY,
    )  # fmt: skip
    labels = [row(id=str(n), author=f"a{n}", severity=3 if n in (0, 40) else 1) for n in range(50)]
    said = [row(id=str(n), story="s" if n < 3 else None, severity=2 if n == 1 else 1) for n in range(50)]
    found = {figure.name: figure for figure in evaluate(labels, said, [rule]).figures}
    assert found["severity 3 that raise an alert"].value == 0
    assert found["severity 3 in an alert, stories too"].value == 0.5
    assert found["alerts, stories too, by posts"].value == pytest.approx(0.02)


def test_a_copy_is_one_matter_with_the_story_of_its_original() -> None:
    rule = AlertRule(
        id="critical", title="Критический пост", kind=AlertKind.POST, mode=RuleMode.ACTIVE,
        cooldown=timedelta(hours=24), min_score=36,
    )  # fmt: skip
    labels = [row(id=str(n), severity=3 if n == 1 else 1) for n in range(20)]
    said = [
        row(id=str(n), story="s" if n == 0 else None, duplicate_of="0" if n in (1, 2) else None,
            risk_score=40 if n in (0, 2) else 5)
        for n in range(20)
    ]  # fmt: skip
    found = {figure.name: figure for figure in evaluate(labels, said, [rule]).figures}
    assert found["severity 3 in an alert, stories too"].value == 1
    assert found["alerts, stories too, by posts"].value == pytest.approx(0.05)


def test_one_author_who_writes_thrice_is_no_story_to_raise() -> None:
    rule = AlertRule(
        id="story", title="Сюжет", kind=AlertKind.STORY, mode=RuleMode.ACTIVE, cooldown=timedelta(hours=48),
        min_authors=3,
    )  # fmt: skip
    labels = [row(id=str(n), author="a", severity=3) for n in range(3)]
    said = [row(id=str(n), story="s") for n in range(3)]
    found = {figure.name: figure for figure in evaluate(labels, said, [rule]).figures}
    assert found["severity 3 in an alert, stories too"].value == 0


def test_copies_of_one_original_are_pairs_of_each_other() -> None:
    labels = [row(id="a"), row(id="b", duplicate_of="a"), row(id="c", duplicate_of="a")]
    said = [row(id="a"), row(id="b", duplicate_of="a"), row(id="c", duplicate_of="b")]
    assert duplicates_f1(labels, said) == pytest.approx(0.5)  # 3 pairs, of which one was found and one more


def test_a_story_split_in_two_loses_its_pairs() -> None:
    labels = [row(id=post, story="s") for post in "abcd"]
    said = [row(id=post, story="x" if post in "ab" else "y") for post in "abcd"]
    assert stories_f1(labels, said) == pytest.approx(2 * 2 / (6 + 2))


def test_said_as_often_as_true_is_calibrated() -> None:
    assert calibration_error([0.25] * 4, [True, False, False, False]) == pytest.approx(0.0)
    assert calibration_error([0.9] * 4, [False] * 4) == pytest.approx(0.9)


def test_a_perfect_prediction_reaches_every_goal() -> None:
    labels = [
        row(id=str(n), risks=["outage"] if n % 5 == 0 else [],
            severity=3 if n == 0 else 2 if n % 5 == 0 else 0, risk_score=100 if n == 0 else 10,
            topic_group="ЖКХ" if n % 2 else None, relevance=1.0,
            risk_scores={**dict.fromkeys(RISKS, 0.0), "outage": float(n % 5 == 0)},
            story="s" if n in (1, 2) else None, duplicate_of="1" if n == 2 else None, places=["Курлово"])
        for n in range(40)
    ]  # fmt: skip
    found = evaluate(labels, labels)
    assert [figure.name for figure in found.figures if figure.value != 1.0] == []
    assert max(found.calibration.values()) == pytest.approx(0.0)


def test_slices_show_network_kind_length_and_season() -> None:
    found = evaluate([row()], [row()])
    assert {kind: list(slices) for kind, slices in found.slices.items()} == {
        "сеть": ["vk"], "вид": ["post"], "длина": ["короткие"], "время года": ["зима"],
    }  # fmt: skip


def test_the_table_for_people_names_what_could_not_be_judged() -> None:
    assert "same story F1 (pairs)" in evaluate([row()], [row()]).as_text()
    assert "недостаточно данных" in evaluate([row()], [row()]).as_text()


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [({"intent": "спор"}, "intent"), ({"risks": ["ufo"]}, "ufo"), ({"severity": 7}, "severity")],
)
def test_an_unknown_label_is_named(facts: dict[str, Any], complaint: str) -> None:
    assert complaint in str(labels_fault(row(**facts)))


def test_a_file_without_labels_is_refused_by_line(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text('{"id": "1", "text": "Нет воды"}\n', encoding="utf-8")
    with pytest.raises(Refused, match="строка 1: нет меток"):
        evaluate_file(file)
