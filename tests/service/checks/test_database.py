"""Checks of the database's file, on files in each state."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from db import engine
from service.checks import database


@pytest.fixture
def path(url, write_engine):
    write_engine.dispose()
    return Path(url.removeprefix("sqlite:///"))


@contextmanager
def held(path):
    """Another process holds the write lock."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE');"
        " print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        yield process


def levels(examined):
    return {finding.check: finding.level for finding in examined.findings}


def test_a_database_that_is_well_can_be_read_and_written_to(path):
    examined = database.database(path, deep=True, daemon_runs=False)
    assert levels(examined) == {"database": "ok", "tables": "ok", "lock": "ok", "log": "ok"}
    assert (examined.readable, examined.writable) == (True, True)


@pytest.mark.parametrize(("daemon_runs", "level"), [(False, "look"), (True, "bad")])
def test_a_database_that_is_not_there_is_not_made(tmp_path, daemon_runs, level):
    examined = database.database(tmp_path / "none.db", deep=False, daemon_runs=daemon_runs)
    assert (levels(examined), examined.readable) == ({"database": level}, False)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_told(tmp_path):
    file = tmp_path / "none.db"
    file.write_bytes(b"this is no database at all, but long enough to be read as one" * 50)
    examined = database.database(file, deep=False, daemon_runs=False)
    assert (levels(examined), examined.readable) == ({"database": "bad"}, False)
    assert "file is not a database" in examined.findings[0].found


def test_a_database_in_a_folder_of_another_user_s_is_told_with_whom_to_be(path, as_nobody):
    with as_nobody():
        examined = database.database(path, deep=False, daemon_runs=False)
    assert (levels(examined), examined.readable) == ({"database": "bad"}, False)
    assert examined.findings[0].cure == "run this as the user whose database it is"


def test_a_damaged_database_is_told_and_not_asked_any_more(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 4096)
        file.write(b"\xff" * 4096)
    examined = database.database(path, deep=False, daemon_runs=False)
    assert (levels(examined)["database"], examined.readable) == ("bad", False)
    assert "backup" in examined.findings[0].cure


@pytest.mark.parametrize(("revision", "level"), [("0001", "look"), ("9999", "bad")])
def test_tables_of_another_version_are_not_asked(path, url, revision, level):
    writer = engine.writer(url)
    with writer.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (revision,))
    writer.dispose()
    examined = database.database(path, deep=False, daemon_runs=False)
    assert (levels(examined)["tables"], examined.readable) == (level, False)


def test_who_holds_the_lock_is_named(path):
    with held(path) as process:
        found = database.writing(path, patience=0.0)
        process.stdin.close()
    assert found.level == "bad"
    assert f"process {process.pid} (" in found.found


def test_a_locked_database_can_still_be_read(path, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.0)
    with held(path) as process:
        examined = database.database(path, deep=False, daemon_runs=True)
        process.stdin.close()
    assert (examined.readable, examined.writable) == (True, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_database_of_another_user_s_is_told():
    nobody = 65534
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rollcast.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE t (x)")
        Path(folder).chmod(0o755)
        path.chmod(0o644)
        os.seteuid(nobody)
        try:
            found = database.writing(path, patience=0.0)
        finally:
            os.seteuid(0)
    assert (found.level, "readonly" in found.found) == ("bad", True)


def test_a_long_write_ahead_log_is_told(path):
    assert database.log(path).level == "ok"
    with path.with_name(f"{path.name}-wal").open("wb") as file:
        file.truncate(int(database.LARGE_WAL) + 1)  # it takes no room
    assert database.log(path).level == "look"


def test_an_examination_that_takes_too_long_is_left_off_and_says_so(path, url, monkeypatch):
    writer = engine.writer(url)
    with writer.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE large (x)")
        connection.exec_driver_sql("INSERT INTO large VALUES (?)", [(k,) for k in range(50_000)])
    writer.dispose()
    monkeypatch.setattr(database, "QUICK", -1.0)
    assert "--deep looks to the end" in database.soundness(path, deep=False).found
    assert "its indices too" in database.soundness(path, deep=True).found


@pytest.mark.parametrize(
    ("refused", "cure"),
    [
        ("database or disk is full", "make room on its disk"),
        ("attempt to write a readonly database", database.AS_ITS_USER),
    ],
)
def test_what_keeps_a_transaction_from_writing_is_told_with_its_cure(path, monkeypatch, refused, cure):
    monkeypatch.setattr("db.health.refused_write", lambda _path, _patience: refused)
    assert database.writing(path, patience=0.0).cure == cure
