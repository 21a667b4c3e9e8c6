"""Filters of lists: each choice is a new address, so that every view can be sent to a colleague and Back works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TypeVar

from nicegui import ui

from api.console.button import Button
from api.console.frame import link

E = TypeVar("E", bound=StrEnum)

ANY = ""  # the choice that does not filter


def choice(
    path: str,
    state: Mapping[str, Any],
    name: str,
    label: str,
    options: Mapping[str, str],
    *,
    width: int = 150,
    every: str | None = ANY,
) -> None:
    """A drop-down that opens the same page with `name` changed.

    `every`: the value of the first choice, «все»; None when one of the options must be chosen.
    """
    shown = dict(options) if every is None else {every: f"{label}: все"} | dict(options)
    value = str(state.get(name) or every)
    select = ui.select(
        shown,
        value=value if value in shown else next(iter(shown)),
        on_change=lambda event: ui.navigate.to(link(path, **{**state, name: event.value})),
    )
    select.props(f'dense outlined options-dense aria-label="{label}"').style(f"width: {width}px")


def switch(path: str, state: Mapping[str, Any], name: str, label: str) -> None:
    """A filter that is on or off."""
    is_on = bool(state.get(name))
    target = link(path, **{**state, name: not is_on})
    button = Button(label, on_click=lambda: ui.navigate.to(target), kind="first" if is_on else "plain")
    button.props(f'aria-pressed="{str(is_on).lower()}"')


@contextmanager
def folded() -> Iterator[None]:
    """Filters around their content: in the bar on a wide screen, behind one button on a phone."""
    opener = Button("Фильтры").classes("phone-only")
    with ui.element("div").classes("filters") as filters:
        yield
    opener.on_click(lambda: filters.classes(toggle="open"))


def search_box(path: str, state: Mapping[str, Any], *, name: str = "q", hint: str = "Поиск") -> None:
    """Words of a query; Enter opens the view."""
    box = ui.input(placeholder=f"{hint}   /", value=str(state.get(name) or ""))
    box.props('dense outlined clearable data-key="/" type=search').style("width: 220px")
    box.on("keydown.enter", lambda: ui.navigate.to(link(path, **{**state, name: box.value or ""})))
    box.on("clear", lambda: ui.navigate.to(link(path, **{**state, name: ""})))


def options(words: Mapping[Any, str]) -> dict[str, str]:
    """Choices of a closed set from its words."""
    return {
        str(value.value if hasattr(value, "value") else value): text.capitalize()
        for value, text in words.items()
    }


def members(kind: type[E], value: str) -> tuple[E, ...]:
    """The member a filter names; nothing for «все» or for a value that only an old link carries."""
    return (kind(value),) if value in [member.value for member in kind] else ()


def named(values: Iterable[str]) -> dict[str, str]:
    return {value: value for value in values}


PERIODS = {"1": "сутки", "3": "3 дня", "7": "неделя", "30": "30 дней", "365": "год"}
