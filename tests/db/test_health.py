"""How the database's file is."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from db import health, queries
from db.times import to_us
from tests.conftest import T0


@pytest.fixture
def path(url, write_engine):
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture
def large(path, session):
    """A database of some pages."""
    series = queries.add_series(session, "a", "p")
    queries.add_observations(session, series.id, [(k, float(k)) for k in range(50_000)], T0)
    session.commit()
    return path


def damage(path):
    """Overwrite a page amid the file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 4096)


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_file_has_no_problem(large, deep):
    assert health.examine(large, deep=deep, expired=lambda: False) == health.Soundness([], finished=True)


@pytest.mark.parametrize("deep", [False, True])
def test_a_damaged_file_has(large, write_engine, deep):
    write_engine.dispose()
    damage(large)
    found = health.examine(large, deep=deep, expired=lambda: False)
    assert found.problems
    assert len(found.problems) <= health.PROBLEMS_TOLD


def test_an_examination_ends_when_its_time_has_expired(large):
    assert health.examine(large, deep=True, expired=lambda: True) == health.Soundness([], finished=False)


def test_what_is_no_database_is_a_problem(tmp_path):
    file = tmp_path / "none.db"
    file.write_bytes(b"this is no database at all, but long enough to be read as one" * 50)
    assert health.examine(file, deep=False, expired=lambda: False).problems == ["file is not a database"]


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(sqlite3.OperationalError):
        health.examine(tmp_path / "none.db", deep=False, expired=lambda: False)
    assert health.refused_write(tmp_path / "none.db", 0.0) == "unable to open database file"
    assert not list(tmp_path.iterdir())


def test_the_newest_revision_is_current(path):
    found = health.revision(path)
    assert (found.age, found.found) == ("current", found.known)


@pytest.mark.parametrize(("revision", "age"), [("0001", "older"), ("9999", "newer")])
def test_another_revision_is_told_from_the_newest(path, write_engine, revision, age):
    with write_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (revision,))
    assert health.revision(path).age == age


def test_a_file_without_tables_has_no_revision(tmp_path):
    file = tmp_path / "empty.db"
    file.touch()
    assert health.revision(file).age == "none"


def test_a_free_database_can_be_written_to_and_is_not(path):
    before = path.read_bytes()
    assert health.refused_write(path, 0.0) is None
    assert path.read_bytes() == before


def test_a_locked_database_refuses(path, write_engine):
    with write_engine.begin():
        assert health.refused_write(path, 0.0) == "database is locked"
    assert health.refused_write(path, 0.0) is None


def test_the_newest_moments_are_those_of_what_was_written_last(session, store_model):
    hour = timedelta(hours=1)
    series = queries.add_series(session, "a", "p")
    queries.add_observations(session, series.id, [(1, 1.0), (2, 2.0)], T0)
    queries.add_observations(session, series.id, [(2, 3.0)], T0 + hour)
    queries.start_run(session, "fetch", "p", due=T0, started=T0 + 2 * hour)
    model = store_model(session, at=T0 + 3 * hour)
    queries.issue(
        session, series.id, model.id, T0, T0 + 4 * hour, [queries.NewStep(T0 + hour, 1.0, 1.0, {80: (0.0, 2.0)})]
    )
    assert health.newest_moments(session) == {
        "an observation was learnt": to_us(T0 + hour),
        "a run began": to_us(T0 + 2 * hour),
        "a model was fitted": to_us(T0 + 3 * hour),
        "a forecast was issued": to_us(T0 + 4 * hour),
    }


def test_of_an_empty_database_there_is_no_moment(session):
    assert health.newest_moments(session) == {}
