"""Killed at any moment, nothing committed is lost, nothing is written twice, and the next start goes on by itself.

One daemon after the other works on one folder; each is killed with -9, in the middle of a refit and of its writes. What
the database held just before each kill and just after is kept, and the tests below look at it. A kill that finds the
database at rest shows little; so every other one strikes at the very moment at which SQLite writes to its log.
"""

import itertools
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

KILLS = 20
SEED = 20
PATIENCE = 1.2  # seconds that a daemon works, at most, before it is killed
HORIZON = 3
LEVELS = 2
SERIES = ("a", "b", "c")
FIRST_ROWS, ROWS_A_TURN = 300, 40
MINUTE = timedelta(minutes=1)
START = datetime(2024, 1, 1, tzinfo=UTC)

CARDS = """
    SELECT forecast_id, step, series_id, target_ts FROM scores
    UNION ALL SELECT forecast_id, step, series_id, target_ts FROM pending_scores"""

# These rows never change, and never go. A score or a forecast with nothing to do leaves no run, once it has ended.
KEPT = {
    "series": "SELECT id, name, panel FROM series",
    "observations": "SELECT * FROM observations",
    "models": "SELECT * FROM models",
    "promotions": "SELECT * FROM promotions",
    "forecasts": "SELECT * FROM forecasts",
    "forecast_steps": "SELECT * FROM forecast_steps",
    "forecast_bounds": "SELECT * FROM forecast_bounds",
    "score cards": CARDS,
    "scores": "SELECT * FROM scores",
    "fetches and refits": "SELECT id, job, panel, due, started FROM runs WHERE job IN ('fetch', 'refit')",
    "ended runs": "SELECT * FROM runs WHERE outcome != 'running'",
}
FAULTS = {
    "a value stored twice in a row": """
        SELECT * FROM (
            SELECT *, lag(value) OVER (PARTITION BY series_id, ts ORDER BY observed_at) AS before FROM observations
        ) WHERE value = before""",
    "a forecast issued twice": """
        SELECT series_id, cutoff, model_id, count(*) FROM forecasts GROUP BY 1, 2, 3 HAVING count(*) > 1""",
    "a forecast without all its steps": """
        SELECT f.id, count(s.step), max(s.step) FROM forecasts f LEFT JOIN forecast_steps s ON s.forecast_id = f.id
        GROUP BY f.id HAVING count(s.step) != :horizon OR max(s.step) != :horizon""",
    "a forecast without all its bounds": """
        SELECT f.id, count(b.step) FROM forecasts f LEFT JOIN forecast_bounds b ON b.forecast_id = f.id
        GROUP BY f.id HAVING count(b.step) != :bounds""",
    "a forecast without all its score cards": f"""
        SELECT f.id, count(c.step) FROM forecasts f LEFT JOIN ({CARDS}) c ON c.forecast_id = f.id
        GROUP BY f.id HAVING count(c.step) != :horizon""",  # noqa: S608  all of it is written above
    "a row that refers to none": "PRAGMA foreign_key_check",
}
UNSCORED = """
    SELECT p.* FROM pending_scores p JOIN observations o ON o.series_id = p.series_id AND o.ts = p.target_ts"""
NEWEST = """
    SELECT s.name, o.ts, o.value, max(o.observed_at) FROM observations o JOIN series s ON s.id = o.series_id
    WHERE s.panel = 'feed' GROUP BY s.name, o.ts"""  # SQLite takes the other columns from the row of the maximum
WITHOUT_FORECAST = """
    SELECT s.name FROM series s LEFT JOIN forecasts f ON f.series_id = s.id
    AND f.cutoff = (SELECT max(ts) FROM observations o WHERE o.series_id = s.id) WHERE f.id IS NULL"""
RUNNING = """
    SELECT id, job FROM runs WHERE outcome = 'running' AND NOT EXISTS (
        SELECT 1 FROM models WHERE job = 'refit' AND models.panel = runs.panel AND trained_at >= started
    )"""  # a refit whose model is stored has done its work
