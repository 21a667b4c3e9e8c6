"""Retrains the heads from officers' corrections: `mcu train heads`. In under a minute, without torch.

The shipped layers stay as they are; a small layer over the n-grams of the corrected posts is added to their
outputs. It is tried on corrections it has not seen, and takes over only when it is right more often.
"""

from __future__ import annotations

import fcntl
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.desk import Desk
from index.desk.corrections import Correction
from index.domain.analysis import Intent, Risk, Sentiment
from index.errors import Conflict, NotFound
from index.posts.base import PostIndex
from index.posts.query import Record
from index.settings import Settings
from nlp.analyse import analysed_text, head_input
from nlp.district import load_district
from nlp.models import CURRENT, LoadedModels, current_heads, heads_version, load_models
from nlp.models.base import HeadInput
from nlp.models.features import names_of
from nlp.models.heads import Taught, save_heads
from nlp.models.labels import INTENTS, RISKS, SENTIMENTS, SPANS, TOPICS, WIDTH, activate
from nlp.stages.places import PlaceFinder
from nlp.stages.text import read
from nlp.training.corpus import read_lines
from nlp.training.inputs import head_inputs
from nlp.training.linear import Layer, fit

Array = npt.NDArray[np.float32]

ENOUGH = 20  # corrected posts; fewer teach nothing that can be tried
HELD_OF_FOUR = 1  # of four posts one is held back
SHARED_BY = 2  # corrected posts that must share a feature before it may carry anything
PENALTY = 5e-4  # per post: a correction moves what is said of its like; 1e-3 moved 40 posts too little
PROBE = Path(__file__).parent / "corpus" / "x1.jsonl"  # lines on which nothing may get worse
PROBE_LOSS = 0.01  # share of decisions on the probe that may be lost
PREVIOUS = "previous"  # file beside CURRENT: the heads before the last retraining
LOCK = "training"  # file beside CURRENT, locked while heads learn or change
SUBJECT = "models:heads"  # in the audit, where every retraining leaves its figures
TAUGHT, KEPT, RETURNED = "heads_taught", "heads_kept", "heads_returned"  # what the audit says was done


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a retraining did. Shares are of corrected fields that the heads decide as the officers did."""

    posts: int
    fields: int
    before: float | None = None  #: on the held-back corrections; None: too few to try
    after: float | None = None
    probe: float = 0.0  #: change of the share of right decisions on the probe
    taken: bool = False
    version: str = ""

    def as_text(self) -> str:
        if self.before is None or self.after is None:
            return f"Правок мало: постов {self.posts}, нужно {ENOUGH}. Модели прежние."
        held = f"на отложенных правках верно {self.before:.0%} → {self.after:.0%}"
        figures = f"{held}, на проверочных постах {self.probe:+.1%}"
        taken = f"Новые модели {self.version} вступили в работу"
        verdict = taken if self.taken else "Новые не лучше, модели прежние"
        return f"Постов с правками {self.posts}, полей {self.fields}. {verdict}: {figures}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """Corrected posts as the heads read them. `known` marks the outputs that an officer decided."""

    inputs: list[HeadInput]
    own: Array  #: outputs before any teaching
    y: Array
    known: npt.NDArray[np.bool_]
    held: npt.NDArray[np.bool_]

    def part(self, rows: npt.NDArray[np.bool_]) -> Lessons:
        return Lessons(
            inputs=[given for given, chosen in zip(self.inputs, rows, strict=True) if chosen],
            own=self.own[rows], y=self.y[rows], known=self.known[rows], held=self.held[rows],
        )  # fmt: skip


def train_on_corrections(
    desk: Desk, posts: PostIndex, *, settings: Settings, now: datetime, actor: str = "service"
) -> Report:
    """Try what the corrections teach, take it over when better. Repeating it changes nothing more.

    Running processes take the new heads before their next batch. Leaves a row in the audit with the figures
    unless there was too little to try. Raises Conflict while another retraining is under way.
    """
    with _alone(settings.data):
        return _train(desk, posts, settings, now, actor)


def _train(desk: Desk, posts: PostIndex, settings: Settings, now: datetime, actor: str) -> Report:
    by_post: dict[str, list[Correction]] = {}
    for correction in desk.corrections.since():
        by_post.setdefault(correction.post_id, []).append(correction)
    records = posts.get_many(list(by_post))
    corrected = [(records[post_id], said) for post_id, said in by_post.items() if post_id in records]
    fields = sum(len(said) for _, said in corrected)
    if len(corrected) < ENOUGH:
        return Report(posts=len(corrected), fields=fields)
    models = load_models(settings.encoder)  # always from the shipped heads: corrections are kept, not layers
    lessons = _lessons(corrected, posts, models, settings)
    tried = taught(models, lessons.part(~lessons.held))
    held = lessons.part(lessons.held)
    before, after = right_share(models, held, None), right_share(models, held, tried)
    probe = _probe(models, tried)
    report = Report(posts=len(corrected), fields=fields, before=before, after=after, probe=probe)
    if after <= before or probe < -PROBE_LOSS:
        desk.audit.note(KEPT, SUBJECT, actor=actor, at=now, **asdict(report))
        return report
    name, version = _save(models, taught(models, lessons), settings.data, now)
    report = replace(report, taken=True, version=version)
    desk.audit.note(TAUGHT, SUBJECT, actor=actor, at=now, **asdict(report))
    _take_over(settings.data, name)
    return report


def step_back(desk: Desk, *, data: Path, now: datetime, actor: str = "service") -> str:
    """Back to the heads before the last retraining; their version. Raises NotFound, Conflict.

    Running processes take them before their next batch. Leaves a row in the audit.
    """
    with _alone(data):
        if not can_step_back(data):
            raise NotFound("Дообученных моделей ещё не было: возвращаться не к чему.")
        folder = data / "models"
        name = (folder / PREVIOUS).read_text(encoding="utf-8").strip()
        version = heads_version(folder / name if name else None)
        desk.audit.note(RETURNED, SUBJECT, actor=actor, at=now, version=version)
        if name:
            _write(folder / CURRENT, name)
        else:
            (folder / CURRENT).unlink(missing_ok=True)
        (folder / PREVIOUS).unlink()
        return version


def can_step_back(data: Path) -> bool:
    """Whether there are heads before those in use."""
    return (data / "models" / PREVIOUS).is_file()


def is_training(data: Path) -> bool:
    """Whether heads learn at this moment, in this process or another."""
    try:
        with _alone(data):
            return False
    except Conflict:
        return True


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """One at a time on a data folder; a killed process leaves nothing locked."""
    folder = data / "models"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("Модели уже дообучаются. Подождите минуту.") from None
        yield


# --- learning -----------------------------------------------------------------------------------------


def taught(models: LoadedModels, lessons: Lessons) -> Taught:
    """The layer that moves the outputs of posts like these towards what the officers said."""
    vocabulary = models.heads.weights.vocabulary
    x = vocabulary.matrix([names_of(given) for given in lessons.inputs])
    shared = np.flatnonzero(np.asarray((x > 0).sum(axis=0)).ravel() >= SHARED_BY).astype(np.int32)
    small = x[:, shared].tocsr()
    target = np.where(lessons.known[:, :WIDTH], lessons.y[:, :WIDTH], activate(lessons.own[:, :WIDTH]))
    start = Layer(np.zeros((len(shared), WIDTH), np.float32), np.zeros(WIDTH, np.float32))
    layer = fit(
        small, target.astype(np.float32), penalty=PENALTY, rounds=150, rate=0.1, start=start,
        offset=lessons.own[:, :WIDTH],
    )  # fmt: skip
    weights = np.hstack([layer.weights, np.zeros((len(shared), 1), np.float32)])  # toxicity is not corrected
    return Taught(columns=shared, weights=weights, bias=np.zeros(WIDTH + 1, np.float32))


def right_share(models: LoadedModels, lessons: Lessons, layer: Taught | None) -> float:
    """Share of the decided fields that come out as the officers decided them."""
    z = lessons.own
    if layer is not None:
        vocabulary = models.heads.weights.vocabulary
        z = z + layer.outputs(vocabulary.matrix([names_of(given) for given in lessons.inputs]))
    said = _decided(models, activate(z[:, :WIDTH]))
    known = lessons.known[:, :WIDTH]
    return float((said == (lessons.y[:, :WIDTH] > 0.5))[known].mean()) if known.any() else 0.0


def _decided(models: LoadedModels, p: Array) -> npt.NDArray[np.bool_]:
    """Outputs as yes or no: the likeliest of a closed set, else over the threshold."""
    thresholds = models.thresholds
    limits = np.full(WIDTH, 0.5, dtype=np.float32)
    limits[SPANS["relevance"]] = thresholds.relevance
    limits[SPANS["needs_answer"]] = thresholds.needs_answer
    limits[SPANS["severity"]] = thresholds.severity
    limits[SPANS["risks"]] = [thresholds.risks.get(risk, 0.5) for risk in RISKS]
    said = p >= limits
    for task in ("intent", "topic_group", "sentiment"):
        block = p[:, SPANS[task]]
        said[:, SPANS[task]] = block == block.max(axis=1, keepdims=True)
    return np.asarray(said)


def _probe(models: LoadedModels, layer: Taught) -> float:
    """How the share of right relevance, risks and severity changes on lines that ship with the service."""
    lines = read_lines(PROBE)
    inputs = head_inputs(lines)
    own = models.outputs(inputs, models.encoder.encode([given.encoder_text for given in inputs]))
    y = np.zeros((len(lines), WIDTH + 1), dtype=np.float32)
    known = np.zeros(y.shape, dtype=bool)
    for row, line in enumerate(lines):
        for field, value in (
            ("relevant", line.relevant), ("severity", line.severity),
            ("risks", [risk.value for risk in line.risks]),
        ):  # fmt: skip
            _mark(y[row], known[row], field, value)
    lessons = Lessons(inputs=inputs, own=own, y=y, known=known, held=np.zeros(len(lines), bool))
    return right_share(models, lessons, layer) - right_share(models, lessons, None)


# --- corrected posts ----------------------------------------------------------------------------------


def _lessons(
    corrected: Sequence[tuple[Record, list[Correction]]],
    posts: PostIndex,
    models: LoadedModels,
    settings: Settings,
) -> Lessons:
    finder = PlaceFinder(load_district(settings.district))
    parents = posts.get_many([record.post.parent_id for record, _ in corrected if record.post.parent_id])
    inputs = [_input(record, parents, finder) for record, _ in corrected]
    y = np.zeros((len(corrected), WIDTH + 1), dtype=np.float32)
    known = np.zeros(y.shape, dtype=bool)
    for row, (_, said) in enumerate(corrected):
        for correction in said:
            _mark(y[row], known[row], correction.field, correction.value)
    own = models.outputs(inputs, models.encoder.encode([given.encoder_text for given in inputs]))
    held = np.array([zlib.crc32(record.post.id.encode()) % 4 < HELD_OF_FOUR for record, _ in corrected])
    return Lessons(inputs=inputs, own=own, y=y, known=known, held=held)


def _input(record: Record, parents: dict[str, Record], finder: PlaceFinder) -> HeadInput:
    post = record.post
    text = analysed_text(post)
    parent = parents.get(post.parent_id or "")
    places = finder.find(read(text), text, source=post.source, home=post.source_home)
    return head_input(post, text, parent.post if parent else None, places, finder)


def _mark(y: Array, known: npt.NDArray[np.bool_], field: str, value: Any) -> None:
    """Write one field of one post into its row of targets."""
    task = "relevance" if field == "relevant" else field
    span = SPANS[task]
    match field:
        case "intent":
            chosen = [each is Intent(value) for each in INTENTS]
        case "sentiment":
            chosen = [each is Sentiment(value) for each in SENTIMENTS]
        case "topic_group":
            if value not in TOPICS:
                return  # a group of another version of the taxonomy
            chosen = [each == value for each in TOPICS]
        case "risks":
            named = {Risk(each) for each in value}
            chosen = [each in named for each in RISKS]
        case "severity":
            chosen = [value >= level for level in (1, 2, 3)]
        case _:
            chosen = [bool(value)]
    y[span] = chosen
    known[span] = True


# --- taking over --------------------------------------------------------------------------------------


def _save(models: LoadedModels, layer: Taught, data: Path, now: datetime) -> tuple[str, str]:
    """Save the new heads whole in a folder of their own: its name, and their version."""
    folder = data / "models"
    moment, again = f"{now:%Y%m%d.%H%M%S}", 0
    while (folder / (name := f"heads-{moment}{f'-{again}' if again else ''}")).exists():
        again += 1  # a name never stands for other weights than before
    version = f"{models.heads.card['version']}+{name.removeprefix('heads-')}"
    fresh = folder / f"{name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    card = {key: value for key, value in models.heads.card.items() if key != "format"}
    save_heads(fresh, replace(models.heads.weights, taught=layer), {**card, "version": version})
    fresh.rename(folder / name)
    return name, version


def _take_over(data: Path, name: str) -> None:
    """Point to the new heads; those before stay for a step back, older ones go."""
    folder = data / "models"
    current = current_heads(data)
    before = current.name if current else ""
    _write(folder / PREVIOUS, before)
    _write(folder / CURRENT, name)
    for old in folder.glob("heads-*"):
        if old.name not in (name, before):
            shutil.rmtree(old, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    """Whole or not at all: another process may read it at this moment."""
    draft = path.with_suffix(".tmp")
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(path)
