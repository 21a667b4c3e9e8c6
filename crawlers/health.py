"""How well a source is seen: what a visit or a refusal says of its state, in words for the officer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from crawlers.pages.base import NetworkRefusal, Reaction, Unreadable
from crawlers.schedule import Rhythm, is_silent
from index.domain.post import Network
from index.domain.source import SourceHealth, SourceState
from index.errors import ServiceError
from index.pace import NotNow

DAILY = timedelta(days=1)
WEBHOOK_CHECK = timedelta(minutes=10)  # costs nothing: no call leaves
TOKEN_CHECK = timedelta(minutes=1)  # costs nothing: a dead token is frozen, no call leaves
STRANGE_ANSWERS = 3  # unreadable answers in a row before we say that the layout has changed
LATE = timedelta(minutes=5)  # later than its due time by this much: the source is behind

NETWORK_NAMES = {
    Network.VK: "ВКонтакте",
    Network.OK: "Одноклассники",
    Network.TELEGRAM: "Telegram",
    Network.MAX: "MAX",
    Network.NEWS: "Сайт",
}


class NoToken(ServiceError):
    """The settings hold no token for this network."""


class Unreached(ServiceError):
    """The network did not give a whole answer: timeout, reset, refused connection, too big, redirect loop."""


class LayoutChanged(ServiceError):
    """The answer is well formed, but where posts used to stand there are none."""


class Closed(ServiceError):
    """The source is not shown to the open web (Telegram preview off, robots.txt, a closed group)."""


class ByWebhook(ServiceError):
    """The network brings these events itself; asking for them would split them between two readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a visit did not read everything, and when it makes sense to come again."""

    state: SourceState
    reason: str  #: Russian, for the officer
    retry_at: datetime | None = None  #: None: by the number of failures in a row
    is_failure: bool = True  #: False: our own pace held the visit back, the source is well
    to_disable: bool = False  #: the register is wrong: a person has to mend the address


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one visit brought."""

    is_complete: bool = False  #: everything since the last complete visit is stored
    new: int = 0  #: posts and comments that were not in the index
    changed: int = 0
    read: int = 0  #: posts and comments in the answers, known ones too
    broken: int = 0  #: records that went to the quarantine
    published: tuple[datetime, ...] = ()  #: times of the new posts (not comments): they teach the rhythm
    newest_post_at: datetime | None = None
    trouble: Trouble | None = None


def trouble_of(error: ServiceError, health: SourceHealth, now: datetime) -> Trouble:
    """What an error of a visit means for the source. `health` is what was known before the visit."""
    match error:
        case NetworkRefusal():
            return _refused(error, health, now)
        case NoToken():
            return Trouble(state=SourceState.NEEDS_TOKEN, reason=str(error), retry_at=now + TOKEN_CHECK)
        case NotNow():
            return _held(error, now)
        case ByWebhook():
            at = now + WEBHOOK_CHECK
            return Trouble(state=SourceState.FINE, reason=str(error), retry_at=at, is_failure=False)
        case LayoutChanged():
            return Trouble(state=SourceState.LAYOUT_CHANGED, reason=str(error))
        case Closed():
            return Trouble(state=SourceState.BANNED, reason=str(error), retry_at=now + DAILY)
        case Unreadable():
            is_strange = health.failures + 1 >= STRANGE_ANSWERS
            state = SourceState.LAYOUT_CHANGED if is_strange else SourceState.FAILING
            return Trouble(state=state, reason=f"Ответ не читается. {error}")
        case _:
            return Trouble(state=SourceState.FAILING, reason=str(error))


def _held(error: NotNow, now: datetime) -> Trouble:
    if error.is_ours:
        return Trouble(
            state=SourceState.SLOW,
            reason=str(error),
            retry_at=min(error.until, now + timedelta(hours=1)),
            is_failure=False,
        )
    state = SourceState.NEEDS_TOKEN if error.is_token else SourceState.FAILING
    wait = TOKEN_CHECK if error.is_token else timedelta(minutes=10)
    return Trouble(state=state, reason=str(error), retry_at=min(error.until, now + wait))


