"""The networks' own descriptions of their answers as strategies: what follows the schema must be read.

The VK files are not valid draft-07 as they stand: `required: true` stands inside properties, `$ref` crosses
files. Only what the page objects read is followed; references go as deep as DEPTH.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "schemas"
DEPTH = 4  # nested references; deeper ones are left out when they are optional

Json = st.SearchStrategy[Any]

TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "Нет воды на Калинина, 5",
            "[id1|Анна], да",
            "&quot;яма&quot;<br>8-910-123-45-67",
            "@anna",
            "👨‍👩‍👧",
            "",
        ]
    ),
)
NUMBERS = st.one_of(st.integers(0, 2**31), st.integers(2**31, 2**53), st.integers(-(2**40), -1))
TIMES = st.integers(1_100_000_000, 2_000_000_000)


def some_of(required: dict[str, Json], optional: dict[str, Json]) -> Json:
    """Records with all required fields and up to six of the optional ones: enough to meet, quick to make."""
    if not optional:
        return st.fixed_dictionaries(required)
    chosen = st.lists(st.sampled_from(sorted(optional)), max_size=6, unique=True)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries(required | {name: optional[name] for name in names})
    )


def is_there() -> bool:
    return (FOLDER / "vk" / "wall" / "responses.json").is_file()


# ── VK ──────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def vk_file(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "vk" / name).read_text(encoding="utf-8"))
    return found


def vk_answer(method: str) -> Json:
    """Answers of one method: `vk_answer("wall_get_response")` of wall/responses.json."""
    section = method.partition("_")[0]
    return vk_strategy({"$ref": f"../{section}/responses.json#/definitions/{method}"})


def vk_object(section: str, name: str) -> Json:
    return vk_strategy({"$ref": f"../{section}/objects.json#/definitions/{name}"})


def vk_strategy(schema: dict[str, Any], depth: int = 0) -> Json:
    schema = vk_resolved(schema)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "oneOf" in schema:
        return st.one_of([vk_strategy(one, depth + 1) for one in schema["oneOf"]])
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        return st.one_of([vk_strategy({**schema, "type": one}, depth) for one in kind])
    match kind:
        case "integer":
            return NUMBERS if "minimum" not in schema else st.integers(max(schema["minimum"], 0), 2**53)
        case "number":
            return st.floats(-1e6, 1e6)
        case "boolean":
            return st.booleans()
        case "string":
            return TEXTS
        case "array":
            items = vk_strategy(schema.get("items", {"type": "string"}), depth + 1)
            return st.lists(items, max_size=2 if depth > 2 else 3)
    return vk_record(vk_properties(schema), depth)


def vk_record(properties: dict[str, dict[str, Any]], depth: int) -> Json:
    required, optional = {}, {}
    for name, schema in properties.items():
        if schema.get("required") is True:
            required[name] = named(name, schema, depth)
        elif depth < DEPTH:
            optional[name] = named(name, schema, depth)
    return some_of(required, optional)


def named(name: str, schema: dict[str, Any], depth: int) -> Json:
    """Times are times: the schema only says «integer»."""
    if name in ("date", "created", "edited", "updated"):
        return TIMES
    if depth >= DEPTH and schema.get("type") == "array":
        return st.just([])
    return st.deferred(lambda: vk_strategy(schema, depth + 1))


def vk_resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        path, _, pointer = schema["$ref"].partition("#")
        found: dict[str, Any] = vk_file(path.removeprefix("../"))
        for part in pointer.strip("/").split("/"):
            found = found[part]
        schema = found
    return schema


def vk_properties(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    schema = vk_resolved(schema)
    found = {name: part for name, part in schema.get("properties", {}).items() if isinstance(part, dict)}
    for part in schema.get("allOf", ()):
        found |= vk_properties(part)
    return found


# ── Telegram Bot API ────────────────────────────────────────────────────────────────────────────────────────


@cache
def telegram_types() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "telegram" / "api.json").read_text(encoding="utf-8"))
    return dict(found["types"])


def telegram(name: str, depth: int = 0) -> Json:
    if name.startswith("Array of "):
        return st.lists(telegram(name.removeprefix("Array of "), depth + 1), max_size=2)
    simple = {"Integer": NUMBERS, "String": TEXTS, "Boolean": st.booleans(), "Float": st.floats(-90, 90)}
    if name in simple:
        return simple[name]
    about = telegram_types()[name]
    if about.get("subtypes"):
        return st.one_of([st.deferred(lambda one=one: telegram(one, depth + 1)) for one in about["subtypes"]])
    required, optional = {}, {}
    for field in about.get("fields", ()):
        value = telegram_field(field, depth)
        if field["required"]:
            required[field["name"]] = value
        elif depth < 2:
            optional[field["name"]] = value
    return some_of(required, optional)


def telegram_field(field: dict[str, Any], depth: int) -> Json:
    if field["name"] in ("date", "edit_date"):
        return TIMES
    if field["name"] == "type" and field["types"] == ["String"] and "must be" not in field["description"]:
        return st.sampled_from(["private", "group", "supergroup", "channel", "text_mention", "url", "other"])
    return st.one_of([st.deferred(lambda one=one: telegram(one, depth + 1)) for one in field["types"]])


# ── MAX ─────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def max_schemas() -> dict[str, Any]:
    text = (FOLDER / "max" / "schema_2026_07_01.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return dict(found["components"]["schemas"])


def max_object(name: str, depth: int = 0) -> Json:
    return max_strategy(max_schemas()[name], depth)


def max_strategy(schema: dict[str, Any], depth: int) -> Json:
    if schema.get("nullable") and depth > 0:
        return st.one_of(st.none(), max_strategy({**schema, "nullable": False}, depth))
    if "$ref" in schema:
        return max_object(schema["$ref"].rpartition("/")[2], depth)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "integer":
            return NUMBERS
        case "number":
            return st.floats(-90, 90)
        case "boolean":
            return st.booleans()
        case "string":
            return TEXTS
        case "array":
            return st.lists(st.deferred(lambda: max_strategy(schema["items"], depth + 1)), max_size=3)
    properties, required = max_properties(schema)
    fixed, optional = {}, {}
    for key, part in properties.items():
        if key in required:
            fixed[key] = max_named(key, part, depth)
        elif depth < DEPTH:
            optional[key] = max_named(key, part, depth)
    return some_of(fixed, optional)


def max_named(name: str, schema: dict[str, Any], depth: int) -> Json:
    if name == "timestamp":
        return TIMES.map(lambda seconds: seconds * 1000)
    if name in ("mid", "message_id"):
        return st.text("0123456789abcdef", min_size=8, max_size=16).map(lambda text: f"mid.{text}")
    if name == "type" and schema == {"type": "string"}:
        kinds = "image video audio file sticker contact share location user_mention link"
        return st.sampled_from(kinds.split())
    if name == "chat_type":
        return st.sampled_from(["chat", "channel"])
    if name == "chat_id":
        return NUMBERS  # nullable in the schema, but never for a chat
    return st.deferred(lambda: max_strategy(schema, depth + 1))


def max_properties(schema: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    if "$ref" in schema:
        schema = max_schemas()[schema["$ref"].rpartition("/")[2]]
    properties, required = dict(schema.get("properties", {})), set(schema.get("required", ()))
    for part in schema.get("allOf", ()):
        more, needed = max_properties(part)
        properties, required = properties | more, required | needed
    return properties, required & properties.keys()
