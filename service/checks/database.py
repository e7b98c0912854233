"""Checks of the database's file: it is there, sound, up to date, and can be written to."""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from db import health
from service.checks.finding import Finding, bad, look, ok

QUICK = 10.0  # seconds that a look for damage may take, unless it is to be deep
PATIENCE = 3.0  # seconds to wait for the write lock: the daemon holds it for a small part of one
LARGE_WAL = 100e6  # bytes
MOST_HOLDERS = 5
AS_ITS_USER = "run this as the user whose database it is"
MAKE_ROOM = "make room on its disk"
RESTORE = "stop the daemon, put a backup in its place (rollcast db backup makes one), or `sqlite3 FILE .recover`"


@dataclass(frozen=True)
class Examined:
    """What was found, and whether the database can be asked for more: read; written to, by those who undo it.

    absent: there is none yet, so nothing is stored.
    """

    findings: list[Finding]
    readable: bool
    writable: bool
    absent: bool = False


def database(path: Path, *, deep: bool, daemon_runs: bool) -> Examined:
    """Examine the file. deep: to the end, however long that takes."""
    try:
        if not path.exists():
            told = f"there is no database {path} yet"
            cure = "see its log: it should have made one" if daemon_runs else "rollcast run makes it"
            finding = (bad if daemon_runs else look)("database", told, cure)
            return Examined([finding], readable=False, writable=False, absent=True)
        damage = soundness(path, deep=deep)
        tables = revision(path)
    except PermissionError as error:
        hidden = bad("database", f"{path} cannot be read: {error.strerror}", AS_ITS_USER)
        return Examined([hidden], readable=False, writable=False)
    except (sqlite3.Error, OSError) as error:
        told = f"{path} cannot be read: {error}"
        unreadable = bad("database", told, "see who owns it, and whether it is a database of Rollcast's at all")
        return Examined([unreadable], readable=False, writable=False)
    lock = writing(path, PATIENCE)
    readable = damage.level != "bad" and tables.level == "ok"
    return Examined([damage, tables, lock, log(path)], readable, readable and lock.level == "ok")


def soundness(path: Path, *, deep: bool) -> Finding:
    """Whether the file is damaged. Raises sqlite3.Error where it cannot be opened."""
    deadline = time.monotonic() + QUICK
    found = health.examine(path, deep=deep, expired=lambda: not deep and time.monotonic() > deadline)
    told = f"{path}, {_mb(path.stat().st_size)}"
    if found.problems:
        return bad("database", f"{told}: damaged: {'; '.join(found.problems)}", RESTORE)
    if not found.finished:
        return ok("database", f"{told}: no damage in the {QUICK:g} s that were spent on it; --deep looks to the end")
    return ok("database", f"{told}: {'sound, its indices too' if deep else 'sound'}")


def revision(path: Path) -> Finding:
    """Whether the tables are those of this version. Raises sqlite3.Error."""
    found = health.revision(path)
    if found.age == "none":
        return look("tables", "there are none yet", "rollcast run, or rollcast db upgrade, makes them")
    if found.age == "newer":
        return bad(
            "tables",
            f"revision {found.found} is of a newer Rollcast; this one knows up to {found.known}",
            "install that version, or set another data_dir",
        )
    if found.age == "older":
        return look(
            "tables",
            f"revision {found.found}; this version has {found.known}",
            "rollcast db upgrade, or start the daemon again",
        )
    return ok("tables", f"revision {found.found}, the newest")


def writing(path: Path, patience: float) -> Finding:
    """Whether a transaction can write, within so many seconds."""
    refused = health.refused_write(path, patience)
    if refused is None:
        return ok("lock", "free to write")
    if "locked" in refused or "busy" in refused:
        holders = ", ".join(_holders(path)) or "by a process of another user's"
        return bad(
            "lock",
            f"{path} stayed locked for {patience:g} s; open in {holders}",
            "wait, or end the one that holds it: a program that looks at the database must not keep a transaction open",
        )
    cure = MAKE_ROOM if "full" in refused else AS_ITS_USER
    return bad("lock", f"{path} cannot be written to: {refused}", cure)


def log(path: Path) -> Finding:
    """Whether the write-ahead log is kept short."""
    wal = path.with_name(f"{path.name}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size <= LARGE_WAL:
        return ok("log", f"{_mb(size)} of write-ahead log")
    return look(
        "log",
        f"the write-ahead log has {_mb(size)}: a program that reads without an end keeps it from being emptied",
        f"end such a program (open in {', '.join(_holders(path)) or 'none that can be seen'}); a restart empties it",
    )


def _holders(path: Path) -> list[str]:
    """The processes that have the file open, as far as can be seen."""
    there = str(path.resolve())
    found = [
        f"process {process.info['pid']} ({process.info['name']})"
        for process in psutil.process_iter(["pid", "name", "open_files"])
        if any(file.path == there for file in process.info["open_files"] or ())
    ]
    more = len(found) - MOST_HOLDERS
    return [*found[:MOST_HOLDERS], f"{more} more"] if more > 0 else found


def _mb(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"
