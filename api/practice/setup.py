"""What a desk holds on the practice stand: sources, official pages, people, a few publications."""

from __future__ import annotations

import logging
import math
import struct
import zlib
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from api.practice.scenario import Place, places
from api.practice.twin import Twin
from index.desk import Desk
from index.domain.page import Page, PageMode
from index.domain.person import Person, Role
from index.domain.post import Network
from index.domain.publication import Message, Publication
from index.domain.source import Source
from index.errors import NotFound

logger = logging.getLogger(__name__)

ACTOR = "practice"
ZONE = "Europe/Moscow"

#: Shown on the login page of the practice console; such people exist in practice data only.
PRACTICE_PEOPLE: tuple[tuple[Person, str], ...] = (
    (
        Person(login="head", name="Вера Сергеевна, руководитель МЦУ", roles=frozenset({Role.HEAD})),
        "head-practice",
    ),
    (
        Person(
            login="incident",
            name="Олег, ответственный за инциденты",
            roles=frozenset({Role.INCIDENT_OFFICER}),
        ),
        "incident-practice",
    ),
    (
        Person(login="pos", name="Ирина, ответственная за ПОС", roles=frozenset({Role.POS_OFFICER})),
        "pos-practice",
    ),
    (
        Person(
            login="publics",
            name="Дарья, ответственная за госпаблики",
            roles=frozenset({Role.PUBLICS_OFFICER}),
        ),
        "publics-practice",
    ),
    (Person(login="editor", name="Павел, редактор", roles=frozenset({Role.EDITOR})), "editor-practice"),
    (
        Person(login="zhkh", name="Николай, блок ЖКХ", roles=frozenset({Role.SECTOR_LEAD}), sector="zhkh"),
        "zhkh-practice",
    ),
    (Person(login="admin", name="Администратор стенда", roles=frozenset({Role.ADMIN})), "admin-practice"),
)


def prepare(desk: Desk, twin: Twin, at: datetime) -> None:
    """Fill a desk for practice; what is there already stays, so it may be called at every start."""
    _register_sources(desk, twin, at)
    pages = _register_pages(desk, at)
    _add_people(desk, at)
    _add_publications(desk, pages, at)
    logger.info("The practice desk is ready.", extra={"action": "practice_prepared", "pages": len(pages)})


def practice_sources(twin: Twin) -> list[Source]:
    """The watched communities of the stand; news by the address of its feed on this very twin."""
    return [_source(place, twin) for place in places() if place.watched]


def _source(place: Place, twin: Twin) -> Source:
    address = twin.feed(place.address) if place.network is Network.NEWS else place.address
    return Source(
        id=f"{place.network.value}:{address}",
        network=place.network,
        address=address,
        title=place.title,
        home=place.home,
        is_official=place.official,
    )


def _register_sources(desk: Desk, twin: Twin, at: datetime) -> None:
    """A stand on another port has other news addresses: feeds of the old one are switched off."""
    wanted = practice_sources(twin)
    desk.sources.add(wanted, actor=ACTOR, at=at)
    ids = {source.id for source in wanted}
    for source in desk.sources.list(enabled_only=True):
        if source.id not in ids and source.address.startswith("http://127.0.0.1:"):
            desk.sources.save(replace(source, is_enabled=False), actor=ACTOR, at=at)


def _register_pages(desk: Desk, at: datetime) -> list[Page]:
    pages = [_page(place, at) for place in places() if place.official]
    for page in pages:
        desk.pages.add(page, actor=ACTOR, at=at)
    return pages


def _page(place: Place, at: datetime) -> Page:
    """Live on the twins: nothing can leave the machine, and officers see their texts stand there."""
    address = f"@{place.address}" if place.network is Network.TELEGRAM else place.address
    return Page(
        id=f"{place.network.value}:{place.address}",
        network=place.network,
        address=address,
        title=place.title,
        organisation="Администрация Анопинского поселения"
        if place.home == "Анопино"
        else "Администрация района",
        url=_url(place),
        mode=PageMode.LIVE,
        discussion=f"@{place.address}_talk" if place.network is Network.TELEGRAM else None,
        password_changed_at=at - timedelta(days=40),
    )


