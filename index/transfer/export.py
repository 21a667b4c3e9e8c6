"""Posts out to a file, one JSON a line, for analysts and for another installation."""

from __future__ import annotations

from datetime import datetime
from typing import TextIO

from index.posts.base import PostIndex
from index.posts.jsonlines import line_of
from index.posts.query import Order, Query

PAGE = 500  # posts read at once


def export_posts(
    posts: PostIndex, out: TextIO, *, since: datetime | None = None, until: datetime | None = None
) -> int:
    """Posts with their analyses, oldest first, without those deleted at the network; how many.

    Authors go out as the pseudonyms they are here.
    """
    query = Query(since=since, until=until, order=Order.OLDEST)
    written, cursor = 0, None
    while True:
        found = posts.find(query, limit=PAGE, cursor=cursor)
        out.writelines(line_of(record) + "\n" for record in found.records)
        written += len(found.records)
        if (cursor := found.next) is None:
            return written
