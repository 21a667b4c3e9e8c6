"""What only the embedded index has: one file, one disk, many threads and processes."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from index.errors import Misconfigured, Unavailable
from index.posts import SQLITE_FILE, open_posts
from index.posts.query import Query
from index.posts.sqlite import SqlitePosts
from tests.factories import analysis, post

ROOT = Path(__file__).parents[3]


def test_posts_outlive_the_program(tmp_path: Path) -> None:
    one = post()
    first = open_posts("sqlite", tmp_path / "not" / "there" / "yet")
    first.add([one])
    first.close()
    again = open_posts("sqlite", tmp_path / "not" / "there" / "yet")
    assert again.get(one.id).post == one
    again.close()


def test_a_full_disk_is_a_clear_message_and_loses_nothing(tmp_path: Path) -> None:
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    kept = post()
    posts.add([kept])
    database = posts._connection()  # the page limit stands in for the disk: it is kept by the connection
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages + 5}")
    batch = [post(text="яма " * 5_000) for _ in range(20)]
    with pytest.raises(Unavailable, match="кончилось место"):
        posts.add(batch)
    assert posts.count(Query()) == 1
    database.execute("PRAGMA max_page_count = 1000000")
    assert posts.add(batch).new == 20
    posts.close()


def test_a_locked_database_is_a_clear_message_and_loses_nothing(tmp_path: Path) -> None:
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    posts._connection().execute("PRAGMA busy_timeout = 100")
    other = sqlite3.connect(tmp_path / "posts.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="занята"):
        posts.add([post()])
    assert posts.count(Query()) == 0  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    assert posts.add([post()]).new == 1
    posts.close()


@pytest.mark.parametrize(
    "content", [b"no database at all, only text" * 200, b"SQLite format 3\x00" + b"\xff" * 5000]
)
def test_a_damaged_file_stops_the_start_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SQLITE_FILE).write_bytes(content)
    with pytest.raises(Misconfigured, match="mcu restore"):
        open_posts("sqlite", tmp_path)


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    posts._connection().execute("PRAGMA user_version = 99")
    posts.close()
    with pytest.raises(Misconfigured, match="Обновите программу"):
        SqlitePosts(tmp_path / "posts.sqlite3")


def test_a_folder_that_can_not_be_made_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="DATA"):
        open_posts("sqlite", tmp_path / "file" / "data")


@pytest.mark.parametrize(
    "setting", ["", "mysql", "sqlite:///x", "http", "ftp://host", "http://a:9200,b", ","]
)
def test_an_unknown_setting_is_refused_with_the_remedy(tmp_path: Path, setting: str) -> None:
    with pytest.raises(Misconfigured, match="INDEX"):
        open_posts(setting, tmp_path)


def test_two_programs_that_start_at_once_make_one_schema(tmp_path: Path) -> None:
    start = threading.Barrier(6)

    def begin(number: int) -> int:
        start.wait()
        posts = SqlitePosts(tmp_path / "posts.sqlite3")
        try:
            return posts.add([post(id="same"), post(id=str(number))]).new
        finally:
            posts.close()

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(begin, range(6))) == 7


def test_a_thread_that_ended_leaves_no_connection(tmp_path: Path) -> None:
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    for _ in range(20):
        thread = threading.Thread(target=posts.count, args=(Query(),))
        thread.start()
        thread.join()
    gc.collect()
    assert len(posts._open_connections) == 1
    posts.close()


WRITER = """
import sys
from pathlib import Path
from index.posts.sqlite import SqlitePosts
from tests.factories import post
posts = SqlitePosts(Path(sys.argv[1]))
while True:
    posts.add([post(id=f"{sys.argv[2]}-{n}") for n in range(int(sys.argv[3]))])
    print("stored", flush=True)
    sys.argv[2] += "x"
"""


def test_a_killed_writer_leaves_whole_batches(tmp_path: Path) -> None:
    file = tmp_path / "posts.sqlite3"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file), "w", "50"], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    told = sum(writer.stdout.readline() == b"stored\n" for _ in range(5))
    writer.kill()
    writer.communicate()
    posts = SqlitePosts(file)
    stored = posts.count(Query())
    assert told == 5
    assert stored >= 250
    assert stored % 50 == 0
    (verdict,) = posts._connection().execute("PRAGMA integrity_check").fetchone()
    assert verdict == "ok"
    posts.close()


def test_the_word_index_stands_by_the_posts(tmp_path: Path) -> None:
    """FTS5 keeps no text of its own: what was told to it is checked against what should be there."""
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    crowd = [post() for _ in range(40)]
    posts.add(crowd)
    for lemmas in (("яма",), ("яма", "двор"), ("свет",)):
        posts.save_analyses({one.id: analysis(lemmas=lemmas) for one in crowd})
    posts.erase(post_ids=[one.id for one in crowd[:10]])
    rows = posts._connection().execute("SELECT count(*) FROM words WHERE words MATCH 'яма'").fetchone()
    assert rows == (0,)
    assert posts.count(Query(lemmas=("свет",))) == 30
    posts._connection().execute("INSERT INTO words (words) VALUES ('integrity-check')")
    posts.close()


def test_an_erased_text_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    mine = post(author="me", text="Меня зовут Аполлинария Свиридова")
    posts.add([mine, *(post() for _ in range(50))])
    posts.add([replace(mine, text="Аполлинария больше ничего не скажет")])
    assert posts.erase(author="me") == 1
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert "Аполлинария".encode() not in on_disk
    assert "Строительной".encode() in on_disk
    posts.close()


def test_posts_read_again_unchanged_wait_for_no_writer(tmp_path: Path) -> None:
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    kept = [post(), post()]
    posts.add(kept)
    writer = sqlite3.connect(tmp_path / "posts.sqlite3", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    posts._connection().execute("PRAGMA busy_timeout = 1")
    assert posts.add(kept).known == 2
    with pytest.raises(Unavailable):
        posts.add([*kept, post()])
    writer.close()
    posts.close()


def test_a_post_that_comes_twice_in_one_call_ends_as_it_was_last(tmp_path: Path) -> None:
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    one = post(text="раз")
    posts.add([one])
    added = posts.add([replace(one, text="два"), one])
    assert (added.changed, added.known) == (2, 0)
    assert posts.get(one.id).post.text == "раз"
    assert posts.get(one.id).versions == 3
    posts.close()
