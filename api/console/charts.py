"""Charts of the summary as plain SVG and tables: no scripts, they print, and every mark is a link."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape

from nicegui import ui

from api.console.russian import POSTS, plural
from nlp.district import Place

WIDTH, HEIGHT = 640, 190
LEFT, BOTTOM, TOP = 34, 24, 8
LABELS = 8  # at most so many words under the axis


def trend(points: Sequence[tuple[datetime, int]], *, by_day: bool, doors: Sequence[str]) -> None:
    """A bar an hour or a day; a hint with the exact number, and a press opens the posts behind it."""
    top = max((number for _, number in points), default=0) or 1
    step = (WIDTH - LEFT) / max(len(points), 1)
    every = max(1, -(-len(points) // LABELS))
    pieces = [_grid(top)]
    for index, ((start, number), door) in enumerate(zip(points, doors, strict=True)):
        words = f"{start:%d.%m}" if by_day else f"{start:%H:%M}"
        height = (HEIGHT - BOTTOM - TOP) * number / top
        x, y = LEFT + index * step, HEIGHT - BOTTOM - height
        pieces.append(
            f'<a href="{escape(door, quote=True)}"><rect x="{x + 1:.1f}" y="{y:.1f}" width="{max(step - 2, 1):.1f}" height="{height:.1f}" rx="2" fill="var(--accent)">'
            f"<title>{start:%d.%m %H:%M}: {plural(number, POSTS)}</title></rect></a>"
        )
        if index % every == 0:
            pieces.append(
                f'<text x="{x:.1f}" y="{HEIGHT - 7}" font-size="11" fill="var(--ink-soft)">{words}</text>'
            )
    ui.html(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" aria-label="Число постов по времени, самое большое {top}">{"".join(pieces)}</svg>',
        sanitize=False,
    )


def _grid(top: int) -> str:
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y}" y2="{y}" stroke="var(--line)"/>')
        if share:
            lines.append(
                f'<text x="{LEFT - 6}" y="{y + 4}" font-size="11" text-anchor="end" fill="var(--ink-soft)">{top * share:g}</text>'
            )
    return "".join(lines)


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[str, Mapping[str, int]],
    *,
    door: Callable[[str, str], str],
) -> None:
    """Rows by columns; the darker, the more; every number is written and leads to its posts."""
    top = max((cells[row].get(column, 0) for row in rows for column in columns), default=0) or 1
    head = "".join(f'<th class="turn"><span>{escape(column)}</span></th>' for column in columns)
    body = []
    for row in rows:
        squares = []
        for column in columns:
            number = cells[row].get(column, 0)
            shade = (
                f"background:color-mix(in srgb, var(--accent) {round(12 + 60 * number / top)}%, var(--paper))"
                if number
                else ""
            )
            inside = f'<a href="{escape(door(row, column), quote=True)}">{number}</a>' if number else ""
            squares.append(f'<td class="number" style="{shade}">{inside}</td>')
        body.append(f"<tr><td>{escape(row)}</td>{''.join(squares)}</tr>")
    ui.html(
        f'<div style="overflow-x:auto"><table class="plain heat"><tr><th></th>{head}</tr>{"".join(body)}</table></div>',
        sanitize=False,
    )


def map_of_places(places: Sequence[Place], counts: Mapping[str, int], *, door: Callable[[str], str]) -> None:
    """A schematic of the district: settlements with known coordinates as circles by count; others in words."""
    known = [place for place in places if place.latitude is not None and place.longitude is not None]
    if known:
        ui.html(_map_svg(known, counts, door), sanitize=False)
    rest = [place.name for place in places if place not in known and counts.get(place.name)]
    if rest:
        words = ", ".join(
            f'<a href="{escape(door(name), quote=True)}">{escape(name)}</a> {counts[name]}' for name in rest
        )
        ui.html(f'<div class="small soft">Без координат: {words}</div>', sanitize=False)


def _map_svg(places: Sequence[Place], counts: Mapping[str, int], door: Callable[[str], str]) -> str:
    west, east = min(p.longitude or 0 for p in places), max(p.longitude or 0 for p in places)
    south, north = min(p.latitude or 0 for p in places), max(p.latitude or 0 for p in places)
    width, height, margin = 640.0, 300.0, 46.0
    top = max((counts.get(place.name, 0) for place in places), default=0) or 1
    pieces = []
    for place in sorted(places, key=lambda place: -counts.get(place.name, 0)):
        x = margin + (width - 2 * margin) * ((place.longitude or 0) - west) / ((east - west) or 1)
        y = height - margin - (height - 2 * margin) * ((place.latitude or 0) - south) / ((north - south) or 1)
        number = counts.get(place.name, 0)
        radius = 4 + 16 * (number / top) ** 0.5 if number else 3
        colour = "var(--accent)" if number else "var(--line-strong)"
        name = f"{place.name} {number}" if number else place.name
        anchor = "end" if x > width * 0.8 else "start"
        shift = -(radius + 4) if anchor == "end" else radius + 4
        pieces.append(
            f'<a href="{escape(door(place.name), quote=True)}"><circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.1f}" fill="{colour}" fill-opacity=".65">'
            f"<title>{escape(place.name)}: {plural(number, POSTS)}</title></circle>"
            f'<text x="{x + shift:.0f}" y="{y + 4:.0f}" font-size="12" text-anchor="{anchor}" fill="var(--ink)">{escape(name)}</text></a>'
        )
    return f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="100%" role="img" aria-label="Схема района: посты по местам">{"".join(pieces)}</svg>'
