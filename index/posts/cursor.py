"""Cursors of lists: where a page ended, so that the next goes on there whatever came in meanwhile."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass

from index.errors import Refused
from index.posts.query import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The sort key of the last record shown. The same in every backend, so it survives a move."""

    order: Order
    published_us: int  #: microseconds since 1970
    id: str
    key: float = 0.0  #: risk score or relevance, for the orders that have one

    def encode(self) -> str:
        body = json.dumps([self.order, self.published_us, self.id, self.key], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(zlib.crc32(body).to_bytes(4, "big") + body).decode().rstrip("=")


def read_cursor(text: str | None, order: Order) -> Cursor | None:
    """Raises Refused on what `encode` never wrote, and on a cursor of a list in another order."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        check, body = raw[:4], raw[4:]
        if zlib.crc32(body).to_bytes(4, "big") != check:
            raise ValueError("checksum")
        written, published_us, post_id, key = json.loads(body)
        cursor = Cursor(order=Order(written), published_us=int(published_us), id=str(post_id), key=float(key))
    except (ValueError, TypeError, binascii.Error):
        raise Refused("Курсор списка неверен: начните список сначала.", field="cursor") from None
    if cursor.order != order:
        raise Refused("Курсор относится к списку в другом порядке: начните список сначала.", field="cursor")
    return cursor
