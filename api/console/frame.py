"""The frame of every console page: who is logged in, the rail with counters, the bar, keys, and what is stale."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import ui

from api.app import BEAT_LIMIT
from api.console.button import Button
from api.console.russian import plural
from api.reports.summary import BLIND_STATES
from api.security import FORM_COOKIE, new_form_token, person_of
from api.service import Service
from api.words import ROLE_WORDS, STAGE_WORDS
from index.domain.person import Person, Right
from index.domain.publication import DeliveryState
from index.errors import ServiceError

OF_SOURCES = ("источника", "источников", "источников")
RAIL_SECONDS = 5.0  # counters of the rail are read again after this long
SECTIONS = (
    ("/alerts", "Сигналы", "alerts"),
    ("/feed", "Лента", "feed"),
    ("/incidents", "Инциденты", "incidents"),
    ("/publications", "Публикации", "publications"),
    ("/summary", "Сводка", "summary"),
    ("/sources", "Источники", "sources"),
    ("/people", "Сотрудники", "people"),
)
KEYS = (
    ("j k", "следующая и предыдущая строка"),
    ("Enter", "открыть строку"),
    ("a", "принять сигнал"),
    ("d", "отклонить, затем цифра — причина"),
    ("s", "отложить, затем цифра — до когда"),
    ("e", "ответить"),
    ("m", "присоединить к инциденту"),
    ("t", "взять сигнал себе"),
    ("x", "отметить строку, чтобы решить сразу несколько"),
    ("z", "вернуть, как было"),
    ("n", "новая запись на этой странице"),
    ("/", "поиск"),
    ("?", "эта подсказка"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One opened page: the service and the person who looks."""

    service: Service
    person: Person
    request: Request

    def may(self, right: Right) -> bool:
        return self.person.may(right)


def guarded(
    service: Service,
    path: str,
    title: str,
    build: Callable[..., Response | None],
    *,
    right: Right = Right.READ,
) -> None:
    """Register `build(visit, **query parameters)` as a page for people who may; others are sent to log in.

    `build` may give a redirect instead of a page. The query parameters of `build` (after `visit`) come from the address, so a link opens the same view.
    """

    parameters = list(inspect.signature(build, eval_str=True).parameters.values())[1:]

    def page(request: Request, **values: Any) -> Response | None:
        person = person_of(request, service)
        if person is None:
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?to={quote(target, safe='')}", status_code=303)
        visit = Visit(service=service, person=person, request=request)
        if not person.may(right):
            with frame(visit, title, here=path):
                empty("Сюда у вас нет доступа", "Права даёт администратор на странице «Сотрудники».")
            return None
        answer = build(visit, **values)
        return answer if isinstance(answer, Response) else None

    request_parameter = inspect.Parameter(
        "request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request
    )
    page.__signature__ = inspect.Signature([request_parameter, *parameters])  # type: ignore[attr-defined]
    page.__annotations__ = {"request": Request} | {p.name: p.annotation for p in parameters}
    ui.page(path, title=f"{title} — МЦУ монитор", response_timeout=20, language="ru")(page)


@contextmanager
def frame(visit: Visit, title: str, *, here: str) -> Iterator[ui.element]:
    """The page around its content; what is put inside the `with` stands under the bar.

    Yields the bar's free space, for filters and buttons.
    """
    ui.add_head_html(
        '<link rel="stylesheet" href="/assets/console.css"><link rel="icon" href="/assets/icon.svg">'
        '<script src="/assets/keys.js" defer></script><script src="/assets/drafts.js" defer></script>'
    )
    ui.colors(primary="#1a5fb4")
    ui.dark_mode(None)  # as the person's system is set
    ui.html('<a class="skip" href="#room">К содержанию</a>', sanitize=False)
    _rail(visit, here)
    with ui.element("main").classes("room").props("id=room tabindex=-1"):
        with ui.element("header").classes("bar"):
            with ui.element("h1"):
                ui.label(title)
            space = ui.element("div").style("display: contents")
        _notices(visit)
        yield space


def _rail(visit: Visit, here: str) -> None:
    with ui.element("nav").classes("rail").props('aria-label="Разделы"'):
        ui.label("МЦУ монитор").classes("brand")
        ui.label(visit.service.district.name).classes("district")
        numbers: dict[str, ui.label] = {}
        for path, words, name in SECTIONS:
            if name == "people" and not visit.may(Right.EDIT_PEOPLE):
                continue
            is_here = path == here
            with (
                ui.element("a")
                .props(f'href="{path}"' + (" aria-current=page" if is_here else ""))
                .classes("nav" + (" here" if is_here else ""))
            ):
                ui.label(words)
                numbers[name] = ui.label("").classes("number")
        with ui.element("div").classes("foot"):
            ui.label(visit.person.name.partition(",")[0]).classes("wide-only")
            ui.label(", ".join(ROLE_WORDS[role] for role in sorted(visit.person.roles))).classes(
                "soft wide-only"
            )
            ui.element("button").props('data-key="?" type=button innerHTML="Клавиши: ?"').classes(
                "text-button wide-only"
            ).on("click", show_keys)
            _logout(visit)

    def count() -> None:
        if person_of(visit.request, visit.service) != visit.person:
            ui.navigate.to("/login")  # logged out elsewhere, switched off, or other rights by now
            return
        for name, (words, is_due) in _numbers(visit).items():
            numbers[name].text = words
            numbers[name].classes(add="due" if is_due else "", remove="" if is_due else "due")

    count()
    ui.timer(RAIL_SECONDS, count)


