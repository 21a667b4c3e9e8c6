"""Sources nobody watches yet: pages that collected posts repost, name or link to, with the evidence."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crawlers.pages.base import Mention
from index.desk import Desk
from index.domain.post import Network
from index.domain.source import Proposal
from index.posts.base import PostIndex
from index.posts.query import Record

CURSOR = "discovery"  # source id of the desk's cursors where the evidence is kept, one name a network
CANDIDATES_AT_MOST = 300  # of one network; those not named for the longest time are let go
POSTS_AT_MOST = 30  # of one candidate; the newest count
RELEVANT_POSTS = 3  # that name it before it is proposed
AUTHORS = 2  # of those posts: one enthusiast is no evidence
EVERY = timedelta(minutes=10)  # how often proposals are weighed

HOW = {"repost": "репосты", "mention": "упоминания", "link": "ссылки", "search": "найдена поиском"}


@dataclass(slots=True)
class Evidence:
    """Mentions seen since the last flush. Safe to add to from several threads.

    A killed process loses only what was not flushed; the posts are read again and tell the same.
    """

    _waiting: dict[tuple[Network, str, str], Mention] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, mentions: Iterable[Mention]) -> None:
        with self._lock:
            for mention in mentions:
                self._waiting[mention.network, mention.address, mention.post_id] = mention

    def flush(self, desk: Desk, now: datetime) -> int:
        """Join what was seen to what the desk holds; how many candidates were named. Repeatable."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        by_network: dict[Network, list[Mention]] = {}
        for mention in waiting.values():
            by_network.setdefault(mention.network, []).append(mention)
        try:
            for network, mentions in by_network.items():
                known = desk.cursors.get(CURSOR, network.value) or {}
                desk.cursors.save(CURSOR, joined(known, mentions, now), network.value)
        except Exception:
            self.add(waiting.values())  # nothing is forgotten: the next flush tries again
            raise
        return len({(m.network, m.address) for m in waiting.values()})


def joined(known: Mapping[str, Any], mentions: Iterable[Mention], now: datetime) -> dict[str, Any]:
    """Candidates of one network, by address: {title, hows, posts (oldest first), at}."""
    candidates = {address: dict(row) for address, row in known.items()}
    for mention in mentions:
        row = candidates.setdefault(mention.address, {"title": "", "hows": [], "posts": []})
        row["title"] = mention.title or row["title"]
        row["hows"] = sorted({*row["hows"], mention.how})
        row["posts"] = [*(p for p in row["posts"] if p != mention.post_id), mention.post_id][-POSTS_AT_MOST:]
        row["at"] = now.isoformat()
    freshest = sorted(candidates, key=lambda address: candidates[address]["at"], reverse=True)
    return {address: candidates[address] for address in freshest[:CANDIDATES_AT_MOST]}


def propose(desk: Desk, posts: PostIndex, now: datetime) -> int:
    """Weigh the evidence and propose what is worth an officer's look; how many proposals were made.

    Repeatable: the desk keeps one proposal a page and never takes up a rejected one again.
    """
    registered = {source.id for source in desk.sources.list()}
    made = 0
    for network in Network:
        for address, row in (desk.cursors.get(CURSOR, network.value) or {}).items():
            source_id = f"{network.value}:{address}"
            if source_id in registered or len(row["posts"]) < RELEVANT_POSTS:
                continue
            proposal = weigh(network, address, row, posts.get_many(row["posts"]), now)
            if proposal is not None:
                desk.sources.propose(proposal)
                made += 1
    return made


def weigh(
    network: Network, address: str, row: Mapping[str, Any], records: Mapping[str, Record], now: datetime
) -> Proposal | None:
    """The proposal that the posts naming a page add up to; None: too little evidence."""
    relevant = [r for r in records.values() if r.analysis is not None and r.analysis.relevant]
    authors = {record.post.author for record in relevant}
    if len(relevant) < RELEVANT_POSTS or len(authors) < AUTHORS:
        return None
    hows = ", ".join(HOW[how] for how in row["hows"] if how in HOW)
    homes = [record.post.source_home for record in relevant if record.post.source_home]
    return Proposal(
        id=f"{network.value}:{address}",
        network=network,
        address=address,
        title=row["title"] or address,
        reason=(
            f"Важных публикаций, которые на неё ведут: {len(relevant)} из {len(records)}, "
            f"разных авторов: {len(authors)} ({hows})."
        ),
        found_at=now,
        home=max(set(homes), key=lambda home: (homes.count(home), home)) if homes else None,
        mentions=len(relevant),
    )
