"""Learns the weights of story linking on labelled posts: `python -m nlp.linking.fit CORPUS … --cache FOLDER`.

Posts are analysed by the shipped models, so that the weights trust topics, risks and vectors as far as they
deserve; run it again when the models change. Each part of the corpus is left out in turn and judged by what
the others taught; the thresholds are those that do best there. Analyses are kept in the cache by encoder, so
that a second run takes minutes less.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import logging
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations, product
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from index.domain.analysis import Analysis
from index.domain.post import Network, Post, PostKind
from index.posts.document import analysis_from_json, analysis_to_json
from nlp.analyse import Analyser
from nlp.district import load_district
from nlp.linking import (
    FEATURES,
    FOLDER,
    THREAD,
    VECTOR_FEATURES,
    WINDOW,
    Linker,
    Weights,
    read_words,
    thread_features,
)  # fmt: skip
from nlp.models import load_models
from nlp.stages.duplicates import Duplicates
from nlp.stages.places import PlaceFinder
from nlp.stages.text import cleaned_lemmas
from nlp.stories import StoryBook

logger = logging.getLogger(__name__)

BATCH = 512  # posts
STRANGERS = 5  # of so many pairs that tell of different events one teaches, with their weight
PAIR_PENALTY, THREAD_PENALTY = 3.0, 1.0  # L2 on standardised features
TRIED = {"join": (-0.6, -0.3, 0.0), "merge": (-0.5, 0.5), "thread_join": (-0.25,)}
_PairSet: TypeAlias = set[frozenset[str]]
_Floats: TypeAlias = npt.NDArray[np.float64]
BLANK = Weights(
    idf={}, unknown_idf=9.0, encoder="", vector_mean=0.0, vector_spread=1.0,
    with_vector=[0.0] * (len(FEATURES) + 1), without_vector=[0.0] * (len(FEATURES) + 1),
    thread=[0.0] * (len(THREAD) + 1), join=0.0, merge=0.0, thread_join=0.0,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A labelled post with what nlp says of it."""

    part: str
    post: Post
    analysis: Analysis
    home: frozenset[str]
    story: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What one part teaches: pairs of posts, and posts with comments."""

    pairs: _Floats  #: (n_pairs, n_features)
    are_one: npt.NDArray[np.bool_]
    threads: _Floats  #: (n_threads, n_thread_features)
    are_stories: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Pairs of posts of one story: said and labelled, said, labelled."""

    common: int = 0
    said: int = 0
    labelled: int = 0

    @property
    def f1(self) -> float:
        return 2 * self.common / max(1, self.said + self.labelled)

    def __str__(self) -> str:
        precision, recall = self.common / max(1, self.said), self.common / max(1, self.labelled)
        return f"precision {precision:.3f} recall {recall:.3f} F1 {self.f1:.3f}"


# --- reading ------------------------------------------------------------------------------------------


def read_corpus(paths: Iterable[Path], analyser: Analyser, cache: Path | None = None) -> list[Line]:
    """Labelled lines with their analyses, oldest first within a part. Files may be .gz."""
    lines = [line for path in paths for line in _read_file(path, analyser, cache)]
    return sorted(lines, key=lambda line: (line.part, line.post.published_at, line.post.id))


def _read_file(path: Path, analyser: Analyser, cache: Path | None) -> list[Line]:
    rows = _rows(path)
    posts = {row["id"]: _post(row) for row in rows}
    analyses = _cached(path, posts, analyser, cache)
    finder = PlaceFinder(analyser.district)
    return [
        Line(
            part=row["id"].partition("-")[0], post=posts[row["id"]], analysis=analyses[row["id"]],
            home=finder.home_of(row["source"]), story=row["story"],
        )
        for row in rows
    ]  # fmt: skip


def _cached(
    path: Path, posts: Mapping[str, Post], analyser: Analyser, cache: Path | None
) -> dict[str, Analysis]:
    """Analyses by id; made once for a file and version of the models where there is a cache."""
    if cache is None:
        return _analyse(posts, analyser)
    key = f"{analyser.version} {analyser.models.encoder.name}".encode() + path.read_bytes()
    kept = cache / f"{path.name}.{hashlib.sha256(key).hexdigest()[:12]}.json"
    if kept.is_file():
        rows: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return {post_id: analysis_from_json(row, tuple(row["vector"])) for post_id, row in rows.items()}
    found = _analyse(posts, analyser)
    written = {post_id: {**analysis_to_json(each), "vector": each.vector} for post_id, each in found.items()}
    cache.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    return found


