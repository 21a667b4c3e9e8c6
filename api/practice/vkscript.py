"""The part of VKScript that batches calls: `return [API.a({...}), API.b({...})];` and variables."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_CALL = re.compile(r"API\.([a-zA-Z]+\.[a-zA-Z]+)\s*\(")
_PLACE = re.compile(r"\x02(\d+)\x03")


class CannotCompile(Exception):
    """The code is outside the part we know, or broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Calls in the order of the code, and the value to return with `\\x02N\\x03` for the N-th result."""

    calls: tuple[tuple[str, dict[str, Any]], ...]
    returned: Any

    def result(self, results: list[Any]) -> Any:
        return _filled(self.returned, results)


def read_script(code: str) -> Script:
    """Raises CannotCompile."""
    calls: list[tuple[str, dict[str, Any]]] = []
    text, place = "", 0
    while found := _CALL.search(code, place):
        stop = _closing(code, found.end() - 1)
        calls.append((found[1], _arguments(code[found.end() : stop])))
        text += code[place : found.start()] + f'"\x02{len(calls) - 1}\x03"'
        place = stop + 1
    return Script(calls=tuple(calls), returned=_returned(text + code[place:]))


def _returned(text: str) -> Any:
    names: dict[str, str] = {}
    for statement in (part.strip() for part in text.split(";")):
        if found := re.fullmatch(r"var\s+(\w+)\s*=\s*(.+)", statement, re.DOTALL):
            names[found[1]] = _named(found[2], names)
        elif found := re.fullmatch(r"return\b\s*(.*)", statement, re.DOTALL):
            return _value(_named(found[1], names))
        elif statement:
            raise CannotCompile(f"unexpected {statement.split()[0][:20]}")
    return None


def _named(expression: str, names: dict[str, str]) -> str:
    """Variables stand for their expressions; words inside quotes stay."""
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', expression)
    return "".join(
        piece if i % 2 else re.sub(r"\b[A-Za-z_]\w*\b(?!\s*:)", lambda m: names.get(m[0], m[0]), piece)
        for i, piece in enumerate(pieces)
    )


def _arguments(text: str) -> dict[str, Any]:
    value = _value(text) if text.strip() else {}
    if not isinstance(value, dict):
        raise CannotCompile("arguments of a call are an object")
    return value


def _value(text: str) -> Any:
    quoted = re.sub(r"([{,]\s*)([A-Za-z_]\w*)\s*:", r'\1"\2":', text)
    for candidate in (text, quoted, quoted.replace("'", '"')):
        try:
            return json.loads(candidate, strict=False)
        except ValueError:
            continue
    raise CannotCompile("unexpected token")


def _closing(code: str, start: int) -> int:
    """Place of the bracket that closes the one at `start`; quotes are stepped over."""
    depth, quote, skip = 0, "", False
    for place in range(start, len(code)):
        letter = code[place]
        if skip:
            skip = False
        elif quote:
            skip, quote = letter == "\\", "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if depth == 0:
                return place
    raise CannotCompile("unexpected end of code")


def _filled(value: Any, results: list[Any]) -> Any:
    if isinstance(value, str) and (found := _PLACE.fullmatch(value)):
        return results[int(found[1])]
    if isinstance(value, list):
        return [_filled(item, results) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, results) for key, item in value.items()}
    return value
