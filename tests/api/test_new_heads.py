"""Heads that were taught while the service runs: it takes them by itself, and goes back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api import stages
from api.run import start_ticks
from api.service import Service
from api.stages import MODELS_NOTE, analyse_stage, watch_stage
from index.domain.analysis import Risk
from index.posts.query import PostState, Query, Record
from nlp.models import heads_version
from nlp.training.heads import step_back, train_on_corrections
from tests.factories import post
from tests.services import wait_until

pytestmark = pytest.mark.model
BATCH = 6
#: «Шабутка» is what this town calls a house without water; the last street is never corrected.
STREETS = ("Советской", "Лесной", "Садовой", "Мира", "Заводской", "Новой", "Школьной", "Речной", "Полевой",
           "Парковой", "Набережной")  # fmt: skip
WORDS = ("опять шабутка на {}", "шабутка третий день на {}", "на {} шабутка, сидим", "{}: с утра шабутка")


@pytest.fixture
def running(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Analysis and watching tick on an index of two months, in batches that show their order."""
    monkeypatch.setattr(stages, "TICK", BATCH)
    now = datetime.now(UTC)
    service = replace(service, now=lambda: now)
    texts = [words.format(street) for street in STREETS for words in WORDS]
    service.posts.add(
        post(id=f"vk:-1_{n}", text=text, published_at=now - timedelta(days=n)) for n, text in enumerate(texts)
    )
    for record in everything(service):
        if "Набережной" not in record.post.text:
            values = {"risks": ["outage"], "severity": 2}
            service.desk.corrections.add(record.post.id, values, actor="ivanova", at=now)
    parts = [analyse_stage(service), watch_stage(service)]
    scheduler = start_ticks(service, parts)
    yield service
    scheduler.shutdown(wait=True)
    for part in parts:
        part.close()


def everything(service: Service) -> list[Record]:
    """Newest first."""
    return list(service.posts.find(Query(), limit=100).records)


def versions(records: list[Record]) -> list[str]:
    return [record.analysis.model if record.analysis else "" for record in records]


def is_read_with(service: Service, version: str) -> bool:
    return all(
        r.state is PostState.WATCHED and r.analysis and r.analysis.model.startswith(f"{version}+")
        for r in everything(service)
    )


def test_taught_heads_are_taken_without_a_restart_newest_posts_first_and_a_step_back_too(
    running: Service,
) -> None:
    shipped = heads_version(None)
    wait_until(lambda: is_read_with(running, shipped), seconds=60, what="the first analyses")
    settings, now = running.settings, running.now()
    taught = train_on_corrections(running.desk, running.posts, settings=settings, now=now).version
    assert taught.startswith(f"{shipped}+")

    seen: list[list[bool]] = []

    def is_taken() -> bool:
        records = everything(running)
        assert all(record.analysis for record in records)  # nobody who reads meanwhile misses an analysis
        assert len(records) == len(STREETS) * len(WORDS)
        seen.append([bool(r.analysis and r.analysis.model.startswith(f"{taught}+")) for r in records])
        return all(seen[-1])

    wait_until(is_taken, seconds=60, what="analyses by the taught heads")
    assert all(marks == sorted(marks, reverse=True) for marks in seen)  # the newest have them first
    (of_note,) = [r for r in everything(running) if r.post.text == "опять шабутка на Набережной"]
    assert of_note.analysis is not None
    assert of_note.analysis.risk_scores[Risk.OUTAGE] > 0.2
    wait_until(lambda: is_read_with(running, taught), seconds=60, what="watching by the taught heads")
    note = running.desk.beats.all()[MODELS_NOTE].detail
    assert note["version"].startswith(f"{taught}+")

    assert step_back(running.desk, data=settings.data, now=now) == shipped
    wait_until(
        lambda: all(not v.startswith(f"{taught}+") for v in versions(everything(running))),
        seconds=60,
        what="analyses by the shipped heads again",
    )
