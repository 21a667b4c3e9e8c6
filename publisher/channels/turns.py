"""The turn of each call of a page's key: one pace and one budget for publishing and crawling alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from index.domain.post import Network
from index.errors import RetryLater, Unavailable
from index.pace import Call, NotNow, Turns, token_bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTurns:
    """Calls of one key, as the crawlers name them in the desk."""

    turns: Turns
    network: Network
    key: str
    limit: str  #: row of the table of limits that gives the pace
    title: str  #: of the network, Russian

    def to_read(self, method: str) -> Call:
        """Wait for the turn of a call that may be repeated. Raises Unavailable (NotNow among them)."""
        call = self._call(method)
        self.turns.wait(call)
        return call

    def to_write(self, method: str) -> Call:
        """As `to_read`; nothing has left yet, so whatever holds the call back, it may go later. Raises
        RetryLater."""
        call = self._call(method)
        try:
            self.turns.wait(call)
        except NotNow as held:
            after = max(held.until - self.turns.clock(), timedelta(seconds=1))
            raise RetryLater(f"{self.title}: {held}", after=after, code="not now") from held
        except Unavailable as error:
            raise RetryLater(str(error), after=timedelta(seconds=5), code="desk") from error
        return call

    def _call(self, method: str) -> Call:
        return Call(bucket=token_bucket(self.network, self.key), limit=self.limit, method=method)
