"""A publication with a variant per page, its approval, and the delivery of each variant or reply.

publication:  draft → on_review → approved → (deliveries take over); any edit returns it to draft
delivery:     scheduled → claimed → sending → published
                                          ├→ scheduled      only when proven not sent
                                          ├→ failed         refused, will never go in this form
                                          └→ unknown        → published | scheduled | needs_human
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PublicationState(StrEnum):
    DRAFT = "draft"  #: черновик
    ON_REVIEW = "on_review"  #: на согласовании
    APPROVED = "approved"  #: согласовано: deliveries exist
    WITHDRAWN = "withdrawn"  #: снято


class DeliveryState(StrEnum):
    SCHEDULED = "scheduled"  #: ждёт времени
    HELD = "held"  #: «стоп всё»
    CLAIMED = "claimed"  #: взято в работу: media upload, nothing irreversible yet
    SENDING = "sending"  #: отправляется: the one irreversible write is under way
    PUBLISHED = "published"  #: вышло
    FAILED = "failed"  #: отклонено сетью
    UNKNOWN = "unknown"  #: исход неизвестен
    NEEDS_HUMAN = "needs_human"  #: нужен человек
    CANCELLED = "cancelled"  #: отменено до отправки


class DeliveryKind(StrEnum):
    PUBLICATION = "publication"  #: a post on an official page
    REPLY = "reply"  #: an answer under a resident's post or comment


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What goes out: text and at most one photo, to one place. Frozen into the delivery at approval."""

    text: str
    photo: str | None = None  #: sha256 of a file in the media folder
    photo_alt: str = ""  #: what the photo shows, for people who can't see it
    reply_to: str | None = None  #: Post.id the answer goes under; None: a post of its own

    @property
    def payload_hash(self) -> str:
        """sha256 (hex) of everything the reader will see."""
        fields = [self.text, self.photo, self.photo_alt, self.reply_to]
        return hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A planned post. The instant it is due and the wall clock the officer chose are both kept."""

    id: str
    title: str  #: working title, never published
    author: str  #: login
    due_at: datetime  #: aware UTC instant
    wall_time: str  #: as chosen: 2026-11-24T10:00
    zone: str  #: IANA, e.g. Europe/Moscow
    variants: tuple[tuple[str, Message], ...] = ()  #: (page id, message), one a page
    state: PublicationState = PublicationState.DRAFT
    approved_by: str | None = None  #: login; never the author alone when two people are required
    approved_hash: str | None = None  #: payload hash over all variants and the due time
    note: str = ""  #: reviewer's words
    created_at: datetime | None = None
    version: int = 0  #: optimistic lock

    @property
    def payload_hash(self) -> str:
        """sha256 (hex) over the due instant and every variant; an approval is bound to it."""
        parts = [self.due_at.isoformat(), *(f"{page}:{m.payload_hash}" for page, m in sorted(self.variants))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one page. UNIQUE(subject_id, page_id): repeating is a new publication."""

    id: str
    kind: DeliveryKind
    subject_id: str  #: publication id or reply id
    page_id: str
    message: Message
    payload_hash: str
    approved_hash: str  #: hash that was approved; claimed only while equal to payload_hash
    due_at: datetime
    state: DeliveryState = DeliveryState.SCHEDULED
    attempt: int = 0
    next_try_at: datetime | None = None
    lease_until: datetime | None = None
    worker: str | None = None
    started_at: datetime | None = None  #: of the attempt that is or was sending
    upload: str | None = None  #: token of the uploaded photo, reusable over attempts
    remote_id: str | None = None
    url: str | None = None
    published_at: datetime | None = None
    error: str = ""  #: Russian, for the officer
    absent_reads: int = 0  #: reads of the page that did not find it, while unknown
    checked_at: datetime | None = None  #: last such read
