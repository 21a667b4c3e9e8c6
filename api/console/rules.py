"""«Правила сигналов»: what raises alerts, in which mode, and what each rule would have raised on history."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from nicegui import run, ui

from api.console.frame import Visit, empty, frame, guarded, link
from api.console.parts import heading, moment_html
from api.console.russian import ALERTS, plural
from api.service import Service
from api.words import ALERT_KIND_WORDS, RISK_WORDS, RULE_MODE_WORDS, SEVERITY_WORDS, SOURCE_STATE_WORDS
from index.domain.alert import AlertKind
from index.errors import ServiceError
from index.posts.query import Query
from nlp.history import replay_rule
from nlp.rules import AlertRule, RuleMode

PATH = "/rules"
PERIOD = timedelta(days=30)
PAGE = 500
RAISED_SHOWN = 100
AROUND = timedelta(seconds=1)  # a post is opened by its very moment


def register(service: Service) -> None:
    guarded(service, PATH, "Правила сигналов", build)


def build(visit: Visit, rule: str = "") -> None:
    rules = visit.service.district.rules
    chosen = next((each for each in rules if each.id == rule), None)
    with frame(visit, "Правила сигналов", here="/alerts"):
        with ui.element("section").classes("sheet").props('aria-label="Правила"'):
            ui.label(
                "Правила правит администрация в пакете района (rules.yaml). Новое правило сначала ставят на пробу: "
                "оно только считает, сколько подняло бы."
            ).classes("soft")
            ui.html('<a href="/models">Модели: чему научились и не сдвинулись ли</a>', sanitize=False)
            _table(visit, rules)
            if chosen is not None:
                _history(visit, chosen)


def _table(visit: Visit, rules: tuple[AlertRule, ...]) -> None:
    since = visit.service.now() - PERIOD
    raised = _raised_since(visit.service, since)
    counted = Counter(count.rule for count in visit.service.desk.alerts.rule_counts(since))
    rows = []
    for rule in rules:
        is_trial = rule.mode is RuleMode.MONITOR
        number = counted[rule.id] if is_trial else raised[rule.id]
        said = f"{'подняло бы' if is_trial else 'подняло'} {number}"
        door = f'<a href="{link(PATH, rule=rule.id)}">проверить на истории</a>'
        rows.append(
            f"<tr><td><b>{escape(rule.title)}</b><div class='small soft'>{escape(rule.about)}</div></td>"
            f"<td data-name='о чём'>{ALERT_KIND_WORDS[rule.kind]}</td><td data-name='когда'>{escape(conditions(rule))}</td>"
            f"<td><span class='chip {'risk' if is_trial else 'good'}'>{RULE_MODE_WORDS[rule.mode]}</span></td>"
            f"<td data-name='за 30 дней'>{said}</td><td>{'' if rule.kind is AlertKind.SOURCE else door}</td></tr>"
        )
    heads = "".join(f"<th>{name}</th>" for name in ("Правило", "О чём", "Когда", "Режим", "За 30 дней", ""))
    ui.html(
        f'<div class="panel" style="margin-top:10px"><table class="plain stack"><tr>{heads}</tr>{"".join(rows)}</table></div>',
        sanitize=False,
    )


def _raised_since(service: Service, since: datetime) -> Counter[str]:
    counts: Counter[str] = Counter()
    cursor = None
    while True:
        alerts, cursor = service.desk.alerts.find(since=since, limit=PAGE, cursor=cursor)
        counts.update(alert.rule for alert in alerts)
        if cursor is None:
            return counts


def conditions(rule: AlertRule) -> str:
    """All conditions of a rule in words, as they hold together."""
    parts = []
    if rule.min_score:
        parts.append(f"оценка от {rule.min_score}")
    if rule.min_severity:
        parts.append(f"тяжесть от «{SEVERITY_WORDS[rule.min_severity]}»")
    if rule.risks:
        parts.append("риск: " + " или ".join(sorted(RISK_WORDS[risk] for risk in rule.risks)))
    if rule.places:
        parts.append("место: " + ", ".join(sorted(rule.places)))
    if rule.topic_groups:
        parts.append("тема: " + ", ".join(sorted(rule.topic_groups)))
    if rule.needs_answer:
        parts.append("ждёт ответа")
    if rule.min_posts:
        parts.append(f"постов от {rule.min_posts}")
    if rule.min_authors:
        parts.append(f"авторов от {rule.min_authors}")
    if rule.min_growth:
        parts.append(f"рост от ×{rule.min_growth:g}")
    if rule.min_silent:
        parts.append(f"молчание властей от {rule.min_silent // timedelta(hours=1)} ч")
    if rule.source_states:
        parts.append("источник: " + ", ".join(sorted(SOURCE_STATE_WORDS[s] for s in rule.source_states)))
    return ", ".join(parts) or "всегда"


def _history(visit: Visit, rule: AlertRule) -> None:
    """Runs the rule over the stored posts; the page stands meanwhile and may be left."""
    with ui.element("section").classes("panel").style("margin-top:12px"):
        heading(f"«{rule.title}» на истории")
        box = ui.element("div").props('aria-live="polite"')
    with box:
        ui.label("Проверяем на постах за 30 дней…").classes("soft")

    async def try_it() -> None:
        found = await run.io_bound(_replayed, visit.service, rule)
        if found is None:  # the server is being stopped
            return
        box.clear()
        with box:
            _result(visit, found)

    ui.timer(0.1, try_it, once=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """What a replay found, newest first, each with the words that set it off."""

    count: int
    raised: tuple[tuple[datetime, str, str], ...]  #: moment, key of the matter, words


def _replayed(service: Service, rule: AlertRule) -> _Tried | str:
    now = service.now()
    try:
        found = replay_rule(service.posts, rule, since=now - PERIOD, until=now)
        newest = list(reversed(found.raised))[:RAISED_SHOWN]
        raised = tuple((at, key, _words_of(service, at, key)) for at, key in newest)
    except ServiceError as error:
        return str(error)
    return _Tried(count=len(found.raised), raised=raised)


def _words_of(service: Service, at: datetime, key: str) -> str:
    kind, _, rest = key.partition(":")
    if kind == "burst":
        topic, _, place = rest.partition(":")
        return f"Всплеск: {topic}" + ("" if place == "None" else f", {place}")
    posts = service.posts.find(Query(since=at, until=at + AROUND), limit=1).records
    return " ".join(posts[0].post.text.split())[:110] if posts else ""


def _result(visit: Visit, found: _Tried | str) -> None:
    if isinstance(found, str):
        ui.label(found).classes("strong")
        return
    if not found.count:
        empty("За 30 дней ничего бы не подняло", "Постов, которым подходят все условия, не было.")
        return
    ui.label(f"За 30 дней подняло бы {plural(found.count, ALERTS)}.").classes("strong")
    for at, key, words in found.raised:
        ui.html(
            f'<a href="{_door(at, key)}">{moment_html(visit, at)}</a> — {escape(words)}', sanitize=False
        ).classes("clip")


def _door(at: datetime, key: str) -> str:
    """The posts of the burst, or the post that would have raised it."""
    kind, _, rest = key.partition(":")
    if kind == "burst":
        topic, _, place = rest.partition(":")
        since, until = (at - timedelta(hours=3)).isoformat(), (at + AROUND).isoformat()
        where = "" if place == "None" else place
        return link("/feed", topic="" if topic == "None" else topic, place=where, since=since, until=until)
    return link("/feed", since=at.isoformat(), until=(at + AROUND).isoformat(), every=True)
