"""How the database's file is: sound, at which revision of the tables, locked, and when it was written to last.

Looks without a trace: nothing is changed, and no tables are made. For `rollcast doctor`.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.orm import Session

INSTRUCTIONS = 10_000  # of SQLite's machine from one look at the time to the next
PROBLEMS_TOLD = 3

# Each is found by an index: a scan of a large table would take minutes.
NEWEST = {
    "a run began": "SELECT max(started) FROM (SELECT started FROM runs ORDER BY id DESC LIMIT 20)",
    "a forecast was issued": "SELECT max(issued_at) FROM (SELECT issued_at FROM forecasts ORDER BY id DESC LIMIT 20)",
    "a model was fitted": "SELECT max(trained_at) FROM models",
    "an observation was learnt": (
        "SELECT max((SELECT observed_at FROM observations WHERE series_id = series.id"
        " ORDER BY ts DESC, observed_at DESC LIMIT 1)) FROM series"
    ),
}

Age = Literal["current", "older", "newer", "none"]


@dataclass(frozen=True)
class Soundness:
    """What an examination of the file came to. finished: whether it got to the end."""

    problems: list[str]
    finished: bool


@dataclass(frozen=True)
class Revision:
    """The revision of the tables, beside the one that this version has; none where there are no tables."""

    found: str | None
    known: str
    age: Age


def examine(path: Path, *, deep: bool, expired: Callable[[], bool]) -> Soundness:
    """Look for damage, until time has expired. deep: compare the indices with their tables, too.

    Raises sqlite3.OperationalError where the file cannot be opened.
    """
    with _reading(path) as connection:
        connection.set_progress_handler(lambda: int(expired()), INSTRUCTIONS)
        try:
            check = "integrity_check" if deep else "quick_check"
            rows = connection.execute(f"PRAGMA {check}({PROBLEMS_TOLD})").fetchall()
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                return Soundness([], finished=False)
            raise
        except sqlite3.DatabaseError as error:
            return Soundness([str(error)], finished=True)
    return Soundness([str(told) for (told,) in rows if told != "ok"], finished=True)


def revision(path: Path) -> Revision:
    """Which revision the tables have. Raises sqlite3.DatabaseError where they cannot be read."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head() or ""
    with _reading(path) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            row = None
    if row is None:
        return Revision(None, head, "none")
    known = {each.revision for each in script.walk_revisions()}
    age: Age = "current" if row[0] == head else "older" if row[0] in known else "newer"
    return Revision(row[0], head, age)


def refused_write(path: Path, patience: float) -> str | None:
    """Why no transaction can write within so many seconds, in SQLite's words; None where one can.

    What it writes, a number that stays the same, is undone: only then does SQLite tell of a file that is read-only.
    """
    try:
        with closing(sqlite3.connect(_uri(path, "rw"), uri=True, timeout=patience, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return str(error)
    return None


def newest_moments(session: Session) -> dict[str, int]:
    """When something was written last, in µs since 1970, by what it was."""
    found = {what: session.scalar(text(asked)) for what, asked in NEWEST.items()}
    return {what: us for what, us in found.items() if us is not None}


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(_uri(path, "ro"), uri=True)) as connection:
        yield connection


def _uri(path: Path, mode: str) -> str:
    return f"{path.resolve().as_uri()}?mode={mode}"
