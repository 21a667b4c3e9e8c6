"""HTML as the page objects read it: any bytes give a tree, and a text reads as people see it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeAlias

from lxml import etree

from crawlers.pages.base import Unreadable

Element: TypeAlias = Any  # lxml brings no types

MAX_BYTES = 20_000_000  # of one page; a longer one is no page


def tree(body: str | bytes, *, charset: str = "utf-8") -> Element:
    """Root of a page, however broken. Raises Unreadable when there is no markup in it at all."""
    raw = body.encode("utf-8", "replace") if isinstance(body, str) else body
    raw = raw[:MAX_BYTES].replace(b"\0", b"")
    parser = etree.HTMLParser(encoding="utf-8" if isinstance(body, str) else charset, huge_tree=False)
    try:
        root = etree.fromstring(raw, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise Unreadable(f"Страница не читается: {error.__class__.__name__}.") from None
    if root is None or not isinstance(root.tag, str):
        raise Unreadable("В странице нет разметки.")
    return root


def classes(element: Element) -> tuple[str, ...]:
    return _names(element.get("class") or "")


@lru_cache(maxsize=4_096)  # a page repeats the same few attributes for every message
def _names(attribute: str) -> tuple[str, ...]:
    return tuple(attribute.split())


def by_class(root: Element) -> dict[str, list[Element]]:
    """Elements under `root` by each of their classes, in document order; one walk serves all questions."""
    found: defaultdict[str, list[Element]] = defaultdict(list)
    for element in _WITH_CLASS(root):
        for name in _names(element.get("class")):
            found[name].append(element)
    return found


_WITH_CLASS = etree.XPath("descendant-or-self::*[@class]", smart_strings=False)


def is_inside(element: Element, *names: str, stop: Element | None = None) -> bool:
    """Whether an ancestor below `stop` has one of the classes."""
    wanted = frozenset(names)
    for above in element.iterancestors():
        if above is stop:
            return False
        if not wanted.isdisjoint(classes(above)):
            return True
    return False


def text_of(element: Element) -> str:
    """Text of an element: <br> and blocks end lines, runs of blanks are one space, scripts are no text."""
    if len(element) == 0 and element.tag != "pre" and element.tag not in _SILENT:  # most: counters, titles
        return _BLANKS.sub(" ", element.text or "").strip()
    if element.tag == "pre" or element.tag in _SILENT:
        return "".join(_pieces(element)).strip()
    pieces: list[str] = []
    is_simple = _gather(element, pieces, _DEEPEST)
    return "".join(pieces if is_simple else _pieces(element)).strip()


_BLOCKS = frozenset("p div blockquote pre li ul ol h1 h2 h3 h4 h5 h6 tr table section article".split())
_SILENT = frozenset("script style noscript template svg".split())
_BLANKS = re.compile(r"[ \t\r\n\f]{2,}|[\t\r\n\f]")  # one space is left as it stands: most are single


_VERBATIM = _SILENT | {"pre"}
_DEEPEST = 20  # elements inside one another; deeper ones are walked without recursion


def _gather(element: Element, pieces: list[str], depth: int) -> bool:
    """What `_pieces` gives, for nearly every text: nothing silent, verbatim or deep. False: it is not so."""
    if text := element.text:
        pieces.append(_BLANKS.sub(" ", text))
    for child in element:
        tag = child.tag
        if isinstance(tag, str):
            if tag in _VERBATIM or depth == 0:
                return False
            is_block = tag in _BLOCKS
            if is_block or tag == "br":
                pieces.append("\n")
            if not _gather(child, pieces, depth - 1):
                return False
            if is_block:
                pieces.append("\n")
        if tail := child.tail:
            pieces.append(_BLANKS.sub(" ", tail))
    return True


def _pieces(root: Element) -> Iterator[str]:
    silent = plain = 0  # how deep inside scripts, inside <pre>
    for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            silent += tag in _SILENT
            plain += tag == "pre"
            if tag == "br" or (tag in _BLOCKS and element is not root):
                yield "\n"
            if not silent and element.text:
                yield element.text if plain else _BLANKS.sub(" ", element.text)
            continue
        if event == "end":
            silent -= tag in _SILENT
            plain -= tag == "pre"
            if tag in _BLOCKS and element is not root:
                yield "\n"
        if element is not root and not silent and element.tail:
            yield element.tail if plain else _BLANKS.sub(" ", element.tail)
