"""An incident: work on a resident's problem, with state, type, outcome, regime, deadlines and replies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from index.domain.analysis import Severity


class IncidentState(StrEnum):
    NEW = "new"  #: новый
    CHECKING = "checking"  #: на проверке
    ASSIGNED = "assigned"  #: назначен
    IN_WORK = "in_work"  #: в работе
    INTERIM_ANSWER = "interim_answer"  #: промежуточный ответ
    ANSWER_ON_REVIEW = "answer_on_review"  #: ответ на согласовании
    ANSWERED = "answered"  #: ответ опубликован
    CLOSED = "closed"  #: закрыт
    DECLINED = "declined"  #: отклонён, with a reason
    DUPLICATE = "duplicate"  #: дубль
    FORWARDED = "forwarded"  #: перенаправлен


class IncidentType(StrEnum):
    SOLVABLE = "solvable"  #: Решаемый
    UNSOLVABLE = "unsolvable"  #: Нерешаемый
    INFORMATIONAL = "informational"  #: Информационный


class Outcome(StrEnum):
    SOLVED = "solved"  #: Решено
    EXPLAINED = "explained"  #: Разъяснено
    FORWARDED = "forwarded"  #: Перенаправлено
    CLOSED = "closed"  #: Закрыто
    NOT_SOLVED = "not_solved"  #: Не решено
    POSTPONED = "postponed"  #: Отложено


class Regime(StrEnum):
    OPEN_SOURCE = "open_source"  #: открытый источник
    POS = "pos"  #: ПОС
    POS_FAST = "pos_fast"  #: ПОС фаст-трек
    LAW_59 = "law_59"  #: 59-ФЗ, with the outside registration number


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One promise of an incident; `due_at` is computed in advance on the working calendar."""

    name: str  #: route | answer | final | cap
    due_at: datetime
    warn_at: datetime  #: 75 % of the way
    met_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """State, type, outcome and regime are independent; none is ever folded into another."""

    id: str
    number: str  #: shown to people: 2026-000123
    title: str
    created_at: datetime
    created_by: str  #: login
    post_ids: tuple[str, ...]  #: what residents wrote, first is the one that is answered
    state: IncidentState = IncidentState.NEW
    type: IncidentType | None = None  #: None: not decided yet
    outcome: Outcome | None = None  #: obligatory on close
    regime: Regime = Regime.OPEN_SOURCE
    severity: Severity = Severity.WATCH
    outside_number: str | None = None  #: registration number under 59-ФЗ or ПОС
    topic_group: str | None = None
    topic: str | None = None
    place: str | None = None
    address: str | None = None
    sector: str | None = None
    executor: str | None = None  #: login
    alert_id: str | None = None
    duplicate_of: str | None = None  #: incident id
    reason: str = ""  #: why declined or forwarded
    deadlines: tuple[Deadline, ...] = ()
    answered_at: datetime | None = None  #: first published answer
    closed_at: datetime | None = None
    version: int = 0  #: optimistic lock


class ReplyState(StrEnum):
    DRAFT = "draft"  #: черновик
    ON_REVIEW = "on_review"  #: на согласовании
    APPROVED = "approved"  #: согласован: a delivery exists
    PUBLISHED = "published"  #: опубликован
    FAILED = "failed"  #: не вышел
    REJECTED = "rejected"  #: возвращён на доработку


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to a resident. Approval is bound to the text as it was approved."""

    id: str
    incident_id: str
    post_id: str  #: what it goes under
    page_id: str  #: official page that speaks
    text: str
    author: str  #: login
    created_at: datetime
    is_interim: bool = False
    state: ReplyState = ReplyState.DRAFT
    approved_by: str | None = None
    note: str = ""  #: reviewer's words
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEvent:
    """One line of an incident's history."""

    at: datetime
    actor: str  #: login or `service`
    action: str  #: opened assigned moved replied closed …
    text: str  #: Russian
