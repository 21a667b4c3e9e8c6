"""What goes out as JSON lines can come in again."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path

from index.domain.analysis import Risk
from index.posts.jsonlines import import_lines
from index.posts.query import Query
from index.posts.sqlite import SqlitePosts
from index.transfer import export_posts
from tests.factories import NOON, analysis, post


def test_posts_go_out_oldest_first_with_their_analyses(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("index.transfer.export.PAGE", 2)
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    crowd = [post(published_at=NOON + timedelta(hours=number)) for number in range(5)]
    posts.add(crowd)
    posts.save_analyses({crowd[0].id: analysis(risks=(Risk.OUTAGE,), places=("Курлово",), story_id="s-1")})
    out = io.StringIO()
    assert export_posts(posts, out, until=NOON + timedelta(hours=4)) == 4
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["id"] for line in lines] == [one.id for one in crowd[:4]]
    assert lines[0]["analysis"]["risks"] == ["outage"]
    assert lines[0]["analysis"]["story"] == "s-1"
    assert lines[1]["analysis"] is None
    posts.close()


def test_an_export_comes_in_again_with_everything_but_the_author(tmp_path: Path) -> None:
    posts, again = SqlitePosts(tmp_path / "a.sqlite3"), SqlitePosts(tmp_path / "b.sqlite3")
    posts.add([post(text="строка\nвторая ё", parent_id="vk:-1_0", url="https://vk.com/wall-1_2")])
    with (tmp_path / "posts.jsonl").open("w", encoding="utf-8") as file:
        export_posts(posts, file)
    assert import_lines(tmp_path / "posts.jsonl", again, secret=b"s", at=NOON).added == 1
    (one,), (other,) = posts.find(Query()).records, again.find(Query()).records
    assert [(r.post.id, r.post.text, r.post.parent_id, r.post.url) for r in (one, other)] == [
        (one.post.id, one.post.text, one.post.parent_id, one.post.url)
    ] * 2
    posts.close()
    again.close()
