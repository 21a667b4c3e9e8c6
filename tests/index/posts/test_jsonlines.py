"""Posts come in as JSON lines; what can't be read is refused with its number and its field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.domain.post import Counters, Network, Post, PostKind, pseudonym
from index.errors import Refused
from index.posts.jsonlines import LINE_BYTES, import_lines, line_of, read_line
from index.posts.query import PostState, Query, Record
from index.posts.sqlite import SqlitePosts
from tests.factories import NOON, post

SECRET = b"secret"
ORDINARY = {
    "id": "gus-1",
    "platform": "vk",
    "kind": "post",
    "parent": None,
    "source": "Подслушано Курлово",
    "author": 200,
    "published_at": "2026-10-05T06:35:06+03:00",
    "text": "Автобус не пришёл",
}


def line(**facts: Any) -> str:
    return json.dumps(ORDINARY | facts, ensure_ascii=False)


def read(text: str) -> Post:
    return read_line(text, secret=SECRET, at=NOON)


def test_a_line_becomes_a_post() -> None:
    one = read(line(kind="comment", parent="gus-0", url="https://x", source_home="Курлово", reactions=5))
    assert (one.id, one.network, one.kind, one.parent_id) == ("gus-1", Network.VK, PostKind.COMMENT, "gus-0")
    assert one.published_at.isoformat() == "2026-10-05T03:35:06+00:00"
    assert (one.url, one.source_home, one.counters) == ("https://x", "Курлово", Counters(likes=5))
    assert one.collected_at == NOON


def test_an_author_becomes_a_pseudonym() -> None:
    assert read(line()).author == pseudonym(SECRET, Network.VK, 200)
    assert read(line(author="200")).author == read(line()).author
    assert read(line(author="Иван Петров")).author.isalnum()


def test_personal_data_is_masked_by_whoever_knows_how() -> None:
    masked = read_line(line(text="звоните 89001234567"), secret=SECRET, at=NOON, mask=lambda text: text[:7])
    assert masked.text == "звоните"


def test_labels_and_other_fields_are_passed_over() -> None:
    assert read(line(places=["Курлово"], severity=3, extra={"a": [1]})) == read(line())


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", None),
        ("[]", None),
        ('"текст"', None),
        ("[" * 100_000, None),
        (line(id=""), "id"),
        (line(id=None), "id"),
        (line(id=True), "id"),
        (line(id=["a"]), "id"),
        (line(id="я" * 300), "id"),
        (line(platform="myspace"), "platform"),
        (line(platform=None), "platform"),
        (line(platform=5), "platform"),
        (line(kind="story"), "kind"),
        (line(source=""), "source"),
        (line(author=""), "author"),
        (line(author={"id": 1}), "author"),
        (line(text=5), "text"),
        (json.dumps({k: v for k, v in ORDINARY.items() if k != "text"}), "text"),
        (line(published_at=None), "published_at"),
        (line(published_at="вчера"), "published_at"),
        (line(published_at=1791171306), "published_at"),
        (line(published_at="2026-10-05T06:35:06"), "published_at"),
        (line(published_at="0001-01-01T00:00:00+14:00"), "published_at"),
        (line(published_at="1066-10-14T00:00:00Z"), "published_at"),
        (line(reactions="много"), "reactions"),
        (line(reactions=-1), "reactions"),
        (line(reactions=2**70), "reactions"),
        (line(parent=1.5), "parent"),
        (line(is_deleted="да"), "is_deleted"),
        (line(attachments="фото"), "attachments"),
    ],
)
def test_a_line_that_can_not_be_read_names_its_field(text: str, field: str | None) -> None:
    with pytest.raises(Refused) as refusal:
        read(text)
    assert refusal.value.field == field


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


fields = st.sampled_from([*ORDINARY, "url", "reactions", "attachments"])


@given(st.dictionaries(fields, json_values, max_size=4))
def test_any_json_is_a_post_or_a_clear_refusal(strange: dict[str, Any]) -> None:
    one = read_or_refusal(json.dumps(ORDINARY | strange))
    if isinstance(one, Refused):
        assert one.field
    else:
        assert one.id
        assert one.text.encode().decode() == one.text


def read_or_refusal(text: str) -> Post | Refused:
    """Anything else that is raised is a fault."""
    try:
        return read(text)
    except Refused as refusal:
        return refusal


@given(st.text(max_size=200))
def test_any_text_is_refused_in_words(text: str) -> None:
    assert str(read_or_refusal(text))


def test_a_file_adds_what_it_can_and_tells_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    good, other = line(), line(id="gus-2")
    file.write_bytes(b"\xef\xbb\xbf" + "\n".join([good, "", "{", other, line(id="3", kind="x")]).encode())
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    report = import_lines(file, posts, secret=SECRET, at=NOON)
    assert (report.added, report.skipped) == (2, 0)
    assert [(refusal.line, refusal.reason) for refusal in report.refused] == [
        (3, "не JSON"),
        (5, "поле kind: нужно одно из post, comment"),
    ]
    posts.close()


def test_importing_twice_adds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text("\n".join(line(id=str(number)) for number in range(1_200)), encoding="utf-8")
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    assert import_lines(file, posts, secret=SECRET, at=NOON).added == 1_200
    again = import_lines(file, posts, secret=SECRET, at=NOON)
    assert (again.added, again.skipped, again.refused) == (0, 1_200, [])
    assert posts.count(Query()) == 1_200
    posts.close()


def test_broken_encoding_and_endless_lines_are_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    endless = b'{"text": "' + b"x" * (2 * LINE_BYTES + 5)
    file.write_bytes(b"\n".join([endless, b'{"id": "\xff"}', line().encode()]))
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    report = import_lines(file, posts, secret=SECRET, at=NOON)
    assert report.added == 1
    assert [(refusal.line, refusal.reason) for refusal in report.refused] == [
        (1, "длиннее 8 МБ"),
        (2, "не UTF-8"),
    ]
    posts.close()


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    posts = SqlitePosts(tmp_path / "posts.sqlite3")
    with pytest.raises(Refused, match="не читается"):
        import_lines(tmp_path / "none.jsonl", posts, secret=SECRET, at=NOON)
    posts.close()


def test_what_is_written_is_read_again() -> None:
    one = post(counters=Counters(views=3, likes=1), is_edited=True, parent_id="p", collected_at=NOON)
    written = line_of(Record(post=one, state=PostState.COLLECTED))
    again = read(written)
    assert again.author == pseudonym(SECRET, one.network, one.author)
    assert line_of(Record(post=again, state=PostState.COLLECTED)) == written.replace(one.author, again.author)
