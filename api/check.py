"""`mcu check`: configuration, services, models, tokens: what works, what does not, the remedy. Reads only."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from api.compose import open_service
from api.service import Service
from crawlers.webhooks import callback_groups
from index.domain.page import PageMode
from index.errors import ServiceError
from index.posts.query import Query
from index.settings import Settings
from nlp.district import load_district
from nlp.models import current_heads, load_models
from nlp.retelling import language_model
from publisher.channels import channel_for

LITTLE_SPACE = 2 * 1024**3  # bytes free in the data folder, below which the remedy is named


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`is_fine` None: nothing to check here, said so that the person knows."""

    part: str
    is_fine: bool | None
    words: str


def check_everything(settings: Settings) -> list[Finding]:
    """One finding a part, in the order in which a person mends them."""
    found = [Finding(part="настройки", is_fine=True, words="прочитаны"), *_space(settings)]
    found.append(_try("пакет района", lambda: load_district(settings.district).name))
    found.append(
        _try("модели", lambda: load_models(settings.encoder, heads=current_heads(settings.data)).version)
    )
    try:
        with open_service(settings) as service:
            found += _service(service)
    except ServiceError as error:
        found.append(Finding(part="базы", is_fine=False, words=str(error)))
    return found


def _try(part: str, call: Callable[[], str]) -> Finding:
    try:
        return Finding(part=part, is_fine=True, words=call())
    except ServiceError as error:
        return Finding(part=part, is_fine=False, words=str(error))


def _space(settings: Settings) -> Iterator[Finding]:
    folder = settings.data if settings.data.exists() else settings.data.absolute().parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding(
            part="папка данных", is_fine=False, words=f"{folder}: {error.strerror}. Поправьте MCU_DATA."
        )
        return
    words = f"{settings.data}, свободно {free / 1024**3:.1f} ГБ"
    is_enough = free >= LITTLE_SPACE
    yield Finding(
        part="папка данных", is_fine=is_enough, words=words if is_enough else f"{words}. Освободите место."
    )


def _service(service: Service) -> Iterator[Finding]:
    yield _try("стол (desk)", lambda: _desk(service))
    yield _try(
        "индекс постов", lambda: f"{_kind(service.settings.index)}, постов {service.posts.count(Query())}"
    )
    fault = service.desk.audit.verify()
    yield Finding(
        part="журнал действий", is_fine=fault is None,
        words="цепочка цела" if fault is None else f"повреждён с записи {fault.number}: {fault.reason}",
    )  # fmt: skip
    people = service.desk.people.list()
    yield Finding(
        part="сотрудники", is_fine=bool(people),
        words=str(len(people)) if people else "никого нет. Заведите: mcu user add ЛОГИН --role admin",
    )  # fmt: skip
    sources = service.desk.sources.list(enabled_only=True)
    yield Finding(
        part="источники", is_fine=bool(sources),
        words=f"{len(sources)}. Проверить каждый: mcu sources check"
        if sources
        else "нет. Добавьте: mcu sources import sources.yaml",
    )  # fmt: skip
    yield from _tokens(service.settings)
    yield from _webhooks(service.settings)
    yield from _pages(service)
    yield from _stages(service)


def _desk(service: Service) -> str:
    service.desk.check()
    return _kind(service.settings.desk)


def _kind(setting: str) -> str:
    return setting.partition(":")[0]  # never the address: it may carry a password


def _tokens(settings: Settings) -> Iterator[Finding]:
    given = {
        "ключи ВКонтакте": bool(settings.vk_tokens),
        "ключи Одноклассников": all(
            (settings.ok_application_key, settings.ok_access_token, settings.ok_session_secret)
        ),
        "ключ бота Telegram": settings.telegram_bot_token is not None,
        "ключ бота MAX": settings.max_token is not None,
    }
    yield _language_model(settings)
    for name, is_given in given.items():
        yield Finding(
            part=name,
            is_fine=True if is_given else None,
            words="есть" if is_given else "не заданы: эта сеть работать не будет",
        )


def _webhooks(settings: Settings) -> Iterator[Finding]:
    """Who brings its events, and that nobody polls for them beside it."""
    part = "события сетей (webhook)"
    if settings.vk_callbacks:
        yield _try(
            part, lambda: f"ВКонтакте: сообществ {len(callback_groups(settings))}, Long Poll для них выключен"
        )
    if settings.max_webhook_secret is not None:
        yield Finding(part=part, is_fine=True, words="MAX: длинный опрос бота выключен")


def _language_model(settings: Settings) -> Finding:
    """Asked for one word: the only way to know that address, name and key fit."""
    model = language_model(settings)
    if model is None:
        return Finding(part="языковая модель", is_fine=None, words="не задана: «Коротко» словами жителей")
    return _try("языковая модель", lambda: "отвечает" if model.answer("Ответь: да", "да") else "молчит")


def _pages(service: Service) -> Iterator[Finding]:
    """The keys of each official page are asked for, as before a slot."""
    for page in service.desk.pages.list(enabled_only=True):
        part = f"страница «{page.title}»"
        if page.mode is PageMode.REHEARSAL:
            yield Finding(part=part, is_fine=None, words="учебный режим: наружу ничего не уходит")
            continue
        try:
            channel = channel_for(replace(page, mode=PageMode.LIVE), service.settings, service.desk)
        except ServiceError as error:
            yield Finding(part=part, is_fine=False, words=str(error))
            continue
        try:
            off = [c.why or c.ability.value for c in channel.check(page).found if not c.is_on]
            yield Finding(part=part, is_fine=not off, words="; ".join(off) or "ключи работают")
        except ServiceError as error:
            yield Finding(part=part, is_fine=False, words=str(error))
        finally:
            channel.close()


def _stages(service: Service) -> Iterator[Finding]:
    now = datetime.now(UTC)
    for name, beat in sorted(service.desk.beats.all().items()):
        minutes = int((now - beat.at).total_seconds() // 60)
        error = str(beat.detail.get("error", ""))
        words = f"отметка {minutes} мин назад" if minutes >= 2 else "работает"
        yield Finding(part=f"этап {name}", is_fine=not error if minutes < 2 else None, words=error or words)
