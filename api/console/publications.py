"""«Публикации»: what goes out and when, and where are the holes? A week of slots, rows are pages."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date, timedelta
from html import escape

from nicegui import events, ui

from api.console import publication_card
from api.console.button import Button
from api.console.frame import Visit, empty, frame, guarded, link, told
from api.console.parts import heading, moment_html
from api.console.russian import MONTHS, day, plural
from api.console.undecided import show_undecided, undecided
from api.console.week import Week, author_of, move_slot, show_list, show_table, week_of
from api.service import Service
from index.domain.person import Right
from index.domain.publication import Publication, PublicationState
from index.errors import ServiceError

PATH = "/publications"
LOOK_SECONDS = 5.0
WAITING_SHOWN = 50
STEPS = (
    "Красная клетка с «+» — день, когда странице не хватает поста до нормы. Нажмите её, чтобы запланировать.",
    "Напишите текст, выберите страницы и время, приложите снимок — справа видно, как это выйдет в каждой сети.",
    "«На согласование»: согласует другой сотрудник, и только согласованный текст выйдет сам в назначенную минуту.",
    "Чтобы перенести публикацию, перетащите её на другой день.",
)


def register(service: Service) -> None:
    guarded(service, PATH, "Публикации", build)
    publication_card.register(service)


def build(visit: Visit, week: str = "", delivery: str = "") -> None:
    page = _Calendar(visit, _monday(week, visit), wanted=delivery)
    with frame(visit, "Публикации", here=PATH) as bar:
        ui.add_head_html('<script src="/assets/calendar.js" defer></script>')
        with bar:
            _week_buttons(visit, page.monday)
            ui.element("div").classes("grow")
            if visit.may(Right.RESOLVE_DELIVERY):
                _stop_button(visit)
            if visit.may(Right.WRITE_PUBLICATION):
                new = Button("Новая публикация", kind="first", key="n")
                new.on_click(lambda: ui.navigate.to("/publication"))
        with ui.element("section").classes("sheet").props('aria-label="Календарь публикаций"'):
            page.content()
        ui.on("slot_moved", page.move)
        ui.timer(LOOK_SECONDS, page.look)


class _Calendar:
    """One opened week; drawn again only when something in it has changed, so a drag is never cut short."""

    def __init__(self, visit: Visit, monday: date, *, wanted: str) -> None:
        self.visit = visit
        self.monday = monday
        self.wanted = wanted
        self.drawn: Hashable = None

    @ui.refreshable_method
    def content(self) -> None:
        try:
            week = week_of(self.visit, self.monday)
            said, deliveries = undecided(self.visit)
        except ServiceError as error:
            empty("Календарь сейчас недоступен", str(error))
            return
        self.drawn = self._state(week)
        show_undecided(self.visit, said, deliveries, self.wanted)
        if not week.pages:
            empty(
                "Официальных страниц ещё нет",
                "Их заводит администратор или ответственный за госпаблики: сеть, адрес, норма постов в неделю.",
            )
            return
        _waiting(self.visit)
        show_table(week)
        show_list(week)
        _steps(is_open=not week.slots)

    def _state(self, week: Week) -> Hashable:
        said, deliveries = undecided(self.visit)
        waiting, _ = self.visit.service.desk.publications.find(
            states=(PublicationState.ON_REVIEW,), limit=WAITING_SHOWN
        )
        return (
            tuple((s.publication.id, s.publication.version, s.page.id, s.words) for s in week.slots),
            tuple(notice.text for notice in said),
            tuple((d.id, d.state) for d in deliveries),
            tuple((p.id, p.version) for p in waiting),
        )

    def look(self) -> None:
        try:
            is_same = self._state(week_of(self.visit, self.monday)) == self.drawn
        except ServiceError:
            return  # what stands on the screen stays; the next look tries again
        if not is_same:
            self.content.refresh()

    def move(self, event: events.GenericEventArguments) -> None:
        """A slot was dropped on a day."""
        if not self.visit.may(Right.WRITE_PUBLICATION):
            return
        given = event.args if isinstance(event.args, dict) else {}
        publication_id, that = str(given.get("id", "")), _date(str(given.get("day", "")))
        if that is None:
            return
        publication = told(lambda: self.visit.service.desk.publications.get(publication_id))
        if not isinstance(publication, Publication):
            return
        if publication.state is PublicationState.APPROVED:
            self._ask_move(publication, that)
        else:
            self._move(publication.id, that)

    def _move(self, publication_id: str, that: date) -> None:
        today = self.visit.service.now().astimezone(self.visit.service.zone).date()
        told(lambda: move_slot(self.visit, publication_id, that), done=f"Перенесено: {day(that, today)}")
        self.content.refresh()

    def _ask_move(self, publication: Publication, that: date) -> None:
        with ui.dialog() as dialog, ui.card():
            ui.label("Публикация уже согласована").classes("strong")
            ui.label("Если перенести, её придётся согласовать снова: утверждали и время.")

            def act() -> None:
                dialog.close()
                self._move(publication.id, that)

            with ui.element("div").classes("acts"):
                Button("Перенести и отдать на согласование", on_click=act, kind="first")
                Button("Не переносить", on_click=dialog.close)
        dialog.open()


def _monday(week: str, visit: Visit) -> date:
    chosen = _date(week) or visit.service.now().astimezone(visit.service.zone).date()
    return chosen - timedelta(days=chosen.weekday())


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _week_buttons(visit: Visit, monday: date) -> None:
    sunday = monday + timedelta(days=6)
    for words, shift in (("‹", -7), ("Сегодня", None), ("›", 7)):
        target = link(PATH, week=(monday + timedelta(days=shift)).isoformat()) if shift else PATH
        button = Button(words, on_click=lambda target=target: ui.navigate.to(target))
        if shift:
            button.props(f'aria-label="{"Прошлая" if shift < 0 else "Следующая"} неделя"')
    first = str(monday.day) if monday.month == sunday.month else f"{monday.day} {MONTHS[monday.month - 1]}"
    ui.label(f"{first} – {sunday.day} {MONTHS[sunday.month - 1]}").classes("strong")


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
            reason = ui.input("Причина").props("outlined dense").style("width:320px")

            def act() -> None:
                dialog.close()
                stop, at = visit.service.desk.deliveries.stop_all, visit.service.now()
                told(lambda: stop(not is_stopped, actor=visit.person.login, at=at, reason=reason.value or ""))
                ui.navigate.reload()

            with ui.element("div").classes("acts"):
                Button("Снять" if is_stopped else "Остановить всё", on_click=act, kind="danger")
                Button("Отмена", on_click=dialog.close)
        dialog.open()

    Button("Снять «стоп всё»" if is_stopped else "Стоп всё", on_click=ask, kind="danger")


def _waiting(visit: Visit) -> None:
    """What waits for approval, for those who approve."""
    waiting, _ = visit.service.desk.publications.find(
        states=(PublicationState.ON_REVIEW,), limit=WAITING_SHOWN
    )
    if not waiting:
        return
    with ui.element("section").classes("panel").style("margin-bottom:12px"):
        heading("Ждут согласования")
        for publication in waiting:
            pages = plural(len(publication.variants), ("страница", "страницы", "страниц"))
            ui.html(
                f'<a class="line" style="display:block; padding:6px 0" data-row="{escape(publication.id, quote=True)}" href="{link("/publication", id=publication.id)}">'
                f'<b>{escape(publication.title or "Без названия")}</b> <span class="small soft">{pages} · {escape(author_of(visit, publication))} · выйдет {moment_html(visit, publication.due_at)}</span></a>',
                sanitize=False,
            )


def _steps(*, is_open: bool) -> None:
    items = "".join(f"<li>{step}</li>" for step in STEPS)
    ui.html(
        f'<details class="panel" style="margin-top:12px"{" open" if is_open else ""}><summary class="strong">Как это работает</summary><ol>{items}</ol></details>',
        sanitize=False,
    )
