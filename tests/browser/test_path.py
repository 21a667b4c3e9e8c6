"""The whole path, as two people walk it: from a resident's post to an answer, from a plan to two pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Stand
from tests.services import wait_until

pytestmark = pytest.mark.browser
Enter = Callable[[str], Page]
SOON = 30_000  # ms: a loaded machine; alone it is seconds
GROUP = "club99000004"  # «Анопино | Подслушано» of the practice places
PIPE = (
    "На Заводской в Анопино прорвало трубу отопления, кипяток хлещет на дорогу, рядом дети! Вызовите аварийку"
)
ANSWER = "Добрый день! Аварийная бригада выехала, тепло вернём до вечера."


def test_a_residents_post_becomes_an_alert_an_incident_and_an_answer_under_the_post(
    stand: Stand, enter: Enter
) -> None:
    post_id = stand.twin.say("vk", GROUP, PIPE, author="resident-1")

    officer = enter("incident")
    row = officer.locator("[data-row]", has_text="Анопино").first
    expect(row).to_be_visible(timeout=SOON)
    row.click()
    expect(officer.get_by_text("Почему это сигнал")).to_be_visible()
    expect(officer.locator(".pane mark").first).to_be_visible()
    officer.get_by_role("button", name="Принять").click()
    officer.get_by_role("button", name="Ответить").click(timeout=SOON)
    officer.wait_for_url("**/incident?id=*")
    officer.get_by_label("Текст ответа").fill(ANSWER)
    officer.get_by_role("button", name="На согласование").click()
    expect(officer.get_by_text("на согласовании").first).to_be_visible(timeout=SOON)
    card = officer.url

    editor = enter("editor")
    editor.goto(card)
    editor.get_by_role("button", name="Согласовать и отправить").click()
    wait_until(
        lambda: any(
            ANSWER in c.text for p in stand.twin.posts("vk", GROUP) if p.id == post_id for c in p.comments
        ),
        seconds=30,
        what="the answer under the post",
    )
    editor.goto(card)
    expect(editor.get_by_text("ответ опубликован").first).to_be_visible(timeout=SOON)
    expect(editor.get_by_text("Ответ в сети")).to_be_visible()


def test_an_approved_publication_goes_out_on_two_pages_at_its_minute(stand: Stand, enter: Enter) -> None:
    zone = ZoneInfo("Europe/Moscow")
    slot = (datetime.now(zone) + timedelta(minutes=2)).replace(second=0, microsecond=0)
    text = "Завтра в 10:00 приём граждан в здании администрации, кабинет 5."

    writer = enter("publics")
    writer.goto(f"{stand.url}/publication?page=vk:club99000002&day={slot:%Y-%m-%d}")
    writer.get_by_label("Рабочее название (не публикуется)").fill("Приём граждан")
    writer.get_by_label("Время").fill(f"{slot:%H:%M}")
    writer.get_by_label("ВКонтакте: Администрация Гусь-Хрустального района").fill(text)
    writer.get_by_label("Страницы").click()
    writer.get_by_role("option", name="официально").click()
    writer.keyboard.press("Escape")
    expect(writer.locator(".panel article.post")).to_have_count(2)
    writer.get_by_role("button", name="На согласование").click()
    writer.wait_for_url("**/publication?id=*", timeout=SOON)

    editor = enter("editor")
    editor.goto(writer.url)
    editor.get_by_role("button", name="Согласовать", exact=True).click()
    expect(editor.get_by_text("ждёт времени").first).to_be_visible(timeout=SOON)

    def standing(network: str, address: str) -> list[datetime]:
        return [p.at for p in stand.twin.posts(network, address) if text in p.text]

    pages = (("vk", "club99000002"), ("telegram", "gus_khrustalnyy_rayo_demo"))
    assert not any(standing(*page) for page in pages)
    wait_until(
        lambda: all(standing(*page) for page in pages), seconds=180, what="the publication on both pages"
    )
    for page in pages:
        (at,) = standing(*page)
        assert slot <= at.astimezone(zone) < slot + timedelta(seconds=60)
