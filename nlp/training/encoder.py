"""Fine-tunes the encoder: one multi-task run over district labels, stories and the public sets."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from nlp.models.labels import COLUMNS, INTENTS, RISKS, SENTIMENTS, TOPICS, WIDTH
from nlp.models.wording import fold
from nlp.training.corpus import Line

LAYERS = range(8)  # of the base's twelve: two thirds of the time; what the upper ones add is relearnt
BATCH = 32
TOKENS = 72  # of one text in training; 85 % of the corpus with its context is shorter
WARM_UP = 60  # steps
SMOOTHING = 0.05
STORY_WEIGHT = 0.5  # of the contrastive loss beside the sum of the label losses
STORY_TEMPERATURE = 0.07
GREETINGS = ("Здравствуйте! ", "Добрый день. ", "Всем привет, ", "Доброго времени суток! ", "Добрый вечер, ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. The share of a public set is what an epoch sees of it, drawn anew each time."""

    epochs: float
    rate: float  #: peak learning rate, then linear decay to 0
    minutes: float = 150.0  #: at most; on a slow machine the rate decays by the clock and the run ends whole
    seed: int = 17
    tweets: float = 0.5
    toxic: float = 0.5
    kursk: float = 1.0
    public: float = 1.0  #: times these shares; none goes over the whole set
    fresh: Sequence[str] = ()  #: parts that a run which goes on has not seen: see `rows_of_epoch`


