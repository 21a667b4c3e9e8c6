"""A story: posts of several authors about one event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from index.domain.analysis import Risk, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Counts are of what is known now. A story is shown once it has `authors` >= 3."""

    id: str
    title: str  #: words of its clearest post, cut
    started_at: datetime  #: first post
    updated_at: datetime  #: newest post
    vector: tuple[float, ...] = ()  #: (384,) mean of its posts, unit length
    places: tuple[str, ...] = ()
    topic_group: str | None = None
    risks: tuple[Risk, ...] = ()
    severity: Severity = Severity.NONE  #: highest of its posts
    posts: int = 0
    authors: int = 0  #: distinct
    #: The story it went into, by an officer or by nlp; a merged story takes no posts.
    merged_into: str | None = None
    is_checked: bool = False  #: an officer has looked at it; False is shown as «требует проверки»
