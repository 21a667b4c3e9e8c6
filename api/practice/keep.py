"""The world as a JSON file, so that a stand started again shows the same pages and answers."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from api.practice.world import Access, Author, Comment, Community, Entry, Photo, World
from index.domain.post import Network

_PLAIN = (str, int, float, bool, type(None))


def save_world(world: World, path: Path) -> None:
    """Write the whole world; the old file stays whole until the new one is. The caller holds the lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(json.dumps(_dumped(world), ensure_ascii=False), encoding="utf-8")
    os.replace(half, path)


def load_world(world: World, path: Path) -> bool:
    """Fill an empty world from the file; False when there is none."""
    if not path.is_file():
        return False
    kept = json.loads(path.read_text(encoding="utf-8"))
    world.restore_counters(serial=kept["serial"], newest_event=kept["newest_event"])
    for row in kept["photos"]:
        photo = Photo(**row | {"content": base64.b64decode(row["content"])})
        world.photos[photo.key] = photo
    for row in kept["authors"]:
        world.authors[Network(row["network"]), row["who"]] = Author(number=row["number"], name=row["name"])
    communities = [_community(world, row) for row in kept["communities"]]
    by_name = {(c.network.value, c.address): c for c in communities}
    for community, row in zip(communities, kept["communities"], strict=True):
        if row["discussion"]:
            world.link(community, by_name[community.network.value, row["discussion"]])
    people = {(network, author.number): author for (network, _), author in world.authors.items()}
    for row in kept["entries"]:
        _entry(world, by_name[row["network"], row["address"]], row, people)
    return True


def _dumped(world: World) -> dict[str, Any]:
    entries = [entry for community in world.communities.values() for entry in community.entries.values()]
    entries.sort(key=lambda entry: entry.at)  # an origin comes before what reposts it
    return {
        "serial": world.serial,
        "newest_event": world.newest_event,
        "photos": [
            {f.name: getattr(p, f.name) for f in fields(p)}
            | {"content": base64.b64encode(p.content).decode()}
            for p in world.photos.values()
        ],
        "authors": [
            {"network": network.value, "who": who, "number": author.number, "name": author.name}
            for (network, who), author in world.authors.items()
        ],
        "communities": [_community_row(community) for community in world.communities.values()],
        "entries": [_entry_row(entry) for entry in entries],
    }


def _community_row(community: Community) -> dict[str, Any]:
    row = dict(_plain_fields(community))
    row |= {
        "network": community.network.value,
        "access": community.access.value,
        "more": _plain(community.more),
    }
    return row | {"discussion": community.discussion.address if community.discussion else None}


def _community(world: World, row: dict[str, Any]) -> Community:
    facts = {k: v for k, v in row.items() if k not in ("network", "address", "discussion", "access")}
    return world.community(Network(row["network"]), row["address"], access=Access(row["access"]), **facts)


def _entry_row(entry: Entry) -> dict[str, Any]:
    row = dict(_plain_fields(entry)) | {"more": _plain(entry.more)}
    row |= {"network": entry.community.network.value, "address": entry.community.address}
    row |= {"author": _author_row(entry.author), "photos": [photo.key for photo in entry.photos]}
    row |= {"origin": entry.origin.id if entry.origin else None, "reply_to": _id(entry.more.get("reply_to"))}
    row["comments"] = [
        dict(_plain_fields(c))
        | {"author": _author_row(c.author), "parent": c.parent.id if c.parent else None}
        for c in entry.comments
    ]
    return row


def _entry(
    world: World, community: Community, row: dict[str, Any], people: dict[tuple[Network, int], Author]
) -> None:
    facts = {k: v for k, v in row.items() if k not in ("network", "address", "reply_to", "comments")}
    facts |= {name: _moment(row[name]) for name in ("at", "edited_at", "publish_at")}
    facts |= {"author": _author(community, row["author"], people)}
    facts |= {
        "photos": tuple(world.photos[key] for key in row["photos"]),
        "origin": world.found.get(row["origin"]),
    }
    entry = Entry(**facts, community=community)
    if row["reply_to"] in world.found:
        entry.more["reply_to"] = world.found[row["reply_to"]]
    community.entries[entry.number] = world.found[entry.id] = entry
    for said in row["comments"]:
        facts = said | {name: _moment(said[name]) for name in ("at", "edited_at")}
        facts |= {
            "author": _author(community, said["author"], people),
            "parent": world.found.get(said["parent"]),
        }
        comment = Comment(**facts, post=entry)
        entry.comments.append(comment)
        world.found[comment.id] = comment


def _plain_fields(item: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(item):
        value = getattr(item, field.name)
        if isinstance(value, datetime):
            yield field.name, value.isoformat()
        elif type(value) in _PLAIN:
            yield field.name, value


def _plain(more: Any) -> dict[str, Any]:
    return {name: value for name, value in more.items() if isinstance(value, (*_PLAIN, dict, list))}


def _author_row(author: Author) -> dict[str, Any]:
    return {
        "number": author.number,
        "name": author.name,
        "address": author.community.address if author.community else None,
    }


def _author(community: Community, row: dict[str, Any], people: dict[tuple[Network, int], Author]) -> Author:
    if row["address"] == community.address and community.author is not None:
        return community.author
    known = people.get((community.network, row["number"]))
    return known or Author(number=row["number"], name=row["name"])


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _id(item: Any) -> str | None:
    return item.id if isinstance(item, Entry) else None
