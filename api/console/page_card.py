"""The card of an official page: address, mode, norm, the checklist whose gaps are red, and what its keys can do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from html import escape

from nicegui import run, ui

from api.console.button import Button
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.parts import heading
from api.service import Service
from api.words import NETWORK_WORDS, PAGE_MODE_WORDS
from index.desk.rows import new_id
from index.domain.page import CARD, Page, PageMode, page_address
from index.domain.person import Right
from index.domain.post import Network
from index.errors import NotFound, ServiceError
from publisher.channels import channel_for
from publisher.channels.base import Capabilities

PATH = "/page"


def register(service: Service) -> None:
    guarded(service, PATH, "Официальная страница", build)


def build(visit: Visit, id: str = "") -> None:
    with frame(visit, "Официальная страница", here="/publications"):
        try:
            page = visit.service.desk.pages.get(id) if id else None
        except NotFound:
            empty("Такой страницы нет", "Все страницы — в календаре публикаций.")
            return
        if page is None and not visit.may(Right.EDIT_PAGES):
            empty("Страницы заводит ответственный за госпаблики", "Откройте календарь публикаций.")
            return
        with ui.element("div").classes("sheet columns"):
            _form(visit, page)
            if page:
                _gaps(visit, page)
                _abilities(visit, page)


def _form(visit: Visit, page: Page | None) -> None:
    networks = {n.value: w for n, w in NETWORK_WORDS.items() if n is not Network.NEWS}
    lock = "" if visit.may(Right.EDIT_PAGES) else " readonly"
    with ui.element("section").classes("panel fields"):
        network = ui.select(networks, label="Сеть", value=page.network.value if page else "vk").props(
            "outlined dense" + lock
        )
        address = ui.input("Адрес в сети", value=page.address if page else "").props("outlined dense" + lock)
        title = ui.input("Название", value=page.title if page else "").props("outlined dense" + lock)
        organisation = ui.input("Чья страница", value=page.organisation if page else "").props(
            "outlined dense" + lock
        )
        url = ui.input("Ссылка", value=(page.url or "") if page else "").props("outlined dense" + lock)
        discussion = ui.input(
            "Группа обсуждения (Telegram)", value=(page.discussion or "") if page else ""
        ).props("outlined dense" + lock)
        norm = ui.number(
            "Норма постов в неделю", value=page.weekly_norm if page else 3, min=0, max=50, precision=0
        ).props("outlined dense" + lock)
        late = ui.number(
            "Опоздание, после которого решает человек, минут",
            value=(page.late_limit.total_seconds() // 60) if page else 30,
            min=1,
            max=1440,
            precision=0,
        ).props("outlined dense" + lock)
        mode = ui.select(
            {
                m.value: f"{w}: {'наружу ничего не уходит' if m is PageMode.REHEARSAL else 'посты выходят'}"
                for m, w in PAGE_MODE_WORDS.items()
            },
            label="Режим",
            value=(page.mode if page else PageMode.REHEARSAL).value,
        ).props("outlined dense" + lock)
        enabled = ui.checkbox("Страница включена", value=page.is_enabled if page else True)
        changed = ui.input(
            "Пароль менялся",
            value=page.password_changed_at.astimezone(visit.service.zone).date().isoformat()
            if page and page.password_changed_at
            else "",
        ).props("outlined dense type=date" + lock)
        heading("Карточка страницы")
        card = {
            name: ui.input(words, value=page.card.get(name, "") if page else "").props(
                "outlined dense" + lock
            )
            for name, words in CARD.items()
        }

        def act() -> Page:
            chosen = Network(network.value)
            new = Page(
                id=page.id if page else new_id("page"), network=chosen, address=page_address(chosen, address.value or ""),
                title=(title.value or "").strip(), organisation=organisation.value or "", url=url.value or None,
                mode=PageMode(mode.value), discussion=discussion.value or None, weekly_norm=int(norm.value or 0),
                late_limit=timedelta(minutes=int(late.value or 30)), card={name: field.value or "" for name, field in card.items()},
                password_changed_at=_date(changed.value, visit), is_enabled=enabled.value,
            )  # fmt: skip
            actor, at = visit.person.login, visit.service.now()
            if page:
                return visit.service.desk.pages.save(new, actor=actor, at=at)
            visit.service.desk.pages.add(new, actor=actor, at=at)
            return new

        def save() -> None:
            saved = told(act, done="Страница сохранена")
            if isinstance(saved, Page):
                ui.navigate.to(link(PATH, id=saved.id))

        if not lock:
            Button("Сохранить", on_click=save, kind="first").style("margin-top:10px")


def _date(text: str | None, visit: Visit) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=visit.service.zone) if text else None


def _gaps(visit: Visit, page: Page) -> None:
    gaps = page.gaps(visit.service.now())
    with ui.element("section").classes("panel"):
        with ui.element("h2"):
            ui.label("Чего не хватает в карточке" if gaps else "Карточка заполнена")
        for gap in gaps:
            ui.html(f'<div style="color:var(--critical)">✕ {escape(gap)}</div>', sanitize=False)


def _abilities(visit: Visit, page: Page) -> None:
    """What the page's keys can do, asked from the network only when the officer presses."""
    with ui.element("section").classes("panel"):
        with ui.element("h2"):
            ui.label("Что может эта страница")
        found = ui.element("div")

        async def ask() -> None:
            button.disable()
            result = await run.io_bound(_check, visit.service, page)
            button.enable()
            if result is None:  # the server is being stopped
                return
            found.clear()
            with found:
                if isinstance(result, str):
                    ui.label(result).classes("strong")
                    return
                if result.title:
                    ui.label(f"Сеть называет её «{result.title}». Сравните: это та страница?").classes(
                        "strong"
                    )
                for capability in result.found:
                    mark, why = (
                        ("✓" if capability.is_on else "✕"),
                        f" — {capability.why}" if capability.why else "",
                    )
                    ui.label(f"{mark} {ABILITY_WORDS[capability.ability.value]}{why}")

        button = Button("Проверить ключи", on_click=ask)


def _check(service: Service, page: Page) -> Capabilities | str:
    """Against the network even in rehearsal: reads only."""
    try:
        channel = channel_for(replace(page, mode=PageMode.LIVE), service.settings, service.desk)
    except ServiceError as error:
        return str(error)
    try:
        return channel.check(page)
    except ServiceError as error:
        return str(error)
    finally:
        channel.close()


ABILITY_WORDS = {
    "post": "публиковать",
    "photo": "прикладывать снимок",
    "comment": "отвечать под записями",
    "find": "читать страницу для сверки",
    "figures": "узнавать просмотры и отметки",
}
