"""Export of «Инцидент менеджмент» -> incidents of the desk, each outside number once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from crawlers.imports.desk import Case, Known, keep
from crawlers.imports.table import ImportReport, Row, read_rows
from crawlers.pages.text import presentable
from index.desk import Desk
from index.domain.incident import IncidentType, Outcome, Regime
from index.errors import Refused

#: Executor and other columns with people's names are not here: they are never read.
COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "number": ("Номер инцидента", "№ инцидента", "ID инцидента", "Инцидент"),
    "created": ("Дата создания", "Дата создания инцидента", "Создан", "Дата"),
    "closed": ("Дата закрытия", "Дата закрытия инцидента", "Закрыт"),
    "group": ("Группа тем", "Группа темы", "Категория"),
    "topic": ("Тема", "Тема инцидента"),
    "municipality": ("Муниципалитет", "Муниципальное образование", "МО", "Район"),
    "place": ("Населённый пункт", "Нас. пункт", "Город"),
    "street": ("Улица",),
    "house": ("Дом", "Номер дома"),
    "type": ("Тип инцидента", "Тип"),
    "outcome": ("Итог", "Результат", "Итог инцидента"),
    "text": ("Текст инцидента", "Текст", "Текст сообщения"),
    "tags": ("Теги", "Тэги"),
    "department": ("Отдел", "Подразделение"),
    "link": ("Ссылка", "Ссылка на сообщение", "URL"),
}
TYPES = {
    "решаемый": IncidentType.SOLVABLE,
    "нерешаемый": IncidentType.UNSOLVABLE,
    "информационный": IncidentType.INFORMATIONAL,
}
OUTCOMES = {
    "решено": Outcome.SOLVED,
    "разъяснено": Outcome.EXPLAINED,
    "перенаправлено": Outcome.FORWARDED,
    "закрыто": Outcome.CLOSED,
    "не решено": Outcome.NOT_SOLVED,
    "отложено": Outcome.POSTPONED,
}


def import_incidents(path: Path, desk: Desk, *, actor: str, at: datetime) -> ImportReport:
    """Every row as an incident with its own dates; what is known already is left as people left it.

    Repeatable: a number that is there already adds nothing. A row that cannot be read is refused with its
    line, the others go on. Raises Refused when the file is another table, Unavailable.
    """
    rows = read_rows(path, COLUMNS, needed=("number", "created", "topic"))
    return keep(rows, _case, Known.of(desk, pos=False), desk, actor=actor, at=at)


def _case(row: Row) -> Case:
    number = row.text("number")
    if number is None:
        raise Refused("нет номера инцидента", field="number")
    created = row.moment("created")
    if created is None:
        raise Refused("нет даты создания", field="created")
    topic, group = row.text("topic"), row.text("group")
    place = row.text("place")
    address = ", ".join(filter(None, (row.text("street"), row.text("house")))) or None
    where = ", ".join(filter(None, (place, address)))
    what = topic or group or "Инцидент"
    closed = row.moment("closed")
    return Case(
        number=number,
        title=f"{what}: {where}" if where else what,
        created_at=created,
        closed_at=closed,
        outcome=_outcome(row) if closed is not None else None,
        type=_type(row),
        regime=Regime.OPEN_SOURCE,
        topic_group=group,
        topic=topic,
        place=place,
        address=address,
        link=row.text("link"),
        note=_note(row),
    )


def _type(row: Row) -> IncidentType | None:
    value = row.text("type")
    if value is None:
        return None
    found = TYPES.get(value.lower())
    if found is None:
        raise Refused(f"тип инцидента «{value[:40]}» неизвестен", field="type")
    return found


def _outcome(row: Row) -> Outcome:
    value = row.text("outcome")
    if value is None:
        return Outcome.CLOSED
    found = OUTCOMES.get(value.lower())
    if found is None:
        raise Refused(f"итог «{value[:40]}» неизвестен", field="outcome")
    return found


def _note(row: Row) -> str:
    """Words of the resident and of the other system, personal data masked."""
    parts = (
        ("", row.text("text")),
        ("Теги: ", row.text("tags")),
        ("Отдел: ", row.text("department")),
        ("Муниципалитет: ", row.text("municipality")),
    )
    return "\n".join(f"{word}{presentable(value)}" for word, value in parts if value)
