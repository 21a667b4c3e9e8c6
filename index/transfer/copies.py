"""A backup of the embedded default: both databases, the photos and the secrets, with checksums.

The copy is consistent while the service works. The desk is copied before the posts: its cursors then never
stand for a post that the copy has not, and what the copy has too much is only read again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from index.desk.database import FILE_NAME as DESK_FILE
from index.errors import Conflict, Misconfigured, Refused, ServiceError, Unavailable
from index.posts import SQLITE_FILE as POSTS_FILE
from index.settings import Settings

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT = 1
LEFT_OUT = ("practice", "logs", "downloads")  # folders of DATA that can be made anew
BESIDE_DATABASE = ("-wal", "-shm", "-journal")  # their content is in the copy of the database
BUFFER = 1 << 20  # bytes read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedFile:
    """One file of a backup; `path` is relative to DATA, with `/`."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds, and by which its files are checked."""

    made_at: datetime
    files: tuple[CopiedFile, ...]


def backup(settings: Settings, folder: Path, *, at: datetime) -> Manifest:
    """Copy DATA into a new folder. The service may go on working.

    Raises Refused when the folder is not empty, Misconfigured when neither database is embedded.
    """
    if "sqlite" not in (settings.index, settings.desk):
        raise Misconfigured(
            "Встроенных баз нет: посты в Elasticsearch, рабочее место в PostgreSQL.",
            remedy="Их копии делают snapshot и pg_dump.",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(f"Папка {folder} не пуста: укажите новую.", field="folder")
    partial = folder.with_name(f".{folder.name}.partial")
    with _translated(folder):
        shutil.rmtree(partial, ignore_errors=True)  # of a backup that was interrupted
        partial.mkdir(parents=True)
        files = tuple(_copy(settings.data, path, partial) for path in _paths(settings.data))
        manifest = Manifest(made_at=at, files=files)
        _write_durably(partial / MANIFEST, _to_json(manifest).encode())
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    logger.info("A backup was made", extra={"action": "backup_made", "files": len(files)})
    return manifest


def restore(settings: Settings, folder: Path, *, overwrite: bool = False) -> Manifest:
    """Put the files of a backup into DATA. Every file is checked before the first is touched.

    Raises Refused when the backup is damaged or DATA holds files of its own and `overwrite` is not given;
    Conflict when a program has a database open.
    """
    manifest = read_manifest(folder)
    with _translated(settings.data):
        for file in manifest.files:
            _check(folder, file)
        standing = [file.path for file in manifest.files if (settings.data / file.path).exists()]
        if standing and not overwrite:
            raise Refused(
                f"В папке {settings.data} уже есть данные ({standing[0]}). Чтобы заменить их: --overwrite."
            )
        for file in manifest.files:
            _close_for_others(settings.data / file.path)
        for file in manifest.files:
            _put(folder / file.path, settings.data / file.path, file)
    logger.info("A backup was restored", extra={"action": "backup_restored", "files": len(manifest.files)})
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Raises Refused when there is no backup in the folder, or one that this program does not know."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise Refused("Копия сделана другой версией программы.", field="folder")
        files = tuple(CopiedFile(**file) for file in content["files"])
        manifest = Manifest(made_at=datetime.fromisoformat(content["made_at"]), files=files)
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused(f"В папке {folder} нет целой копии: {MANIFEST} не читается.", field="folder") from None
    for file in manifest.files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise Refused(f"Копия испорчена: путь {file.path!r}.", field="folder")
    return manifest


def _paths(data: Path) -> Iterator[Path]:
    """Files of DATA, relative to it: the desk, the posts, then the others by name."""
    found = sorted(path.relative_to(data) for path in data.rglob("*") if path.is_file())
    kept = [path for path in found if _is_kept(path)]
    first = [path for name in (DESK_FILE, POSTS_FILE) for path in kept if path == Path(name)]
    yield from first
    yield from (path for path in kept if path not in first)


def _is_kept(path: Path) -> bool:
    is_temporary = path.name.startswith(".") or path.name.endswith(BESIDE_DATABASE)
    return path.parts[0] not in LEFT_OUT and not is_temporary


def _copy(data: Path, path: Path, into: Path) -> CopiedFile:
    source, target = data / path, into / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if _is_database(source):
        _copy_database(source, target)
    else:
        shutil.copyfile(source, target)
    target.chmod(source.stat().st_mode & 0o777)  # a secret stays its owner's
    _sync(target)
    return CopiedFile(path=path.as_posix(), size=target.stat().st_size, sha256=_sha256(target))


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\x00"


def _copy_database(source: Path, target: Path) -> None:
    """One snapshot, whatever is written meanwhile; checked before it is called a copy."""
    with closing(sqlite3.connect(source.absolute().as_uri() + "?mode=ro", uri=True, timeout=30)) as reading:
        with closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
            (verdict,) = writing.execute("PRAGMA quick_check").fetchone()
    if verdict != "ok":
        raise Misconfigured(
            f"База {source} повреждена: {verdict}.", remedy="Восстановите прежнюю копию: mcu restore."
        )


def _check(folder: Path, file: CopiedFile) -> None:
    path = folder / file.path
    if not path.is_file() or path.stat().st_size != file.size or _sha256(path) != file.sha256:
        raise Refused(f"Копия повреждена: {file.path} не совпадает с {MANIFEST}. Ничего не изменено.")


def _close_for_others(database: Path) -> None:
    """Leaving WAL needs the database alone: it tells whether a program has it open, and empties the log."""
    if not database.is_file() or not _is_database(database):
        return
    try:
        with closing(sqlite3.connect(database, timeout=1)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError:
        mode = "wal"
    except sqlite3.DatabaseError:  # damaged: the very reason to restore it
        return
    if mode != "delete":
        raise Conflict(f"База {database} открыта: остановите службу и повторите. Ничего не изменено.")


def _put(source: Path, target: Path, file: CopiedFile) -> None:
    """The file is there whole or not at all, also when the power goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.restoring")
    shutil.copyfile(source, partial)
    partial.chmod(source.stat().st_mode & 0o777)
    _sync(partial)
    if _sha256(partial) != file.sha256:
        raise Unavailable(f"Файл {file.path} записался с ошибкой: проверьте диск и повторите с --overwrite.")
    for suffix in BESIDE_DATABASE:  # a log of the old database would be played into the new one
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    partial.replace(target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _write_durably(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _sync(path)


def _to_json(manifest: Manifest) -> str:
    files = [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in manifest.files]
    content = {"format": FORMAT, "made_at": manifest.made_at.isoformat(), "files": files}
    return json.dumps(content, ensure_ascii=False, indent=1)


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except ServiceError:
        raise
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"База данных не копируется: {error}. Ничего не потеряно.") from error
    except OSError as error:
        raise Unavailable(f"Папка {folder}: {error.strerror}. Проверьте место на диске и права.") from error
