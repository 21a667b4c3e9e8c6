"""«Сотрудники»: who works here and what may they do; keys of programs; official pages; the audit."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from nicegui import ui

from api.console import page_card
from api.console.button import Button
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.parts import moment_html, names_of, panel
from api.service import Service
from api.words import AUDIT_WORDS, ROLE_WORDS, SUBJECT_WORDS
from index.domain.person import Person, Right, Role

PATH = "/people"
#: Kind of an audit row's subject → the page that shows it and the parameter that names it.
DOORS = {
    "alert": ("/alerts", "selected"),
    "incident": ("/incident", "id"),
    "models": ("/models", "about"),
    "page": ("/page", "id"),
    "post": ("/post", "id"),
    "publication": ("/publication", "id"),
    "source": ("/sources", "selected"),
    "delivery": ("/publications", "delivery"),
}
AUDIT_SHOWN = 40


def register(service: Service) -> None:
    guarded(service, PATH, "Сотрудники", build, right=Right.EDIT_PEOPLE)
    page_card.register(service)


def build(visit: Visit) -> None:
    with frame(visit, "Сотрудники", here=PATH) as bar:
        with bar:
            ui.element("div").classes("grow")
            Button("Новый сотрудник", on_click=lambda: _edit(visit, None), kind="first", key="n")
            Button("Новый ключ", on_click=lambda: _new_key(visit))
            Button("Модели", on_click=lambda: ui.navigate.to("/models"))
            Button("Новая официальная страница", on_click=lambda: ui.navigate.to("/page"))
        with ui.element("section").classes("sheet columns"):
            _people(visit)
            _keys(visit)
            _audit(visit)


def _people(visit: Visit) -> None:
    with panel("Сотрудники"):
        for person in visit.service.desk.people.list():
            with ui.element("div").classes("post").style("display:flex; gap:8px; align-items:center"):
                off = "" if person.is_enabled else ' <span class="chip">отключён</span>'
                roles = ", ".join(ROLE_WORDS[role] for role in sorted(person.roles))
                sector = visit.service.district.sectors.get(person.sector or "", "")
                ui.html(
                    f'<div><b>{escape(person.name)}</b> <span class="soft" lang="en">{escape(person.login)}</span>{off}'
                    f'<div class="small">{roles}{f" · {escape(sector)}" if sector else ""}</div></div>',
                    sanitize=False,
                ).style("flex:1")
                Button("Изменить", on_click=lambda person=person: _edit(visit, person))


def _edit(visit: Visit, person: Person | None) -> None:
    people = visit.service.desk.people
    with ui.dialog() as dialog, ui.card().style("min-width:min(460px, 92vw)"):
        ui.label(person.name if person else "Новый сотрудник").classes("strong")
        login = ui.input("Имя для входа", value=person.login if person else "").props("outlined dense")
        if person:
            login.disable()
        name = ui.input("Имя и должность", value=person.name if person else "").props("outlined dense")
        roles = ui.select(
            {r.value: w for r, w in ROLE_WORDS.items()},
            multiple=True,
            label="Роли",
            value=[r.value for r in person.roles] if person else [],
        ).props("outlined dense use-chips")
        sectors = {"": "нет"} | dict(visit.service.district.sectors)
        sector = ui.select(sectors, label="Отрасль", value=(person.sector or "") if person else "").props(
            "outlined dense"
        )
        password = ui.input("Новый пароль" if person else "Пароль", password=True).props(
            "outlined dense autocomplete=new-password"
        )
        enabled = ui.checkbox("Может входить", value=person.is_enabled if person else True)

        def act() -> None:
            actor, at = visit.person.login, visit.service.now()
            new = Person(
                login=(login.value or "").strip(), name=(name.value or "").strip(), roles=frozenset(Role(r) for r in roles.value),
                sector=sector.value or None, is_enabled=enabled.value,
            )  # fmt: skip
            if person is None:
                people.add(new, password.value or "", actor=actor, at=at)
                return
            people.save(new, actor=actor, at=at)
            if password.value:
                people.set_password(new.login, password.value, actor=actor, at=at)

        _buttons(dialog, act)
    dialog.open()


def _buttons(dialog: ui.dialog, act: Any) -> None:
    def save() -> None:
        if told(act, done="Сохранено") is not None:
            dialog.close()
            ui.navigate.reload()

    with ui.element("div").classes("acts"):
        Button("Сохранить", on_click=save, kind="first")
        Button("Отмена", on_click=dialog.close)


def _keys(visit: Visit) -> None:
    with panel("Ключи программ"):
        keys = visit.service.desk.keys.list()
        if not keys:
            empty("Ключей нет", "Ключ нужен программе, которая забирает сводку рисков по /api/v1.")
        for key in keys:
            with ui.element("div").classes("post").style("display:flex; gap:8px; align-items:center"):
                off = ' <span class="chip bad">отозван</span>' if key.is_revoked else ""
                ui.html(
                    f'<div><b>{escape(key.name)}</b>{off}<div class="small soft">{ROLE_WORDS[key.role]} · выдан {moment_html(visit, key.created_at)}'
                    f" · использован {moment_html(visit, key.last_used_at, unknown='ни разу')}</div></div>",
                    sanitize=False,
                ).style("flex:1")
                if not key.is_revoked:
                    Button("Отозвать", on_click=lambda key=key: _revoke(visit, key.id), kind="danger")


def _revoke(visit: Visit, key_id: str) -> None:
    told(
        lambda: visit.service.desk.keys.revoke(key_id, actor=visit.person.login, at=visit.service.now()),
        done="Ключ отозван",
    )
    ui.navigate.reload()


def _new_key(visit: Visit) -> None:
    with ui.dialog() as dialog, ui.card().style("min-width:min(460px, 92vw)"):
        ui.label("Новый ключ").classes("strong")
        name = ui.input("Кто будет пользоваться").props("outlined dense autofocus")
        role = ui.select(
            {r.value: w for r, w in ROLE_WORDS.items()}, label="Роль", value=Role.READER.value
        ).props("outlined dense")
        shown = ui.element("div")

        def add() -> None:
            made = told(
                lambda: visit.service.desk.keys.add(
                    (name.value or "").strip(),
                    Role(role.value),
                    actor=visit.person.login,
                    at=visit.service.now(),
                )
            )
            if not isinstance(made, tuple):
                return
            shown.clear()
            with shown:
                ui.label("Скопируйте сейчас: больше ключ показан не будет.").classes("strong")
                ui.input(value=made[1]).props("outlined dense readonly").style("width:100%")

        with ui.element("div").classes("acts"):
            Button("Выдать", on_click=add, kind="first")
            Button("Готово", on_click=lambda: (dialog.close(), ui.navigate.reload()))
    dialog.open()


def _audit(visit: Visit) -> None:
    with panel("Журнал действий").classes("wide"):
        fault = visit.service.desk.audit.verify()
        if fault:
            ui.label(f"Журнал повреждён с записи {fault.number}: {fault.reason}").classes("chip bad")
        else:
            ui.label("Цепочка записей цела: ни одна не изменена и не удалена.").classes("small soft")
        rows, _ = visit.service.desk.audit.find(limit=AUDIT_SHOWN)
        names = names_of(visit)
        for row in rows:
            ui.html(
                f'<div class="small">{moment_html(visit, row.at)} · <b>{escape(names.get(row.actor, row.actor))}</b>: '
                f"{audit_words(row.action)} {subject_html(row.subject, names)}</div>",
                sanitize=False,
            )


def audit_words(action: str) -> str:
    return AUDIT_WORDS.get(action, "другое действие")


def subject_html(subject: str, names: Mapping[str, str]) -> str:
    """What an audit row is about, as a link where a page shows it."""
    kind, _, key = subject.partition(":")
    words = SUBJECT_WORDS.get(kind, "")
    if kind == "person":
        return f'<span class="soft">{escape(names.get(key, key))}</span>'
    path, parameter = DOORS.get(kind, ("", ""))
    if not path:
        return f'<span class="soft">{words}</span>'
    more = {"state": "all"} if kind == "alert" else {}
    return f'<a href="{link(path, **{parameter: key}, **more)}">{words}</a>'