START_US = int(START.timestamp()) * 1_000_000

Rows = set[tuple[Any, ...]]


@dataclass
class Snapshot:
    """What the database held at one moment: the rows that must stay, and the runs that were under way."""

    kept: dict[str, Rows]
    running: Rows


@dataclass
class Story:
    """What there was to see, at the kills and at the end."""

    snapshots: list[Snapshot] = field(default_factory=list)  # before and after each kill; the last at the end
    integrity: list[Any] = field(default_factory=list)  # what SQLite said after each kill
    faults: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in FAULTS})
    end: Callable[[str], list[Any]] = list  # asks the database as it is in the end
    file: dict[tuple[str, int], float] = field(default_factory=dict)  # as it is in the end

    def cut_off(self) -> list[Rows]:
        """Of each kill, the runs that it cut off."""
        return [snapshot.running for snapshot in self.snapshots[1:-1:2]]


class Feed:
    """A file of three series that grows, and in which old values change; always replaced in one stroke."""

    def __init__(self, path: Path, write_csv: Callable[..., None], rng: random.Random) -> None:
        self._path = path
        self._write_csv = write_csv
        self._rng = rng
        self.values: dict[str, list[float]] = {name: [] for name in SERIES}
        self.grow(FIRST_ROWS)

    def grow(self, count: int) -> None:
        """Add values to every series, and change one that was there."""
        for values in self.values.values():
            if values:
                values[self._rng.randrange(len(values))] += 1.0
            values.extend(round(50 + self._rng.gauss(0, 5), 3) for _ in range(count))
        self._write_csv(self._path, self.values, MINUTE, START + len(self.values["a"]) * MINUTE)

    def observations(self) -> dict[tuple[str, int], float]:
        """What the file says: (series, ts) → value."""
        return {
            (name, START_US + k * 60_000_000): value
            for name, values in self.values.items()
            for k, value in enumerate(values)
        }


@pytest.fixture(scope="module")
def story(
    tmp_path_factory: pytest.TempPathFactory,
    run: Callable[..., Any],
    configure: Callable[..., None],
    write_csv: Callable[..., None],
    wait_for: Callable[..., None],
    ask: Callable[..., list[Any]],
    slow: dict[str, Any],
    slow_series: dict[str, list[float]],
) -> Story:
    folder: Path = tmp_path_factory.mktemp("killed")
    database = folder / "data" / "rollcast.db"
    rng = random.Random(SEED)
    minutely = {"interval": "1m", "horizon": HORIZON, "fetch_every": "1s", "expire_after": "never"}
    configure(
        folder,
        feed=minutely | {"refit_every": "2s"},
        slow=slow | minutely | {"refit_every": "1s"},
        steady=minutely | {"refit_every": "1d"},
    )
    feed = Feed(folder / "feed.csv", write_csv, rng)
    write_csv(folder / "slow.csv", slow_series, MINUTE, START)
    write_csv(folder / "steady.csv", {"steady": [float(k % 17) for k in range(FIRST_ROWS)]}, MINUTE, START)
    story = Story(end=lambda sql: ask(database, sql))
    with run(folder) as daemon:
        daemon.ready().refitted("feed").refitted("steady")
        daemon.end(signal.SIGKILL)

    for k in range(KILLS):
        feed.grow(ROWS_A_TURN)
        with run(folder) as daemon:
            if k % 5:  # every fifth is killed while it starts, perhaps
                daemon.ready()
            story.snapshots.append(snapshot(database))
            moment = time.monotonic() + rng.uniform(0, PATIENCE)
            while time.monotonic() < moment:
                feed.grow(ROWS_A_TURN)
                time.sleep(0.2)
            if k % 2:  # a fetch and what follows write about ten times; strike at any of them
                for _ in range(rng.randint(1, 10)):
                    wait_for_a_write(database.with_name("rollcast.db-wal"))
            daemon.end(signal.SIGKILL)
        examine(story, database, folder / f"copy{k}")

    with run(folder) as daemon:
        daemon.ready()
        wait_for(lambda: newest(ask(database, NEWEST)) == feed.observations(), within=30)
        # No refit of the slow panel was ever left in peace, so it has no model.
        wait_for(lambda: {name for (name,) in ask(database, WITHOUT_FORECAST)} <= set(slow_series), within=30)
        daemon.end(signal.SIGTERM)
    story.snapshots.append(snapshot(database))
    story.file = feed.observations()
    return story


