"""Write-ahead logging of a SQLite file, for the post base and the desk."""

from __future__ import annotations

import sqlite3
import time
from datetime import timedelta


def write_ahead(connection: sqlite3.Connection, patience: timedelta) -> None:
    """Switches the file to write-ahead logging. Raises sqlite3.OperationalError when busy for longer.

    SQLite's own timeout does not hold for this lock: of two programs that open a new file at once one would
    be refused at once.
    """
    give_up = time.monotonic() + patience.total_seconds()
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > give_up:
                raise
            time.sleep(0.02)
