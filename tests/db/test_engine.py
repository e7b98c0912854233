"""The two engines, and the migrations at start."""

import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from db import engine, queries
from db.engine import DatabaseUnusableError
from db.schema import Base


def test_the_migrations_make_the_tables_that_the_schema_describes(write_engine):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with write_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_migrating_twice_changes_nothing(write_engine):
    engine.migrate(write_engine)
    assert "series" in inspect(write_engine).get_table_names()


@pytest.mark.slow
def test_three_processes_that_start_at_once_all_find_the_tables(tmp_path):
    code = f"from db import engine; engine.migrate(engine.writer('sqlite:///{tmp_path}/race.db'))"
    for _ in range(3):
        (tmp_path / "race.db").unlink(missing_ok=True)
        started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
        assert [process.wait() for process in started] == [0, 0, 0]


def test_transactions_that_read_and_then_write_wait_for_each_other(url, sessions):
    from threading import Thread

    def count_up():
        for _ in range(50):
            with sessions.begin() as session:
                n = session.scalar(text("SELECT count(*) FROM series"))
                session.execute(text(f"INSERT INTO series (name, panel) VALUES ('{n}', 'p')"))  # noqa: S608  our own

    threads = [Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM series")) == 200


def test_a_session_that_only_reads_waits_for_no_writer(sessions):
    with sessions.begin() as writing:
        writing.execute(text("INSERT INTO series (name, panel) VALUES ('a', 'p')"))
        with engine.reading(sessions) as session:
            assert session.scalar(text("SELECT count(*) FROM series")) == 0


def test_the_read_engine_cannot_write(url, write_engine):
    with engine.sessions(engine.reader(url))() as session, pytest.raises(OperationalError, match="readonly database"):
        session.execute(text("INSERT INTO series (name, panel) VALUES ('a', 'p')"))


def test_the_read_engine_sees_what_was_committed(url, sessions):
    with sessions.begin() as session:
        session.execute(text("INSERT INTO series (name, panel) VALUES ('a', 'p')"))
    with engine.sessions(engine.reader(url))() as session:
        assert session.scalar(text("SELECT name FROM series")) == "a"


def test_a_folder_with_spaces_and_signs_can_be_read(tmp_path):
    url = f"sqlite:///{tmp_path}/a b%20#c/test.db"
    engine.migrate(engine.writer(url))
    with engine.sessions(engine.reader(url))() as session:
        assert session.scalar(text("SELECT count(*) FROM series")) == 0


@pytest.mark.parametrize("table", ["forecasts", "forecast_steps", "forecast_bounds", "promotions"])
def test_the_database_refuses_to_change_the_ledger(write_engine, table):
    rows = {
        "series": "(id, name, panel) VALUES (1, 'a', 'p')",
        "models": "(id, panel, version, kind, cutoff, trained_at, accepted, verdict, content)"
        " VALUES (1, 'p', 1, 'naive', 0, 0, 1, '', x'')",
        "promotions": "(id, panel, model_id, promoted_at, reason) VALUES (1, 'p', 1, 0, '')",
        "forecasts": "(id, series_id, model_id, cutoff, issued_at) VALUES (1, 1, 1, 0, 0)",
        "forecast_steps": "(forecast_id, step, target_ts, mean, naive) VALUES (1, 1, 0, 0, 0)",
        "forecast_bounds": "(forecast_id, step, level, lo, hi) VALUES (1, 1, 80, 0, 0)",
    }
    with write_engine.begin() as connection:
        for name, values in rows.items():
            connection.execute(text(f"INSERT INTO {name} {values}"))
    columns = {"forecasts": "cutoff", "forecast_steps": "mean", "forecast_bounds": "lo", "promotions": "model_id"}
    column = columns[table]
    with write_engine.begin() as connection, pytest.raises(IntegrityError, match="append-only"):
        connection.execute(text(f"UPDATE {table} SET {column} = 5"))  # noqa: S608  our own


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://host/db", "sqlite+aiosqlite:///a.db", "sqlite://", "sqlite:///:memory:"]
)
def test_a_url_that_is_no_sqlite_file_is_refused_with_what_is_accepted(url):
    with pytest.raises(DatabaseUnusableError, match=r"database\.url = .*: expected .*sqlite:///path/to/file\.db"):
        engine.sqlite_path(url)


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "test.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(DatabaseUnusableError, match=r"cannot use the database .*test\.db"):
        engine.migrate(engine.writer(f"sqlite:///{tmp_path}/test.db"))


def test_a_database_of_a_newer_version_is_told(url, write_engine):
    with write_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnusableError, match="written by a newer Rollcast"):
        engine.migrate(write_engine)


def test_the_database_is_in_wal_mode(url, write_engine):
    with create_engine(url).connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"


def test_another_number_tells_that_something_was_committed(url, sessions, write_engine):
    read_engine = engine.reader(url)
    changes = engine.Changes(read_engine)
    before = changes.version()
    with sessions() as session:
        queries.add_series(session, "undone", "p")
    assert changes.version() == before
    with sessions.begin() as session:
        queries.add_series(session, "a", "p")
    assert changes.version() != before
    read_engine.dispose()


def test_a_session_that_reads_sees_one_state_of_the_database(url, sessions, write_engine):
    read_engine = engine.reader(url)
    with engine.sessions(read_engine)() as session:
        assert queries.all_series(session) == []
        with sessions.begin() as other:
            queries.add_series(other, "a", "p")
        assert queries.all_series(session) == []
    with engine.sessions(read_engine)() as session:
        assert len(queries.all_series(session)) == 1
    read_engine.dispose()


@pytest.mark.parametrize(
    ("refused", "cure"),
    [
        ("database or disk is full", "database or disk is full; make room"),
        ("attempt to write a readonly database", "; run this as the user whose database it is"),
        ("database disk image is malformed", "; check the file, or set another data_dir"),
        ("database is locked", "the database a.db stayed locked by another process for 10 s; try again"),
    ],
)
def test_what_sqlite_refuses_is_told_with_its_own_cure(refused, cure):
    error = sqlite3.OperationalError(refused)
    assert str(engine.unusable("a.db", error)).endswith(cure)
    assert str(engine.unusable("a.db", DatabaseError("SELECT", {}, error))).endswith(cure)
