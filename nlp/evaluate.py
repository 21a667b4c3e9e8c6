"""Compares predictions of a file with its labels: every figure of quality, its interval, and by slice."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.domain.alert import AlertKind
from index.domain.analysis import Intent, Risk, Sentiment, Severity
from index.errors import Refused
from nlp.district import load_district
from nlp.rules import AlertRule, Facts, RuleMode

TOP_SHARE = 0.08  # of all posts that an officer can look at as alerts
RESAMPLES = 300  # of the bootstrap
LEAST_IN_GROUP = 5  # posts of a topic group, for the macro-F1
SHORT, LONG = 60, 200  # characters: slices by length
SEASONS = {
    12: "зима",
    1: "зима",
    2: "зима",
    3: "весна",
    4: "весна",
    5: "весна",
    6: "лето",
    7: "лето",
    8: "лето",
}

Row = Mapping[str, Any]
Rows = npt.NDArray[np.intp]
Metric = Callable[[Sequence[Row], Sequence[Row]], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One metric. `low` and `high` bound 95 % of the bootstrap; None: too little to say."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    goal: float | None = None  #: what the project set out to reach
    at_most: bool = False  #: the goal is not to be passed, not to be reached

    @property
    def is_reached(self) -> bool:
        """Whether there is a goal and the value meets it."""
        if self.value is None or self.goal is None:
            return False
        return self.value <= self.goal if self.at_most else self.value >= self.goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All figures of a file."""

    posts: int
    model: str
    figures: tuple[Figure, ...]
    by_risk: Mapping[str, Mapping[str, float]]  #: precision, recall, f1, support of each class
    calibration: Mapping[str, float]  #: expected calibration error of each probability
    slices: Mapping[str, Mapping[str, Mapping[str, float | None]]]  #: kind of slice → slice → metric → value

    def as_json(self) -> dict[str, Any]:
        """Everything, as `mcu evaluate --json` prints it."""
        figures = {
            f.name: {"value": f.value, "low": f.low, "high": f.high, "goal": f.goal} for f in self.figures
        }
        return {
            "posts": self.posts, "model": self.model, "figures": figures, "by_risk": self.by_risk,
            "calibration": self.calibration, "slices": self.slices,
        }  # fmt: skip

    def as_text(self) -> str:
        """A table for people."""
        lines = [f"Постов: {self.posts} · модель {self.model}", ""]
        for f in self.figures:
            if f.value is None:
                lines.append(f"{f.name:<46} недостаточно данных")
                continue
            interval = "" if f.low is None or f.high is None else f"  [{f.low:.3f}; {f.high:.3f}]"
            bound = "не больше " if f.at_most else ""
            goal = "" if f.goal is None else f"  цель {bound}{f.goal:.2f}{' ✓' if f.is_reached else ''}"
            lines.append(f"{f.name:<46} {f.value:.3f}{interval}{goal}")
        lines += ["", "Риски: точность · полнота · F1 · постов"]
        for name, row in self.by_risk.items():
            shown = " · ".join(f"{row[key]:.2f}" for key in ("precision", "recall", "f1"))
            lines.append(f"  {name:<12} {shown} · {row['support']:.0f}")
        lines += ["", "Ошибка калибровки (ECE)"]
        lines += [f"  {name:<22} {value:.3f}" for name, value in self.calibration.items()]
        for kind, slices in self.slices.items():
            lines += ["", f"По срезу «{kind}»"]
            for name, metrics in slices.items():
                shown = " · ".join(
                    f"{metric} {value:.2f}" for metric, value in metrics.items() if value is not None
                )
                lines.append(f"  {name:<12} {shown}")
        return "\n".join(lines)