def _url(place: Place) -> str:
    match place.network:
        case Network.VK:
            return f"https://vk.com/{place.address}"
        case Network.OK:
            return f"https://ok.ru/group/{place.address}"
        case Network.TELEGRAM:
            return f"https://t.me/{place.address}"
        case _:
            return f"https://max.ru/{place.address}"


def _add_people(desk: Desk, at: datetime) -> None:
    known = {person.login for person in desk.people.list()}
    for person, password in PRACTICE_PEOPLE:
        if person.login not in known:
            desk.people.add(person, password, actor=ACTOR, at=at)


def _add_publications(desk: Desk, pages: list[Page], at: datetime) -> None:
    """One draft, one on review, one approved that goes out in two hours and one for tomorrow with a photo."""
    if _is_kept(desk, "practice-tomorrow"):
        return
    vk = _first(pages, Network.VK)
    telegram = _first(pages, Network.TELEGRAM)
    ok = _first(pages, Network.OK)
    photo = desk.media.put(picture(), "image/png")
    lamps, tree, water, reception = (
        "Меняем фонари на улице Советской в Курлово: работы идут до пятницы, вечером захватите фонарик.",
        "В субботу открываем ёлку у дома культуры. Начало в 16:00, будет чай и хоровод.",
        "Завтра с 10 до 14 часов в Анопино промывают сети: запаситесь водой. Подвоз — к школе.",
        "Глава района ведёт приём в среду с 15:00. Записаться можно по телефону единой дежурной службы 112.",
    )
    draft = _publication(
        "practice-draft", "Фонари в Курлово", at, timedelta(days=2), {vk: Message(text=lamps)}
    )
    review = _publication(
        "practice-review", "Ёлка", at, timedelta(days=3),
        {vk: Message(text=tree, photo=photo, photo_alt="Вечер над лесом"), ok: Message(text=tree)},
    )  # fmt: skip
    soon = _publication(
        "practice-soon", "Промывка сетей", at, timedelta(hours=2),
        {vk: Message(text=water), telegram: Message(text=water)},
    )  # fmt: skip
    tomorrow = _publication(
        "practice-tomorrow", "Приём граждан", at, timedelta(days=1),
        {
            vk: Message(text=reception, photo=photo, photo_alt="Вечер над лесом"),
            telegram: Message(text=reception),
        },
    )  # fmt: skip
    _keep(desk, draft, at, submit=False, approve=False)
    _keep(desk, review, at, submit=True, approve=False)
    _keep(desk, soon, at, submit=True, approve=True)
    _keep(desk, tomorrow, at, submit=True, approve=True)


def _first(pages: list[Page], network: Network) -> str:
    return next(page.id for page in pages if page.network is network)


def _publication(
    id: str, title: str, at: datetime, due_in: timedelta, variants: dict[str, Message]
) -> Publication:
    due_at = (at + due_in).replace(second=0, microsecond=0)
    return Publication(
        id=id,
        title=title,
        author="publics",
        due_at=due_at,
        wall_time=f"{due_at.astimezone(ZoneInfo(ZONE)):%Y-%m-%dT%H:%M}",
        zone=ZONE,
        variants=tuple(variants.items()),
        created_at=at,
    )


def _keep(desk: Desk, publication: Publication, at: datetime, *, submit: bool, approve: bool) -> None:
    if _is_kept(desk, publication.id):
        return
    kept = desk.publications.save_draft(publication, actor="publics", at=at)
    if submit:
        kept = desk.publications.submit(kept.id, actor="publics", at=at, version=kept.version)
    if approve:
        desk.publications.approve(
            kept.id, actor="editor", at=at, version=kept.version, hash=kept.payload_hash
        )


def _is_kept(desk: Desk, publication_id: str) -> bool:
    try:
        desk.publications.get(publication_id)
    except NotFound:
        return False
    return True


def picture(width: int = 480, height: int = 270) -> bytes:
    """A PNG drawn here: evening sky over a dark wood, so that no photo of anybody is needed."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # no filter
        for x in range(width):
            wood = height * 0.72 + 14 * math.sin(x / 23) + 9 * math.sin(x / 7.0)
            dusk = y / height
            sky = (int(40 + 150 * dusk), int(60 + 90 * dusk), int(120 + 40 * dusk))
            rows += bytes((18, 34, 30) if y > wood else sky)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(bytes(rows), 9)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
