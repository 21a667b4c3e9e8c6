"""Charts of the summary as plain SVG and tables: no scripts, they print, and every mark is a link."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from nicegui import ui

from api.console.russian import POSTS, plural
from nlp.district import Place

WIDTH, HEIGHT = 440, 190  # of a panel, so that words are drawn in their true size
LEFT, BOTTOM, TOP = 30, 22, 8
LABELS = 6  # at most so many words under the axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One hour or day of a trend. `low`, `mean`, `high`: the same step in the weeks before."""

    start: datetime  #: by the clocks of the district
    posts: int
    door: str
    low: int | None = None  #: None: no week to compare with
    mean: float | None = None
    high: int | None = None

    @property
    def hint(self) -> str:
        usual = "" if self.mean is None else f", обычно {self.mean:.0f} (от {self.low} до {self.high})"
        return f"{self.start:%d.%m %H:%M}: {plural(self.posts, POSTS)}{usual}"


def trend(steps: Sequence[Step], *, by_day: bool) -> None:
    """A bar a step over the grey band of the usual; a press opens the posts behind a bar."""
    top = max([1, *(step.posts for step in steps), *(step.high or 0 for step in steps)])
    width = (WIDTH - LEFT) / max(len(steps), 1)
    every = max(1, -(-len(steps) // LABELS))
    pieces = [_grid(top), _band(steps, width, top)]
    for index, step in enumerate(steps):
        words = f"{step.start:%d.%m}" if by_day else f"{step.start:%H:%M}"
        x, y = LEFT + index * width, _y(step.posts, top)
        pieces.append(
            f'<a href="{escape(step.door, quote=True)}"><rect class="now" x="{x + 1:.1f}" y="{y:.1f}" width="{max(width - 2, 1):.1f}" height="{HEIGHT - BOTTOM - y:.1f}" rx="2"/>'
            f'<rect x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{HEIGHT - BOTTOM - TOP}" fill="transparent"><title>{step.hint}</title></rect></a>'
        )
        if index % every == 0:
            pieces.append(f'<text x="{x:.1f}" y="{HEIGHT - 5}">{words}</text>')
    ui.html(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Число постов по времени, самое большое {top}">{"".join(pieces)}</svg>',
        sanitize=False,
    )


def _y(number: float, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * number / top


def _band(steps: Sequence[Step], width: float, top: int) -> str:
    """From the lowest to the highest of the weeks before, and their mean as a broken line."""
    known = [(LEFT + (i + 0.5) * width, step) for i, step in enumerate(steps) if step.mean is not None]
    if len(known) < 2:
        return ""
    upper = [f"{x:.1f},{_y(step.high or 0, top):.1f}" for x, step in known]
    lower = [f"{x:.1f},{_y(step.low or 0, top):.1f}" for x, step in reversed(known)]
    mean = " ".join(f"{x:.1f},{_y(step.mean or 0, top):.1f}" for x, step in known)
    return f'<polygon class="usual" points="{" ".join([*upper, *lower])}"/><polyline class="mean" points="{mean}"/>'


def _grid(top: int) -> str:
    lines = []
    for number in sorted({0, top // 2, top}):
        y = _y(number, top)
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>')
        if number:
            lines.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number}</text>')
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
    names = {place.name for place in known}
    rest = [place.name for place in places if place.name not in names and counts.get(place.name)]
    if rest:
        words = ", ".join(
            f'<a href="{escape(door(name), quote=True)}">{escape(name)}</a> {counts[name]}' for name in rest
        )
        ui.html(f'<div class="small soft">Без координат: {words}</div>', sanitize=False)


def small_map(places: Sequence[Place], here: Sequence[str]) -> None:
    """Where in the district it happened: the named places red and written, the others grey points."""
    known = [place for place in places if place.latitude is not None and place.longitude is not None]
    if not any(place.name in here for place in known):
        return
    spots = []
    for place in sorted(known, key=lambda place: place.name in here):
        x, y = _spot(place, known, width=240.0, height=130.0, margin=16.0)
        is_here = place.name in here
        spots.append(
            f'<circle class="{"here" if is_here else "none"}" cx="{x:.0f}" cy="{y:.0f}" r="{6 if is_here else 3}"><title>{escape(place.name)}</title></circle>'
        )
        if is_here:
            anchor, shift = ("end", -9) if x > 150 else ("start", 9)
            spots.append(
                f'<text x="{x + shift:.0f}" y="{y + 4:.0f}" text-anchor="{anchor}">{escape(place.name)}</text>'
            )
    where = ", ".join(here)
    ui.html(
        f'<svg class="chart map" viewBox="0 0 240 130" role="img" aria-label="На схеме района: {escape(where, quote=True)}">{"".join(spots)}</svg>',
        sanitize=False,
    )


def _spot(
    place: Place, places: Sequence[Place], *, width: float, height: float, margin: float
) -> tuple[float, float]:
    """Where a place stands in a picture that holds all of them."""
    longitudes = [each.longitude or 0.0 for each in places]
    latitudes = [each.latitude or 0.0 for each in places]
    west, east, south, north = min(longitudes), max(longitudes), min(latitudes), max(latitudes)
    x = margin + (width - 2 * margin) * ((place.longitude or 0) - west) / ((east - west) or 1)
    y = height - margin - (height - 2 * margin) * ((place.latitude or 0) - south) / ((north - south) or 1)
    return x, y


def _map_svg(places: Sequence[Place], counts: Mapping[str, int], door: Callable[[str], str]) -> str:
    width, height = 440.0, 250.0
    top = max((counts.get(place.name, 0) for place in places), default=0) or 1
    pieces = []
    for place in sorted(places, key=lambda place: counts.get(place.name, 0)):
        x, y = _spot(place, places, width=width, height=height, margin=34.0)
        number = counts.get(place.name, 0)
        radius = 4 + 14 * (number / top) ** 0.5 if number else 3
        name = f"{place.name} {number}" if number else place.name
        anchor = "end" if x > width * 0.7 else "start"
        shift = -(radius + 3) if anchor == "end" else radius + 3
        pieces.append(
            f'<a href="{escape(door(place.name), quote=True)}"><circle class="{"some" if number else "none"}" cx="{x:.0f}" cy="{y:.0f}" r="{radius:.1f}">'
            f"<title>{escape(place.name)}: {plural(number, POSTS)}</title></circle>"
            f'<text class="{"" if number else "quiet"}" x="{x + shift:.0f}" y="{y + 4:.0f}" text-anchor="{anchor}">{escape(name)}</text></a>'
        )
    return f'<svg class="chart map" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="Схема района: посты по местам">{"".join(pieces)}</svg>'
