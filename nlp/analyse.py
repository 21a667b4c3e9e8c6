"""The pipeline from a Post to its Analysis: text, places, one pass of the encoder, heads, risks, entities."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from index.domain.analysis import Analysis, Intent, Sentiment
from index.domain.post import Post
from index.errors import ServiceError
from index.posts.base import PostIndex
from index.posts.query import Record
from nlp.district import District
from nlp.models.base import MAX_PARENT_CHARACTERS, HeadInput, HeadOutput, Models
from nlp.score import Scorer, total
from nlp.stages.entities import EntityFinder
from nlp.stages.heads import Said, ask_models
from nlp.stages.places import PlaceFinder, Places
from nlp.stages.risks import RiskJudge
from nlp.stages.text import MAX_CHARACTERS, Reading, cleaned_lemmas, read
from nlp.stages.topics import TopicPicker

logger = logging.getLogger(__name__)

TICK = 256  # posts of one batch: large enough to sort by length, small enough to be on screen in seconds
EVERYTHING = range(256)  # shards


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A post that a stage could not take; the others of its batch went on."""

    post_id: str
    error: str


class Analyser:
    """Posts to analyses. Pure but for the models it holds; safe to keep for the life of a process."""

    def __init__(self, models: Models, district: District) -> None:
        self.models = models
        self.district = district
        self._places = PlaceFinder(district)
        self._entities = EntityFinder(district.place_words["organisations"])
        self._risks = RiskJudge(district)
        self._topics = TopicPicker(district)
        self._scorer = Scorer(district)

    @property
    def version(self) -> str:
        """What `Analysis.model` says: models and district pack."""
        return f"{self.models.version}+{self.district.version}"

    def take(self, models: Models) -> None:
        """Go on with other models. Between batches only: one analysis is the work of one version."""
        self.models = models

    def analyse(self, posts: Sequence[Post], parents: Mapping[str, Post], *, at: datetime) -> list[Analysis]:
        """One Analysis a post, same order; `parents` are posts that comments stand under, by id.

        Raises what a stage raises: `analyse_each` is the one that goes on.
        """
        texts = [analysed_text(post) for post in posts]
        readings = [read(text) for text in texts]
        places = [
            self._places.find(reading, text, source=post.source, home=post.source_home)
            for post, text, reading in zip(posts, texts, readings, strict=True)
        ]
        inputs = [
            head_input(post, text, parents.get(post.parent_id or ""), named, self._places)
            for post, text, named in zip(posts, texts, places, strict=True)
        ]
        said = ask_models(inputs, self.models)
        drafts = [
            self._draft(text, reading, named, each, at)
            for text, reading, named, each in zip(texts, readings, places, said, strict=True)
        ]
        return self._with_names(drafts, texts, readings, places, inputs)

    def analyse_each(
        self, posts: Sequence[Post], parents: Mapping[str, Post], *, at: datetime
    ) -> tuple[dict[str, Analysis], list[Broken]]:
        """Analyses by id, and the posts that broke a stage: one bad post never stops the others."""
        try:
            return dict(zip((p.id for p in posts), self.analyse(posts, parents, at=at), strict=True)), []
        except ServiceError:
            raise  # a model or a setting is wrong: every post would break
        except Exception as error:  # whatever a stage meets in a hostile text, it stays with that text
            if len(posts) == 1:
                logger.exception("post broke a stage", extra={"action": "post_broken", "post": posts[0].id})
                return {}, [Broken(post_id=posts[0].id, error=f"{type(error).__name__}: {error}"[:500])]
            half = len(posts) // 2
            first, first_broken = self.analyse_each(posts[:half], parents, at=at)
            second, second_broken = self.analyse_each(posts[half:], parents, at=at)
            return first | second, first_broken + second_broken

    def _draft(self, text: str, reading: Reading, places: Places, said: Said, at: datetime) -> Analysis:
        output, thresholds = said.output, self.models.thresholds
        is_relevant = output.relevance >= thresholds.relevance
        judged = self._risks.judge(reading.text, output, thresholds, is_relevant=is_relevant)
        group = max(output.topic_group, key=lambda name: output.topic_group[name], default=None)
        parts = self._scorer.own_parts(output)
        return Analysis(
            model=self.version,
            analysed_at=at,
            lemmas=cleaned_lemmas(reading.text, self.district.name_lemmas),
            relevance=output.relevance,
            relevant=is_relevant,
            places=places.names,
            scope=places.scope,
            address=places.address,
            intent=max(output.intent, key=lambda each: output.intent[each], default=Intent.CHATTER),
            topic_group=group,
            topic=self._topic(group, output, reading),
            sentiment=max(
                output.sentiment, key=lambda each: output.sentiment[each], default=Sentiment.NEUTRAL
            ),
            toxicity=output.toxicity,
            risk_scores=judged.scores,
            risks=judged.risks,
            severity=judged.severity,
            needs_answer=is_relevant and output.needs_answer >= thresholds.needs_answer,
            vector=said.vector,
            risk_score=total(parts),
            risk_parts=parts,
        )

    def _topic(self, group: str | None, output: HeadOutput, reading: Reading) -> str | None:
        """The models' fine topic where they know one, else the one whose words stand in the text."""
        if group is None:
            return None
        return next(iter(output.topic), None) or self._topics.pick(group, reading.text)

    def _with_names(
        self,
        drafts: list[Analysis],
        texts: list[str],
        readings: list[Reading],
        places: list[Places],
        inputs: list[HeadInput],
    ) -> list[Analysis]:
        """Entities and evidence, for relevant posts only: nobody looks at those of the others."""
        chosen = [number for number, draft in enumerate(drafts) if draft.relevant]
        entities = self._entities.find(
            [readings[n] for n in chosen], [places[n] for n in chosen], [texts[n] for n in chosen]
        )
        for number, named in zip(chosen, entities, strict=True):
            draft = drafts[number]
            evidence = self._risks.evidence(inputs[number], draft.risks, self.models)
            drafts[number] = replace(draft, entities=named, evidence=evidence)
        return drafts


