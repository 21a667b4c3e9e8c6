"""Takes analysed posts, places them among the others, scores them and raises alerts: the end of nlp."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from index.desk import Desk
from index.domain.alert import Alert, AlertKind, RuleCount
from index.domain.analysis import Analysis, Risk, ScorePart, Severity
from index.domain.post import Post
from index.domain.source import SourceHealth, SourceState
from index.domain.story import Story
from index.posts.base import PostIndex
from index.posts.query import Order, PostState, Query, Record
from nlp.beside import REMEMBER, Beside
from nlp.bursts import Burst
from nlp.district import District
from nlp.linking import WINDOW
from nlp.rules import AlertRule, Facts, RuleMode
from nlp.stories import MIN_AUTHORS, story_id_of

logger = logging.getLogger(__name__)

LIMIT = 500  # posts of one turn
FRESH = timedelta(
    days=3
)  # older posts (imports, posts analysed anew) are placed and scored but raise nothing
_RESCORE_EVERY = timedelta(hours=1)
_EVIDENCE = 50  # posts of an alert
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchReport:
    """What one turn did. `watched` 0: nothing waits."""

    watched: int = 0
    moved: int = 0  #: other posts whose story changed
    stories: int = 0  #: stories that took posts
    alerts: tuple[str, ...] = ()  #: ids, raised or joined
    counted: int = 0  #: matters that rules in monitor mode would have raised


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matter:
    """Something a rule may raise: what is known of it, and the alert it would be."""

    facts: Facts
    at: datetime  #: of what began it: the same at every turn
    alert: Alert  #: rule and id are filled in when it is raised


class Watcher:
    """The watching stage of one district. One at a time on an index; a restart goes on where it was.

    Watching a record again changes nothing: copies, stories and alerts are found by the same keys.
    """

    def __init__(
        self, posts: PostIndex, desk: Desk, district: District, *, encoder: str | None = None
    ) -> None:
        """`encoder` names the model whose vectors the posts carry; None: the shipped one."""
        self._posts = posts
        self._desk = desk
        self._district = district
        self._beside = Beside(district, encoder=encoder)
        self._is_ready = False
        self._rescored_at: datetime | None = None
        self._sources: dict[str, SourceState] = {}
        self._bursts: dict[str, str] = {}  # key → newest post it was raised with

    def run(self, now: datetime, *, limit: int = LIMIT) -> WatchReport:
        """One turn: up to `limit` posts, oldest first. Raises Unavailable; nothing is lost then."""
        if not self._is_ready:
            self._recall(now)
        obeyed = self._obey()
        records = self._posts.analysed(limit=limit)
        placed, moved = self._place(records, obeyed, now)
        stories = self._save_stories(placed.values(), moved)
        matters = [
            *self._posts_that_matter(placed.values(), now),
            *self._stories_that_matter(stories, placed, now),
            *self._bursts_that_matter(now),
            *self._sources_that_matter(now),
            *self._rescore(now),
        ]
        raised, counted = self._judge(matters, now)
        self._save(placed.values())
        self._move(moved, placed)
        self._desk.alerts.wake(now)
        self._beside.forget(now)
        report = WatchReport(
            watched=len(placed), moved=len(moved), stories=len(stories), alerts=raised, counted=counted
        )
        if records:
            logger.info(
                "posts watched",
                extra={"action": "posts_watched", "posts": len(placed), "alerts": len(raised)},
            )
        return report

    # --- remembering and placing ----------------------------------------------------------------------

    def _recall(self, now: datetime) -> None:
        """Read back what a restart forgot: relevant posts of four weeks, all of three days."""
        recent = now - WINDOW
        old = Query(
            since=now - REMEMBER, until=recent, states=(PostState.WATCHED,), relevant=True, order=Order.OLDEST
        )
        new = Query(since=recent, states=(PostState.WATCHED,), order=Order.OLDEST)
        for query in (old, new):
            for record in self._all(query):
                if record.analysis is not None:
                    self._beside.restore(record.post, record.analysis)
        self._is_ready = True

    def _all(self, query: Query) -> Iterator[Record]:
        cursor = None
        while True:
            found = self._posts.find(query, limit=_PAGE, cursor=cursor)
            yield from found.records
            cursor = found.next
            if cursor is None:
                return

    def _obey(self) -> dict[str, str | None]:
        known = self._desk.stories.get_many(self._beside.stories())
        merged = {story.id: story.merged_into for story in known.values() if story.merged_into}
        checked = [story.id for story in known.values() if story.is_checked]
        return self._beside.obey(self._desk.stories.pinned(), merged, checked)

    def _place(
        self, records: Iterable[Record], obeyed: Mapping[str, str | None], now: datetime
    ) -> tuple[dict[str, Record], dict[str, str | None]]:
        """The records placed, and other posts whose story has changed; `obeyed` are those officers moved."""
        placed: dict[str, Record] = {}
        moved = dict(obeyed)
        merged: dict[str, str] = {}
        mass_fakes: dict[str, None] = {}
        for record in records:
            if record.analysis is None:
                continue
            done = self._beside.place(record.post, record.analysis, now=now)
            placed[record.post.id] = replace(record, analysis=done.analysis)
            moved |= done.moved
            merged |= done.merged
            mass_fakes |= dict.fromkeys(done.mass_fake)
        self._desk.stories.absorb(merged)
        placed |= self._graver(mass_fakes, placed)
        for post_id in moved.keys() & placed.keys():
            placed[post_id] = _in_story(placed[post_id], moved.pop(post_id))
        return placed, moved

    def _graver(self, post_ids: Iterable[str], placed: Mapping[str, Record]) -> dict[str, Record]:
        """Posts, those of earlier turns too, that a later copy has shown to be a mass fake."""
        earlier = self._posts.get_many([post_id for post_id in post_ids if post_id not in placed])
        known = {each: record for each, record in earlier.items() if record.state is PostState.WATCHED}
        graver = {}
        for post_id in post_ids:
            record = placed.get(post_id) or known.get(post_id)
            if record is None or record.analysis is None:
                continue
            analysis = self._beside.grave(record.post, record.analysis)
            if analysis != record.analysis:
                graver[post_id] = replace(record, analysis=analysis)
        return graver

    def _save_stories(self, placed: Iterable[Record], moved: dict[str, str | None]) -> list[Story]:
        touched = {record.analysis.story_id for record in placed if record.analysis} | set(moved.values())
        stories = [story for each in sorted(filter(None, touched)) if (story := self._beside.story(each))]
        if stories:
            self._desk.stories.save(*stories)
        return stories

    def _save(self, placed: Iterable[Record]) -> None:
        records = [record for record in placed if record.analysis]
        if records:
            self._posts.save_analyses(
                {record.post.id: record.analysis for record in records if record.analysis},
                PostState.WATCHED,
                content_hashes={record.post.id: record.post.content_hash for record in records},
            )

    def _move(self, moved: dict[str, str | None], placed: dict[str, Record]) -> None:
        """Other posts that an officer or a new neighbour put into another story."""
        elsewhere = self._posts.get_many([post_id for post_id in moved if post_id not in placed])
        self._save(
            _in_story(record, moved[post_id])
            for post_id, record in elsewhere.items()
            if record.state is PostState.WATCHED
        )

    def _rescore(self, now: datetime) -> list[_Matter]:
        """Once an hour: posts that still wait for an answer weigh more the longer nobody answers."""
        if self._rescored_at is not None and now - self._rescored_at < _RESCORE_EVERY:
            return []
        self._rescored_at = now
        waiting = Query(since=now - FRESH, states=(PostState.WATCHED,), needs_answer=True, order=Order.OLDEST)
        changed = []
        for record in self._all(waiting):
            if record.analysis is None:
                continue
            analysis = self._beside.score(record.post, record.analysis, now=now)
            if analysis != record.analysis:
                changed.append(replace(record, analysis=analysis))
        self._save(changed)
        return self._posts_that_matter(changed, now)

    # --- what may be raised ---------------------------------------------------------------------------

    def _posts_that_matter(self, records: Iterable[Record], now: datetime) -> list[_Matter]:
        fresh = (r for r in records if r.post.published_at > now - FRESH and not r.post.is_deleted)
        return [self._post_matter(r.post, r.analysis, now) for r in fresh if r.analysis is not None]

    def _post_matter(self, post: Post, analysis: Analysis, now: datetime) -> _Matter:
        """Copies of a post and the posts of its story are one matter with it."""
        original = analysis.duplicate_of or post.id
        story_id = analysis.story_id or self._beside.story_of(original)
        story = self._beside.story(story_id) if story_id else None
        places = story.places if story and story.authors >= MIN_AUTHORS else analysis.places
        facts = Facts(
            relevant=analysis.relevant,
            score=analysis.risk_score,
            severity=analysis.severity,
            risks=frozenset(analysis.risks),
            places=frozenset(analysis.places),
            topic_group=analysis.topic_group,
            needs_answer=analysis.needs_answer,
            silent=self._beside.silence(post, analysis, now=now) or timedelta(),
        )
        alert = _alert(
            key=f"matter:{story_id or story_id_of(original)}",
            kind=AlertKind.POST,
            title=self._title(analysis.risks, analysis.topic_group, places, analysis.address),
            now=now,
            score=analysis.risk_score,
            parts=analysis.risk_parts,
            severity=analysis.severity,
            risks=analysis.risks,
            places=analysis.places,
            topic_group=analysis.topic_group,
            post_ids=(post.id,),
            authors=1,
            story_id=story_id,
        )
        return _Matter(facts=facts, at=post.published_at, alert=alert)

    def _stories_that_matter(
        self, stories: Sequence[Story], placed: dict[str, Record], now: datetime
    ) -> Iterator[_Matter]:
        for story in stories:
            if story.authors < MIN_AUTHORS or story.updated_at <= now - FRESH:
                continue
            ids = self._beside.story_posts(story.id)[:_EVIDENCE]
            known = self._posts.get_many([post_id for post_id in ids if post_id not in placed]) | placed
            analyses = [a for post_id in ids if post_id in known and (a := known[post_id].analysis)]
            gravest = max(analyses, key=lambda analysis: analysis.risk_score, default=None)
            if gravest is None:
                continue
            facts = Facts(
                relevant=any(analysis.relevant for analysis in analyses),
                score=gravest.risk_score,
                severity=story.severity,
                risks=frozenset(story.risks),
                places=frozenset(story.places),
                topic_group=story.topic_group,
                needs_answer=any(analysis.needs_answer for analysis in analyses),
                posts=story.posts,
                authors=story.authors,
            )
            alert = _alert(
                key=f"matter:{story.id}",
                kind=AlertKind.STORY,
                title=self._title(
                    story.risks or gravest.risks, story.topic_group, story.places, gravest.address
                ),
                now=now,
                score=gravest.risk_score,
                parts=gravest.risk_parts,
                severity=story.severity,
                risks=story.risks,
                places=story.places,
                topic_group=story.topic_group,
                post_ids=tuple(ids),
                authors=story.authors,
                story_id=story.id,
            )
            yield _Matter(facts=facts, at=story.started_at, alert=alert)

    def _bursts_that_matter(self, now: datetime) -> Iterator[_Matter]:
        bursts = self._beside.rising(now)
        narrow = {
            b.key[0]: max(o.posts for o in bursts if o.key[0] == b.key[0] and o.key[1])
            for b in bursts
            if b.key[1]
        }
        for burst in bursts:
            topic, place = burst.key
            if place is None and narrow.get(topic, 0) >= 0.7 * burst.posts:
                continue  # one place explains it: that burst is raised instead
            key = f"burst:{topic}:{place or self._district.name}"
            if self._bursts.get(key) == burst.post_ids[0]:
                continue  # nothing new since the last turn
            yield self._burst_matter(burst, key, now)

    def _burst_matter(self, burst: Burst, key: str, now: datetime) -> _Matter:
        topic, place = burst.key
        known = self._posts.get_many(burst.post_ids[:_EVIDENCE])
        analyses = [record.analysis for record in known.values() if record.analysis]
        severity = max((analysis.severity for analysis in analyses), default=Severity.NONE)
        gravest = max(analyses, key=lambda analysis: analysis.risk_score, default=None)
        score, parts = (gravest.risk_score, gravest.risk_parts) if gravest else (0, ())
        facts = Facts(
            score=score,
            severity=severity,
            places=frozenset({place} if place else ()),
            topic_group=topic,
            risks=frozenset(risk for analysis in analyses for risk in analysis.risks),
            posts=burst.posts,
            authors=burst.authors,
            growth=burst.growth,
        )
        how_much = f"{burst.posts} за 3 ч, ×{burst.growth:.0f} к обычному"
        alert = _alert(
            key=key,
            kind=AlertKind.BURST,
            title=f"Всплеск: {topic}, {place or self._district.name}: {how_much}",
            now=now,
            score=score,
            parts=parts,
            severity=severity,
            places=(place,) if place else (),
            topic_group=topic,
            post_ids=burst.post_ids[:_EVIDENCE],
            authors=burst.authors,
        )
        return _Matter(facts=facts, at=burst.at.replace(minute=0, second=0, microsecond=0), alert=alert)

    def _sources_that_matter(self, now: datetime) -> Iterator[_Matter]:
        healths = self._desk.sources.healths()
        changed = [h for h in healths.values() if self._sources.get(h.source_id) is not h.state]
        self._sources = {source_id: health.state for source_id, health in healths.items()}
        titles = {source.id: source.title for source in self._desk.sources.list()} if changed else {}
        for health in changed:
            yield _source_matter(health, titles.get(health.source_id, health.source_id), now)

    def _title(
        self, risks: Sequence[Risk], topic: str | None, places: Sequence[str], address: str | None
    ) -> str:
        """«Отключение: Курлово, ул. Советская»."""
        what = self._district.risks[risks[0]].title if risks else topic or "Сообщение"
        if risks and topic:
            what = f"{what} ({topic})"
        where = ", ".join([*places[:2], *([address] if address else [])])
        return f"{what}: {where}" if where else what

    # --- raising --------------------------------------------------------------------------------------

    def _judge(self, matters: Iterable[_Matter], now: datetime) -> tuple[tuple[str, ...], int]:
        raised: list[str] = []
        counted = 0
        for matter in matters:
            for rule in self._district.rules:
                if rule.kind is not matter.alert.kind or not rule.matches(matter.facts):
                    continue
                if rule.mode is RuleMode.MONITOR:
                    self._count(rule, matter)
                    counted += 1
                else:
                    raised.append(self._raise(rule, matter))
        return tuple(dict.fromkeys(raised)), counted

    def _raise(self, rule: AlertRule, matter: _Matter) -> str:
        alert = replace(matter.alert, rule=rule.id, id=f"a-{uuid4().hex[:16]}")
        if alert.kind is AlertKind.BURST:
            self._bursts[alert.key] = alert.post_ids[0]
        return self._desk.alerts.raise_alert(alert, cooldown=rule.cooldown).id

    def _count(self, rule: AlertRule, matter: _Matter) -> None:
        self._desk.alerts.count_rule(
            RuleCount(
                rule=rule.id,
                key=matter.alert.key,
                title=matter.alert.title,
                at=matter.at,
                post_ids=matter.alert.post_ids,
            )
        )


_SOURCE_WORDS = {
    SourceState.SILENT: "Источник молчит дольше обычного",
    SourceState.BANNED: "Доступ к источнику закрыт",
    SourceState.FAILING: "Источник не отвечает",
    SourceState.NEEDS_TOKEN: "Источнику нужен ключ доступа",
    SourceState.LAYOUT_CHANGED: "Источник отвечает в новом виде",
}


def _source_matter(health: SourceHealth, title: str, now: datetime) -> _Matter:
    severity = Severity.WATCH if health.state is SourceState.SILENT else Severity.TODAY
    reason = f" ({health.reason})" if health.reason else ""
    alert = _alert(
        key=f"source:{health.source_id}",
        kind=AlertKind.SOURCE,
        title=f"{_SOURCE_WORDS.get(health.state, 'Источник')}: {title}{reason}",
        now=now,
        score=10 * int(severity),
        parts=(ScorePart(name="Состояние источника", points=10 * int(severity)),),
        severity=severity,
        source_id=health.source_id,
    )
    facts = Facts(source_state=health.state, severity=severity, score=alert.score)
    return _Matter(facts=facts, at=health.visited_at or now, alert=alert)


def _alert(
    *,
    key: str,
    kind: AlertKind,
    title: str,
    now: datetime,
    score: int,
    parts: tuple[ScorePart, ...],
    severity: Severity,
    risks: tuple[Risk, ...] = (),
    places: tuple[str, ...] = (),
    topic_group: str | None = None,
    post_ids: tuple[str, ...] = (),
    authors: int = 0,
    story_id: str | None = None,
    source_id: str | None = None,
) -> Alert:
    return Alert(
        id="",
        key=key,
        rule="",
        kind=kind,
        title=title,
        raised_at=now,
        updated_at=now,
        score=score,
        parts=parts,
        severity=severity,
        risks=risks,
        places=places,
        topic_group=topic_group,
        post_ids=post_ids,
        posts=len(post_ids),
        authors=authors,
        story_id=story_id,
        source_id=source_id,
    )


def _in_story(record: Record, story_id: str | None) -> Record:
    assert record.analysis is not None  # noqa: S101
    return replace(record, analysis=replace(record.analysis, story_id=story_id))
