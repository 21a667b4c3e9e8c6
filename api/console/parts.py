"""Small pieces that every page shows alike: severity, chips, moments, a post with its marked words, score parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from urllib.parse import urlsplit

from nicegui import ui

from api.console.frame import Visit, link
from api.console.russian import ago, exact
from api.words import (
    ATTACHMENT_WORDS,
    INTENT_WORDS,
    KIND_WORDS,
    NETWORK_WORDS,
    POST_STATE_WORDS,
    RISK_WORDS,
    SENTIMENT_WORDS,
    SEVERITY_WORDS,
)
from index.domain.analysis import Evidence, Risk, ScorePart, Sentiment, Severity
from index.domain.post import PostKind
from index.posts.query import PostState, Record

SEVERITY_SHAPES = {Severity.NOW: "●", Severity.TODAY: "▲", Severity.WATCH: "■", Severity.NONE: "○"}
SPARK = "▁▂▃▄▅▆▇█"
TEXT_SHOWN = 700  # characters of a post before «показать целиком»


def severity_html(severity: Severity, *, with_word: bool = True) -> str:
    """Severity by colour, shape and word, so that no one sign alone carries it."""
    word = SEVERITY_WORDS[severity]
    shown = f"{SEVERITY_SHAPES[severity]} {word}" if with_word else SEVERITY_SHAPES[severity]
    return f'<span class="severity s{int(severity)}" title="{word}">{shown}</span>'


def heading(text: str) -> None:
    with ui.element("h2"):
        ui.label(text)


def panel(title: str) -> ui.element:
    """A framed section with its heading; used as a context."""
    section = ui.element("section").classes("panel")
    with section:
        heading(title)
    return section


def outside_html(url: str | None, words: str) -> str:
    """A link out of the console, in a new tab; nothing unless the address is http(s), since others wrote it."""
    if not url or urlsplit(url).scheme not in ("http", "https"):
        return ""
    return (
        f'<a href="{escape(url, quote=True)}" target="_blank" rel="noopener noreferrer">{escape(words)}</a>'
    )


def names_of(visit: Visit) -> Mapping[str, str]:
    """Login → what colleagues call the person; programs and the service itself among them."""
    people = {person.login: person.name.partition(",")[0] for person in visit.service.desk.people.list()}
    return {"service": "сервис", "crawler": "сервис", "practice": "учебный стенд"} | people


def chips_html(risks: Iterable[Risk]) -> str:
    return "".join(f'<span class="chip risk">{RISK_WORDS[risk]}</span>' for risk in risks)


def moment_html(visit: Visit, moment: datetime | None, *, unknown: str = "—") -> str:
    """«3 ч назад» with the exact time on hover."""
    if moment is None:
        return unknown
    zone, now = visit.service.zone, visit.service.now()
    return (
        f'<time datetime="{moment.isoformat()}" title="{exact(moment, zone)}">{ago(moment, now, zone)}</time>'
    )


def spark(counts: Sequence[int]) -> str:
    """«▁▂▅█»: a line of blocks, the highest count is the full block; empty without counts."""
    top = max(counts, default=0)
    return "".join(SPARK[round(count / top * (len(SPARK) - 1))] if top else SPARK[0] for count in counts)


def parts_table(parts: Sequence[ScorePart], total: int) -> None:
    """The risk score as the sum of its named parts."""
    with ui.element("div").classes("parts"):
        for part in parts:
            ui.label(part.name)
            ui.label(f"{part.points:+d}").classes("points")
        ui.label("Оценка риска").classes("total")
        ui.label(str(total)).classes("points total")


def marked_html(text: str, evidence: Sequence[Evidence]) -> str:
    """The text, escaped, with the words that carried its risks marked; overlapping spans merge."""
    pieces, position = [], 0
    for start, stop, risk in sorted((e.start, e.stop, e.risk) for e in evidence):
        if stop <= position or start >= len(text):
            continue
        start = max(start, position)
        pieces.append(escape(text[position:start]))
        pieces.append(f'<mark title="{RISK_WORDS[risk]}">{escape(text[start:stop])}</mark>')
        position = stop
    pieces.append(escape(text[position:]))
    return "".join(pieces)


def post_card(visit: Visit, record: Record, *, with_source: bool = True) -> ui.element:
    """A post as evidence: where and when, its text with marked words, what nlp says of it, doors onward."""
    post, analysis = record.post, record.analysis
    is_comment = post.kind is PostKind.COMMENT
    with ui.element("article").classes("post" + (" comment" if is_comment else "")) as card:
        ui.html(_post_head(visit, record, with_source), sanitize=False).classes("small soft")
        evidence = analysis.evidence if analysis else ()
        shown = post.text[:TEXT_SHOWN]
        body = ui.html(
            marked_html(shown, [e for e in evidence if e.start < TEXT_SHOWN]) or "<i>без текста</i>",
            sanitize=False,
        )
        body.classes("text")
        if len(post.text) > TEXT_SHOWN:
            more = (
                ui.element("button").props('type=button innerHTML="показать целиком"').classes("text-button")
            )
            more.on("click", lambda: (body.set_content(marked_html(post.text, evidence)), more.delete()))
        for attachment in post.attachments:
            kind = ATTACHMENT_WORDS.get(attachment.kind, "вложение")
            ui.html(
                f'<span class="chip">{kind}</span> {escape((attachment.title or attachment.text)[:200])}',
                sanitize=False,
            ).classes("small soft")
        ui.html(_post_foot(record), sanitize=False).classes("chips")
    return card


def _post_head(visit: Visit, record: Record, with_source: bool) -> str:
    post = record.post
    door = f'<a href="{link("/post", id=post.id)}">{moment_html(visit, post.published_at)}</a>'
    pieces = [door, NETWORK_WORDS[post.network]]
    if with_source:
        pieces.append(escape(post.source))
    pieces.append(KIND_WORDS[post.kind])
    if post.is_edited:
        pieces.append(f'<a href="{link("/post", id=post.id)}">изменён</a>')
    if post.is_deleted:
        pieces.append("<b>удалён в сети</b>")
    pieces.append(
        f'<a href="{link("/feed", author=post.author, days=30)}" title="другие сообщения этого автора">автор {escape(post.author[:6])}</a>'
    )
    if outside := outside_html(post.url, "открыть в сети"):
        pieces.append(outside)
    return " · ".join(pieces)


def _post_foot(record: Record) -> str:
    analysis = record.analysis
    if analysis is None or record.state is PostState.QUARANTINED:
        return f'<span class="chip">{POST_STATE_WORDS[record.state]}</span>{escape(record.error)}'
    pieces = [severity_html(analysis.severity), chips_html(analysis.risks)]
    pieces += [f'<span class="chip">{escape(place)}</span>' for place in analysis.places]
    if analysis.address:
        pieces.append(f'<span class="chip">{escape(analysis.address)}</span>')
    if analysis.topic_group:
        pieces.append(f'<span class="chip">{escape(analysis.topic_group)}</span>')
    pieces.append(f'<span class="chip">{INTENT_WORDS[analysis.intent]}</span>')
    tone = {Sentiment.NEGATIVE: "bad", Sentiment.POSITIVE: "good"}.get(analysis.sentiment, "")
    pieces.append(f'<span class="chip {tone}">{SENTIMENT_WORDS[analysis.sentiment]}</span>')
    if analysis.needs_answer:
        pieces.append('<span class="chip accent">ждёт ответа</span>')
    if analysis.duplicate_of:
        pieces.append(f'<a class="chip" href="{link("/post", id=analysis.duplicate_of)}">повтор</a>')
    if analysis.story_id:
        pieces.append(f'<a class="chip" href="{link("/feed", story=analysis.story_id, days=30)}">сюжет</a>')
    return "".join(pieces)