def _refused(refusal: NetworkRefusal, health: SourceHealth, now: datetime) -> Trouble:
    network = NETWORK_NAMES[refusal.network]
    said = f"{network}: {refusal.message} (код {refusal.code})"
    match refusal.reaction:
        case Reaction.STOP_TOKEN | Reaction.RENEW:
            reason = f"Ключ доступа не принят, нужен новый. {said}"
            return Trouble(state=SourceState.NEEDS_TOKEN, reason=reason, retry_at=now + TOKEN_CHECK)
        case Reaction.CAPTCHA:
            reason = f"Сеть требует подтверждения человеком: войдите под этим ключом. {said}"
            return Trouble(state=SourceState.NEEDS_TOKEN, reason=reason, retry_at=now + TOKEN_CHECK)
        case Reaction.NO_ACCESS:
            return Trouble(state=SourceState.BANNED, reason=f"Доступ закрыт. {said}", retry_at=now + DAILY)
        case Reaction.BLOCKED:
            reason = f"Страница заблокирована или закрыта. {said}"
            return Trouble(state=SourceState.BANNED, reason=reason, retry_at=now + 7 * DAILY)
        case Reaction.GONE:
            return Trouble(state=SourceState.BANNED, reason=f"Страница удалена. {said}", retry_at=now + DAILY)
        case Reaction.FREEZE_METHOD:
            at = min(refusal.until or now + timedelta(hours=1), now + timedelta(hours=1))  # probed hourly
            reason = f"Запас вызовов сети израсходован. {said}"
            return Trouble(state=SourceState.SLOW, reason=reason, retry_at=at, is_failure=False)
        case Reaction.BAD_REQUEST:
            is_sure = health.failures + 1 >= STRANGE_ANSWERS
            reason = f"Сеть не принимает адрес источника, проверьте его. {said}"
            retry_at = now + timedelta(minutes=10)
            return Trouble(state=SourceState.FAILING, reason=reason, retry_at=retry_at, to_disable=is_sure)
        case Reaction.SLOW_DOWN:
            at = now + (refusal.after or timedelta(seconds=30))
            return Trouble(state=SourceState.SLOW, reason=f"Сеть просит реже. {said}", retry_at=at)
        case Reaction.RETRY:
            return Trouble(state=SourceState.FAILING, reason=f"Сеть отвечает с ошибкой. {said}")
        case Reaction.UNKNOWN:
            return Trouble(state=SourceState.FAILING, reason=f"Неизвестный отказ. {said}")


def after_visit(
    health: SourceHealth,
    outcome: Outcome,
    rhythm: Rhythm,
    *,
    started_at: datetime,
    now: datetime,
    due_at: datetime,
) -> SourceHealth:
    """The health after a visit; `due_at` is the next one, `rhythm` already knows the new posts."""
    trouble = outcome.trouble
    is_failure = trouble is not None and trouble.is_failure
    state, reason = (trouble.state, trouble.reason) if trouble else _when_well(health, rhythm, started_at)
    newest = [at for at in (health.newest_post_at, outcome.newest_post_at) if at]
    return SourceHealth(
        source_id=health.source_id,
        state=state,
        reason=reason,
        visited_at=now,
        fresh_at=started_at if outcome.is_complete else health.fresh_at,
        newest_post_at=max(newest, default=None),
        due_at=due_at,
        failures=health.failures + 1 if is_failure else 0,
        posts_seen=health.posts_seen + outcome.new,
    )


def _when_well(health: SourceHealth, rhythm: Rhythm, started_at: datetime) -> tuple[SourceState, str]:
    if is_silent(rhythm, started_at):
        assert rhythm.newest is not None  # noqa: S101 - a rhythm without posts is never silent
        days, hours = divmod(int((started_at - rhythm.newest).total_seconds() // 3600), 24)
        pause = f"{days} сут {hours} ч" if days else f"{hours} ч"
        return SourceState.SILENT, f"Нет новых публикаций {pause}: дольше, чем бывает."
    if health.due_at is not None and health.state is SourceState.FINE and started_at - health.due_at > LATE:
        minutes = int((started_at - health.due_at).total_seconds() // 60)
        return SourceState.SLOW, f"Посещён на {minutes} мин позже срока: обход не успевает."
    return SourceState.FINE, ""
