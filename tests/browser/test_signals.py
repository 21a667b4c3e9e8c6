"""«Сигналы» by hand and by keyboard: triage, undo, several at once, news, story tools, the address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from index.domain.alert import AlertState
from tests.browser.conftest import VELIKODVORYE, Stand, say, wait_for_signal

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("said")]
Enter = Callable[[str], Page]
SOON = 20_000  # ms: a loaded machine; alone it is at once
ROW = ".line[data-row]"
#: The key's place on the keyboard and what it types in the Russian layout.
RUSSIAN = {"KeyJ": "о", "KeyT": "е", "KeyD": "в", "KeyZ": "я", "KeyX": "ч", "Digit2": "2"}


@pytest.fixture
def officer(stand: Stand, enter: Enter) -> Page:
    """The incident officer with open signals before them."""
    page = enter("incident")
    page.goto(f"{stand.url}/alerts")
    expect(page.locator(ROW).nth(1)).to_be_visible(timeout=SOON)
    expect(page.locator(".pane .head")).to_be_visible()
    page.wait_for_function("window.did_handshake")
    return page


def press(page: Page, code: str) -> None:
    """A key in the Russian layout, as the browser reports it."""
    page.evaluate(
        """([code, key]) => (document.activeElement || document.body).dispatchEvent(
            new KeyboardEvent('keydown', { code, key, bubbles: true, cancelable: true }))""",
        [code, RUSSIAN[code]],
    )


def selected(page: Page) -> str:
    return page.locator(f"{ROW}.here").get_attribute("data-row") or ""


def test_j_and_k_walk_the_rows_and_the_address_follows(officer: Page) -> None:
    first, second = (officer.locator(ROW).nth(n).get_attribute("data-row") for n in (0, 1))
    officer.keyboard.press("j")
    expect(officer.locator(f'{ROW}.here[data-row="{second}"]')).to_be_visible(timeout=SOON)
    officer.wait_for_url(f"**selected={second}*")
    officer.keyboard.press("k")
    expect(officer.locator(f'{ROW}.here[data-row="{first}"]')).to_be_visible(timeout=SOON)


def test_a_letter_decides_on_the_row_that_was_chosen_however_fast_the_hand(
    stand: Stand, officer: Page
) -> None:
    second = officer.locator(ROW).nth(1).get_attribute("data-row") or ""
    for code in ("KeyJ", "KeyT"):
        press(officer, code)
    expect(officer.get_by_text("Сигнал взят вами")).to_be_visible(timeout=SOON)
    assert stand.desk.alerts.get(second).assignee == "incident"
    taken, _ = stand.desk.alerts.find(assignee="incident", states=(AlertState.OPEN,))
    assert [alert.id for alert in taken] == [second]


def test_the_slash_goes_to_the_search(stand: Stand, officer: Page) -> None:
    officer.goto(f"{stand.url}/feed")
    officer.wait_for_function("window.did_handshake")
    officer.keyboard.press("/")
    officer.keyboard.type("кипяток")
    officer.keyboard.press("Enter")
    officer.wait_for_url("**/feed?q=*")
    expect(officer.locator("article.post").first).to_contain_text("кипяток", timeout=SOON)


def test_a_link_opens_the_same_signal_with_the_same_filters(stand: Stand, officer: Page) -> None:
    alert_id = officer.locator(ROW, has_text="Курлово").first.get_attribute("data-row")
    officer.goto(f"{stand.url}/alerts?place=Курлово&selected={alert_id}")
    expect(officer.locator(".pane .head")).to_contain_text("Курлово", timeout=SOON)
    expect(officer.locator(ROW, has_text="Анопино")).to_have_count(0)


def test_dismissing_in_the_russian_layout_goes_on_to_the_next_and_can_be_undone(
    stand: Stand, officer: Page
) -> None:
    alert_id = selected(officer)
    press(officer, "KeyD")
    expect(officer.locator(".q-menu")).to_be_visible(timeout=SOON)
    press(officer, "Digit2")
    expect(officer.locator(f'[data-row="{alert_id}"]')).to_have_count(0, timeout=SOON)
    alert = stand.desk.alerts.get(alert_id)
    assert (alert.state, alert.reason) == (AlertState.DISMISSED, "Не требует действий")
    assert selected(officer) not in ("", alert_id)

    press(officer, "KeyZ")
    expect(officer.locator(f'[data-row="{alert_id}"]')).to_be_visible(timeout=SOON)
    assert stand.desk.alerts.get(alert_id).state is AlertState.OPEN


def test_several_are_put_off_together_and_come_back_together(stand: Stand, officer: Page) -> None:
    press(officer, "KeyX")
    expect(officer.get_by_text("Отмечено: 1 сигнал")).to_be_visible(timeout=SOON)
    press(officer, "KeyJ")
    officer.wait_for_url("**selected=*")
    press(officer, "KeyX")
    expect(officer.get_by_text("Отмечено: 2 сигнала")).to_be_visible(timeout=SOON)
    officer.locator(".pickbar").get_by_role("button", name="Отложить").click()
    officer.get_by_text("на час").click()
    expect(officer.locator(".undo")).to_contain_text("2 сигнала отложено", timeout=SOON)
    assert len(stand.desk.alerts.find(states=(AlertState.SNOOZED,))[0]) == 2

    officer.locator(".undo").get_by_role("button", name="Вернуть").click()
    expect(officer.locator(".undo")).to_have_count(0, timeout=SOON)
    assert stand.desk.alerts.find(states=(AlertState.SNOOZED,))[0] == []


def test_new_signals_wait_behind_a_button_and_rows_stay(stand: Stand, officer: Page) -> None:
    before = officer.locator(ROW).count()
    text = "Великодворский: на Ленина оборвало провода, столб искрит, ребёнка ударило током, нет света!"
    say(stand, VELIKODVORYE, text, author="resident-77")
    wait_for_signal(stand, "Великодворский", VELIKODVORYE)
    news = officer.locator("[data-fresh]")
    expect(news).to_be_visible(timeout=SOON)
    assert officer.locator(ROW).count() == before
    news.click()
    expect(officer.locator(ROW, has_text="Великодворский").first).to_be_visible(timeout=SOON)


def test_the_digest_quotes_residents_and_each_number_leads_to_its_posts(officer: Page) -> None:
    officer.locator(ROW, has_text="4 поста").first.click()
    expect(officer.get_by_text("Коротко, словами жителей")).to_be_visible(timeout=SOON)
    officer.locator('.pane a[href^="/post?id="]', has_text="источник").first.click()
    expect(officer.locator("article.post .text").first).to_contain_text("Анопино", timeout=SOON)


def test_a_post_taken_out_of_a_story_stays_out(stand: Stand, officer: Page) -> None:
    officer.locator(ROW, has_text="4 поста").first.click()
    expect(officer.get_by_text("требует проверки").first).to_be_visible(timeout=SOON)
    officer.locator(".pane article.post").last.get_by_role("checkbox").click()
    officer.get_by_role("button", name="убрать из сюжета").click()
    expect(officer.get_by_text("Убран из сюжета сотрудником")).to_be_visible(timeout=SOON)
    (post_id,) = [post for post, story in stand.desk.stories.pinned().items() if story is None]
    stand.desk.stories.pin(post_id, _story(stand), actor="incident", at=datetime.now(UTC))

    officer.get_by_role("button", name="Проверено").click()
    expect(officer.get_by_text("проверен", exact=True)).to_be_visible(timeout=SOON)
    assert stand.desk.stories.get(_story(stand)).is_checked


def test_the_rules_page_tries_a_rule_on_history(stand: Stand, officer: Page) -> None:
    officer.get_by_role("link", name="Правила сигналов").click()
    expect(officer.get_by_text("пробное: только считает").first).to_be_visible(timeout=SOON)
    officer.goto(f"{stand.url}/rules?rule=story")
    expect(officer.get_by_text("За 30 дней подняло бы")).to_be_visible(timeout=SOON)


def test_a_hostile_text_is_only_text(stand: Stand, officer: Page) -> None:
    for path in ("/alerts?place=Анопино", "/feed?q=жирно"):
        officer.goto(stand.url + path)
        expect(officer.get_by_text("<b>жирно</b>").first).to_be_visible(timeout=SOON)
    officer.locator("article.post time").first.click()
    officer.wait_for_url("**/post?id=*")
    expect(officer.get_by_text("<b>жирно</b>").first).to_be_visible(timeout=SOON)
    assert "взломано" not in officer.title()
    assert officer.locator("img[src='x']").count() == 0


def test_an_officer_corrects_what_the_model_said(stand: Stand, officer: Page) -> None:
    officer.goto(f"{stand.url}/feed?q=жирно")
    officer.locator("article.post time").first.click()
    officer.get_by_text("Разбор неверен — поправить").click()
    officer.get_by_role("checkbox", name="Ждёт ответа").click()
    officer.get_by_role("button", name="Сохранить").click()
    expect(officer.get_by_text("Поправлено (ждёт ответа)")).to_be_visible(timeout=SOON)
    (said,) = stand.desk.corrections.since()
    assert (said.field, said.actor) == ("needs_answer", "incident")


def _story(stand: Stand) -> str:
    """The story of the burst pipe."""
    alerts, _ = stand.desk.alerts.find(places=("Анопино",), limit=100)
    return next(alert.story_id for alert in alerts if alert.story_id and alert.posts >= 3)
