"""A backup taken while the service works can be restored, and nothing is overwritten by mistake."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

import pytest

from index.desk import Desk, open_desk
from index.errors import Conflict, Misconfigured, Refused, Unavailable
from index.posts import open_posts
from index.posts.base import PostIndex
from index.posts.query import Query
from index.secrets import read_or_make_secret
from index.settings import Settings
from index.transfer import backup, restore
from tests.factories import NOON, analysis, page, post

PHOTO = b"\x89PNG\r\n\x1a\n" + b"photo"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy"


def filled(settings: Settings) -> tuple[PostIndex, Desk, str]:
    """Open databases with a post, a page, a photo and a secret."""
    posts, desk = open_posts("sqlite", settings.data), open_desk("sqlite", settings.data)
    one = post(text="Нет тепла")
    posts.add([one])
    posts.save_analyses({one.id: analysis()})
    desk.pages.add(page(id="vk-1"), actor="admin", at=NOON)
    photo = desk.media.put(PHOTO, "image/png")
    read_or_make_secret(settings.data, "authors")
    return posts, desk, photo


def test_a_backup_of_a_working_service_comes_back_whole(
    settings: Settings, copy: Path, tmp_path: Path
) -> None:
    posts, desk, photo = filled(settings)
    manifest = backup(settings, copy, at=NOON)
    elsewhere = Settings(data=tmp_path / "elsewhere")
    assert restore(elsewhere, copy) == manifest
    restored_posts, restored_desk = open_posts("sqlite", elsewhere.data), open_desk("sqlite", elsewhere.data)
    assert restored_posts.find(Query(lemmas=("тепло",))) == posts.find(Query())
    assert restored_desk.pages.get("vk-1") == desk.pages.get("vk-1")
    assert restored_desk.media.open(photo) == PHOTO
    assert read_or_make_secret(elsewhere.data, "authors") == read_or_make_secret(settings.data, "authors")
    assert (elsewhere.data / "secrets" / "authors").stat().st_mode & 0o777 == 0o600
    for opened in (posts, desk, restored_posts, restored_desk):
        opened.close()


def test_a_backup_is_one_moment_while_posts_come_in(settings: Settings, copy: Path, tmp_path: Path) -> None:
    posts, desk, _ = filled(settings)
    stop = threading.Event()

    def keep_writing() -> None:
        while not stop.is_set():
            posts.add([post(), post()])

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        backup(settings, copy, at=NOON)
    finally:
        stop.set()
        writer.join()
    with sqlite3.connect(copy / "posts.sqlite3") as copied:
        counts = copied.execute(
            "SELECT (SELECT count(*) FROM posts), (SELECT count(*) FROM documents)"
        ).fetchone()
    copied.close()
    assert counts[0] == counts[1]
    assert counts[0] % 2 == 1  # the first one, then pairs
    posts.close()
    desk.close()


def test_the_manifest_tells_what_the_copy_holds(settings: Settings, copy: Path) -> None:
    posts, desk, photo = filled(settings)
    (settings.data / "practice").mkdir()
    (settings.data / "practice" / "posts.sqlite3").write_bytes(b"")
    backup(settings, copy, at=NOON)
    paths = [file["path"] for file in json.loads((copy / "manifest.json").read_text())["files"]]
    assert paths == ["desk.sqlite", "posts.sqlite3", f"media/{photo}", "secrets/authors"]
    posts.close()
    desk.close()


def test_a_backup_never_goes_into_a_folder_that_is_not_empty(settings: Settings, copy: Path) -> None:
    copy.mkdir()
    (copy / "mine").write_text("x")
    with pytest.raises(Refused, match="не пуста"):
        backup(settings, copy, at=NOON)
    assert [path.name for path in copy.iterdir()] == ["mine"]


def test_there_is_nothing_to_back_up_on_servers(copy: Path) -> None:
    with pytest.raises(Misconfigured, match="pg_dump"):
        backup(Settings(index="http://es:9200", desk="postgresql://db/mcu"), copy, at=NOON)


def test_a_restore_overwrites_nothing_unless_told_to(settings: Settings, copy: Path) -> None:
    posts, desk, _ = filled(settings)
    backup(settings, copy, at=NOON)
    later = post()
    posts.add([later])
    posts.close()
    desk.close()
    with pytest.raises(Refused, match="--overwrite"):
        restore(settings, copy)
    assert stored(settings) == 2
    restore(settings, copy, overwrite=True)
    assert stored(settings) == 1


def test_a_restore_waits_until_the_service_is_stopped(settings: Settings, copy: Path) -> None:
    posts, desk, _ = filled(settings)
    backup(settings, copy, at=NOON)
    with pytest.raises(Conflict, match="остановите службу"):
        restore(settings, copy, overwrite=True)
    posts.close()
    desk.close()
    restore(settings, copy, overwrite=True)


def test_a_damaged_database_is_replaced(settings: Settings, copy: Path) -> None:
    posts, desk, _ = filled(settings)
    backup(settings, copy, at=NOON)
    posts.close()
    desk.close()
    (settings.data / "posts.sqlite3").write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    restore(settings, copy, overwrite=True)
    assert stored(settings) == 1


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_copy_changes_nothing(settings: Settings, copy: Path, damage: str) -> None:
    posts, desk, _ = filled(settings)
    backup(settings, copy, at=NOON)
    posts.close()
    desk.close()
    file = copy / "posts.sqlite3"
    content = bytearray(file.read_bytes())
    content[5000] ^= 1
    match damage:
        case "changed":
            file.write_bytes(content)
        case "cut":
            file.write_bytes(content[:4096])
        case "gone":
            file.unlink()
    (settings.data / "posts.sqlite3").unlink()
    with pytest.raises(Refused, match=r"posts\.sqlite3 не совпадает"):
        restore(settings, copy, overwrite=True)
    assert not (settings.data / "posts.sqlite3").exists()


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "{}",
        '{"format": 1, "files": [1], "made_at": "x"}',
        '{"format": 1, "made_at": "2026-11-24T10:00:00+00:00",'
        ' "files": [{"path": "../../etc/passwd", "size": 1, "sha256": ""}]}',
    ],
)
def test_what_is_no_backup_is_refused(settings: Settings, copy: Path, manifest: str) -> None:
    copy.mkdir()
    (copy / "manifest.json").write_text(manifest)
    with pytest.raises(Refused):
        restore(settings, copy)
    assert not settings.data.exists()


def test_a_folder_that_can_not_be_written_is_said_so(settings: Settings, tmp_path: Path) -> None:
    settings.data.mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        backup(settings, tmp_path / "file" / "copy", at=NOON)


def test_a_backup_that_was_interrupted_is_made_again(settings: Settings, copy: Path) -> None:
    posts, desk, _ = filled(settings)
    left = copy.with_name(".copy.partial")
    left.mkdir()
    (left / "posts.sqlite3").write_bytes(b"half")
    backup(settings, copy, at=NOON)
    assert not left.exists()
    assert (copy / "manifest.json").is_file()
    posts.close()
    desk.close()


def stored(settings: Settings) -> int:
    posts = open_posts("sqlite", settings.data)
    try:
        return posts.count(Query())
    finally:
        posts.close()
