"""An incident: work on a resident's problem, with state, type, outcome, regime, deadlines and replies.

What follows what stands in `MOVES`; what each step asks for (a reason, an outcome) in `Incident.moved`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from index.domain.analysis import Severity
from index.errors import Conflict, Refused


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


_S = IncidentState
STATE_WORDS: Mapping[IncidentState, str] = {
    _S.NEW: "новый",
    _S.CHECKING: "на проверке",
    _S.ASSIGNED: "назначен",
    _S.IN_WORK: "в работе",
    _S.INTERIM_ANSWER: "промежуточный ответ",
    _S.ANSWER_ON_REVIEW: "ответ на согласовании",
    _S.ANSWERED: "ответ опубликован",
    _S.CLOSED: "закрыт",
    _S.DECLINED: "отклонён",
    _S.DUPLICATE: "дубль",
    _S.FORWARDED: "перенаправлен",
}
ENDED = frozenset({_S.CLOSED, _S.DECLINED, _S.DUPLICATE, _S.FORWARDED})  #: clocks stand still
#: What may follow; `reopened` alone leads back from an ended state.
MOVES: Mapping[IncidentState, tuple[IncidentState, ...]] = {
    _S.NEW: (
        _S.CHECKING, _S.ASSIGNED, _S.IN_WORK, _S.ANSWER_ON_REVIEW, _S.DECLINED, _S.DUPLICATE, _S.FORWARDED,
    ),
    _S.CHECKING: (
        _S.ASSIGNED, _S.IN_WORK, _S.ANSWER_ON_REVIEW, _S.DECLINED, _S.DUPLICATE, _S.FORWARDED,
    ),
    _S.ASSIGNED: (
        _S.CHECKING, _S.IN_WORK, _S.ANSWER_ON_REVIEW, _S.ANSWERED, _S.DECLINED, _S.DUPLICATE, _S.FORWARDED,
    ),
    _S.IN_WORK: (
        _S.CHECKING, _S.ASSIGNED, _S.INTERIM_ANSWER, _S.ANSWER_ON_REVIEW, _S.ANSWERED, _S.CLOSED,
        _S.DECLINED, _S.DUPLICATE, _S.FORWARDED,
    ),
    _S.INTERIM_ANSWER: (
        _S.ASSIGNED, _S.IN_WORK, _S.ANSWER_ON_REVIEW, _S.ANSWERED, _S.CLOSED, _S.FORWARDED,
    ),
    _S.ANSWER_ON_REVIEW: (_S.IN_WORK, _S.INTERIM_ANSWER, _S.ANSWERED),
    _S.ANSWERED: (_S.IN_WORK, _S.ANSWER_ON_REVIEW, _S.CLOSED),
    _S.CLOSED: (),
    _S.DECLINED: (),
    _S.DUPLICATE: (),
    _S.FORWARDED: (_S.CLOSED,),
}  # fmt: skip


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
    stopped_at: datetime | None = None  #: the incident ended before it was met

    @property
    def is_running(self) -> bool:
        return self.met_at is None and self.stopped_at is None

    def is_overdue(self, now: datetime) -> bool:
        """Late, whether still running or met too late."""
        return (self.met_at or self.stopped_at or now) > self.due_at

    def is_warning(self, now: datetime) -> bool:
        """Running, past 75 % of the way and not late yet."""
        return self.is_running and self.warn_at <= now <= self.due_at


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

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED

    @property
    def next_due_at(self) -> datetime | None:
        """Earliest running deadline; None: nothing runs."""
        return min((d.due_at for d in self.deadlines if d.is_running), default=None)

    def is_overdue(self, now: datetime) -> bool:
        """Whether a running deadline has passed; ended incidents are never overdue."""
        return any(d.is_running and d.is_overdue(now) for d in self.deadlines)

    def moved(
        self,
        state: IncidentState,
        *,
        at: datetime,
        reason: str = "",
        outcome: Outcome | None = None,
        duplicate_of: str | None = None,
    ) -> Incident:
        """The incident in its next state; deadlines that this meets or stops are marked.

        Raises Conflict when `state` can't follow, Refused when the step lacks its reason, outcome or the
        incident it repeats.
        """
        if state not in MOVES[self.state]:
            raise Conflict(_no_way(self.state, state))
        if state is _S.ASSIGNED and self.executor is None:
            raise Refused("Укажите исполнителя.", field="executor")
        if state in (_S.DECLINED, _S.FORWARDED) and not reason.strip():
            raise Refused("Укажите причину.", field="reason")
        if state is _S.CLOSED and outcome is None and self.outcome is None:
            raise Refused("Укажите итог: без него инцидент не закрыть.", field="outcome")
        if state is _S.DUPLICATE and duplicate_of in (None, self.id):
            raise Refused("Укажите инцидент, который этот повторяет.", field="duplicate_of")
        moved = replace(
            self,
            state=state,
            reason=reason.strip() or self.reason,
            outcome=outcome or self.outcome,
            duplicate_of=duplicate_of or self.duplicate_of,
        )
        return moved._with_clocks(at)

    def assigned(
        self, executor: str, *, sector: str | None, at: datetime, answer: Deadline | None
    ) -> Incident:
        """With a new executor, for whom the time to answer is counted anew (`answer`); the 24-hour cap and
        the final term stay. Raises Conflict when it has ended or its answer is out already.
        """
        if self.is_ended or self.state is _S.ANSWERED:
            raise Conflict(f"Инцидент {STATE_WORDS[self.state]}: сначала верните его в работу.")
        state = _S.ASSIGNED if self.state in (_S.NEW, _S.CHECKING) else self.state
        assigned = replace(self, executor=executor, sector=sector or self.sector, state=state)
        return assigned._met("route", at)._recounted(answer)

    def reopened(self, *, reason: str, deadlines: tuple[Deadline, ...]) -> Incident:
        """Back in work with new deadlines. Raises Conflict when it is not ended, Refused without a reason."""
        if not self.is_ended:
            raise Conflict(f"Инцидент {STATE_WORDS[self.state]}: возвращать в работу нечего.")
        if not reason.strip():
            raise Refused("Укажите, почему инцидент возвращён в работу.", field="reason")
        return replace(
            self,
            state=_S.IN_WORK if self.executor else _S.CHECKING,
            reason=reason.strip(),
            outcome=None,
            duplicate_of=None,
            closed_at=None,
            deadlines=deadlines,
        )

    def answered(self, *, is_interim: bool, at: datetime, final: Deadline) -> Incident:
        """An answer stands under the post. An interim one starts the clock of the `final` one.

        Never raises: what the network shows is a fact; an incident that has ended keeps its state.
        """
        told = replace(self, answered_at=self.answered_at or at)._met("answer", at)._met("cap", at)
        told = told.promised(final) if is_interim else told._met("final", at)
        if self.is_ended:
            return told
        return replace(told, state=_S.INTERIM_ANSWER if is_interim else _S.ANSWERED)

    def promised(self, final: Deadline) -> Incident:
        """With the deadline of the final answer that an interim one promises; unless it has ended."""
        if self.is_ended or any(d.name == final.name and d.is_running for d in self.deadlines):
            return self  # a second interim answer does not move the promise
        return replace(self, deadlines=(*self.deadlines, final))

    def promised_anew(self, deadlines: tuple[Deadline, ...]) -> Incident:
        """With other terms; what was met or stopped already keeps its moments."""
        done = {d.name: d for d in self.deadlines if not d.is_running}
        final = tuple(d for d in self.deadlines if d.name == "final" and d.is_running)
        anew = tuple(
            replace(d, met_at=done[d.name].met_at, stopped_at=done[d.name].stopped_at)
            if d.name in done
            else d
            for d in deadlines
        )
        return replace(self, deadlines=(*anew, *final))

    def _with_clocks(self, at: datetime) -> Incident:
        """Deadlines and moments that the present state means."""
        if self.state in (_S.ASSIGNED, _S.IN_WORK, _S.ANSWER_ON_REVIEW, _S.FORWARDED):
            return self._met("route", at)._stopped(at)
        if self.state in (_S.INTERIM_ANSWER, _S.ANSWERED):
            told = replace(self, answered_at=self.answered_at or at)._met("answer", at)._met("cap", at)
            return told._met("final", at) if self.state is _S.ANSWERED else told
        return self._stopped(at)

    def _stopped(self, at: datetime) -> Incident:
        if not self.is_ended:
            return self
        stopped = tuple(replace(d, stopped_at=at) if d.is_running else d for d in self.deadlines)
        return replace(self, deadlines=stopped, closed_at=self.closed_at or at)

    def _met(self, name: str, at: datetime) -> Incident:
        met = tuple(replace(d, met_at=at) if d.name == name and d.is_running else d for d in self.deadlines)
        return replace(self, deadlines=met)

    def _recounted(self, answer: Deadline | None) -> Incident:
        if answer is None:
            return self
        anew = tuple(answer if d.name == answer.name and d.is_running else d for d in self.deadlines)
        return replace(self, deadlines=anew)


def _no_way(state: IncidentState, wanted: IncidentState) -> str:
    allowed = ", ".join(f"«{STATE_WORDS[s]}»" for s in MOVES[state])
    after = f"дальше можно: {allowed}" if allowed else "его можно только вернуть в работу"
    return f"Из состояния «{STATE_WORDS[state]}» нельзя перейти в «{STATE_WORDS[wanted]}»: {after}."


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

    def edited(self, text: str) -> Reply:
        """Back to a draft with other words. Raises Conflict once it is out, Refused when empty."""
        self._must_be(ReplyState.DRAFT, ReplyState.REJECTED, ReplyState.ON_REVIEW, ReplyState.APPROVED,
                      ReplyState.FAILED, act="править")  # fmt: skip
        if not text.strip():
            raise Refused("Ответ пуст.", field="text")
        return replace(self, text=text, state=ReplyState.DRAFT, approved_by=None)

    def submitted(self) -> Reply:
        self._must_be(ReplyState.DRAFT, ReplyState.REJECTED, act="отдать на согласование")
        return replace(self, state=ReplyState.ON_REVIEW, note="")

    def approved(self, *, by: str) -> Reply:
        self._must_be(ReplyState.ON_REVIEW, act="согласовать")
        return replace(self, state=ReplyState.APPROVED, approved_by=by)

    def returned(self, note: str) -> Reply:
        """Raises Refused without the reviewer's words."""
        self._must_be(ReplyState.ON_REVIEW, act="вернуть")
        if not note.strip():
            raise Refused("Напишите автору, что исправить.", field="note")
        return replace(self, state=ReplyState.REJECTED, note=note.strip())

    def delivered(self, state: ReplyState) -> Reply:
        """What its delivery has come to: published, failed, or approved again to be sent once more."""
        return replace(self, state=state)

    def _must_be(self, *states: ReplyState, act: str) -> None:
        if self.state not in states:
            raise Conflict(f"Нельзя {act}: ответ {REPLY_WORDS[self.state]}.")


REPLY_WORDS: Mapping[ReplyState, str] = {
    ReplyState.DRAFT: "ещё черновик",
    ReplyState.ON_REVIEW: "на согласовании",
    ReplyState.APPROVED: "уже согласован",
    ReplyState.PUBLISHED: "уже опубликован",
    ReplyState.FAILED: "не вышел",
    ReplyState.REJECTED: "возвращён на доработку",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEvent:
    """One line of an incident's history."""

    at: datetime
    actor: str  #: login or `service`
    action: str  #: opened assigned moved replied closed …
    text: str  #: Russian
