from __future__ import annotations

from datetime import timedelta

from api.service import Service
from index.domain.person import Role
from tests.api.conftest import Client
from tests.factories import NOON, post


def test_alive_and_ready(client: Client) -> None:
    assert client().get("/healthz").text == "ok"
    ready = client().get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["parts"]["desk"] == {"ok": True, "reason": ""}


def test_a_stage_that_stopped_ticking_is_named(service: Service, client: Client) -> None:
    service.desk.beats.beat("crawl", NOON - timedelta(minutes=5), {})
    service.desk.beats.beat("watch", NOON, {"error": "Индекс не отвечает"})
    parts = client().get("/readyz").json()["parts"]
    assert not parts["stage:crawl"]["ok"]
    assert parts["stage:watch"]["reason"] == "Индекс не отвечает"


def test_a_desk_that_does_not_answer_is_503_with_the_reason(service: Service, client: Client) -> None:
    reader = client(Role.READER)
    service.desk.close()
    (service.settings.data / "desk.sqlite").rename(service.settings.data / "away.sqlite")
    (service.settings.data / "desk.sqlite").mkdir()
    assert client().get("/readyz").status_code == 503
    answer = reader.get("/api/v1/alerts")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["title"] == "Хранилище не отвечает"


def test_metrics_count_posts_by_state(service: Service, client: Client) -> None:
    service.posts.add([post(), post()])
    text = client().get("/metrics").text
    assert 'mcu_posts{state="collected"} 2.0' in text
    assert 'mcu_part_up{part="desk"} 1.0' in text
