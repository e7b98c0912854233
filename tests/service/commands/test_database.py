"""The commands `rollcast db upgrade`, `backup`, `prune` and `vacuum`."""

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from db import engine, health, queries
from db.times import to_us
from service import daemon
from service.daemon import utc_now
from tests.service.commands.conftest import CONFIG

DAYS = 40


@pytest.fixture
def database(stored, tmp_path):
    return tmp_path / "data" / "rollcast.db"


@pytest.fixture
def forgetful(stored, tmp_path):
    """The panel keeps ten days, and has an observation of each of the last forty."""
    (tmp_path / "rollcast.toml").write_text(CONFIG + 'keep_observations = "10d"\ntrain_window = "1d"\n')
    now = utc_now()
    with stored.begin() as session:
        series = queries.add_series(session, "a", "sales")
        pairs = [(to_us(now - timedelta(days=back)), 1.0) for back in range(DAYS)]
        queries.add_observations(session, series.id, pairs, now)


def count(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM observations").fetchone()[0]


def test_an_upgrade_tells_that_there_is_none(sold, database):
    newest = health.revision(database).known
    assert sold("db", "upgrade") == (0, f"{database} is up to date, at revision {newest}\n", "")


@pytest.fixture
def old(sold, tmp_path):
    """A database of the first version."""
    path = tmp_path / "data" / "rollcast.db"
    writer = engine.writer(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(engine.__file__).parent / "migrations"))
    with writer.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    writer.dispose()
    return path


def test_an_upgrade_of_what_is_no_database_says_so(sold, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rollcast.db").write_bytes(b"none" * 5000)
    code, _, err = sold("db", "upgrade")
    assert (code, "file is not a database; check the file" in err) == (2, True)


def test_an_upgrade_tells_from_which_revision_to_which(sold, old):
    assert sold("db", "upgrade")[1] == f"{old}: from revision 0001 to {health.revision(old).known}\n"
    assert health.revision(old).age == "current"


def test_an_upgrade_does_not_pull_the_tables_from_under_an_older_daemon(sold, old):
    with daemon.take_lock(old.parent):
        code, _, err = sold("db", "upgrade")
    assert (code, health.revision(old).found) == (2, "0001")
    assert err == f"rollcast: a daemon of another version works on {old}, at revision 0001; stop it first\n"


@pytest.mark.parametrize("words", ["fetch", "refit", "forecast", "db prune", "models promote sales"])
def test_no_other_command_does_so_either(sold, old, tmp_path, words):
    (tmp_path / "rollcast.toml").write_text(CONFIG + 'keep_models = "10d"\n')
    with daemon.take_lock(old.parent):
        code, _, err = sold(*words.split())
    assert (code, health.revision(old).found) == (2, "0001")
    assert err.endswith(f"works on {old}, at revision 0001; stop it first\n")


def test_where_no_daemon_runs_they_upgrade_as_its_start_does(sold, old):
    assert sold("forecast")[0] == 0
    assert health.revision(old).age == "current"


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("0001", "an older Rollcast (revision 0001); rollcast db upgrade brings it up to date\n"),
        ("9999", "a newer Rollcast (revision 9999); install that version\n"),
    ],
)
def test_what_only_tries_leaves_the_tables_of_another_version_as_they_are(sold, old, revision, told):
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    code, _, err = sold("fetch", "--dry-run")
    assert (code, health.revision(old).found) == (2, revision)
    assert err.endswith(told)


@pytest.mark.parametrize("words", ["latest a", "check", "fetch --dry-run", "forecast", "db upgrade"])
def test_a_database_that_another_user_keeps_to_himself_is_told_with_what_to_do(sold, others, as_nobody, words):
    (others / "rollcast.toml").write_text(CONFIG)
    words = [*words.split(), "--config", others / "rollcast.toml"]
    sold(*words)  # what it imports may be root's as well
    with as_nobody():
        code, _, err = sold(*words)
    told = f"{others}/data/rollcast.db is not for this user to see; run this as the user whose database it is"
    assert (code, err) == (2, f"rollcast: {told}\n")


def test_a_copy_that_cannot_be_written_is_told_under_its_own_name(sold, database, as_nobody, others):
    (others / "data").chmod(0o755)
    (others / "rollcast.toml").write_text(CONFIG)
    shutil.copy(database, others / "data")
    with as_nobody():
        code, _, err = sold("db", "backup", others / "x.db", "--config", others / "rollcast.toml")
    told = f"cannot write {others}/x.db: Permission denied; run this as the user whose it is, or name another place"
    assert (code, err) == (2, f"rollcast: {told}\n")


