"""The calendar of one week: a table of pages by days on a wide screen, a list by day on a phone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from html import escape

from nicegui import ui

from api.console.frame import Visit, link
from api.console.parts import names_of
from api.console.russian import SHORT_WEEKDAYS, WEEKDAYS, day, plural
from api.words import DELIVERY_STATE_WORDS, NETWORK_WORDS, PAGE_MODE_WORDS, PUBLICATION_STATE_WORDS
from index.domain.page import Page, PageMode
from index.domain.person import Right
from index.domain.publication import (
    MAY_BE_OUT,
    Delivery,
    DeliveryState,
    Publication,
    PublicationState,
)
from publisher.schedule import Hole, check_slot, holes

MOST = 500  # publications or deliveries of one week
MISSING = ("поста", "постов", "постов")
TONES = {
    DeliveryState.PUBLISHED: "good",
    DeliveryState.FAILED: "bad",
    DeliveryState.UNKNOWN: "bad",
    DeliveryState.NEEDS_HUMAN: "bad",
    DeliveryState.SCHEDULED: "accent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One publication on one page."""

    publication: Publication
    page: Page
    at: datetime  #: by the clocks of the district
    delivery: Delivery | None

    @property
    def words(self) -> str:
        if self.delivery is not None and self.publication.state is PublicationState.APPROVED:
            return DELIVERY_STATE_WORDS[self.delivery.state]
        return PUBLICATION_STATE_WORDS[self.publication.state]

    @property
    def tone(self) -> str:
        return TONES.get(self.delivery.state, "") if self.delivery else ""

    @property
    def may_move(self) -> bool:
        return self.delivery is None or self.delivery.state not in MAY_BE_OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    monday: date
    today: date
    pages: tuple[Page, ...]
    slots: tuple[Slot, ...]  #: earliest first
    holes: Mapping[str, Hole]  #: by page id, of pages whose norm this week is missed
    may_write: bool

    @property
    def days(self) -> list[date]:
        return [self.monday + timedelta(days=n) for n in range(7)]


def week_of(visit: Visit, monday: date) -> Week:
    """What stands in the calendar. Raises Unavailable."""
    desk, zone = visit.service.desk, visit.service.zone
    since = datetime.combine(monday, time(), zone)
    until = since + timedelta(days=7)
    pages = {page.id: page for page in desk.pages.list(enabled_only=True)}
    publications, _ = desk.publications.find(since=since, until=until, limit=MOST)
    deliveries, _ = desk.deliveries.find(since=since, until=until, limit=MOST)
    sent = {(delivery.subject_id, delivery.page_id): delivery for delivery in deliveries}
    slots = [
        Slot(
            publication=publication,
            page=pages[page_id],
            at=publication.due_at.astimezone(zone),
            delivery=sent.get((publication.id, page_id)),
        )
        for publication in publications
        if publication.state is not PublicationState.WITHDRAWN
        for page_id, _message in publication.variants
        if page_id in pages
    ]
    found = holes(pages.values(), deliveries, zone=zone.key, now=visit.service.now())
    return Week(
        monday=monday,
        today=visit.service.now().astimezone(zone).date(),
        pages=tuple(pages.values()),
        slots=tuple(sorted(slots, key=lambda slot: slot.at)),
        holes={hole.page_id: hole for hole in found if hole.monday == monday},
        may_write=visit.may(Right.WRITE_PUBLICATION),
    )


def move_slot(visit: Visit, publication_id: str, that: date) -> Publication:
    """To another day at the same hour; what was on review or approved goes on review again.

    Raises NotFound, Conflict when it is out or being sent, Refused when the time has passed.
    """
    publications, now = visit.service.desk.publications, visit.service.now()
    before = publications.get(publication_id)
    wall = f"{that.isoformat()}T{before.wall_time.partition('T')[2]}"
    if wall == before.wall_time:
        return before
    moved = replace(before, wall_time=wall, due_at=check_slot(wall, before.zone, now=now))
    saved = publications.save_draft(moved, actor=visit.person.login, at=now)
    if before.state is PublicationState.DRAFT:
        return saved
    return publications.submit(saved.id, actor=visit.person.login, at=now, version=saved.version)


# ── a wide screen ────────────────────────────────────────────────────────────────────────────────────────────────────


