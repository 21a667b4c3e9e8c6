"""The schema: migrations and tables agree, an empty database is made ready, a foreign one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.types import TypeEngine

from index.desk import Desk, open_desk
from index.desk.schema import MIGRATIONS
from index.desk.tables import REVISION, metadata
from index.errors import Misconfigured


def same_type(context: object, column: object, theirs: object, found: TypeEngine, wanted: TypeEngine) -> bool:
    """Whether the column differs in kind; SQLite does not tell more."""
    return found._type_affinity is not wanted.dialect_impl(context.dialect)._type_affinity


def test_migrations_make_what_the_tables_say(desk: Desk):
    with desk.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": same_type})
        assert compare_metadata(context, metadata) == []


def test_there_is_one_head_and_the_tables_know_it():
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [REVISION]


def test_opening_again_changes_nothing(desk: Desk, desk_setting: str, tmp_path: Path):
    with desk.database.write() as tx:
        tx.execute(text("UPDATE flags SET value = '\"kept\"' WHERE name = 'stop_all'"))
    again = open_desk(desk_setting, tmp_path)
    assert again.flags.get("stop_all") == "kept"
    again.close()


def test_a_desk_of_a_newer_program_is_refused(desk: Desk, desk_setting: str, tmp_path: Path):
    with desk.database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Misconfigured, match="новее"):
        open_desk(desk_setting, tmp_path)


@pytest.mark.postgres
def test_an_empty_postgres_is_made_ready(empty_postgres_url: str, tmp_path: Path):
    desk = open_desk(empty_postgres_url, tmp_path)
    assert desk.audit.verify() is None
    desk.close()


@pytest.mark.parametrize("setting", ["mysql://x/y", "нет", "sqlite://", "postgres"])
def test_a_setting_that_is_none_is_refused(setting: str, tmp_path: Path):
    with pytest.raises(Misconfigured, match="DESK"):
        open_desk(setting, tmp_path)


def test_moments_come_back_in_utc(desk: Desk):
    with desk.database.read() as connection:
        assert zone_of(connection) in ("UTC", "sqlite")


def zone_of(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return "sqlite"
    return str(connection.execute(text("SHOW timezone")).scalar_one())
