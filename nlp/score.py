"""The risk score of a post: 0..100 as a sum of named parts that an officer can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import log10
from typing import Any

from index.domain.analysis import ScorePart, Sentiment
from nlp.district import District
from nlp.models.base import HeadOutput

_COMPANY = ("Рост", "Авторов", "Охват", "Власти молчат", "Место")  # how parts of the company begin
_MASS_FAKE = "Массовая рассылка слуха"
MASS_FAKE = 48  # score of a mass fake where the pack says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """What stands around a post when it is watched."""

    growth: float = 1.0  #: of its topic in its place, times the usual for this hour of the week
    authors: int = 1  #: distinct, of its story
    reach: int | None = None  #: views; None: the network does not tell
    place: str | None = None  #: settlement it names
    silent: timedelta | None = None  #: since the post, without an official answer; None: none is needed


class Scorer:
    """Weights of the pack turned into parts. Pure: the same facts give the same parts."""

    def __init__(self, district: District) -> None:
        weights: Mapping[str, Any] = district.score
        self._own: Mapping[str, float] = weights["own"]
        self._company: Mapping[str, float] = weights["company"]
        self._bend: float = weights["bend"]
        self._mass_fake: int = weights.get("mass_fake", MASS_FAKE)
        self._district = district
        self._topic_points = {group.name: weights["topic"][group.severity] for group in district.topics}

    def own_parts(self, output: HeadOutput) -> tuple[ScorePart, ...]:
        """What the text itself earns; a post that is not about the district loses most of it."""
        own, p = self._own, output.severity
        parts = [
            ScorePart(name="Опасность сейчас", points=self._points(own["now"], p[3])),
            ScorePart(name="Важность", points=self._points(own["today"], p[2] + p[3])),
            *self._risk_parts(output),
            *self._topic_part(output),
            ScorePart(name="Нужен ответ", points=round(own["answer"] * output.needs_answer)),
            ScorePart(
                name="Негатив", points=round(own["negative"] * output.sentiment.get(Sentiment.NEGATIVE, 0))
            ),
            ScorePart(name="Грубость", points=round(own["toxicity"] * output.toxicity)),
        ]
        kept = [part for part in parts if part.points]
        foreign = -round(sum(part.points for part in kept) * self._foreign(output.relevance))
        return (*kept, ScorePart(name="Не о районе", points=foreign)) if foreign else tuple(kept)

    def company_parts(self, company: Company) -> tuple[ScorePart, ...]:
        """What its company adds; nothing for a post that stands alone."""
        weights, parts = self._company, []
        if company.growth >= 2:
            points = min(1.0, (company.growth - 1) / 7) * weights["growth"]
            parts.append(ScorePart(name=f"Рост ×{company.growth:.0f}", points=round(points)))
        if company.authors > 1:
            points = min(1.0, (company.authors - 1) / 8) * weights["authors"]
            parts.append(ScorePart(name=f"Авторов: {company.authors}", points=round(points)))
        if company.reach and company.reach >= 100:
            points = min(1.0, (log10(company.reach) - 2) / 2.5) * weights["reach"]
            parts.append(ScorePart(name=f"Охват: {company.reach}", points=round(points)))
        if company.place:
            parts.append(ScorePart(name=f"Место: {company.place}", points=round(weights["place"])))
        if company.silent is not None and company.silent >= timedelta(hours=1):
            hours = int(company.silent.total_seconds() // 3600)
            points = min(1.0, hours / 24) * weights["silence"]
            parts.append(ScorePart(name=f"Власти молчат {hours} ч", points=round(points)))
        return tuple(part for part in parts if part.points)

    def with_company(self, parts: Iterable[ScorePart], company: Company) -> tuple[ScorePart, ...]:
        """Parts with those of the company made anew: doing it twice changes nothing.

        A post that earned nothing itself gets nothing for its company.
        """
        own = tuple(part for part in parts if not part.name.startswith(_COMPANY))
        return (*own, *self.company_parts(company)) if total(own) >= self._company["from"] else own

    def of_mass_fake(self, parts: Sequence[ScorePart]) -> tuple[ScorePart, ...]:
        """Parts of a post that many pass on: its copies bring it to the score of a mass fake, once."""
        lacking = self._mass_fake - total(parts)
        is_told = any(part.name == _MASS_FAKE for part in parts)
        return tuple(parts) if is_told or lacking <= 0 else (
            *parts, ScorePart(name=_MASS_FAKE, points=lacking)
        )  # fmt: skip

    def _points(self, most: float, probability: float) -> int:
        """A rare probability of 0.2 is much already: the scale is bent."""
        return round(most * float(min(1.0, max(0.0, probability)) ** self._bend))

    def _risk_parts(self, output: HeadOutput) -> list[ScorePart]:
        """The two likeliest classes, the second for half."""
        ranked = sorted(output.risks.items(), key=lambda each: -each[1])[:2]
        return [
            ScorePart(
                name=self._district.risks[risk].title, points=self._points(self._own["risk"] / (1 + n), share)
            )
            for n, (risk, share) in enumerate(ranked)
            if share >= 0.15
        ]

    def _topic_part(self, output: HeadOutput) -> list[ScorePart]:
        group = max(output.topic_group, key=lambda name: output.topic_group[name], default=None)
        if group is None or group not in self._topic_points:
            return []
        points = round(self._topic_points[group] * output.topic_group[group])
        return [ScorePart(name=f"Тема: {group}", points=points)]

    def _foreign(self, relevance: float) -> float:
        """Share of the points that is taken away: all below 0.1, nothing above 0.6."""
        return min(1.0, max(0.0, (0.6 - relevance) / 0.5))


def total(parts: Iterable[ScorePart]) -> int:
    """The score, 0..100. The weights of the pack add up to 100, so it is the sum of the parts."""
    return min(100, max(0, sum(part.points for part in parts)))
