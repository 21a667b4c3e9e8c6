"""`mcu parse` on saved answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawlers.parse import parse
from index.errors import Refused
from tests.crawlers.pages.cases import HERE

IMPORT_FIELDS = {
    "id", "platform", "kind", "parent", "source", "author", "published_at", "text", "url", "source_home",
    "reactions",
}  # fmt: skip


def test_posts_come_in_the_shape_of_the_import() -> None:
    posts, faults = parse("vk", HERE / "vk" / "comments_with_threads" / "input.json")
    assert len(posts) == 4
    assert all(IMPORT_FIELDS <= post.keys() for post in posts)
    assert posts[1]["parent"] == "vk:-1_12"
    assert faults == ["response.items[3]: нет поля date или оно не число"]
    json.dumps(posts)


def test_comments_that_do_not_name_their_post_have_no_parent() -> None:
    posts, faults = parse("vk", HERE / "vk" / "vknet_video_comments" / "input.json")
    assert [(post["kind"], post["parent"], post["url"]) for post in posts] == [("comment", None, None)] * 2
    assert faults == []


@pytest.mark.parametrize("network", ["vk", "ok", "telegram", "max", "news"])
def test_what_cannot_be_read_is_one_clear_fault(network: str, tmp_path: Path) -> None:
    path = tmp_path / "answer"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    posts, faults = parse(network, path)
    assert (posts, len(faults)) == ([], 1)


def test_an_error_of_the_network_is_said_with_its_code(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text(
        '{"error": {"error_code": 5, "error_msg": "User authorization failed"}}', encoding="utf-8"
    )
    assert parse("vk", path) == ([], ["vk: код 5: User authorization failed"])


@pytest.mark.parametrize(
    ("network", "name", "said"),
    [("facebook", "input.json", "Неизвестная сеть"), ("vk", "нет.json", "не читается")],
)
def test_a_wrong_question_is_refused(network: str, name: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        parse(network, HERE / "vk" / "board_comments" / name)


def test_a_byte_order_mark_is_no_trouble(tmp_path: Path) -> None:
    body = (HERE / "vk" / "board_comments" / "input.json").read_bytes()
    path = tmp_path / "answer.json"
    path.write_bytes(b"\xef\xbb\xbf" + body)
    assert len(parse("vk", path)[0]) == 2
