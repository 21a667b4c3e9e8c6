"""Callers of the twins for the tests: signed, with the stand's invented tokens, over real sockets."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2

from api.practice import ok
from api.practice.twin import Twin
from api.practice.vk import USER_TOKEN

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class Caller:
    """Calls one twin."""

    def __init__(self, twin: Twin, http: httpx2.Client) -> None:
        self.twin = twin
        self.settings = twin.settings()
        self.http = http

    def vk(self, method: str, *, token: str = USER_TOKEN, **parameters: Any) -> Any:
        answer = self.http.post(
            f"{self.settings['vk_api_url']}/method/{method}",
            data={"v": "5.199"} | parameters,
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        return answer.json()

    def ok(self, method: str, **parameters: str) -> Any:
        form = {"method": method, "application_key": ok.APPLICATION_KEY, "format": "json", **parameters}
        form |= {"sig": ok.signature(form), "access_token": ok.ACCESS_TOKEN}
        return self.http.post(f"{self.settings['ok_api_url']}/fb.do", data=form).json()

    def ok_post(self, gid: str, *blocks: dict[str, Any]) -> Any:
        attachment = json.dumps({"media": blocks, "onBehalfOfGroup": "true"})
        return self.ok("mediatopic.post", type="GROUP_THEME", gid=gid, attachment=attachment)

    def bot(self, method: str, **parameters: Any) -> Any:
        base = f"{self.settings['telegram_api_url']}/bot{self.settings['telegram_bot_token']}"
        return self.http.post(f"{base}/{method}", json=parameters).json()

    def max(self, verb: str, path: str, body: Any = None, **parameters: Any) -> httpx2.Response:
        return self.http.request(
            verb, f"{self.settings['max_api_url']}{path}", params=parameters, json=body,
            headers={"Authorization": self.settings["max_token"]},
        )  # fmt: skip

    def tme(self, path: str, **parameters: Any) -> httpx2.Response:
        return self.http.get(f"{self.settings['telegram_web_url']}{path}", params=parameters)
