"""«Сводка»: calmer than usual or not, and why? A verdict in words first, then the numbers, each a door to its posts."""

from __future__ import annotations

from datetime import timedelta
from html import escape

from nicegui import ui

from api.console.button import Button
from api.console.charts import heat_map, map_of_places, trend
from api.console.filters import choice, named
from api.console.frame import Visit, empty, frame, guarded, link
from api.console.parts import moment_html, severity_html
from api.console.russian import AUTHORS, POSTS, SOURCES, grouped, plural, span
from api.reports.summary import Level, RiskLine, Summary, summarise
from api.service import Service
from api.words import RISK_WORDS, SOURCE_STATE_WORDS
from index.errors import ServiceError
from index.posts.query import Facet, Query

PATH = "/summary"
PERIODS = {"1": "сутки", "3": "3 дня", "7": "неделя", "30": "30 дней"}
LEVEL_KINDS = {Level.TENSE: "bad", Level.CALM: "good", Level.USUAL: "accent", Level.UNKNOWN: ""}
TOPICS_SHOWN = 8
PLACES_SHOWN = 8


def register(service: Service) -> None:
    guarded(service, PATH, "Сводка", build)


def build(visit: Visit, days: int = 1, place: str = "", topic: str = "") -> None:
    state = {"days": days, "place": place, "topic": topic}
    district = visit.service.district
    with frame(visit, "Сводка", here=PATH) as bar:
        with bar:
            choice(PATH, state, "days", "Период", PERIODS, width=130)
            choice(PATH, state, "place", "Место", named(sorted({p.name for p in district.places})), width=170)
            choice(PATH, state, "topic", "Тема", named(group.name for group in district.topics), width=200)
            ui.element("div").classes("grow")
            Button("Печать", on_click=lambda: ui.run_javascript("window.print()")).classes("wide-only")
        with ui.element("section").classes("sheet").props('aria-label="Сводка"'):
            _content(visit, max(1, min(92, days)), place, topic)


def _content(visit: Visit, days: int, place: str, topic: str) -> None:
    service = visit.service
    now = service.now()
    since = now - timedelta(days=days)
    try:
        summary = summarise(
            service.posts, service.desk, since=since, until=now, now=now,
            places=(place,) if place else (), topic_groups=(topic,) if topic else (),
        )  # fmt: skip
    except ServiceError as error:
        empty("Сводка сейчас недоступна", str(error))
        return
    door = {"days": days, "place": place, "topic": topic}
    _verdict(visit, summary, door)
    with ui.element("div").classes("columns"):
        _risks(summary, door)
        _trend(visit, summary, place, topic)
        _heat(visit, summary, door)
        _places(visit, summary, door)
        _stories(visit, summary)
        _work(summary)
        _freshness(visit, summary)


def _verdict(visit: Visit, summary: Summary, door: dict[str, object]) -> None:
    usual = f" против обычных {summary.usual_relevant:g}" if summary.usual_relevant is not None else ""
    waiting = summary.total - summary.analysed
    with ui.element("section").classes("panel").style("margin-bottom:12px"):
        ui.html(
            f'<div style="font-size:18px; font-weight:700; line-height:1.3">{escape(summary.verdict)}</div>'
            f'<div><span class="chip {LEVEL_KINDS[summary.risk_level]}">за {PERIODS.get(str(door["days"]), "период")}</span> '
            f'<a href="{link("/feed", **door)}">{plural(summary.relevant, POSTS)} о районе</a>{usual} · '
            f'<a href="{link("/feed", **door, every=True)}">собрано всего {grouped(summary.total)}</a>'
            f"{f' · ждут разбора {grouped(waiting)}' if waiting else ''}</div>",
            sanitize=False,
        )


def _panel(title: str) -> ui.element:
    panel = ui.element("section").classes("panel")
    with panel, ui.element("h2"):
        ui.label(title)
    return panel


def _risks(summary: Summary, door: dict[str, object]) -> None:
    with _panel("Риски"):
        rows = "".join(_risk_row(line, door) for line in summary.by_risk)
        ui.html(
            '<table class="plain"><tr><th>Класс</th><th class="number">Сейчас</th><th class="number">Раньше</th><th class="number">Обычно</th></tr>'
            f"{rows}</table>",
            sanitize=False,
        )
        ui.label(
            "«Раньше» — столько же времени до этого; «обычно» — среднее за те же часы четырёх прошлых недель."
        ).classes("small soft")


def _risk_row(line: RiskLine, door: dict[str, object]) -> str:
    usual = "—" if line.usual is None else f"{line.usual:g}"
    change = f' <span class="small">({line.change:+d})</span>' if line.change else ""
    strong = "strong" if line.usual is not None and line.count > max(line.usual * 1.5, line.usual + 2) else ""
    return (
        f'<tr><td class="{strong}">{RISK_WORDS[line.risk]}</td>'
        f'<td class="number {strong}"><a href="{link("/feed", **door, risk=line.risk.value, order="risk")}">{line.count}</a></td>'
        f'<td class="number soft">{line.previous}{change}</td><td class="number soft">{usual}</td></tr>'
    )