def show_table(week: Week) -> None:
    """Rows are pages, columns are days; a slot is dragged to another day."""
    cells: dict[tuple[str, date], list[str]] = defaultdict(list)
    for slot in week.slots:
        cells[slot.page.id, slot.at.date()].append(_slot_html(slot, may_write=week.may_write))
    head = "".join(
        f"<th{' class=today' if d == week.today else ''}>{SHORT_WEEKDAYS[d.weekday()]} {d.day}</th>"
        for d in week.days
    )
    rows = []
    for page in week.pages:
        columns = "".join(
            f'<td data-day="{d.isoformat()}">{"".join(cells[page.id, d])}{_free_html(week, page, d, is_taken=bool(cells[page.id, d]))}</td>'
            for d in week.days
        )
        rows.append(f"<tr><td>{_page_html(page)}{_missing_html(week.holes.get(page.id))}</td>{columns}</tr>")
    ui.html(
        '<div class="panel wide-only" style="overflow-x:auto; padding:0"><table class="plain calendar">'
        f"<tr><th>Страница</th>{head}</tr>{''.join(rows)}</table></div>",
        sanitize=False,
    )


def _page_html(page: Page) -> str:
    mode = "" if page.mode is PageMode.LIVE else f' <span class="chip">{PAGE_MODE_WORDS[page.mode]}</span>'
    return (
        f'<a href="{link("/page", id=page.id)}" class="strong">{escape(page.title)}</a>{mode}'
        f'<div class="small soft">{NETWORK_WORDS[page.network]}</div>'
    )


def _missing_html(hole: Hole | None) -> str:
    if hole is None:
        return ""
    return f'<div class="missing">не хватает {plural(hole.missing, MISSING)} до нормы {hole.norm}</div>'


def _slot_html(slot: Slot, *, may_write: bool) -> str:
    publication = slot.publication
    title = escape(publication.title or "Без названия")
    movable = (
        f' draggable="true" data-slot="{escape(publication.id, quote=True)}"'
        if may_write and slot.may_move
        else ' draggable="false"'
    )
    return (
        f'<a class="slot {slot.tone}" href="{link("/publication", id=publication.id)}" title="{title}: {slot.words}"{movable}>'
        f"<b>{slot.at:%H:%M}</b> <span>{title}</span><i>{slot.words}</i></a>"
    )


def _free_html(week: Week, page: Page, that: date, *, is_taken: bool) -> str:
    """The way to plan something there; red where the norm is missed and the day is free."""
    if that < week.today or not week.may_write or is_taken:
        return ""
    hole = week.holes.get(page.id)
    kind = "hole" if hole and that in hole.free_days else ""
    words = f"Запланировать: {page.title}, {day(that, week.today)}"
    return (
        f'<a class="free {kind}" href="{link("/publication", page=page.id, day=that.isoformat())}" '
        f'aria-label="{escape(words, quote=True)}" title="{escape(words, quote=True)}">+</a>'
    )


# ── a phone ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def show_list(week: Week) -> None:
    """Days from today on with what stands in them, then which pages miss their norm."""
    by_publication: dict[str, list[Slot]] = defaultdict(list)
    for slot in week.slots:
        by_publication[slot.publication.id].append(slot)
    days: dict[date, list[str]] = defaultdict(list)
    for slots in by_publication.values():
        days[slots[0].at.date()].append(_publication_html(slots))
    pieces = []
    for that in week.days:
        if that < week.today and not days[that]:
            continue
        name = f"{WEEKDAYS[that.weekday()].capitalize()}, {day(that, week.today)}"
        add = (
            f' <a href="{link("/publication", day=that.isoformat())}" class="small">+ запланировать</a>'
            if that >= week.today and week.may_write
            else ""
        )
        pieces.append(
            f"<h2>{name}{add}</h2>{''.join(days[that]) or '<div class=soft>ничего не выходит</div>'}"
        )
    missing = "".join(
        f"<div>{_page_html(page)}{_missing_html(week.holes[page.id])}</div>"
        for page in week.pages
        if page.id in week.holes
    )
    if missing:
        pieces.append(f"<h2>Где не хватает</h2>{missing}")
    ui.html(f'<div class="phone-only daylist">{"".join(pieces)}</div>', sanitize=False)


def _publication_html(slots: list[Slot]) -> str:
    first = slots[0]
    worst = next((slot for slot in slots if slot.tone == "bad"), first)
    pages = ", ".join(f"{slot.page.title} ({NETWORK_WORDS[slot.page.network]})" for slot in slots)
    return (
        f'<a class="slot {worst.tone}" href="{link("/publication", id=first.publication.id)}">'
        f"<b>{first.at:%H:%M}</b> {escape(first.publication.title or 'Без названия')} · <i>{worst.words}</i>"
        f'<div class="small soft">{escape(pages)}</div></a>'
    )


def author_of(visit: Visit, publication: Publication) -> str:
    return names_of(visit).get(publication.author, publication.author)
