"""Bytes of a Russian site -> text, whatever its headers claim."""

from __future__ import annotations

import codecs
import re

_XML_OR_META = re.compile(
    rb"""(?:<\?xml[^>]{0,200}encoding|<meta[^>]{0,300}charset)\s*=\s*["']?\s*([\w.:-]{2,30})""", re.I
)
_HEADER = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{2,30})", re.I)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WESTERN = frozenset("iso8859-1 cp1252 ascii iso8859-15".split())  # what servers claim when they do not know


def decoded(body: bytes, content_type: str = "") -> str:
    """Text of a body. Order: byte order mark, valid UTF-8, the header, the document's own word, a guess.

    UTF-8 goes before what is declared because Russian text in another charset is never valid UTF-8, while
    a wrong header is common. A body cut inside a letter still counts as UTF-8.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(name, "replace")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        pass
    for name in _declared(body, content_type):
        if name not in _WESTERN:
            try:
                return body.decode(name)
            except (UnicodeDecodeError, LookupError):
                continue
    return _guessed(body)


def _declared(body: bytes, content_type: str) -> list[str]:
    header = _HEADER.search(content_type)
    own = _XML_OR_META.search(body[:4096])
    names = [header[1] if header else "", own[1].decode("ascii", "ignore") if own else ""]
    return [codec for name in names if (codec := _codec(name)) not in ("", "utf-8")]


def _codec(name: str) -> str:
    try:
        info = codecs.lookup(name) if name else None
    except (LookupError, ValueError):
        return ""
    return info.name if info is not None and info._is_text_encoding else ""


_FREQUENT = frozenset("оеаинтсрвл")


def _guessed(body: bytes) -> str:
    """UTF-8 with a few broken letters, else the Russian charset in which frequent letters are frequent."""
    broken = body.decode("utf-8", "replace")
    if broken.count("\ufffd") * 50 < sum(1 for letter in broken if letter > "\x7f"):
        return broken
    return max(
        (body.decode(name, "replace") for name in ("cp1251", "koi8-r", "cp866")),
        key=lambda text: sum(1 for letter in text[:20_000] if letter in _FREQUENT),
    )
