"""Sources nobody watches yet: pages that collected posts repost, name or link to, with the evidence."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crawlers.pages.base import Mention
from index.desk import Desk
from index.domain.post import Network
from index.domain.source import Proposal, ProposalState
from index.posts.base import PostIndex
from index.posts.query import Record

NAMES = "names"  # where the desk's cursor holds other addresses of the same pages
NAMES_AT_MOST = 2_000
CURSOR = "discovery"  # source id of the desk's cursors where the evidence is kept, one name a network
CANDIDATES_AT_MOST = 300  # of one network; those not named for the longest time are let go
POSTS_AT_MOST = 30  # of one candidate; the newest count
TOLD_AT_MOST = 20_000  # posts a process remembers to have flushed the mentions of
RELEVANT_POSTS = 3  # that name it before it is proposed
AUTHORS = 2  # of those posts: one enthusiast is no evidence
EVERY = timedelta(minutes=10)  # how often proposals are weighed

HOW = {
    "repost": "репосты",
    "mention": "упоминания",
    "link": "ссылки",
    "search": "найдена поиском",
    "community": "её собственная стена",
}


@dataclass(slots=True)
class Evidence:
    """Mentions seen since the last flush. Safe to add to from several threads.

    A killed process loses only what was not flushed; the posts are read again and tell the same.
    """

    _waiting: dict[tuple[Network, str, str], Mention] = field(default_factory=dict)
    _told: dict[str, None] = field(default_factory=dict)  # posts whose mentions the desk holds, oldest first
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
            _keep_names(desk, waiting.values())
        except Exception:
            self.add(waiting.values())  # nothing is forgotten: the next flush tries again
            raise
        with self._lock:
            self._told |= dict.fromkeys(mention.post_id for mention in waiting.values())
            self._told = dict(list(self._told.items())[-TOLD_AT_MOST:])
        return len({(m.network, m.address) for m in waiting.values()})

    def is_told(self, post_id: str) -> bool:
        """Whether what this post names was flushed, as far as this process remembers."""
        return post_id in self._told


def _keep_names(desk: Desk, mentions: Iterable[Mention]) -> None:
    new = {f"{m.network.value}:{m.also}": f"{m.network.value}:{m.address}" for m in mentions if m.also}
    known = dict(desk.cursors.get(CURSOR, NAMES) or {})
    if any(known.get(also) != name for also, name in new.items()):
        kept = {also: name for also, name in known.items() if also not in new} | new
        desk.cursors.save(CURSOR, dict(list(kept.items())[-NAMES_AT_MOST:]), NAMES)


def joined(known: Mapping[str, Any], mentions: Iterable[Mention], now: datetime) -> dict[str, Any]:
    """Candidates of one network, by address: {title, about, hows, posts (oldest first), at}."""
    candidates = {address: dict(row) for address, row in known.items()}
    for mention in mentions:
        row = candidates.setdefault(mention.address, {"title": "", "hows": [], "posts": []})
        row["title"] = mention.title or row["title"]
        row["about"] = mention.about or row.get("about", "")
        row["hows"] = sorted({*row["hows"], mention.how})
        row["posts"] = [*(p for p in row["posts"] if p != mention.post_id), mention.post_id][-POSTS_AT_MOST:]
        row["at"] = now.isoformat()
    freshest = sorted(candidates, key=lambda address: candidates[address]["at"], reverse=True)
    return {address: candidates[address] for address in freshest[:CANDIDATES_AT_MOST]}


def propose(desk: Desk, posts: PostIndex, now: datetime) -> int:
    """Weigh the evidence and propose what is worth an officer's look; how many proposals were made.

    Repeatable: the desk keeps one proposal a page and never takes up a rejected one again.
    """
    names, done = desk.cursors.get(CURSOR, NAMES) or {}, settled(desk)
    made = 0
    for network in Network:
        for address, row in (desk.cursors.get(CURSOR, network.value) or {}).items():
            source_id = f"{network.value}:{address}"
            if plain(source_id, names) in done or len(row["posts"]) < RELEVANT_POSTS:
                continue
            proposal = weigh(network, address, row, posts.get_many(row["posts"]), now)
            if proposal is not None:
                made += desk.sources.propose(proposal)
                done.add(plain(source_id, names))
    return made


def settled(desk: Desk) -> set[str]:
    """Pages nobody has to be asked about, as `plain` names them: watched, waiting, accepted, rejected."""
    names = desk.cursors.get(CURSOR, NAMES) or {}
    done = {proposal.id for state in ProposalState for proposal in desk.sources.proposals(state=state)}
    for source in desk.sources.list():
        done.add(source.id)
        is_named = source.network is Network.VK and not plain(source.id, names).startswith("vk:club")
        if is_named and (owner := desk.cursors.get(source.id, "owner")):
            done.add(f"vk:club{-int(owner['owner_id'])}")  # watched under its screen name
    return done | {plain(source_id, names) for source_id in done}


def plain(source_id: str, names: Mapping[str, str]) -> str:
    """One name for all addresses of a page: `vk:public5`, `vk:kurlovo_live` -> `vk:club5`."""
    known = names.get(source_id, source_id)
    return re.sub(r"^vk:(?:public|event|-)(?=[0-9]+$)", "vk:club", known)


def weigh(
    network: Network, address: str, row: Mapping[str, Any], records: Mapping[str, Record], now: datetime
) -> Proposal | None:
    """The proposal that the posts naming a page add up to; None: too little evidence."""
    relevant = [r for r in records.values() if r.analysis is not None and r.analysis.relevant]
    authors = {record.post.author for record in relevant}
    is_own_word = "community" in row["hows"]  # a page speaks with one voice on its own wall
    if len(relevant) < RELEVANT_POSTS or (len(authors) < AUTHORS and not is_own_word):
        return None
    homes = [record.post.source_home for record in relevant if record.post.source_home]
    return Proposal(
        id=f"{network.value}:{address}",
        network=network,
        address=address,
        title=row["title"] or address,
        reason=_reason(row, relevant=len(relevant), posts=len(records), authors=len(authors)),
        found_at=now,
        home=max(set(homes), key=lambda home: (homes.count(home), home)) if homes else None,
        mentions=len(relevant),
    )


def _reason(row: Mapping[str, Any], *, relevant: int, posts: int, authors: int) -> str:
    """Why a page is proposed, for the officer."""
    if row["hows"] == ["community"]:
        return f"{row['about']} Важных публикаций из последних на её стене: {relevant} из {posts}."
    hows = ", ".join(HOW[how] for how in row["hows"] if how in HOW)
    found = f"{row['about']} " if row.get("about") else ""
    where = " на её стене и ведущих на неё" if "community" in row["hows"] else ", которые на неё ведут"
    return f"{found}Важных публикаций{where}: {relevant} из {posts}, разных авторов: {authors} ({hows})."
