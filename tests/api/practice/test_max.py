"""The MAX twin answers as the OpenAPI file of the bot API says."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from api.practice.twin import COMMUNITY, Twin
from tests.api.practice.calls import PNG, Caller
from tests.api.practice.schemas import max_faults

NOW = datetime.now(UTC)


@pytest.fixture
def post(twin: Twin) -> str:
    twin.community("max", "-7001", title="Район | МЦУ")
    return twin.say("max", "-7001", "Нет света", author=4, at=NOW, views=7, photos=[PNG])


def test_answers_are_as_the_schema_says(twin: Twin, call: Caller, post: str) -> None:
    twin.say("max", "-7001", "От канала", author=COMMUNITY)
    mid = post.removeprefix("max:")
    assert max_faults("BotInfo", call.max("GET", "/me").json()) == []
    assert max_faults("MessageList", call.max("GET", "/messages", chat_id=-7001).json()) == []
    assert max_faults("Message", call.max("GET", f"/messages/{mid}").json()) == []
    assert max_faults("UpdateList", call.max("GET", "/updates", marker=0).json()) == []
    assert max_faults("Chat", call.max("GET", "/chats/-7001").json()) == []
    assert max_faults("ChatMember", call.max("GET", "/chats/-7001/members/me").json()) == []
    assert max_faults("UploadEndpoint", call.max("POST", "/uploads", type="image").json()) == []
    assert (
        max_faults("SendMessageResult", call.max("POST", "/messages", {"text": "x"}, chat_id=-7001).json())
        == []
    )
    assert max_faults("Error", call.max("GET", "/messages", chat_id=-1).json()) == []


def test_a_channels_own_post_has_no_sender_and_a_residents_has(twin: Twin, call: Caller, post: str) -> None:
    twin.say("max", "-7001", "От канала", author=COMMUNITY)
    own, residents = call.max("GET", "/messages", chat_id=-7001).json()["messages"]
    assert "sender" not in own
    assert residents["sender"]["is_bot"] is False
    assert residents["stat"] == {"views": 7}


def test_messages_come_newest_first_within_a_window(twin: Twin, call: Caller, post: str) -> None:
    for minute in range(1, 4):
        twin.say("max", "-7001", f"минута {minute}", at=NOW + timedelta(minutes=minute))
    start = int((NOW + timedelta(seconds=30)).timestamp() * 1000)
    end = int((NOW + timedelta(seconds=130)).timestamp() * 1000)
    found = call.max("GET", "/messages", **{"chat_id": -7001, "from": start, "to": end, "count": 10}).json()[
        "messages"
    ]
    assert [m["body"]["text"] for m in found] == ["минута 2", "минута 1"]


def test_the_window_may_be_turned_round_as_the_schema_words_it(http: httpx2.Client) -> None:
    with Twin(limits=False, max_window_reversed=True) as twin:
        twin.say("max", "-7001", "старое", at=NOW - timedelta(hours=1))
        twin.say("max", "-7001", "новое", at=NOW)
        middle = int((NOW - timedelta(minutes=5)).timestamp() * 1000)
        answer = Caller(twin, http).max("GET", "/messages", **{"chat_id": -7001, "from": middle}).json()
        assert [m["body"]["text"] for m in answer["messages"]] == ["старое"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "wrong"}])
def test_the_token_is_looked_for_in_the_header_only(call: Caller, headers: dict[str, str]) -> None:
    url = f"{call.settings['max_api_url']}/me"
    answer = call.http.get(url, params={"access_token": call.settings["max_token"]}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "verify.token")


def test_a_chat_without_the_bot_is_closed(twin: Twin, call: Caller) -> None:
    twin.community("max", "-7002", has_bot=False)
    assert call.max("GET", "/messages", chat_id=-7002).status_code == 403
    assert call.max("GET", "/messages", chat_id=-7003).status_code == 404


def test_a_photo_is_uploaded_and_posted(twin: Twin, call: Caller, post: str) -> None:
    target = call.max("POST", "/uploads", type="image").json()["url"]
    sent = call.http.post(target, files={"data": ("a.png", PNG, "image/png")}).json()
    assert max_faults("PhotoTokens", sent) == []
    token = next(iter(sent["photos"].values()))["token"]
    body = {"text": "Фото", "attachments": [{"type": "image", "payload": {"token": token}}]}
    answer = call.max("POST", "/messages", body, chat_id=-7001).json()
    standing = twin.posts("max", "-7001")[0]
    assert standing.id == f"max:{answer['message']['body']['mid']}"
    assert (standing.text, standing.photos, standing.is_ours) == ("Фото", (PNG,), True)


def test_an_unknown_photo_and_a_long_text_are_refused(twin: Twin, call: Caller, post: str) -> None:
    unknown = {"text": "x", "attachments": [{"type": "image", "payload": {"token": "чужой"}}]}
    assert call.max("POST", "/messages", unknown, chat_id=-7001).status_code == 400
    assert call.max("POST", "/messages", {"text": "я" * 4001}, chat_id=-7001).status_code == 400
    assert len(twin.posts("max", "-7001")) == 1


def test_comments_are_read_and_answered(twin: Twin, call: Caller, post: str) -> None:
    mid = post.removeprefix("max:")
    asked = twin.say("max", "-7001", "Когда дадут?", parent=post, author=5)
    reply = {"text": "К шести", "link": {"type": "reply", "mid": asked.rpartition("_r")[2]}}
    answer = call.max("POST", f"/messages/{mid}/comments", reply)
    assert answer.json()["message"]["recipient"]["post_id"] == mid
    said = twin.posts("max", "-7001")[0].comments[-1]
    assert (said.text, said.reply_to, said.is_ours) == ("К шести", asked, True)
    listed = call.max("GET", f"/messages/{mid}/comments").json()["messages"]
    assert [c["body"]["text"] for c in listed] == ["К шести", "Когда дадут?"]
    assert "attachments" not in listed[0]["body"]


def test_a_comment_takes_no_attachments(twin: Twin, call: Caller, post: str) -> None:
    mid = post.removeprefix("max:")
    body = {"text": "x", "attachments": [{"type": "image", "payload": {}}]}
    assert call.max("POST", f"/messages/{mid}/comments", body).status_code == 400


def test_updates_tell_of_posts_and_never_of_comments(twin: Twin, call: Caller, post: str) -> None:
    marker = call.max("GET", "/updates").json()["marker"]
    twin.say("max", "-7001", "комментарий", parent=post)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call.max, "GET", "/updates", marker=marker, timeout=4)
        time.sleep(0.2)
        new = twin.say("max", "-7001", "ещё", author=6)
        answer = waiting.result().json()
    assert [u["message"]["body"]["mid"] for u in answer["updates"]] == [new.removeprefix("max:")]
    twin.delete(new)
    removed = call.max("GET", "/updates", marker=answer["marker"]).json()["updates"]
    assert [(u["update_type"], u["message_id"]) for u in removed] == [
        ("message_removed", new.removeprefix("max:"))
    ]


def test_a_message_is_edited_and_deleted(twin: Twin, call: Caller, post: str) -> None:
    mid = post.removeprefix("max:")
    assert call.max("PUT", "/messages", {"text": "Свет есть"}, message_id=mid).json() == {"success": True}
    assert twin.posts("max", "-7001")[0].text == "Свет есть"
    assert call.max("DELETE", "/messages", message_id=mid).json() == {"success": True}
    assert twin.posts("max", "-7001") == []
