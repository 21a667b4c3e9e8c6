"""The schema of the desk: created and brought up to date by its migrations when the desk is opened."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from index.desk.database import Database
from index.desk.tables import REVISION
from index.errors import Misconfigured

logger = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 6_220_310  # PostgreSQL's advisory lock: two programs that start at once upgrade one after the other


def upgrade(database: Database) -> None:
    """Bring the schema to REVISION, all of it or nothing. Raises Misconfigured when it is newer than ours."""
    with database.read() as connection:
        if _revision(connection) == REVISION:
            return
    with database.write() as tx:
        if not database.is_sqlite:
            tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        _migrate(tx.connection)


def _revision(connection: Connection) -> str | None:
    """None: an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _migrate(connection: Connection) -> None:
    from alembic import command  # slow to load, and needed only when something is to be done
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    standing = _revision(connection)
    if standing is not None and standing not in known:
        raise Misconfigured("База рабочего места новее этой программы.", remedy="Обновите программу.")
    command.upgrade(config, "head")
    logger.info("The desk's schema was upgraded.", extra={"action": "desk_upgraded", "revision": REVISION})
