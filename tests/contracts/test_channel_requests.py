"""Every request of our channels names only what the networks' own descriptions know: VK, Bot API, MAX."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

from api.practice.stand import Call
from api.practice.twin import COMMUNITY, Twin
from index.domain.page import Page, PageMode
from index.domain.post import Network
from index.domain.publication import Message
from index.errors import NeedsOperator
from index.settings import read_settings
from publisher.channels import channel_for
from tests.publisher.pictures import PNG
from tests.quotas import FreeQuotas
from tests.services import missing

SCHEMAS = Path(__file__).parents[3] / "shared" / "data" / "schemas"
HOUR = timedelta(hours=1)

#: what the VK schema of January 2025 leaves out and its documentation has
VK_OVERLAY = {"wall.get": {"owner_id": "integer"}}
#: calls that the MAX description of July 2026 has not yet: comments under channel posts
MAX_COMMENTS = "/messages/{mid}/comments"


class Media:
    def __init__(self) -> None:
        self.media = self
        self.quotas = FreeQuotas()

    def open(self, sha256: str) -> bytes:
        return PNG


def schema(*path: str) -> Path:
    found = SCHEMAS.joinpath(*path)
    if not found.exists():
        missing("API schemas", f"{found.name} of ../shared/data/schemas")
    return found


def everything_a_page_does(network: Network, address: str, **facts: Any) -> list[Call]:
    """All calls that one page makes in its life: check, texts, photos, answers, reconciliation, figures."""
    page = Page(id="p", network=network, address=address, title="К", mode=PageMode.LIVE, **facts)
    with Twin(limits=False) as twin:
        community = twin.community(network, address)
        if network is Network.TELEGRAM:
            group = twin.community(network, "talk", is_channel=False, number=77)
            community.discussion, group.channel = group, community
        channel = channel_for(page, read_settings({}, **twin.settings()), Media())
        channel.check(page)
        post = twin.say(network, address, "График", author=COMMUNITY)
        question = twin.say(network, address, "Когда тепло?", parent=post)
        with_photo = Message(text="Фото", photo="p")
        channel.send(page, with_photo, upload=channel.upload(page, "p"), key="k")
        receipt = channel.send(page, Message(text="Текст"), upload=None, key="k2")
        channel.comment(page, question, "Сегодня", key="k3")
        now = datetime.now(UTC)
        channel.find(page, Message(text="Текст"), since=now - HOUR, until=now + HOUR)
        try:
            channel.find(page, Message(text="Сегодня", reply_to=post), since=now - HOUR, until=now + HOUR)
        except NeedsOperator:
            assert network is Network.TELEGRAM
        channel.figures(page, [receipt.remote_id])
        channel.close()
        return twin.calls


def test_vk_knows_every_method_and_parameter():
    methods = {m["name"]: m for m in _vk_methods()}
    for call in everything_a_page_does(Network.VK, "club1"):
        if call.method == "upload":
            continue
        known = {p["name"]: p for p in methods[call.method]["parameters"]} if call.method in methods else {}
        assert call.method in methods, call.method
        known |= {name: {"type": kind} for name, kind in VK_OVERLAY.get(call.method, {}).items()}
        asked = {name: value for name, value in call.parameters.items() if name != "v"}
        assert set(asked) <= set(known), call.method
        assert {n for n, p in known.items() if p.get("required")} <= set(asked), call.method
        for name, value in asked.items():
            assert _fits(value, known[name]), (call.method, name, value)


def _vk_methods() -> Iterator[dict[str, Any]]:
    for section in ("wall", "photos", "groups"):
        for method in json.loads(schema("vk", section, "methods.json").read_text())["methods"]:
            yield {"parameters": [], **method}


def _fits(value: str, parameter: dict[str, Any]) -> bool:
    match parameter.get("type"):
        case "integer":
            number = int(value)
            return parameter.get("minimum", number) <= number <= parameter.get("maximum", number)
        case "boolean":
            return value in ("0", "1")
        case _:
            return isinstance(value, str)


def test_telegram_knows_every_method_and_parameter():
    methods = json.loads(schema("telegram", "api.json").read_text())["methods"]
    seen = set()
    for call in everything_a_page_does(Network.TELEGRAM, "@kurlovo_adm", discussion="-10077"):
        if call.method.startswith("/"):  # the open pages of t.me
            continue
        assert call.method in methods, call.method
        fields = {field["name"]: field for field in methods[call.method].get("fields", [])}
        asked = set(call.parameters) | ({"photo"} if call.method == "sendPhoto" else set())
        assert asked <= set(fields), call.method
        assert {name for name, field in fields.items() if field["required"]} <= asked, call.method
        seen.add(call.method)
    assert {"sendMessage", "sendPhoto", "getMe", "getChat", "getChatMember"} <= seen


def test_max_knows_every_path_parameter_and_body():
    described = yaml.safe_load(schema("max", "schema_2026_07_01.yaml").read_text())
    body = Draft7Validator(_plain(described["components"]["schemas"]["NewMessageBody"]))
    seen = set()
    for call in everything_a_page_does(Network.MAX, "-7000"):
        verb, _, path = call.method.partition(" ")
        if path == MAX_COMMENTS or not path.startswith("/"):  # the upload goes to an address of its own
            continue
        path = path.replace("{chat}", "{chatId}").replace("{mid}", "{messageId}")
        operation = described["paths"][path][verb.lower()]
        in_query = {p["name"] for p in operation.get("parameters", ()) if p.get("in") == "query"}
        in_path = set(re.findall(r"{(\w+)}", call.method))
        sent = {name: value for name, value in call.parameters.items() if name not in in_path}
        in_body = {name: sent.pop(name) for name in list(sent) if name not in in_query}
        if (verb, path) == ("POST", "/messages"):
            body.validate(in_body)
        else:
            assert in_body == {}, call.method
        seen.add(f"{verb} {path}")
    assert {
        "POST /messages",
        "GET /messages",
        "POST /uploads",
        "GET /me",
        "GET /chats/{chatId}/members/me",
    } <= seen


def _plain(described: dict[str, Any]) -> dict[str, Any]:
    """NewMessageBody as a JSON schema: `nullable` becomes a type, and no other field passes."""
    properties = {}
    for name, facts in described["properties"].items():
        kept = {key: facts[key] for key in ("type", "maxLength") if key in facts}
        if facts.get("nullable") and "type" in kept:
            kept["type"] = [kept["type"], "null"]
        properties[name] = kept
    return {
        "type": "object",
        "properties": properties,
        "required": described["required"],
        "additionalProperties": False,
    }


def test_odnoklassniki_is_asked_with_post_and_signed_and_its_album_method_is_never_called():
    calls = everything_a_page_does(Network.OK, "70000001234567")
    assert not any(call.refused for call in calls)  # the twin refuses a wrong signature
    assert "photosV2.commit" not in {call.method for call in calls}
    post = next(call for call in calls if call.method == "mediatopic.post")
    assert post.parameters["type"] == "GROUP_THEME"
    attachment = json.loads(post.parameters["attachment"])
    assert attachment["onBehalfOfGroup"] == "true"
    assert [m["type"] for m in attachment["media"]] == ["text", "photo"]
