"""Whatever comes over the wire ends in posts, broken records or one clear error; never in a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawlers.pages import max as max_pages
from crawlers.pages import news, ok, telegram, vk
from crawlers.pages.base import NetworkRefusal, Parsed, Unreadable
from crawlers.parse import read
from index.domain.post import Network
from tests.crawlers.pages import cases
from tests.crawlers.pages.cases import CONTEXT
from tests.crawlers.pages.test_saved_answers import is_fit

QUICK = settings(max_examples=40, deadline=None)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.just("1795510800"),
)


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)


JSON = st.recursive(SCALARS, grown, max_leaves=12)

#: Field names that the page objects look at: any value may stand in any of them.
FIELDS = """
    id owner_id from_id source_id post_id date text attachments copy_history comments likes views thread
    deleted is_deleted geo copyright post_type type items count reply_to_comment parents_stack media
    media_topics title author_ref owner_ref created_ms author_id author_type message_id chat message
    channel_post entities caption photo poll body recipient timestamp link sender markup mid seq
    update_type comment object group_id feeds anchor discussion ref_objects created created_by
    first_comment
""".split()


def record(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    values = inner | JSON | st.lists(inner, max_size=2)
    return st.dictionaries(st.sampled_from(FIELDS), values, max_size=8)


RECORDS = st.recursive(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=12), record, max_leaves=6)


def survives(call: Any) -> None:
    try:
        found = call()
    except (Unreadable, NetworkRefusal):
        return
    parsed = found if isinstance(found, Parsed) else getattr(found, "parsed", Parsed())
    for post in parsed.posts:
        is_fit(post)
    for broken in parsed.broken:
        assert broken.reason
        broken.raw.encode()


@QUICK
@given(JSON)
def test_any_json_in_place_of_an_answer(answer: Any) -> None:
    survives(lambda: vk.wall(answer, CONTEXT))
    survives(lambda: vk.events(answer, CONTEXT))
    survives(lambda: vk.execute(answer, asked=3, now=CONTEXT.fetched_at))
    survives(lambda: ok.stream(answer, CONTEXT))
    survives(lambda: ok.comments(answer, CONTEXT, post_id="ok:1"))
    survives(lambda: telegram.updates(answer, CONTEXT, roots={}))
    survives(lambda: telegram.more_comments(answer, CONTEXT, post_id="telegram:a/1", chat=None))
    survives(lambda: max_pages.updates(answer, CONTEXT))
    survives(lambda: max_pages.messages(answer, CONTEXT))
    survives(lambda: news.videos(answer, CONTEXT))


@QUICK
@given(st.lists(RECORDS, max_size=3))
def test_any_record_in_place_of_a_record(records: list[Any]) -> None:
    survives(lambda: vk.wall({"response": {"items": records, "groups": records}}, CONTEXT))
    survives(lambda: vk.comments({"response": {"items": records}}, CONTEXT, post_id="vk:-1_2"))
    survives(lambda: vk.topics({"response": {"items": records}}, CONTEXT, group=1))
    survives(lambda: vk.events({"updates": records, "ts": 1}, CONTEXT))
    survives(lambda: ok.topics({"media_topics": records, "entities": {"groups": records}}, CONTEXT))
    survives(lambda: ok.stream({"feeds": records, "entities": {"media_topics": records}}, CONTEXT))
    survives(lambda: ok.discussions({"discussions": records}, CONTEXT))
    survives(lambda: ok.comments({"comments": records}, CONTEXT, post_id="ok:1"))
    survives(lambda: telegram.updates({"ok": True, "result": records}, CONTEXT, roots={}))
    survives(lambda: max_pages.messages({"messages": records}, CONTEXT))
    survives(lambda: max_pages.comments({"comments": records}, CONTEXT, post_id="max:m"))
    survives(lambda: max_pages.updates({"updates": records}, CONTEXT))
    survives(lambda: news.videos({"results": records}, CONTEXT))


@pytest.mark.parametrize("network", list(Network))
@QUICK
@given(body=st.binary(max_size=300))
def test_random_bytes(network: Network, body: bytes) -> None:
    survives(lambda: read(network, body, CONTEXT))


INPUTS = [path for folder in cases.folders() for path in folder.glob("input.*")]
PAGES = [path for path in INPUTS if path.suffix in (".html", ".xml")]
ANSWERS = [path for path in INPUTS if path.suffix == ".json"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.parent.name}/{path.parent.name}")
@settings(max_examples=8, deadline=None)
@given(cut=st.floats(0, 1), flip=st.floats(0, 1))
def test_a_page_cut_anywhere_and_spoilt_anywhere(path: Path, cut: float, flip: float) -> None:
    body = path.read_bytes()
    survives(lambda: read(Network(path.parent.parent.name), body[: int(len(body) * cut)], CONTEXT))
    place = int(len(body) * flip)
    spoilt = body[:place] + b'<\xff&\x00">' + body[place + 3 :]
    survives(lambda: read(Network(path.parent.parent.name), spoilt, CONTEXT))


def test_a_cut_page_of_telegram_loses_no_whole_message() -> None:
    """Every message that stands whole before the cut is read, and the cut one is reported."""
    body = (cases.HERE / "telegram/page_2023_layout_cut_at_the_end/input.html").read_text(encoding="utf-8")
    whole = [post.id for post in telegram.page(body, CONTEXT).posts]
    for cut in range(1000, len(body), 97):
        before = body[:cut]
        if "data-post=" not in before:
            continue
        found = [post.id for post in telegram.page(before, CONTEXT).posts]
        assert found == whole[: len(found)]
        assert (
            len(found)
            >= before.count('class="time">09:00</time></a></span></div></div></div></div></div>') - 1
        )


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: f"{path.parent.parent.name}/{path.parent.name}")
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_a_saved_answer_with_one_field_spoilt(path: Path, data: st.DataObject) -> None:
    try:
        answer = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        return
    places = list(fields_of(answer))
    if places:
        holder, key = data.draw(st.sampled_from(places))
        holder[key] = data.draw(JSON)
    body = json.dumps(answer).encode()
    survives(lambda: read(Network(path.parent.parent.name), body, CONTEXT))


def fields_of(value: Any) -> Any:
    if isinstance(value, dict):
        for key in value:
            yield value, key
            yield from fields_of(value[key])
    elif isinstance(value, list):
        for one in value:
            yield from fields_of(one)


def test_deep_nesting_is_no_trouble() -> None:
    deep = "[" * 100_000
    for network in (Network.VK, Network.OK, Network.MAX):
        with pytest.raises(Unreadable):
            read(network, deep.encode(), CONTEXT)
    survives(lambda: telegram.page("<div class='tgme_channel_history'>" + "<div>" * 50_000, CONTEXT))


def test_a_megabyte_of_text_is_one_post() -> None:
    item = {"id": 1, "owner_id": -1, "date": 1795510800, "text": "вода 8-910-123-45-67 " * 50_000}
    text = vk.wall({"response": {"items": [item]}}, CONTEXT).posts[0].text
    assert 60_000 < len(text) <= 100_000
    assert "910" not in text


def test_numbers_above_two_to_the_31_are_kept_exactly() -> None:
    item = {
        "id": 9_007_199_254_740_991,
        "owner_id": -4_294_967_296,
        "from_id": 2_147_483_648,
        "date": 1795510800,
    }
    post = vk.wall({"response": {"items": [item]}}, CONTEXT).posts[0]
    assert post.id == "vk:-4294967296_9007199254740991"
    assert post.author == CONTEXT.author(Network.VK, 2**31)