def newest(rows: list[Any]) -> dict[tuple[str, int], float]:
    return {(name, ts): value for name, ts, value, _ in rows}


def wait_for_a_write(log: Path) -> None:
    """Return at the moment at which SQLite writes to its write-ahead log; after two seconds in any case."""
    before, deadline = mark(log), time.monotonic() + 2
    while mark(log) == before and time.monotonic() < deadline:
        pass


def mark(log: Path) -> tuple[int, int]:
    try:
        status = log.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def snapshot(database: Path) -> Snapshot:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")
        kept = {name: set(connection.execute(sql)) for name, sql in KEPT.items()}
        return Snapshot(kept, set(connection.execute(RUNNING)))


def examine(story: Story, database: Path, copy: Path) -> None:
    """Look at a copy, so that the next daemon finds the files just as the kill left them."""
    copy.mkdir()
    for name in (database.name, f"{database.name}-wal"):
        if database.with_name(name).exists():
            shutil.copy(database.with_name(name), copy / name)
    with closing(sqlite3.connect(copy / database.name)) as connection:
        story.integrity += connection.execute("PRAGMA integrity_check").fetchall()
        for name, sql in FAULTS.items():
            story.faults[name] += connection.execute(sql, {"horizon": HORIZON, "bounds": HORIZON * LEVELS}).fetchall()
    story.snapshots.append(snapshot(copy / database.name))
    shutil.rmtree(copy)


def test_the_database_is_sound_after_every_kill(story: Story) -> None:
    assert story.integrity == [("ok",)] * KILLS


@pytest.mark.parametrize("fault", FAULTS)
def test_no_kill_leaves(story: Story, fault: str) -> None:
    assert story.faults[fault] == []


@pytest.mark.parametrize("what", KEPT)
def test_what_was_committed_stays_as_it_was(story: Story, what: str) -> None:
    lost = [before.kept[what] - after.kept[what] for before, after in itertools.pairwise(story.snapshots)]
    assert lost == [set()] * (2 * KILLS)


def test_at_least_half_of_the_kills_struck_a_refit(story: Story) -> None:
    assert sum("refit" in {job for _, job in runs} for runs in story.cut_off()) >= KILLS / 2


def test_every_run_that_was_cut_off_is_recorded_as_interrupted(story: Story) -> None:
    cut_off = {number for runs in story.cut_off() for number, _ in runs}
    interrupted = {number for (number,) in story.end("SELECT id FROM runs WHERE outcome = 'interrupted'")}
    assert cut_off - interrupted == set()


def test_in_the_end_no_run_is_left_open(story: Story) -> None:
    assert story.end("SELECT * FROM runs WHERE outcome = 'running'") == []


def test_in_the_end_the_observations_are_the_file_s(story: Story) -> None:
    assert newest(story.end(NEWEST)) == story.file


def test_in_the_end_every_truth_that_arrived_is_scored(story: Story) -> None:
    assert story.end(UNSCORED) == []


def test_no_refit_is_run_before_it_is_due(story: Story) -> None:
    assert story.end("SELECT * FROM runs WHERE job = 'refit' AND started < due") == []


def test_a_panel_that_was_refitted_for_the_day_is_not_refitted_again_at_any_start(story: Story) -> None:
    assert story.end("SELECT outcome FROM runs WHERE job = 'refit' AND panel = 'steady'") == [("ok",)]
