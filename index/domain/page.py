"""An official page (госпаблик) with its card and what its channel can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from index.domain.post import Network
from index.errors import Refused

PASSWORD_LIFE = timedelta(days=92)  # a page's password is changed at least quarterly

#: What a page's card must say, field → what the officer reads; other regions' acts ask for these.
CARD: Mapping[str, str] = {
    "name": "название по имени органа",
    "postal_address": "почтовый адрес",
    "email": "электронная почта",
    "phone": "телефон",
    "site": "сайт",
    "about": "сведения о деятельности",
    "subject": "тематика страницы",
    "hours": "график работы",
    "description": "описание",
    "avatar": "аватар и обложка",
    "mark": "отметка «Госорганизация»",
    "two_factor": "вход в два шага у владельца и администраторов",
    "responsible": "ответственный сотрудник",
    "comments": "комментарии открыты",
    "gospabliki": "подключена к «Госпабликам»",
    "category": "категория страницы",
    "widgets": "виджеты ПОС и QR-коды",
    "rules": "правила комментариев закреплены",
    "site_link": "ссылка на страницу с сайта",
}


class PageMode(StrEnum):
    REHEARSAL = "rehearsal"  #: учебный: channel `log`, nothing leaves the service
    LIVE = "live"  #: боевой


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One official page on one network. `address`: VK club id, OK gid, Telegram @channel, MAX chat id."""

    id: str
    network: Network
    address: str
    title: str
    organisation: str = ""  #: whose page it is
    url: str | None = None
    mode: PageMode = PageMode.REHEARSAL  # a new page never sends until somebody switches it on
    discussion: str | None = None  #: Telegram group where comments live
    weekly_norm: int = 3  #: posts a week
    late_limit: timedelta = timedelta(minutes=30)  #: a slot missed by more needs a person
    card: Mapping[str, str] = field(default_factory=dict)  #: checklist of the page card, field → value
    password_changed_at: datetime | None = None
    is_enabled: bool = True

    def gaps(self, now: datetime) -> tuple[str, ...]:
        """Russian names of what the card lacks, in the order of `CARD`; shown red."""
        missing = [words for name, words in CARD.items() if not self.card.get(name, "").strip()]
        changed = self.password_changed_at
        if changed is None or now - changed > PASSWORD_LIFE:
            missing.append("пароль менялся не больше квартала назад")
        return tuple(missing)


def page_address(network: Network, address: str) -> str:
    """The one spelling of a page's address: what channels, keys and the register compare.

    VK -1, OK gid, Telegram @channel or chat id, MAX chat id. A VK short name is refused: it can be given to
    another community, and the next post would stand on a stranger's wall. Raises Refused with the remedy.
    """
    cut = re.sub(r"^https?://(www\.|m\.)?[^/]+/", "", address.strip()).strip("/")
    match network:
        case Network.VK if found := re.fullmatch(r"(?:-|club|public|event)?(\d+)", cut):
            return f"-{int(found[1])}"
        case Network.OK if found := re.fullmatch(r"(?:group/)?(\d+)", cut):
            return found[1]
        case Network.TELEGRAM if re.fullmatch(r"-?\d+", cut):
            return cut
        case Network.TELEGRAM if found := re.fullmatch(r"(?:s/)?@?([A-Za-z][A-Za-z0-9_]{3,31})", cut):
            return f"@{found[1].lower()}"
        case Network.MAX if re.fullmatch(r"-?\d+", cut):
            return cut
    raise Refused(
        f"Адрес страницы «{address}» не подходит: нужен {_WANTED.get(network, 'адрес сети')}.",
        field="address",
    )


_WANTED = {
    Network.VK: "номер сообщества, например club123 (короткое имя может перейти к другим)",
    Network.OK: "номер группы, например 70000001234567",
    Network.TELEGRAM: "@канал или номер чата",
    Network.MAX: "номер чата (chat_id)",
}
