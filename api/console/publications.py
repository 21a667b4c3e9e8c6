"""«Публикации»: what goes out and when, and where are the holes? A week of slots, rows are pages."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from html import escape

from nicegui import ui

from api.console import publication_card
from api.console.button import Button
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.parts import moment_html
from api.console.russian import MONTHS, SHORT_WEEKDAYS, day, plural
from api.service import Service
from api.words import DELIVERY_STATE_WORDS, NETWORK_WORDS, PAGE_MODE_WORDS, PUBLICATION_STATE_WORDS
from index.domain.page import Page, PageMode
from index.domain.person import Right
from index.domain.publication import Delivery, DeliveryKind, DeliveryState, Publication, PublicationState
from publisher.schedule import holes

PATH = "/publications"
REFRESH_SECONDS = 10.0
MOST = 500  # publications or deliveries of one week
TONES = {
    DeliveryState.PUBLISHED: "good",
    DeliveryState.FAILED: "bad",
    DeliveryState.UNKNOWN: "bad",
    DeliveryState.NEEDS_HUMAN: "bad",
    DeliveryState.SCHEDULED: "accent",
}


def register(service: Service) -> None:
    guarded(service, PATH, "Публикации", build)
    publication_card.register(service)


def build(visit: Visit, week: str = "", delivery: str = "") -> None:
    monday = _monday(week, visit)

    @ui.refreshable
    def content() -> None:
        _people_needed(visit, content.refresh, delivery)
        _calendar(visit, monday)
        _queue(visit)

    with frame(visit, "Публикации", here=PATH) as bar:
        with bar:
            _week_buttons(visit, monday)
            ui.element("div").classes("grow")
            if visit.may(Right.RESOLVE_DELIVERY):
                _stop_button(visit)
            if visit.may(Right.WRITE_PUBLICATION):
                Button(
                    "Новая публикация", on_click=lambda: ui.navigate.to("/publication"), kind="first", key="n"
                )
        with ui.element("section").classes("sheet").props('aria-label="Календарь публикаций"'):
            content()
        ui.timer(REFRESH_SECONDS, content.refresh)


def _monday(week: str, visit: Visit) -> date:
    try:
        chosen = date.fromisoformat(week) if week else None
    except ValueError:
        chosen = None
    chosen = chosen or visit.service.now().astimezone(visit.service.zone).date()
    return chosen - timedelta(days=chosen.weekday())


def _week_buttons(visit: Visit, monday: date) -> None:
    sunday = monday + timedelta(days=6)
    for words, shift in (("‹", -7), ("Сегодня", None), ("›", 7)):
        target = link(PATH, week=(monday + timedelta(days=shift)).isoformat()) if shift else PATH
        button = Button(words, on_click=lambda target=target: ui.navigate.to(target))
        if shift:
            button.props(f'aria-label="{"Прошлая" if shift < 0 else "Следующая"} неделя"')
    months = (
        MONTHS[monday.month - 1]
        if monday.month == sunday.month
        else f"{MONTHS[monday.month - 1]} – {sunday.day} {MONTHS[sunday.month - 1]}"
    )
    ui.label(
        f"{monday.day}–{sunday.day} {months}" if monday.month == sunday.month else f"{monday.day} {months}"
    ).classes("strong")


def _stop_button(visit: Visit) -> None:
    is_stopped = visit.service.desk.deliveries.is_stopped()

    def ask() -> None:
        with ui.dialog() as dialog, ui.card():
            ui.label("Снять «стоп всё»?" if is_stopped else "Остановить все публикации и ответы?").classes(
                "strong"
            )
            ui.label(
                "Всё, что ещё не начало отправляться, подождёт."
                if not is_stopped
                else "То, чьё время прошло сверх допустимого, решит человек."
            )
            reason = ui.input("Причина").props("outlined").style("width:320px")

            def act() -> None:
                dialog.close()
                told(
                    lambda: visit.service.desk.deliveries.stop_all(
                        not is_stopped,
                        actor=visit.person.login,
                        at=visit.service.now(),
                        reason=reason.value or "",
                    )
                )
                ui.navigate.reload()

            with ui.row():
                Button("Снять" if is_stopped else "Остановить всё", on_click=act, kind="danger")
                Button("Отмена", on_click=dialog.close)
        dialog.open()

    Button("Снять «стоп всё»" if is_stopped else "Стоп всё", on_click=ask, kind="danger")


# ── what a person has to decide ──────────────────────────────────────────────────────────────────────────────────────


def _people_needed(visit: Visit, refresh: object, wanted: str) -> None:
    desk = visit.service.desk
    states = (DeliveryState.NEEDS_HUMAN, DeliveryState.UNKNOWN, DeliveryState.FAILED)
    since = visit.service.now() - timedelta(days=14)
    deliveries, _ = desk.deliveries.find(states=states, since=since, limit=50)
    if not deliveries:
        return
    with ui.element("section").classes("panel").style("margin-bottom:12px; border-color:var(--critical)"):
        with ui.element("h2"):
            ui.label("Нужно решение человека")
        for delivery in deliveries:
            _undecided(visit, delivery, is_wanted=delivery.id == wanted)


def _undecided(visit: Visit, delivery: Delivery, *, is_wanted: bool) -> None:
    pages = {page.id: page for page in visit.service.desk.pages.list()}
    page = pages.get(delivery.page_id)
    with ui.element("div").classes("post").style("background:var(--accent-soft)" if is_wanted else ""):
        kind = "ответ жителю" if delivery.kind is DeliveryKind.REPLY else "публикация"
        where = f"{NETWORK_WORDS[page.network]}, {escape(page.title)}" if page else escape(delivery.page_id)
        ui.html(
            f'<span class="chip bad">{DELIVERY_STATE_WORDS[delivery.state]}</span> {kind} · {where} · должно было выйти {moment_html(visit, delivery.due_at)}',
            sanitize=False,
        ).classes("small")
        ui.label(delivery.message.text[:200]).classes("text")
        ui.label(delivery.error).classes("strong small")
        if page and page.url:
            ui.html(
                f'<a href="{escape(page.url, quote=True)}" target="_blank" rel="noreferrer">Посмотреть на странице, вышло ли</a>',
                sanitize=False,
            )
        if visit.may(Right.RESOLVE_DELIVERY):
            _decision(visit, delivery)


def _decision(visit: Visit, delivery: Delivery) -> None:
    desk, now = visit.service.desk.deliveries, visit.service.now

    def found() -> None:
        with ui.dialog() as dialog, ui.card():
            ui.label("Ссылка на вышедшее сообщение").classes("strong")
            url = ui.input("https://…").props("outlined").style("width:360px")

            def keep() -> None:
                if not (url.value or "").startswith(("http://", "https://")):
                    ui.notify("Нужна ссылка на сообщение.", type="warning", position="top")
                    return
                dialog.close()
                told(
                    lambda: desk.resolve(
                        delivery.id, published_url=url.value, actor=visit.person.login, at=now()
                    ),
                    done="Отмечено: вышло",
                )
                ui.navigate.reload()

            with ui.row():
                Button("Вышло", on_click=keep, kind="first")
                Button("Отмена", on_click=dialog.close)
        dialog.open()

    def send() -> None:
        with ui.dialog() as dialog, ui.card():
            ui.label("Точно не вышло? Сообщение будет отправлено сейчас.").classes("strong")

            def act() -> None:
                dialog.close()
                told(
                    lambda: desk.resolve(delivery.id, published_url=None, actor=visit.person.login, at=now()),
                    done="Отправляется",
                )
                ui.navigate.reload()

            with ui.row():
                Button("Не вышло — отправить", on_click=act, kind="danger")
                Button("Отмена", on_click=dialog.close)
        dialog.open()

    def drop() -> None:
        told(lambda: desk.cancel(delivery.id, actor=visit.person.login, at=now()), done="Отменено")
        ui.navigate.reload()

    with ui.element("div").style("display:flex; gap:8px; flex-wrap:wrap; margin-top:6px"):
        Button("Нашёл — вот ссылка", on_click=found)
        Button("Не вышло — отправить", on_click=send)
        if delivery.state is not DeliveryState.UNKNOWN:
            Button("Больше не нужно", on_click=drop)


# ── the week ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _calendar(visit: Visit, monday: date) -> None:
    service, zone = visit.service, visit.service.zone
    pages = service.desk.pages.list(enabled_only=True)
    if not pages:
        empty(
            "Официальных страниц ещё нет",
            "Их заводит администратор: страница и сеть, адрес, норма постов в неделю.",
        )
        return
    since = datetime.combine(monday, time(), zone)
    until = since + timedelta(days=7)
    publications, _ = service.desk.publications.find(since=since, until=until, limit=MOST)
    deliveries, _ = service.desk.deliveries.find(since=since, until=until, limit=MOST)
    states = {(d.subject_id, d.page_id): d for d in deliveries}
    cells: dict[tuple[str, date], list[str]] = defaultdict(list)
    for publication in publications:
        if publication.state is PublicationState.WITHDRAWN:
            continue
        for page_id, _message in publication.variants:
            where = publication.due_at.astimezone(zone)
            cells[page_id, where.date()].append(
                _slot_html(publication, states.get((publication.id, page_id)), where)
            )
    short = {
        (hole.page_id): hole
        for hole in holes(pages, deliveries, zone=zone.key, now=service.now())
        if hole.monday == monday
    }
    days = [monday + timedelta(days=n) for n in range(7)]
    today = service.now().astimezone(zone).date()
    head = "".join(
        f"<th{' style=color:var(--accent)' if d == today else ''}>{SHORT_WEEKDAYS[d.weekday()]} {d.day}</th>"
        for d in days
    )
    rows = []
    for page in pages:
        hole = short.get(page.id)
        missing = (
            f'<div class="small" style="color:var(--critical)">не хватает {plural(hole.missing, ("поста", "постов", "постов"))} до нормы {hole.norm}</div>'
            if hole
            else ""
        )
        columns = "".join(
            f"<td>{''.join(cells[page.id, d]) or _free_html(page, d, today, is_hole=bool(hole))}</td>"
            for d in days
        )
        rows.append(f"<tr><td>{_page_html(page)}{missing}</td>{columns}</tr>")
    ui.html(
        f'<div class="panel" style="overflow-x:auto; padding:0"><table class="plain calendar"><tr><th style="min-width:190px">Страница</th>{head}</tr>{"".join(rows)}</table></div>',
        sanitize=False,
    )


def _page_html(page: Page) -> str:
    mode = "" if page.mode is PageMode.LIVE else f' <span class="chip">{PAGE_MODE_WORDS[page.mode]}</span>'
    return f'<a href="{link("/page", id=page.id)}" class="strong">{escape(page.title)}</a>{mode}<div class="small soft">{NETWORK_WORDS[page.network]}</div>'


def _slot_html(publication: Publication, delivery: Delivery | None, where: datetime) -> str:
    tone = TONES.get(delivery.state, "") if delivery else ""
    words = DELIVERY_STATE_WORDS[delivery.state] if delivery else PUBLICATION_STATE_WORDS[publication.state]
    return (
        f'<a class="slot {tone}" href="{link("/publication", id=publication.id)}" title="{escape(publication.title, quote=True)}">'
        f"<b>{where:%H:%M}</b> <span>{escape(publication.title)}</span><i>{words}</i></a>"
    )


def _free_html(page: Page, that: date, today: date, *, is_hole: bool) -> str:
    if that < today:
        return ""
    kind = "hole" if is_hole else ""
    address = link("/publication", page=page.id, day=that.isoformat())
    return f'<a class="free {kind}" href="{address}" aria-label="Добавить: {escape(page.title, quote=True)}, {day(that, today)}">+</a>'


def _queue(visit: Visit) -> None:
    """What waits for approval, for those who approve."""
    waiting, _ = visit.service.desk.publications.find(states=(PublicationState.ON_REVIEW,), limit=50)
    if not waiting:
        return
    with ui.element("section").classes("panel").style("margin-top:12px"):
        with ui.element("h2"):
            ui.label("Ждут согласования")
        for publication in waiting:
            pages = plural(len(publication.variants), ("страница", "страницы", "страниц"))
            ui.html(
                f'<a class="line" style="grid-template-columns:minmax(0,1fr) auto" data-row="{publication.id}" href="{link("/publication", id=publication.id)}">'
                f'<span class="title strong">{escape(publication.title)}</span><span class="small soft">{pages} · {escape(publication.author)} · выйдет {moment_html(visit, publication.due_at)}</span></a>',
                sanitize=False,
            )
