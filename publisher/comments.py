"""Answers to residents: which official page may speak under a post, and whether the answer fits there.

What follows from a published answer (the reply, the incident and its deadlines) the desk writes itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from index.domain.page import Page, page_address
from index.domain.post import Network
from index.domain.publication import Message
from index.errors import NeedsOperator, Refused
from publisher.channels.base import Channel


def speakers(post_id: str, pages: Iterable[Page]) -> list[Page]:
    """Pages that may answer under the post or comment, the one it stands on first, else in the order given.

    VK: any community of ours; Telegram: only the channel itself or the one whose discussion group it is.
    """
    network, _, path = post_id.partition(":")
    fitting = [page for page in pages if page.is_enabled and page.network.value == network]
    if network == Network.TELEGRAM.value:
        return [page for page in fitting if _is_telegram_home(page, path)]
    if network == Network.VK.value:
        owner = re.match(r"[a-z]*(-?\d+)_", path)
        home = owner[1] if owner else ""
        return sorted(fitting, key=lambda page: page_address(page.network, page.address) != home)
    return fitting


def check_answer(channels: Callable[[Page], Channel], page: Page, post_id: str, text: str) -> None:
    """Whether the answer can go there, before it is approved. Raises Refused naming the field."""
    try:
        channels(page).prepare(Message(text=text, reply_to=post_id), page)
    except NeedsOperator as error:  # the page lacks something: its discussion group
        raise Refused(str(error), field="page_id") from error


def _is_telegram_home(page: Page, path: str) -> bool:
    """`durov/142` stands in the channel, `c1234/5` in a discussion group."""
    name = path.partition("/")[0].lower()
    if group := re.fullmatch(r"c(\d+)", name):
        # A group given by name cannot be compared with a number: the channel does that before it writes.
        given = (page.discussion or "").strip()
        return bool(given) and (not re.fullmatch(r"-?\d+", given) or given.removeprefix("-100") == group[1])
    return page_address(page.network, page.address) == f"@{name}" and bool(page.discussion)
