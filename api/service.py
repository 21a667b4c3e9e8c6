"""What the API and the console work on: the open desk, the open index and the district, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from index.desk import Desk
from index.posts.base import PostIndex
from index.settings import Settings
from nlp.district import District


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Made once by api.cli. `lemmas` turns a query into lemmas exactly as nlp does with a post."""

    desk: Desk
    posts: PostIndex
    district: District
    settings: Settings
    lemmas: Callable[[str], tuple[str, ...]]
    console_secret: str
    practice_url: str | None = None  #: address of the practice networks; None: real networks
    now: Callable[[], datetime] = utc_now

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.district.timezone)
