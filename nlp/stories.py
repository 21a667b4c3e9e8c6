"""Groups posts about one event into stories as they come; what officers decide about them stands."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np

from index.domain.analysis import Severity
from index.domain.story import Story
from nlp.linking import WINDOW, Linker, Seen

MIN_AUTHORS = 3  # distinct, from which a story is shown and may be raised

_CANDIDATES = 8  # posts whose groups a new post is compared with: so many near by vector, so many by words
_AT_PLACE = 4  # and the newest of one settlement and topic
_HOPELESS = -4.0  # log odds of its nearest post below which a group is passed over
_COMPARED = 4  # newest posts of a group that speak for it
_SPOKESMEN = 3  # newest posts of the smaller of two groups that are measured against the larger
_INFORMATIVE = 0.08  # weight of a lemma from which posts are found by it
_EVER = datetime.min.replace(tzinfo=UTC)
_LOOK_EVERY = timedelta(hours=1)
_TITLE = 90  # characters
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


@dataclass(slots=True)
class _Group:
    """Posts of one event: a lone post is a group too, and becomes a story with its second."""

    id: str
    members: dict[str, Seen] = field(default_factory=dict)
    authors: Counter[str] = field(default_factory=Counter)  #: posts of each
    updated_at: datetime = _EVER  #: its latest post; kept, since every new post asks for it

    @property
    def is_lone(self) -> bool:
        return self.id.startswith("1-")

    @property
    def started_at(self) -> datetime:
        return min(member.at for member in self.members.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Where a post went. `changed` are other posts whose story is another one now, by id.

    `merged` are stories that turned out to be part of another one, with that one.
    """

    story_id: str | None  #: None: stands alone
    changed: Mapping[str, str | None]
    merged: Mapping[str, str] = field(default_factory=dict)


