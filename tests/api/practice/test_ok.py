"""The Odnoklassniki twin: signed calls, paging by anchor, Moscow time, posting with a photo."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from api.practice import ok
from api.practice.twin import COMMUNITY, Twin
from tests.api.practice.calls import PNG, Caller
from tests.api.practice.schemas import found

NOW = datetime.now(UTC)
GID = "57000000007"


def test_the_signature_is_the_published_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    """ok.md section 1; the token there makes the secret."""
    secret = hashlib.md5(  # noqa: S324 the network\'s own rule
        b"-s-84W-s3egarWUsbkq-IWTucuedzTKT8VUXIA.s4Xx8IW7ABC123DEF456GHI789JKL123"
    ).hexdigest()
    monkeypatch.setattr(ok, "SESSION_SECRET", secret)
    form = {
        "application_key": "ABCDEFGHIGKLMNOPK",
        "method": "events.get",
        "format": "json",
        "access_token": "x",
    }
    assert ok.signature(form) == "232c8eb921951c4dba9b72606f9ddb4c"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sig": "0" * 32}, 104),
        ({"access_token": "x"}, 103),
        ({"application_key": "x"}, 101),
        ({"method": "a.b"}, 3),
    ],
)
def test_a_wrong_call_is_refused_with_http_200(
    twin: Twin, call: Caller, change: dict[str, str], code: int
) -> None:
    form = {"method": "stream.get", "application_key": ok.APPLICATION_KEY, "gid": GID}
    form |= {"sig": ok.signature(form), "access_token": ok.ACCESS_TOKEN} | change
    answer = call.http.post(f"{call.settings['ok_api_url']}/fb.do", data=form)
    assert (answer.status_code, answer.json()["error_code"]) == (200, code)


def test_a_feed_is_read_by_anchor_to_an_empty_end(twin: Twin, call: Caller) -> None:
    ids = [twin.say("ok", GID, f"тема {n}", at=NOW + timedelta(seconds=n)) for n in range(5)]
    seen: list[str] = []
    anchor: dict[str, str] = {}
    while feeds := (page := call.ok("stream.get", gid=GID, count="2", patterns="POST", **anchor))["feeds"]:
        assert "has_more" not in page
        seen += [feed["message"] for feed in feeds]
        anchor = {"anchor": page["anchor"]}
    assert seen == [f"{{media_topic:{id[3:]}}}" for id in reversed(ids)]


def test_topics_come_by_their_ids(twin: Twin, call: Caller) -> None:
    topic = twin.say("ok", GID, "Нет воды", author=4, at=NOW, likes=3, photos=[PNG])
    twin.say("ok", GID, "и у нас", parent=topic)
    shown = call.ok("mediatopic.getByIds", topic_ids=f"{topic[3:]},1")["media_topics"]
    assert [t["id"] for t in shown] == [topic[3:]]
    assert shown[0]["created_ms"] == int(NOW.timestamp() * 1000)
    assert shown[0]["media"][0] == {"type": "text", "text": "Нет воды"}
    assert (shown[0]["like_summary"]["count"], shown[0]["discussion_summary"]["comments_count"]) == (3, 1)
    assert shown[0]["author_ref"].startswith("user:")


def test_a_comment_has_the_fields_of_a_real_one_and_moscow_time(twin: Twin, call: Caller) -> None:
    topic = twin.say("ok", GID, "Нет воды")
    first = twin.say("ok", GID, "давно?", parent=topic, at=NOW)
    twin.say("ok", GID, "с утра", parent=first, at=NOW)
    comments = call.ok(
        "discussions.getComments", discussionId=topic[3:], discussionType="GROUP_TOPIC", anchor="FIRST"
    )["comments"]  # fmt: skip
    real = json.loads(
        found("fixtures/ok/ramusus/discussions.getComment_item.json").read_text(encoding="utf-8")
    )
    assert set(comments[1]) == set(real)
    assert comments[0]["date"] == f"{NOW.astimezone(ZoneInfo('Europe/Moscow')):%Y-%m-%d %H:%M:%S}"
    assert base64.b64decode(comments[0]["id"]).startswith(str(int(NOW.timestamp() * 1000)).encode())
    assert comments[1]["reply_to_comment_id"] == comments[0]["id"]


def test_a_discussion_has_the_fields_of_a_real_one(twin: Twin, call: Caller) -> None:
    topic = twin.say("ok", GID, "Нет воды")
    ours = call.ok("discussions.get", discussionId=topic[3:], discussionType="GROUP_TOPIC")
    real = json.loads(found("fixtures/ok/ramusus/discussions.get.json").read_text(encoding="utf-8"))
    assert set(real["discussion"]) == set(ours["discussion"])
    assert set(real["entities"]) <= set(ours["entities"])


@pytest.mark.parametrize(("anchor", "first"), [("FIRST", "1"), ("LAST", "5")])
def test_comments_are_paged_from_either_end(twin: Twin, call: Caller, anchor: str, first: str) -> None:
    topic = twin.say("ok", GID, "тема")
    for number in range(1, 6):
        twin.say("ok", GID, str(number), parent=topic, at=NOW + timedelta(seconds=number))
    direction = "FORWARD" if anchor == "FIRST" else "BACKWARD"
    seen: list[str] = []
    more = True
    while more:
        page = call.ok(
            "discussions.getComments", discussionId=topic[3:], discussionType="GROUP_TOPIC", count="2",
            anchor=anchor, direction=direction,
        )  # fmt: skip
        seen += [c["text"] for c in page["comments"]]
        more, anchor = page["has_more"], page["anchor"]
    assert seen[0] == first
    assert sorted(seen) == ["1", "2", "3", "4", "5"]


def test_a_topic_with_a_photo_is_posted_in_the_name_of_the_group(twin: Twin, call: Caller) -> None:
    twin.community("ok", GID, title="Район. Официально")
    target = call.ok("photosV2.getUploadUrl", gid=GID, count="1")
    sent = call.http.post(target["upload_url"], files={"pic1": ("a.png", PNG, "image/png")}).json()
    token = sent["photos"][target["photo_ids"][0]]["token"]
    topic = call.ok_post(
        GID, {"type": "text", "text": "Воду дадут"}, {"type": "photo", "list": [{"id": token}]}
    )
    standing = twin.posts("ok", GID)[0]
    assert standing.id == f"ok:{topic}"
    assert (standing.text, standing.photos, standing.author) == ("Воду дадут", (PNG,), "Район. Официально")


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ({"type": "text", "text": "я" * 40_000}, 601),
        ({"type": "link", "url": "нет"}, 607),
        ({"type": "photo", "list": [{"id": "чужой"}]}, 100),
        ({"type": "text", "text": "  "}, 100),
    ],
)
def test_a_wrong_topic_is_refused(twin: Twin, call: Caller, block: dict[str, object], code: int) -> None:
    twin.community("ok", GID)
    assert call.ok_post(GID, block)["error_code"] == code
    assert twin.posts("ok", GID) == []


def test_an_answer_stands_under_the_topic(twin: Twin, call: Caller) -> None:
    topic = twin.say("ok", GID, "Нет воды")
    number = call.ok(
        "discussions.addDiscussionComment", entityId=topic[3:], entityType="GROUP_TOPIC", comment="Чиним",
        as_admin="true",
    )  # fmt: skip
    said = twin.posts("ok", GID)[0].comments[0]
    assert (said.id, said.text, said.is_official, said.is_ours) == (f"{topic}_r{number}", "Чиним", True, True)
    page = call.ok("discussions.getComments", discussionId=topic[3:], discussionType="GROUP_TOPIC")
    assert page["comments"][0]["author_type"] == "GROUP"


def test_a_stranger_is_no_administrator(twin: Twin, call: Caller) -> None:
    twin.community("ok", GID).more["ours"] = False
    topic = twin.say("ok", GID, "Нет воды", author=COMMUNITY)
    refused = call.ok(
        "discussions.addDiscussionComment", entityId=topic[3:], comment="Чиним", as_admin="true"
    )
    assert refused["error_code"] == 50


def test_a_deleted_topic_is_gone(twin: Twin, call: Caller) -> None:
    topic = twin.say("ok", GID, "Нет воды")
    twin.delete(topic)
    assert call.ok("mediatopic.getByIds", topic_ids=topic[3:])["media_topics"] == []
    assert call.ok("discussions.get", discussionId=topic[3:])["error_code"] == 300
