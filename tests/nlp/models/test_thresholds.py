"""Where probabilities become decisions."""

from __future__ import annotations

from typing import Any

from index.domain.analysis import Intent, Risk, Sentiment, Severity
from nlp.models.base import HeadOutput, Thresholds


def output(**facts: Any) -> HeadOutput:
    """What heads say of an ordinary relevant post."""
    ordinary: dict[str, Any] = {
        "relevance": 0.9, "intent": {Intent.CHATTER: 1.0}, "topic_group": {None: 1.0}, "topic": {},
        "sentiment": {Sentiment.NEUTRAL: 1.0}, "toxicity": 0.0, "risks": {},
        "severity": (1.0, 0.0, 0.0, 0.0), "needs_answer": 0.0,
    }  # fmt: skip
    return HeadOutput(**ordinary | facts)


def test_risks_over_their_own_threshold_stand_highest_first() -> None:
    thresholds = Thresholds(risks={Risk.FRAUD: 0.3, Risk.OUTAGE: 0.6})
    said = output(risks={Risk.OUTAGE: 0.55, Risk.FRAUD: 0.4, Risk.CRIME: 0.8})
    assert thresholds.risks_of(said) == (Risk.CRIME, Risk.FRAUD)


def test_severity_is_the_highest_level_that_is_likely_enough() -> None:
    assert (
        Thresholds(severity=(0.5, 0.4, 0.3)).severity_of(output(severity=(0.2, 0.2, 0.25, 0.35)))
        is Severity.NOW
    )


def test_an_irrelevant_post_is_never_severe_and_wants_no_answer() -> None:
    said = output(relevance=0.1, severity=(0.0, 0.0, 0.0, 1.0), needs_answer=0.99)
    assert Thresholds().severity_of(said) is Severity.NONE
    assert not Thresholds().wants_answer(said)
