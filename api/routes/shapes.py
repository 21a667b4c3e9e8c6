"""Shapes of the JSON API: what a program reads, built from domain values; names as in the contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from index.domain.alert import Alert, AlertKind, AlertState
from index.domain.analysis import Analysis, Intent, Risk, ScorePart, Sentiment
from index.domain.incident import Incident, IncidentState, IncidentType, Outcome, Regime
from index.domain.page import Page, PageMode
from index.domain.post import AuthorKind, Network, PostKind
from index.domain.publication import Delivery, DeliveryState, Publication, PublicationState
from index.domain.source import Source, SourceHealth, SourceState
from index.domain.story import Story
from index.posts.query import PostState, Record

T = TypeVar("T")


class Shape(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Listing(BaseModel, Generic[T]):
    """One page of a list; pass `next` as `cursor` for the following one."""

    items: Sequence[T]
    next: str | None = Field(None, description="курсор следующей страницы; null — конец")


class Problem(BaseModel):
    """RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None


class PartOut(Shape):
    name: str
    points: int


class EntityOut(Shape):
    text: str
    type: str
    start: int
    stop: int


class EvidenceOut(Shape):
    risk: Risk
    start: int
    stop: int
    weight: float


class AnalysisOut(Shape):
    """As `mcu predict` writes it."""

    model: str
    analysed_at: datetime
    relevant: bool
    relevance: float
    places: tuple[str, ...]
    scope: str | None
    address: str | None
    intent: Intent
    topic_group: str | None
    topic: str | None
    sentiment: Sentiment
    toxicity: float
    risks: tuple[Risk, ...]
    risk_scores: dict[Risk, float]
    severity: int
    needs_answer: bool
    duplicate_of: str | None
    story: str | None
    risk_score: int
    risk_parts: list[PartOut]
    entities: list[EntityOut]
    evidence: list[EvidenceOut]

    @classmethod
    def of(cls, analysis: Analysis) -> Self:
        fields = {name: getattr(analysis, name) for name in cls.model_fields if name != "story"}
        return cls.model_validate(
            fields | {"story": analysis.story_id, "risk_scores": dict(analysis.risk_scores)}
        )


class AttachmentOut(Shape):
    kind: str
    url: str | None
    title: str
    text: str


class CountersOut(Shape):
    views: int | None
    likes: int | None
    reposts: int | None
    comments: int | None


class PostOut(Shape):
    id: str
    platform: Network
    kind: PostKind
    parent: str | None
    source: str
    source_id: str | None
    source_home: str | None
    author: str = Field(description="псевдоним; имени сервис не хранит")
    author_kind: AuthorKind
    published_at: datetime
    collected_at: datetime | None
    text: str
    url: str | None
    origin: str | None
    attachments: list[AttachmentOut]
    counters: CountersOut
    is_edited: bool
    is_deleted: bool
    state: PostState
    analysis: AnalysisOut | None

    @classmethod
    def of(cls, record: Record) -> Self:
        post = record.post
        renamed = {
            "platform": post.network,
            "parent": post.parent_id,
            "origin": post.origin_id,
            "state": record.state,
        }
        fields = {name: getattr(post, name) for name in cls.model_fields if hasattr(post, name)}
        analysis = AnalysisOut.of(record.analysis) if record.analysis else None
        return cls.model_validate(fields | renamed | {"analysis": analysis})


class StoryOut(Shape):
    id: str
    title: str
    started_at: datetime
    updated_at: datetime
    places: tuple[str, ...]
    topic_group: str | None
    risks: tuple[Risk, ...]
    severity: int
    posts: int
    authors: int
    merged_into: str | None
    is_checked: bool

    @classmethod
    def of(cls, story: Story) -> Self:
        return cls.model_validate(story)


class AlertOut(Shape):
    id: str
    rule: str
    kind: AlertKind
    title: str
    raised_at: datetime
    updated_at: datetime
    score: int
    parts: tuple[PartOut, ...]
    severity: int
    risks: tuple[Risk, ...]
    places: tuple[str, ...]
    topic_group: str | None
    post_ids: tuple[str, ...]
    posts: int
    authors: int
    story_id: str | None
    source_id: str | None
    state: AlertState
    assignee: str | None
    triaged_at: datetime | None
    triaged_by: str | None
    reason: str
    snoozed_until: datetime | None
    incident_id: str | None
    version: int

    @classmethod
    def of(cls, alert: Alert) -> Self:
        return cls.model_validate(alert)


class DeadlineOut(Shape):
    name: str
    due_at: datetime
    warn_at: datetime
    met_at: datetime | None


class IncidentOut(Shape):
    id: str
    number: str
    title: str
    created_at: datetime
    created_by: str
    post_ids: tuple[str, ...]
    state: IncidentState
    type: IncidentType | None
    outcome: Outcome | None
    regime: Regime
    severity: int
    outside_number: str | None
    topic_group: str | None
    topic: str | None
    place: str | None
    address: str | None
    sector: str | None
    executor: str | None
    alert_id: str | None
    duplicate_of: str | None
    reason: str
    deadlines: tuple[DeadlineOut, ...]
    answered_at: datetime | None
    closed_at: datetime | None
    version: int

    @classmethod
    def of(cls, incident: Incident) -> Self:
        return cls.model_validate(incident)


class MessageOut(Shape):
    text: str
    photo: str | None
    photo_alt: str


class PublicationOut(Shape):
    id: str
    title: str
    author: str
    due_at: datetime
    wall_time: str
    zone: str
    state: PublicationState
    approved_by: str | None
    payload_hash: str
    note: str
    version: int
    variants: dict[str, MessageOut]

    @classmethod
    def of(cls, publication: Publication) -> Self:
        fields = {name: getattr(publication, name) for name in cls.model_fields if name != "variants"}
        variants = {page: MessageOut.model_validate(message) for page, message in publication.variants}
        return cls.model_validate(fields | {"variants": variants})


class DeliveryOut(Shape):
    id: str
    kind: str
    subject_id: str
    page_id: str
    due_at: datetime
    state: DeliveryState
    attempt: int
    url: str | None
    published_at: datetime | None
    error: str

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls.model_validate(delivery)


class PageOut(Shape):
    id: str
    network: Network
    address: str
    title: str
    organisation: str
    url: str | None
    mode: PageMode
    weekly_norm: int
    card: dict[str, str]
    is_enabled: bool

    @classmethod
    def of(cls, page: Page) -> Self:
        fields = {name: getattr(page, name) for name in cls.model_fields}
        return cls.model_validate(fields | {"card": dict(page.card)})


class HealthOut(Shape):
    state: SourceState
    reason: str
    visited_at: datetime | None
    fresh_at: datetime | None
    newest_post_at: datetime | None
    due_at: datetime | None
    failures: int
    posts_seen: int


class SourceOut(Shape):
    id: str
    network: Network
    address: str
    title: str
    home: str | None
    is_official: bool
    with_comments: bool
    is_enabled: bool
    health: HealthOut | None = None

    @classmethod
    def of(cls, source: Source, health: SourceHealth | None) -> Self:
        shape = cls.model_validate(source)
        return shape.model_copy(update={"health": HealthOut.model_validate(health) if health else None})


def parts_out(parts: Sequence[ScorePart]) -> list[PartOut]:
    return [PartOut.model_validate(part) for part in parts]
