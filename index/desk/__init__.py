"""The desk: records that need transactions; SQLite by default, PostgreSQL in production."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from index.desk.alerts import Alerts
from index.desk.audit import Audit
from index.desk.beats import Beats
from index.desk.corrections import Corrections
from index.desk.cursors import Cursors
from index.desk.database import BUSY, Database
from index.desk.deliveries import Deliveries
from index.desk.events import Events
from index.desk.figures import Figures
from index.desk.flags import Flags
from index.desk.incidents import Incidents
from index.desk.jobs import Jobs
from index.desk.keys import Keys
from index.desk.media import Media
from index.desk.pages import Pages
from index.desk.people import People
from index.desk.publications import Publications
from index.desk.quarantine import Quarantine
from index.desk.quotas import Quotas
from index.desk.schema import upgrade
from index.desk.sources import Sources
from index.desk.stories import Stories
from index.domain.deadlines import Promises

__all__ = ["Desk", "open_desk"]


class Desk:
    """One attribute a record; each method is one transaction and may raise Unavailable: nothing was changed.

    Officers' actions take `actor` (login) and `at`, and leave a row in the audit with what they change.
    Safe to use from several threads; several processes may have the same desk open.
    """

    def __init__(self, database: Database, data: Path, promises: Promises, *, two_people: bool) -> None:
        self.database = database
        self.promises = promises
        self.sources = Sources(database)
        self.cursors = Cursors(database)
        self.jobs = Jobs(database)
        self.events = Events(database)
        self.quotas = Quotas(database)
        self.quarantine = Quarantine(database)
        self.stories = Stories(database)
        self.incidents = Incidents(database, promises, two_people=two_people)
        self.alerts = Alerts(database, self.incidents, promises)
        self.publications = Publications(database, two_people=two_people)
        self.deliveries = Deliveries(database, promises)
        self.figures = Figures(database)
        self.pages = Pages(database)
        self.media = Media(data / "media")
        self.people = People(database)
        self.keys = Keys(database)
        self.audit = Audit(database)
        self.beats = Beats(database)
        self.flags = Flags(database)
        self.corrections = Corrections(database)

    def check(self) -> None:
        """Raises Unavailable when the database does not answer."""
        with self.database.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Release files and connections."""
        self.database.close()


def open_desk(
    setting: str,
    data: Path,
    *,
    promises: Promises | None = None,
    two_person_approval: bool = True,
    busy: timedelta = BUSY,
) -> Desk:
    """The desk of the setting DESK (`sqlite` or a SQLAlchemy URL), its schema created or brought up to date.

    `data`: folder of the database file and the photos. `promises`: terms and calendar of the district.
    Raises Misconfigured, Unavailable.
    """
    database = Database(setting, data, busy=busy)
    try:
        upgrade(database)
    except BaseException:
        database.close()
        raise
    return Desk(database, data, promises or Promises(), two_people=two_person_approval)
