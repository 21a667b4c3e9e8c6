"""What the publics officer must be told and decide: notices first, then deliveries whose fate is open."""

from __future__ import annotations

from datetime import timedelta

from nicegui import ui

from api.console.button import Button
from api.console.frame import Visit, link, told
from api.console.parts import heading, moment_html, outside_html
from api.words import DELIVERY_STATE_WORDS, NETWORK_WORDS
from index.domain.person import Right
from index.domain.publication import Delivery, DeliveryKind, DeliveryState
from publisher.notices import Notice, NoticeKind, notices

DECIDED_HERE = (DeliveryState.NEEDS_HUMAN, DeliveryState.UNKNOWN, DeliveryState.FAILED)
ABOUT_THEM = frozenset({NoticeKind.NEEDS_HUMAN, NoticeKind.UNKNOWN, NoticeKind.FAILED})
LOOK_BACK = timedelta(days=14)
SHOWN = 50


def undecided(visit: Visit) -> tuple[list[Notice], list[Delivery]]:
    """Notices that are not about a delivery shown here, and those deliveries."""
    now = visit.service.now()
    desk = visit.service.desk
    said = [notice for notice in notices(desk, now) if notice.kind not in ABOUT_THEM]
    deliveries, _ = desk.deliveries.find(states=DECIDED_HERE, since=now - LOOK_BACK, limit=SHOWN)
    return said, deliveries


def show_undecided(visit: Visit, said: list[Notice], deliveries: list[Delivery], wanted: str) -> None:
    """`wanted`: id of the delivery a link pointed at."""
    if not said and not deliveries:
        return
    with ui.element("section").classes("panel urgent").props("aria-label='Требует внимания'"):
        heading("Требует внимания")
        for notice in said:
            _notice(visit, notice)
        for delivery in deliveries:
            _delivery(visit, delivery, is_wanted=delivery.id == wanted)


def _notice(visit: Visit, notice: Notice) -> None:
    door = _door(visit, notice)
    more = f' · <a href="{door}">открыть</a>' if door else ""
    with ui.element("div").classes("post"):
        ui.label(notice.text).classes("strong")
        ui.html(f"{moment_html(visit, notice.at)}{more}", sanitize=False).classes("small soft")


def _door(visit: Visit, notice: Notice) -> str:
    if notice.kind in (NoticeKind.KEY, NoticeKind.PAGE_OFF) and notice.page_id:
        return link("/page", id=notice.page_id)
    if notice.delivery_id is None:
        return ""
    delivery = visit.service.desk.deliveries.get(notice.delivery_id)
    if delivery.kind is DeliveryKind.REPLY:
        return link("/incident", id=visit.service.desk.incidents.get_reply(delivery.subject_id).incident_id)
    return link("/publication", id=delivery.subject_id)


def _delivery(visit: Visit, delivery: Delivery, *, is_wanted: bool) -> None:
    pages = {page.id: page for page in visit.service.desk.pages.list()}
    page = pages.get(delivery.page_id)
    with ui.element("div").classes("post" + (" here" if is_wanted else "")):
        kind = "ответ жителю" if delivery.kind is DeliveryKind.REPLY else "публикация"
        where = f"{NETWORK_WORDS[page.network]}, {page.title}" if page else delivery.page_id
        with ui.element("div").classes("acts small"):
            ui.label(DELIVERY_STATE_WORDS[delivery.state]).classes("chip bad")
            ui.label(f"{kind} · {where}")
            ui.html(f"должно было выйти {moment_html(visit, delivery.due_at)}", sanitize=False)
        ui.label(delivery.message.text[:200]).classes("text")
        ui.label(delivery.error).classes("strong small")
        if page and (outside := outside_html(page.url, "Посмотреть на странице, вышло ли")):
            ui.html(outside, sanitize=False)
        if visit.may(Right.RESOLVE_DELIVERY):
            _decision(visit, delivery)


def _decision(visit: Visit, delivery: Delivery) -> None:
    def drop() -> None:
        cancel = visit.service.desk.deliveries.cancel
        who, at = visit.person.login, visit.service.now()
        told(lambda: cancel(delivery.id, actor=who, at=at), done="Отменено")
        ui.navigate.reload()

    with ui.element("div").classes("acts").style("margin-top:6px"):
        Button("Нашёл — вот ссылка", on_click=lambda: _ask_link(visit, delivery))
        Button("Не вышло — отправить", on_click=lambda: _ask_send(visit, delivery))
        if delivery.state is not DeliveryState.UNKNOWN:
            Button("Больше не нужно", on_click=drop)


def _ask_link(visit: Visit, delivery: Delivery) -> None:
    with ui.dialog() as dialog, ui.card():
        ui.label("Ссылка на вышедшее сообщение").classes("strong")
        url = ui.input("https://…").props("outlined dense").style("width:360px; max-width:80vw")

        def keep() -> None:
            if not (url.value or "").startswith(("http://", "https://")):
                ui.notify("Нужна ссылка на сообщение.", type="warning", position="top")
                return
            dialog.close()
            _resolve(visit, delivery, url.value, done="Отмечено: вышло")

        with ui.element("div").classes("acts"):
            Button("Вышло", on_click=keep, kind="first")
            Button("Отмена", on_click=dialog.close)
    dialog.open()


def _ask_send(visit: Visit, delivery: Delivery) -> None:
    """A question, because what goes out can't be undone."""
    with ui.dialog() as dialog, ui.card():
        ui.label("Точно не вышло? Сообщение будет отправлено сейчас.").classes("strong")

        def act() -> None:
            dialog.close()
            _resolve(visit, delivery, None, done="Отправляется")

        with ui.element("div").classes("acts"):
            Button("Не вышло — отправить", on_click=act, kind="danger")
            Button("Отмена", on_click=dialog.close)
    dialog.open()


def _resolve(visit: Visit, delivery: Delivery, url: str | None, *, done: str) -> None:
    resolve, at = visit.service.desk.deliveries.resolve, visit.service.now()
    told(lambda: resolve(delivery.id, published_url=url, actor=visit.person.login, at=at), done=done)
    ui.navigate.reload()
