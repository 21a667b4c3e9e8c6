"""Learns the weights of story linking on the labelled corpus: `python -m nlp.linking.fit CORPUS.jsonl …`.

Posts are analysed by the shipped models, so that the weights trust topics, risks and vectors as far as they
deserve; run it again when the models change. Parts of the corpus are judged by leaving them out.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from index.domain.analysis import Analysis
from index.domain.post import Network, Post, PostKind
from nlp.analyse import Analyser
from nlp.district import load_district
from nlp.linking import FEATURES, FOLDER, THREAD, WINDOW, Linker, Seen, Weights, thread_features
from nlp.models import load_models
from nlp.stages.duplicates import Duplicates
from nlp.stages.places import PlaceFinder
from nlp.stories import StoryBook

logger = logging.getLogger(__name__)

BATCH = 512  # posts
TUNED_PARTS = 6  # of the corpus, for the thresholds: each trial reads them all anew
_PairSet: TypeAlias = set[frozenset[str]]
BLANK = Weights(
    idf={}, unknown_idf=9.0, encoder="", vector_mean=0.0, vector_spread=1.0,
    with_vector=[0.0] * (len(FEATURES) + 1), without_vector=[0.0] * len(FEATURES),
    thread=[0.0] * (len(THREAD) + 1), join=0.0, thread_join=0.0,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A labelled post with what nlp says of it."""

    part: str
    post: Post
    analysis: Analysis
    home: frozenset[str]
    story: str | None
    seen: Seen | None = None


def read_corpus(paths: Iterable[Path], analyser: Analyser) -> list[Line]:
    """Labelled lines with their analyses, oldest first within a part."""
    rows = [json.loads(row) for path in paths for row in path.read_text(encoding="utf-8").splitlines()]
    finder = PlaceFinder(analyser.district)
    posts = {row["id"]: _post(row) for row in rows}
    lines = []
    for at in range(0, len(rows), BATCH):
        batch = rows[at : at + BATCH]
        analyses = analyser.analyse([posts[row["id"]] for row in batch], posts, at=datetime.now(UTC))
        lines += [
            _line(row, posts[row["id"]], told, finder) for row, told in zip(batch, analyses, strict=True)
        ]
    return sorted(lines, key=lambda line: (line.part, line.post.published_at, line.post.id))


def _line(row: dict[str, Any], post: Post, analysis: Analysis, finder: PlaceFinder) -> Line:
    part, home = row["id"].partition("-")[0], finder.home_of(row["source"])
    return Line(part=part, post=post, analysis=analysis, home=home, story=row["story"])


def fit(lines: Sequence[Line], encoder: str) -> Weights:
    """Weights learnt on these lines."""
    weights = replace(BLANK, encoder=encoder, **_idf(lines))
    mean, spread = _background(lines)
    weights = replace(weights, vector_mean=mean, vector_spread=spread)
    linker = Linker(weights)
    seen = _see(lines, linker)
    rows, labels = _pairs(seen, linker)
    threads, events = _threads(seen)
    return replace(
        weights,
        with_vector=_logistic(rows, labels) if spread != 1.0 else list(BLANK.with_vector),
        without_vector=_logistic(rows[:, :-1], labels),
        thread=_logistic(threads, events),
    )


def tune(weights: Weights, lines: Sequence[Line]) -> Weights:
    """The thresholds with the best F1 over pairs."""
    best, best_f1 = weights, 0.0
    parts = sorted({line.part for line in lines})[:TUNED_PARTS]
    chosen = [line for line in lines if line.part in parts]
    for join in (0.0, 0.4, 0.8):
        for thread_join in (-0.25, 0.25):
            tried = replace(weights, join=join, thread_join=thread_join)
            f1 = judge(tried, chosen)[2]
            if f1 > best_f1:
                best, best_f1 = tried, f1
    return best


def judge(weights: Weights, lines: Sequence[Line]) -> tuple[float, float, float]:
    """Precision, recall and F1 over pairs of posts of one story; each part is a world of its own."""
    common = found = labelled = 0
    for part in sorted({line.part for line in lines}):
        told, right = _pairs_of_part([line for line in lines if line.part == part], weights)
        common += len(told & right)
        found += len(told)
        labelled += len(right)
    precision, recall = common / max(1, found), common / max(1, labelled)
    return precision, recall, 2 * common / max(1, found + labelled)


