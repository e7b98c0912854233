"""The care of the database's file."""

import resource
import sqlite3
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from db import maintenance, queries
from db.engine import DatabaseUnusableError
from db.maintenance import MaintenanceError
from db.times import to_us
from tests.conftest import T0

ROWS = 60_000


@pytest.fixture
def path(tmp_path, write_engine):
    return tmp_path / "test.db"


@pytest.fixture
def full(path, sessions):
    """A database of some hundred pages."""
    with sessions.begin() as session:
        series = queries.add_series(session, "a", "p")
        queries.add_observations(session, series.id, ((k, float(k)) for k in range(ROWS)), T0)
    return path


def count(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM observations").fetchone()[0]


def damage(path):
    """Write over pages in the middle of a database's file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 20_000)


def test_a_copy_is_one_file_that_holds_what_the_database_does(full, tmp_path):
    told = []
    maintenance.backup(full, tmp_path / "copy.db", lambda done, total: told.append((done, total)))
    assert count(tmp_path / "copy.db") == ROWS
    assert [file.name for file in tmp_path.glob("*copy*")] == ["copy.db"]
    assert told[-1][0] == told[-1][1] > 100


def test_a_copy_takes_over_who_may_read_it(full, tmp_path):
    full.chmod(0o640)
    maintenance.backup(full, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o640


def test_a_copy_is_of_one_moment_however_much_is_written_meanwhile(full, tmp_path, sessions, monkeypatch):
    monkeypatch.setattr(maintenance, "PAGES", 20)
    writes = []

    def write(_done, _total):
        def insert():
            with sessions.begin() as session:
                queries.add_observations(session, 1, [(to_us(T0) + len(writes), 1.0)], T0)

        writer = threading.Thread(target=insert)
        writer.start()
        writer.join()
        writes.append(1)

    maintenance.backup(full, tmp_path / "copy.db", write)
    assert len(writes) > 10
    assert count(tmp_path / "copy.db") == ROWS
    assert count(full) == ROWS + len(writes)


def test_a_damaged_database_is_not_copied_over_a_good_copy(full, tmp_path):
    (tmp_path / "copy.db").write_text("the last good one")
    damage(full)
    with pytest.raises(MaintenanceError, match="is not sound"):
        maintenance.backup(full, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "the last good one"
    assert len(list(tmp_path.glob("*copy*"))) == 1


def test_a_copy_that_is_broken_off_leaves_nothing_behind(full, tmp_path):
    def stop(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maintenance.backup(full, tmp_path / "copy.db", stop)
    assert list(tmp_path.glob("*copy*")) == []


def test_a_disk_that_cannot_hold_the_copy_is_told(full, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(MaintenanceError, match=r"cannot hold a copy of .*; make room"):
            maintenance.backup(full, tmp_path / "copy.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.glob("*copy*")) == []


def test_a_vacuum_gives_back_what_was_forgotten(full, sessions):
    with sessions.begin() as session:
        queries.delete_observations(session, 1, T0, ROWS)
    before, after = maintenance.vacuum(full)
    assert after < before / 4
    assert maintenance.size(full) == after


def test_a_vacuum_without_room_for_it_is_not_begun(full, monkeypatch):
    monkeypatch.setattr(maintenance, "MOST_ROOM", 10**15)
    with pytest.raises(MaintenanceError, match="bytes free, but a vacuum of test"):
        maintenance.vacuum(full)


def test_a_disk_that_fills_during_a_vacuum_is_told(full, few_pages_kept):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(MaintenanceError, match=r"has no room for a vacuum of test\.db: .*; make room"):
            maintenance.vacuum(full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert count(full) == ROWS


def test_the_temporary_files_of_a_vacuum_lie_where_its_room_was_measured(full, few_pages_kept):
    maintenance.vacuum(full)
    assert {file.parent for file in few_pages_kept} == {full.parent}
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute("PRAGMA temp_store_directory").fetchall() in ([], [("",)])


@pytest.fixture
def few_pages_kept(monkeypatch):
    """SQLite keeps few pages in memory, so that it needs temporary files; those that it has had."""
    seen, opened = set(), maintenance._open

    def look():
        for handle in Path("/proc/self/fd").iterdir():
            with suppress(OSError):  # one that goes meanwhile
                seen.update([path] if "etilqs" in (path := handle.readlink()).name else [])

    @contextmanager
    def watched(*words):
        with opened(*words) as connection:
            connection.execute("PRAGMA cache_size = 10")
            connection.set_progress_handler(look, 1000)
            yield connection

    monkeypatch.setattr(maintenance, "_open", watched)
    return seen


def test_a_vacuum_of_a_locked_database_says_so(full, monkeypatch):
    monkeypatch.setattr(maintenance, "PATIENCE", 0.05)
    with closing(sqlite3.connect(full, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnusableError, match="stayed locked by another process"):
            maintenance.vacuum(full)
