"""The Telegram twin: t.me/s in both layouts, the discussion widget, the Bot API with its updates."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from parsel import Selector

from api.practice.twin import COMMUNITY, Twin
from api.practice.world import Access
from tests.api.practice.calls import PNG, Caller
from tests.api.practice.schemas import found, telegram_document, telegram_faults

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
def channel(twin: Twin) -> str:
    twin.community("telegram", "rayon", title="Район | официально", discussion="rayon_talk", members=1234)
    return "rayon"


def messages(page: Any) -> list[Selector]:
    return Selector(page.text).css(".tgme_widget_message_wrap .tgme_widget_message[data-post]")


# t.me/s ---------------------------------------------------------------------------------------------------


def test_a_channel_is_paged_back_to_its_start(twin: Twin, call: Caller, channel: str) -> None:
    for number in range(45):
        twin.say("telegram", channel, f"пост {number}", author=COMMUNITY)
    seen: list[str] = []
    before: dict[str, str] = {}
    while True:
        page = call.tme(f"/s/{channel}", **before)
        seen = [m.attrib["data-post"] for m in messages(page)] + seen
        link = Selector(page.text).css("link[rel=prev]::attr(href)").re_first(r"before=(\d+)")
        if link is None:
            break
        assert Selector(page.text).css("a.js-messages_more::attr(data-before)").get() == link
        before = {"before": link}
    assert seen == [f"rayon/{n}" for n in range(1, 46)]


def test_newer_messages_come_by_after(twin: Twin, call: Caller, channel: str) -> None:
    for number in range(30):
        twin.say("telegram", channel, f"пост {number}", author=COMMUNITY)
    page = call.tme(f"/s/{channel}", after="25")
    assert [m.attrib["data-post"] for m in messages(page)] == [f"rayon/{n}" for n in range(26, 31)]
    assert Selector(page.text).css("link[rel=next]").get() is None


@pytest.mark.parametrize("layout", [2023, 2026])
def test_a_message_has_its_parts_where_real_pages_have_them(twin: Twin, call: Caller, layout: int) -> None:
    twin.community("telegram", "ch", title="Канал", layout=layout)
    other = twin.say("telegram", "source", "исток", author=COMMUNITY)
    first = twin.say("telegram", "ch", "вопрос", author=COMMUNITY, at=NOW)
    twin.say(
        "telegram", "ch", "Строка\nвторая & третья", author="Иван Черных", at=NOW, views=3420, likes=12,
        origin=other, reply_to=first, poll={"question": "Да?", "answers": ["Да", "Нет"]}, video="0:52",
        link="https://site.example/a", link_title="Ссылка",
    )  # fmt: skip
    message = messages(call.tme("/s/ch"))[1]
    text = message.css(".tgme_widget_message_text")
    assert (text.get("").count("<br>"), len(text)) == (1, 1)
    assert bool(message.css(".media_supported_cont")) is (layout == 2026)
    assert (
        message.css(".tgme_widget_message_footer time::attr(datetime)").get() == "2026-11-24T09:00:00+00:00"
    )
    assert message.css("time.message_video_duration").attrib.get("datetime") is None
    assert message.css(".tgme_widget_message_views::text").get() == "3.42K"
    assert message.css(".tgme_reaction::text").get() == "12"
    assert (
        message.css("a.tgme_widget_message_forwarded_from_name::attr(href)").get() == "https://t.me/source/1"
    )
    assert message.css("a.tgme_widget_message_reply::attr(href)").get() == "https://t.me/ch/1"
    assert message.css(".tgme_widget_message_poll_option_text::text").getall() == ["Да", "Нет"]
    assert message.css(".tgme_widget_message_from_author::text").get() == "Иван Черных"
    view = json.loads(base64.urlsafe_b64decode(message.attrib["data-view"] + "=="))
    assert view["p"] == 2


def test_a_time_of_another_zone_is_written_in_utc(twin: Twin, call: Caller, channel: str) -> None:
    twin.say("telegram", channel, "x", author=COMMUNITY, at=NOW.astimezone(ZoneInfo("Europe/Moscow")))
    time = messages(call.tme(f"/s/{channel}"))[0].css(".tgme_widget_message_footer time::attr(datetime)")
    assert time.get() == "2026-11-24T09:00:00+00:00"


def test_real_pages_and_ours_share_their_classes(twin: Twin, call: Caller, channel: str) -> None:
    twin.say("telegram", channel, "Текст 📊", author=COMMUNITY, photos=[PNG], views=5, likes=1)
    real = Selector(
        found("fixtures/telegram/tme_s_2026/durov_before_excerpt.html").read_text(encoding="utf-8")
    )
    ours = Selector(call.tme(f"/s/{channel}").text)

    def classes(page: Selector) -> set[str]:
        inside = page.css(".tgme_widget_message *::attr(class), .tgme_widget_message::attr(class)").getall()
        return {
            name for value in inside for name in value.split() if name.startswith(("tgme_widget", "media_"))
        }

    assert classes(real) - classes(ours) <= {
        "tgme_widget_message_link_preview",
        "tgme_widget_message_from_author",
    }


def test_an_album_nests_its_text_and_marks_its_number(twin: Twin, call: Caller, channel: str) -> None:
    twin.say("telegram", channel, "Два снимка", author=COMMUNITY, photos=[PNG, PNG])
    message = messages(call.tme(f"/s/{channel}"))[0]
    assert len(message.css(".tgme_widget_message_text")) == 2
    assert len(message.css(".tgme_widget_message_photo_wrap")) == 2
    assert json.loads(base64.urlsafe_b64decode(message.attrib["data-view"] + "=="))["p"] == "1g"


def test_an_edited_message_and_a_service_message_are_marked(twin: Twin, call: Caller, channel: str) -> None:
    twin.say("telegram", channel, "Channel created", author=COMMUNITY, service=True)
    twin.edit(twin.say("telegram", channel, "было", author=COMMUNITY), "стало")
    service, edited = messages(call.tme(f"/s/{channel}"))
    assert "service_message" in service.attrib["class"]
    assert "edited" in edited.css(".tgme_widget_message_meta").get("")


def test_no_preview_no_channel_and_a_group_are_led_away(twin: Twin, call: Caller, channel: str) -> None:
    twin.community("telegram", "closed", access=Access.NO_PREVIEW)
    for name in ("closed", "nobody", "rayon_talk"):
        answer = call.tme(f"/s/{name}")
        assert (answer.status_code, answer.headers["location"]) == (
            302,
            f"{call.settings['telegram_web_url']}/{name}",
        )
        assert ".tgme_channel_history" not in call.tme(f"/{name}").text


def test_an_empty_channel_says_so(call: Caller, channel: str) -> None:
    assert (
        Selector(call.tme(f"/s/{channel}").text).css(".tme_no_messages_found::text").get() == "No posts found"
    )


def test_the_widget_shows_comments_and_leads_to_older_ones(twin: Twin, call: Caller, channel: str) -> None:
    post = twin.say("telegram", channel, "Пост", author=COMMUNITY)
    said = [twin.say("telegram", channel, f"ответ {n}", parent=post, author=n) for n in range(1, 8)]
    page = Selector(call.tme(f"/{channel}/1", embed="1", discussion="1", comments_limit="3").text)
    assert page.css(".tgme_post_discussion_header .js-header::text").get() == "7 comments"
    assert page.css(".tgme_widget_message_text::text").getall() == ["ответ 5", "ответ 6", "ответ 7"]
    peer, top = (page.css(f"input[name={n}]::attr(value)").get("") for n in ("peer", "top_msg_id"))
    assert peer.startswith("c")
    assert said[0].startswith(f"telegram:{peer.partition('_')[0]}/")
    ask = {
        "peer": peer,
        "top_msg_id": top,
        "before_id": page.css(".js-messages_more::attr(data-before)").get(""),
    }
    older = call.http.post(
        f"{call.settings['telegram_web_url']}/api/method", data={"method": "loadComments"} | ask
    ).json()
    assert Selector(older["comments_html"]).css(".tgme_widget_message_text::text").getall() == [
        "ответ 1", "ответ 2", "ответ 3", "ответ 4",
    ]  # fmt: skip


def test_the_widget_of_a_missing_post_and_of_a_closed_discussion(twin: Twin, call: Caller) -> None:
    twin.say("telegram", "plain", "Пост", author=COMMUNITY)
    missing = call.tme("/plain/99", embed="1", discussion="1").text
    closed = call.tme("/plain/1", embed="1", discussion="1").text
    assert "tgme_widget_message_error" in missing
    assert "Discussion is not available" in closed


# the Bot API ----------------------------------------------------------------------------------------------


def right(method: str, answer: dict[str, Any]) -> list[str]:
    assert answer["ok"] is True
    return telegram_faults(telegram_document()["methods"][method]["returns"], answer["result"])


def test_answers_are_as_the_bot_api_says(twin: Twin, call: Caller, channel: str) -> None:
    post = twin.say("telegram", channel, "Пост https://site.example", author=COMMUNITY, photos=[PNG])
    comment = twin.say("telegram", channel, "Вопрос", author="Олег Ткач", parent=post)
    twin.edit(comment, "Другой вопрос")
    twin.say("telegram", channel, "Ответ соседа", parent=comment)
    assert right("getMe", call.bot("getMe")) == []
    assert right("getChat", call.bot("getChat", chat_id="@rayon")) == []
    assert right("getChatMember", call.bot("getChatMember", chat_id="@rayon", user_id=7000000001)) == []
    assert right("getChatMemberCount", call.bot("getChatMemberCount", chat_id="@rayon")) == []
    assert right("sendMessage", call.bot("sendMessage", chat_id="@rayon", text="Текст")) == []
    assert right("getUpdates", call.bot("getUpdates")) == []


def test_a_post_of_the_bot_comes_back_as_an_automatic_forward(twin: Twin, call: Caller, channel: str) -> None:
    sent = call.bot("sendMessage", chat_id="@rayon", text="Воду дадут")["result"]
    (update,) = call.bot("getUpdates")["result"]
    message = update["message"]
    assert message["is_automatic_forward"] is True
    assert message["forward_origin"]["message_id"] == sent["message_id"]
    assert twin.posts("telegram", channel)[0].is_ours


def test_updates_are_confirmed_by_the_offset(twin: Twin, call: Caller, channel: str) -> None:
    post = twin.say("telegram", channel, "Пост", author=COMMUNITY)
    twin.say("telegram", channel, "Вопрос", parent=post)
    updates = call.bot("getUpdates")["result"]
    assert [next(iter(u.keys() - {"update_id"})) for u in updates] == ["channel_post", "message", "message"]
    assert call.bot("getUpdates", offset=updates[-1]["update_id"] + 1)["result"] == []
    assert call.bot("getUpdates")["result"] == []


def test_only_the_asked_kinds_of_updates_come(twin: Twin, call: Caller, channel: str) -> None:
    twin.say("telegram", channel, "Пост", author=COMMUNITY)
    updates = call.bot("getUpdates", allowed_updates=["channel_post"])["result"]
    assert ["channel_post" in update for update in updates] == [True]


def test_a_long_poll_brings_a_comment_and_yields_to_a_second_one(
    twin: Twin, call: Caller, channel: str
) -> None:
    post = twin.say("telegram", channel, "Пост", author=COMMUNITY)
    offset = call.bot("getUpdates")["result"][-1]["update_id"] + 1
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(call.bot, "getUpdates", offset=offset, timeout=4)
        time.sleep(0.2)
        second = pool.submit(call.bot, "getUpdates", offset=offset, timeout=4)
        time.sleep(0.2)
        twin.say("telegram", channel, "Вопрос", parent=post)
        assert first.result()["error_code"] == 409
        assert second.result()["result"][0]["message"]["text"] == "Вопрос"


def test_an_answer_in_the_group_stands_under_the_post(twin: Twin, call: Caller, channel: str) -> None:
    post = twin.say("telegram", channel, "Пост", author=COMMUNITY)
    comment = twin.say("telegram", channel, "Вопрос", parent=post)
    number = int(comment.rpartition("/")[2])
    sent = call.bot(
        "sendMessage", chat_id="@rayon_talk", text="Чиним", reply_parameters={"message_id": number}
    )
    assert right("sendMessage", sent) == []
    said = twin.posts("telegram", channel)[0].comments[-1]
    assert (said.text, said.reply_to, said.is_ours) == ("Чиним", comment, True)


def test_a_photo_is_sent_with_its_caption(twin: Twin, call: Caller, channel: str) -> None:
    url = f"{call.settings['telegram_api_url']}/bot{call.settings['telegram_bot_token']}/sendPhoto"
    sent = call.http.post(
        url, data={"chat_id": "@rayon", "caption": "Ёлка"}, files={"photo": ("a.png", PNG, "image/png")}
    )
    assert right("sendPhoto", sent.json()) == []
    assert twin.posts("telegram", channel)[0].photos == (PNG,)


@pytest.mark.parametrize(
    ("parameters", "code", "words"),
    [
        ({"chat_id": "@nobody", "text": "x"}, 400, "chat not found"),
        ({"chat_id": "@rayon", "text": " "}, 400, "text is empty"),
        ({"chat_id": "@rayon", "text": "😀" * 2049}, 400, "too long"),
        ({"chat_id": "@foreign", "text": "x"}, 403, "not a member"),
    ],
)
def test_a_wrong_message_is_refused(
    twin: Twin, call: Caller, channel: str, parameters: dict[str, str], code: int, words: str
) -> None:
    twin.community("telegram", "foreign", has_bot=False)
    answer = call.bot("sendMessage", **parameters)
    assert (answer["ok"], answer["error_code"]) == (False, code)
    assert words in answer["description"]


def test_a_wrong_token_is_unauthorized(call: Caller) -> None:
    answer = call.http.get(f"{call.settings['telegram_api_url']}/bot1:wrong/getMe")
    assert (answer.status_code, answer.json()["description"]) == (401, "Unauthorized")


def test_a_message_is_deleted_only_while_young(twin: Twin, call: Caller, channel: str) -> None:
    twin.say("telegram", channel, "старый", author=COMMUNITY, at=datetime.now(UTC) - timedelta(hours=49))
    twin.say("telegram", channel, "новый", author=COMMUNITY)
    assert call.bot("deleteMessage", chat_id="@rayon", message_id=1)["error_code"] == 400
    assert call.bot("deleteMessage", chat_id="@rayon", message_id=2)["result"] is True
    assert [post.text for post in twin.posts("telegram", channel)] == ["старый"]
