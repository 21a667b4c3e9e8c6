"""How likely two posts tell of one event: features of a pair and weights learnt on labelled stories."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.domain.analysis import Analysis, Intent, Risk
from index.domain.post import AuthorKind, Post, PostKind
from index.errors import Misconfigured

FOLDER = Path(__file__).parent
WINDOW = timedelta(hours=72)  # a post or a story that had no company for so long finds none any more

FEATURES = (
    "rare_words", "shared_words", "shorter", "numbers", "place", "around", "other_place",
    "other_around", "nowhere", "address", "topic", "no_topic", "fine_topic",
    "other_fine_topic", "risks_dot", "risks_alike", "one_has_risk", "severity_gap", "long_ago", "far",
    "source", "least_relevance", "relevance_gap", "topic_around", "rare_words_elsewhere", "vector",
    "vector_around", "vector_elsewhere", "vector_other_topic",
)  # fmt: skip
VECTOR_FEATURES = 4  # the last ones: without vectors they weigh nothing
THREAD = (
    "relevance", "severity", "risks", "topic", "place", "chatter", "ad", "question", "news", "duplicate",
)  # fmt: skip
RARE_IDF = 4.5  # a lemma in one text of ninety; the rarer, the more a common one says

_STOP = frozenset(
    "и в на не что с а у как за по к от из то это для все бы же или мы я он она они вы так уже только еще до "
    "но нет есть быть наш весь этот тот мочь который свой кто где мой ты при раз без link user phone "
    "email".split()
)
_STREET = ("улиц", "переул", "проспект", "площад", "проезд", "дом")
_WORDS = 80  # lemmas of a text that are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A post as linking reads it."""

    id: str
    at: datetime
    author: str
    source: str
    text: str  #: what a title may be made of
    is_comment: bool
    is_ad: bool
    is_official: bool
    parent_id: str | None
    words: Mapping[str, float] = field(repr=False)  #: lemma → weight, unit length
    rare: Mapping[str, float] = field(repr=False)  #: rare lemma → how much rarer than RARE_IDF
    numbers: frozenset[str]
    vector: npt.NDArray[np.float32] | None = field(repr=False)  #: unit length; None: the post has none
    places: frozenset[str]
    around: frozenset[str]  #: places and the settlement of the source
    address: str | None  #: beginning of the street, folded
    topic_group: str | None
    topic: str | None
    risks: tuple[Risk, ...]
    risk_scores: tuple[float, ...] = field(repr=False)  #: in the order of Risk
    risk_length: float  #: of that vector
    severity: int
    relevant: bool
    relevance: float
    intent: Intent
    duplicate_of: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Of the logistic models, by name of the feature; with a vector and without."""

    idf: Mapping[str, float] = field(repr=False)
    unknown_idf: float  #: of a lemma the corpus does not have
    encoder: str  #: whose vectors the weights were learnt on
    vector_mean: float  #: cosine of two strange posts
    vector_spread: float
    with_vector: Sequence[float]
    without_vector: Sequence[float]
    thread: Sequence[float]  #: whether a post and its comments tell of an event
    join: float  #: log odds from which a post joins a story
    merge: float  #: from which two groups are found to be one
    thread_join: float


def read_weights(folder: Path = FOLDER) -> Weights:
    """The shipped weights. Raises Misconfigured when a file is missing or broken."""
    try:
        facts = json.loads((folder / "weights.json").read_text(encoding="utf-8"))
        weights = Weights(**read_words(folder) | facts)
    except (OSError, ValueError, TypeError) as error:
        raise Misconfigured(
            f"{folder}: веса связей не читаются ({error}).", remedy="Переустановите пакет."
        ) from None
    pairs = (weights.with_vector, weights.without_vector)
    if any(len(each) != len(FEATURES) + 1 for each in pairs) or len(weights.thread) != len(THREAD) + 1:
        raise Misconfigured(f"{folder}/weights.json: не то число весов.", remedy="Переустановите пакет.")
    return weights


def read_words(folder: Path = FOLDER) -> dict[str, Any]:
    """How rare lemmas are: the fields `idf` and `unknown_idf` of the shipped weights."""
    rows = (folder / "idf.tsv").read_text(encoding="utf-8").splitlines()
    idf = {lemma: float(value) for lemma, value in (row.split("\t") for row in rows)}
    facts = json.loads((folder / "weights.json").read_text(encoding="utf-8"))
    return {"idf": idf, "unknown_idf": facts["unknown_idf"]}


class Linker:
    """Pairs of posts to log odds that they tell of one event. Pure."""

    def __init__(self, weights: Weights, *, reads_vectors: bool = True) -> None:
        self.weights = weights
        self._with_vector = np.array(weights.with_vector)
        self._without_vector = np.array(weights.without_vector)
        self._thread = np.array(weights.thread)
        self._reads_vectors = reads_vectors

    def see(self, post: Post, analysis: Analysis, home: Iterable[str] = ()) -> Seen:
        """The post as linking reads it; `home` is the settlement of its source, where known."""
        lemmas = [lemma for lemma in analysis.lemmas if lemma not in _STOP][:_WORDS]
        places = frozenset(analysis.places)
        risks = tuple(analysis.risk_scores.get(risk, 0.0) for risk in Risk)
        has_vector = bool(analysis.vector) and self._reads_vectors
        return Seen(
            id=post.id,
            at=post.published_at,
            author=post.author,
            source=post.source_id or post.source,
            text=post.text,
            is_comment=post.kind is PostKind.COMMENT,
            is_ad=analysis.intent is Intent.AD,
            is_official=post.author_kind is AuthorKind.OFFICIAL,
            parent_id=post.parent_id,
            words=self._weigh(lemmas),
            rare=self._rare(lemmas),
            numbers=frozenset(lemma for lemma in lemmas if lemma.isdigit()),
            vector=np.asarray(analysis.vector, dtype=np.float32) if has_vector else None,
            places=places,
            around=places.union(home),
            address=_street(analysis.address),
            topic_group=analysis.topic_group,
            topic=analysis.topic,
            risks=analysis.risks,
            risk_scores=risks,
            risk_length=math.hypot(*risks),
            severity=int(analysis.severity),
            relevant=analysis.relevant,
            relevance=analysis.relevance,
            intent=analysis.intent,
            duplicate_of=analysis.duplicate_of,
        )

    def log_odds(self, one: Seen, others: Sequence[Seen]) -> list[float]:
        """For each of the others, that it tells of one event with the first."""
        if not others:
            return []
        features = np.array([self.features(one, other) for other in others])
        with_vector = features @ self._with_vector[:-1] + self._with_vector[-1]
        without = features @ self._without_vector[:-1] + self._without_vector[-1]
        has_vectors = [one.vector is not None and other.vector is not None for other in others]
        odds: list[float] = np.where(has_vectors, with_vector, without).tolist()
        return odds

    def features(self, one: Seen, other: Seen) -> list[float]:
        """In the order of FEATURES."""
        rare = math.log1p(sum([one.rare[lemma] for lemma in one.rare.keys() & other.rare.keys()]))
        place, around = bool(one.places & other.places), bool(one.around & other.around)
        topic = one.topic_group is not None and one.topic_group == other.topic_group
        fine_topic = one.topic is not None and one.topic == other.topic
        hours = abs((one.at - other.at).total_seconds()) / 3600
        both_risks = sum(map(mul, one.risk_scores, other.risk_scores))
        least_relevance = min(one.relevance, other.relevance)
        vector = 0.0
        if one.vector is not None and other.vector is not None:
            near = float(one.vector @ other.vector)
            vector = (near - self.weights.vector_mean) / self.weights.vector_spread
        return [
            rare,
            math.log1p(len(one.words.keys() & other.words.keys())),
            math.log1p(min(len(one.words), len(other.words))),
            bool(one.numbers & other.numbers),
            place,
            around,
            bool(one.places and other.places and not place),
            bool(one.around and other.around and not around),
            not (one.around and other.around),
            one.address is not None and one.address == other.address,
            topic,
            one.topic_group is None or other.topic_group is None,
            fine_topic,
            one.topic is not None and other.topic is not None and not fine_topic,
            both_risks,
            both_risks / (one.risk_length * other.risk_length + 1e-6),
            bool(one.risks) != bool(other.risks),
            abs(one.severity - other.severity),
            math.log1p(hours),
            hours / 72,
            one.source == other.source,
            least_relevance,
            abs(one.relevance - other.relevance),
            around and topic,
            rare if least_relevance < 0.3 else 0.0,
            vector,
            vector if around else 0.0,
            vector if least_relevance < 0.3 else 0.0,
            0.0 if topic else vector,
        ]

    def thread_log_odds(self, post: Seen) -> float:
        """That the post and the comments under it tell of an event, and are not a mere conversation."""
        return float(thread_features(post) @ self._thread[:-1] + self._thread[-1])

    def _weigh(self, lemmas: Sequence[str]) -> dict[str, float]:
        idf = self.weights.idf
        weighed = {
            lemma: (1 + math.log(count)) * idf.get(lemma, self.weights.unknown_idf)
            for lemma, count in Counter(lemmas).items()
        }
        length = math.sqrt(sum(value * value for value in weighed.values()))
        return {lemma: value / length for lemma, value in weighed.items()} if length else {}

    def _rare(self, lemmas: Sequence[str]) -> dict[str, float]:
        idf, unknown = self.weights.idf, self.weights.unknown_idf
        return {lemma: rarity for lemma in set(lemmas) if (rarity := idf.get(lemma, unknown) - RARE_IDF) > 0}


def thread_features(post: Seen) -> npt.NDArray[np.float64]:
    """In the order of THREAD."""
    return np.array([
        post.relevance,
        post.severity,
        min(2, len(post.risks)),
        post.topic_group is not None,
        bool(post.places),
        post.intent is Intent.CHATTER,
        post.is_ad,
        post.intent is Intent.QUESTION,
        post.intent is Intent.NEWS,
        post.duplicate_of is not None,
    ], dtype=np.float64)  # fmt: skip


def cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Of two unit vectors over lemmas, 0..1."""
    if len(one) > len(other):
        one, other = other, one
    return sum(value * other.get(lemma, 0.0) for lemma, value in one.items())


def _street(address: str | None) -> str | None:
    """«улице Мира, 5» and «Мира 7» are one street: its longest word, cut before the ending."""
    words = [
        word for word in (address or "").lower().replace("ё", "е").replace(",", " ").split() if word.isalpha()
    ]
    longest = max((word for word in words if not word.startswith(_STREET)), key=len, default="")
    return longest[:6] if len(longest) > 3 else None
