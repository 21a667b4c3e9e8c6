"""Every page as every role at both sizes: it opens, fits the screen, speaks Russian and breaks nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from api.practice.setup import PRACTICE_PEOPLE
from tests.browser.conftest import Screens, Stand, log_in

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("said")]
Enter = Callable[[str], Page]
ROLES = [person.login for person, _ in PRACTICE_PEOPLE]
PAGES = (
    "/alerts", "/rules", "/feed", "/incidents", "/publications", "/publication?id=practice-review",
    "/summary", "/sources", "/page?id=vk:club99000002", "/people",
    "/models",
)  # fmt: skip
#: What looks different to different rights.
SHARED = ("/alerts", "/incidents", "/publications", "/publication?id=practice-review", "/people")
#: Latin words that Russian officers read every day; names of networks, formats and keys.
LATIN = {
    "Telegram", "MAX", "JPEG", "PNG", "QR", "api", "yaml", "rules", "Enter", "j", "Gus", "SMS", "VK", "v1",
    "EJ", "Wi", "Fi",
}  # fmt: skip
#: What people wrote and addresses of networks are not the interface.
INTERFACE = """() => {
    const skipped = ['script', 'style', 'svg title', '[lang=en]', '.q-icon', '.nicegui-error-popup', '.look',
        '[href*=author]', '.post .text', '.line .title', '.head', '.q-chip', '.plain [data-row]',
        '.calendar td:first-child a',
        'option', 'input', 'textarea', 'details', '.inset a', '#kept'];
    const body = document.body.cloneNode(true);
    body.querySelectorAll(skipped.join(', ')).forEach((element) => element.remove());
    const named = [...document.querySelectorAll('main [aria-label], main [placeholder], nav [aria-label]')]
        .flatMap((element) => [element.getAttribute('aria-label'), element.getAttribute('placeholder')]);
    return [body.textContent, ...named.filter(Boolean)].join(' ');
}"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def look_at(stand: Stand, page: Page, path: str) -> None:
    """Open a page of the console and wait until it stands."""
    page.goto(stand.url + path)
    expect(page.locator("main .bar h1")).to_be_visible()
    page.wait_for_function("window.did_handshake")
    if path == "/summary":
        expect(page.get_by_text("Всё ли мы видим")).to_be_visible(timeout=20_000)


@pytest.mark.parametrize("login", ROLES)
def test_it_opens_on_a_wide_screen_and_speaks_russian(stand: Stand, screens: Screens, login: str) -> None:
    page = screens.pages["wide"]
    log_in(stand, page, login)
    for path in PAGES if login in ("incident", "admin") else SHARED:
        look_at(stand, page, path)
        assert page.evaluate(OVERFLOW) <= 0, f"{path} scrolls sideways"
        words = set(re.findall(r"[A-Za-z]{2,}", page.evaluate(INTERFACE)))
        assert words <= LATIN, f"{path}: {sorted(words - LATIN)}"
    assert screens.errors == []


@pytest.mark.parametrize("login", ["admin", "publics", "zhkh"])
def test_it_fits_a_phone(stand: Stand, screens: Screens, login: str) -> None:
    page = screens.pages["phone"]
    log_in(stand, page, login)
    for path in PAGES if login == "admin" else SHARED:
        look_at(stand, page, path)
        assert page.evaluate(OVERFLOW) <= 0, f"{path} scrolls sideways on a phone"
    assert screens.errors == []


def test_people_are_for_the_administrator_only(stand: Stand, enter: Enter) -> None:
    page = enter("incident")
    page.goto(f"{stand.url}/people")
    expect(page.get_by_text("Сюда у вас нет доступа")).to_be_visible()
    expect(page.get_by_text("Журнал действий")).to_have_count(0)
    expect(page.get_by_role("link", name="Сотрудники")).to_have_count(0)


@pytest.mark.parametrize(
    ("login", "home"),
    [("incident", "/alerts"), ("head", "/summary"), ("publics", "/publications"), ("zhkh", "/incidents")],
)
def test_the_day_begins_where_the_work_is(stand: Stand, screens: Screens, login: str, home: str) -> None:
    page = log_in(stand, screens.pages["wide"], login)
    page.wait_for_url(f"**{home}*")


def test_a_sector_lead_reads_only_what_is_theirs(stand: Stand, enter: Enter) -> None:
    for title, sector in (("Нет тепла в школе", "zhkh"), ("Очередь в ЗАГС", "registry")):
        stand.desk.incidents.open(
            title=title, post_ids=(), sector=sector, actor="incident", at=datetime.now(UTC)
        )
    page = enter("zhkh")
    expect(page.get_by_text("Нет тепла в школе")).to_be_visible()
    expect(page.get_by_text("Очередь в ЗАГС")).to_have_count(0)


def test_the_summary_prints_to_one_page(stand: Stand, screens: Screens) -> None:
    page = screens.pages["wide"]
    log_in(stand, page, "head")
    look_at(stand, page, "/summary")
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


def test_words_keep_their_contrast(stand: Stand, screens: Screens) -> None:
    """4.5 to 1 for every visible word, light and dark, on the page with the most colours."""
    page = screens.pages["wide"]
    log_in(stand, page, "incident")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        look_at(stand, page, "/alerts")
        expect(page.locator(".pane article.post").first).to_be_visible()
        assert page.evaluate(CONTRAST) == [], scheme
    page.emulate_media(color_scheme=None)


CONTRAST = """() => {
    const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
    const linear = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const ground = (element) => {
        for (; element; element = element.parentElement) {
            const colour = rgb(getComputedStyle(element).backgroundColor);
            if (colour.length === 3 || colour[3] > 0.9) return colour;
        }
        return [255, 255, 255];
    };
    const weak = new Set();
    for (const element of document.querySelectorAll('body *')) {
        const speaks = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!speaks || !element.getClientRects().length || element.closest('kbd, svg, .line.done')) continue;
        const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const words = element.textContent.slice(0, 30);
        if (ratio < 4.5) weak.add(`${ratio.toFixed(1)} ${element.className} ${words}`);
    }
    return [...weak];
}"""
