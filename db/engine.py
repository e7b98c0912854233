"""Two engines on one database: one that writes, one that can only read.

SQLite in WAL mode: readers never wait for the writer. A transaction that reads and then writes fails at once with
`database is locked` when another wrote in between, whatever the timeout; so the write engine takes the write lock at
BEGIN and waits for it.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.orm import Session, sessionmaker

Sessions = sessionmaker[Session]

READING = "rollcast_reading"
READERS = 8  # connections that are kept: the API has three threads, and others read beside them
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",  # a power cut may lose the last commits, never corrupt; a killed process loses nothing
    "busy_timeout=10000",  # ms
    "foreign_keys=ON",
)
# By a word of what SQLite refuses, what helps.
CURES = {"full": "make room", "readonly": "run this as the user whose database it is"}


class DatabaseUnusableError(Exception):
    """The database cannot be opened or brought up to date; the message says why and what to do."""


def sqlite_path(url: str) -> Path:
    """The file that a SQLite URL names. Raises DatabaseUnusableError for any other URL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUnusableError(f"database.url = {url!r}: expected sqlite:///path/to/file.db") from error
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite") or not parsed.database or parsed.database == ":memory:":
        raise DatabaseUnusableError(f"database.url = {str(parsed)!r}: expected a file, as in sqlite:///path/to/file.db")
    return Path(parsed.database)


def writer(url: str) -> Engine:
    """An engine whose transactions may write; makes the folder of the file where it is missing."""
    path = sqlite_path(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        cure = "make room" if error.errno == errno.ENOSPC else "set another data_dir"
        raise DatabaseUnusableError(
            f"cannot make the folder {path.parent} for the database: {error.strerror}; {cure}"
        ) from error
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would otherwise begin transactions by itself, and late
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READING) else "BEGIN IMMEDIATE")

    return engine


def reader(url: str) -> Engine:
    """An engine that cannot write: SQLite itself refuses. The database must exist.

    A session sees one state of it, whatever is committed meanwhile.
    """
    path = sqlite_path(url).resolve()
    engine = create_engine(
        URL.create("sqlite", database=path.as_uri(), query={"mode": "ro", "uri": "true"}), pool_size=READERS
    )

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would begin no transaction for what only reads
        connection.execute("PRAGMA busy_timeout=10000")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


class Changes:
    """Tells within microseconds whether anything was committed by others: for one thread alone."""

    def __init__(self, engine: Engine) -> None:
        self._pooled = engine.raw_connection()
        self._cursor = self._pooled.cursor()

    def version(self) -> int:
        """A number that is another one after every commit. Raises sqlite3.Error where the database is gone."""
        self._cursor.execute("PRAGMA data_version")
        return int(next(iter(self._cursor.fetchall()))[0])


def sessions(engine: Engine) -> Sessions:
    """Sessions on an engine; what they loaded stays usable after a commit."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def reading(sessions: Sessions) -> Iterator[Session]:
    """A session of the write engine that only reads: it sees one state of the database, and waits for nobody."""
    with sessions() as session:
        session.connection(execution_options={READING: True})
        yield session


@contextmanager
def writing(sessions: Sessions) -> Iterator[Session]:
    """A session that holds the write lock from its first line on: what it reads from a clock is in order of commits."""
    with sessions.begin() as session:
        session.connection()  # a session begins its transaction with its first use, not before
        yield session


@contextmanager
def trying(sessions: Sessions) -> Iterator[Session]:
    """A session like `writing`, all of whose work is undone at the end."""
    with sessions() as session:
        session.connection()
        yield session


def migrate(engine: Engine) -> None:
    """Bring the tables up to date. Of processes that start at once, one takes the write lock, the others wait."""
    # Commands that only read would wait a tenth of a second for these.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    path = engine.url.database
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseUnusableError(
            f"{path} was written by a newer Rollcast ({error}); install that version, or set another data_dir"
        ) from error
    except DatabaseError as error:
        raise unusable(path, error) from error


def unusable(path: object, error: DatabaseError | sqlite3.Error) -> DatabaseUnusableError:
    """What SQLite's refusal means for the one who runs it."""
    told = str(error.orig if isinstance(error, DatabaseError) else error)
    if "locked" in told or "busy" in told:
        return DatabaseUnusableError(f"the database {path} stayed locked by another process for 10 s; try again")
    cure = next((cure for word, cure in CURES.items() if word in told), "check the file, or set another data_dir")
    return DatabaseUnusableError(f"cannot use the database {path}: {told}; {cure}")
