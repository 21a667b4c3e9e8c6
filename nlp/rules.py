"""Alert rules: conditions in YAML that raise alerts, or only count what they would raise (monitor mode)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from index.domain.alert import AlertKind
from index.domain.analysis import Risk, Severity
from index.domain.source import SourceState

if TYPE_CHECKING:
    from nlp.district.files import Section


class RuleMode(StrEnum):
    ACTIVE = "active"  #: raises alerts
    MONITOR = "monitor"  #: only counts what it would have raised


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a rule may ask of a matter: one post, a story, a burst or a source."""

    relevant: bool = True
    score: int = 0  #: 0..100
    severity: Severity = Severity.NONE
    risks: frozenset[Risk] = frozenset()
    places: frozenset[str] = frozenset()
    topic_group: str | None = None
    needs_answer: bool = False
    posts: int = 1
    authors: int = 1
    growth: float = 1.0  #: times the usual
    silent: timedelta = timedelta()  #: how long the authorities have not answered
    source_state: SourceState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One rule. All its conditions hold together; an empty set asks nothing."""

    id: str
    title: str
    kind: AlertKind
    mode: RuleMode
    cooldown: timedelta  #: after a decision, the same matter is not raised again for so long
    about: str = ""
    relevant: bool | None = True
    min_score: int = 0
    min_severity: Severity = Severity.NONE
    risks: frozenset[Risk] = frozenset()  #: any of them
    places: frozenset[str] = frozenset()
    topic_groups: frozenset[str] = frozenset()
    needs_answer: bool | None = None
    min_posts: int = 0
    min_authors: int = 0
    min_growth: float = 0.0
    min_silent: timedelta = timedelta()
    source_states: frozenset[SourceState] = frozenset()

    def matches(self, facts: Facts) -> bool:
        """Whether all conditions hold."""
        return (
            (self.relevant is None or facts.relevant == self.relevant)
            and facts.score >= self.min_score
            and facts.severity >= self.min_severity
            and (not self.risks or bool(self.risks & facts.risks))
            and (not self.places or bool(self.places & facts.places))
            and (not self.topic_groups or facts.topic_group in self.topic_groups)
            and (self.needs_answer is None or facts.needs_answer == self.needs_answer)
            and facts.posts >= self.min_posts
            and facts.authors >= self.min_authors
            and facts.growth >= self.min_growth
            and facts.silent >= self.min_silent
            and (not self.source_states or facts.source_state in self.source_states)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a rule would have raised on history."""

    rule: str
    since: datetime
    until: datetime
    raised: tuple[tuple[datetime, str], ...]  #: moment and key of the matter, oldest first

    @property
    def sentence(self) -> str:
        """For the officer who tries a rule: «за 30 дней подняло бы 14»."""
        return f"за {(self.until - self.since).days} дней подняло бы {len(self.raised)}"


def replay(
    rule: AlertRule, history: list[tuple[datetime, str, Facts]], *, since: datetime, until: datetime
) -> Replay:
    """Runs a rule over history in order of time: one alert a key, again only after the cooldown."""
    last: dict[str, datetime] = {}
    raised = []
    for at, key, facts in sorted(history, key=lambda each: each[0]):
        if not since <= at < until or not rule.matches(facts):
            continue
        if key not in last or at - last[key] >= rule.cooldown:
            raised.append((at, key))
            last[key] = at
    return Replay(rule=rule.id, since=since, until=until, raised=tuple(raised))


# --- reading ------------------------------------------------------------------------------------------

_CONDITIONS = {
    "relevant", "min_score", "min_severity", "risks", "places", "topic_groups", "needs_answer",
    "min_posts", "min_authors", "min_growth", "min_silent_hours", "source_states",
}  # fmt: skip


def read_rules(section: Section) -> tuple[AlertRule, ...]:
    """Rules of rules.yaml. Raises Misconfigured that names the rule and the field."""
    rules = tuple(_rule(each) for each in section.sections("rules"))
    doubles = {rule.id for rule in rules if sum(other.id == rule.id for other in rules) > 1}
    if doubles:
        raise section.fault(f"правило {', '.join(sorted(doubles))} описано дважды")
    return rules


def _rule(section: Section) -> AlertRule:
    when = section.section("when")
    unknown = set(when.content) - _CONDITIONS
    if unknown:
        raise when.fault(f"неизвестное условие {', '.join(sorted(unknown))}")
    return AlertRule(
        id=section.text("id"),
        title=section.text("title"),
        about=section.optional("about"),
        kind=AlertKind(section.one_of("kind", [kind.value for kind in AlertKind])),
        mode=RuleMode(section.one_of("mode", [mode.value for mode in RuleMode])),
        cooldown=_duration(section, "cooldown"),
        **_conditions(when),
    )


def _conditions(when: Section) -> dict[str, Any]:
    content: Mapping[str, Any] = when.content
    read: dict[str, Any] = {
        name: content[name] for name in ("relevant", "needs_answer", "min_growth") if name in content
    }
    for name, most in (("min_score", 100), ("min_posts", 100_000), ("min_authors", 100_000)):
        if name in content:
            read[name] = when.whole(name, 0, most)
    if "min_severity" in content:
        read["min_severity"] = Severity(when.whole("min_severity", 0, 3))
    if "min_silent_hours" in content:
        read["min_silent"] = timedelta(hours=when.whole("min_silent_hours", 0, 24 * 365))
    if "risks" in content:
        read["risks"] = frozenset(Risk(each) for each in when.closed_texts("risks", Risk))
    if "source_states" in content:
        read["source_states"] = frozenset(
            SourceState(each) for each in when.closed_texts("source_states", SourceState)
        )
    for name in ("places", "topic_groups"):
        if name in content:
            read[name] = frozenset(when.texts(name))
    return read


def _duration(section: Section, name: str) -> timedelta:
    value = section.text(name)
    unit = {"m": "minutes", "h": "hours", "d": "days"}.get(value[-1])
    if unit is None or not value[:-1].isdigit():
        raise section.fault(f"{name}: нужно «90m», «24h» или «7d», а там «{value}»")
    return timedelta(**{unit: int(value[:-1])})
