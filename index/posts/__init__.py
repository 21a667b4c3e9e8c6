"""Posts and analyses: the seam (`base`), what can be asked (`query`), and the backends behind it."""

from __future__ import annotations

from pathlib import Path

from index.errors import Misconfigured
from index.posts.base import PostIndex
from index.posts.sqlite import SqlitePosts

SQLITE_FILE = "posts.sqlite3"


def open_posts(setting: str, data: Path) -> PostIndex:
    """The index that the setting INDEX names: `sqlite`, or addresses of Elasticsearch by comma.

    Raises Misconfigured for anything else; Unavailable when the embedded file can't be opened now. A node
    of Elasticsearch that is down is no error here: each call raises Unavailable until it is back.
    """
    if setting == "sqlite":
        _make_folder(data)
        return SqlitePosts(data / SQLITE_FILE)
    addresses = [address.strip() for address in setting.split(",") if address.strip()]
    if addresses and all(address.startswith(("http://", "https://")) for address in addresses):
        from index.posts.elasticsearch import ElasticsearchPosts  # a third of a second to import

        return ElasticsearchPosts(addresses)
    raise Misconfigured(
        "Настройка INDEX неверна.",
        remedy="Укажите sqlite или адреса Elasticsearch: http://host:9200 через запятую.",
    )


def _make_folder(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"Папка данных {data} не создаётся: {error.strerror}.",
            remedy="Исправьте настройку DATA или права.",
        ) from None