def evaluate_file(file: Path, *, encoder: str | None = None, district: Path | None = None) -> Evaluation:
    """Predicts a labelled file and compares. Raises Refused naming the first line without labels."""
    from nlp.predict import predict, read_lines

    lines = [line for line in read_lines(file) if line.strip()]
    labels = {str(row["id"]): row for row in _labelled(lines, file.name)}
    predicted = predict(lines, encoder=encoder, district=district)
    if predicted.faults:
        raise Refused(f"{file.name}: {predicted.faults[0]}")
    rules = [rule for rule in load_district(district).rules if _is_of_file(rule)]
    return evaluate([labels[row["id"]] for row in predicted.rows], predicted.rows, rules)


def _labelled(lines: Sequence[str], name: str) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:
            raise Refused(f"{name}, строка {number}: не JSON") from None
        fault = labels_fault(row) if isinstance(row, dict) else "нужен объект JSON"
        if fault:
            raise Refused(f"{name}, строка {number}: {fault}")
        yield row


def evaluate(
    labels: Sequence[Row], predictions: Sequence[Row], rules: Sequence[AlertRule] = ()
) -> Evaluation:
    """Both in the same order, the fields of the contract. Pure: the same rows, the same figures.

    `rules` are those that raise an alert for a post or a story; without any nothing is said of alerts.
    """
    figures = tuple(
        Figure(
            name=name, value=metric(labels, predictions), goal=goal, at_most=at_most,
            **_interval(name, metric, labels, predictions),
        )
        for name, metric, goal, at_most in (
            *((*each, False) for each in METRICS), *(alert_metrics(rules) if rules else ())
        )
    )  # fmt: skip
    return Evaluation(
        posts=len(labels), model=str(predictions[0]["model"]) if predictions else "",
        figures=figures, by_risk=_by_risk(labels, predictions), calibration=calibration(labels, predictions),
        slices=_slices(labels, predictions),
    )  # fmt: skip


# --- metrics ------------------------------------------------------------------------------------------


def f1(truth: Sequence[bool], said: Sequence[bool]) -> float | None:
    hits = sum(t and s for t, s in zip(truth, said, strict=True))
    total = sum(truth) + sum(said)
    return 2 * hits / total if sum(truth) else None


def _yes_or_no(field: str) -> Metric:
    return lambda labels, said: f1([bool(r[field]) for r in labels], [bool(r[field]) for r in said])


def _sets(field: str) -> Metric:
    """Micro-F1 over the members of a list."""

    def metric(labels: Sequence[Row], said: Sequence[Row]) -> float | None:
        hits = sum(len(set(a[field]) & set(b[field])) for a, b in zip(labels, said, strict=True))
        total = sum(len(set(a[field])) + len(set(b[field])) for a, b in zip(labels, said, strict=True))
        return 2 * hits / total if any(row[field] for row in labels) else None

    return metric


def _macro(field: str, least: int = 1) -> Metric:
    """Macro-F1 over the classes that stand at least so often among the labels."""

    def metric(labels: Sequence[Row], said: Sequence[Row]) -> float | None:
        truth, guess = [row[field] for row in labels], [row[field] for row in said]
        classes = [c for c in dict.fromkeys(truth) if truth.count(c) >= least]
        scores = [f1([t == c for t in truth], [g == c for g in guess]) for c in classes]
        return float(np.mean([score for score in scores if score is not None])) if scores else None

    return metric


def _accuracy(field: str) -> Metric:
    return lambda labels, said: (
        sum(a[field] == b[field] for a, b in zip(labels, said, strict=True)) / len(labels) if labels else None
    )


def _of_relevant(metric: Metric) -> Metric:
    """The metric over the posts about the district: of others the group matters to nobody."""

    def over(labels: Sequence[Row], said: Sequence[Row]) -> float | None:
        rows = [(a, b) for a, b in zip(labels, said, strict=True) if a["relevant"]]
        return metric([a for a, _ in rows], [b for _, b in rows])

    return over


def severity_reached(level: int) -> Metric:
    return lambda labels, said: f1(
        [r["severity"] >= level for r in labels], [r["severity"] >= level for r in said]
    )


