"""Saved raw answers -> posts: recognises the kind of answer and runs its page object (`mcu parse`, replay)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crawlers.pages.base import Context, Parsed
from index.domain.post import Network


def parse(network: str, path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Posts and comments of a saved answer in the shape of the JSON lines, and what could not be read.

    Raises Refused on an unknown network or a file that is not there; Unreadable when nothing can be read.
    """
    raise NotImplementedError


def read(network: Network, body: bytes, context: Context) -> Parsed:
    """The same on an answer in memory; also reads `Broken.raw` again. Raises Unreadable, NetworkRefusal."""
    raise NotImplementedError
