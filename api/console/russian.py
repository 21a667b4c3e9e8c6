"""Numbers and moments as people in the office say them; pure functions of a value and `now`."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

MONTHS = (
    "января", "февраля", "марта", "апреля", "мая", "июня",
    "июля", "августа", "сентября", "октября", "ноября", "декабря",
)  # fmt: skip
WEEKDAYS = ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье")
SHORT_WEEKDAYS = ("Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс")

POSTS = ("пост", "поста", "постов")
AUTHORS = ("автор", "автора", "авторов")
ALERTS = ("сигнал", "сигнала", "сигналов")
INCIDENTS = ("инцидент", "инцидента", "инцидентов")
SOURCES = ("источник", "источника", "источников")
NEW = ("новый", "новых", "новых")
SYMBOLS = ("знак", "знака", "знаков")


def plural(number: int, forms: tuple[str, str, str]) -> str:
    """«1 пост», «2 поста», «5 постов», «21 пост»; thousands apart by a thin no-break space."""
    tens, ones = abs(number) % 100, abs(number) % 10
    form = 2 if 10 < tens < 20 else 0 if ones == 1 else 1 if ones in (2, 3, 4) else 2
    return f"{grouped(number)} {forms[form]}"


def grouped(number: int) -> str:
    """«2 000» with a narrow no-break space."""
    return f"{number:,}".replace(",", "\u202f")


def number(value: float) -> str:
    """«12,5», and «12» when nothing stands after the comma."""
    return f"{value:.1f}".removesuffix(".0").replace(".", ",")


def span(length: timedelta) -> str:
    """«меньше минуты», «40 мин», «3 ч 20 мин», «2 дн 5 ч»; the sign is the caller's."""
    minutes = int(abs(length).total_seconds() // 60)
    if minutes < 1:
        return "меньше минуты"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} дн {hours} ч" if hours else f"{days} дн"
    if hours:
        return f"{hours} ч {minutes} мин" if minutes else f"{hours} ч"
    return f"{minutes} мин"


def ago(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """«только что», «5 мин назад», «3 ч 20 мин назад», then «вчера, 07:40» and «5 ноября, 07:40»."""
    passed = now - moment
    if timedelta(0) <= passed < timedelta(minutes=1):
        return "только что"
    if timedelta(0) <= passed < timedelta(hours=6):
        return f"{span(passed)} назад"
    return when(moment, now, zone)


def ahead(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """«сейчас», «через 5 мин», then «сегодня, 17:40»."""
    if moment - now < timedelta(minutes=1):
        return "сейчас"
    return f"через {span(moment - now)}" if moment - now < timedelta(hours=6) else when(moment, now, zone)


def when(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """«сегодня, 07:40», «вчера, 07:40», «завтра, 10:00», «5 ноября, 07:40», «5 ноября 2025, 07:40»."""
    there, today = moment.astimezone(zone), now.astimezone(zone).date()
    return f"{day(there.date(), today)}, {there:%H:%M}"


def day(that: date, today: date) -> str:
    """«сегодня», «вчера», «завтра», «5 ноября», with the year when it is another."""
    near = {0: "сегодня", -1: "вчера", 1: "завтра"}.get((that - today).days)
    if near:
        return near
    name = f"{that.day} {MONTHS[that.month - 1]}"
    return name if that.year == today.year else f"{name} {that.year}"


def exact(moment: datetime, zone: ZoneInfo) -> str:
    """For the hint: «вторник, 24 ноября 2026, 07:40:12»."""
    there = moment.astimezone(zone)
    weekday = WEEKDAYS[there.weekday()]
    return f"{weekday}, {there.day} {MONTHS[there.month - 1]} {there.year}, {there:%H:%M:%S}"


def left(due: datetime, now: datetime) -> str:
    """«осталось 2 ч 10 мин» or «просрочено на 40 мин»."""
    return f"осталось {span(due - now)}" if due > now else f"просрочено на {span(now - due)}"
