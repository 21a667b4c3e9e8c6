"""Exports of ПОС and «Инцидент» come in by header, line by line, and never twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawlers.imports.incident import import_incidents
from crawlers.imports.pos import import_pos
from crawlers.imports.table import ImportReport
from index.desk import Desk, open_desk
from index.domain.incident import Incident, IncidentState, IncidentType, Outcome, Regime
from index.errors import Refused

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def new_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a new desk: its schema is made once, the tests copy it."""
    folder = tmp_path_factory.mktemp("desk")
    open_desk("sqlite", folder).close()
    return folder


@pytest.fixture
def desk(new_desk: Path, tmp_path: Path) -> Iterator[Desk]:
    shutil.copytree(new_desk, tmp_path / "data")
    desk = open_desk("sqlite", tmp_path / "data")
    yield desk
    desk.close()


def xlsx(path: Path, *rows: list[object]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


HEADER: list[object] = [
    "Номер инцидента", "Дата создания", "Дата закрытия", "Группа тем", "Тема", "Регион", "Муниципалитет",
    "Населённый пункт", "Улица", "Дом", "Тип инцидента", "Итог", "Текст инцидента", "Теги", "Отдел",
    "Исполнитель",
]  # fmt: skip
CLOSED: list[object] = [
    "33-1001", "20.11.2026 10:15", "21.11.2026", "ЖКХ", "Нет воды", "Владимирская область",
    "Гусь-Хрустальный район", "Курлово", "Калинина", 5, "Решаемый", "Решено",
    "Второй день нет воды, звонил 8-910-123-45-67", "-", "ЖКХ",
    "Петров Иван Сергеевич",
]  # fmt: skip
OPEN: list[object] = [
    1002.0, datetime.fromisoformat("2026-11-23 08:30"), None, "Дороги", "Ямы", "-", "-", "Уршельский", "-",
    "-", "-", "-",
    "Яма у школы", "-", "-", "-",
]  # fmt: skip


def all_incidents(desk: Desk) -> dict[str | None, Incident]:
    return {incident.outside_number: incident for incident in desk.incidents.find(limit=200)[0]}


def test_rows_become_incidents_with_their_own_dates(desk: Desk, tmp_path: Path) -> None:
    report = import_incidents(xlsx(tmp_path / "a.xlsx", HEADER, CLOSED, OPEN), desk, actor="anna", at=AT)
    assert (report.added, report.skipped, report.refused) == (2, 0, [])
    closed, opened = (all_incidents(desk)[number] for number in ("33-1001", "1002"))
    assert closed.title == "Нет воды: Курлово, Калинина, 5"
    assert closed.created_at == datetime(2026, 11, 20, 7, 15, tzinfo=UTC)
    assert (closed.state, closed.outcome, closed.type) == (
        IncidentState.CLOSED,
        Outcome.SOLVED,
        IncidentType.SOLVABLE,
    )
    assert closed.closed_at == datetime(2026, 11, 20, 21, tzinfo=UTC)
    assert (opened.state, opened.place, opened.address) == (IncidentState.NEW, "Уршельский", None)
    assert opened.created_at == datetime(2026, 11, 23, 5, 30, tzinfo=UTC)


def test_running_it_twice_adds_nothing(desk: Desk, tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", HEADER, CLOSED, OPEN, OPEN)
    first = import_incidents(path, desk, actor="anna", at=AT)
    before = all_incidents(desk)
    second = import_incidents(path, desk, actor="anna", at=AT)
    assert (first.added, first.skipped) == (2, 1)
    assert (second.added, second.skipped) == (0, 3)
    assert all_incidents(desk) == before


def test_what_people_entered_is_never_overwritten(desk: Desk, tmp_path: Path) -> None:
    import_incidents(xlsx(tmp_path / "a.xlsx", HEADER, OPEN), desk, actor="anna", at=AT)
    known = all_incidents(desk)["1002"]
    edited = desk.incidents.edit(
        known.id, actor="oleg", at=AT, version=known.version, title="Яма у школы № 2"
    )
    taken = desk.incidents.assign(edited.id, executor="oleg", actor="oleg", at=AT, version=edited.version)
    closed_there = [*OPEN[:2], "23.11.2026", "Другая", "Другое", *OPEN[5:11], "Решено", *OPEN[12:]]
    report = import_incidents(xlsx(tmp_path / "b.xlsx", HEADER, closed_there), desk, actor="anna", at=AT)
    assert report.skipped == 1
    assert desk.incidents.get(known.id) == taken


def test_what_the_other_system_closed_later_is_closed_when_nobody_took_it_up(
    desk: Desk, tmp_path: Path
) -> None:
    import_incidents(xlsx(tmp_path / "a.xlsx", HEADER, OPEN), desk, actor="anna", at=AT)
    closed_there = [*OPEN[:2], "24.11.2026", *OPEN[3:11], "Разъяснено", *OPEN[12:]]
    import_incidents(xlsx(tmp_path / "b.xlsx", HEADER, closed_there), desk, actor="anna", at=AT)
    assert all_incidents(desk)["1002"].outcome is Outcome.EXPLAINED


def test_names_of_people_and_phones_are_not_kept(desk: Desk, tmp_path: Path) -> None:
    import_incidents(xlsx(tmp_path / "a.xlsx", HEADER, CLOSED), desk, actor="anna", at=AT)
    incident = all_incidents(desk)["33-1001"]
    told = " ".join(event.text for event in desk.incidents.events(incident.id)) + repr(incident)
    assert "Второй день нет воды" in told
    assert "[PHONE]" in told
    assert "Петров" not in told
    assert incident.executor is None


def test_columns_may_stand_in_any_order_below_a_title(desk: Desk, tmp_path: Path) -> None:
    path = xlsx(
        tmp_path / "a.xlsx",
        ["Отчёт за ноябрь"],
        [],
        ["Тема", "ДАТА  СОЗДАНИЯ", "Населенный пункт", "номер инцидента"],
        ["Нет света", date(2026, 11, 22), "Курлово", "77"],
    )
    assert import_incidents(path, desk, actor="anna", at=AT).added == 1
    assert all_incidents(desk)["77"].title == "Нет света: Курлово"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({0: "-"}, "нет номера инцидента"),
        ({1: "-"}, "нет даты создания"),
        ({1: "позавчера"}, "дата «позавчера» не читается, нужна вида 24.11.2026"),
        ({1: "31.02.2026"}, "дата «31.02.2026» не читается, нужна вида 24.11.2026"),
        ({1: "20.11.2030"}, "дата в будущем"),
        ({10: "Срочный"}, "тип инцидента «Срочный» неизвестен"),
        ({11: "Как-нибудь"}, "итог «Как-нибудь» неизвестен"),
    ],
)
def test_a_bad_line_is_refused_by_its_number_and_the_rest_goes_on(
    desk: Desk, tmp_path: Path, change: dict[int, str], reason: str
) -> None:
    bad = [change.get(place, value) for place, value in enumerate(CLOSED)]
    report = import_incidents(xlsx(tmp_path / "a.xlsx", HEADER, bad, OPEN), desk, actor="anna", at=AT)
    assert [(refusal.line, refusal.reason) for refusal in report.refused] == [(2, reason)]
    assert report.added == 1


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp1251"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_csv_in_the_ways_excel_saves_it(desk: Desk, tmp_path: Path, charset: str, delimiter: str) -> None:
    lines = [
        ["Номер инцидента", "Дата создания", "Тема", "Текст инцидента"],
        ["5", "22.11.2026", "Нет воды", '"Нет воды, ""вообще""\nвторой день"'],
    ]
    path = tmp_path / "a.csv"
    path.write_bytes("\r\n".join(delimiter.join(line) for line in lines).encode(charset))
    assert import_incidents(path, desk, actor="anna", at=AT).added == 1
    incident = all_incidents(desk)["5"]
    assert any('"вообще"' in event.text for event in desk.incidents.events(incident.id))


