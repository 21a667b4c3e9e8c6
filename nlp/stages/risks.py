"""Risk classes of a post: those over their thresholds that the text does not take away, with evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from index.domain.analysis import Evidence, Risk, Severity
from nlp.district import District, Guard, RiskEntry
from nlp.models.base import HeadInput, HeadOutput, Models, Thresholds
from nlp.stages.text import fold

_MAX_EVIDENCE = 6  # words a class


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The risks of one post."""

    scores: Mapping[Risk, float]
    risks: tuple[Risk, ...]  #: highest first
    severity: Severity


class RiskJudge:
    """Applies thresholds and the pack's guards: a drill, a film, the past, a denial, another region."""

    def __init__(self, district: District) -> None:
        self._guards = [(guard, re.compile(guard.pattern)) for guard in district.guards]
        self._words = {risk: _stems(entry) for risk, entry in district.risks.items()}

    def judge(self, text: str, output: HeadOutput, thresholds: Thresholds, *, is_relevant: bool) -> Judged:
        """Classes over their threshold that no guard takes away; an irrelevant post has severity 0."""
        folded = fold(text)
        guarded = {
            risk
            for guard in self._standing(folded)
            for risk in guard.risks
            if _is_unsure(output, risk, guard)
        }
        risks = tuple(risk for risk in thresholds.risks_of(output) if risk not in guarded)
        severity = thresholds.severity_of(output)
        if not is_relevant:
            severity = Severity.NONE
        elif guarded and not risks:
            severity = min(severity, Severity.WATCH)
        scores = {
            risk: min(share, thresholds.risks.get(risk, 0.5) * 0.9) if risk in guarded else share
            for risk, share in output.risks.items()
        }
        return Judged(scores=scores, risks=risks, severity=severity)

    def evidence(self, given: HeadInput, risks: Sequence[Risk], models: Models) -> tuple[Evidence, ...]:
        """Words that carried each class, heaviest first; where the models name none, words of the lexicon."""
        return tuple(each for risk in risks for each in self._evidence(given, risk, models))

    def _evidence(self, given: HeadInput, risk: Risk, models: Models) -> Iterator[Evidence]:
        spans = models.evidence(given, risk)[:_MAX_EVIDENCE]
        if not spans:
            found = [match.span() for match in self._words[risk].finditer(fold(given.text))][:_MAX_EVIDENCE]
            spans = [(start, stop, round(1 / len(found), 3)) for start, stop in found]
        for start, stop, weight in spans:
            yield Evidence(risk=risk, start=start, stop=stop, weight=weight)

    def _standing(self, folded: str) -> Iterator[Guard]:
        return (guard for guard, pattern in self._guards if pattern.search(folded))


def _is_unsure(output: HeadOutput, risk: Risk, guard: Guard) -> bool:
    return output.risks.get(risk, 0.0) < guard.below


def _stems(entry: RiskEntry) -> re.Pattern[str]:
    """Stems as whole words with any ending: «горит», «пожар-ные»; a phrase of two words as it is."""
    stems = "|".join(re.escape(fold(stem)) for stem in sorted(entry.words, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{stems})\w*")