def _trend(visit: Visit, summary: Summary, place: str, topic: str) -> None:
    """Posts by hour or day against the mean of the same hours in the weeks before."""
    service = visit.service
    is_long = summary.until - summary.since > timedelta(days=3)
    step = timedelta(days=1) if is_long else timedelta(hours=1)
    query = Query(
        since=summary.since, until=summary.until, relevant=True,
        places=(place,) if place else (), topic_groups=(topic,) if topic else (),
    )  # fmt: skip
    counts = service.posts.histogram(query, step=step, zone=service.zone.key)
    with _panel("По дням" if is_long else "По часам"):
        if not counts:
            empty("Сообщений о районе нет", "Проверьте период и фильтры.")
            return
        points = [(start.astimezone(service.zone), number) for start, number in counts]
        trend(
            points,
            by_day=is_long,
            doors=[
                link(
                    "/feed",
                    since=start.isoformat(),
                    until=(start + step).isoformat(),
                    place=place,
                    topic=topic,
                )
                for start, _ in counts
            ],
        )


def _heat(visit: Visit, summary: Summary, door: dict[str, object]) -> None:
    """Topics by places: where what hurts."""
    posts = visit.service.posts
    topics = [count.value for count in summary.by_topic[:TOPICS_SHOWN]]
    places = [count.value for count in summary.by_place[:PLACES_SHOWN]]
    with _panel("Темы по местам"):
        if not topics or not places:
            ui.label("Недостаточно данных: места и темы ещё не встретились вместе.").classes("soft")
            return
        cells = {}
        for name in topics:
            query = Query(since=summary.since, until=summary.until, relevant=True, topic_groups=(name,))
            cells[name] = {count.value: count.posts for count in posts.count_by(query, Facet.PLACE)}
        heat_map(
            topics,
            places,
            cells,
            door=lambda topic, place: link("/feed", **{**door, "topic": topic, "place": place}),
        )


def _places(visit: Visit, summary: Summary, door: dict[str, object]) -> None:
    with _panel("Карта"):
        map_of_places(
            visit.service.district.places,
            {count.value: count.posts for count in summary.by_place},
            door=lambda name: link("/feed", **{**door, "place": name}),
        )


def _stories(visit: Visit, summary: Summary) -> None:
    stories, _ = visit.service.desk.stories.find(since=summary.since, min_authors=3, limit=8)
    with _panel("Сюжеты"):
        if not stories:
            ui.label("Сюжетов от трёх авторов за это время не было.").classes("soft")
        for story in stories:
            check = "" if story.is_checked else ' <span class="chip">требует проверки</span>'
            ui.html(
                f'<div class="post"><a href="{link("/feed", story=story.id, days=30)}" class="strong">{escape(story.title)}</a>{check}'
                f'<div class="small soft">{severity_html(story.severity)} · {plural(story.posts, POSTS)} · {plural(story.authors, AUTHORS)} · {moment_html(visit, story.updated_at)}</div></div>',
                sanitize=False,
            )


def _work(summary: Summary) -> None:
    minutes = summary.alerts.median_minutes_to_triage
    triage = span(timedelta(minutes=minutes)) if minutes is not None else "—"
    with _panel("Работа"):
        ui.html(
            '<table class="plain">'
            f'<tr><td><a href="/alerts">Сигналы ждут</a></td><td class="number">{summary.alerts.open}</td></tr>'
            f'<tr><td>из них просрочены</td><td class="number">{summary.alerts.overdue}</td></tr>'
            f'<tr><td>Обычно сигнал разбирают за</td><td class="number">{triage}</td></tr>'
            f'<tr><td><a href="/incidents">Инциденты открыты</a></td><td class="number">{summary.incidents.open}</td></tr>'
            f'<tr><td><a href="{link("/incidents", late=True)}">из них просрочены</a></td><td class="number">{summary.incidents.overdue}</td></tr>'
            f'<tr><td>Открыто и закрыто за период</td><td class="number">{summary.incidents.opened} / {summary.incidents.closed}</td></tr></table>',
            sanitize=False,
        )


def _freshness(visit: Visit, summary: Summary) -> None:
    fresh = [line for line in summary.freshness if line.is_fresh]
    blind = [line for line in summary.freshness if not line.is_fresh]
    with _panel("Всё ли мы видим"):
        ui.html(
            f'<a href="/sources">{plural(len(fresh), SOURCES)} из {len(summary.freshness)} прочитаны за последний час</a>',
            sanitize=False,
        )
        for line in blind[:8]:
            ui.html(
                f'<div class="small"><b>{escape(line.title)}</b>: {SOURCE_STATE_WORDS[line.state]} · прочитан {moment_html(visit, line.fresh_at, unknown="ни разу")}'
                f"{f' · {escape(line.reason)}' if line.reason else ''}</div>",
                sanitize=False,
            )
