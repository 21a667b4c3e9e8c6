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
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from index.errors import Conflict, Refused

ABSENT_READS = 2  # empty reads of a page that prove a message did not come out
ABSENT_APART = timedelta(seconds=60)  # such reads count only when so far apart


class PublicationState(StrEnum):
    DRAFT = "draft"  #: черновик
    ON_REVIEW = "on_review"  #: на согласовании
    APPROVED = "approved"  #: согласовано: deliveries exist
    WITHDRAWN = "withdrawn"  #: снято


PUBLICATION_WORDS: Mapping[PublicationState, str] = {
    PublicationState.DRAFT: "черновик",
    PublicationState.ON_REVIEW: "на согласовании",
    PublicationState.APPROVED: "согласована",
    PublicationState.WITHDRAWN: "снята",
}


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


_D = DeliveryState
DELIVERY_WORDS: Mapping[DeliveryState, str] = {
    _D.SCHEDULED: "ждёт времени",
    _D.HELD: "остановлена кнопкой «стоп всё»",
    _D.CLAIMED: "готовится к отправке",
    _D.SENDING: "отправляется прямо сейчас",
    _D.PUBLISHED: "уже вышла",
    _D.FAILED: "отклонена сетью",
    _D.UNKNOWN: "с неизвестным исходом",
    _D.NEEDS_HUMAN: "ждёт решения человека",
    _D.CANCELLED: "отменена",
}
UNSENT = frozenset({_D.SCHEDULED, _D.HELD, _D.CLAIMED})  #: the irreversible write has not begun
MAY_BE_OUT = frozenset({_D.SENDING, _D.PUBLISHED, _D.UNKNOWN})  #: is or may be on the page


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
        variants = sorted((page, message.payload_hash) for page, message in self.variants)
        due_at = self.due_at.astimezone(UTC).isoformat()  # the same instant hashes the same in any zone
        parts = [due_at, *(f"{page}:{digest}" for page, digest in variants)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def checked(self) -> Publication:
        """Itself when it can be kept. Raises Refused that names the field."""
        try:
            due_at = instant(self.wall_time, self.zone)
        except (ValueError, ZoneInfoNotFoundError):
            raise Refused("Время выхода не читается.", field="wall_time") from None
        if due_at != self.due_at:
            raise Refused("Время выхода и его запись по местным часам расходятся.", field="due_at")
        pages = [page for page, _ in self.variants]
        if len(pages) != len(set(pages)):
            raise Refused("Для одной страницы дано два варианта.", field="variants")
        return self

    def edited(self, newer: Publication) -> Publication:
        """What `newer` says, as a draft: any approval is gone. Raises Conflict when it was withdrawn."""
        self._must_be(*set(PublicationState) - {PublicationState.WITHDRAWN}, act="править")
        return replace(
            newer,
            author=self.author,
            created_at=self.created_at,
            state=PublicationState.DRAFT,
            approved_by=None,
            approved_hash=None,
            note=self.note,
            version=self.version,
        )

    def submitted(self) -> Publication:
        """Raises Conflict unless it is a draft, Refused when it says nothing or goes nowhere."""
        self._must_be(PublicationState.DRAFT, act="отдать на согласование")
        if not self.variants:
            raise Refused("Выберите хотя бы одну страницу.", field="variants")
        for _, message in self.variants:
            if not message.text.strip() and message.photo is None:
                raise Refused("В варианте нет ни текста, ни фотографии.", field="variants")
        return replace(self, state=PublicationState.ON_REVIEW, note="")

    def approved(self, *, by: str, payload_hash: str) -> Publication:
        """`payload_hash` is what the approver has read. Raises Conflict when it is not this text any more."""
        self._must_be(PublicationState.ON_REVIEW, act="согласовать")
        if payload_hash != self.payload_hash:
            raise Conflict("Текст или время изменились, пока вы читали: прочтите публикацию снова.")
        return replace(self, state=PublicationState.APPROVED, approved_by=by, approved_hash=payload_hash)

    def returned(self, note: str) -> Publication:
        """Raises Conflict unless it is on review, Refused without the reviewer's words."""
        self._must_be(PublicationState.ON_REVIEW, act="вернуть")
        if not note.strip():
            raise Refused("Напишите автору, что исправить.", field="note")
        return replace(self, state=PublicationState.DRAFT, note=note.strip())

    def withdrawn(self) -> Publication:
        """Raises Conflict when it was withdrawn already."""
        self._must_be(*set(PublicationState) - {PublicationState.WITHDRAWN}, act="снять")
        return replace(self, state=PublicationState.WITHDRAWN, approved_by=None, approved_hash=None)

    def _must_be(self, *states: PublicationState, act: str) -> None:
        if self.state not in states:
            raise Conflict(f"Нельзя {act}: публикация {PUBLICATION_WORDS[self.state]}.")


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

    def claimed(self, *, worker: str, lease_until: datetime) -> Delivery:
        self._must_be(_D.SCHEDULED, act="взять в работу")
        return replace(self, state=_D.CLAIMED, worker=worker, lease_until=lease_until)

    def missed(self, *, at: datetime) -> Delivery:
        """Its slot passed by more than the page's limit; a person decides. Never dropped silently."""
        self._must_be(_D.SCHEDULED, act="отложить до решения")
        return replace(
            self,
            state=_D.NEEDS_HUMAN,
            error="Время выхода прошло раньше, чем удалось отправить: решите, нужна ли она ещё.",
            checked_at=at,
        )

    def sending(self, *, worker: str, at: datetime, lease_until: datetime, upload: str | None) -> Delivery:
        """The next attempt; committed before the socket is opened.

        Raises Conflict unless `worker` holds it, its lease runs and its text is the approved one.
        """
        self._must_be(_D.CLAIMED, act="отправить")
        if self.worker != worker or self.lease_until is None or self.lease_until <= at:
            raise Conflict("Нельзя отправить: доставку уже взял другой работник.")
        if not self.payload_hash == self.approved_hash == self.message.payload_hash:
            raise Conflict("Нельзя отправить: текст не тот, что согласован.")
        return replace(
            self,
            state=_D.SENDING,
            attempt=self.attempt + 1,
            started_at=at,
            lease_until=lease_until,
            upload=upload if upload is not None else self.upload,
            absent_reads=0,
            checked_at=None,
            error="",
        )

    def published(self, *, remote_id: str | None, url: str | None, at: datetime) -> Delivery:
        """It stands on the page, whatever we thought of it before: what the network shows is a fact.

        Raises Conflict when it already stands there under another id.
        """
        if self.state is _D.PUBLISHED:
            if remote_id is not None and remote_id != self.remote_id:
                raise Conflict("Эта доставка уже вышла под другим номером: проверьте страницу, нет ли двух.")
            return self
        return replace(
            self._free(), state=_D.PUBLISHED, remote_id=remote_id, url=url, published_at=at, error=""
        )

    def failed(self, error: str) -> Delivery:
        """Proven not sent, and never will be in this form."""
        self._must_be(_D.CLAIMED, _D.SENDING, _D.UNKNOWN, act="отметить отказ")
        return replace(self._free(), state=_D.FAILED, error=error)

    def put_off(self, *, until: datetime, error: str) -> Delivery:
        """Proven not sent; tried again from `until` on."""
        self._must_be(_D.CLAIMED, _D.SENDING, _D.UNKNOWN, act="отложить")
        return replace(self._free(), state=_D.SCHEDULED, next_try_at=until, error=error)

    def unclear(self, error: str) -> Delivery:
        """The request left and no clear answer came; says nothing against a page that shows it."""
        if self.state is _D.PUBLISHED:
            return self
        self._must_be(_D.SENDING, _D.UNKNOWN, act="отметить неясный исход")
        return replace(self._free(), state=_D.UNKNOWN, error=error)

    def left_to_person(self, error: str) -> Delivery:
        """A person has to act or to decide first."""
        self._must_be(_D.CLAIMED, _D.SENDING, _D.UNKNOWN, act="передать человеку")
        return replace(self._free(), state=_D.NEEDS_HUMAN, error=error)

    def expired(self) -> Delivery:
        """Its worker is gone: what was not sent yet waits again, what was being sent is unknown."""
        self._must_be(_D.CLAIMED, _D.SENDING, act="отобрать")
        if self.state is _D.CLAIMED:
            return replace(self._free(), state=_D.SCHEDULED)
        return self.unclear("Служба остановилась во время отправки: исход проверяется по странице.")

    def not_found(self, *, at: datetime) -> Delivery:
        """The page was read and it is not there; two such reads a minute apart prove it."""
        self._must_be(_D.UNKNOWN, act="отметить отсутствие")
        if self.checked_at is not None and at - self.checked_at < ABSENT_APART:
            return self  # too soon to count
        reads = self.absent_reads + 1
        seen = replace(self, absent_reads=reads, checked_at=at)
        if reads < ABSENT_READS:
            return seen
        return replace(seen, state=_D.SCHEDULED, next_try_at=at)

    def resolved(self, *, published_url: str | None, at: datetime) -> Delivery:
        """A person's decision: «нашёл — вот ссылка», or None for «не вышла — отправить сейчас»."""
        self._must_be(_D.UNKNOWN, _D.NEEDS_HUMAN, _D.FAILED, act="решить")
        if published_url is not None:
            return self.published(remote_id=None, url=published_url, at=at)
        return replace(self._free(), state=_D.SCHEDULED, due_at=at, next_try_at=None, error="")

    def cancelled(self) -> Delivery:
        self._must_be(*UNSENT, _D.FAILED, _D.NEEDS_HUMAN, act="отменить")
        return replace(self._free(), state=_D.CANCELLED)

    def held(self) -> Delivery:
        """«Стоп всё»."""
        self._must_be(_D.SCHEDULED, _D.CLAIMED, act="остановить")
        return replace(self._free(), state=_D.HELD)

    def released(self) -> Delivery:
        """«Стоп всё» is over; its slot stays, so it may be late by now."""
        self._must_be(_D.HELD, act="продолжить")
        return replace(self, state=_D.SCHEDULED)

    def _free(self) -> Delivery:
        return replace(self, worker=None, lease_until=None)

    def _must_be(self, *states: DeliveryState, act: str) -> None:
        if self.state not in states:
            raise Conflict(f"Нельзя {act}: доставка {DELIVERY_WORDS[self.state]}.")


def instant(wall_time: str, zone: str) -> datetime:
    """`2026-11-24T10:00` in a zone as an aware UTC instant; the one place where the two meet.

    Raises ValueError when the wall time is not one or carries an offset, ZoneInfoNotFoundError.
    """
    wall = datetime.fromisoformat(wall_time)
    if wall.tzinfo is not None:
        raise ValueError("a wall time has no offset")
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
