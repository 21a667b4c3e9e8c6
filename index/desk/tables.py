"""Tables of the desk: one a record; columns are named as the value's fields, then come those of the desk.

A change here needs a migration in `migrations/versions`; a test compares the two on both databases.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

from index.desk.columns import Json, Length, Member, Moment, Vector, Words
from index.domain.alert import AlertKind, AlertState
from index.domain.analysis import Risk, ScorePart, Severity
from index.domain.incident import Deadline, IncidentState, IncidentType, Outcome, Regime, ReplyState
from index.domain.page import PageMode
from index.domain.person import Role
from index.domain.post import Network
from index.domain.publication import DeliveryKind, DeliveryState, Message, PublicationState
from index.domain.source import ProposalState, SourceState

REVISION = "0002"  # newest migration; a desk that stands at it opens without loading Alembic

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Strings = tuple[str, ...]


def _key(name: str = "id") -> Column[str]:
    return Column(name, Words, primary_key=True)


def _word(name: str, *, null: bool = True) -> Column[str]:
    """A short text: a name, a login, an id."""
    return Column(name, Words, nullable=null)


def _need(name: str, kind: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, nullable=False, **options)


def _version() -> Column[int]:
    return Column("version", Integer, nullable=False)


sources = Table(
    "sources",
    metadata,
    _key(),
    _need("network", Member(Network)),
    _word("address", null=False),
    _word("title", null=False),
    _word("home"),
    _need("is_official", Boolean),
    _need("with_comments", Boolean),
    _need("is_enabled", Boolean),
)

source_health = Table(
    "source_health",
    metadata,
    Column("source_id", Words, ForeignKey("sources.id"), primary_key=True),
    _need("state", Member(SourceState)),
    _word("reason", null=False),
    Column("visited_at", Moment),
    Column("fresh_at", Moment),
    Column("newest_post_at", Moment),
    Column("due_at", Moment, index=True),
    _need("failures", Integer),
    _need("posts_seen", Integer),
    # the crawl job of this source
    _word("worker"),
    Column("lease_until", Moment),
)

proposals = Table(
    "proposals",
    metadata,
    _key(),
    _need("network", Member(Network)),
    _word("address", null=False),
    _word("title", null=False),
    _word("reason", null=False),
    _word("home"),
    _need("mentions", Integer),
    _need("found_at", Moment),
    _need("state", Member(ProposalState)),
    _word("decided_by"),
    Column("decided_at", Moment),
)

cursors = Table(
    "cursors",
    metadata,
    Column("source_id", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    _need("value", Json(dict[str, Any])),
)

events = Table(
    "events",
    metadata,
    Column("source_id", Words, primary_key=True),
    Column("event_id", Words, primary_key=True),
    _need("taken_at", Moment, index=True),
    _need("is_kept", Boolean),
)

quota_buckets = Table(
    "quota_buckets",
    metadata,
    _key("bucket"),
    Column("next_at", Moment),
    Column("frozen_until", Moment),
    _word("reason", null=False),
)

quota_days = Table(
    "quota_days",
    metadata,
    _key("bucket"),
    Column("day", Date, primary_key=True),
    _need("spent", Integer),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _word("stage", null=False),
    Column("network", Member(Network)),
    _word("source_id"),
    _word("raw", null=False),
    _word("error", null=False),
    _need("at", Moment, index=True),
    _need("times", Integer),
    _need("fingerprint", String(64), unique=True),
)

stories = Table(
    "stories",
    metadata,
    _key(),
    _word("title", null=False),
    _need("started_at", Moment),
    _need("updated_at", Moment),
    _need("vector", Vector),
    _need("places", Json(Strings)),
    _word("topic_group"),
    _need("risks", Json(tuple[Risk, ...])),
    _need("severity", Member(Severity)),
    _need("posts", Integer),
    _need("authors", Integer),
    Column("merged_into", Words, index=True),
    _need("is_checked", Boolean),
    Index(None, "updated_at", "id"),
)

story_pins = Table(
    "story_pins",
    metadata,
    _key("post_id"),
    Column("story_id", Words, index=True),
    _word("pinned_by", null=False),
    _need("pinned_at", Moment),
)

alerts = Table(
    "alerts",
    metadata,
    _key(),
    _need("key", Words),
    _word("rule", null=False),
    _need("kind", Member(AlertKind)),
    _word("title", null=False),
    _need("raised_at", Moment),
    _need("updated_at", Moment),
    _need("score", Integer),
    _need("parts", Json(tuple[ScorePart, ...])),
    _need("severity", Member(Severity)),
    _need("risks", Json(tuple[Risk, ...])),
    _need("places", Json(Strings)),
    _word("topic_group"),
    _need("post_ids", Json(Strings)),
    _need("posts", Integer),
    _need("authors", Integer),
    _word("story_id"),
    _word("source_id"),
    _need("state", Member(AlertState)),
    _word("assignee"),
    Column("triaged_at", Moment, index=True),
    _word("triaged_by"),
    _word("reason", null=False),
    Column("snoozed_until", Moment),
    _word("incident_id"),
    _version(),
    # the order officers read them in, within one state and over all of them
    Index("ix_alerts_state_order", "state", "severity", "score", "raised_at", "id"),
    Index("ix_alerts_order", "severity", "score", "raised_at", "id"),
    Index("ix_alerts_assignee_order", "assignee", "severity", "score", "raised_at", "id"),
    Index("ix_alerts_key", "key", "raised_at"),
    # one live alert a key, whoever raises it
    Index(
        "uq_alerts_live_key",
        "key",
        unique=True,
        sqlite_where=text("state IN ('open', 'snoozed')"),
        postgresql_where=text("state IN ('open', 'snoozed')"),
    ),
)

alert_marks = Table(  # derived: finds alerts by what they hold several of
    "alert_marks",
    metadata,
    Column("mark", Words, primary_key=True),  # risk:outage, place:Курлово
    Column("alert_id", Words, primary_key=True),
)

rule_counts = Table(
    "rule_counts",
    metadata,
    _key("rule"),
    Column("key", Words, primary_key=True),
    Column("at", Moment, primary_key=True),
    _word("title", null=False),
    _need("post_ids", Json(Strings)),
)

counters = Table(
    "counters",
    metadata,
    _key("name"),
    _need("value", Integer),
)

incidents = Table(
    "incidents",
    metadata,
    _key(),
    _need("number", String(32), unique=True),
    _word("title", null=False),
    _need("created_at", Moment),
    _word("created_by", null=False),
    _need("post_ids", Json(Strings)),
    _need("state", Member(IncidentState)),
    Column("type", Member(IncidentType)),
    Column("outcome", Member(Outcome)),
    _need("regime", Member(Regime)),
    _need("severity", Member(Severity)),
    _word("outside_number"),
    _word("topic_group"),
    _word("topic"),
    _word("place"),
    _word("address"),
    _word("sector"),
    _word("executor"),
    _word("alert_id"),
    _word("duplicate_of"),
    _word("reason", null=False),
    _need("deadlines", Json(tuple[Deadline, ...])),
    Column("answered_at", Moment),
    Column("closed_at", Moment),
    _version(),
    # derived on every write
    Column("next_due_at", Moment),  # earliest running deadline
    _word("search", null=False),  # lower case, ё→е: number, title, place, address, outside number
    # with `search`, so that looking for words walks the index alone
    Index("ix_incidents_order", "created_at", "id", "search"),
    Index("ix_incidents_state_order", "state", "created_at", "id"),
    Index("ix_incidents_executor_order", "executor", "created_at", "id"),
    Index("ix_incidents_sector_order", "sector", "created_at", "id"),
    Index("ix_incidents_due", "next_due_at", "created_at", "id"),
)

incident_posts = Table(  # derived from `post_ids`: finds the incident of a post
    "incident_posts",
    metadata,
    Column("post_id", Words, primary_key=True),
    Column("incident_id", Words, primary_key=True),
    _need("number", String(32)),
)

incident_events = Table(
    "incident_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident_id", Words, ForeignKey("incidents.id"), nullable=False, index=True),
    _need("at", Moment),
    _word("actor", null=False),
    _word("action", null=False),
    _word("text", null=False),
)

replies = Table(
    "replies",
    metadata,
    _key(),
    Column("incident_id", Words, ForeignKey("incidents.id"), nullable=False, index=True),
    _word("post_id", null=False),
    Column("page_id", Words, ForeignKey("pages.id"), nullable=False),
    _word("text", null=False),
    _word("author", null=False),
    _need("created_at", Moment),
    _need("is_interim", Boolean),
    _need("state", Member(ReplyState)),
    _word("approved_by"),
    _word("note", null=False),
    _version(),
    _word("edited_by", null=False),  # may not approve what they wrote, when two people are required
)

pages = Table(
    "pages",
    metadata,
    _key(),
    _need("network", Member(Network)),
    _word("address", null=False),
    _word("title", null=False),
    _word("organisation", null=False),
    _word("url"),
    _need("mode", Member(PageMode)),
    _word("discussion"),
    _need("weekly_norm", Integer),
    _need("late_limit", Length),
    _need("card", Json(dict[str, str])),
    Column("password_changed_at", Moment),
    _need("is_enabled", Boolean),
)

publications = Table(
    "publications",
    metadata,
    _key(),
    _word("title", null=False),
    _word("author", null=False),
    _need("due_at", Moment),
    _word("wall_time", null=False),
    _word("zone", null=False),
    _need("variants", Json(tuple[tuple[str, Message], ...])),
    _need("state", Member(PublicationState)),
    _word("approved_by"),
    Column("approved_hash", String(64)),
    _word("note", null=False),
    Column("created_at", Moment),
    _version(),
    _word("edited_by", null=False),
    Index("ix_publications_order", "due_at", "id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _key(),
    _need("kind", Member(DeliveryKind)),
    _need("subject_id", Words),
    Column("page_id", Words, ForeignKey("pages.id"), nullable=False),
    _need("message", Json(Message)),
    _need("payload_hash", String(64)),
    _need("approved_hash", String(64)),
    _need("due_at", Moment),
    _need("state", Member(DeliveryState)),
    _need("attempt", Integer),
    Column("next_try_at", Moment),
    Column("lease_until", Moment),
    _word("worker"),
    Column("started_at", Moment),
    _word("upload"),
    _word("remote_id"),
    _word("url"),
    Column("published_at", Moment),
    _word("error", null=False),
    _need("absent_reads", Integer),
    Column("checked_at", Moment),
    # False: the outcome is committed, its consequences (audit, reply, incident) are not written yet
    _need("is_settled", Boolean),
    UniqueConstraint("subject_id", "page_id"),
    UniqueConstraint("page_id", "remote_id"),  # what stands on a page is the outcome of one delivery only
    Index("ix_deliveries_state_order", "state", "due_at", "id"),
    Index("ix_deliveries_order", "due_at", "id"),
    Index(
        "ix_deliveries_unsettled",
        "id",
        sqlite_where=text("is_settled = 0"),
        postgresql_where=text("NOT is_settled"),
    ),
)

figures = Table(
    "figures",
    metadata,
    Column("delivery_id", Words, ForeignKey("deliveries.id"), primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("views", Integer),
    Column("likes", Integer),
    Column("reposts", Integer),
    Column("comments", Integer),
)

people = Table(
    "people",
    metadata,
    _key("login"),
    _word("name", null=False),
    _need("roles", Json(frozenset[Role])),
    _word("sector"),
    _need("is_enabled", Boolean),
    _word("password", null=False),  # argon2id
)

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _need("login", Words),
    _need("at", Moment),
    Index(None, "login", "at"),
)

sessions = Table(
    "sessions",
    metadata,
    _key("token"),  # sha256 of the token
    Column("login", Words, ForeignKey("people.login"), nullable=False, index=True),
    _need("started_at", Moment),
    _need("seen_at", Moment),
)

api_keys = Table(
    "api_keys",
    metadata,
    _key(),
    _word("name", null=False),
    _need("role", Member(Role)),
    _need("created_at", Moment),
    Column("last_used_at", Moment),
    _need("is_revoked", Boolean),
    _need("secret", String(64), unique=True),  # sha256 of the secret
)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    _need("at", Moment),
    _word("actor", null=False),
    _word("action", null=False),
    _need("subject", Words, index=True),
    _need("detail", Json(dict[str, Any])),
    _need("previous", String(64), unique=True),  # no two rows may follow the same one
    _need("hash", String(64)),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _need("number", BigInteger().with_variant(Integer, "sqlite")),
    _need("hash", String(64)),
)

beats = Table(
    "beats",
    metadata,
    _key("stage"),
    _need("at", Moment),
    _need("detail", Json(dict[str, Any])),
)

flags = Table(
    "flags",
    metadata,
    _key("name"),
    _need("value", Json(Any)),
)

corrections = Table(
    "corrections",
    metadata,
    _key(),
    _need("post_id", Words, index=True),
    _need("field", Words),
    Column("value", Json(Any)),
    _need("actor", Words),
    _need("at", Moment, index=True),
)
