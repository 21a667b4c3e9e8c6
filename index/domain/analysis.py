"""An analysis: what `nlp` says of a post, with the version of the models that said it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum


class Intent(StrEnum):
    COMPLAINT = "complaint"  #: жалоба
    QUESTION = "question"  #: вопрос
    SUGGESTION = "suggestion"  #: предложение
    THANKS = "thanks"  #: благодарность
    CALL = "call"  #: призыв
    NEWS = "news"  #: сообщение, новость
    AD = "ad"  #: реклама
    CHATTER = "chatter"  #: разговор


class Sentiment(StrEnum):
    NEGATIVE = "negative"  #: негативная
    NEUTRAL = "neutral"  #: нейтральная
    POSITIVE = "positive"  #: позитивная


class Risk(StrEnum):
    EMERGENCY = "emergency"  #: происшествие: life or property in danger now
    OUTAGE = "outage"  #: отключение: water, heat, gas, power, link, transport does not work
    PROTEST = "protest"  #: призыв к протесту
    RUMOUR = "rumour"  #: слух: an unconfirmed claim that spreads alarm
    FRAUD = "fraud"  #: мошенничество
    THREAT = "threat"  #: угроза, вражда
    CHILDREN = "children"  #: опасность для детей
    OFFICIALS = "officials"  #: обвинение должностных лиц
    ENVIRONMENT = "environment"  #: вред природе
    CRIME = "crime"  #: преступление


class Severity(IntEnum):
    NONE = 0  #: низкая: nothing to do
    WATCH = 1  #: средняя: watch
    TODAY = 2  #: высокая: act today
    NOW = 3  #: критическая: act now


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A name in the text; `start` and `stop` count characters of `Post.text`."""

    text: str
    type: str  #: PER LOC ORG
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Words of the text that carried a risk class; offsets in characters of `Post.text`."""

    risk: Risk
    start: int
    stop: int
    weight: float  #: share of the class's score, 0..1


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePart:
    """One named part of a risk score."""

    name: str  #: Russian, as the officer reads it: «ЖКХ: авария», «рост ×6»
    points: int  #: may be negative


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """One analysis of one post. Probabilities are 0..1; what `nlp.watch` adds later has a default here."""

    model: str  #: version of everything that took part, e.g. `mcu-2026.11.1`
    analysed_at: datetime  #: aware
    lemmas: tuple[str, ...]  #: lower case, ё→е, in the order of the text; what search reads
    relevance: float
    relevant: bool
    places: tuple[str, ...] = ()  #: canonical settlement names, in the order of the text
    scope: str | None = None  #: district or city_okrug; None: no place named
    address: str | None = None  #: street and house exactly as written
    intent: Intent = Intent.CHATTER
    topic_group: str | None = None  #: one of 26 names; None: about nothing of the kind
    topic: str | None = None  #: fine topic; None: not known
    sentiment: Sentiment = Sentiment.NEUTRAL
    toxicity: float = 0.0
    risk_scores: Mapping[Risk, float] = field(default_factory=dict)
    risks: tuple[Risk, ...] = ()  #: classes over their threshold, highest first
    severity: Severity = Severity.NONE
    needs_answer: bool = False
    entities: tuple[Entity, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    vector: tuple[float, ...] = ()  #: (384,) unit length; empty: an old or irrelevant post
    # What nlp.watch adds, reading the post beside the others:
    duplicate_of: str | None = None  #: id of the earlier post this one repeats
    story_id: str | None = None  #: id of the story; None: stands alone
    risk_score: int = 0  #: 0..100, the sum of `risk_parts`
    risk_parts: tuple[ScorePart, ...] = ()
