"""A desk and the networks on the clock of the wall: turns are waited for in earnest here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.practice.twin import Twin
from index.desk import Desk, open_desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with_desk = open_desk("sqlite", tmp_path)
    yield with_desk
    with_desk.close()


@pytest.fixture
def twin() -> Iterator[Twin]:
    with Twin(limits=False) as twin:
        yield twin
