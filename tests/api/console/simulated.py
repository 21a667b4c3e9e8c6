"""A person before a page of the console, in NiceGUI's simulated browser: real pages and desk, no Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from nicegui.testing import User
from nicegui.testing.user_interaction import UserInteraction
from nicegui.testing.user_simulation import user_simulation

from api.console.button import Button
from api.security import SESSION_COOKIE
from api.service import Service
from index.domain.person import Role
from tests.factories import NOON, person

PASSWORD = "долгий пароль 7"
Walk = Callable[[User], Awaitable[None]]


def visit(
    service: Service, register: Callable[[Service], None], path: str, walk: Walk, *, role: Role = Role.HEAD
) -> None:
    """A person of that role opens the page in a simulated browser and does what `walk` does."""
    service.desk.people.add(
        person(login="ivanova", roles=frozenset({role})), PASSWORD, actor="admin", at=NOON
    )
    token = service.desk.people.start_session("ivanova", now=NOON)

    async def walked() -> None:
        async with user_simulation() as user:
            register(service)
            user.http_client.cookies.set(SESSION_COOKIE, token)
            await user.open(path)
            await walk(user)

    asyncio.run(walked())


def press(user: User, words: str) -> None:
    """The newest button with exactly these words."""
    found = [each for each in user.find(kind=Button).elements if each.text == words]
    UserInteraction(user, {max(found, key=lambda each: each.id)}, words).click()


async def until(holds: Callable[[], bool], *, seconds: float = 60) -> None:
    for _ in range(int(seconds * 20)):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError
