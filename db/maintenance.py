"""The care of the database's file: a checked copy of it, and a vacuum.

Here SQLite itself is asked, past SQLAlchemy: the copy is made by its online backup.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from db import health
from db.engine import unusable

Tell = Callable[[int, int], None]  # pages that are done, of how many

PAGES = 2000  # copied at once: 8 MB
PATIENCE = 10.0  # seconds, for a lock
MOST_ROOM = 2  # times its size: what a vacuum may take on the disk meanwhile


class MaintenanceError(Exception):
    """It cannot be done; the message says why, and what would help."""


def backup(path: Path, target: Path, tell: Tell = lambda _done, _total: None) -> None:
    """Copy a database as it is at this moment; others may write meanwhile. What stood at the target is replaced.

    The copy takes its name once it is whole and checked. Raises MaintenanceError where it is not sound,
    DatabaseUnusableError where the database cannot be read, OSError where the target cannot be written.
    """
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        unfinished.touch(mode=0o600)  # whoever may not read the database must not read its copy
        shutil.copymode(path, unfinished)
        _copy(path, unfinished, tell)
        problems = health.examine(unfinished, deep=False, expired=lambda: False).problems
        if problems:
            told = problems[0].splitlines()[-1]  # SQLite writes several lines
            raise MaintenanceError(f"the copy of {path} is not sound: {told}; rollcast doctor --deep tells more")
        _sync(unfinished)
        unfinished.replace(target)
        _sync(target.absolute().parent)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)


def vacuum(path: Path) -> tuple[int, int]:
    """Write a database's file anew without its free pages. Returns its size in bytes before and after.

    It holds the write lock as long as it takes. Raises MaintenanceError, DatabaseUnusableError.
    """
    before, folder = size(path), path.absolute().parent
    free = shutil.disk_usage(folder).free
    if free < MOST_ROOM * before:
        raise MaintenanceError(
            f"{folder} has {free:,} bytes free, but a vacuum of {path.name} may take"
            f" {MOST_ROOM * before:,} meanwhile; make room, or use rollcast db backup and put the copy in its place"
        )
    with (
        _open(path, "rw") as connection,
        _temporary_files_in(folder, connection),
        _needing_room(f"{folder} has no room for a vacuum of {path.name}"),
    ):
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return before, size(path)


def size(path: Path) -> int:
    """What a database takes on the disk, in bytes: its file and the log beside it."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _copy(path: Path, target: Path, tell: Tell) -> None:
    with _open(path) as source:
        # A read transaction holds on to this state of the database. Without one the copy would begin anew with each
        # commit of the daemon's, and might never end.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchall()
        with (
            closing(sqlite3.connect(target, isolation_level=None)) as copy,
            _needing_room(f"{target.parent} cannot hold a copy of {path}"),
        ):
            source.backup(copy, pages=PAGES, progress=lambda _status, left, total: tell(total - left, total))
            copy.execute("PRAGMA journal_mode=DELETE").fetchall()  # so that the copy is one file


@contextmanager
def _needing_room(refusal: str) -> Iterator[None]:
    """Raises MaintenanceError, which begins with the refusal, where the disk is full."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" not in str(error) and "disk I/O" not in str(error):
            raise
        raise MaintenanceError(f"{refusal}: {error}; make room") from error


@contextmanager
def _temporary_files_in(folder: Path, connection: sqlite3.Connection) -> Iterator[None]:
    """SQLite's temporary files, of the whole process, lie in a folder whose room is known, not in /var/tmp or /tmp."""
    quoted = str(folder).replace("'", "''")
    connection.execute(f"PRAGMA temp_store_directory = '{quoted}'")
    try:
        yield
    finally:
        connection.execute("PRAGMA temp_store_directory = ''")


@contextmanager
def _open(path: Path, mode: str = "ro") -> Iterator[sqlite3.Connection]:
    """A connection of its own. Raises DatabaseUnusableError for what SQLite refuses."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=PATIENCE)) as opened:
            opened.isolation_level = None  # the driver begins no transaction by itself
            yield opened
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def _sync(path: Path) -> None:
    """Have the disk hold what was written, before anything relies on it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
