"""What can be asked of the posts: one query value for every backend, the console, the API and `mcu`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from index.domain.analysis import Analysis, Intent, Risk, Sentiment, Severity
from index.domain.post import Network, Post, PostKind


class PostState(StrEnum):
    COLLECTED = "collected"  #: waits for nlp
    ANALYSED = "analysed"  #: has an Analysis, waits for nlp.watch
    WATCHED = "watched"  #: placed among stories, alert rules have seen it
    QUARANTINED = "quarantined"  #: could not be analysed; the error is kept


class Order(StrEnum):
    NEWEST = "newest"  #: by published_at, then id, descending
    OLDEST = "oldest"  #: by published_at, then id, ascending
    RISK = "risk"  #: by risk score, then newest
    BEST = "best"  #: by how well the lemmas match, then newest; without lemmas as NEWEST


class Facet(StrEnum):
    NETWORK = "network"
    SOURCE = "source_id"
    PLACE = "place"
    TOPIC_GROUP = "topic_group"
    SENTIMENT = "sentiment"
    INTENT = "intent"
    RISK = "risk"
    SEVERITY = "severity"
    STATE = "state"
    STORY = "story_id"
    AUTHOR = "author"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """All given conditions hold together; within one sequence any value is enough. Empty: everything.

    Conditions on the analysis match analysed posts only. Deleted posts are left out unless asked for.
    """

    lemmas: tuple[str, ...] = ()  #: every one of them stands in the text; from nlp.text.lemmas(query)
    since: datetime | None = None  #: published_at >= since
    until: datetime | None = None  #: published_at < until
    ids: Sequence[str] | None = None  #: None: any; empty: nothing
    networks: Sequence[Network] = ()
    kinds: Sequence[PostKind] = ()
    source_ids: Sequence[str] = ()
    parent_ids: Sequence[str] = ()
    authors: Sequence[str] = ()
    states: Sequence[PostState] = ()
    places: Sequence[str] = ()
    scope: str | None = None
    topic_groups: Sequence[str] = ()
    topics: Sequence[str] = ()
    sentiments: Sequence[Sentiment] = ()
    intents: Sequence[Intent] = ()
    risks: Sequence[Risk] = ()
    story_ids: Sequence[str] = ()
    relevant: bool | None = None
    needs_answer: bool | None = None
    min_severity: Severity = Severity.NONE
    min_risk_score: int = 0
    with_deleted: bool = False
    order: Order = Order.NEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A post as it stands in the index."""

    post: Post
    state: PostState
    analysis: Analysis | None = None  #: None: not analysed yet, or quarantined
    error: str = ""  #: why quarantined
    versions: int = 1  #: how many texts this post has had
    seen_at: datetime | None = None  #: when the present text was first seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of a list. `next` is an opaque cursor, None at the end; it survives new posts coming in."""

    records: tuple[Record, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many posts have one value of a facet."""

    value: str
    posts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What `add` did."""

    new: int = 0
    changed: int = 0  #: other text, counters, deletion mark, or print
    known: int = 0  #: nothing new
    new_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An earlier text of an edited post."""

    content_hash: str
    text: str
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Everything an index keeps of one post: what is carried to another index."""

    record: Record
    versions: tuple[Version, ...] = ()  #: earlier texts, newest first
