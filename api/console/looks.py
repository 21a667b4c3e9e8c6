"""How a message will stand on each network: close enough to see a bad line break or a photo that says nothing."""

from __future__ import annotations

import re
from html import escape

from nicegui import ui

from api.words import NETWORK_WORDS
from index.domain.page import Page
from index.domain.post import Network
from index.domain.publication import Message

PHOTO_FIRST = frozenset({Network.TELEGRAM, Network.MAX})  # a bubble: the photo above its caption
_MARKED = re.compile(r"(https?://[^\s<]+[^\s<.,;:!?)»\"])|(#\w+)")


def look(page: Page, message: Message, *, when: str) -> ui.element:
    """The message as readers of the page will see it; `when` is the moment in words."""
    photo = (
        f'<img src="/media/{escape(message.photo, quote=True)}" alt="{escape(message.photo_alt, quote=True)}">'
        if message.photo
        else ""
    )
    text = f'<div class="text">{text_html(message.text)}</div>' if message.text else ""
    who = (
        f'<div class="who"><span class="face" aria-hidden="true">{escape(page.title[:1].upper())}</span>'
        f'<span><b>{escape(page.title)}</b><br><span class="small soft">{NETWORK_WORDS[page.network]} · {escape(when)}</span></span></div>'
    )
    body = photo + text if page.network in PHOTO_FIRST else text + photo
    nothing = "" if body else '<div class="soft">Текста ещё нет</div>'
    element = ui.element("article").classes(f"look {page.network.value}")
    with element:
        ui.html(who + body + nothing, sanitize=False)
    return element


def text_html(text: str) -> str:
    """Escaped; addresses and hashtags in the colour of links, as networks show them."""
    pieces, position = [], 0
    for found in _MARKED.finditer(text):
        pieces.append(escape(text[position : found.start()]))
        pieces.append(f'<span style="color:var(--accent)">{escape(found[0])}</span>')
        position = found.end()
    return "".join([*pieces, escape(text[position:])])
