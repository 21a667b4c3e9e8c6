"""What the console shows only on the practice stand: who can log in and with which practice password."""

from __future__ import annotations

from dataclasses import dataclass

from api.practice.setup import PRACTICE_PEOPLE
from api.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticePerson:
    login: str
    password: str
    name: str


def practice_people(service: Service) -> list[PracticePerson]:
    """Everybody of the practice stand; nobody when the networks are real."""
    if service.practice_url is None:
        return []
    return [
        PracticePerson(login=person.login, password=password, name=person.name)
        for person, password in PRACTICE_PEOPLE
    ]
