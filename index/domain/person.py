"""A person who works with the service, the keys of programs, and what each role may do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from index.errors import Refused

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


class Role(StrEnum):
    ADMIN = "admin"  #: администратор: people, keys, sources, settings
    HEAD = "head"  #: руководитель МЦУ
    INCIDENT_OFFICER = "incident_officer"  #: ответственный за инциденты
    POS_OFFICER = "pos_officer"  #: ответственный за ПОС
    PUBLICS_OFFICER = "publics_officer"  #: ответственный за госпаблики
    EDITOR = "editor"  #: редактор: writes and approves texts
    SECTOR_LEAD = "sector_lead"  #: руководитель отраслевого блока
    READER = "reader"  #: reads only (API consumers)


class Right(StrEnum):
    READ = "read"  #: see everything but people and keys
    TRIAGE = "triage"  #: accept, dismiss, snooze alerts; merge stories
    WORK_INCIDENTS = "work_incidents"  #: open, assign, move, close incidents
    WRITE_REPLY = "write_reply"  #: draft answers
    APPROVE_REPLY = "approve_reply"
    WRITE_PUBLICATION = "write_publication"
    APPROVE_PUBLICATION = "approve_publication"
    RESOLVE_DELIVERY = "resolve_delivery"  #: decide on an unknown outcome, «стоп всё»
    EDIT_PAGES = "edit_pages"
    EDIT_SOURCES = "edit_sources"
    EDIT_PEOPLE = "edit_people"
    READ_AUDIT = "read_audit"
    TRAIN_MODELS = "train_models"  #: teach the heads by corrections, go back to those before


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.ADMIN: frozenset(Right),
    Role.HEAD: frozenset(
        {Right.READ, Right.TRIAGE, Right.WORK_INCIDENTS, Right.WRITE_REPLY, Right.APPROVE_REPLY,
         Right.APPROVE_PUBLICATION, Right.RESOLVE_DELIVERY, Right.READ_AUDIT, Right.TRAIN_MODELS}
    ),
    Role.INCIDENT_OFFICER: frozenset(
        {Right.READ, Right.TRIAGE, Right.WORK_INCIDENTS, Right.WRITE_REPLY, Right.EDIT_SOURCES}
    ),
    Role.POS_OFFICER: frozenset({Right.READ, Right.WORK_INCIDENTS, Right.WRITE_REPLY}),
    Role.PUBLICS_OFFICER: frozenset(
        {Right.READ, Right.WRITE_PUBLICATION, Right.RESOLVE_DELIVERY, Right.EDIT_PAGES, Right.WRITE_REPLY}
    ),
    Role.EDITOR: frozenset(
        {Right.READ, Right.WRITE_REPLY, Right.APPROVE_REPLY, Right.WRITE_PUBLICATION,
         Right.APPROVE_PUBLICATION}
    ),
    Role.SECTOR_LEAD: frozenset({Right.READ, Right.WRITE_REPLY}),
    Role.READER: frozenset({Right.READ}),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Never carries the password; the desk keeps its argon2 hash."""

    login: str
    name: str
    roles: frozenset[Role]
    sector: str | None = None  #: sector of a sector lead, as topics name it
    is_enabled: bool = True

    def checked(self) -> Person:
        """Itself when it can be kept. Raises Refused that names the field."""
        if not LOGIN.fullmatch(self.login):
            raise Refused("Имя входа: латинские буквы, цифры, точка и дефис, от 2 знаков.", field="login")
        if not self.name.strip():
            raise Refused("Укажите имя сотрудника.", field="name")
        if not self.roles:
            raise Refused("Выберите хотя бы одну роль.", field="roles")
        if Role.SECTOR_LEAD in self.roles and not self.sector:
            raise Refused("Укажите отрасль руководителя.", field="sector")
        return self

    def may(self, right: Right) -> bool:
        return self.is_enabled and any(right in RIGHTS[role] for role in self.roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A program's key; only its hash is stored, the secret is shown once."""

    id: str
    name: str  #: who uses it
    role: Role
    created_at: datetime
    last_used_at: datetime | None = None
    is_revoked: bool = False
