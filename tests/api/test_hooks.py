"""Events that networks bring: kept as the crawl keeps them, once, and from nobody else."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from api.app import create_app
from api.service import Service
from crawlers.webhooks import LEASE, callback_groups
from index.desk import open_desk
from index.domain.post import Network, Post, PostKind
from index.domain.source import Source
from index.errors import Misconfigured, Unavailable
from index.posts.query import Query
from index.settings import read_settings
from tests.factories import NOON

AT = int(NOON.timestamp())
WALL = {
    "id": 7,
    "owner_id": -123,
    "from_id": -123,
    "date": AT,
    "text": "Завтра отключат воду",
    "post_type": "post",
}
REPLY = {
    "id": 8,
    "from_id": 155500777,
    "date": AT + 9,
    "text": "А в Курлове?",
    "post_owner_id": -123,
    "post_id": 7,
}


def configured(service: Service, **more: Any) -> TestClient:
    settings = read_settings(
        {},
        data=service.settings.data,
        vk_callbacks="club123=c0nf1rm|tajna",
        max_webhook_secret="max-tajna",
        **more,
    )
    return TestClient(create_app(replace(service, settings=settings)), raise_server_exceptions=False)


@pytest.fixture
def hooks(service: Service) -> TestClient:
    return configured(service)


def vk(hooks: TestClient, kind: str, object: dict[str, Any] | None = None, **facts: Any) -> Response:
    body = {"type": kind, "group_id": 123, "event_id": f"{kind}-1", "v": "5.199", "secret": "tajna"}
    return hooks.post("/hooks/vk", json=body | ({"object": object} if object else {}) | facts)


def kept(service: Service) -> dict[str, Post]:
    service.posts.refresh()
    found = service.posts.find(Query(with_deleted=True), limit=100)
    return {record.post.id: record.post for record in found.records}


def test_vk_hears_the_confirmation_string_of_its_own_community_only(hooks: TestClient) -> None:
    asked = {"type": "confirmation", "group_id": 123}
    assert hooks.post("/hooks/vk", json=asked).text == "c0nf1rm"
    assert hooks.post("/hooks/vk", json=asked | {"group_id": 124}).status_code == 403
    assert hooks.post("/hooks/vk", json=asked | {"secret": "no"}).status_code == 403


def test_a_post_and_a_comment_of_an_own_page_are_kept_at_once(hooks: TestClient, service: Service) -> None:
    assert vk(hooks, "wall_post_new", WALL).text == "ok"
    assert vk(hooks, "wall_reply_new", REPLY).text == "ok"
    posts = kept(service)
    assert posts["vk:-123_7"].text == "Завтра отключат воду"
    comment = posts["vk:-123_7_r8"]
    assert (comment.kind, comment.parent_id) == (PostKind.COMMENT, "vk:-123_7")
    assert comment.source_id == "vk:club123"  # entered into the register: it is our own page
    assert "155500777" not in comment.author


def test_the_source_of_the_register_gives_its_title(hooks: TestClient, service: Service) -> None:
    source = Source(id="vk:club123", network=Network.VK, address="club123", title="Район", home="Курлово")
    service.desk.sources.add([source], actor="t", at=NOON)
    vk(hooks, "wall_post_new", WALL)
    post = kept(service)["vk:-123_7"]
    assert (post.source, post.source_home) == ("Район", "Курлово")


def test_an_event_that_comes_again_after_the_deletion_brings_nothing_back(
    hooks: TestClient, service: Service
) -> None:
    vk(hooks, "wall_post_new", WALL)
    vk(hooks, "wall_reply_new", REPLY)
    vk(hooks, "wall_reply_delete", {"id": 8, "owner_id": -123, "post_id": 7, "deleter_id": 155500777})
    assert kept(service)["vk:-123_7_r8"].is_deleted
    assert vk(hooks, "wall_reply_new", REPLY).text == "ok"
    assert kept(service)["vk:-123_7_r8"].is_deleted


def test_an_event_that_reaches_two_processes_is_taken_in_once(
    hooks: TestClient, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="crawlers.webhooks")
    elsewhere = open_desk("sqlite", service.settings.data)
    another = configured(replace(service, desk=elsewhere))
    assert vk(hooks, "wall_post_new", WALL).text == "ok"
    assert vk(another, "wall_post_new", WALL).text == "ok"
    assert vk(another, "wall_reply_new", REPLY).text == "ok"
    assert vk(hooks, "wall_reply_new", REPLY).text == "ok"
    taken = [record for record in caplog.records if record.__dict__.get("action") == "event_taken"]
    elsewhere.close()
    assert len(taken) == 2


def test_the_network_comes_again_with_an_event_that_another_process_is_storing(
    hooks: TestClient, service: Service
) -> None:
    event = {"source_id": "vk:club123", "event_id": "wall_post_new-1"}
    now = service.now()
    service.desk.events.take(**event, now=now, lease=LEASE)
    assert vk(hooks, "wall_post_new", WALL).status_code == 503
    assert kept(service) == {}
    service.desk.events.release(**event)  # what the other one does when it fails
    service.desk.events.take(**event, now=now - 2 * LEASE, lease=LEASE)  # and a killed one does not
    assert vk(hooks, "wall_post_new", WALL).text == "ok"
    assert set(kept(service)) == {"vk:-123_7"}


def test_an_event_whose_posts_could_not_be_stored_is_taken_in_when_it_comes_again(
    hooks: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(posts: object) -> None:
        raise Unavailable("База постов занята.")

    with monkeypatch.context() as patched:
        patched.setattr(service.posts, "add", down)
        assert vk(hooks, "wall_post_new", WALL).status_code == 503
    assert vk(hooks, "wall_post_new", WALL).text == "ok"
    assert set(kept(service)) == {"vk:-123_7"}


@pytest.mark.parametrize("secret", ["", "tajn", "тайна", None, 7, ["tajna"]])
def test_a_wrong_secret_is_refused_and_keeps_nothing(
    hooks: TestClient, service: Service, secret: object
) -> None:
    answer = vk(hooks, "wall_post_new", WALL, secret=secret)
    assert answer.status_code == 403
    assert "tajna" not in answer.text
    assert kept(service) == {}


def test_another_group_is_refused(hooks: TestClient, service: Service) -> None:
    for group in (124, "123", True, None):
        assert vk(hooks, "wall_post_new", WALL, group_id=group).status_code == 403
    assert kept(service) == {}


def test_bodies_over_the_limit_are_refused_also_when_they_name_no_length(hooks: TestClient) -> None:
    chunks = (b" " * 65_536 for _ in range(9))
    assert hooks.post("/hooks/vk", content=chunks).status_code == 413
    assert hooks.post("/hooks/max", content=b" " * 600_000).status_code == 413


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 5_000])
def test_what_is_no_event_is_refused(hooks: TestClient, body: bytes) -> None:
    assert hooks.post("/hooks/vk", content=body).status_code == 422


def test_a_broken_record_goes_to_the_quarantine_without_the_secret(
    hooks: TestClient, service: Service
) -> None:
    assert vk(hooks, "wall_post_new", WALL | {"date": "вчера"}).text == "ok"
    (record,) = service.desk.quarantine.list(limit=10)
    assert record.stage == "crawl:vk.event"
    assert "tajna" not in record.raw


def test_a_source_that_is_switched_off_stays_so(hooks: TestClient, service: Service) -> None:
    off = Source(id="vk:club123", network=Network.VK, address="club123", title="Р", is_enabled=False)
    service.desk.sources.add([off], actor="t", at=NOON)
    assert vk(hooks, "wall_post_new", WALL).text == "ok"
    assert kept(service) == {}


def test_max_brings_a_message_with_its_secret_in_the_header(hooks: TestClient, service: Service) -> None:
    chat = Source(id="max:-7000", network=Network.MAX, address="-7000", title="Район в MAX")
    service.desk.sources.add([chat], actor="t", at=NOON)
    update = {
        "update_type": "message_created", "timestamp": AT * 1000,
        "message": {
            "sender": {"user_id": 9, "is_bot": False}, "recipient": {"chat_id": -7000},
            "timestamp": AT * 1000, "body": {"mid": "mid.1", "seq": 1, "text": "Ремонт дороги"},
        },
    }  # fmt: skip
    assert hooks.post("/hooks/max", json=update).status_code == 403
    header = {"X-Max-Bot-Api-Secret": "max-tajna"}
    for _ in range(2):
        assert hooks.post("/hooks/max", json=update, headers=header).status_code == 200
    post = kept(service)["max:mid.1"]
    assert (post.text, post.source) == ("Ремонт дороги", "Район в MAX")
    assert service.desk.sources.health("max:updates").fresh_at == NOON


def test_hooks_are_off_until_configured(client: Any) -> None:
    for path in ("/hooks/vk", "/hooks/max"):
        assert client().post(path, json={}).status_code == 404


@pytest.mark.parametrize("value", ["club123=only", "club123=|t", "name=a|b"])
def test_a_half_configured_community_stops_the_start_and_is_named(value: str) -> None:
    with pytest.raises(Misconfigured, match=r"VK_CALLBACKS, (club123|name)") as error:
        callback_groups(read_settings({}, vk_callbacks=value))
    assert "only" not in str(error.value)


def test_no_secret_reaches_the_log(hooks: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vk(hooks, "wall_post_new", WALL)
    vk(hooks, "wall_reply_new", REPLY, secret="tajna2")
    assert "tajna" not in caplog.text
    assert "отключат" not in caplog.text