def test_a_link_ties_the_incident_to_the_message(desk: Desk, tmp_path: Path) -> None:
    header: list[object] = ["Номер инцидента", "Дата создания", "Тема", "Ссылка"]
    links = {
        "1": ("https://vk.com/wall-1_23?reply=45", ("vk:-1_23_r45",)),
        "2": ("https://vk.com/club1?w=wall-1_23", ("vk:-1_23",)),
        "3": ("https://t.me/Kurlovo_News/25", ("telegram:kurlovo_news/25",)),
        "4": ("https://ok.ru/group/47/topic/62190641299501", ("ok:62190641299501",)),
        "5": ("https://example.com/", ()),
    }
    rows: list[list[object]] = [[number, "22.11.2026", "Вода", link] for number, (link, _) in links.items()]
    import_incidents(xlsx(tmp_path / "a.xlsx", header, *rows), desk, actor="anna", at=AT)
    found = all_incidents(desk)
    assert {number: found[number].post_ids for number in links} == {n: ids for n, (_, ids) in links.items()}


POS: list[object] = [
    "Номер", "Номер ЕПГУ", "Источник", "Категория", "Подкатегория", "Факт",
    "Организация, в которую поступило",
    "Дата поступления", "Дата планируемого завершения работ", "Дата фактического завершения работ", "Стадия",
    "Статус", "Просрочено", "Фаст-трек", "ФЗ", "Заявитель выбрал подачу по 59-ФЗ", "Тип решения",
    "ФИО исполнителя",
]  # fmt: skip


