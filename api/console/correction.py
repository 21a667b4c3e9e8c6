"""What an officer says of a post instead of the model: it counts at once, and the models learn from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from typing import Any

from nicegui import ui

from api.console.button import Button
from api.console.frame import Visit, told
from api.console.parts import moment_html, names_of
from api.words import INTENT_WORDS, RISK_WORDS, SENTIMENT_WORDS, SEVERITY_WORDS
from index.domain.analysis import Analysis, Intent, Risk, Sentiment, Severity
from index.domain.person import Right
from index.posts.query import Record

FIELD_WORDS = {
    "relevant": "о районе",
    "topic_group": "тема",
    "risks": "риски",
    "severity": "тяжесть",
    "intent": "намерение",
    "sentiment": "тон",
    "needs_answer": "ждёт ответа",
}


def show_correction(visit: Visit, record: Record) -> None:
    """Who corrected what, and the form to correct it."""
    analysis = record.analysis
    said = visit.service.desk.corrections.of_post(record.post.id)
    if said:
        names = names_of(visit)
        fields = ", ".join(FIELD_WORDS[each.field] for each in said)
        newest = max(said, key=lambda each: each.at)
        ui.html(
            f"Поправлено ({fields}): {escape(names.get(newest.actor, newest.actor))}, {moment_html(visit, newest.at)}",
            sanitize=False,
        ).classes("small soft")
    if analysis is not None and visit.may(Right.TRIAGE):
        with ui.element("details").classes("inset no-print"):
            with ui.element("summary"):
                ui.label("Разбор неверен — поправить").style("display:inline")
            _form(visit, record, analysis)


def _form(visit: Visit, record: Record, analysis: Analysis) -> None:
    before = values_of(analysis)
    groups = {"": "без темы"} | {g.name: g.name for g in visit.service.district.topics}
    with ui.element("div").classes("fields").style("margin-top:8px"):
        relevant = ui.checkbox("О районе", value=analysis.relevant).props("dense")
        topic = ui.select(groups, label="Тема", value=analysis.topic_group or "", with_input=True)
        risks = ui.select(
            {r.value: w for r, w in RISK_WORDS.items()}, label="Риски", multiple=True, value=before["risks"]
        ).props("use-chips")
        severity = ui.select(
            {int(s): w for s, w in SEVERITY_WORDS.items()}, label="Тяжесть", value=int(analysis.severity)
        )
        intent = ui.select(
            {i.value: w for i, w in INTENT_WORDS.items()}, label="Намерение", value=analysis.intent.value
        )
        sentiment = ui.select(
            {s.value: w for s, w in SENTIMENT_WORDS.items()}, label="Тон", value=analysis.sentiment.value
        )
        for select in (topic, risks, severity, intent, sentiment):
            select.props("outlined dense")
        answer = ui.checkbox("Ждёт ответа", value=analysis.needs_answer).props("dense")

        def save() -> None:
            now = {
                "relevant": relevant.value, "topic_group": topic.value or None, "risks": sorted(risks.value),
                "severity": severity.value, "intent": intent.value, "sentiment": sentiment.value,
                "needs_answer": answer.value,
            }  # fmt: skip
            changed = {name: value for name, value in now.items() if value != before[name]}
            if not changed:
                ui.notify("Ничего не изменено.", type="warning", position="top")
            elif told(lambda: correct(visit, record, changed), done="Поправлено. Модели учтут это"):
                ui.navigate.reload()

        Button("Сохранить", on_click=save, kind="first")


def values_of(analysis: Analysis) -> dict[str, Any]:
    """The fields that may be corrected, as corrections store them."""
    return {
        "relevant": analysis.relevant,
        "topic_group": analysis.topic_group,
        "risks": sorted(risk.value for risk in analysis.risks),
        "severity": int(analysis.severity),
        "intent": analysis.intent.value,
        "sentiment": analysis.sentiment.value,
        "needs_answer": analysis.needs_answer,
    }


def correct(visit: Visit, record: Record, changed: Mapping[str, Any]) -> None:
    """Keep what was said and let it count in the index at once. Raises Refused, Unavailable."""
    service, post = visit.service, record.post
    assert record.analysis is not None  # noqa: S101  (the form stands only then)
    service.desk.corrections.add(post.id, changed, actor=visit.person.login, at=service.now())
    service.posts.save_analyses(
        {post.id: corrected(record.analysis, changed)},
        record.state,
        content_hashes={post.id: post.content_hash},
    )


def corrected(analysis: Analysis, changed: Mapping[str, Any]) -> Analysis:
    kinds: dict[str, Callable[[Any], Any]] = {
        "risks": lambda values: tuple(Risk(value) for value in values),
        "severity": Severity,
        "intent": Intent,
        "sentiment": Sentiment,
    }
    return replace(analysis, **{name: kinds.get(name, lambda v: v)(value) for name, value in changed.items()})
