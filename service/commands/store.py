"""What the commands share that write to the database: tables that are up to date, and never changed from under a
daemon that works on them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from db import engine, health
from db.engine import DatabaseUnusableError, Sessions
from db.health import Revision
from service import daemon
from service.commands.terminal import UsageError, database_of, is_there
from service.settings import Settings


@contextmanager
def writing(settings: Settings) -> Iterator[Sessions]:
    """Sessions that may write, on a database that is there and up to date. Raises as `reading` and `upgraded` do."""
    path = database_of(settings)
    write_engine = upgraded(settings)
    try:
        yield engine.sessions(write_engine)
    except DatabaseError as error:
        raise engine.unusable(path, error) from error
    finally:
        write_engine.dispose()


def upgraded(settings: Settings) -> Engine:
    """An engine that writes; the database is made where there is none, and brought up to date.

    Raises UsageError where a daemon of an older version works on it, DatabaseUnusableError where it is no good.
    """
    path = engine.sqlite_path(settings.database_url)
    if is_there(path) and daemon.is_running(settings.data_dir):
        found = revision_of(path)
        if found.age == "older":
            raise UsageError(f"a daemon of another version works on {path}, at revision {found.found}; stop it first")
    write_engine = engine.writer(settings.database_url)
    engine.migrate(write_engine)
    return write_engine


@contextmanager
def trying(url: str) -> Iterator[Sessions]:
    """Sessions for work that will be undone, on a database as it is, or on a new one. Raises DatabaseUnusableError."""
    path, write_engine = engine.sqlite_path(url), engine.writer(url)
    try:
        if not path.exists():
            engine.migrate(write_engine)
        yield engine.sessions(write_engine)
    except DatabaseError as error:
        raise engine.unusable(path, error) from error
    finally:
        write_engine.dispose()


def url_to_try(settings: Settings, folder: Path) -> str:
    """The database's URL; where there are no tables yet, that of a new one in the folder.

    Raises DatabaseUnusableError where the tables are of another version: they stay as they are.
    """
    path = engine.sqlite_path(settings.database_url)
    found = revision_of(path) if is_there(path) else None
    if found is None or found.age == "none":
        return f"sqlite:///{folder / 'none.db'}"
    if found.age != "current":
        cure = "rollcast db upgrade brings it up to date" if found.age == "older" else "install that version"
        raise DatabaseUnusableError(
            f"{path} was written by {'an older' if found.age == 'older' else 'a newer'} Rollcast"
            f" (revision {found.found}); {cure}"
        )
    return settings.database_url


def revision_of(path: Path) -> Revision:
    """The revision of a database's tables. Raises DatabaseUnusableError."""
    try:
        return health.revision(path)
    except sqlite3.DatabaseError as error:
        raise engine.unusable(path, error) from error
