"""An alert: something an officer should look at, with its evidence, and what an officer may do with it.

open ⇄ snoozed        until a date, or sooner when its severity grows
open | snoozed → accepted | dismissed → open        the last step is the officer's undo
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from index.domain.analysis import Risk, ScorePart, Severity
from index.errors import Conflict, Refused

EVIDENCE_POSTS = 200  # newest posts an alert keeps; `posts` counts all of them


class AlertState(StrEnum):
    OPEN = "open"  #: новый
    ACCEPTED = "accepted"  #: принят: an incident was opened or joined
    DISMISSED = "dismissed"  #: отклонён, with a reason
    SNOOZED = "snoozed"  #: отложен до срока


LIVE = frozenset({AlertState.OPEN, AlertState.SNOOZED})  #: waits for an officer, takes new evidence
STATE_WORDS = {
    AlertState.OPEN: "новый",
    AlertState.ACCEPTED: "принят",
    AlertState.DISMISSED: "отклонён",
    AlertState.SNOOZED: "отложен",
}


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

    def joined(self, newer: Alert) -> Alert:
        """With the evidence of `newer`, raised by the same rule about the same matter.

        A live alert shows its gravest evidence, becomes a story when the matter has become one, and wakes
        when the severity grew. A triaged one keeps what the officer decided on, so that `is_raised_again`
        compares with that.
        """
        post_ids = tuple(dict.fromkeys((*newer.post_ids, *self.post_ids)))[:EVIDENCE_POSTS]
        grown = replace(
            self,
            post_ids=post_ids,
            posts=max(self.posts, newer.posts, len(post_ids)),
            authors=max(self.authors, newer.authors),
            updated_at=max(self.updated_at, newer.updated_at),
        )
        if self.state not in LIVE:
            return grown
        wakes = self.state is AlertState.SNOOZED and newer.severity > self.severity
        gravest = newer if newer.score >= self.score else self
        return replace(
            grown,
            kind=newer.kind if newer.kind is AlertKind.STORY else self.kind,
            story_id=newer.story_id or self.story_id,
            title=gravest.title,
            score=gravest.score,
            parts=gravest.parts,
            severity=max(self.severity, newer.severity),
            risks=tuple(dict.fromkeys((*newer.risks, *self.risks))),
            places=tuple(dict.fromkeys((*newer.places, *self.places))),
            state=AlertState.OPEN if wakes else self.state,
            snoozed_until=None if wakes else self.snoozed_until,
        )

    def is_raised_again(self, newer: Alert, *, cooldown: timedelta) -> bool:
        """Whether `newer` deserves an alert of its own though this one has been triaged already."""
        if self.state in LIVE:
            return False
        if newer.severity > self.severity or self.triaged_at is None:
            return True
        return newer.raised_at >= self.triaged_at + cooldown

    def accepted(self, incident_id: str, *, by: str, at: datetime) -> Alert:
        """Raises Conflict unless it is live."""
        self._must_be_live("принять")
        return replace(
            self,
            state=AlertState.ACCEPTED,
            incident_id=incident_id,
            triaged_at=at,
            triaged_by=by,
            assignee=self.assignee or by,
            snoozed_until=None,
        )

    def dismissed(self, reason: str, *, by: str, at: datetime) -> Alert:
        """Raises Conflict unless it is live, Refused without a reason."""
        self._must_be_live("отклонить")
        if not reason.strip():
            raise Refused("Укажите, почему сигнал отклонён.", field="reason")
        return replace(
            self,
            state=AlertState.DISMISSED,
            reason=reason.strip(),
            triaged_at=at,
            triaged_by=by,
            snoozed_until=None,
        )

    def snoozed(self, until: datetime, *, at: datetime) -> Alert:
        """Raises Conflict unless it is live, Refused when `until` is not in the future."""
        self._must_be_live("отложить")
        if until <= at:
            raise Refused("Отложить можно только до будущего времени.", field="until")
        return replace(self, state=AlertState.SNOOZED, snoozed_until=until)

    def woken(self) -> Alert:
        """Back among the open ones when its time has come. Raises Conflict unless it is snoozed."""
        if self.state is not AlertState.SNOOZED:
            raise Conflict(f"Сигнал {STATE_WORDS[self.state]}, а не отложен.")
        return replace(self, state=AlertState.OPEN, snoozed_until=None)

    def reopened(self) -> Alert:
        """The officer's undo. Raises Conflict when it is open already."""
        if self.state is AlertState.OPEN:
            raise Conflict("Сигнал и так открыт.")
        return replace(
            self,
            state=AlertState.OPEN,
            reason="",
            triaged_at=None,
            triaged_by=None,
            snoozed_until=None,
            incident_id=None,
        )

    def assigned(self, login: str | None) -> Alert:
        """`None`: nobody works on it. Raises Conflict unless it is live."""
        self._must_be_live("назначить")
        return replace(self, assignee=login)

    def _must_be_live(self, act: str) -> None:
        if self.state not in LIVE:
            who = f" ({self.triaged_by})" if self.triaged_by else ""
            raise Conflict(f"Нельзя {act}: сигнал уже {STATE_WORDS[self.state]}{who}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """What a rule in monitor mode would have raised."""

    rule: str
    key: str
    title: str
    at: datetime
    post_ids: tuple[str, ...]
