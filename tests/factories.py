"""Factories: values with only the fact that matters to the test; everything else is ordinary."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

from index.domain.alert import Alert, AlertKind
from index.domain.analysis import Analysis, Severity
from index.domain.page import Page
from index.domain.person import Person, Role
from index.domain.post import Network, Post, PostKind
from index.domain.publication import Message, Publication
from index.domain.source import Source
from index.domain.story import Story

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


def source(**facts: Any) -> Source:
    """A watched VK group."""
    number = next(_serial)
    ordinary: dict[str, Any] = {
        "id": f"vk:club{number}",
        "network": Network.VK,
        "address": f"club{number}",
        "title": "Подслушано Курлово",
    }
    return Source(**ordinary | facts)


def story(**facts: Any) -> Story:
    """Three neighbours about the same cold radiators."""
    ordinary: dict[str, Any] = {
        "id": f"s-{next(_serial)}",
        "title": "На Строительной нет тепла",
        "started_at": NOON,
        "updated_at": NOON,
        "posts": 3,
        "authors": 3,
    }
    return Story(**ordinary | facts)


def alert(**facts: Any) -> Alert:
    """An open alert of one post; each is about a matter of its own unless `key` says otherwise."""
    number = next(_serial)
    ordinary: dict[str, Any] = {
        "id": f"a-{number}",
        "key": f"post:vk:-1_{number}",
        "rule": "outage",
        "kind": AlertKind.POST,
        "title": "Нет тепла: Курлово",
        "raised_at": NOON,
        "updated_at": NOON,
        "score": 60,
        "parts": (),
        "severity": Severity.TODAY,
        "post_ids": (f"vk:-1_{number}",),
        "posts": 1,
        "authors": 1,
    }
    return Alert(**ordinary | facts)


def page(**facts: Any) -> Page:
    """An official VK page, in rehearsal."""
    number = next(_serial)
    ordinary: dict[str, Any] = {
        "id": f"vk-{number}",
        "network": Network.VK,
        "address": f"club{number}",
        "title": "Администрация района",
    }
    return Page(**ordinary | facts)


def publication(**facts: Any) -> Publication:
    """A draft due at noon in Moscow, without variants unless given."""
    ordinary: dict[str, Any] = {
        "id": f"p-{next(_serial)}",
        "title": "Отключение воды",
        "author": "petrova",
        "due_at": NOON,
        "wall_time": "2026-11-24T12:00",
        "zone": "Europe/Moscow",
    }
    return Publication(**ordinary | facts)


def message(**facts: Any) -> Message:
    return Message(**{"text": "25 ноября с 9 до 12 не будет воды"} | facts)


def person(**facts: Any) -> Person:
    """An incident officer."""
    ordinary: dict[str, Any] = {
        "login": f"officer{next(_serial)}",
        "name": "Иванова И. И.",
        "roles": frozenset({Role.INCIDENT_OFFICER}),
    }
    return Person(**ordinary | facts)
