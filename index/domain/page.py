"""An official page (госпаблик) with its card and what its channel can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from index.domain.post import Network


class PageMode(StrEnum):
    REHEARSAL = "rehearsal"  #: учебный: channel `log`, nothing leaves the service
    LIVE = "live"  #: боевой


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One official page on one network. `address`: VK club id, OK gid, Telegram @channel, MAX chat id."""

    id: str
    network: Network
    address: str
    title: str
    organisation: str = ""  #: whose page it is
    url: str | None = None
    mode: PageMode = PageMode.REHEARSAL  # a new page never sends until somebody switches it on
    discussion: str | None = None  #: Telegram group where comments live
    weekly_norm: int = 3  #: posts a week
    late_limit: timedelta = timedelta(minutes=30)  #: a slot missed by more needs a person
    card: Mapping[str, str] = field(default_factory=dict)  #: checklist of the page card, field → value
    password_changed_at: datetime | None = None
    is_enabled: bool = True
