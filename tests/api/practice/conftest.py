"""One twin for a module, emptied for every test: no limits, a caller over real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from api.practice.twin import Twin
from tests.api.practice.calls import Caller


@pytest.fixture(scope="module")
def served_twin() -> Iterator[Twin]:
    with Twin(limits=False) as found:
        yield found


@pytest.fixture
def twin(served_twin: Twin) -> Twin:
    served_twin.clear()
    return served_twin


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(
        timeout=5.0, verify=False
    ) as client:  # no TLS here: the certificates are not worth loading
        yield client


@pytest.fixture
def call(twin: Twin, http: httpx2.Client) -> Caller:
    return Caller(twin, http)
