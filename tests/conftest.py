"""Shared ground of all tests: a clean environment, real services on demand, no settings of the developer."""

from __future__ import annotations

import os

import pytest

pytest_plugins = [
    "tests.services.elasticsearch",
    "tests.services.postgres",
    "tests.services.chromium",
]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Settings of the machine never reach a test; MCU_TEST_* (addresses of services) stay."""
    for name in os.environ:
        if name.startswith("MCU_") and not name.startswith("MCU_TEST_"):
            monkeypatch.delenv(name)