def _analyse(posts: Mapping[str, Post], analyser: Analyser) -> dict[str, Analysis]:
    every = list(posts.values())
    found: dict[str, Analysis] = {}
    for at in range(0, len(every), BATCH):
        batch = every[at : at + BATCH]
        told = analyser.analyse(batch, posts, at=datetime.now(UTC))
        found |= {post.id: analysis for post, analysis in zip(batch, told, strict=True)}
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(row) for row in file if row.strip()]


# --- learning -----------------------------------------------------------------------------------------


def ground(lines: Sequence[Line], encoder: str, idf: Mapping[str, Any]) -> Weights:
    """What features rest on: how rare words are, how near strange posts are."""
    mean, spread = _background(lines)
    return replace(
        BLANK, encoder=encoder, vector_mean=mean, vector_spread=spread, **idf
    )  # fmt: skip


def lessons(lines: Sequence[Line], grounded: Weights) -> dict[str, Lessons]:
    """Of each part."""
    return {part: _lessons(own, Linker(grounded)) for part, own in _by_part(lines).items()}


def fit(grounded: Weights, taught: Iterable[Lessons]) -> Weights:
    """Weights learnt on these lessons."""
    taught = list(taught)
    pairs = np.vstack([each.pairs for each in taught])
    are_one = np.concatenate([each.are_one for each in taught])
    threads = np.vstack([each.threads for each in taught])
    are_stories = np.concatenate([each.are_stories for each in taught])
    weight = np.where(are_one, 1.0, STRANGERS)
    without = _logistic(pairs[:, :-VECTOR_FEATURES], are_one, weight, PAIR_PENALTY)
    return replace(
        grounded,
        with_vector=_logistic(pairs, are_one, weight, PAIR_PENALTY),
        without_vector=[*without[:-1], *[0.0] * VECTOR_FEATURES, without[-1]],
        thread=_logistic(threads, are_stories, np.ones(len(threads)), THREAD_PENALTY),
    )


def _lessons(lines: Sequence[Line], linker: Linker) -> Lessons:
    """Pairs within WINDOW, of strangers one of STRANGERS; posts with comments."""
    chance = np.random.default_rng(7)
    talked = {line.post.parent_id for line in lines if line.post.parent_id}
    posts = [(line.story, linker.see(line.post, line.analysis, line.home)) for line in lines]
    threads = [(story, post) for story, post in posts if post.id in talked]
    posts = [(story, post) for story, post in posts if not post.is_comment and not post.is_ad]
    pairs = [
        (linker.features(post, earlier), is_one)
        for number, (story, post) in enumerate(posts)
        for other, earlier in posts[:number]
        if post.at - earlier.at <= WINDOW
        and ((is_one := story is not None and story == other) or chance.random() < 1 / STRANGERS)
    ]
    return Lessons(
        pairs=np.array([features for features, _ in pairs], dtype=np.float64).reshape(-1, len(FEATURES)),
        are_one=np.array([is_one for _, is_one in pairs], dtype=bool),
        threads=np.array([thread_features(post) for _, post in threads]).reshape(-1, len(THREAD)),
        are_stories=np.array([story is not None for story, _ in threads], dtype=bool),
    )


def _logistic(rows: _Floats, labels: npt.NDArray[np.bool_], weight: _Floats, penalty: float) -> list[float]:
    """Weights and bias on the features as they are; the penalty is on the standardised. Newton's steps."""
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    x = np.hstack([(rows - mean) / spread, np.ones((len(rows), 1))])
    ridge = np.full(x.shape[1], penalty)
    ridge[-1] = 1e-6
    found = np.zeros(x.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(x @ found, -30, 30)))
        slope = x.T @ (weight * (labels - p)) - ridge * found
        curve = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        found += step
        if np.abs(step).max() < 1e-4:
            break
    own = found[:-1] / spread
    return [round(float(each), 4) for each in (*own, found[-1] - own @ mean)]


def _background(lines: Sequence[Line]) -> tuple[float, float]:
    """Cosine of posts that have nothing to do with each other: mean and spread."""
    chance = np.random.default_rng(7)
    vectors = np.array([line.analysis.vector for line in lines if line.analysis.vector], dtype=np.float32)
    if not len(vectors):
        return 0.0, 1.0
    one, other = chance.integers(0, len(vectors), (2, 20_000))
    near = np.einsum("ij,ij->i", vectors[one], vectors[other])[one != other]
    return round(float(near.mean()), 4), round(float(near.std()), 4)