def not_missed(labels: Sequence[Row], said: Sequence[Row]) -> float | None:
    """Share of severity-3 posts among the top 8 % by risk score; of equal scores the first stands first."""
    urgent = {at for at, row in enumerate(labels) if row["severity"] == 3}
    order = sorted(range(len(said)), key=lambda at: (-said[at]["risk_score"], at))
    top = set(order[: int(len(order) * TOP_SHARE)])
    return len(urgent & top) / len(urgent) if urgent else None


def alert_metrics(rules: Sequence[AlertRule]) -> tuple[tuple[str, Metric, float, bool], ...]:
    """What the rules raise of what must not be missed, and of everything: for posts alone, with stories.

    With stories a post counts as reached when its matter is raised: itself, what it repeats, or its story.
    """
    alone = [rule for rule in rules if rule.kind is AlertKind.POST]
    together = [rule for rule in rules if rule.kind is AlertKind.STORY]

    known: dict[int, bool] = {}  # the bootstrap asks for the same rows hundreds of times

    def raises(row: Row) -> bool:
        if id(row) not in known:
            facts = _facts_of([row], authors=1)
            known[id(row)] = any(rule.matches(facts) for rule in alone)
        return known[id(row)]

    def matters(labels: Sequence[Row], said: Sequence[Row], of: Mapping[str, str]) -> set[str]:
        found = {of[row["id"]] for row in said if raises(row)}
        stories: dict[str, list[tuple[Row, Row]]] = defaultdict(list)
        for label, guess in zip(labels, said, strict=True):
            if guess["story"]:
                stories[guess["story"]].append((label, guess))
        for story, members in stories.items():
            authors = len({label.get("author") or label["id"] for label, _ in members})
            facts = _facts_of([guess for _, guess in members], authors=authors)
            if any(rule.matches(facts) for rule in together):
                found.add(story)
        return found

    def urgent(labels: Sequence[Row], said: Sequence[Row]) -> float | None:
        rows = [guess for row, guess in zip(labels, said, strict=True) if row["severity"] == 3]
        return sum(map(raises, rows)) / len(rows) if rows else None

    def share(_: Sequence[Row], said: Sequence[Row]) -> float | None:
        return sum(map(raises, said)) / len(said) if said else None

    def urgent_reached(labels: Sequence[Row], said: Sequence[Row]) -> float | None:
        of = _matters(said)
        raised = matters(labels, said, of)
        rows = [guess for row, guess in zip(labels, said, strict=True) if row["severity"] == 3]
        return sum(of[row["id"]] in raised for row in rows) / len(rows) if rows else None

    def alerts(labels: Sequence[Row], said: Sequence[Row]) -> float | None:
        return len(matters(labels, said, _matters(said))) / len(said) if said else None

    return (
        ("severity 3 that raise an alert", urgent, 0.95, False),
        (REACHED, urgent_reached, 0.95, False),
        ("posts that raise an alert", share, TOP_SHARE, True),
        (ALERTS, alerts, TOP_SHARE, True),
    )


def _matters(rows: Sequence[Row]) -> dict[str, str]:
    """What an alert about each post would be about: its story, that of what it repeats, or one text."""
    stories = {row["id"]: row["story"] for row in rows if row["story"]}
    texts = {row["id"]: row["duplicate_of"] or row["id"] for row in rows}
    return {post_id: stories.get(post_id) or stories.get(text) or text for post_id, text in texts.items()}


def _facts_of(rows: Sequence[Row], *, authors: int) -> Facts:
    return Facts(
        relevant=any(row["relevant"] for row in rows), score=max(row["risk_score"] for row in rows),
        severity=Severity(max(row["severity"] for row in rows)),
        risks=frozenset(Risk(risk) for row in rows for risk in row["risks"]),
        places=frozenset(place for row in rows for place in row["places"]),
        topic_group=rows[-1]["topic_group"], needs_answer=any(row["needs_answer"] for row in rows),
        posts=len(rows), authors=authors,
    )  # fmt: skip


