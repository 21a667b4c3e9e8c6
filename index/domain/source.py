"""A source: a page, group, channel or feed that is watched, and how well we see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from index.domain.post import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A row of the register. `id` is `network:address` with the address as `sources.yaml` writes it."""

    id: str
    network: Network
    address: str  #: club1 | durov | https://site/rss.xml | chat id
    title: str
    home: str | None = None  #: settlement it belongs to, canonical name
    is_official: bool = False
    with_comments: bool = True
    is_enabled: bool = True


class SourceState(StrEnum):
    NEW = "new"  #: новый: not visited yet
    FINE = "fine"  #: в порядке
    SLOW = "slow"  #: отстаёт: visited later than its schedule asks
    SILENT = "silent"  #: молчит дольше обычного
    FAILING = "failing"  #: не отвечает
    BANNED = "banned"  #: доступ закрыт
    NEEDS_TOKEN = "needs_token"  # noqa: S105 #: нужен ключ доступа
    LAYOUT_CHANGED = "layout_changed"  #: изменилась вёрстка или формат ответа


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """What the crawler knows of a source after its last visits."""

    source_id: str
    state: SourceState = SourceState.NEW
    reason: str = ""  #: Russian, for the officer; empty when fine
    visited_at: datetime | None = None  #: last visit, good or bad
    fresh_at: datetime | None = None  #: last visit that read everything
    newest_post_at: datetime | None = None
    due_at: datetime | None = None  #: next visit; None: at once
    failures: int = 0  #: failed visits in a row
    posts_seen: int = 0  #: posts and comments stored from it, ever


class ProposalState(StrEnum):
    WAITING = "waiting"  #: ждёт решения
    ACCEPTED = "accepted"  #: принят: stands in the register
    REJECTED = "rejected"  #: отклонён: never proposed again


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A source that discovery found and an officer decides on. `id` is that of the source it would become."""

    id: str
    network: Network
    address: str
    title: str
    reason: str  #: Russian: «упоминает Курлово, 12 ссылок из наших источников»
    found_at: datetime
    home: str | None = None
    mentions: int = 0  #: links to it or places of the district in it
    state: ProposalState = ProposalState.WAITING
    decided_by: str | None = None  #: login
    decided_at: datetime | None = None

    @property
    def source(self) -> Source:
        """What it becomes when accepted."""
        return Source(
            id=self.id, network=self.network, address=self.address, title=self.title, home=self.home
        )
