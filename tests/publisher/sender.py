"""A real process that publishes, for the tests that kill it; it may be told the exact point of its death."""

from __future__ import annotations

import functools
import os
import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from index.desk import open_desk
from index.settings import read_settings
from publisher.channels import Channels
from publisher.outbox import Outbox

#: every step of a delivery, in order: the process dies just before or just after it
POINTS = [
    f"{when} {step}"
    for step in ("claim_due", "upload", "keep_upload", "begin_sending", "send", "record_published")
    for when in ("before", "after")
]


def publish(desk_url: str, data: Path, settings: dict[str, str], now: datetime, die: str = "") -> None:
    """One turn of the outbox; with `die` ("after send") the process kills itself there, as kill -9 would."""
    desk = open_desk(desk_url, data)
    channels = Channels(read_settings({}, **settings | {"limits": "vk=1000/s"}, data=data), desk)
    when, _, step = die.partition(" ")
    if hasattr(desk.deliveries, step):
        _lay(desk.deliveries, step, when)

    def mined(page: Any) -> Any:
        channel = channels(page)
        channel.pace = timedelta(0)
        if step in ("upload", "send"):
            _lay(channel, step, when)
        return channel

    outbox = Outbox(desk, mined, patience=timedelta(seconds=60))
    outbox.run(now)
    outbox.close()
    channels.close()
    desk.close()


def _lay(owner: Any, name: str, when: str) -> None:
    """Die before or after the method does its work."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def mine(*args: Any, **facts: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = method(*args, **facts)
        os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, mine)
