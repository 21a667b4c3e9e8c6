"""The whole service in its own process, as a person starts it, against twins that the test speaks to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2
import pytest
from playwright.sync_api import Browser, Page

from api.practice.scenario import build_places
from api.practice.setup import PRACTICE_PEOPLE, prepare
from api.practice.twin import Twin
from index.desk import Desk, open_desk
from index.domain.publication import Message, Publication
from tests.services import free_port, wait_until

START_SECONDS = 60.0  # on a loaded machine; alone it takes a few
ZONE = ZoneInfo("Europe/Moscow")
PASSWORDS = {person.login: password for person, password in PRACTICE_PEOPLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A running `mcu up`, the networks it watches, and its desk as another process would open it."""

    url: str
    twin: Twin
    data: Path
    log: Path
    desk: Desk


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    data = tmp_path_factory.mktemp("stand")
    with Twin() as twin:
        build_places(twin)
        desk = open_desk("sqlite", data)
        prepare(desk, twin, datetime.now(UTC))
        port, log = free_port(), data / "mcu.log"
        process = start_up(data, twin, port, log)
        try:
            yield Stand(url=f"http://127.0.0.1:{port}", twin=twin, data=data, log=log, desk=desk)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
            desk.close()


def start_up(data: Path, twin: Twin, port: int, log: Path) -> subprocess.Popen[bytes]:
    """`mcu up` on the twin; returns when the console answers."""
    settings = {f"MCU_{name.upper()}": str(value) for name, value in twin.settings().items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MCU_")}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "up", "--port", str(port)],
            env={**clean, **settings, "MCU_DATA": str(data)},
            stdout=out,
            stderr=out,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text(encoding="utf-8")[-4000:]
        try:
            return httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code == 200
        except httpx2.TransportError:
            return False

    wait_until(answers, seconds=START_SECONDS, what="the console")
    return process


def log_in(stand: Stand, page: Page, login: str) -> Page:
    """As that person of the practice stand, through the form."""
    page.context.clear_cookies()
    page.goto(f"{stand.url}/login")
    page.fill("#login", login)
    page.fill("#password", PASSWORDS[login])
    page.click("form.card button")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


@dataclass(frozen=True, slots=True, kw_only=True)
class Screens:
    """Pages that stay open over tests, so that scripts and styles are loaded once."""

    pages: Mapping[str, Page]
    errors: list[str]  #: of the browser's console, of all of them


@pytest.fixture(scope="session")
def screens(chromium: Browser) -> Iterator[Screens]:
    """An officer's screen and a phone, in Russian."""
    sizes = {"wide": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}
    contexts = {
        name: chromium.new_context(viewport=size, locale="ru-RU", timezone_id=ZONE.key)
        for name, size in sizes.items()
    }
    found = Screens(pages={name: context.new_page() for name, context in contexts.items()}, errors=[])
    for page in found.pages.values():
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.on(
            "console", lambda message: found.errors.append(message.text) if message.type == "error" else None
        )
    yield found
    for context in contexts.values():
        context.close()


@pytest.fixture
def enter(stand: Stand, screens: Screens) -> Iterator[Callable[[str], Page]]:
    """`enter("incident")`: the wide page, logged in; fails on an error in its console."""
    page = screens.pages["wide"]
    yield lambda login: log_in(stand, page, login)
    for tab in page.context.pages:
        if tab is not page:
            tab.close()
    page.evaluate("localStorage.clear()")
    errors, screens.errors[:] = list(screens.errors), []
    assert errors == []


#: VK groups of the practice places, one a matter: what is near in words, time and source becomes one story.
ANOPINO, KURLOVO = "club99000004", "club99000030"
URSHEL, VELIKODVORYE = "club99000036", "club99000007"
HEATING = (
    "На Заводской в Анопино прорвало трубу отопления, кипяток хлещет на дорогу, дети рядом! Где аварийка?",
    "Анопино, Заводская: прорыв теплотрассы, в домах нет отопления, кипяток на дороге",
    "У нас на Заводской в Анопино тоже нет тепла, трубу прорвало, дети мёрзнут, когда починят?",
    '<script>document.title="взломано"</script><img src=x onerror="document.title=\'взломано\'"> '
    "Заводская, Анопино: кипяток бьёт из-под земли, трубу отопления прорвало! <b>жирно</b>",
)
FIRE = "В Курлово горит дом на Советской, огонь перекинулся на сарай, внутри люди, срочно нужны пожарные!"


def say(stand: Stand, group: str, text: str, *, author: str) -> str:
    """A resident writes in a group of VK; the id on the twin."""
    return stand.twin.say("vk", group, text, author=author)


def wait_for_signal(stand: Stand, place: str, group: str) -> None:
    """Until a signal of that place stands. The crawler is asked to look again: quiet groups wait for it."""
    for _ in range(90):
        if stand.desk.alerts.find(places=(place,), limit=1)[0]:
            return
        health = stand.desk.sources.health(f"vk:{group}")
        stand.desk.sources.save_health(replace(health, due_at=datetime.now(UTC)))
        time.sleep(1)
    raise TimeoutError(f"a signal from {place} is not there after 90 s")


@pytest.fixture(scope="session")
def said(stand: Stand) -> None:
    """Residents write of a burst pipe, one of them hostile markup, and of a fire; both are signals by now."""
    for number, text in enumerate(HEATING):
        say(stand, ANOPINO, text, author=f"resident-{number}")
    say(stand, KURLOVO, FIRE, author="resident-9")
    wait_for_signal(stand, "Анопино", ANOPINO)
    wait_for_signal(stand, "Курлово", KURLOVO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A publication that waits for its minute."""

    publication_id: str
    slot: datetime
    text: str
    pages: tuple[tuple[str, str], ...]  #: network and address on the twin


@pytest.fixture(scope="session")
def plan(stand: Stand, chromium: Browser) -> Plan:
    """Written by one person and approved by another in the browser; goes out about two minutes later."""
    slot = (datetime.now(ZONE) + timedelta(minutes=2)).replace(second=0, microsecond=0)
    text = "Завтра в 10:00 приём граждан в здании администрации, кабинет 5."
    context = chromium.new_context(
        viewport={"width": 1366, "height": 768}, locale="ru-RU", timezone_id=ZONE.key
    )
    page = context.new_page()
    log_in(stand, page, "publics")
    page.goto(f"{stand.url}/publication?page=vk:club99000002&day={slot:%Y-%m-%d}")
    page.get_by_label("Рабочее название (не публикуется)").fill("Приём граждан")
    page.get_by_label("Время").fill(f"{slot:%H:%M}")
    page.get_by_label("ВКонтакте: Администрация Гусь-Хрустального района").fill(text)
    page.get_by_label("Страницы").click()
    page.get_by_role("option", name="(Telegram)").click()
    page.keyboard.press("Escape")
    page.locator("article.look.telegram").wait_for()
    page.get_by_role("button", name="На согласование").dblclick()  # a nervous hand makes one publication
    page.wait_for_url("**/publication?id=*")
    publication_id = page.url.partition("id=")[2]
    log_in(stand, page, "editor")
    page.goto(f"{stand.url}/publication?id={publication_id}")
    page.get_by_role("button", name="Согласовать", exact=True).click()
    page.get_by_text("ждёт времени").first.wait_for()
    context.close()
    pages = (("vk", "club99000002"), ("telegram", "gus_khrustalnyy_rayo_demo"))
    return Plan(publication_id=publication_id, slot=slot, text=text, pages=pages)


@pytest.fixture(scope="session", autouse=True)
def _begun_early(request: pytest.FixtureRequest) -> None:
    """The plan is made first, so that its minutes pass while the other tests run."""
    if any("plan" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("plan")


def draft(stand: Stand, title: str, *, day: datetime) -> Publication:
    """A draft on the desk, for tests that begin in the calendar."""
    wall = day.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M")
    publication = Publication(
        id=f"p-{title}",
        title=title,
        author="publics",
        due_at=datetime.fromisoformat(wall).replace(tzinfo=ZONE).astimezone(UTC),
        wall_time=wall,
        zone=ZONE.key,
        variants=(("vk:club99000002", Message(text=title)),),
    )
    return stand.desk.publications.save_draft(publication, actor="publics", at=datetime.now(UTC))