def _is_of_file(rule: AlertRule) -> bool:
    """Bursts need weeks of history and sources a crawler: a file has neither."""
    return rule.kind in (AlertKind.POST, AlertKind.STORY) and rule.mode is RuleMode.ACTIVE


def pair_f1(truth: Mapping[str, str], said: Mapping[str, str]) -> float | None:
    """F1 over pairs of posts that share a group."""

    def pairs(groups: Mapping[str, str]) -> set[tuple[str, str]]:
        members: dict[str, list[str]] = defaultdict(list)
        for post, group in groups.items():
            members[group].append(post)
        return {pair for group in members.values() for pair in combinations(sorted(group), 2)}

    real, found = pairs(truth), pairs(said)
    return 2 * len(real & found) / (len(real) + len(found)) if real else None


def duplicates_f1(labels: Sequence[Row], said: Sequence[Row]) -> float | None:
    """Pairs of posts that repeat one another: all copies of one original belong together."""

    def groups(rows: Sequence[Row]) -> dict[str, str]:
        return {row["id"]: row["duplicate_of"] or row["id"] for row in rows}

    return pair_f1(groups(labels), groups(said))


def stories_f1(labels: Sequence[Row], said: Sequence[Row]) -> float | None:
    return pair_f1(
        {row["id"]: row["story"] for row in labels if row["story"]},
        {row["id"]: row["story"] for row in said if row["story"]},
    )


METRICS: tuple[tuple[str, Metric, float | None], ...] = (
    ("relevance F1", _yes_or_no("relevant"), 0.96),
    ("places F1", _sets("places"), 0.97),
    ("risks micro-F1", _sets("risks"), 0.85),
    ("severity 3 in the top 8 %", not_missed, 0.96),
    ("severity ≥ 2 F1", severity_reached(2), 0.85),
    ("topic group accuracy (relevant)", _of_relevant(_accuracy("topic_group")), 0.85),
    ("topic group macro-F1 (relevant, ≥ 5)", _of_relevant(_macro("topic_group", LEAST_IN_GROUP)), 0.82),
    ("intent macro-F1", _macro("intent"), 0.75),
    ("sentiment macro-F1", _macro("sentiment"), 0.78),
    ("needs answer F1", _yes_or_no("needs_answer"), 0.80),
    ("duplicates F1 (pairs)", duplicates_f1, 0.98),
    ("same story F1 (pairs)", stories_f1, 0.92),
)
REACHED, ALERTS = "severity 3 in an alert, stories too", "alerts, stories too, by posts"
#: No interval: a resample would count a post as its own pair, and tear the stories that the models found.
COUNTED_WHOLE = ("duplicates F1 (pairs)", "same story F1 (pairs)", REACHED, ALERTS)


def _interval(
    name: str, metric: Metric, labels: Sequence[Row], said: Sequence[Row]
) -> dict[str, float | None]:
    """95 % of the bootstrap over stories: posts of one story are drawn together, for they err together."""
    if name in COUNTED_WHOLE or not labels:
        return {"low": None, "high": None}
    clusters: dict[str, list[int]] = defaultdict(list)
    for at, row in enumerate(labels):
        clusters[row["story"] or row["id"]].append(at)
    members = list(clusters.values())
    rng = np.random.default_rng(11)
    values = []
    for _ in range(RESAMPLES):
        drawn = [at for cluster in rng.integers(0, len(members), len(members)) for at in members[cluster]]
        value = metric([labels[at] for at in drawn], [said[at] for at in drawn])
        if value is not None:
            values.append(value)
    if len(values) < RESAMPLES / 2:
        return {"low": None, "high": None}
    low, high = np.percentile(values, [2.5, 97.5])
    return {"low": float(low), "high": float(high)}


def _by_risk(labels: Sequence[Row], said: Sequence[Row]) -> dict[str, dict[str, float]]:
    found = {}
    for risk in Risk:
        truth = [risk.value in row["risks"] for row in labels]
        guess = [risk.value in row["risks"] for row in said]
        hits = sum(t and g for t, g in zip(truth, guess, strict=True))
        found[risk.value] = {
            "precision": hits / sum(guess) if sum(guess) else 0.0,
            "recall": hits / sum(truth) if sum(truth) else 0.0,
            "f1": f1(truth, guess) or 0.0,
            "support": float(sum(truth)),
        }
    return found


