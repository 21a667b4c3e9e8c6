"""Official descriptions of the networks' APIs as JSON Schema, read from ../shared/data/schemas."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

from tests.services import missing

SHARED = Path(__file__).parents[4] / "shared" / "data"
#: What VK takes and vk.md lists, though this edition of the schema forgets it.
LEFT_OUT = {"wall.get": {"owner_id"}, "wall.search": {"owner_id"}}
DROPPED = ("entity", "enumNames", "discriminator", "nullable", "format", "example")


def found(path: str) -> Path:
    file = SHARED / path
    if not file.exists():
        missing(f"the API description {path}", "it is kept beside the repository, in ../shared/data")
    return file


# VK: own dialect, see vk.md section 7 ---------------------------------------------------------------------


@cache
def vk_file(path: str) -> Any:
    return json.loads(found(f"schemas/vk/{path}").read_text(encoding="utf-8"))


@cache
def vk_method(name: str) -> dict[str, Any]:
    methods = vk_file(f"{name.partition('.')[0]}/methods.json")["methods"]
    return next(method for method in methods if method["name"] == name)


def vk_faults(name: str, answer: Any, *, extended: bool = False) -> list[str]:
    """What in the answer of a method is not as VK's schema says; several answers fit some methods."""
    responses = vk_method(name)["responses"]
    chosen = responses.get("extendedResponse") if extended else responses.get("response")
    schema = _vk_inlined(
        chosen or next(iter(responses.values())), f"{name.partition('.')[0]}/methods.json", ()
    )
    return faults(schema, answer)


def vk_unknown_parameters(name: str, parameters: dict[str, Any]) -> set[str]:
    """Parameters of a request that the schema does not name; `v` and the token belong to every call."""
    known = {parameter["name"] for parameter in vk_method(name).get("parameters", [])}
    known |= LEFT_OUT.get(name, set())
    return set(parameters) - known - {"v", "access_token", "lang", "captcha_sid", "captcha_key"}


def _vk_inlined(schema: Any, base: str, seen: tuple[str, ...]) -> Any:
    """References replaced by what they name, `required: true` lifted to the parent; a cycle is anything."""
    if isinstance(schema, list):
        return [_vk_inlined(part, base, seen) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        file, _, pointer = schema["$ref"].partition("#")
        target = file.removeprefix("../") or base
        name = f"{target}#{pointer}"
        if name in seen:
            return {}
        value = vk_file(target)
        for step in pointer.strip("/").split("/"):
            value = value[step]
        return _vk_inlined(value, target, (*seen, name))
    plain = {
        k: v for k, v in schema.items() if k not in DROPPED and not (k == "required" and isinstance(v, bool))
    }
    inlined = {k: _vk_inlined(v, base, seen) for k, v in plain.items()}
    properties = schema.get("properties")
    if isinstance(properties, dict):
        wanted = [
            name
            for name, part in properties.items()
            if isinstance(part, dict) and part.get("required") is True
        ]
        inlined["required"] = sorted(
            {*wanted, *(schema["required"] if isinstance(schema.get("required"), list) else [])}
        )
    return inlined


# MAX: OpenAPI 3 -------------------------------------------------------------------------------------------


@cache
def max_document() -> dict[str, Any]:
    text = found("schemas/max/schema_2026_07_01.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.CSafeLoader)


def max_faults(name: str, answer: Any) -> list[str]:
    """What in an answer is not as the schema of that name says."""
    return faults(_max_inlined({"$ref": f"#/components/schemas/{name}"}, ()), answer)


def _max_inlined(schema: Any, seen: tuple[str, ...]) -> Any:
    if isinstance(schema, list):
        return [_max_inlined(part, seen) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"]
        if name in seen:
            return {}
        value: Any = max_document()
        for step in name.removeprefix("#/").split("/"):
            value = value[step]
        return _max_inlined(value, (*seen, name))
    # `enum: [chat]` of ChatType forgets channels and dialogs, which the texts of the same file name
    plain = {
        k: v for k, v in schema.items() if k not in DROPPED and not (k == "required" and isinstance(v, bool))
    }
    if plain.get("enum") == ["chat"]:
        plain["enum"] = ["chat", "channel", "dialog"]
    inlined = {k: _max_inlined(v, seen) for k, v in plain.items()}
    if isinstance(inlined.get("properties"), dict) and "required" in inlined:
        # MessageBody asks for a `link` it does not describe: that one stands in Message
        inlined["required"] = [name for name in inlined["required"] if name in inlined["properties"]]
    if schema.get("nullable"):
        return {"anyOf": [{"type": "null"}, inlined]}
    return inlined


# Telegram: a list of types --------------------------------------------------------------------------------


@cache
def telegram_document() -> dict[str, Any]:
    return json.loads(found("schemas/telegram/api.json").read_text(encoding="utf-8"))


def telegram_faults(kinds: list[str], value: Any, place: str = "result") -> list[str]:
    """What is not as the Bot API says: a missing field, an unknown field, a wrong type."""
    problems = [_telegram_kind(kind, value, place) for kind in kinds]
    return min(problems, key=len)


def _telegram_kind(kind: str, value: Any, place: str) -> list[str]:
    plain = {"Integer": int, "String": str, "Boolean": bool, "True": bool, "Float": float}
    if kind.startswith("Array of "):
        if not isinstance(value, list):
            return [f"{place} is not a list"]
        return [p for i, item in enumerate(value) for p in _telegram_kind(kind[9:], item, f"{place}[{i}]")]
    if kind in plain:
        right = isinstance(value, plain[kind]) and not (kind == "Integer" and isinstance(value, bool))
        return [] if right else [f"{place} is not {kind}"]
    described = telegram_document()["types"][kind]
    if described.get("subtypes"):
        return telegram_faults(described["subtypes"], value, place)
    return _telegram_fields(described.get("fields", []), value, place)


def _telegram_fields(fields: list[dict[str, Any]], value: Any, place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place} is not an object"]
    known = {field["name"]: field for field in fields}
    problems = [f"{place}.{name} is unknown" for name in value if name not in known]
    problems += [
        f"{place}.{name} is missing" for name, f in known.items() if f["required"] and name not in value
    ]
    for name in value.keys() & known.keys():
        problems += telegram_faults(known[name]["types"], value[name], f"{place}.{name}")
    return problems


def faults(schema: Any, answer: Any) -> list[str]:
    return [
        f"{error.json_path}: {error.message[:120]}" for error in Draft7Validator(schema).iter_errors(answer)
    ]
