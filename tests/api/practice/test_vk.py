"""The VK twin answers as the schema of API 5.199 and the saved answers say."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from api.practice.twin import COMMUNITY, Twin
from api.practice.world import Access
from tests.api.practice.calls import PNG, Caller
from tests.api.practice.schemas import found, vk_faults, vk_unknown_parameters

NOW = datetime.now(UTC)


@pytest.fixture
def wall(twin: Twin) -> str:
    """A wall with everything on it: photo, link, poll, repost, pinned, signed, geo, edited, a thread."""
    old = twin.say(
        "vk",
        "club1",
        "Закреплено: телефоны служб",
        author=COMMUNITY,
        is_pinned=True,
        at=NOW - timedelta(days=30),
    )
    post = twin.say(
        "vk", "club1", "Нет тепла & света <b>", author=5, photos=[PNG], views=10, likes=2, geo="55.6 40.6"
    )
    twin.say(
        "vk",
        "club1",
        "Опрос",
        author=COMMUNITY,
        poll={"question": "Как?", "answers": ["Да", "Нет"]},
        signer="Олег",
    )
    twin.say("vk", "club1", "", author=6, origin=old, link="https://site.example/1")
    comment = twin.say("vk", "club1", "и у нас", parent=post, author=7)
    twin.say("vk", "club1", "давно?", parent=comment, author=8)
    twin.edit(post, "Нет тепла и света")
    return post


READS: list[tuple[str, dict[str, Any]]] = [
    ("wall.get", {"owner_id": -1, "count": 100}),
    ("wall.get", {"owner_id": -1, "extended": 1}),
    ("wall.getById", {"posts": "-1_2,-1_3,-1_999"}),
    ("wall.getById", {"posts": "-1_2", "extended": 1}),
    ("wall.getComments", {"owner_id": -1, "post_id": 2, "need_likes": 1, "thread_items_count": 10}),
    ("wall.getComments", {"owner_id": -1, "post_id": 2, "extended": 1}),
    ("newsfeed.search", {"q": "тепла"}),
    ("newsfeed.search", {"q": "тепла", "extended": 1}),
    ("wall.search", {"owner_id": -1, "query": "тепла"}),
    ("groups.getById", {"group_ids": "1"}),
    ("groups.search", {"q": "club"}),
    ("groups.getLongPollServer", {"group_id": 1}),
    ("users.get", {"user_ids": "100000001"}),
    ("utils.resolveScreenName", {"screen_name": "club1"}),
    ("photos.getWallUploadServer", {"group_id": 1}),
]


@pytest.mark.parametrize(
    ("method", "parameters"), READS, ids=[f"{m}{'+' * ('extended' in p)}" for m, p in READS]
)
def test_an_answer_is_as_the_schema_says(
    call: Caller, wall: str, method: str, parameters: dict[str, Any]
) -> None:
    assert vk_unknown_parameters(method, parameters) == set()
    answer = call.vk(method, **parameters)
    assert "response" in answer
    assert vk_faults(method, answer, extended="extended" in parameters) == []


def test_a_post_has_the_fields_of_a_real_answer_of_2025(call: Caller, wall: str) -> None:
    real = json.loads(
        found("fixtures/vk/selenscrapy/vk_wall_response.redacted.json").read_text(encoding="utf-8")
    )
    theirs = set.intersection(*(set(item) for item in real["response"]["items"]))
    ours = set(call.vk("wall.get", owner_id=-1)["response"]["items"][0])
    #: for advertisers and for drawing the page only; no text, author, time or counter among them
    assert theirs - ours <= {
        "ads_easy_promote",
        "compact_attachments_before_cut",
        "attachments_meta",
        "header",
    }


def test_a_comment_has_the_fields_of_a_real_answer_of_2025(call: Caller, wall: str) -> None:
    real = json.loads(
        found("fixtures/vk/selenscrapy/vk_comment_response.redacted.json").read_text(encoding="utf-8")
    )
    ours = call.vk("wall.getComments", owner_id=-1, post_id=2, need_likes=1)["response"]
    assert set(real["response"]["items"][0]) <= set(ours["items"][0])
    assert set(real["response"]) - {"profiles", "groups", "order", "post_author_id"} <= set(ours)


def test_an_error_has_the_body_of_a_real_one(twin: Twin, call: Caller) -> None:
    for code in (1, 5, 14, 15, 17, 100):
        real = json.loads(found(f"fixtures/vk/vknet_vk/Errors/{code}.json").read_text(encoding="utf-8"))[
            "error"
        ]
        twin.fail("vk", "wall.get", code if code != 14 else "captcha")
        ours = call.vk("wall.get", owner_id=-1)["error"]
        assert set(real) == set(ours)
        assert ours["error_code"] == code


def test_the_pinned_post_stands_first_though_it_is_old(call: Caller, wall: str) -> None:
    first, second, *_ = call.vk("wall.get", owner_id=-1)["response"]["items"]
    assert first["is_pinned"] == 1
    assert first["date"] < second["date"]


def test_a_text_comes_with_entities(twin: Twin, call: Caller) -> None:
    twin.say("vk", "club1", "Свет & <тепло>")
    assert call.vk("wall.get", owner_id=-1)["response"]["items"][0]["text"] == "Свет &amp; &lt;тепло&gt;"


def test_a_wall_is_paged_by_offset(twin: Twin, call: Caller) -> None:
    for number in range(5):
        twin.say("vk", "club1", f"пост {number}", at=NOW + timedelta(seconds=number))
    page = call.vk("wall.get", owner_id=-1, count=2, offset=2)["response"]
    assert [item["text"] for item in page["items"]] == ["пост 2", "пост 1"]
    assert (page["count"], page["next_from"]) == (5, "4")


def test_a_deleted_comment_with_answers_leaves_an_empty_place(twin: Twin, call: Caller, wall: str) -> None:
    answer = call.vk("wall.getComments", owner_id=-1, post_id=2)["response"]["items"][0]
    twin.delete(f"{wall}_r{answer['id']}")
    place = call.vk("wall.getComments", owner_id=-1, post_id=2)["response"]["items"][0]
    assert place["deleted"] is True
    assert not {"from_id", "text", "post_id"} & set(place)


def test_a_thread_is_read_by_its_comment(call: Caller, wall: str) -> None:
    top = call.vk("wall.getComments", owner_id=-1, post_id=2)["response"]
    assert (top["count"], top["current_level_count"]) == (2, 1)
    thread = call.vk("wall.getComments", owner_id=-1, post_id=2, comment_id=top["items"][0]["id"])["response"]
    assert [c["text"] for c in thread["items"]] == ["давно?"]


def test_search_gives_the_first_thousand_and_tells_of_the_rest(twin: Twin, call: Caller) -> None:
    for number in range(1010):
        twin.say("vk", "club7", "нет воды в Курлово", author=1, at=NOW - timedelta(seconds=number))
    page = call.vk("newsfeed.search", q="вода Курлово", count=200)["response"]
    assert (page["count"], page["total_count"], len(page["items"])) == (1000, 1010, 200)
    seen = 200
    while start := page.get("next_from"):
        page = call.vk("newsfeed.search", q="вода Курлово", count=200, start_from=start)["response"]
        seen += len(page["items"])
    assert seen == 1000


def test_search_keeps_to_its_window(twin: Twin, call: Caller) -> None:
    twin.say("vk", "club7", "пожар в Анопино", at=NOW - timedelta(hours=30))
    assert call.vk("newsfeed.search", q="пожар")["response"]["count"] == 0
    start = int((NOW - timedelta(hours=31)).timestamp())
    assert call.vk("newsfeed.search", q="пожар", start_time=start)["response"]["count"] == 1


def test_execute_gives_false_for_a_call_that_failed(twin: Twin, call: Caller) -> None:
    twin.say("vk", "club1", "раз")
    twin.community("vk", "club2", access=Access.CLOSED)
    code = 'return [API.wall.get({"owner_id": -1, "count": 1}), API.wall.get({owner_id: -2})];'
    answer = call.vk("execute", code=code)
    assert answer["response"][0]["items"][0]["text"] == "раз"
    assert answer["response"][1] is False
    assert [(e["method"], e["error_code"]) for e in answer["execute_errors"]] == [("wall.get", 15)]


def test_execute_refuses_more_than_25_calls_and_what_it_cannot_compile(call: Caller) -> None:
    many = "return [" + ",".join(["API.users.get()"] * 26) + "];"
    assert call.vk("execute", code=many)["error"]["error_code"] == 13
    assert call.vk("execute", code="while(1){}")["error"]["error_code"] == 12


@pytest.mark.parametrize(
    ("token", "method", "code"),
    [
        ("", "wall.get", 5),
        ("stolen", "wall.get", 5),
        ("practice-vk-group-1", "wall.get", 27),
        ("practice-vk-group-1", "photos.getWallUploadServer", 27),
        ("practice-vk-service", "wall.post", 28),
        ("practice-vk-user", "wall.nothing", 3),
    ],
)
def test_a_token_may_do_what_its_kind_may(
    twin: Twin, call: Caller, token: str, method: str, code: int
) -> None:
    twin.say("vk", "club1", "x")
    assert call.vk(method, token=token, owner_id=-1, group_id=1, message="x")["error"]["error_code"] == code


def test_a_version_is_required(call: Caller) -> None:
    url = f"{call.settings['vk_api_url']}/method/wall.get"
    answer = call.http.get(
        url, params={"owner_id": -1}, headers={"Authorization": "Bearer practice-vk-user"}
    ).json()
    assert answer["error"]["error_code"] == 8


def test_a_json_body_is_not_read(twin: Twin, call: Caller) -> None:
    url = f"{call.settings['vk_api_url']}/method/wall.get"
    answer = call.http.post(
        url, json={"owner_id": -1, "access_token": "practice-vk-user", "v": "5.199"}
    ).json()
    assert answer["error"]["error_code"] == 5


def test_a_post_with_a_photo_stands_on_the_wall(twin: Twin, call: Caller) -> None:
    twin.community("vk", "club1", title="Администрация")
    server = call.vk("photos.getWallUploadServer", group_id=1)["response"]
    sent = call.http.post(server["upload_url"], files={"photo": ("a.png", PNG, "image/png")}).json()
    saved = call.vk("photos.saveWallPhoto", group_id=1, **sent)
    assert vk_faults("photos.saveWallPhoto", saved) == []
    photo = saved["response"][0]
    posted = call.vk(
        "wall.post", owner_id=-1, from_group=1, message="Вода будет к вечеру",
        attachments=f"photo{photo['owner_id']}_{photo['id']}", guid="g1",
    )  # fmt: skip
    assert vk_faults("wall.post", posted) == []
    standing = twin.posts("vk", "club1")[0]
    assert (standing.text, standing.photos, standing.is_ours) == ("Вода будет к вечеру", (PNG,), True)
    assert call.http.get(photo["sizes"][0]["url"]).content == PNG


def test_a_group_key_posts_text_on_its_own_wall_only(twin: Twin, call: Caller) -> None:
    twin.community("vk", "club1")
    twin.community("vk", "club2")
    own = call.vk("wall.post", token="practice-vk-group-1", owner_id=-1, from_group=1, message="да")
    foreign = call.vk("wall.post", token="practice-vk-group-1", owner_id=-2, from_group=1, message="нет")
    assert own["response"]["post_id"] == 1
    assert foreign["error"]["error_code"] == 15


@pytest.mark.parametrize(("window", "posts"), [(timedelta(0), 2), (timedelta(hours=1), 1)])
def test_a_guid_does_not_stop_a_repeat_unless_the_stand_remembers(
    http: httpx2.Client, window: timedelta, posts: int
) -> None:
    with Twin(limits=False, guid_window=window) as twin:
        twin.community("vk", "club1")
        for _ in range(2):
            Caller(twin, http).vk("wall.post", owner_id=-1, from_group=1, message="раз", guid="same")
        assert len(twin.posts("vk", "club1")) == posts


def test_a_postponed_post_waits_and_is_listed_apart(twin: Twin, call: Caller) -> None:
    twin.community("vk", "club1")
    at = int(time.time()) + 3600
    call.vk("wall.post", owner_id=-1, from_group=1, message="завтра", publish_date=at)
    assert call.vk("wall.get", owner_id=-1)["response"]["count"] == 0
    waiting = call.vk("wall.get", owner_id=-1, filter="postponed")["response"]["items"][0]
    assert (waiting["post_type"], waiting["date"]) == ("postpone", at)
    again = call.vk("wall.post", owner_id=-1, from_group=1, message="тоже", publish_date=at)
    assert again["error"]["error_code"] == 214
    assert (
        call.vk("wall.get", token="practice-vk-service", owner_id=-1, filter="postponed")["error"][
            "error_code"
        ]
        == 15
    )


def test_an_answer_stands_under_the_comment_in_the_name_of_the_page(
    twin: Twin, call: Caller, wall: str
) -> None:
    twin.community("vk", "club9", title="Администрация района")
    top = call.vk("wall.getComments", owner_id=-1, post_id=2)["response"]["items"][0]["id"]
    answer = call.vk(
        "wall.createComment", owner_id=-1, post_id=2, from_group=9, message="Чиним", reply_to_comment=top
    )  # fmt: skip
    assert vk_faults("wall.createComment", answer) == []
    said = next(p for p in twin.posts("vk", "club1") if p.id == wall).comments[-1]
    assert (said.text, said.author, said.is_ours, said.reply_to) == (
        "Чиним", "Администрация района", True, f"{wall}_r{top}",
    )  # fmt: skip


def test_a_post_is_edited_and_deleted(twin: Twin, call: Caller, wall: str) -> None:
    call.vk("wall.edit", owner_id=-1, post_id=2, message="Уже чинят")
    item = call.vk("wall.getById", posts="-1_2")["response"]["items"][0]
    assert (item["text"], "edited" in item) == ("Уже чинят", True)
    call.vk("wall.delete", owner_id=-1, post_id=2)
    assert call.vk("wall.getById", posts="-1_2")["response"]["items"] == []
    assert call.vk("wall.getComments", owner_id=-1, post_id=2)["error"]["error_code"] == 15


def test_closed_and_blocked_walls_say_so(twin: Twin, call: Caller) -> None:
    twin.community("vk", "club3", access=Access.CLOSED)
    twin.community("vk", "club4", access=Access.BLOCKED)
    assert call.vk("wall.get", owner_id=-3)["error"]["error_code"] == 15
    assert call.vk("wall.get", owner_id=-4)["error"]["error_code"] == 19


def test_boards_have_topics_and_their_comments(twin: Twin, call: Caller) -> None:
    topic = twin.say("vk", "club1", "Пишите сюда", author=COMMUNITY, board="Вопросы главе")
    twin.say("vk", "club1", "Когда дорога?", parent=topic)
    topics = call.vk("board.getTopics", group_id=1, preview=3)
    assert vk_faults("board.getTopics", topics) == []
    number = topics["response"]["items"][0]["id"]
    comments = call.vk("board.getComments", group_id=1, topic_id=number)
    assert vk_faults("board.getComments", comments) == []
    assert [c["text"] for c in comments["response"]["items"]] == ["Пишите сюда", "Когда дорога?"]
    assert topic == f"vk:topic-1_{number}"
    assert call.vk("wall.get", owner_id=-1)["response"]["count"] == 0


def test_videos_and_photos_of_a_page_stand_beside_its_wall(twin: Twin, call: Caller) -> None:
    film = twin.say("vk", "club1", "Описание", author=COMMUNITY, film="Прямая линия", likes=3)
    twin.say("vk", "club1", "А что с водой?", parent=film)
    picture = twin.say("vk", "club1", "", picture=True)
    twin.say("vk", "club1", "Яма", parent=picture)
    number = int(film.rpartition("_")[2])
    for method, parameters in (
        ("video.get", {"owner_id": -1, "count": 20}),
        ("video.getComments", {"owner_id": -1, "video_id": number, "need_likes": 1}),
        ("photos.getComments", {"owner_id": -1, "photo_id": int(picture.rpartition("_")[2])}),
        ("photos.getAllComments", {"owner_id": -1, "need_likes": 1}),
    ):
        assert vk_unknown_parameters(method, parameters) == set()
        answer = call.vk(method, **parameters)
        assert vk_faults(method, answer) == []
        assert answer["response"]["count"] == 1
    assert film == f"vk:video-1_{number}"
    assert call.vk("wall.get", owner_id=-1)["response"]["count"] == 0
    twin.say("vk", "club1", "", film="Без обсуждения", comments_open=False)
    refused = call.vk("video.getComments", owner_id=-1, video_id=number + 4)
    assert refused["error"]["error_code"] == 801


def test_long_poll_brings_a_comment_while_it_waits(twin: Twin, call: Caller, wall: str) -> None:
    server = call.vk("groups.getLongPollServer", group_id=1)["response"]
    ask = {"act": "a_check", "key": server["key"], "ts": server["ts"], "wait": 5}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call.http.get, server["server"], params=ask)
        time.sleep(0.3)
        twin.say("vk", "club1", "дали тепло", parent=wall)
        answer = waiting.result().json()
    update = answer["updates"][0]
    real = json.loads(
        found(
            "fixtures/vk/vknet_vk/Categories/BotsLongPoll/GetBotsLongPollHistory_WallReplyNewTest.json"
        ).read_text()
    )
    assert update["type"] == "wall_reply_new"
    assert set(real["object"]) == set(update["object"])
    assert int(answer["ts"]) > int(server["ts"])


def test_long_poll_with_a_wrong_key_or_place_asks_to_begin_anew(twin: Twin, call: Caller, wall: str) -> None:
    server = call.vk("groups.getLongPollServer", group_id=1)["response"]
    wrong = call.http.get(server["server"], params={"key": "x", "ts": server["ts"], "wait": 0}).json()
    ahead = call.http.get(server["server"], params={"key": server["key"], "ts": "99999", "wait": 0}).json()
    assert wrong == {"failed": 2}
    assert ahead == {"failed": 1, "ts": int(server["ts"])}


def test_numbers_above_two_to_the_31st_are_whole(twin: Twin, call: Caller) -> None:
    twin.say("vk", "club1", "много", number=2**31 + 5)
    assert call.vk("wall.get", owner_id=-1)["response"]["items"][0]["id"] == 2**31 + 5
