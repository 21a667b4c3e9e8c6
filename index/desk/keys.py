"""Keys of programs that read the API; only the hash of a secret is kept."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select, update

from index.desk import tables
from index.desk.database import Database
from index.desk.people import hashed_token
from index.desk.rows import Rows, new_id
from index.domain.person import ApiKey, Role
from index.errors import Refused

KEYS = Rows(tables.api_keys, ApiKey, missing="Такого ключа нет.")
USED_EVERY = timedelta(minutes=1)  # how often the use of a key is written down


class Keys:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, role: Role, *, actor: str, at: datetime) -> tuple[ApiKey, str]:
        """The key and its secret, which is shown this once. Raises Refused without a name."""
        if not name.strip():
            raise Refused("Назовите ключ: кто им пользуется.", field="name")
        key = ApiKey(id=new_id("k"), name=name.strip(), role=role, created_at=at)
        secret = f"mcu_{secrets.token_urlsafe(32)}"
        with self._database.write() as tx:
            KEYS.add(tx, key, secret=hashed_token(secret))
            tx.audit("key_added", f"key:{key.id}", actor=actor, at=at, role=role.value)
        return key, secret

    def verify(self, secret: str, now: datetime) -> ApiKey | None:
        """Whose secret it is; None: nobody's, or revoked."""
        key = tables.api_keys.c
        mine = (key.secret == hashed_token(secret)) & key.is_revoked.is_(False)
        with self._database.read() as connection:
            row = connection.execute(select(tables.api_keys).where(mine)).one_or_none()
        if row is None:
            return None
        if row.last_used_at is None or row.last_used_at < now - USED_EVERY:
            with self._database.write() as tx:
                tx.execute(update(tables.api_keys).where(mine).values(last_used_at=now))
        return KEYS.value(row)

    def list(self) -> list[ApiKey]:
        """Newest first, revoked ones too."""
        key = tables.api_keys.c
        with self._database.read() as connection:
            query = select(tables.api_keys).order_by(key.created_at.desc(), key.id)
            return KEYS.values(connection.execute(query).all())

    def revoke(self, key_id: str, *, actor: str, at: datetime) -> ApiKey:
        """Refused from now on; repeating it changes nothing. Raises NotFound."""
        with self._database.write() as tx:
            key = KEYS.save(tx, replace(KEYS.lock(tx, key_id), is_revoked=True))
            tx.audit("key_revoked", f"key:{key_id}", actor=actor, at=at)
        return key
