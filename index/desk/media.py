"""Photos of publications: files named by their sha256 in the folder `media`."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from index.desk.database import translated
from index.errors import NotFound, Refused

LARGEST = 10 * 1024 * 1024  # bytes
SIGNATURES = {  # how a file of the type begins
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "image/gif": re.compile(rb"GIF8[79]a"),
}
NAME = re.compile(r"[0-9a-f]{64}")


class Media:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, body: bytes, mime: str) -> str:
        """Keep a photo; its sha256 (hex). Repeating it changes nothing.

        Raises Refused when it is too large or not the picture that `mime` says; Unavailable on a full disk.
        """
        if len(body) > LARGEST:
            raise Refused("Фотография больше 10 МБ: уменьшите её.", field="photo")
        if mime not in SIGNATURES or mime_of(body) != mime:
            raise Refused("Это не фотография JPEG, PNG, WebP или GIF.", field="photo")
        sha256 = hashlib.sha256(body).hexdigest()
        with translated():
            _write(self._folder / sha256, body)
        return sha256

    def open(self, sha256: str) -> bytes:
        """Raises NotFound, also for what is no sha256 at all."""
        if not NAME.fullmatch(sha256):
            raise NotFound("Такой фотографии нет.")
        with translated():
            try:
                return (self._folder / sha256).read_bytes()
            except FileNotFoundError:
                raise NotFound("Такой фотографии нет.") from None


def mime_of(body: bytes) -> str | None:
    """By how it begins; None: no picture that we take."""
    return next((mime for mime, start in SIGNATURES.items() if start.match(body)), None)


def _write(path: Path, body: bytes) -> None:
    """All of it or nothing, also when the process is killed meanwhile."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
