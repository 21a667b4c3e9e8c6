"""The whole service in its own process, as a person starts it, against twins that the test speaks to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page

from api.practice.scenario import build_places
from api.practice.setup import PRACTICE_PEOPLE, prepare
from api.practice.twin import Twin
from index.desk import open_desk
from tests.services import free_port, wait_until

START_SECONDS = 60.0  # on a loaded machine; alone it takes a few


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A running `mcu up` and the networks it watches."""

    url: str
    twin: Twin
    data: Path
    log: Path


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    data = tmp_path_factory.mktemp("stand")
    with Twin() as twin:
        build_places(twin)
        desk = open_desk("sqlite", data)
        prepare(desk, twin, datetime.now(UTC))
        desk.close()
        port, log = free_port(), data / "mcu.log"
        process = start_up(data, twin, port, log)
        try:
            yield Stand(url=f"http://127.0.0.1:{port}", twin=twin, data=data, log=log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def start_up(data: Path, twin: Twin, port: int, log: Path) -> subprocess.Popen[bytes]:
    """`mcu up` on the twin; returns when the console answers."""
    settings = {f"MCU_{name.upper()}": str(value) for name, value in twin.settings().items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MCU_")}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "up", "--port", str(port)],
            env={**clean, **settings, "MCU_DATA": str(data)},
            stdout=out,
            stderr=out,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text(encoding="utf-8")[-4000:]
        try:
            return httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code == 200
        except httpx2.TransportError:
            return False

    wait_until(answers, seconds=START_SECONDS, what="the console")
    return process


@pytest.fixture
def enter(stand: Stand, page: Page) -> Callable[[str], Page]:
    """`enter("incident")`: the page of a person of the practice stand, logged in through the form."""
    passwords = {person.login: password for person, password in PRACTICE_PEOPLE}

    def log_in(login: str) -> Page:
        page.context.clear_cookies()
        page.goto(f"{stand.url}/login")
        page.fill("#login", login)
        page.fill("#password", passwords[login])
        page.click("form.card button")
        page.wait_for_url("**/alerts*")
        return page

    return log_in