def pos_row(number: str, **columns: object) -> list[object]:
    ordinary: dict[str, object] = {
        "Номер": number,
        "Категория": "Дороги",
        "Подкатегория": "Ямы",
        "Факт": "Ямы на проезжей части",
        "Дата поступления": "10.11.2026",
        "Дата планируемого завершения работ": "20.11.2026",
        "Стадия": "исполнение",
        "Статус": "В работе",
        "Фаст-трек": "Нет",
        "ФИО исполнителя": "Петров Иван Сергеевич",
    }
    return [(ordinary | columns).get(str(name), "-") for name in POS]


def test_pos_rows_have_their_regime_and_their_planned_term(desk: Desk, tmp_path: Path) -> None:
    path = xlsx(
        tmp_path / "pos.xlsx",
        POS,
        pos_row("900"),
        pos_row("901", **{"Фаст-трек": "Да"}),
        pos_row("902", **{"Заявитель выбрал подачу по 59-ФЗ": "Да"}),
        pos_row("903", **{"Дата фактического завершения работ": "15.11.2026", "Тип решения": "Решено"}),
        pos_row("904", **{"Дата поступления": "нет"}),
    )
    report: ImportReport = import_pos(path, desk, actor="anna", at=AT)
    assert (report.added, len(report.refused)) == (4, 1)
    found = all_incidents(desk)
    assert [found[number].regime for number in ("900", "901", "902")] == [
        Regime.POS,
        Regime.POS_FAST,
        Regime.LAW_59,
    ]
    assert [deadline.due_at for deadline in found["900"].deadlines] == [
        datetime(2026, 11, 20, 21, tzinfo=UTC)
    ]
    assert (found["903"].state, found["903"].outcome) == (IncidentState.CLOSED, Outcome.SOLVED)
    assert import_pos(path, desk, actor="anna", at=AT).added == 0
    told = " ".join(event.text for event in desk.incidents.events(found["900"].id))
    assert "Петров" not in told


def test_the_same_number_of_two_systems_is_two_incidents(desk: Desk, tmp_path: Path) -> None:
    import_pos(xlsx(tmp_path / "pos.xlsx", POS, pos_row("1002")), desk, actor="anna", at=AT)
    report = import_incidents(xlsx(tmp_path / "a.xlsx", HEADER, OPEN), desk, actor="anna", at=AT)
    assert report.added == 1


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("a.xlsx", b"PK\x03\x04broken", "не читается как xlsx"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "старый формат xls"),
        ("a.csv", b"", "нет заголовка со столбцами «Номер инцидента»"),
        ("a.csv", "имя;фамилия\nа;б".encode(), "нет заголовка со столбцами"),
        ("a.csv", bytes(range(256)) * 4, "не таблица"),
    ],
)
def test_another_file_is_refused_with_the_reason(
    desk: Desk, tmp_path: Path, name: str, body: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    with pytest.raises(Refused, match=said):
        import_incidents(path, desk, actor="anna", at=AT)


def test_a_file_that_is_not_there_is_refused(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="не читается"):
        import_pos(tmp_path / "нет.xlsx", desk, actor="anna", at=AT)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400) | st.text(max_size=300).map(str.encode))
def test_any_bytes_end_in_a_report_or_a_refusal(desk: Desk, tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(body)
    for load in (import_incidents, import_pos):
        with pytest.raises(Refused):
            load(path, desk, actor="anna", at=AT)
