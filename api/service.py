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
    """Made once by api.cli."""

    desk: Desk
    posts: PostIndex
    district: District
    settings: Settings
    console_secret: str
    practice_url: str | None = None  #: address of the practice networks; None: real networks
    now: Callable[[], datetime] = utc_now

    def lemmas(self, query: str) -> tuple[str, ...]:
        """The query as lemmas, exactly as nlp indexes a post."""
        return self.district.lemmas(query)

    def source_titles(self) -> dict[str, str]:
        """Id of a source → what people call it."""
        return {source.id: source.title for source in self.desk.sources.list()}

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.district.timezone)