def _pairs_of_part(lines: Sequence[Line], weights: Weights) -> tuple[_PairSet, _PairSet]:
    linker, duplicates = Linker(weights), Duplicates()
    book = StoryBook(linker)
    said: dict[str, str | None] = {}
    for line in lines:
        copy_of = duplicates.place(line.post.id, line.post.text, line.post.published_at)
        seen = linker.see(line.post, replace(line.analysis, duplicate_of=copy_of), line.home)
        placing = book.place(seen)
        said |= {line.post.id: placing.story_id, **placing.changed}
    return _same(said), _same({line.post.id: line.story for line in lines})


def _same(stories: dict[str, str | None]) -> _PairSet:
    groups: dict[str, list[str]] = defaultdict(list)
    for post_id, story in stories.items():
        if story:
            groups[story].append(post_id)
    return {frozenset(pair) for group in groups.values() for pair in combinations(group, 2)}


def _idf(lines: Sequence[Line]) -> dict[str, Any]:
    counts = Counter(lemma for line in lines for lemma in set(line.analysis.lemmas))
    total = len(lines)
    idf = {lemma: round(math.log(total / (1 + n)), 3) for lemma, n in sorted(counts.items()) if n >= 3}
    return {"idf": idf, "unknown_idf": round(math.log(total / 2), 3)}


def _background(lines: Sequence[Line]) -> tuple[float, float]:
    """Cosine of posts that have nothing to do with each other: mean and spread."""
    chance = np.random.default_rng(7)
    vectors = np.array([line.analysis.vector for line in lines if line.analysis.vector], dtype=np.float32)
    if not len(vectors):
        return 0.0, 1.0
    one, other = chance.integers(0, len(vectors), (2, 20_000))
    near = np.einsum("ij,ij->i", vectors[one], vectors[other])[one != other]
    return round(float(near.mean()), 4), round(float(near.std()), 4)


def _see(lines: Sequence[Line], linker: Linker) -> list[Line]:
    return [replace(line, seen=linker.see(line.post, line.analysis, line.home)) for line in lines]


def _pairs(lines: Sequence[Line], linker: Linker) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Features of pairs of posts within the window, and whether they share a story."""
    posts = [line for line in lines if line.seen and not line.seen.is_comment and not line.seen.is_ad]
    rows, labels = [], []
    for number, line in enumerate(posts):
        for earlier in reversed(posts[:number]):
            assert line.seen is not None  # noqa: S101
            assert earlier.seen is not None  # noqa: S101
            if earlier.part != line.part or line.seen.at - earlier.seen.at > WINDOW:
                break
            rows.append(linker.features(line.seen, earlier.seen))
            labels.append(line.story is not None and line.story == earlier.story)
    return np.array(rows), np.array(labels)


def _threads(lines: Sequence[Line]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Posts with comments: their features, and whether they are a story."""
    talked = {line.post.parent_id for line in lines if line.post.parent_id}
    posts = [line for line in lines if line.seen and line.post.id in talked]
    rows = [thread_features(line.seen) for line in posts if line.seen]
    return np.array(rows), np.array([line.story is not None for line in posts])


def _logistic(rows: npt.NDArray[np.float64], labels: npt.NDArray[np.bool_]) -> list[float]:
    model = LogisticRegression(max_iter=2_000).fit(rows, labels)
    return [round(float(each), 4) for each in (*model.coef_[0], model.intercept_[0])]


def _post(row: dict[str, Any]) -> Post:
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
    (folder / "weights.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", nargs="+", type=Path)
    parser.add_argument("--held-out", default="gus,t4,t13,t18,t23,t24", help="parts to judge by")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    models = load_models()
    lines = read_corpus(options.corpus, Analyser(models, load_district()))
    held = set(options.held_out.split(","))
    rest = [line for line in lines if line.part not in held]
    weights = tune(fit(rest, models.encoder.name), rest)
    for part in sorted(held):
        told = judge(weights, [line for line in lines if line.part == part])
        logger.info("%s: precision %.3f recall %.3f F1 %.3f", part, *told)
    write(replace(fit(lines, models.encoder.name), join=weights.join, thread_join=weights.thread_join))


if __name__ == "__main__":
    main()
