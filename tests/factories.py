"""Factories: values with only the fact that matters to the test; everything else is ordinary."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

from index.domain.analysis import Analysis
from index.domain.post import Network, Post, PostKind

NOON = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)  #: noon in Moscow
_serial = count(1)


def post(**facts: Any) -> Post:
    """A post on a VK wall at noon; the id is new unless given."""
    number = next(_serial)
    ordinary: dict[str, Any] = {
        "id": f"vk:-1_{number}",
        "network": Network.VK,
        "kind": PostKind.POST,
        "source": "Подслушано Курлово",
        "source_id": "vk:club1",
        "author": f"a{number:015x}",
        "published_at": NOON,
        "collected_at": NOON,
        "text": "На Строительной второй день нет тепла",
    }
    return Post(**ordinary | facts)


def analysis(**facts: Any) -> Analysis:
    """An analysis of a relevant post."""
    ordinary: dict[str, Any] = {
        "model": "test-1",
        "analysed_at": NOON,
        "lemmas": ("на", "строительный", "второй", "день", "нет", "тепло"),
        "relevance": 0.99,
        "relevant": True,
    }
    return Analysis(**ordinary | facts)
