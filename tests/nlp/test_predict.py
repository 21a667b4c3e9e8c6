"""A file of posts: what is read, what is refused, and what comes out."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from index.errors import Refused
from nlp.predict import predict, predict_file, read_posts


def line(**facts: Any) -> str:
    ordinary: dict[str, Any] = {
        "id": "1", "platform": "vk", "kind": "post", "parent": None, "source": "Подслушано Курлово",
        "author": 7, "published_at": "2026-01-10T10:00:00+03:00", "text": "На Советской с утра нет воды",
    }  # fmt: skip
    return json.dumps(ordinary | facts, ensure_ascii=False)


def test_the_others_go_on_and_each_fault_names_its_line() -> None:
    posts, faults = read_posts([line(), "{", "", line(), line(id="2")])
    assert [post.id for post in posts] == ["1", "2"]
    assert [fault.split(":")[0] for fault in faults] == ["Строка 2", "Строка 4"]


def test_a_post_of_nothing_but_a_sticker_is_read() -> None:
    (post,), faults = read_posts([line(text="")])
    assert (post.text, faults) == ("", [])


def test_a_file_without_one_post_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text("{\n", encoding="utf-8")
    with pytest.raises(Refused, match="ни одной строки"):
        predict_file(file, io.StringIO())


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(Refused, match="не читается"):
        predict_file(Path("nowhere.jsonl"), io.StringIO())


@pytest.mark.model
def test_predictions_come_in_the_order_of_the_file_with_every_field() -> None:
    found = predict([line(id="b"), line(id="a", text="Продам дрова берёзовые", author=8)])
    assert [row["id"] for row in found.rows] == ["b", "a"]
    assert set(found.rows[0]) == {
        "id", "relevant", "relevance", "places", "address", "intent", "topic_group", "topic", "sentiment",
        "toxicity", "risks", "risk_scores", "severity", "needs_answer", "duplicate_of", "story", "risk_score",
        "risk_parts", "entities", "model",
    }  # fmt: skip


@pytest.mark.model
def test_the_parent_in_the_file_is_the_context_of_a_comment() -> None:
    comment = {"kind": "comment", "parent": "1", "id": "2", "text": "и у нас тоже", "author": 9}
    alone = predict([line(**comment)]).rows[0]
    under = predict([line(), line(**comment)]).rows[1]
    assert under["risk_scores"]["outage"] > alone["risk_scores"]["outage"]


@pytest.mark.model
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\u200b",
        "👍",
        "https://example.org/x",
        "a" * 100_000,
        "<br>" * 20_000,
        "нет воды\n" * 11_000,
        "\ud83d",
    ],
)
def test_any_text_gets_an_analysis(text: str) -> None:
    found = predict([line(text=text)])
    assert found.faults == []
    assert json.dumps(found.rows[0]).encode()
