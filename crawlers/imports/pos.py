"""Export of ПОС («Решаем вместе») -> incidents of the desk, each outside number once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from crawlers.imports.desk import Case, Known, keep
from crawlers.imports.table import ImportReport, Row, read_rows
from crawlers.pages.text import presentable
from index.desk import Desk
from index.domain.incident import Outcome, Regime
from index.errors import Refused

#: «ФИО координатора / исполнителя / руководителя» are not here: they are never read.
COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "number": ("Номер", "Номер сообщения", "№"),
    "epgu": ("Номер ЕПГУ",),
    "channel": ("Источник",),
    "office": ("Верхнеуровневый ЛКО",),
    "group": ("Категория",),
    "topic": ("Подкатегория",),
    "fact": ("Факт",),
    "received_by": ("Организация, в которую поступило",),
    "held_by": ("Организация, в которой находится",),
    "created": ("Дата поступления",),
    "planned": ("Дата планируемого завершения работ",),
    "closed": ("Дата фактического завершения работ",),
    "stage": ("Стадия",),
    "state": ("Статус",),
    "is_fast": ("Фаст-трек",),
    "is_law": ("ФЗ", "59-ФЗ"),
    "chose_law": ("Заявитель выбрал подачу по 59-ФЗ",),
    "solution": ("Тип решения",),
    "mark": ("Оценка ответа заявителем",),
    "again": ("Повторное рассмотрение",),
}
#: Start of a word in «Тип решения» or «Статус» -> outcome; the first that fits.
OUTCOMES = (
    ("не реш", Outcome.NOT_SOLVED),
    ("отказ", Outcome.NOT_SOLVED),
    ("разъясн", Outcome.EXPLAINED),
    ("перенаправ", Outcome.FORWARDED),
    ("отлож", Outcome.POSTPONED),
    ("реш", Outcome.SOLVED),
    ("устран", Outcome.SOLVED),
)


def import_pos(path: Path, desk: Desk, *, actor: str, at: datetime) -> ImportReport:
    """Every row as an incident of its regime, due when ПОС plans it; what is known is left as people left it.

    Repeatable: a number that is there already adds nothing. A row that cannot be read is refused with its
    line, the others go on. Raises Refused when the file is another table, Unavailable.
    """
    rows = read_rows(path, COLUMNS, needed=("number", "created", "group"))
    return keep(rows, _case, Known.of(desk, pos=True), desk, actor=actor, at=at)


def _case(row: Row) -> Case:
    number = row.text("number")
    if number is None:
        raise Refused("нет номера", field="number")
    created = row.moment("created")
    if created is None:
        raise Refused("нет даты поступления", field="created")
    closed, planned = row.moment("closed"), row.moment("planned")  # a day means until its end
    group, topic, fact = row.text("group"), row.text("topic"), row.text("fact")
    return Case(
        number=number,
        title=fact or topic or group or "Обращение ПОС",
        created_at=created,
        closed_at=closed,
        due_at=planned + timedelta(days=1) if planned is not None and planned >= created else None,
        outcome=_outcome(row) if closed is not None else None,
        type=None,
        regime=_regime(row),
        topic_group=group,
        topic=topic,
        note=_note(row),
    )


def _regime(row: Row) -> Regime:
    if row.is_yes("chose_law") or row.is_yes("is_law") or (row.text("is_law") or "").startswith("59"):
        return Regime.LAW_59
    return Regime.POS_FAST if row.is_yes("is_fast") else Regime.POS


def _outcome(row: Row) -> Outcome:
    words = f"{row.text('solution') or ''} {row.text('state') or ''}".lower()
    return next((outcome for start, outcome in OUTCOMES if start in words), Outcome.CLOSED)


def _note(row: Row) -> str:
    parts = (
        ("ЕПГУ: ", row.text("epgu")),
        ("Источник: ", row.text("channel")),
        ("Поступило в: ", row.text("received_by")),
        ("Находится в: ", row.text("held_by")),
        ("Стадия: ", row.text("stage")),
        ("Статус: ", row.text("state")),
        ("Решение: ", row.text("solution")),
        ("Оценка заявителя: ", row.text("mark")),
        ("Повторно: ", row.text("again")),
    )
    return "\n".join(f"{word}{presentable(value)}" for word, value in parts if value)
