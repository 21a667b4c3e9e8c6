"""An alert: something an officer should look at, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from index.domain.analysis import Risk, ScorePart, Severity


class AlertState(StrEnum):
    OPEN = "open"  #: новый
    ACCEPTED = "accepted"  #: принят: an incident was opened or joined
    DISMISSED = "dismissed"  #: отклонён, with a reason
    SNOOZED = "snoozed"  #: отложен до срока


class AlertKind(StrEnum):
    POST = "post"  #: one post that must not be missed
    STORY = "story"  #: a story with enough authors
    BURST = "burst"  #: sudden growth of a topic in a place
    SOURCE = "source"  #: a silent, banned or changed source


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`key` makes it unique: a rule raises one alert per key, later evidence joins it while it is open."""

    id: str
    key: str  #: rule and matter, e.g. `story:s-12`
    rule: str  #: id of the alert rule that raised it
    kind: AlertKind
    title: str  #: Russian: «Нет тепла: Мезиновский, ул. Строительная»
    raised_at: datetime
    updated_at: datetime  #: newest evidence
    score: int  #: 0..100
    parts: tuple[ScorePart, ...]
    severity: Severity
    risks: tuple[Risk, ...] = ()
    places: tuple[str, ...] = ()
    topic_group: str | None = None
    post_ids: tuple[str, ...] = ()  #: evidence, newest first
    posts: int = 0
    authors: int = 0
    story_id: str | None = None
    source_id: str | None = None
    state: AlertState = AlertState.OPEN
    assignee: str | None = None  #: login
    triaged_at: datetime | None = None
    triaged_by: str | None = None  #: login
    reason: str = ""  #: why dismissed
    snoozed_until: datetime | None = None
    incident_id: str | None = None
    version: int = 0  #: optimistic lock


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """What a rule in monitor mode would have raised."""

    rule: str
    key: str
    title: str
    at: datetime
    post_ids: tuple[str, ...]
