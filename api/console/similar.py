"""Incidents like this one and what was answered then: so that nobody writes the same answer twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from api.service import Service
from index.domain.incident import Incident, ReplyState
from index.posts.query import Query

CLOSE = 0.6  # cosine of two posts from which their incidents are called similar
POSTS_READ = 40
LOOK_BACK = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """`answer` is the newest published one; empty when nobody has answered there."""

    incident: Incident
    answer: str


def similar_incidents(
    service: Service, post_ids: Sequence[str], *, without: Sequence[str] = (), limit: int = 3
) -> list[Similar]:
    """Incidents whose posts are near in meaning to the first of these posts, nearest first.

    `without`: ids of incidents left out. Raises Unavailable.
    """
    own = service.posts.get_many(post_ids[:1])
    vector = next((r.analysis.vector for r in own.values() if r.analysis and r.analysis.vector), None)
    if vector is None:
        return []
    query = Query(since=service.now() - LOOK_BACK)
    near = service.posts.nearest(vector, query, limit=POSTS_READ)
    others = [r.post.id for r, closeness in near if closeness > CLOSE and r.post.id not in post_ids]
    known = service.desk.incidents.of_posts(others)
    found = dict.fromkeys(known[post_id] for post_id in others if post_id in known)
    return [_similar(service, each) for each in found if each not in without][:limit]


def _similar(service: Service, incident_id: str) -> Similar:
    replies = service.desk.incidents.replies(incident_id)
    published = [reply.text for reply in replies if reply.state is ReplyState.PUBLISHED]
    return Similar(
        incident=service.desk.incidents.get(incident_id), answer=published[-1] if published else ""
    )
