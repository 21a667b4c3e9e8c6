"""Training from the command line: what a broken-off run needs to go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.errors import Misconfigured
from nlp.training.__main__ import _left


def test_continuing_a_run_that_left_nothing_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"нет last\.pt: продолжать нечего") as refused:
        _left(tmp_path, 17)
    assert refused.value.remedy == "Начните без --continue."
