from __future__ import annotations

import stat
from pathlib import Path

import pytest

from index.errors import Misconfigured
from index.secrets import read_or_make_secret


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    first = read_or_make_secret(tmp_path, "authors")
    assert len(first) == 64
    assert read_or_make_secret(tmp_path, "authors") == first
    assert read_or_make_secret(tmp_path, "console") != first


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    read_or_make_secret(tmp_path, "authors")
    assert stat.S_IMODE((tmp_path / "secrets" / "authors").stat().st_mode) == 0o600


def test_an_unusable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="MCU_DATA"):
        read_or_make_secret(tmp_path / "file", "authors")
