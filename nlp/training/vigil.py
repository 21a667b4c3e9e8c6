"""How many posts that must not be missed reach an officer: `python -m nlp.training.vigil --work FOLDER`.

Each held part passes through the real watching stage on an empty index, a quarter of an hour at a time, read
by heads that have not seen it. Counts what `mcu evaluate` cannot: alerts of stories, and how long they take.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np

from index.desk import Desk, open_desk
from index.domain.alert import Alert, AlertKind
from index.domain.post import Post
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.query import Record
from nlp.analyse import Analyser, analyse_waiting
from nlp.district import load_district
from nlp.models import LoadedModels
from nlp.models.onnx_encoder import OnnxEncoder
from nlp.training import stack
from nlp.training.build import HELD_PARTS, heads_apart, read_corpus
from nlp.training.corpus import Line
from nlp.training.inputs import as_post, head_inputs
from nlp.watch import Watcher

TURN = timedelta(minutes=15)
KINDS = (AlertKind.POST, AlertKind.STORY, AlertKind.BURST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vigil:
    """One part after it has passed."""

    posts: int
    alerts: int  #: raised, those of sources left out
    reached: Mapping[str, timedelta]  #: posts of severity 3 → how long after them the alert stood there
    missed: Sequence[Record]  #: posts of severity 3 that no alert holds

    def __str__(self) -> str:
        urgent = len(self.reached) + len(self.missed)
        waits = [wait.total_seconds() / 60 for wait in self.reached.values()]
        return (
            f"{len(self.reached)} of {urgent} reach an officer, half within {median(waits or [0]):.0f} min; "
            f"{self.alerts} alerts of {self.posts} posts ({self.alerts / self.posts:.3f})"
        )


def keep_vigil(lines: Sequence[Line], analyser: Analyser) -> Vigil:
    """Passes the lines through an empty service in order of time."""
    posts = sorted(map(as_post, lines), key=lambda post: (post.published_at, post.id))
    urgent = {line.id for line in lines if line.severity == 3}
    with tempfile.TemporaryDirectory() as folder:
        index, desk = open_posts("sqlite", Path(folder)), open_desk("sqlite", Path(folder))
        try:
            watcher = Watcher(index, desk, analyser.district, encoder=analyser.models.encoder.name)
            for now, batch in _turns(posts):
                index.add(batch)
                while analyse_waiting(index, analyser, now=now):
                    pass
                watcher.run(now)
            return _seen(posts, urgent, index, desk)
        finally:
            index.close()
            desk.close()


def _turns(posts: Sequence[Post]) -> Iterator[tuple[datetime, list[Post]]]:
    """Posts that came by the end of each quarter of an hour; quarters without posts are passed over."""
    batch: list[Post] = []
    until = posts[0].published_at + TURN
    for post in posts:
        if post.published_at > until:
            yield until, batch
            batch, until = [], post.published_at + TURN
        batch.append(post)
    yield until, batch


def _seen(posts: Sequence[Post], urgent: set[str], index: PostIndex, desk: Desk) -> Vigil:
    alerts = list(_alerts(desk))
    records = index.get_many([post.id for post in posts])
    reached, missed = {}, []
    for record in records.values():
        if record.post.id not in urgent:
            continue
        raised = [alert.raised_at for alert in alerts if _holds(alert, record)]
        if raised:
            reached[record.post.id] = max(timedelta(), min(raised) - record.post.published_at)
        else:
            missed.append(record)
    return Vigil(posts=len(posts), alerts=len(alerts), reached=reached, missed=missed)


def _holds(alert: Alert, record: Record) -> bool:
    """The post, its story, or what it repeats word for word is in the alert."""
    analysis = record.analysis
    if alert.kind is AlertKind.BURST or analysis is None:
        return False  # a burst says that a topic grows, not which post matters
    is_story = analysis.story_id is not None and alert.story_id == analysis.story_id
    return is_story or record.post.id in alert.post_ids or analysis.duplicate_of in alert.post_ids


def _alerts(desk: Desk) -> Iterator[Alert]:
    cursor = None
    while True:
        found, cursor = desk.alerts.find(kinds=KINDS, limit=500, cursor=cursor)
        yield from found
        if cursor is None:
            return


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m nlp.training.vigil", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder that `make train` was given")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    corpus, encoder = read_corpus(), OnnxEncoder(given.work)
    train = stack.sample_of(corpus.train, head_inputs(corpus.train))
    held, seen = train.take(corpus.held), train.take(corpus.seen)
    with np.load(given.work / "layers.npz") as layers:
        heads = heads_apart(held, seen, encoder, dict(layers))
    kept = {part: _of_part(held.lines, part, LoadedModels(encoder, heads[part])) for part in HELD_PARTS}
    for part, vigil in kept.items():
        print(f"{part}: {vigil}")
        for record in vigil.missed:
            score = record.analysis.risk_score if record.analysis else 0
            print(f"    {score:3d} {record.post.id}: {record.post.text[:120]!r}")
    reached = sum(len(vigil.reached) for vigil in kept.values())
    urgent = reached + sum(len(vigil.missed) for vigil in kept.values())
    share = sum(vigil.alerts for vigil in kept.values()) / sum(vigil.posts for vigil in kept.values())
    print(f"together: {reached} of {urgent} ({reached / urgent:.3f}), alerts {share:.3f} of the posts")


def _of_part(lines: Sequence[Line], part: str, models: LoadedModels) -> Vigil:
    return keep_vigil([line for line in lines if line.part == part], Analyser(models, load_district()))


if __name__ == "__main__":
    main()
