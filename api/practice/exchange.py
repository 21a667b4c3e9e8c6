"""One request to a practice network and the answer to it, before either touches a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from index.domain.post import Network


@dataclass(slots=True, kw_only=True)
class Exchange:
    """What a network's module needs to know of a request."""

    network: Network
    method: str
    at: datetime
    verb: str
    path: str
    parameters: dict[str, str]  #: query and form together; the form wins
    headers: Mapping[str, str]
    token: str = ""
    body: Any = None  #: JSON body, where one came
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)  #: name → content, mime


@dataclass(slots=True, kw_only=True)
class Reply:
    """An answer: bytes and headers; faults reshape it on its way out."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The network says no: its own error code; `more` are the rarer fields of its error body."""

    def __init__(self, code: int | str, message: str, *, status: int = 200, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.more = more


def json_reply(content: Any, *, status: int = 200) -> Reply:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(body=body, status=status, headers={"content-type": "application/json; charset=utf-8"})


def html_reply(page: str, *, status: int = 200) -> Reply:
    return Reply(body=page.encode(), status=status, headers={"content-type": "text/html; charset=utf-8"})


async def read_request(request: Request) -> tuple[dict[str, str], Any, dict[str, tuple[bytes, str]]]:
    """Parameters of the query and the form, the JSON body, the uploaded files."""
    parameters = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        content = await request.body()
        return parameters, _as_json(content), {}
    files: dict[str, tuple[bytes, str]] = {}
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        async with request.form(max_part_size=60 * 1024 * 1024) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files[name] = (await value.read(), value.content_type or "application/octet-stream")
                else:
                    parameters[name] = value
    return parameters, None, files


def _as_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None  # the network's module answers "bad body" in its own words
