"""The console's button: Quasar's, without its own colour; console.css dresses it by `kind`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui


class Button(ui.button):
    """`kind`: first (the next step), plain, danger. `key`: the letter that presses it, see keys.js."""

    def __init__(
        self,
        text: str = "",
        *,
        on_click: Callable[..., Any] | None = None,
        kind: str = "plain",
        key: str = "",
    ) -> None:
        super().__init__(text, on_click=on_click, color=None)
        self.props("unelevated no-caps").classes(kind)
        if key:
            self.props(f'data-key="{key}"')
