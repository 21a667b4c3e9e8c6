"""Knows a raw record again: what is stored in this very form is passed over, neither read nor stored anew."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawlers.schedule import reread_at
from index.domain.post import Print

if TYPE_CHECKING:
    from crawlers.pages.base import Context

RECORD_BYTES, COUNTERS_BYTES = 12, 4

#: Fields that are another at every visit and never reach a stored post: counters (they have a print of their
#: own), signed addresses of files, what only the reader may do. Whatever else changes, the record is read.
PASSING = frozenset(
    "views likes reposts reactions like_summary reshare_summary views_count like_count stat votes rate voters"
    " access_key track_code hash sizes image first_frame url player preview orig_photo photo_50 photo_100"
    " photo_200 src token pic50x50 pic128x128 pic640x480 pic_base thumbnail is_favorite can_like liked_it"
    " like_possible like_id reshare_possible".split()
)


def printed(
    item: Mapping[str, Any], counters: tuple[Any, ...], context: Context, *, without: str = ""
) -> Print | None:
    """The print of one JSON record; `without`: a field that is read apart. None: nobody asks for prints."""
    if context.kept is None:
        return None
    return print_of(_written(_steady(item, without)), _written(counters), context)


def print_of(record: bytes, counters: bytes, context: Context) -> Print:
    """The print of a record whose passing parts the caller has taken out."""
    return Print(record=_record(record, context), counters=_counters(counters), at=context.fetched_at)


def is_kept(post_id: str, found: Print | None, published_at: datetime, context: Context) -> bool:
    """Whether the index holds the record of this print as it is: then the record is passed over."""
    known = context.kept.get(post_id) if context.kept else None
    if known is None or found is None or known.record != found.record:
        return False
    return known.counters == found.counters or not _is_due(known, published_at, context)


def _is_due(known: Print, published_at: datetime, context: Context) -> bool:
    """Other counters alone are taken over when the post is due to be read again, not at every visit."""
    due_at = reread_at(published_at, known.at)
    return due_at is not None and due_at <= context.fetched_at


def _steady(item: Mapping[str, Any], without: str) -> dict[str, Any]:
    """The record without what passes."""
    return {
        name: _lasting(value) if value and type(value) in _NESTED else value
        for name, value in item.items()
        if name not in PASSING and name != without
    }


def _lasting(value: Any) -> Any:
    """The same JSON without what passes, however deep; comments here are those of what is attached."""
    if type(value) is dict:
        return {
            name: _lasting(part) if part and type(part) in _NESTED else part
            for name, part in value.items()
            if name not in PASSING and name != "comments"
        }
    return [_lasting(part) if type(part) in _NESTED else part for part in value]


_NESTED = (dict, list)


def _record(written: bytes, context: Context) -> str:
    source = context.source
    key = _key("", None) if source is None else _key(source.id, source.home)
    return blake2b(written, digest_size=RECORD_BYTES, key=key).hexdigest()


def _counters(written: bytes) -> str:
    return blake2b(written, digest_size=COUNTERS_BYTES).hexdigest()


def _written(value: Any) -> bytes:
    return marshal.dumps(value, 2)  # three times faster than JSON; the second form is the same everywhere


@lru_cache(maxsize=1_024)
def _key(source_id: str, home: str | None) -> bytes:
    """Another parser, or another entry in the register, reads another post out of the same record."""
    return blake2b(f"{_readers()}\x1f{source_id}\x1f{home}".encode(), digest_size=32).digest()


@cache
def _readers() -> str:
    """The version of the page objects: their own text, so that nobody has to remember to raise a number."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return blake2b(b"".join(module.read_bytes() for module in modules), digest_size=16).hexdigest()
