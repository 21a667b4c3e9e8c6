"""«Публикации» by hand: slots that are dragged, words that are never lost, no second copy by a second tab."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from index.domain.publication import PublicationState
from tests.browser.conftest import ZONE, Stand, draft

pytestmark = pytest.mark.browser
Enter = Callable[[str], Page]
SOON = 20_000  # ms: a loaded machine; alone it is at once


def next_monday() -> datetime:
    today = datetime.now(ZONE).replace(hour=10, minute=0, second=0, microsecond=0)
    return today + timedelta(days=7 - today.weekday())


def test_a_slot_is_dragged_to_another_day_and_goes_on_review_again(stand: Stand, enter: Enter) -> None:
    monday = next_monday()
    publication = draft(stand, "Ярмарка", day=monday)
    stand.desk.publications.submit(
        publication.id, actor="publics", at=datetime.now(UTC), version=publication.version
    )
    page = enter("publics")
    page.goto(f"{stand.url}/publications?week={monday:%Y-%m-%d}")
    thursday = monday + timedelta(days=3)
    page.wait_for_function("window.did_handshake")
    page.locator(f'[data-slot="{publication.id}"]').drag_to(
        page.locator(f'td[data-day="{thursday:%Y-%m-%d}"]').first
    )
    expect(page.locator(f'td[data-day="{thursday:%Y-%m-%d}"] [data-slot="{publication.id}"]')).to_be_visible(
        timeout=SOON
    )
    moved = stand.desk.publications.get(publication.id)
    assert moved.wall_time == f"{thursday:%Y-%m-%d}T10:00"
    assert moved.state is PublicationState.ON_REVIEW


def test_words_that_were_not_saved_are_offered_again(stand: Stand, enter: Enter) -> None:
    page = enter("publics")
    page.goto(f"{stand.url}/publication?page=vk:club99000002")
    field = page.get_by_label("ВКонтакте: Администрация Гусь-Хрустального района")
    field.fill("Отключение воды на Мира до вечера")
    page.goto(f"{stand.url}/feed")
    page.goto(f"{stand.url}/publication?page=vk:club99000002")
    page.get_by_role("button", name="Вернуть", exact=True).click(timeout=SOON)
    expect(field).to_have_value("Отключение воды на Мира до вечера")
    expect(page.locator("article.look.vk")).to_contain_text("Отключение воды", timeout=SOON)


def test_a_second_tab_makes_no_second_publication(stand: Stand, enter: Enter) -> None:
    page = enter("publics")
    page.goto(f"{stand.url}/publication?page=vk:club99000002&day={next_monday():%Y-%m-%d}")
    page.wait_for_url("**draft=*")
    twin = page.context.new_page()
    twin.goto(page.url)
    for tab in (page, twin):
        tab.wait_for_function("window.did_handshake")
        tab.get_by_label("ВКонтакте: Администрация").fill("Субботник в парке")
        expect(tab.locator("article.look.vk")).to_contain_text("Субботник", timeout=SOON)
    page.get_by_role("button", name="Сохранить черновик").dblclick()
    page.wait_for_url("**/publication?id=*")
    twin.get_by_role("button", name="Сохранить черновик").click()
    expect(twin.get_by_text("уже сохранена в другой вкладке")).to_be_visible(timeout=SOON)
    found, _ = stand.desk.publications.find(since=datetime.now(UTC), limit=500)
    assert len([p for p in found if p.variants and "Субботник" in p.variants[0][1].text]) == 1


def test_a_text_too_long_for_a_network_is_said_before_anybody_approves(stand: Stand, enter: Enter) -> None:
    page = enter("publics")
    page.goto(f"{stand.url}/publication?page=max:-70000001")
    page.wait_for_function("window.did_handshake")
    page.get_by_label("MAX: Анопино").fill("я" * 4001)
    expect(page.locator(".fields .late.strong")).to_contain_text("4 001", timeout=SOON, use_inner_text=True)
    page.get_by_role("button", name="На согласование").click()
    expect(page.locator(".q-notification")).to_be_visible(timeout=SOON)
    assert "draft=" in page.url


def test_an_author_does_not_approve_own_words(stand: Stand, enter: Enter) -> None:
    page = enter("editor")
    page.goto(f"{stand.url}/publication?page=vk:club99000002&day={next_monday():%Y-%m-%d}")
    page.wait_for_function("window.did_handshake")
    page.get_by_label("ВКонтакте: Администрация").fill("Концерт в доме культуры")
    page.get_by_role("button", name="На согласование").click()
    page.wait_for_url("**/publication?id=*")
    page.get_by_role("button", name="Согласовать", exact=True).click()
    expect(page.get_by_text("Свой текст согласует другой сотрудник")).to_be_visible(timeout=SOON)