def analyse_waiting(
    posts: PostIndex, analyser: Analyser, *, limit: int = TICK, shard: range = EVERYTHING, now: datetime
) -> int:
    """One tick of the stage: how many posts were taken from the queue, 0 when nothing waits.

    Posts never analysed go first, then those analysed by an older model. A post that breaks a stage is
    quarantined alone. Repeating after a crash analyses the same posts again and changes nothing else.
    """
    waiting = posts.waiting(limit=limit, shard=shard, model=analyser.version)
    if not waiting:
        return 0
    parents = [post.parent_id for post in waiting if post.parent_id]
    known = posts.get_many(list(dict.fromkeys([*parents, *(post.id for post in waiting)])))
    analyses, broken = analyser.analyse_each(
        waiting, {post_id: record.post for post_id, record in known.items()}, at=now.astimezone(UTC)
    )
    analyses = {
        post_id: _still_placed(analysis, known.get(post_id)) for post_id, analysis in analyses.items()
    }
    read_as = {post.id: post.content_hash for post in waiting}
    posts.save_analyses(analyses, content_hashes=read_as)
    for each in broken:
        posts.quarantine(each.post_id, each.error)
    logger.info(
        "posts analysed",
        extra={
            "action": "posts_analysed",
            "posts": len(analyses),
            "broken": len(broken),
            "model": analyser.version,
        },
    )
    return len(waiting)


def _still_placed(analysis: Analysis, known: Record | None) -> Analysis:
    """A post that is analysed anew stays in its story for its readers until nlp.watch has looked again."""
    before = known.analysis if known is not None else None
    if before is None:
        return analysis
    return replace(analysis, duplicate_of=before.duplicate_of, story_id=before.story_id)


def analysed_text(post: Post) -> str:
    """What is analysed: the post's own text, then the words of what hangs on it; at most MAX_CHARACTERS.

    The own text comes first, so offsets in it are offsets in `Post.text`.
    """
    attached = (part for each in post.attachments for part in (each.title, each.text) if part.strip())
    return "\n".join([post.text[:MAX_CHARACTERS], *attached])[:MAX_CHARACTERS]


def head_input(post: Post, text: str, parent: Post | None, places: Places, finder: PlaceFinder) -> HeadInput:
    """The post as the heads read it; training makes its inputs here too, so that both see the same."""
    parent_text = analysed_text(parent) if parent else ""
    around = set(finder.home_of(post.source))
    if parent_text:
        beginning = parent_text[:MAX_PARENT_CHARACTERS]
        around |= set(
            finder.find(read(beginning), beginning, source=post.source, home=post.source_home).names
        )
    return HeadInput(
        text=text,
        network=post.network,
        kind=post.kind,
        source=post.source,
        source_home=post.source_home,
        source_side=finder.side_of(post.source),
        parent_text=parent_text,
        places=places.names,
        context_places=tuple(sorted(around)),
    )
