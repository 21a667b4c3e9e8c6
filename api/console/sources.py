"""«Источники»: do we see everything? Health with its reason, freshness, rhythm, the tokens' budget, proposals."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import datetime, timedelta
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from api.console.button import Button
from api.console.filters import choice, options, switch
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.parts import moment_html, spark
from api.console.russian import POSTS, SHORT_WEEKDAYS, SOURCES, ahead, exact, grouped, number, plural, when
from api.service import Service
from api.words import NETWORK_WORDS, SOURCE_STATE_WORDS
from crawlers.pace import budget_rows
from crawlers.schedule import Rhythm
from crawlers.sources import normal_address
from index.domain.person import Right
from index.domain.post import Network
from index.domain.source import Proposal, Source, SourceHealth, SourceState
from index.errors import NotFound, ServiceError
from index.pace import limits, network_day

PATH = "/sources"
LOOK_SECONDS = 10.0
WRONG = frozenset(
    {
        SourceState.FAILING,
        SourceState.BANNED,
        SourceState.NEEDS_TOKEN,
        SourceState.LAYOUT_CHANGED,
        SourceState.SILENT,
    }
)
TONES = {SourceState.FINE: "good", SourceState.NEW: "", SourceState.SLOW: "risk"}


def register(service: Service) -> None:
    guarded(service, PATH, "Источники", build)


def build(visit: Visit, network: str = "", wrong: bool = False, selected: str = "") -> None:
    state = {"network": network, "wrong": wrong, "selected": selected}

    drawn: list[Hashable] = []

    @ui.refreshable
    def content() -> None:
        drawn[:] = [_state(visit)]
        _headline(visit)
        _proposals(visit, content.refresh)
        _table(visit, state)
        _budget(visit)
        _quarantine(visit)

    with frame(visit, "Источники", here=PATH) as bar:
        with bar:
            choice(PATH, state, "network", "Сеть", options(NETWORK_WORDS), width=160)
            switch(PATH, state, "wrong", "Только неисправные")
            ui.element("div").classes("grow")
            if visit.may(Right.EDIT_SOURCES):
                Button(
                    "Добавить источник",
                    on_click=lambda: _edit(visit, None, content.refresh),
                    kind="first",
                    key="n",
                )
        if selected:
            _one(visit, selected)
        with ui.element("section").classes("sheet").props('aria-label="Источники"'):
            content()

    def look() -> None:
        """Drawn again only when something has changed, so that nobody loses their place in the table."""
        try:
            is_same = [_state(visit)] == drawn
        except ServiceError:
            return  # what stands on the screen stays; the next look tries again
        if not is_same:
            content.refresh()

    ui.timer(LOOK_SECONDS, look)


def _state(visit: Visit) -> Hashable:
    desk = visit.service.desk
    minute = visit.service.now().replace(second=0, microsecond=0)  # «5 мин назад» moves too
    healths = tuple((h.source_id, h.state, h.reason, h.posts_seen) for h in desk.sources.healths().values())
    return (
        minute,
        healths,
        len(desk.sources.list()),
        tuple(p.id for p in desk.sources.proposals()),
        desk.quarantine.count(),
    )


def _headline(visit: Visit) -> None:
    healths = visit.service.desk.sources.healths()
    sources = visit.service.desk.sources.list(enabled_only=True)
    wrong = [s for s in sources if _health(healths, s).state in WRONG]
    words = plural(len(sources), SOURCES)
    if wrong:
        ui.html(
            f"<b>{words}, неисправны {len(wrong)}.</b> Пока они не читаются, в сводке могут быть дыры.",
            sanitize=False,
        )
    elif sources:
        ui.html(f"<b>{words}, все читаются.</b>", sanitize=False)


def _health(healths: Mapping[str, SourceHealth], source: Source) -> SourceHealth:
    return healths.get(source.id, SourceHealth(source_id=source.id))


def _table(visit: Visit, state: Mapping[str, Any]) -> None:
    desk = visit.service.desk
    healths = desk.sources.healths()
    sources = [s for s in desk.sources.list() if not state["network"] or s.network == state["network"]]
    if state["wrong"]:
        sources = [s for s in sources if _health(healths, s).state in WRONG]
    if not sources:
        empty(
            "Источников нет",
            "Добавьте группы, каналы и сайты района кнопкой выше или файлом: mcu sources import sources.yaml",
        )
        return
    order = {True: 0, False: 1}
    sources.sort(key=lambda s: (order[_health(healths, s).state in WRONG], s.title))
    rows = "".join(_row(visit, source, _health(healths, source)) for source in sources)
    heads = ("Источник", "Состояние", "Прочитан", "Новейший пост", "Следующий раз", "Постов")
    head = "".join(f"<th{' class=number' if name == 'Постов' else ''}>{name}</th>" for name in heads)
    ui.html(
        f'<div class="panel" style="overflow-x:auto; padding:0; margin-top:8px"><table class="plain stack"><tr>{head}</tr>{rows}</table></div>',
        sanitize=False,
    )


def _row(visit: Visit, source: Source, health: SourceHealth) -> str:
    tone = TONES.get(health.state, "bad")
    official = ' <span class="chip accent">официальная</span>' if source.is_official else ""
    off = ' <span class="chip">выключен</span>' if not source.is_enabled else ""
    home = f" · {escape(source.home)}" if source.home else ""
    reason = f'<div class="small">{escape(health.reason)}</div>' if health.reason else ""
    return (
        f'<tr><td><a class="strong" data-row="{escape(source.id, quote=True)}" href="{link(PATH, selected=source.id)}">{escape(source.title)}</a>{official}{off}'
        f'<div class="small soft">{NETWORK_WORDS[source.network]} · <span lang="en">{escape(source.address)}</span>{home}</div></td>'
        f'<td><span class="chip {tone}">{SOURCE_STATE_WORDS[health.state]}</span>{reason}</td>'
        f"<td data-name='прочитан'>{moment_html(visit, health.fresh_at, unknown='ни разу')}</td><td data-name='новейший пост'>{moment_html(visit, health.newest_post_at)}</td>"
        f"<td data-name='следующий раз'>{_next_html(visit, source, health)}</td>"
        f'<td class="number" data-name="постов"><a href="{link("/feed", source=source.id, days=30, every=True)}">{grouped(health.posts_seen)}</a></td></tr>'
    )


def _next_html(visit: Visit, source: Source, health: SourceHealth) -> str:
    if not source.is_enabled:
        return "—"
    now, zone = visit.service.now(), visit.service.zone
    if health.due_at is None:
        return "сейчас"
    return f'<span title="{exact(health.due_at, zone)}">{ahead(health.due_at, now, zone)}</span>'


def _one(visit: Visit, source_id: str) -> None:
    """The chosen source: its rhythm by hour of the week, and what may be changed."""
    desk = visit.service.desk
    try:
        source = desk.sources.get(source_id)
    except NotFound:
        empty("Такого источника нет", "Возможно, ссылка устарела.")
        return
    rhythm = Rhythm.from_json(desk.cursors.get(source_id, "rhythm"))
    with ui.element("section").classes("panel").style("margin:12px 16px 0"):
        with ui.element("h2"):
            ui.label(source.title)
        ui.html(_rhythm_html(rhythm, visit), sanitize=False)
        if visit.may(Right.EDIT_SOURCES):
            with ui.element("div").style("display:flex; gap:8px; margin-top:8px; flex-wrap:wrap"):
                Button("Изменить", on_click=lambda: _edit(visit, source, ui.navigate.reload))
                Button("Закрыть", on_click=lambda: ui.navigate.to(PATH))


def _rhythm_html(rhythm: Rhythm, visit: Visit) -> str:
    """When this source usually speaks: a line of blocks a day, by the clocks of the district."""
    if not rhythm.posts:
        return '<span class="soft">Ритм ещё не изучен: нужны хотя бы несколько постов.</span>'
    monday = datetime.fromisoformat("2026-01-05T00:00:00").replace(tzinfo=visit.service.zone)
    rates = [rhythm.rate(monday + timedelta(hours=hour)) for hour in range(168)]
    top = max(rates) or 1.0
    lines = []
    for weekday, name in enumerate(SHORT_WEEKDAYS):
        day = [round(rate / top * 100) for rate in rates[weekday * 24 : weekday * 24 + 24]]
        lines.append(
            f'<tr><td class="small soft">{name}</td><td style="font-family:monospace; letter-spacing:1px">{spark([*day, 100])[:-1]}</td></tr>'
        )
    return f'<div class="small soft">Когда здесь обычно пишут (часы 0–23), в среднем {number(rhythm.mean_rate * 24)} в день</div><table>{"".join(lines)}</table>'


def _edit(visit: Visit, source: Source | None, done: Any) -> None:
    """Add a source or change one; the address is normalised once, as in sources.yaml."""
    desk = visit.service.desk
    with ui.dialog() as dialog, ui.card().style("min-width:min(460px, 92vw)"):
        ui.label("Изменить источник" if source else "Новый источник").classes("strong")
        network = ui.select(
            {n.value: w for n, w in NETWORK_WORDS.items()},
            label="Сеть",
            value=source.network.value if source else "vk",
        ).props("outlined dense")
        address = ui.input(
            "Адрес: club1, имя канала или ссылка", value=source.address if source else ""
        ).props("outlined dense")
        if source:
            network.disable()
            address.disable()
        title = ui.input("Название", value=source.title if source else "").props("outlined dense")
        places = {"": "не привязан"} | {p.name: p.name for p in visit.service.district.places}
        home = ui.select(
            places, label="Населённый пункт", value=(source.home or "") if source else "", with_input=True
        ).props("outlined dense")
        official = ui.checkbox("Официальная страница", value=source.is_official if source else False)
        comments = ui.checkbox("Читать комментарии", value=source.with_comments if source else True)
        enabled = ui.checkbox("Включён", value=source.is_enabled if source else True)

        def save() -> None:
            def act() -> None:
                chosen = Network(network.value)
                where = source.address if source else normal_address(chosen, address.value or "")
                new = Source(
                    id=source.id if source else f"{chosen.value}:{where}", network=chosen, address=where,
                    title=(title.value or "").strip() or where, home=home.value or None, is_official=official.value,
                    with_comments=comments.value, is_enabled=enabled.value,
                )  # fmt: skip
                actor, at = visit.person.login, visit.service.now()
                if source:
                    desk.sources.save(new, actor=actor, at=at)
                else:
                    desk.sources.add([new], actor=actor, at=at)

            if told(act, done="Источник сохранён") is not None:
                dialog.close()
                done()

        with ui.element("div").classes("acts"):
            Button("Сохранить", on_click=save, kind="first")
            Button("Отмена", on_click=dialog.close)
    dialog.open()


def _proposals(visit: Visit, refresh: Any) -> None:
    proposals = visit.service.desk.sources.proposals()
    searched = community_search_words(
        visit.service.desk.cursors.get("vk:search", "communities"), visit.service.now(), visit.service.zone
    )
    if not proposals and not searched:
        return
    with ui.element("section").classes("panel").style("margin:8px 0"):
        if proposals:
            with ui.element("h2"):
                ui.label("Сервис предлагает читать")
        for proposal in proposals:
            _proposal(visit, proposal, refresh)
        if searched:
            ui.label(searched).classes("small soft")


def community_search_words(state: Mapping[str, Any] | None, now: datetime, zone: ZoneInfo) -> str:
    """What the search of communities did last, or why it cannot; empty: it has not been tried yet."""
    if not state:
        return ""
    if trouble := state.get("trouble"):
        return f"Поиск сообществ ВКонтакте не работает: {trouble}"
    if not state.get("name"):
        return ""
    at = when(datetime.fromisoformat(state["at"]), now, zone)
    return (
        f"Поиск сообществ ВКонтакте: {at} по названию «{state['name']}», открытых найдено {state['found']}, "
        f"новых просмотрено {state['looked_at']}. Раз в день — следующий посёлок."
    )


def _proposal(visit: Visit, proposal: Proposal, refresh: Any) -> None:
    with (
        ui.element("div").classes("post").style("display:flex; gap:10px; align-items:center; flex-wrap:wrap")
    ):
        ui.html(
            f'<div><b>{escape(proposal.title)}</b> <span class="small soft">{NETWORK_WORDS[proposal.network]} · <span lang="en">{escape(proposal.address)}</span></span>'
            f'<div class="small">{escape(proposal.reason)}</div></div>',
            sanitize=False,
        ).style("flex:1; min-width:220px")
        if not visit.may(Right.EDIT_SOURCES):
            return

        def decide(accepted: bool) -> None:
            words = "Источник добавлен" if accepted else "Больше не предложим"
            told(
                lambda: visit.service.desk.sources.decide(
                    proposal.id, accepted, actor=visit.person.login, at=visit.service.now()
                ),
                done=words,
            )
            refresh()

        Button("Читать", on_click=lambda: decide(True), kind="first")
        Button("Не нужно", on_click=lambda: decide(False))


def _budget(visit: Visit) -> None:
    """How the calls that the networks allow for the day are spent."""
    service = visit.service
    rows = budget_rows(limits(service.settings.limits), service.desk.quotas.spent(network_day(service.now())))
    if not rows:
        return
    body = "".join(
        f'<tr><td lang="en">{escape(_bucket_words(row["bucket"]))}</td><td class="number">{grouped(row["spent"])}</td>'
        f'<td class="number">{grouped(row["limit"]) if row["limit"] else "без предела"}</td></tr>'
        for row in rows
    )
    with ui.element("section").classes("panel").style("margin-top:12px"):
        with ui.element("h2"):
            ui.label("Обращения к сетям за сегодня")
        ui.html(
            f'<table class="plain"><tr><th>Что</th><th class="number">Потрачено</th><th class="number">Можно</th></tr>{body}</table>',
            sanitize=False,
        )


def _bucket_words(bucket: str) -> str:
    """`vk:3fa1…:wall.get` as «ВКонтакте, wall.get, ключ 3fa1»; the bucket holds a hash, never the token."""
    network, _, rest = bucket.partition(":")
    token, _, method = rest.partition(":")
    name = NETWORK_WORDS.get(Network(network), network) if network in set(Network) else network
    return ", ".join(filter(None, [name, method, f"ключ {token[:4]}" if method else token]))


def _quarantine(visit: Visit) -> None:
    count = visit.service.desk.quarantine.count()
    if not count:
        return
    with ui.element("section").classes("panel").style("margin-top:12px"):
        with ui.element("h2"):
            ui.label(f"Не удалось прочитать: {plural(count, POSTS)}")
        ui.label("Ответы хранятся семь дней; когда разбор починят, их прочтут снова.").classes("soft")
        for row in visit.service.desk.quarantine.list(limit=10):
            ui.html(
                f'<div class="small">{moment_html(visit, row.at)} · {NETWORK_WORDS.get(row.network, "") if row.network else ""} · {escape(row.error[:200])}</div>',
                sanitize=False,
            )
