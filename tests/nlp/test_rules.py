"""Alert rules: what they ask, how they are tried on history, how a wrong one is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from index.domain.analysis import Risk, Severity
from index.errors import Misconfigured
from nlp.district.files import read_yaml
from nlp.rules import Facts, RuleMode, read_rules, replay
from tests.factories import NOON

RULE = """
rules:
- id: fire
  title: Пожары
  kind: post
  mode: {mode}
  cooldown: 24h
  when: {when}
"""


def rules(tmp_path: Path, *, when: str = "{min_score: 50}", mode: str = "monitor"):
    path = tmp_path / "rules.yaml"
    path.write_text(RULE.format(mode=mode, when=when), encoding="utf-8")
    return read_rules(read_yaml(path))


@pytest.mark.parametrize(
    ("when", "facts", "raised"),
    [
        ("{min_score: 50}", Facts(score=50), True),
        ("{min_score: 50}", Facts(score=49), False),
        ("{min_score: 50}", Facts(score=90, relevant=False), False),
        ("{risks: [emergency, outage]}", Facts(risks=frozenset({Risk.OUTAGE})), True),
        ("{risks: [emergency]}", Facts(risks=frozenset({Risk.OUTAGE})), False),
        (
            "{min_severity: 2, places: [Курлово]}",
            Facts(severity=Severity.NOW, places=frozenset({"Курлово"})),
            True,
        ),
        ("{min_severity: 2, places: [Курлово]}", Facts(severity=Severity.NOW), False),
        ("{min_growth: 3, min_authors: 4}", Facts(growth=3.5, authors=4), True),
        (
            "{needs_answer: true, min_silent_hours: 24}",
            Facts(needs_answer=True, silent=timedelta(days=1)),
            True,
        ),
        (
            "{needs_answer: true, min_silent_hours: 24}",
            Facts(needs_answer=True, silent=timedelta(hours=3)),
            False,
        ),
    ],
)
def test_all_conditions_hold_together(tmp_path: Path, when: str, facts: Facts, raised: bool) -> None:
    (rule,) = rules(tmp_path, when=when)
    assert rule.mode is RuleMode.MONITOR
    assert rule.matches(facts) is raised


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{min_scores: 5}", "неизвестное условие min_scores"),
        ("{min_score: 500}", "нужно целое от 0 до 100"),
        ("{risks: [fire]}", "«fire» не из списка"),
        ("[1, 2]", "нужны пары"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(tmp_path: Path, when: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as refused:
        rules(tmp_path, when=when)
    assert "rules.yaml, rules №1 fire" in str(refused.value)


def test_a_rule_is_tried_on_history(tmp_path: Path) -> None:
    (rule,) = rules(tmp_path)
    history = [
        (NOON - timedelta(days=40), "post:old", Facts(score=80)),
        (NOON - timedelta(days=3), "post:a", Facts(score=80)),
        (NOON - timedelta(days=3, hours=-2), "post:a", Facts(score=90)),  # within the cooldown
        (NOON - timedelta(days=1), "post:a", Facts(score=90)),
        (NOON - timedelta(days=1), "post:b", Facts(score=10)),
    ]
    tried = replay(rule, history, since=NOON - timedelta(days=30), until=NOON)
    assert [key for _, key in tried.raised] == ["post:a", "post:a"]
    assert tried.sentence == "за 30 дней подняло бы 2"