class MultiTask(nn.Module):
    """The encoder with one linear layer over all labels; columns as `COLUMNS` says."""

    def __init__(self, bert: Any, *, kursk_classes: int) -> None:
        super().__init__()
        hidden: int = bert.config.hidden_size
        self.bert = bert
        self.dropout = nn.Dropout(0.1)
        self.district = nn.Linear(hidden, WIDTH)
        self.tweets = nn.Linear(hidden, 5)
        self.toxic = nn.Linear(hidden, 1)
        self.kursk = nn.Linear(hidden, kursk_classes)

    def pooled(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        unit: torch.Tensor = F.normalize((states * weights).sum(1) / weights.sum(1), dim=1)
        return unit

    def heads_input(self, pooled: torch.Tensor) -> torch.Tensor:
        """Unit vectors are what the service keeps, so the layers learn on them, scaled to ordinary size."""
        dropped: torch.Tensor = self.dropout(pooled * pooled.shape[1] ** 0.5)
        return dropped


@dataclass(slots=True)
class Targets:
    """Labels of all lines as tensors, by task."""

    relevance: torch.Tensor
    intent: torch.Tensor
    topic_group: torch.Tensor
    sentiment: torch.Tensor
    risks: torch.Tensor
    severity: torch.Tensor
    needs_answer: torch.Tensor
    story: np.ndarray
    risk_weight: torch.Tensor

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Targets:
        risks = torch.tensor([[float(risk in line.risks) for risk in RISKS] for line in lines])
        rate = risks.mean(0).clamp(min=1e-3)
        stories = {story: number for number, story in enumerate(sorted({line.story or "" for line in lines}))}
        return cls(
            relevance=torch.tensor([float(line.relevant) for line in lines]),
            intent=torch.tensor([INTENTS.index(line.intent) for line in lines]),
            topic_group=torch.tensor([TOPICS.index(line.topic_group) for line in lines]),
            sentiment=torch.tensor([SENTIMENTS.index(line.sentiment) for line in lines]),
            risks=risks,
            severity=torch.tensor([[float(line.severity >= level) for level in (1, 2, 3)] for line in lines]),
            needs_answer=torch.tensor([float(line.needs_answer) for line in lines]),
            story=np.array([stories[line.story] if line.story else -1 for line in lines]),
            risk_weight=((1 - rate) / rate).sqrt(),
        )


def district_loss(
    logits: torch.Tensor, pooled: torch.Tensor, targets: Targets, rows: list[int]
) -> torch.Tensor:
    """Sum of the label losses and the story loss of one batch."""
    parts = dict(zip(COLUMNS, torch.split(logits, list(COLUMNS.values()), dim=1), strict=True))
    bce, ce = F.binary_cross_entropy_with_logits, F.cross_entropy
    loss = bce(parts["relevance"][:, 0], targets.relevance[rows])
    for task in ("intent", "topic_group", "sentiment"):
        loss = loss + ce(parts[task], getattr(targets, task)[rows], label_smoothing=SMOOTHING)
    loss = loss + 10 * bce(parts["risks"], targets.risks[rows], pos_weight=targets.risk_weight)
    loss = loss + 3 * bce(parts["severity"], targets.severity[rows])
    loss = loss + 2 * bce(parts["needs_answer"][:, 0], targets.needs_answer[rows])
    return loss + STORY_WEIGHT * story_loss(pooled, torch.from_numpy(targets.story[rows]))


def story_loss(pooled: torch.Tensor, story: torch.Tensor) -> torch.Tensor:
    """Supervised contrastive loss: lines of one story near, all others of the batch far."""
    same = (story[:, None] == story[None, :]) & (story[:, None] >= 0)
    same.fill_diagonal_(False)
    if not same.any():
        return pooled.new_zeros(())
    scores = pooled @ pooled.T / STORY_TEMPERATURE
    scores = scores.masked_fill(torch.eye(len(story), dtype=torch.bool), -1e4)
    log_p = scores - scores.logsumexp(1, keepdim=True)
    has = same.any(1)
    return -((log_p * same).sum(1)[has] / same.sum(1)[has]).mean()


def augmented(line: Line, rng: random.Random) -> str:
    """The encoder's text of a line with the carelessness of life: no source, slips, lost commas."""
    given = line.head_input()
    text = line.text
    if rng.random() < 0.06:
        text = rng.choice(GREETINGS) + text
    if rng.random() < 0.10:
        text = text.replace(",", "").replace(".", "")
    if rng.random() < 0.12:
        text = slipped(text, rng)
    if rng.random() < 0.25:
        text = thinned(text, rng)
    source = "" if rng.random() < 0.12 else line.source
    changed = type(given)(text=text, source=source, parent_text=given.parent_text)
    return fold(changed.encoder_text)


def slipped(text: str, rng: random.Random) -> str:
    """About one slip in 25 letters: a letter lost, doubled or swapped with its neighbour."""
    letters = list(text)
    for _ in range(1 + len(text) // 25):
        at = rng.randrange(len(letters)) if letters else 0
        if not letters or not letters[at].isalpha():
            continue
        match rng.randrange(3):
            case 0:
                letters[at] = ""
            case 1:
                letters[at] = letters[at] * 2
            case _ if at + 1 < len(letters):
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)


def thinned(text: str, rng: random.Random) -> str:
    """About one word in nine lost, so that no label hangs on a single word that one writer liked."""
    words = text.split(" ")
    if len(words) < 6:  # a short text may turn on any of its words
        return text
    return " ".join(word for word in words if rng.random() > 0.11)


def rows_of_epoch(lines: Sequence[Line], fresh: Sequence[str], rng: random.Random) -> list[int]:
    """Every line once; with fresh parts theirs twice and half of the others, which were read often before."""
    if not fresh:
        return list(range(len(lines)))
    rows = [row for row, line in enumerate(lines) if line.part in fresh]
    others = [row for row, line in enumerate(lines) if line.part not in fresh]
    return rows * 2 + rng.sample(others, len(others) // 2)


def district_batches(lines: Sequence[Line], rows: Sequence[int], rng: random.Random) -> list[list[int]]:
    """The rows of an epoch, lines of a story together.

    Half of the batches hold one part only: near misses of one writer are the hard negatives of stories.
    """
    units = _units(lines, rows, rng)
    rng.shuffle(units)
    half = len(units) // 2
    batches: list[list[int]] = []
    mixed = sorted(units[:half], key=lambda unit: _width(lines, unit) + rng.random() * 30)
    by_part = sorted(
        units[half:], key=lambda unit: (lines[unit[0]].part, _width(lines, unit) + rng.random() * 30)
    )
    for group in (mixed, by_part):
        batch: list[int] = []
        for unit in group:
            batch += unit
            if len(batch) >= BATCH:
                batches.append(batch)
                batch = []
        if len(batch) > 4:
            batches.append(batch)
    return batches


def _width(lines: Sequence[Line], unit: list[int]) -> int:
    """Characters of the longest text of a unit: batches of about one length waste no work on padding."""
    return max(len(lines[row].head_input().encoder_text) for row in unit)


def _units(lines: Sequence[Line], rows: Sequence[int], rng: random.Random) -> list[list[int]]:
    stories: dict[str, list[int]] = {}
    units: list[list[int]] = []
    for row in rows:
        if story := lines[row].story:
            stories.setdefault(story, []).append(row)
        else:
            units.append([row])
    for members in stories.values():
        rng.shuffle(members)
        units += [members[at : at + 3] for at in range(0, len(members), 3)]
    return units


def labelled_batches(
    rows: Sequence[tuple[str, int]], share: float, rng: random.Random
) -> list[list[tuple[str, int]]]:
    """Batches of a public set, texts of about one length together."""
    drawn = rng.sample(list(rows), int(len(rows) * share))
    drawn.sort(key=lambda row: len(row[0]) + rng.random() * 40)
    return [drawn[at : at + BATCH] for at in range(0, len(drawn), BATCH)]


@dataclass(slots=True)
class Trainer:
    """One fine-tuning run. `train` writes the weights so far as `last.pt` every hundred steps."""

    model: MultiTask
    tokenizer: Tokenizer
    lines: Sequence[Line]
    tweets: Sequence[tuple[str, int]]
    toxic: Sequence[tuple[str, int]]
    kursk: Sequence[tuple[str, int]]
    folder: Path

    def train(self, plan: Plan) -> None:
        rng = random.Random(plan.seed)  # noqa: S311
        torch.manual_seed(plan.seed)
        targets = Targets.of(self.lines)
        steps = self._steps(plan, rng)
        learning = [each for each in self.model.parameters() if each.requires_grad]
        optimiser = torch.optim.AdamW(learning, lr=plan.rate, weight_decay=0.01, fused=True)
        self.model.train()
        started, losses, done = time.monotonic(), [], 0.0
        for number, (task, batch) in enumerate(steps, 1):
            for group in optimiser.param_groups:
                group["lr"] = plan.rate * min(1.0, number / WARM_UP) * (1 - done)
            optimiser.zero_grad()
            loss = self._loss(task, batch, targets, rng)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimiser.step()
            if task == "district":
                losses.append(float(loss.detach()))
            spent = time.monotonic() - started
            done = max(number / len(steps), spent / 60 / plan.minutes)
            if number % 25 == 0:
                print(
                    f"{number}/{len(steps)} loss {np.mean(losses[-150:]):.3f} {spent / number:.2f} s/step",
                    flush=True,
                )
            if number % 100 == 0 or done >= 1:
                torch.save(self.model.state_dict(), self.folder / "last.pt")
            if done >= 1:
                break
        figures = {"steps": number, "loss": float(np.mean(losses[-150:]))}
        (self.folder / "run.json").write_text(json.dumps(figures))

    def _steps(self, plan: Plan, rng: random.Random) -> list[tuple[str, list[Any]]]:
        steps: list[tuple[str, list[Any]]] = []
        while plan.epochs > 0:
            rows = rows_of_epoch(self.lines, plan.fresh, rng)
            epoch: list[tuple[str, list[Any]]] = [
                ("district", batch) for batch in district_batches(self.lines, rows, rng)
            ]
            for task in ("tweets", "toxic", "kursk"):
                share = min(1.0, getattr(plan, task) * plan.public)
                epoch += [(task, batch) for batch in labelled_batches(getattr(self, task), share, rng)]
            rng.shuffle(epoch)
            done = sum(1 for _ in steps) / len(epoch)
            if done >= plan.epochs - 0.05:
                break
            steps += epoch[: int(len(epoch) * min(1.0, plan.epochs - done))]
        return steps

    def _loss(self, task: str, batch: list[Any], targets: Targets, rng: random.Random) -> torch.Tensor:
        if task == "district":
            texts = [augmented(self.lines[row], rng) for row in batch]
            pooled = self.model.pooled(*self._encode(texts))
            return district_loss(self.model.district(self.model.heads_input(pooled)), pooled, targets, batch)
        texts = [fold(text) for text, _ in batch]
        pooled = self.model.heads_input(self.model.pooled(*self._encode(texts)))
        labels = torch.tensor([label for _, label in batch])
        logits = getattr(self.model, task)(pooled)
        if task == "toxic":
            return F.binary_cross_entropy_with_logits(logits[:, 0], labels.float() * 0.95 + 0.025)
        return F.cross_entropy(logits, labels, label_smoothing=SMOOTHING)

    def _encode(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        encoded = self.tokenizer.encode_batch(list(texts))
        longest = max(len(one.ids) for one in encoded)
        ids = torch.full((len(encoded), longest), self.tokenizer.token_to_id("<pad>") or 0)
        mask = torch.zeros((len(encoded), longest), dtype=torch.long)
        for row, one in enumerate(encoded):
            ids[row, : len(one.ids)] = torch.tensor(one.ids)
            mask[row, : len(one.ids)] = 1
        return ids, mask
