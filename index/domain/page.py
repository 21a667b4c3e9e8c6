"""An official page (госпаблик) with its card and what its channel can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from index.domain.post import Network


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