class StoryBook:
    """Stories of the last 72 hours. Posts come oldest first; a post placed twice stays where it is.

    A later post may show that two groups are one: the younger goes into the
    older, unless an officer had a hand in either. Comments join the story of the post they stand under and
    never start one. Officers' pins and merges win over everything and stay.
    """

    def __init__(self, linker: Linker) -> None:
        self._linker = linker
        self._groups: dict[str, _Group] = {}
        self._group_of: dict[str, str] = {}
        self._pins: dict[str, str | None] = {}
        self._merged: dict[str, str] = {}
        self._kept: set[str] = set()  # stories that an officer has had in hand
        self._by_word: dict[str, set[str]] = defaultdict(set)  # informative lemma → posts
        self._at_place: dict[tuple[str, str | None], dict[str, None]] = defaultdict(dict)  #: oldest first
        self._seen: dict[str, Seen] = {}
        self._vectors = _Matrix()
        self._looked_at: datetime | None = None

    def obey(
        self, pins: Mapping[str, str | None], merged: Mapping[str, str], checked: Iterable[str] = ()
    ) -> dict[str, str | None]:
        """Take officers' decisions: pins (post → story or None), merges (story → story it went into).

        Stories that were pinned to, or that they have `checked` (a merge checks the one it goes into), never
        go into another one by themselves.
        What moved: post id → story id now.
        """
        self._pins, self._merged = dict(pins), dict(merged)
        self._kept = {story_id for story_id in (*checked, *pins.values()) if story_id}
        moved: dict[str, str | None] = {}
        for group_id in [group for group in self._groups if group in self._merged]:
            group = self._groups.pop(group_id)
            for member in group.members.values():
                self._put(member, self._live(group_id))
                moved[member.id] = self._live(group_id)
        for post_id, story_id in self._pins.items():
            seen = self._seen.get(post_id)
            wanted = self._live(story_id) if story_id else _alone(post_id)
            if seen is not None and self._group_of.get(post_id) != wanted:
                self._take_out(post_id)
                self._put(seen, wanted)
                moved[post_id] = wanted if story_id else None
        return moved

    def restore(self, seen: Seen, story_id: str | None) -> None:
        """Put back a post that was placed before (after a restart)."""
        self._put(seen, self._live(story_id) if story_id else _alone(seen.id))

    def place(self, seen: Seen) -> Placing:
        """Find the story of a new post, or let it stand alone."""
        if seen.id in self._group_of:
            return Placing(story_id=self.story_of(seen.id), changed={})
        self.forget(seen.at)
        fits = self._fits(seen)
        group_id = self._choose(seen, fits)
        joined = self._groups.get(group_id)
        moving = list(joined.members) if joined and joined.is_lone else []
        self._put(seen, group_id)
        merged: dict[str, str] = {}
        for other_id in sorted(fits, key=lambda each: (-fits[each], each)):
            if fits[other_id] >= self._linker.weights.join:
                moving += self._look_again(seen, other_id, merged)
        stories = {post_id: self.story_of(post_id) for post_id in moving if post_id != seen.id}
        changed = {post_id: story_id for post_id, story_id in stories.items() if story_id}
        return Placing(story_id=self.story_of(seen.id), changed=changed, merged=merged)

    def story_of(self, post_id: str) -> str | None:
        """The story a post is in; None: it stands alone, or is not known any more."""
        group = self._groups.get(self._group_of.get(post_id, ""))
        return group.id if group and not (group.is_lone and len(group.members) == 1) else None

    def ids(self) -> list[str]:
        """Stories that still take posts."""
        return [group.id for group in self._groups.values() if self.story_of(next(iter(group.members)))]

    def remove(self, post_id: str) -> None:
        """Forget one post: its text has changed."""
        self._take_out(post_id)

    def members(self, story_id: str) -> list[Seen]:
        """Posts of a story that are remembered, oldest first."""
        group = self._groups.get(story_id)
        return sorted(group.members.values(), key=lambda m: (m.at, m.id)) if group else []

    def authors(self, story_id: str) -> int:
        """Distinct authors of its posts; 0 for a story that is not known."""
        group = self._groups.get(story_id)
        return len(group.authors) if group else 0

    def story(self, story_id: str) -> Story | None:
        """The story as it stands now; None when none of its posts is remembered."""
        members = self.members(story_id)
        return _story(story_id, members) if members else None

    def forget(self, now: datetime) -> None:
        """Close groups that had no post for 72 hours; looks once an hour."""
        if self._looked_at is not None and now - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = now
        for group in [each for each in self._groups.values() if now - each.updated_at > WINDOW]:
            for post_id in list(group.members):
                self._take_out(post_id)

    # --- choosing -------------------------------------------------------------------------------------

    def _choose(self, seen: Seen, fits: Mapping[str, float]) -> str:
        """Where the post goes; `fits` are groups by how well it fits, as log odds."""
        if seen.id in self._pins:
            story_id = self._pins[seen.id]
            return self._live(story_id) if story_id else _alone(seen.id)
        if seen.is_comment:
            return self._of_parent(seen)
        if self._joins_nothing(seen):
            return _alone(seen.id)
        if seen.duplicate_of in self._group_of:
            return self._group_of[seen.duplicate_of]
        best = max(fits, key=lambda each: (fits[each], each), default=None)
        return best if best is not None and fits[best] >= self._linker.weights.join else _alone(seen.id)

    def _joins_nothing(self, seen: Seen) -> bool:
        """An advertisement, or a copy that goes round without telling of anything: a greeting, a recipe."""
        return seen.is_ad or (seen.duplicate_of is not None and not self._tells_of_event(seen))

    def _of_parent(self, seen: Seen) -> str:
        """A comment goes with its post when that tells of an event; an advertisement under it does not."""
        parent = self._seen.get(seen.parent_id or "")
        if parent is None or seen.is_ad or parent.is_ad or (parent.relevant and not seen.relevant):
            return _alone(seen.id)  # «всем доброе утро» under a fire is about something else
        group_id = self._group_of[parent.id]
        if self._pins.get(parent.id, "") is None:
            return _alone(seen.id)
        is_story = any(
            not member.is_comment and member.id != parent.id
            for member in self._groups[group_id].members.values()
        )
        return group_id if is_story or self._tells_of_event(parent) else _alone(seen.id)

    def _tells_of_event(self, seen: Seen) -> bool:
        return self._linker.thread_log_odds(seen) >= self._linker.weights.thread_join

    def _fits(self, seen: Seen) -> dict[str, float]:
        """Groups by the log odds that their closest posts tell of the same event."""
        is_placed = seen.id in self._pins or seen.is_comment or seen.duplicate_of in self._group_of
        if is_placed or self._joins_nothing(seen):
            return {}
        odds = self._odds(seen, {}, self._candidates(seen))
        near = {self._group_of[post_id] for post_id, each in odds.items() if each > _HOPELESS}
        posts = {
            group_id: [post.id for post in self._newest(self._groups[group_id])]
            for group_id in sorted(near)
            if seen.at - self._groups[group_id].updated_at <= WINDOW
        }
        odds = self._odds(seen, odds, {post_id for each in posts.values() for post_id in each})
        return {
            group_id: _linkage([odds[post_id] for post_id in each], closest=self._closest(group_id))
            for group_id, each in posts.items()
            if each
        }

    def _odds(self, seen: Seen, known: Mapping[str, float], post_ids: set[str]) -> dict[str, float]:
        """What is known and the log odds of the others, by post."""
        others = sorted(post_ids - known.keys())
        return dict(known) | dict(
            zip(others, self._linker.log_odds(seen, [self._seen[each] for each in others]), strict=True)
        )

    def _closest(self, group_id: str) -> int:
        """How many posts decide: what an officer has had in hand may hold two matters, one is enough."""
        return 2 if group_id in self._kept else 3

    def _look_again(self, seen: Seen, other_id: str, merged: dict[str, str]) -> list[str]:
        """Whether the post has shown that its group and another one are one. Ids of the posts that moved."""
        group, other = self._groups[self._group_of[seen.id]], self._groups.get(other_id)
        if other is None or other is group:
            return []
        stays, goes = sorted((group, other), key=self._standing)
        if self._is_officers(goes) or (stays.is_lone and self._is_officers(stays)):
            return []
        if self._fit_of_groups(group, other) < self._linker.weights.merge:
            return []
        moving = [*goes.members, *(stays.members if stays.is_lone else ())]
        into, was_lone = stays.id, goes.is_lone
        for member in list(goes.members.values()):
            self._take_out(member.id)
            self._put(member, into)
            into = self._group_of[member.id]  # a lone group has become a story
        if not was_lone:
            merged[goes.id] = into
        return moving

    def _standing(self, group: _Group) -> tuple[bool, bool, datetime, str]:
        """Of two groups found to be one, the lesser keeps its id: an officer's, a story, the older."""
        return not self._is_officers(group), group.is_lone, group.started_at, group.id

    def _is_officers(self, group: _Group) -> bool:
        """An officer has checked it, merged others into it, or pinned a post of it: it never goes away."""
        return group.id in self._kept or any(post_id in self._pins for post_id in group.members)

    def _fit_of_groups(self, one: _Group, other: _Group) -> float:
        """Mean of how the posts of the smaller fit the larger."""
        small, large = sorted((self._newest(one), self._newest(other)), key=len)
        spokesmen = small[:_SPOKESMEN]
        if not spokesmen:
            return -math.inf
        return sum(_linkage(self._linker.log_odds(each, large)) for each in spokesmen) / len(spokesmen)

    def _newest(self, group: _Group) -> list[Seen]:
        """Those that came last and may bring others: posts come oldest first."""
        came_last = reversed(group.members.values())
        return list(islice((member for member in came_last if not self._is_closed(member)), _COMPARED))

    def _is_closed(self, other: Seen) -> bool:
        return other.is_ad or other.is_comment or (other.id in self._pins and self._pins[other.id] is None)

    def _candidates(self, seen: Seen) -> set[str]:
        """Posts near by vector, sharing informative words, or of one settlement and topic."""
        shared = Counter(
            post_id
            for lemma, weight in seen.words.items()
            if weight > _INFORMATIVE
            for post_id in self._by_word.get(lemma, ())
        )
        by_words = {post_id for post_id, _ in shared.most_common(_CANDIDATES)}
        by_vector = set(self._vectors.nearest(seen.vector, _CANDIDATES)) if seen.vector is not None else set()
        by_place = {
            post_id
            for place in seen.around
            for post_id in islice(reversed(self._at_place.get((place, seen.topic_group), {})), _AT_PLACE)
        }
        return by_words | by_vector | by_place

    # --- keeping --------------------------------------------------------------------------------------

    def _live(self, story_id: str) -> str:
        """The story that an officer's merges lead to."""
        for _ in range(len(self._merged) + 1):
            if story_id not in self._merged:
                break
            story_id = self._merged[story_id]
        return story_id

    def _put(self, seen: Seen, group_id: str) -> None:
        group = self._groups.get(group_id)
        if group is not None and group.is_lone and seen.id not in group.members:
            group = self._become_story(group)
        if group is None:
            group = self._groups[group_id] = _Group(group_id)
        if seen.id not in group.members:
            group.authors[seen.author] += 1
        group.members[seen.id] = seen
        group.updated_at = max(group.updated_at, seen.at)
        self._group_of[seen.id] = group.id
        self._seen[seen.id] = seen
        if not seen.is_comment:
            for lemma, weight in seen.words.items():
                if weight > _INFORMATIVE:
                    self._by_word[lemma].add(seen.id)
            for place in seen.around:
                self._at_place[place, seen.topic_group][seen.id] = None
            if seen.vector is not None:
                self._vectors.add(seen.id, seen.vector)

    def _become_story(self, group: _Group) -> _Group:
        """A lone post gets company: its group takes a story's id, the same after a restart."""
        del self._groups[group.id]
        first = next(iter(group.members))
        group.id = story_id_of(first)
        self._groups[group.id] = group
        for post_id in group.members:
            self._group_of[post_id] = group.id
        return group

    def _take_out(self, post_id: str) -> None:
        seen = self._seen.pop(post_id, None)
        group = self._groups.get(self._group_of.pop(post_id, ""))
        if group is not None:
            if group.members.pop(post_id, None) is not None and seen is not None:
                group.authors -= Counter({seen.author: 1})
            if not group.members:
                del self._groups[group.id]
        if seen is not None:
            for lemma in seen.words:
                self._by_word.get(lemma, set()).discard(post_id)
            for place in seen.around:
                self._at_place.get((place, seen.topic_group), {}).pop(post_id, None)
            self._vectors.remove(post_id)


