"""People, their sessions, keys of programs, official pages and their photos."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from index.desk import Desk
from index.domain.page import PageMode
from index.domain.person import Role
from index.errors import Conflict, NotFound, Refused
from tests.factories import NOON, page, person

MINUTE = timedelta(minutes=1)
PASSWORD = "тёплый-ноябрь-7"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


def hired(desk: Desk, **facts):
    return desk.people.add(person(**{"login": "ivanova"} | facts), PASSWORD, actor="admin", at=NOON)


def test_the_right_password_opens(desk: Desk):
    ivanova = hired(desk)
    assert desk.people.verify("ivanova", PASSWORD, now=NOON) == ivanova
    assert desk.people.get("ivanova") == ivanova
    assert desk.people.list() == [ivanova]


def test_a_wrong_one_does_not_say_what_was_wrong(desk: Desk):
    hired(desk)
    said = set()
    for login, password in (("ivanova", "нет"), ("nobody", PASSWORD), ("ivanova", ""), ("\x00", "\ud800")):
        with pytest.raises(Refused) as refused:
            desk.people.verify(login, password, now=NOON)
        said.add(str(refused.value))
    assert len(said) == 1


def test_ten_wrong_passwords_lock_the_login_for_a_while(desk: Desk):
    hired(desk)
    for _ in range(10):
        with pytest.raises(Refused, match="Неверн"):
            desk.people.verify("ivanova", "нет", now=NOON)
    with pytest.raises(Refused, match="через 14 мин"):
        desk.people.verify("ivanova", PASSWORD, now=NOON + MINUTE)
    assert desk.people.verify("ivanova", PASSWORD, now=NOON + 15 * MINUTE)


def test_a_right_password_forgets_the_wrong_ones(desk: Desk):
    hired(desk)
    for _ in range(2):
        for _ in range(6):
            with pytest.raises(Refused):
                desk.people.verify("ivanova", "нет", now=NOON)
        desk.people.verify("ivanova", PASSWORD, now=NOON)


def test_only_a_hash_of_the_password_is_kept(desk: Desk):
    hired(desk)
    with desk.database.read() as connection:
        kept = connection.execute(text("SELECT password FROM people")).scalar_one()
    assert kept.startswith("$argon2id$")


def test_a_login_is_taken_once(desk: Desk):
    hired(desk)
    with pytest.raises(Conflict, match="занято"):
        hired(desk)


def test_a_short_password_is_refused(desk: Desk):
    with pytest.raises(Refused, match="короче"):
        desk.people.add(person(), "1234567", actor="admin", at=NOON)


def test_a_session_lasts_while_it_is_used(desk: Desk):
    ivanova = hired(desk)
    token = desk.people.start_session("ivanova", NOON)
    hour = timedelta(hours=1)
    assert desk.people.session(token, NOON + 11 * hour) == ivanova
    assert desk.people.session(token, NOON + 22 * hour) == ivanova
    assert desk.people.session(token, NOON + 34 * hour) is None
    assert desk.people.session("чужой", NOON) is None


def test_a_session_ends_when_told(desk: Desk):
    hired(desk)
    token = desk.people.start_session("ivanova", NOON)
    desk.people.end_session(token)
    desk.people.end_session(token)
    assert desk.people.session(token, NOON) is None


def test_a_token_is_not_kept_in_the_open(desk: Desk):
    hired(desk)
    token = desk.people.start_session("ivanova", NOON)
    with desk.database.read() as connection:
        assert token not in str(connection.execute(text("SELECT * FROM sessions")).all())


@pytest.mark.parametrize("act", ["disable", "password"])
def test_disabling_and_a_new_password_end_the_sessions(desk: Desk, act: str):
    hired(desk)
    token = desk.people.start_session("ivanova", NOON)
    if act == "disable":
        desk.people.disable("ivanova", actor="admin", at=NOON)
        with pytest.raises(Refused):
            desk.people.verify("ivanova", PASSWORD, now=NOON)
    else:
        desk.people.set_password("ivanova", "другой-пароль", actor="admin", at=NOON)
        assert desk.people.verify("ivanova", "другой-пароль", now=NOON)
    assert desk.people.session(token, NOON) is None


def test_the_last_administrator_stays(desk: Desk):
    hired(desk)
    hired(desk, login="admin", roles=frozenset({Role.ADMIN}))
    with pytest.raises(Conflict, match="последний администратор"):
        desk.people.disable("admin", actor="admin", at=NOON)
    with pytest.raises(Conflict, match="последний администратор"):
        desk.people.save(replace(desk.people.get("admin"), roles=frozenset({Role.HEAD})), actor="a", at=NOON)
    desk.people.save(
        replace(desk.people.get("ivanova"), roles=frozenset({Role.ADMIN})), actor="admin", at=NOON
    )
    assert not desk.people.disable("admin", actor="ivanova", at=NOON).is_enabled


def test_a_key_opens_until_it_is_revoked(desk: Desk):
    key, secret = desk.keys.add("Ситуационный центр", Role.READER, actor="admin", at=NOON)
    assert desk.keys.verify(secret, NOON).id == key.id
    assert desk.keys.list()[0].last_used_at == NOON
    assert desk.keys.verify("mcu_чужой", NOON) is None
    desk.keys.revoke(key.id, actor="admin", at=NOON)
    desk.keys.revoke(key.id, actor="admin", at=NOON)
    assert desk.keys.verify(secret, NOON) is None
    assert [k.is_revoked for k in desk.keys.list()] == [True]


def test_a_secret_is_nowhere_in_the_desk(desk: Desk):
    _, secret = desk.keys.add("Ситуационный центр", Role.READER, actor="admin", at=NOON)
    with desk.database.read() as connection:
        assert secret not in str(connection.execute(text("SELECT * FROM api_keys")).all())
    assert secret not in str(desk.audit.find()[0])


def test_a_page_is_added_once_and_changed(desk: Desk):
    whole = page(id="vk-1", card={"phone": "2-15-01"}, late_limit=20 * MINUTE)
    assert desk.pages.add(whole, actor="admin", at=NOON)
    assert not desk.pages.add(replace(whole, title="Иначе"), actor="admin", at=NOON)
    assert desk.pages.get("vk-1") == whole
    live = desk.pages.save(replace(whole, mode=PageMode.LIVE), actor="admin", at=NOON)
    assert desk.pages.list(enabled_only=True) == [live]
    assert desk.audit.find()[0][0].detail == {"fields": ["mode"], "mode": "live"}
    with pytest.raises(NotFound, match="страницы"):
        desk.pages.get("vk-0")


def test_a_photo_is_kept_by_what_it_is(desk: Desk, tmp_path: Path):
    name = desk.media.put(PNG, "image/png")
    assert desk.media.put(PNG, "image/png") == name
    assert desk.media.open(name) == PNG
    assert [file.name for file in (tmp_path / "media").iterdir()] == [name]


@pytest.mark.parametrize(
    ("body", "mime"),
    [(b"<svg/>", "image/svg+xml"), (b"<html>", "image/png"), (PNG, "image/jpeg"), (b"", "image/png"),
     (PNG + b"0" * 10 * 1024 * 1024, "image/png")],
)  # fmt: skip
def test_what_is_no_photo_is_refused(desk: Desk, body: bytes, mime: str):
    with pytest.raises(Refused) as refused:
        desk.media.put(body, mime)
    assert refused.value.field == "photo"


@pytest.mark.parametrize("name", ["../desk.sqlite", "", "0" * 64, "/etc/passwd"])
def test_nothing_else_is_read_from_the_disk(desk: Desk, name: str):
    with pytest.raises(NotFound, match="фотографии"):
        desk.media.open(name)