# --- calibration --------------------------------------------------------------------------------------


def calibration_error(said: Sequence[float], truth: Sequence[bool], bins: int = 10) -> float:
    """Mean distance of what was said and what came true, over bins of equal width, weighted by their size."""
    p, y = np.asarray(said, dtype=float), np.asarray(truth, dtype=float)
    place = np.minimum((p * bins).astype(int), bins - 1)
    shares = [(place == b) for b in range(bins)]
    return float(sum(abs(p[b].mean() - y[b].mean()) * b.mean() for b in shares if b.any()))


def calibration(labels: Sequence[Row], said: Sequence[Row]) -> dict[str, float]:
    """Error of every probability that a prediction shows."""
    if not labels:
        return {}
    found = {"relevance": calibration_error([r["relevance"] for r in said], [r["relevant"] for r in labels])}
    for risk in Risk:
        found[f"risk {risk.value}"] = calibration_error(
            [row["risk_scores"][risk.value] for row in said], [risk.value in row["risks"] for row in labels]
        )
    return found


# --- slices -------------------------------------------------------------------------------------------

SLICE_METRICS: tuple[tuple[str, Metric], ...] = (
    ("relevance", _yes_or_no("relevant")),
    ("risks", _sets("risks")),
    ("severity≥2", severity_reached(2)),
    ("topic", _of_relevant(_accuracy("topic_group"))),
    ("intent", _accuracy("intent")),
    ("sentiment", _accuracy("sentiment")),
    ("answer", _yes_or_no("needs_answer")),
)


def _slices(labels: Sequence[Row], said: Sequence[Row]) -> dict[str, dict[str, dict[str, float | None]]]:
    kinds: dict[str, Callable[[Row], str]] = {
        "сеть": lambda row: str(row["platform"]),
        "вид": lambda row: str(row["kind"]),
        "длина": lambda row: _length(row["text"]),
        "время года": lambda row: SEASONS.get(datetime.fromisoformat(row["published_at"]).month, "осень"),
    }
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for kind, name in kinds.items():
        members: dict[str, list[int]] = defaultdict(list)
        for at, row in enumerate(labels):
            members[name(row)].append(at)
        found[kind] = {each: _slice(rows, labels, said) for each, rows in sorted(members.items())}
    return found


def _slice(rows: Sequence[int], labels: Sequence[Row], said: Sequence[Row]) -> dict[str, float | None]:
    theirs, ours = [labels[at] for at in rows], [said[at] for at in rows]
    figures = {name: metric(theirs, ours) for name, metric in SLICE_METRICS}
    return {"n": float(len(rows)), **figures}


def _length(text: str) -> str:
    return "короткие" if len(text) < SHORT else "длинные" if len(text) > LONG else "средние"


CLOSED: dict[str, set[Any]] = {
    "intent": {i.value for i in Intent},
    "sentiment": {s.value for s in Sentiment},
    "severity": {0, 1, 2, 3},
}
FIELDS = (
    "id", "platform", "kind", "published_at", "text", "relevant", "places", "intent", "topic_group",
    "sentiment", "risks", "severity", "needs_answer", "story", "duplicate_of",
)  # fmt: skip


def labels_fault(row: Row) -> str | None:
    """Why a line cannot be compared (Russian), or None."""
    missing = [field for field in FIELDS if field not in row]
    if missing:
        return f"нет меток: {', '.join(missing)}"
    for field, allowed in CLOSED.items():
        if row[field] not in allowed:
            return f"{field}: неизвестное значение {row[field]!r}"
    unknown = set(row["risks"]) - {risk.value for risk in Risk}
    return f"risks: неизвестные классы {', '.join(sorted(unknown))}" if unknown else None