def show_keys() -> None:
    """What the keys do, as `?` shows it."""
    rows = "".join(f"<tr><td><kbd>{escape(key)}</kbd></td><td>{words}</td></tr>" for key, words in KEYS)
    with ui.dialog() as dialog, ui.card():
        ui.label("Клавиши").classes("strong")
        ui.html(f'<table class="plain keys">{rows}</table>', sanitize=False)
        ui.label("Работают и в русской раскладке.").classes("small soft")
        Button("Закрыть", on_click=dialog.close, kind="first")
    dialog.open()


def _logout(visit: Visit) -> None:
    token = visit.request.cookies.get(FORM_COOKIE) or new_form_token()
    ui.html(
        '<form method="post" action="/logout">'
        f'<input type="hidden" name="form" value="{escape(token, quote=True)}">'
        '<button class="text-button">Выйти</button></form>',
        sanitize=False,
    )


def _numbers(visit: Visit) -> dict[str, tuple[str, bool]]:
    """Counter of each section and whether something in it is late; empty while the desk does not answer."""
    now = visit.service.now()
    try:
        alerts = visit.service.desk.alerts.counts(now)
        incidents = visit.service.desk.incidents.counts(now)
        deliveries = visit.service.desk.deliveries.counts()
    except ServiceError:
        return {}
    waiting = deliveries.get(DeliveryState.UNKNOWN, 0) + deliveries.get(DeliveryState.NEEDS_HUMAN, 0)
    return {
        "alerts": (str(alerts.open or ""), alerts.overdue > 0),
        "incidents": (str(incidents.open or ""), incidents.overdue > 0),
        "publications": (str(waiting or ""), waiting > 0),
    }


def _notices(visit: Visit) -> None:
    """Lines under the bar for what everybody must know: practice stand, «стоп всё», stages that do not tick."""
    service = visit.service
    if service.practice_url:
        with ui.element("div").classes("notice calm small"):
            ui.html(
                "Учебный стенд: посты придуманы, наружу ничего не уходит. "
                f'<a href="{service.practice_url}" target="_blank">Как выглядят страницы сетей</a>',
                sanitize=False,
            )
    try:
        is_stopped = service.desk.deliveries.is_stopped()
        late = late_stages(service)
        blind, watched = _blind(service)
    except ServiceError as error:
        ui.label(str(error)).classes("notice bad")
        return
    if is_stopped:
        ui.label("«Стоп всё»: публикации остановлены. Снять можно на странице «Публикации».").classes(
            "notice bad"
        )
    if blind:
        words = f"Сейчас не читаются {blind} из {plural(watched, OF_SOURCES)}: о них сводка молчит."
        ui.html(f'{words} <a href="/sources?wrong=True">Каких и почему</a>', sanitize=False).classes(
            "notice small"
        )
    if late:
        ui.label(f"Не отвечают части сервиса: {', '.join(late)}. Данные могут быть неполными.").classes(
            "notice bad"
        )


def _blind(service: Service) -> tuple[int, int]:
    """How many of the watched sources can't be read now, and how many are watched."""
    healths = service.desk.sources.healths()
    sources = service.desk.sources.list(enabled_only=True)
    return sum(s.id in healths and healths[s.id].state in BLIND_STATES for s in sources), len(sources)


def late_stages(service: Service) -> list[str]:
    """Stages without a heartbeat for too long, in Russian; stages that never started are not missed here."""
    beats = service.desk.beats.all()
    now = service.now()
    return [
        words for name, words in STAGE_WORDS.items() if name in beats and now - beats[name].at > BEAT_LIMIT
    ]


def empty(headline: str, advice: str) -> None:
    """A designed empty state: why there is nothing and what to do."""
    with ui.element("div").classes("empty"):
        ui.html(f"<b>{headline}</b>", sanitize=False)
        ui.label(advice)


def link(path: str, **parameters: Any) -> str:
    """An address of this console; empty and None parameters are left out, sequences repeat."""
    kept = {name: value for name, value in parameters.items() if value not in (None, "", (), [], False)}
    return f"{path}?{urlencode(kept, doseq=True)}" if kept else path


def told(action: Callable[[], Any], *, done: str = "") -> Any:
    """Run an officer's action; a refusal becomes one clear line on the screen instead of an exception."""
    try:
        result = action()
    except ServiceError as error:
        ui.notify(str(error), type="negative", position="top", timeout=8000, close_button="Закрыть")
        return None
    if done:
        ui.notify(done, type="positive", position="top")
    return result if result is not None else True
