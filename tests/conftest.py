"""Shared ground of all tests: a clean environment, real services on demand, no settings of the developer."""

from __future__ import annotations

import os

import pytest

pytest_plugins = [
    "tests.services.elasticsearch",
    "tests.services.postgres",
    "tests.services.chromium",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests go last: Playwright keeps an event loop running in the main thread until the session
    ends, and code that starts a loop of its own (asyncio.run) could not work beside it."""
    items.sort(key=lambda item: "tests/browser/" in item.nodeid)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Settings of the machine never reach a test; MCU_TEST_* (addresses of services) stay."""
    for name in os.environ:
        if name.startswith("MCU_") and not name.startswith("MCU_TEST_"):
            monkeypatch.delenv(name)
