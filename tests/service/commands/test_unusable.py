"""The commands on a database of an older version, or a damaged one: a line that says what to do, never a traceback."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from db import engine

MIGRATIONS = Path(engine.__file__).parent / "migrations"
MODEL = "INSERT INTO models (id, panel, version, kind, cutoff, trained_at, verdict, content)"
ROWS = (
    "INSERT INTO series (id, name, panel) VALUES (1, 'a', 'sales')",
    "INSERT INTO observations (series_id, ts, observed_at, value) VALUES (1, 10, 10, 1.5)",
    f"{MODEL} VALUES (1, 'sales', 1, 'naive', 10, 10, 'better', x'01')",
    "INSERT INTO forecasts (id, series_id, model_id, cutoff, issued_at) VALUES (1, 1, 1, 10, 20)",
    "INSERT INTO forecast_steps (forecast_id, step, target_ts, mean, naive) VALUES (1, 1, 30, 1.5, 1.0)",
    "INSERT INTO runs (id, panel, job, due, started, outcome, reason) VALUES (1, 'sales', 'fetch', 10, 10, 'ok', '')",
)
COMMANDS = (
    ["status"],
    ["latest", "a"],
    ["scores", "a"],
    ["plot", "a"],
    ["export"],
    ["export", "--what", "scores"],
    ["check"],
    ["runs", "list"],
    ["models", "list", "sales"],
    ["models", "show", "sales"],
)
OF_RUNS = ["runs", "show", "1"]
AGED = "; rollcast db upgrade brings it up to date\n"


@pytest.fixture
def of_revision(tmp_path, sold):
    """The command on a database that a version with that revision wrote."""

    def write(revision):
        written = engine.writer(f"sqlite:///{tmp_path}/data/rollcast.db")
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with written.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            for statement in ROWS:
                connection.execute(text(statement))
        written.dispose()
        return sold

    return write


@pytest.fixture
def damaged(tmp_path, history, sold):
    """The command on a database all of whose pages but the first ones are overwritten."""
    file = tmp_path / "data" / "rollcast.db"
    with engine.writer(f"sqlite:///{file}").connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = file.stat().st_size // 4096
    with file.open("r+b") as opened:
        opened.seek(20 * 4096)
        opened.write(b"x" * 4096 * (pages - 20))
    return sold


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
@pytest.mark.parametrize("words", [*COMMANDS, OF_RUNS], ids=" ".join)
def test_on_an_older_database_a_command_answers_or_says_how_to_bring_it_up_to_date(of_revision, revision, words):
    code, _, err = of_revision(revision)(*words)
    assert code == 0 or (code, err.count("\n"), err[-len(AGED) :]) == (2, 1, AGED)


@pytest.mark.parametrize("words", [*COMMANDS, ["fetch"], ["fetch", "--dry-run"], ["refit"], ["forecast"]], ids=" ".join)
def test_on_a_damaged_database_a_command_says_so_in_a_line(damaged, words):
    code, out, err = damaged(*words)
    assert code in (0, 1, 2)
    assert "Background" not in out + err
    assert code == 0 or "malformed" in out + err
    assert err.count("\n") <= 1


def test_a_dry_run_on_a_locked_database_says_so_in_a_line(sold, stored, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "PRAGMAS", ("busy_timeout=50",))
    (tmp_path / "sales.csv").write_text("unique_id,ds,y\na,2026-01-05T00:00:00Z,1\n")
    with engine.writing(stored):
        code, out, err = sold("fetch", "--dry-run")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "stayed locked by another process" in err


def test_a_job_whose_record_the_database_does_not_take_is_told_with_the_cure(sold, stored, tmp_path):
    with stored.begin() as session:
        session.execute(
            text("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        )
    code, out, err = sold("fetch")
    told = f"rollcast: cannot use the database {tmp_path}/data/rollcast.db: disk is full; make room\n"
    assert (code, out, err) == (2, "", told)
