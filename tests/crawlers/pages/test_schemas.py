"""What follows the networks' own schemas is read whole: a well-formed record becomes a post."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawlers.pages import max as max_pages
from crawlers.pages import telegram, vk
from crawlers.pages.base import Community, Parsed
from tests.crawlers.pages import schemas
from tests.crawlers.pages.cases import CONTEXT
from tests.crawlers.pages.test_saved_answers import is_fit
from tests.services import missing

SLOW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(autouse=True)
def _schemas_are_there() -> None:
    if not schemas.is_there():
        missing(
            "the schemas of the networks", "they are kept beside the repository, in ../shared/data/schemas"
        )


def lazily(make: Any) -> st.SearchStrategy[Any]:
    return st.deferred(make)


def items_of(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    response = answer["response"]
    yield from response.get("items", ()) if isinstance(response, dict) else response


def fit(parsed: Parsed) -> None:
    for post in parsed.posts:
        is_fit(post)
    for one in parsed.broken:
        one.raw.encode()


@SLOW
@given(
    lazily(
        lambda: st.one_of(
            [
                schemas.vk_answer(f"{name}{extended}_response")
                for name in ("wall_get", "wall_getById", "wall_search", "newsfeed_search")
                for extended in ("", "_extended")
            ]
        )
    )
)
def test_walls_and_searches_of_vk(answer: dict[str, Any]) -> None:
    parsed = vk.wall(answer, CONTEXT)
    fit(parsed)
    listed = list(items_of(answer))
    formed = [item for item in listed if {"id", "owner_id", "date"} <= item.keys()]
    assert len(parsed.broken) <= len(listed) - len(formed)
    read = {one.id for one in parsed.posts} | set(parsed.gone)
    left_out = [
        item for item in formed if item.get("post_type") == "postpone" or item.get("type") in vk.NOT_POSTS
    ]
    for item in formed:
        if item in left_out:
            continue
        own = f"vk:{item['owner_id']}_{item['id']}"
        reply = f"vk:{item['owner_id']}_{item.get('post_id')}_r{item['id']}"
        assert own in read or reply in read


@SLOW
@given(
    lazily(
        lambda: st.one_of(
            [
                schemas.vk_answer(f"wall_get{name}_response")
                for name in ("Comments", "Comments_extended", "Comment")
            ]
        )
    )
)
def test_comments_of_vk(answer: dict[str, Any]) -> None:
    parsed = vk.comments(answer, CONTEXT, post_id="vk:-1_2")
    fit(parsed)
    assert not parsed.broken
    assert len({*(one.id for one in parsed.posts), *parsed.gone}) >= len(
        {item["id"] for item in items_of(answer)}
    )


@SLOW
@given(lazily(lambda: schemas.vk_answer("board_getTopics_extended_response")))
def test_boards_of_vk(answer: dict[str, Any]) -> None:
    fit(vk.topics(answer, CONTEXT, group=1))


@SLOW
@given(lazily(lambda: schemas.vk_answer("video_get_response")))
def test_videos_of_vk(answer: dict[str, Any]) -> None:
    fit(vk.videos(answer, CONTEXT))


@SLOW
@given(lazily(lambda: schemas.vk_answer("photos_getAllComments_response")))
def test_comments_of_photos_of_vk(answer: dict[str, Any]) -> None:
    fit(vk.photo_comments(answer, CONTEXT, owner=-1))


@SLOW
@given(lazily(lambda: schemas.vk_answer("board_getComments_response")))
def test_board_comments_of_vk(answer: dict[str, Any]) -> None:
    parsed = vk.topic_comments(answer, CONTEXT, topic_id="vk:topic-1_5")
    fit(parsed)
    assert not parsed.broken


@SLOW
@given(
    st.data(),
    st.sampled_from(
        [
            ("wall_post_new", "wall", "wall_wallpost"),
            ("wall_repost", "wall", "wall_wallpost_full"),
            ("wall_reply_new", "wall", "wall_wall_comment"),
            ("wall_reply_edit", "wall", "wall_wall_comment"),
            ("wall_reply_delete", "callback", "callback_wall_comment_delete"),
            ("board_post_new", "board", "board_topic_comment"),
            ("board_post_delete", "callback", "callback_board_post_delete"),
            ("photo_comment_new", "callback", "callback_photo_comment"),
            ("video_comment_new", "callback", "callback_video_comment"),
            ("market_comment_new", "callback", "callback_market_comment"),
            ("group_join", "callback", "callback_group_join"),
        ]
    ),
)
def test_events_of_vk(data: st.DataObject, event: tuple[str, str, str]) -> None:
    name, section, kind = event
    about = data.draw(schemas.vk_object(section, kind))
    fit(vk.event({"type": name, "object": about, "group_id": 77, "event_id": "a", "v": "5.199"}, CONTEXT))


@SLOW
@given(lazily(lambda: schemas.vk_answer("groups_getById_object_response")))
def test_communities_of_vk(answer: dict[str, Any]) -> None:
    if "groups" in answer["response"]:
        found = vk.communities(answer, now=CONTEXT.fetched_at)
        assert all(isinstance(one, Community) for one in found)
        assert len(found) == len([one for one in answer["response"]["groups"] if "id" in one])


@SLOW
@given(
    lazily(lambda: schemas.telegram("Message")),
    st.sampled_from(["channel_post", "message", "edited_message"]),
)
def test_messages_of_telegram(message: dict[str, Any], kind: str) -> None:
    parsed = telegram.update({"update_id": 1, kind: message}, CONTEXT, roots={})
    fit(parsed)
    assert len(parsed.posts) + len(parsed.broken) + parsed.left_out == 1


@SLOW
@given(lazily(lambda: schemas.telegram("Message")))
def test_every_written_message_of_a_channel_is_a_post(message: dict[str, Any]) -> None:
    channel = {"id": -1001591537674, "type": "channel", "title": "Канал"}
    written = {**message, "chat": channel, "text": "яма", "message_id": 5}
    written.pop("forward_origin", None)
    parsed = telegram.update({"update_id": 1, "channel_post": written}, CONTEXT, roots={})
    assert [post.id for post in parsed.posts] == ["telegram:c1591537674/5"]


@SLOW
@given(lazily(lambda: schemas.telegram("Update")))
def test_updates_of_telegram(update: dict[str, Any]) -> None:
    parsed = telegram.updates({"ok": True, "result": [update]}, CONTEXT, roots={})
    fit(parsed)
    assert parsed.next == str(update["update_id"] + 1)


@SLOW
@given(lazily(lambda: schemas.max_object("MessageList")))
def test_messages_of_max(answer: dict[str, Any]) -> None:
    parsed = max_pages.messages(answer, CONTEXT)
    fit(parsed)
    assert not parsed.broken
    assert {post.id for post in parsed.posts} == {f"max:{one['body']['mid']}" for one in answer["messages"]}


@SLOW
@given(
    lazily(
        lambda: st.one_of(
            [
                schemas.max_object(f"{name}Update").map(lambda one, kind=kind: {**one, "update_type": kind})
                for name, kind in (
                    ("MessageCreated", "message_created"),
                    ("MessageEdited", "message_edited"),
                    ("MessageRemoved", "message_removed"),
                    ("BotAddedToChat", "bot_added"),
                    ("ChatTitleChanged", "chat_title_changed"),
                    ("UserAddedToChat", "user_added"),
                )
            ]
        )
    )
)
def test_updates_of_max(update: dict[str, Any]) -> None:
    parsed = max_pages.updates({"updates": [update], "marker": 5}, CONTEXT)
    fit(parsed)
    assert not parsed.broken
