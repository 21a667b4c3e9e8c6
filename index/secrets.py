"""Secrets the service makes for itself: one file each in the data folder, readable by its owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from index.errors import Misconfigured


def read_or_make_secret(data: Path, name: str) -> str:
    """The secret in DATA/secrets/<name>, made at the first call (256 bits, hex). Raises Misconfigured.

    Two processes that start together agree: the file is created exclusively and the loser reads it.
    """
    path = data / "secrets" / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text(encoding="ascii").strip()
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise Misconfigured(
            f"Папка данных {data} недоступна: {error.strerror}.",
            remedy="Укажите MCU_DATA или поправьте права.",
        ) from error
