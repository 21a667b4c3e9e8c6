"""The audit: every action leaves a row, the chain never forks, and whatever is changed in it is found."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from index.desk import Desk
from index.errors import Refused, ServiceError
from tests.factories import NOON, alert


def note(desk: Desk, number: int = 1) -> None:
    for n in range(number):
        desk.flags.set("note", n, actor="ivanova", at=NOON)


def tamper(desk: Desk, statement: str) -> None:
    """What an intruder with the database's password would do."""
    with desk.database.write() as tx:
        if desk.database.is_sqlite:
            tx.execute(text("DROP TRIGGER audit_no_update"))
            tx.execute(text("DROP TRIGGER audit_no_delete"))
        else:
            tx.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        tx.execute(text(statement))


def test_an_untouched_chain_holds(desk: Desk):
    assert desk.audit.verify() is None
    note(desk, 5)
    assert desk.audit.verify() is None


@pytest.mark.parametrize(
    ("statement", "number", "reason"),
    [
        ("UPDATE audit SET actor = 'petrov' WHERE number = 2", 2, "изменена"),
        ("UPDATE audit SET detail = '{}' WHERE number = 3", 3, "изменена"),
        ("UPDATE audit SET at = '2020-01-01 00:00:00.000000' WHERE number = 1", 1, "изменена"),
        ("DELETE FROM audit WHERE number = 2", 2, "удалена"),
        ("DELETE FROM audit WHERE number = 5", 5, "удалены"),
    ],
)
def test_a_changed_chain_says_where(desk: Desk, statement: str, number: int, reason: str):
    note(desk, 5)
    tamper(desk, statement)
    fault = desk.audit.verify()
    assert fault is not None
    assert fault.number == number
    assert reason in fault.reason


def test_a_rewritten_row_breaks_the_next_one(desk: Desk):
    note(desk, 3)
    tamper(desk, "UPDATE audit SET hash = '" + "f" * 64 + "' WHERE number = 1")
    assert desk.audit.verify() is not None


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_it(desk: Desk, statement: str):
    note(desk)
    with pytest.raises((DBAPIError, ServiceError)), desk.database.write() as tx:
        tx.execute(text(statement))
    assert len(desk.audit.find()[0]) == 1


def test_an_action_that_fails_leaves_no_row(desk: Desk):
    desk.alerts.raise_alert(alert(id="a-1"))
    before = desk.audit.find()[0]
    with pytest.raises(Refused):
        desk.alerts.dismiss("a-1", " ", actor="ivanova", at=NOON, version=0)
    assert desk.audit.find()[0] == before


def test_it_is_read_newest_first_page_by_page_and_by_subject(desk: Desk):
    desk.alerts.raise_alert(alert(id="a-1"))
    note(desk, 3)
    first, cursor = desk.audit.find(limit=3)
    rest, end = desk.audit.find(limit=3, cursor=cursor)
    assert [row.number for row in (*first, *rest)] == [4, 3, 2, 1]
    assert end is None
    assert [row.action for row in desk.audit.find(subject="alert:a-1")[0]] == ["alert_raised"]


def test_it_holds_no_words_of_residents(desk: Desk):
    words = "Вонь у дома Петрова"
    desk.alerts.raise_alert(alert(id="a-1", title=words))
    _, incident = desk.alerts.accept("a-1", actor="ivanova", at=NOON, version=0)
    desk.incidents.note(incident.id, "Позвонить Петрову", actor="ivanova", at=NOON)
    assert "Петров" not in str(desk.audit.find(limit=100)[0])
