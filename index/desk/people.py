"""People who work with the service: passwords (argon2), a lock against guessing, and their sessions."""

from __future__ import annotations

import hashlib
import math
import secrets
import zlib
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, insert, select, update

from index.desk import tables
from index.desk.database import Database, Transaction
from index.desk.rows import Rows, insert_new
from index.domain.person import Person, Right
from index.errors import Conflict, Refused

PASSWORDS = PasswordHasher()  # argon2id, 64 MiB and about a tenth of a second a password
PEOPLE = Rows(tables.people, Person, missing="Такого сотрудника нет.")
ATTEMPTS = 10  # wrong passwords
WITHIN = timedelta(minutes=15)
IDLE = timedelta(hours=12)  # a session that nobody used for longer has ended
LONGEST = timedelta(days=7)  # after that the password is asked again
SEEN_EVERY = timedelta(minutes=1)  # how often a used session is written down
QUEUES = 256
SHORTEST = 8  # characters of a password


class People:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, person: Person, password: str, *, actor: str, at: datetime) -> Person:
        """Raises Refused on a wrong field or a short password, Conflict when the login is taken."""
        hashed = self._hash(password)
        person.checked()
        with self._database.write() as tx:
            if not insert_new(tx, tables.people, PEOPLE.fields(person) | {"password": hashed}):
                raise Conflict(f"Имя входа «{person.login}» уже занято.")
            tx.audit("person_added", f"person:{person.login}", actor=actor, at=at, roles=sorted(person.roles))
        return person

    def verify(self, login: str, password: str, *, now: datetime) -> Person:
        """Raises Refused: wrong login or password (the same words for both), or too many attempts.

        The attempt is counted before the password is looked at, so that many at once can't guess more.
        """
        with self._database.write() as tx:
            _count_attempt(tx, login, now)
            row = tx.execute(select(tables.people).where(tables.people.c.login == login)).one_or_none()
        known = row.password if row is not None else _nobody(PASSWORDS)
        if not self._is_right(known, password) or row is None or not row.is_enabled:
            raise Refused("Неверное имя входа или пароль.", field="password")
        with self._database.write() as tx:
            tx.execute(delete(tables.login_attempts).where(tables.login_attempts.c.login == login))
            if PASSWORDS.check_needs_rehash(known):
                changed = update(tables.people).where(tables.people.c.login == login)
                tx.execute(changed.values(password=PASSWORDS.hash(_bytes(password))))
        return PEOPLE.value(row)

    def get(self, login: str) -> Person:
        """Raises NotFound."""
        with self._database.read() as connection:
            return PEOPLE.get(connection, login)

    def list(self) -> list[Person]:
        """By name."""
        query = select(tables.people).order_by(tables.people.c.name, tables.people.c.login)
        with self._database.read() as connection:
            return PEOPLE.values(connection.execute(query).all())

    def save(self, person: Person, *, actor: str, at: datetime) -> Person:
        """Overwrite name, roles, sector. Raises NotFound, Refused, Conflict for the last administrator."""
        person.checked()
        with self._database.write() as tx:
            return _change(tx, PEOPLE.lock(tx, person.login), person, actor=actor, at=at)

    def disable(self, login: str, *, actor: str, at: datetime) -> Person:
        """No way in any more, sessions end now. Raises NotFound, Conflict for the last administrator."""
        with self._database.write() as tx:
            person = PEOPLE.lock(tx, login)
            return _change(tx, person, replace(person, is_enabled=False), actor=actor, at=at)

    def set_password(self, login: str, password: str, *, actor: str, at: datetime) -> None:
        """Sessions end now, the lock is lifted. Raises NotFound, Refused when too short."""
        hashed = self._hash(password)
        with self._database.write() as tx:
            PEOPLE.lock(tx, login)
            tx.execute(update(tables.people).where(tables.people.c.login == login).values(password=hashed))
            tx.execute(delete(tables.login_attempts).where(tables.login_attempts.c.login == login))
            _end_sessions(tx, login)
            tx.audit("password_set", f"person:{login}", actor=actor, at=at)

    def start_session(self, login: str, now: datetime) -> str:
        """A token to be kept by the browser; only its hash is stored. Raises NotFound."""
        token = secrets.token_urlsafe(32)
        session = {"token": hashed_token(token), "login": login, "started_at": now, "seen_at": now}
        with self._database.write() as tx:
            PEOPLE.get(tx.connection, login)
            tx.execute(delete(tables.sessions).where(tables.sessions.c.seen_at <= now - IDLE))
            tx.execute(insert(tables.sessions).values(**session))
            tx.audit("session_started", f"person:{login}", actor=login, at=now)
        return token

    def session(self, token: str, now: datetime) -> Person | None:
        """Whose it is; None: there is none, it has ended, or the person was disabled."""
        told = tables.sessions.c
        query = (
            select(tables.people, told.seen_at)
            .join(tables.sessions, told.login == tables.people.c.login)
            .where(
                told.token == hashed_token(token),
                told.seen_at > now - IDLE,
                told.started_at > now - LONGEST,
                tables.people.c.is_enabled,
            )
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.seen_at < now - SEEN_EVERY:
            with self._database.write() as tx:
                tx.execute(
                    update(tables.sessions).where(told.token == hashed_token(token)).values(seen_at=now)
                )
        return PEOPLE.value(row)

    def end_session(self, token: str) -> None:
        """Nothing happens when it has ended."""
        with self._database.write() as tx:
            tx.execute(delete(tables.sessions).where(tables.sessions.c.token == hashed_token(token)))

    def _hash(self, password: str) -> str:
        if len(password) < SHORTEST:
            raise Refused(f"Пароль короче {SHORTEST} знаков.", field="password")
        return PASSWORDS.hash(_bytes(password))

    def _is_right(self, known: str, password: str) -> bool:
        try:
            return PASSWORDS.verify(known, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def hashed_token(token: str) -> str:
    """sha256 (hex): a token has 256 random bits, it needs no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "backslashreplace")).hexdigest()


@cache
def _nobody(hasher: PasswordHasher) -> str:
    """A hash for logins that do not exist, so that the answer takes as long."""
    return hasher.hash(secrets.token_urlsafe(16))


def _count_attempt(tx: Transaction, login: str, now: datetime) -> None:
    table = tables.login_attempts
    login = login[:200]
    tx.execute(delete(table).where(table.c.at <= now - WITHIN))
    # a row is locked so that attempts queue on PostgreSQL too; a few rows for all logins anybody may invent
    queue = f"login:{zlib.crc32(login.encode('utf-8', 'backslashreplace')) % QUEUES}"
    insert_new(tx, tables.counters, {"name": queue, "value": 0})
    counter = tables.counters.c
    tx.execute(select(counter.value).where(counter.name == queue).with_for_update())
    query = select(func.count().label("number"), func.min(table.c.at).label("first")).where(
        table.c.login == login
    )
    tried = tx.execute(query).one()
    if tried.number >= ATTEMPTS:
        minutes = math.ceil((tried.first + WITHIN - now) / timedelta(minutes=1))
        raise Refused(f"Слишком много попыток входа: повторите через {minutes} мин.", field="password")
    tx.execute(insert(table).values(login=login, at=now))


def _change(tx: Transaction, before: Person, after: Person, *, actor: str, at: datetime) -> Person:
    PEOPLE.save(tx, after)
    if not after.may(Right.EDIT_PEOPLE) and before.may(Right.EDIT_PEOPLE):
        _must_have_admin(tx)
    if not after.is_enabled:
        _end_sessions(tx, after.login)
    tx.audit("person_changed", f"person:{after.login}", actor=actor, at=at, was=sorted(before.roles),
             roles=sorted(after.roles), enabled=after.is_enabled)  # fmt: skip
    return after


def _must_have_admin(tx: Transaction) -> None:
    everybody = select(tables.people).order_by(tables.people.c.login).with_for_update()
    if not any(person.may(Right.EDIT_PEOPLE) for person in PEOPLE.values(tx.execute(everybody).all())):
        raise Conflict("Это последний администратор: сначала назначьте другого.")


def _end_sessions(tx: Transaction, login: str) -> None:
    tx.execute(delete(tables.sessions).where(tables.sessions.c.login == login))
