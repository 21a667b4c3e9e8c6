"""Coming in and going out: only through our own form, only to our own pages, and nowhere without it."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORDS, Stand

pytestmark = pytest.mark.browser
Enter = Callable[[str], Page]


@pytest.mark.parametrize("path", ["/alerts", "/people", "/publication?id=practice-review", "/morning"])
def test_a_stranger_is_asked_to_log_in(stand: Stand, page: Page, path: str) -> None:
    page.goto(stand.url + path)
    page.wait_for_url("**/login?to=*")
    expect(page.get_by_label("Имя для входа")).to_be_visible()


def test_after_the_login_the_wanted_page_opens(stand: Stand, page: Page) -> None:
    page.goto(f"{stand.url}/feed?q=тепло&days=30")
    page.fill("#login", "incident")
    page.fill("#password", PASSWORDS["incident"])
    page.click("form.card button")
    page.wait_for_url("**/feed?q=*")


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x"]
)
def test_the_login_leads_nowhere_else(stand: Stand, target: str) -> None:
    with httpx2.Client(base_url=stand.url) as client:
        client.get("/login")
        answer = client.post(
            "/login",
            data={
                "login": "incident",
                "password": PASSWORDS["incident"],
                "form": client.cookies["mcu_form"],
                "to": target,
            },
        )
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_form_of_another_site_logs_nobody_in(stand: Stand) -> None:
    """Without the token in the cookie the right password is not enough."""
    with httpx2.Client(base_url=stand.url) as client:
        answer = client.post(
            "/login", data={"login": "incident", "password": PASSWORDS["incident"], "form": "x"}
        )
    assert answer.status_code == 403
    assert "mcu_session" not in answer.cookies


def test_a_form_of_another_site_logs_nobody_out(stand: Stand, enter: Enter) -> None:
    page = enter("incident")
    page.evaluate("fetch('/logout', { method: 'POST', body: new URLSearchParams({ form: 'x' }) })")
    page.goto(f"{stand.url}/feed")
    expect(page.locator("main .bar h1")).to_have_text("Лента")


def test_a_wrong_password_is_said_beside_the_form(stand: Stand) -> None:
    with httpx2.Client(base_url=stand.url) as client:
        client.get("/login")
        answer = client.post(
            "/login", data={"login": "incident", "password": "wrong", "form": client.cookies["mcu_form"]}
        )
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_logging_out_closes_the_other_windows_too(stand: Stand, enter: Enter) -> None:
    page = enter("pos")
    other = page.context.new_page()
    other.goto(f"{stand.url}/feed")
    page.get_by_role("button", name="Выйти").click()
    page.wait_for_url("**/login")
    other.wait_for_url("**/login", timeout=20_000)