def test_whoever_only_reads_is_told_to_upgrade_first(sold, old):
    code, _, err = sold("models", "list", "sales")
    assert code == 2
    assert err.endswith("rollcast db upgrade brings it up to date\n")


def test_a_backup_is_a_database_that_can_take_its_place(sold, history, database, tmp_path):
    code, out, _ = sold("db", "backup", "copy.db")
    assert code == 0
    assert out.startswith("copy.db: ")
    assert out.endswith(", whole and sound\n")
    shown = sold("latest", "a", "--json")
    for file in database.parent.glob("rollcast.db*"):
        file.unlink()
    shutil.copy(tmp_path / "copy.db", database)
    assert sold("latest", "a", "--csv")[1].splitlines()[1].startswith("a,2026-01-06T07:00:00Z")
    assert shown[0] == 0


def test_a_backup_overwrites_nothing_unless_told(sold, database, tmp_path):
    (tmp_path / "copy.db").write_text("something")
    assert sold("db", "backup", "copy.db") == (2, "", "rollcast: copy.db is there already; --force overwrites it\n")
    assert sold("db", "backup", "copy.db", "--force")[0] == 0
    assert count(tmp_path / "copy.db") == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("data/rollcast.db --force", "is the database itself; expected another file to write"),
        ("data --force", "is a folder; expected the name of a file to write"),
        ("nowhere/copy.db", "lies in nowhere, which is no folder; expected the name of a file to write"),
    ],
)
def test_a_backup_is_not_written_where_it_makes_no_sense(sold, database, words, told):
    code, _, err = sold("db", "backup", *words.split())
    assert (code, err.endswith(f"{told}\n")) == (2, True)


def test_a_prune_forgets_what_is_not_kept_and_is_on_record(sold, stored, forgetful, database):
    assert sold("db", "prune")[:2] == (0, "sales  ok  0 forecasts, 30 observations, 0 models forgotten\n")
    assert count(database) == 10
    with stored() as session:
        assert queries.newest_runs(session, "sales", "prune", 1)[0].outcome == "ok"


def test_a_dry_run_tells_what_would_go_and_leaves_it(sold, forgetful, database):
    assert sold("db", "prune", "--dry-run")[1] == "sales  would forget  0 forecasts, 30 observations, 0 models\n"
    assert count(database) == DAYS
    assert [file.name for file in database.parent.iterdir() if file.is_dir()] == []


def test_a_panel_that_keeps_all_says_so(sold, history):
    assert sold("db", "prune", "sales")[1].startswith("sales  keeps all; ")


def test_a_vacuum_tells_what_it_gave_back(sold, stored, database):
    with stored.begin() as session:
        series = queries.add_series(session, "a", "sales")
        queries.add_observations(session, series.id, ((k, 1.0) for k in range(50_000)), utc_now())
    with stored.begin() as session:
        queries.delete_observations(session, series.id, utc_now(), 50_000)
    code, out, _ = sold("db", "vacuum")
    assert code == 0
    assert out.endswith(" MB given back\n")
    assert sold("db", "vacuum")[1].endswith("there was nothing to give back\n")


def test_a_vacuum_is_refused_while_a_daemon_runs(sold, database):
    with daemon.take_lock(database.parent):
        code, _, err = sold("db", "vacuum")
    assert (code, err.endswith("while a vacuum holds the write lock; stop it first\n")) == (2, True)


def test_a_copy_that_is_not_sound_ends_with_exit_code_1(sold, stored, database):
    with stored.begin() as session:
        series = queries.add_series(session, "a", "sales")
        queries.add_observations(session, series.id, ((k, 1.0) for k in range(50_000)), utc_now())
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with database.open("r+b") as file:
        file.seek(database.stat().st_size // 2)
        file.write(b"\xff" * 20_000)
    code, out, err = sold("db", "backup", "copy.db")
    assert (code, out) == (1, "")
    assert "is not sound: " in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", ["upgrade", "backup copy.db", "prune", "vacuum"])
def test_without_a_database_each_says_how_to_make_one(sold, tmp_path, words):
    code, _, err = sold("db", *words.split())
    assert (code, err.endswith("rollcast run makes it\n"), (tmp_path / "data").exists()) == (2, True, False)