def idf_of(paths: Iterable[Path]) -> dict[str, Any]:
    """How rare lemmas are in the texts of labelled files."""
    names = load_district().name_lemmas
    texts = [row["text"] for path in paths for row in _rows(path)]
    counts = Counter(lemma for text in texts for lemma in set(cleaned_lemmas(text, names)))
    total = len(texts)
    idf = {lemma: round(math.log(total / (1 + n)), 3) for lemma, n in sorted(counts.items()) if n >= 3}
    return {"idf": idf, "unknown_idf": round(math.log(total / 2), 3)}


# --- judging ------------------------------------------------------------------------------------------


def tune(taught: Mapping[str, Weights], lines: Sequence[Line]) -> tuple[dict[str, Any], dict[str, Judged]]:
    """Thresholds with the best mean F1 over the parts, each judged by its own weights; and the figures."""
    own = _by_part(lines)
    best: tuple[float, dict[str, Any], dict[str, Judged]] = (-1.0, {}, {})
    for values in product(*TRIED.values()):
        tried: dict[str, Any] = dict(zip(TRIED, values, strict=True))
        judged = {part: judge(replace(weights, **tried), own[part]) for part, weights in taught.items()}
        mean = float(np.mean([each.f1 for each in judged.values()]))
        logger.info("%s: mean F1 %.3f", tried, mean)
        best = max(best, (mean, tried, judged), key=lambda each: each[0])
    return best[1], best[2]


def judge(weights: Weights, lines: Sequence[Line]) -> Judged:
    """The lines of one part placed as the service would place them, against their labels."""
    linker, duplicates = Linker(weights), Duplicates()
    book = StoryBook(linker)
    said: dict[str, str | None] = {}
    for line in lines:
        copy_of = duplicates.place(line.post.id, line.post.text, line.post.published_at)
        placing = book.place(linker.see(line.post, replace(line.analysis, duplicate_of=copy_of), line.home))
        said |= {line.post.id: placing.story_id, **placing.changed}
    found, labelled = _same(said), _same({line.post.id: line.story for line in lines})
    return Judged(common=len(found & labelled), said=len(found), labelled=len(labelled))


def _same(stories: Mapping[str, str | None]) -> _PairSet:
    groups: dict[str, list[str]] = defaultdict(list)
    for post_id, story in stories.items():
        if story:
            groups[story].append(post_id)
    return {frozenset(pair) for group in groups.values() for pair in combinations(group, 2)}


def _by_part(lines: Iterable[Line]) -> dict[str, list[Line]]:
    parts: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        parts[line.part].append(line)
    return parts


def _post(row: Mapping[str, Any]) -> Post:
    return Post(
        id=row["id"],
        network=Network(row["platform"]),
        kind=PostKind(row["kind"]),
        source=row["source"],
        author=str(row["author"]),
        published_at=datetime.fromisoformat(row["published_at"]),
        text=row["text"],
        parent_id=row["parent"],
    )


def write(weights: Weights, folder: Path = FOLDER) -> None:
    """Replace the shipped weights."""
    rows = [f"{lemma}\t{value}" for lemma, value in weights.idf.items()]
    (folder / "idf.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    facts = {name: getattr(weights, name) for name in Weights.__slots__ if name != "idf"}
    (folder / "weights.json").write_text(
        json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m nlp.linking.fit", description=__doc__)
    parser.add_argument("corpus", nargs="+", type=Path, help="labelled parts to learn and judge by")
    parser.add_argument("--cache", type=Path, help="folder where analyses are kept from run to run")
    parser.add_argument("--words", nargs="+", type=Path, help="files to count words in anew; else as shipped")
    parser.add_argument("--only-judge", nargs="*", default=[], help="parts that never teach, such as dev")
    parser.add_argument("--dry", action="store_true", help="leave the shipped weights as they are")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    models = load_models()
    lines = read_corpus(options.corpus, Analyser(models, load_district()), options.cache)
    aside = [line for line in lines if line.part in options.only_judge]
    lines = [line for line in lines if line.part not in options.only_judge]
    idf = read_words() if options.words is None else idf_of(options.words)
    grounded = ground(lines, models.encoder.name, idf)
    taught = lessons(lines, grounded)
    apart = {part: fit(grounded, [taught[each] for each in taught if each != part]) for part in taught}
    thresholds, judged = tune(apart, lines)
    for part, told in judged.items():
        logger.info("%s left out: %s", part, told)
    weights = replace(fit(grounded, taught.values()), **thresholds)
    for part, own in _by_part(aside).items():
        logger.info("%s only judged: %s", part, judge(weights, own))
    if not options.dry:
        write(weights)


if __name__ == "__main__":
    main()
