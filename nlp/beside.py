"""Reads each post beside the others: what it repeats, which story it belongs to, how fast its topic grows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from index.domain.analysis import Analysis, Intent, Risk, Severity
from index.domain.post import AuthorKind, Post
from index.domain.story import Story
from nlp.analyse import analysed_text
from nlp.bursts import HISTORY, Burst, Pulse
from nlp.chain_messages import LEAST_LENGTH, ChainMessages
from nlp.district import District
from nlp.linking import Linker, read_weights
from nlp.score import Company, Scorer, total
from nlp.stages.duplicates import WINDOW as COPIES
from nlp.stages.duplicates import Duplicates
from nlp.stages.places import PlaceFinder
from nlp.stories import StoryBook

REMEMBER = max(HISTORY, COPIES)  # how far back a restart has to read


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A post among the others. `moved` are other posts whose story has changed with it, by id.

    `merged` are stories that went into another one with it, `mass_fake` earlier posts that say the same and
    with it are a mass fake: see `Beside.grave`.
    """

    analysis: Analysis
    moved: Mapping[str, str | None]
    merged: Mapping[str, str]
    mass_fake: Sequence[str]


class Beside:
    """The memory of the last weeks: copies, chain messages, stories, the pulse of topics, official answers.

    Posts come oldest first. One placed twice gets the same answer unless its text has changed.
    """

    def __init__(self, district: District, *, encoder: str | None = None) -> None:
        """`encoder` names the model whose vectors the analyses carry (None: the shipped one).

        Vectors of another than the one that linking has learnt on are not compared.
        """
        weights = read_weights()
        self._linker = Linker(weights, reads_vectors=encoder in (None, weights.encoder))
        self._finder = PlaceFinder(district)
        self._scorer = Scorer(district)
        self._duplicates = Duplicates()
        self._chains = ChainMessages(COPIES)
        self._stories = StoryBook(self._linker)
        self._pulse = Pulse()
        self._answered: dict[str, datetime] = {}  # post → first official answer under it
        self._texts: dict[str, str] = {}  # post → hash of the text that was placed

    # --- placing --------------------------------------------------------------------------------------

    def place(self, post: Post, analysis: Analysis, *, now: datetime) -> Placed:
        """The analysis completed with copy, story and score."""
        if self._texts.get(post.id, post.content_hash) != post.content_hash:
            self._stories.remove(post.id)  # edited: it may tell of something else now
            self._duplicates.remove(post.id)
            self._chains.remove(post.id)
        self._texts[post.id] = post.content_hash
        copy_of = self._duplicates.place(post.id, analysed_text(post), post.published_at, post.origin_id)
        self._chain(post, analysis, copy_of)
        analysis = self.grave(post, replace(analysis, duplicate_of=copy_of))
        placing = self._stories.place(self._linker.see(post, analysis, self._home(post)))
        self._note(post, analysis)
        analysis = replace(analysis, story_id=placing.story_id)
        return Placed(
            analysis=self.score(post, analysis, now=now), moved=placing.changed, merged=placing.merged,
            mass_fake=self._chains.early(post.id),
        )  # fmt: skip

    def restore(self, post: Post, analysis: Analysis) -> None:
        """Take back a post that was placed before a restart. Oldest first."""
        self._texts[post.id] = post.content_hash
        self._duplicates.restore(
            post.id, analysed_text(post), post.published_at, post.origin_id, analysis.duplicate_of
        )
        self._chain(post, analysis, analysis.duplicate_of)
        self._stories.restore(self._linker.see(post, analysis, self._home(post)), analysis.story_id)
        self._note(post, analysis)

    def score(self, post: Post, analysis: Analysis, *, now: datetime) -> Analysis:
        """The analysis with the parts of its company made anew; the text's own parts stay."""
        parts = self._scorer.with_company(analysis.risk_parts, self.company(post, analysis, now=now))
        return replace(analysis, risk_parts=parts, risk_score=total(parts))

    def grave(self, post: Post, analysis: Analysis) -> Analysis:
        """A relevant post of a mass fake is severity 3 (`labels.md`, rule 5), whatever its words alone say.

        It stays so until it is analysed anew, also when a copy is edited away: it did go round.
        """
        if not (analysis.relevant and self._chains.is_mass(post.id)):
            return analysis
        parts = self._scorer.of_mass_fake(analysis.risk_parts)
        return replace(analysis, severity=Severity.NOW, risk_parts=parts, risk_score=total(parts))

    def company(self, post: Post, analysis: Analysis, *, now: datetime) -> Company:
        """What stands around a post now."""
        return Company(
            growth=self._pulse.growth(analysis.topic_group, analysis.places, post.published_at),
            authors=self._stories.authors(analysis.story_id or "") or 1,
            reach=post.counters.views,
            place=next(iter(analysis.places), None),
            silent=self.silence(post, analysis, now=now),
        )

    def silence(self, post: Post, analysis: Analysis, *, now: datetime) -> timedelta | None:
        """How long a post that needs an answer has had none; None: it needs none, or has one."""
        if not analysis.needs_answer or post.id in self._answered:
            return None
        return max(timedelta(), now - post.published_at)

    # --- asking ---------------------------------------------------------------------------------------

    def story(self, story_id: str) -> Story | None:
        """The story as it stands; None when none of its posts is remembered."""
        return self._stories.story(story_id)

    def stories(self) -> list[str]:
        """Ids of stories that still take posts."""
        return self._stories.ids()

    def story_posts(self, story_id: str) -> list[str]:
        """Ids of its posts, newest first."""
        return [member.id for member in reversed(self._stories.members(story_id))]

    def story_of(self, post_id: str) -> str | None:
        return self._stories.story_of(post_id)

    def rising(self, at: datetime) -> list[Burst]:
        """Topics that rise in a place, see nlp.bursts."""
        return self._pulse.rising(at)

    def obey(
        self, pins: Mapping[str, str | None], merged: Mapping[str, str], checked: Iterable[str] = ()
    ) -> dict[str, str | None]:
        """Take officers' decisions about stories; what moved, post id → story now."""
        return self._stories.obey(pins, merged, checked)

    def forget(self, now: datetime) -> None:
        """Drop what is older than the memory reaches."""
        self._pulse.forget(now - HISTORY)
        self._stories.forget(now)

    def _chain(self, post: Post, analysis: Analysis, copy_of: str | None) -> None:
        """Note the post among the chain messages; what officials write passes nothing on."""
        if post.author_kind is AuthorKind.OFFICIAL or len(post.text) < LEAST_LENGTH:
            return
        is_rumour = analysis.relevant and Risk.RUMOUR in analysis.risks
        self._chains.add(post.id, copy_of, author=post.author, at=post.published_at, is_rumour=is_rumour)

    def _note(self, post: Post, analysis: Analysis) -> None:
        if analysis.relevant and analysis.intent is not Intent.AD:
            self._pulse.add(post.id, post.author, post.published_at, analysis.topic_group, analysis.places)
        if post.author_kind is AuthorKind.OFFICIAL:
            for answered in (post.parent_id, post.reply_to_id):
                if answered:
                    self._answered.setdefault(answered, post.published_at)

    def _home(self, post: Post) -> frozenset[str]:
        return frozenset({post.source_home}) if post.source_home else self._finder.home_of(post.source)


def place_all(
    posts: Sequence[Post], analyses: Iterable[Analysis], district: District, *, encoder: str | None = None
) -> list[Analysis]:
    """Posts of a file read beside each other, in the order given; no index, no desk.

    `encoder` names the model whose vectors the analyses carry (`models.encoder.name`), None the shipped one.
    """
    beside = Beside(district, encoder=encoder)
    given = list(zip(posts, analyses, strict=True))
    by_id = {post.id: post for post in posts}
    placed: dict[str, Analysis] = {}
    for post, analysis in sorted(given, key=lambda pair: (pair[0].published_at, pair[0].id)):
        done = beside.place(post, analysis, now=post.published_at)
        placed[post.id] = done.analysis
        for post_id, story_id in done.moved.items():
            placed[post_id] = replace(placed[post_id], story_id=story_id)
        for post_id in done.mass_fake:
            placed[post_id] = beside.grave(by_id[post_id], placed[post_id])
    return [placed[post.id] for post in posts]
