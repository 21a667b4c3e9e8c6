"""The whole process: how soon `mcu up` answers, how much memory it holds, how fresh the screen is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx2
import psutil

from api.practice.limits import PRACTICE
from api.practice.scenario import build_places
from api.practice.setup import prepare
from api.practice.twin import Twin
from index.desk import open_desk
from index.posts import open_posts
from index.posts.query import PostState
from tests.services import free_port, wait_until

COMMAND = "python -m tests.load start"
GROUP = "club99000004"
POSTS = 20  # said one after another, each waited for
LOAD = 300  # posts said at once before the memory is read


def run() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as folder, Twin(limits=PRACTICE) as twin:
        data = Path(folder)
        build_places(twin)
        desk = open_desk("sqlite", data)
        prepare(desk, twin, datetime.now(UTC))
        desk.close()
        port = free_port()
        started = time.monotonic()
        process = _start(data, twin, port)
        try:
            wait_until(lambda: _answers(port), seconds=120, what="the console")
            answered = time.monotonic() - started
            freshness = _freshness(data, twin)
            for number in range(LOAD):
                twin.say("vk", GROUP, f"Сообщение {number}: в Анопино не чистят дорогу у школы")
            time.sleep(30)
            memory = psutil.Process(process.pid).memory_info().rss / 2**20
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    return [
        ("консоль отвечает после `mcu up`", f"{answered:.1f} с", COMMAND),
        (
            f"пост разобран и на экране, {POSTS} постов по одному",
            f"медиана {median(freshness):.1f} с, худший {max(freshness):.1f} с",
            COMMAND,
        ),
        ("память всего процесса под потоком постов", f"{memory:.0f} МБ", COMMAND),
    ]


def _start(data: Path, twin: Twin, port: int) -> subprocess.Popen[bytes]:
    settings = {f"MCU_{name.upper()}": str(value) for name, value in twin.settings().items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MCU_")}
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", "up", "--port", str(port)],
        env={**clean, **settings, "MCU_DATA": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code == 200
    except httpx2.TransportError:
        return False


def _freshness(data: Path, twin: Twin) -> list[float]:
    """Seconds from standing on the twin to standing in the index as watched, read by another process."""
    posts = open_posts("sqlite", data)
    try:
        return [_until_watched(posts, twin, number) for number in range(POSTS)]
    finally:
        posts.close()


def _until_watched(posts: object, twin: Twin, number: int) -> float:
    post_id = twin.say("vk", GROUP, f"Номер {number}: в Анопино с утра нет воды на Заводской")
    began = time.monotonic()

    def is_watched() -> bool:
        record = posts.get_many([post_id]).get(post_id)  # type: ignore[attr-defined]
        return record is not None and record.state is PostState.WATCHED

    wait_until(is_watched, seconds=60, what=f"post {post_id}")
    return time.monotonic() - began