def story_id_of(first_post_id: str) -> str:
    """Id of the story that begins with this post; the same on every machine."""
    return "s-" + hashlib.sha256(first_post_id.encode()).hexdigest()[:12]


def _alone(post_id: str) -> str:
    return "1-" + post_id


def _linkage(odds: list[float], *, closest: int = 3) -> float:
    """Mean of the closest, and a little for every other post that fits.

    One lucky neighbour is not enough, and a long story does not dilute.
    """
    deciding = sorted(odds, reverse=True)[:closest]
    fitting = sum(each > 0 for each in odds)
    return sum(deciding) / len(deciding) + 0.3 * math.log1p(fitting)


def _story(story_id: str, members: list[Seen]) -> Story:
    posts = [member for member in members if not member.is_comment] or members
    vectors = [member.vector for member in members if member.vector is not None]
    mean = np.mean(vectors, axis=0) if vectors else None
    length = float(np.linalg.norm(mean)) if mean is not None else 0.0
    groups = Counter(member.topic_group for member in members if member.topic_group)
    risks = Counter(risk for member in members for risk in member.risks)
    places = Counter(place for member in members for place in member.places)
    common = max(1, len(members) // 4)  # a class that one post in ten names is not the story's
    return Story(
        id=story_id,
        title=title_of(posts),
        started_at=members[0].at,
        updated_at=members[-1].at,
        vector=tuple((mean / length).tolist()) if mean is not None and length else (),
        places=tuple(place for place, _ in places.most_common(5)),
        topic_group=groups.most_common(1)[0][0] if groups else None,
        risks=tuple(risk for risk, count in risks.most_common() if count >= common),
        severity=Severity(max(member.severity for member in members)),
        posts=len(members),
        authors=len({member.author for member in members}),
    )


def title_of(posts: Iterable[Seen]) -> str:
    """The first sentence of the clearest post: grave, with a place, neither too short nor too long."""
    best = max(
        posts, key=lambda post: (post.severity, bool(post.places), -abs(len(post.text) - 120), post.id)
    )
    sentences = [part.strip() for part in _SENTENCE.split(best.text) if len(part.strip()) > 12]
    title = sentences[0] if sentences else best.text.strip()
    return title if len(title) <= _TITLE else title[: _TITLE - 1].rsplit(" ", 1)[0] + "…"


class _Matrix:
    """Vectors in one array, so that the nearest are one product away."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._ids: list[str | None] = []
        self._array: np.ndarray | None = None  # (capacity, dims)
        self._free: list[int] = []

    def add(self, post_id: str, vector: np.ndarray) -> None:
        if post_id in self._rows:
            return
        if self._array is None:
            self._array = np.zeros((256, len(vector)), dtype=np.float32)
        if not self._free and len(self._ids) == len(self._array):
            self._array = np.vstack([self._array, np.zeros_like(self._array)])
        row = self._free.pop() if self._free else len(self._ids)
        if row == len(self._ids):
            self._ids.append(None)
        self._ids[row], self._rows[post_id] = post_id, row
        self._array[row] = vector

    def remove(self, post_id: str) -> None:
        row = self._rows.pop(post_id, None)
        if row is not None and self._array is not None:
            self._ids[row] = None
            self._array[row] = 0.0
            self._free.append(row)

    def nearest(self, vector: np.ndarray, limit: int) -> list[str]:
        if self._array is None or not self._ids:
            return []
        near = self._array[: len(self._ids)] @ vector
        rows = np.argpartition(-near, min(limit, len(near) - 1))[:limit]
        return [found for row in rows if (found := self._ids[int(row)]) is not None]
