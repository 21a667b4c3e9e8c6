"""«Сводка»: calmer than usual or not, and why? A verdict in words first, then the numbers, each a door to its posts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import escape
from statistics import fmean

from nicegui import run, ui

from api.console.button import Button
from api.console.charts import Step, heat_map, map_of_places, trend
from api.console.filters import choice, folded, named
from api.console.frame import Visit, empty, frame, guarded, link
from api.console.parts import moment_html, panel, severity_html
from api.console.russian import AUTHORS, POSTS, SOURCES, grouped, number, plural, span
from api.reports.summary import USUAL_WEEKS, Level, RiskLine, Summary, summarise
from api.service import Service
from api.words import RISK_WORDS, SOURCE_STATE_WORDS
from index.domain.story import Story
from index.errors import ServiceError
from index.posts.query import Facet, Query, Record
from nlp.growth import NO_PLACE, NO_TOPIC, Factor, Growth, explain

PATH = "/summary"
PERIODS = {"1": "сутки", "3": "3 дня", "7": "неделю", "30": "30 дней"}
LEVEL_KINDS = {Level.TENSE: "bad", Level.CALM: "good", Level.USUAL: "accent", Level.UNKNOWN: ""}
HOURS_UP_TO = 3  # days; longer periods are shown by day
MOST_EXPLAINED = 20_000  # posts of both periods read to explain a change
TOPICS_SHOWN = 8
PLACES_SHOWN = 8
STORIES_SHOWN = 6
BLIND_SHOWN = 6


def register(service: Service) -> None:
    guarded(service, PATH, "Сводка", build)


def build(visit: Visit, days: int = 1, place: str = "", topic: str = "") -> None:
    chosen = str(days) if str(days) in PERIODS else "1"
    state = {"days": int(chosen), "place": place, "topic": topic}
    district = visit.service.district
    with frame(visit, "Сводка", here=PATH) as bar:
        with bar:
            with folded():
                choice(PATH, state, "days", "Период", PERIODS, width=110, every=None)
                places = named(sorted({p.name for p in district.places}))
                choice(PATH, state, "place", "Место", places, width=160)
                choice(PATH, state, "topic", "Тема", named(g.name for g in district.topics), width=180)
            ui.element("div").classes("grow")
            ui.html('<a href="/morning" target="_blank">Утренняя справка</a>', sanitize=False).classes(
                "no-print"
            )
            Button("Печать", on_click=lambda: ui.run_javascript("window.print()")).classes("wide-only")
        with ui.element("section").classes("sheet").props('aria-label="Сводка"') as sheet:
            ui.label("Считаем…").classes("soft")

    async def count() -> None:
        """Counted beside the event loop: over a month of posts it takes a while."""
        facts = await run.io_bound(_counted, visit.service, Door(days=int(chosen), place=place, topic=topic))
        if facts is None:  # the server is being stopped
            return
        sheet.clear()
        with sheet:
            _content(visit, facts)

    ui.timer(0.05, count, once=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The filters that every link of the page carries on."""

    days: int
    place: str
    topic: str

    def to_feed(self, **more: object) -> str:
        return link("/feed", **{"days": self.days, "place": self.place, "topic": self.topic} | more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the page shows, counted for one period."""

    door: Door
    summary: Summary
    steps: tuple[Step, ...]
    by_day: bool
    growth: Growth | None  #: None: too many posts to explain at once
    cells: Mapping[str, Mapping[str, int]]  #: topic → place → posts
    stories: tuple[Story, ...]


def _counted(service: Service, door: Door) -> Facts | str:
    now = service.now()
    since = now - timedelta(days=door.days)
    places = (door.place,) if door.place else ()
    topics = (door.topic,) if door.topic else ()
    query = Query(since=since, until=now, relevant=True, places=places, topic_groups=topics)
    try:
        summary = summarise(
            service.posts, service.desk, since=since, until=now, now=now, places=places, topic_groups=topics
        )
        by_day = door.days > HOURS_UP_TO
        stories, _ = service.desk.stories.find(since=since, min_authors=3, limit=STORIES_SHOWN)
        return Facts(
            door=door,
            summary=summary,
            steps=_steps(service, query, door, by_day=by_day),
            by_day=by_day,
            growth=_growth(service, query),
            cells=_cells(service, query, summary),
            stories=tuple(stories),
        )
    except ServiceError as error:
        return str(error)


def _steps(service: Service, query: Query, door: Door, *, by_day: bool) -> tuple[Step, ...]:
    """The trend with the band of the same hours or days in the four weeks before."""
    step = timedelta(days=1) if by_day else timedelta(hours=1)
    now = dict(service.posts.histogram(query, step=step, zone=service.zone.key))
    weeks = []
    for week in range(1, USUAL_WEEKS + 1):
        back = timedelta(weeks=week)
        earlier = replace(query, since=_moved(query.since, -back), until=_moved(query.until, -back))
        counts = service.posts.histogram(earlier, step=step, zone=service.zone.key)
        if counts:
            weeks.append({start + back: number for start, number in counts})
    starts = sorted({*now, *(start for week in weeks for start in week)})
    return tuple(
        _step(start.astimezone(service.zone), step, now.get(start, 0), [w.get(start, 0) for w in weeks], door)
        for start in starts
    )


def _step(start: datetime, step: timedelta, posts: int, usual: list[int], door: Door) -> Step:
    until = (start + step).isoformat()
    return Step(
        start=start,
        posts=posts,
        door=link("/feed", since=start.isoformat(), until=until, place=door.place, topic=door.topic),
        low=min(usual) if usual else None,
        mean=fmean(usual) if usual else None,
        high=max(usual) if usual else None,
    )


def _moved(moment: datetime | None, by: timedelta) -> datetime | None:
    return moment + by if moment else None


def _growth(service: Service, query: Query) -> Growth | None:
    """This period against the same time before it; a period with very many posts is not read whole."""
    assert query.since is not None  # noqa: S101  (set by _counted)
    assert query.until is not None  # noqa: S101
    before = replace(query, since=query.since - (query.until - query.since), until=query.since)
    if service.posts.count(query) + service.posts.count(before) > MOST_EXPLAINED:
        return None
    return explain(_all(service, query), _all(service, before))


def _all(service: Service, query: Query) -> Iterator[Record]:
    cursor = None
    while True:
        found = service.posts.find(query, limit=500, cursor=cursor)
        yield from found.records
        cursor = found.next
        if cursor is None:
            return


def _cells(service: Service, query: Query, summary: Summary) -> dict[str, dict[str, int]]:
    return {
        count.value: {
            each.value: each.posts
            for each in service.posts.count_by(replace(query, topic_groups=(count.value,)), Facet.PLACE)
        }
        for count in summary.by_topic[:TOPICS_SHOWN]
    }


# ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────────


def _content(visit: Visit, facts: Facts | str) -> None:
    if isinstance(facts, str):
        empty("Сводка сейчас недоступна", facts)
        return
    _verdict(facts)
    with ui.element("div").classes("masonry"):
        _trend(facts)
        _explained(facts)
        _work(facts.summary)
        _risks(facts)
        _freshness(visit, facts.summary)
        _heat(facts)
        _places(visit, facts)
        _stories(visit, facts)


def _verdict(facts: Facts) -> None:
    summary, door = facts.summary, facts.door
    usual = f" против обычных {number(summary.usual_relevant)}" if summary.usual_relevant is not None else ""
    waiting = summary.total - summary.analysed
    with ui.element("section").classes("panel").style("margin-bottom:12px"):
        ui.html(
            f'<div class="head">{escape(summary.verdict)}</div>'
            f'<div><span class="chip {LEVEL_KINDS[summary.risk_level]}">за {PERIODS[str(door.days)]}</span> '
            f'<a href="{door.to_feed()}">{plural(summary.relevant, POSTS)} о районе</a>{usual} · '
            f'<a href="{door.to_feed(every=True)}">собрано всего {grouped(summary.total)}</a>'
            f"{f' · ждут разбора {grouped(waiting)}' if waiting else ''}</div>",
            sanitize=False,
        )


def _risks(facts: Facts) -> None:
    with panel("Риски"):
        lines = [line for line in facts.summary.by_risk if line.count or line.previous or line.usual]
        quiet = [RISK_WORDS[line.risk].lower() for line in facts.summary.by_risk if line not in lines]
        if lines:
            ui.html(
                '<table class="plain"><tr><th>Класс</th><th class="number">Сейчас</th><th class="number">Раньше</th><th class="number">Обычно</th></tr>'
                f"{''.join(_risk_row(line, facts.door) for line in lines)}</table>",
                sanitize=False,
            )
        if quiet:
            ui.label(f"Не встречались: {', '.join(quiet)}.").classes("small soft")
        ui.label(
            "«Раньше» — столько же времени до этого; «обычно» — среднее за те же часы четырёх прошлых недель."
        ).classes("small soft")


def _risk_row(line: RiskLine, door: Door) -> str:
    usual = "—" if line.usual is None else number(line.usual)
    change = f' <span class="small">({line.change:+d})</span>' if line.change else ""
    is_high = line.usual is not None and line.count > max(line.usual * 1.5, line.usual + 2)
    mark, strong = ("▲ ", "strong") if is_high else ("", "")
    return (
        f'<tr><td class="{strong}">{mark}{RISK_WORDS[line.risk]}</td>'
        f'<td class="number {strong}"><a href="{door.to_feed(risk=line.risk.value, order="risk")}">{line.count}</a></td>'
        f'<td class="number soft">{line.previous}{change}</td><td class="number soft">{usual}</td></tr>'
    )


def _trend(facts: Facts) -> None:
    with panel("По дням" if facts.by_day else "По часам"):
        if not facts.steps:
            empty("Сообщений о районе нет", "Проверьте период и фильтры.")
            return
        trend(facts.steps, by_day=facts.by_day)
        has_usual = any(step.mean is not None for step in facts.steps)
        words = "Серая полоса — как было в те же часы четырёх прошлых недель, пунктир — среднее."
        ui.label(words if has_usual else "Прошлых недель для сравнения ещё нет.").classes("small soft")


def _explained(facts: Facts) -> None:
    """What the change is made of: shares add up to the whole."""
    growth = facts.growth
    with panel("Почему изменилось"):
        if growth is None:
            ui.label("Постов слишком много, чтобы объяснить сразу: выберите место, тему или период короче.")
            return
        if growth.note:
            ui.label(f"{growth.note.capitalize()}: было {growth.before}, стало {growth.now}.").classes("soft")
            return
        if not growth.change:
            ui.label(f"Столько же, сколько раньше: {growth.now}.").classes("soft")
            return
        word = "больше" if growth.change > 0 else "меньше"
        ui.html(
            f"На <b>{abs(growth.change)}</b> {word}, чем за столько же времени до этого: было {growth.before}, стало {growth.now}.",
            sanitize=False,
        )
        rows = "".join(_factor_row(factor, facts.door) for factor in growth.factors)
        rest = (
            f'<tr><td class="soft">остальное</td><td></td><td class="number soft">{growth.rest:.0%}</td></tr>'
        )
        ui.html(
            f'<table class="plain"><tr><th>Что</th><th class="number">Было и стало</th><th class="number">Доля</th></tr>{rows}{rest}</table>',
            sanitize=False,
        )


def _factor_row(factor: Factor, door: Door) -> str:
    topic = "" if factor.topic_group == NO_TOPIC else factor.topic_group
    place = "" if factor.place == NO_PLACE else factor.place
    source = f'<div class="small soft">{escape(factor.source)}</div>' if factor.source else ""
    target = door.to_feed(**{k: v for k, v in (("topic", topic), ("place", place)) if v})
    return (
        f'<tr><td><a href="{target}">{escape(factor.topic_group)}, {escape(factor.place)}</a>{source}</td>'
        f'<td class="number">{factor.before} → {factor.now}</td><td class="number">{factor.share:.0%}</td></tr>'
    )


def _heat(facts: Facts) -> None:
    """Topics by places: where what hurts."""
    summary, door = facts.summary, facts.door
    topics = [count.value for count in summary.by_topic[:TOPICS_SHOWN]]
    places = [count.value for count in summary.by_place[:PLACES_SHOWN]]
    with panel("Темы по местам"):
        if not topics or not places:
            ui.label("Недостаточно данных: места и темы ещё не встретились вместе.").classes("soft")
            return
        heat_map(topics, places, facts.cells, door=lambda t, p: door.to_feed(topic=t, place=p))


def _places(visit: Visit, facts: Facts) -> None:
    with panel("Схема района"):
        map_of_places(
            visit.service.district.places,
            {count.value: count.posts for count in facts.summary.by_place},
            door=lambda name: facts.door.to_feed(place=name),
        )


def _stories(visit: Visit, facts: Facts) -> None:
    with panel("Сюжеты"):
        if not facts.stories:
            ui.label("Сюжетов от трёх авторов за это время не было.").classes("soft")
        for story in facts.stories:
            check = "" if story.is_checked else ' <span class="chip">требует проверки</span>'
            ui.html(
                f'<div class="post"><a href="{link("/feed", story=story.id, days=30)}" class="strong">{escape(story.title)}</a>{check}'
                f'<div class="small soft">{severity_html(story.severity)} · {plural(story.posts, POSTS)} · {plural(story.authors, AUTHORS)} · {moment_html(visit, story.updated_at)}</div></div>',
                sanitize=False,
            )


def _work(summary: Summary) -> None:
    minutes = summary.alerts.median_minutes_to_triage
    triage = span(timedelta(minutes=minutes)) if minutes is not None else "—"
    rows = (
        ("Сигналы ждут", "/alerts", summary.alerts.open),
        ("из них просрочены", link("/alerts", late=True), summary.alerts.overdue),
        ("Инциденты открыты", "/incidents", summary.incidents.open),
        ("из них просрочены", link("/incidents", late=True), summary.incidents.overdue),
        ("Открыто за период", link("/incidents", table=True), summary.incidents.opened),
        ("Закрыто за период", link("/incidents", state="closed"), summary.incidents.closed),
    )
    body = "".join(
        f'<tr><td>{words}</td><td class="number"><a href="{target}">{count}</a></td></tr>'
        for words, target, count in rows
    )
    with panel("Работа"):
        ui.html(
            f'<table class="plain">{body}<tr><td>Обычно сигнал разбирают за</td><td class="number">{triage}</td></tr></table>',
            sanitize=False,
        )


def _freshness(visit: Visit, summary: Summary) -> None:
    fresh = [line for line in summary.freshness if line.is_fresh]
    blind = [line for line in summary.freshness if not line.is_fresh]
    with panel("Всё ли мы видим"):
        ui.html(
            f'<a href="/sources">{plural(len(fresh), SOURCES)} из {len(summary.freshness)} прочитаны за последний час</a>',
            sanitize=False,
        )
        for line in blind[:BLIND_SHOWN]:
            ui.html(
                f'<div class="small"><a href="{link("/sources", selected=line.source_id)}"><b>{escape(line.title)}</b></a>: {SOURCE_STATE_WORDS[line.state]} · прочитан {moment_html(visit, line.fresh_at, unknown="ни разу")}'
                f"{f' · {escape(line.reason)}' if line.reason else ''}</div>",
                sanitize=False,
            )
        if len(blind) > BLIND_SHOWN:
            ui.html(
                f'<a class="small" href="{link("/sources", wrong=True)}">и ещё {len(blind) - BLIND_SHOWN}</a>',
                sanitize=False,
            )
