"""Real services for the tests: each module starts one on a free port in a temporary folder and stops it.

On a user's machine a test whose service is missing is skipped by name; in CI it fails.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import NoReturn

import pytest


def missing(service: str, remedy: str) -> NoReturn:
    """Skip the test, naming the service; with CI set, fail: there nothing may be skipped."""
    message = f"{service} is missing: {remedy}"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(is_ready: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll ten times a second. Raises TimeoutError that says what did not come."""
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        if is_ready():
            return
        time.sleep(0.1)
    raise TimeoutError(f"{what} is not there after {seconds:g} s")
