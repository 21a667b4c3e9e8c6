"""«Коротко» at an alert: residents' words at once, a language model's only when asked, and openly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from nicegui.testing import User

from api.console import alerts
from api.service import Service
from index.posts.query import PostState
from nlp.retelling import NOTHING, TOLD
from tests.api.console.simulated import press, visit
from tests.factories import NOON, alert, analysis, post
from tests.nlp.language_twin import LanguageTwin, saying

TEXTS = (
    "В Курлово второй день нет воды, звонили в водоканал",
    "Нет воды в Курлово второй день, в водоканале обещают к вечеру",
    "Бочку привезли к школе в Курлово, очередь 30 человек",
)
BUTTON = "Пересказать связно"


@pytest.fixture
def twin() -> Iterator[LanguageTwin]:
    opened = LanguageTwin()
    yield opened
    opened.close()


def with_alert(service: Service) -> None:
    written = [
        post(id=f"vk:-1_{n}", text=text, published_at=NOON - timedelta(hours=3 - n))
        for n, text in enumerate(TEXTS)
    ]
    service.posts.add(written)
    service.posts.save_analyses({each.id: analysis() for each in written}, PostState.WATCHED)
    ids = tuple(each.id for each in written)
    raised = alert(id="a-1", post_ids=ids, posts=3, authors=3)
    service.desk.alerts.raise_alert(raised, cooldown=timedelta(hours=1))


def with_model(service: Service, twin: LanguageTwin) -> Service:
    named = service.settings.model_copy(update={"llm_url": twin.url, "llm_model": "twin"})
    return replace(service, settings=named)


def test_a_retelling_comes_when_asked_and_says_who_speaks(service: Service, twin: LanguageTwin) -> None:
    with_alert(service)
    twin.answers = saying("В Курлово второй день воды нет, звонили в водоканал [1].")

    async def walk(user: User) -> None:
        await user.should_see(f"«{TEXTS[0]}»")
        assert twin.asked == []
        press(user, BUTTON)
        await user.should_see(TOLD, retries=100)
        await user.should_see("В Курлово второй день воды нет, звонили в водоканал.")
        await user.should_see(f"«{TEXTS[2]}»")  # what it left out stays
        await user.should_not_see(BUTTON)

    visit(with_model(service, twin), alerts.register, "/alerts?selected=a-1", walk)


def test_an_invention_is_not_shown(service: Service, twin: LanguageTwin) -> None:
    with_alert(service)
    twin.answers = saying("В Анопино погибли 5 человек [1].")

    async def walk(user: User) -> None:
        press(user, BUTTON)
        await user.should_see(NOTHING, retries=100)
        await user.should_see(f"«{TEXTS[0]}»")
        await user.should_not_see("погибли")

    visit(with_model(service, twin), alerts.register, "/alerts?selected=a-1", walk)


def test_without_a_model_nobody_offers_it(service: Service) -> None:
    with_alert(service)

    async def walk(user: User) -> None:
        await user.should_see(f"«{TEXTS[0]}»")
        await user.should_not_see(BUTTON)

    visit(service, alerts.register, "/alerts?selected=a-1", walk)
