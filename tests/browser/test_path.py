"""The whole path, as two people walk it: from a resident's post to an answer, from a plan to two pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import URSHEL, ZONE, Plan, Stand, say, wait_for_signal
from tests.services import wait_until

pytestmark = pytest.mark.browser
Enter = Callable[[str], Page]
SOON = 30_000  # ms: a loaded machine; alone it is seconds
DOGS = "Уршельский, Мира: стая собак покусала ребёнка, скорая увезла, дети боятся выходить. Где отлов?"
ANSWER = "Добрый день! Бригада отлова выехала, ребёнку оказана помощь, двор взят под контроль."


def test_a_residents_post_becomes_an_alert_an_incident_and_an_answer_under_the_post(
    stand: Stand, enter: Enter
) -> None:
    post_id = say(stand, URSHEL, DOGS, author="resident-1")

    wait_for_signal(stand, "Уршельский", URSHEL)
    officer = enter("incident")
    officer.goto(f"{stand.url}/alerts?place=Уршельский")
    officer.locator(".line", has_text="Уршельский").first.click()
    expect(officer.get_by_text("Почему это сигнал")).to_be_visible()
    expect(officer.locator(".pane mark").first).to_be_visible()
    officer.get_by_role("button", name="Принять").click()
    officer.get_by_role("button", name="Ответить").click(timeout=SOON)
    officer.wait_for_url("**/incident?id=*")
    officer.get_by_label("Текст ответа").fill(ANSWER)
    officer.get_by_role("button", name="На согласование").dblclick()
    expect(officer.get_by_text("на согласовании").first).to_be_visible(timeout=SOON)
    card = officer.url

    editor = enter("editor")
    editor.goto(card)
    editor.get_by_role("button", name="Согласовать и отправить").click()

    def answers() -> list[str]:
        return [
            c.text
            for p in stand.twin.posts("vk", URSHEL)
            if p.id == post_id
            for c in p.comments
            if ANSWER in c.text
        ]

    wait_until(lambda: bool(answers()), seconds=30, what="the answer under the post")
    expect(editor.get_by_text("ответ опубликован").first).to_be_visible(timeout=SOON)  # without a reload
    expect(editor.get_by_text("Ответ в сети")).to_be_visible()
    assert len(answers()) == 1
    assert len(stand.desk.incidents.replies(card.partition("id=")[2])) == 1


def test_an_approved_publication_goes_out_on_two_pages_at_its_minute(stand: Stand, plan: Plan) -> None:
    def standing(network: str, address: str) -> list[datetime]:
        return [p.at for p in stand.twin.posts(network, address) if plan.text in p.text]

    left = (plan.slot - datetime.now(ZONE)).total_seconds()
    wait_until(
        lambda: all(standing(*page) for page in plan.pages),
        seconds=max(left, 0) + 60,
        what="the publication on both pages",
    )
    for page in plan.pages:
        (at,) = standing(*page)
        assert plan.slot <= at.astimezone(ZONE) < plan.slot + timedelta(seconds=60)
