"""The rehearsal channel: everything a page would do, written to a file; nothing leaves the service."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from index.domain.page import Page, page_address
from index.domain.post import Counters, Network
from index.domain.publication import Message
from index.errors import RetryLater
from publisher.channels.base import (
    Ability,
    Capabilities,
    Capability,
    Limits,
    Photos,
    Receipt,
    Standing,
    check_message,
    pick,
    post_path,
)

_lock = threading.Lock()  # one file a page, several channels of one process may write it


class LogChannel:
    """A page in rehearsal: the limits of its network, a line of JSON a message."""

    proves_absence = True
    pace = timedelta(0)

    def __init__(
        self,
        network: Network,
        limits: Limits,
        folder: Path,
        *,
        photos: Photos,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.network, self.limits = network, limits
        self._folder, self._photos, self._clock = folder, photos, clock

    def check(self, page: Page) -> Capabilities:
        why = "Учебный режим: наружу ничего не уходит."
        found = (Capability(ability=a, is_on=a is not Ability.FIGURES, why=why) for a in Ability)
        return Capabilities(title=page.title, found=tuple(found))

    def prepare(self, message: Message, page: Page) -> None:
        page_address(self.network, page.address)
        if message.reply_to is not None:
            post_path(self.network, message.reply_to)
        check_message(message, self.limits, self._photos)

    def upload(self, page: Page, photo: str) -> str:
        self._photos.open(photo)
        return ""

    def send(self, page: Page, message: Message, *, upload: str | None, key: str) -> Receipt:
        return self._write(page, key, text=message.text, photo=message.photo, reply_to=message.reply_to)

    def comment(self, page: Page, post_id: str, text: str, *, key: str) -> Receipt:
        return self._write(page, key, text=text, photo=None, reply_to=post_id)

    def find(
        self, page: Page, message: Message, *, since: datetime, until: datetime, known: Collection[str] = ()
    ) -> Receipt | None:
        standing = [
            Standing(
                remote_id=row["id"],
                text=row["text"],
                at=datetime.fromisoformat(row["at"]),
                photos=1 if row["photo"] else 0,
                url=None,
            )
            for row in self._rows(page)
            if row["reply_to"] == message.reply_to
        ]
        return pick(standing, message, since=since, until=until, known=known)

    def figures(self, page: Page, remote_ids: Sequence[str]) -> Mapping[str, Counters]:
        return {}

    def url(self, page: Page, remote_id: str) -> str | None:
        return None

    def close(self) -> None:
        pass

    def _write(self, page: Page, key: str, **facts: Any) -> Receipt:
        """One whole line, on the disk before the answer. Raises RetryLater when the disk does not take it."""
        receipt = Receipt(remote_id=f"log-{key[:16]}", url=None)
        row = {"id": receipt.remote_id, "at": self._clock().isoformat(), "page": page.id, **facts}
        line = json.dumps(row, ensure_ascii=False) + "\n"
        try:
            with _lock:
                self._folder.mkdir(parents=True, exist_ok=True)
                with self._file(page).open("a", encoding="utf-8") as file:
                    file.write("\n" + line)  # a line cut short before stays alone
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            raise RetryLater(
                f"Файл репетиции не пишется: {error.strerror}.", after=timedelta(minutes=1)
            ) from error
        return receipt

    def _rows(self, page: Page) -> list[dict[str, Any]]:
        path = self._file(page)
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8").splitlines()
        return [row for line in lines if (row := _parse(line)) is not None]

    def _file(self, page: Page) -> Path:
        address = page_address(self.network, page.address).lstrip("@-")
        return self._folder / f"{self.network.value}-{address}.jsonl"


def _parse(line: str) -> dict[str, Any] | None:
    """None for a line cut short when the process died while writing it."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
