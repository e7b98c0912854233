"""A database that has lived: hourly series with observations, forecasts, scores and runs, for others to measure on.

    python -m benchmarks.lived FOLDER                                   # as if its newest hour had just ended
    python -m benchmarks.lived FOLDER --series 1000 --forecasts 200     # how many of what: see --help

FOLDER then holds `data/rollcast.db` and a `rollcast.toml` whose panel asks its source, and refits, once a year: so
`rollcast run` in that folder serves what is there, and does no other work. Values are random walks from a seed. All of
it is written as revision 0003 of the tables had it, and brought up to date: what later revisions derive is derived.
"""

import argparse
import math
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from db import engine
from db.times import to_us
from jobs.fit import Task, fit

PANEL = "lived"
HOUR = timedelta(hours=1)
HOUR_US = 3_600_000_000
LEVELS = (80, 95)
NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
REVISION = "0003"

FORECASTS = """
    INSERT INTO forecasts (series_id, model_id, cutoff, issued_at, unit, scale)
    SELECT series_id, 1, ts, ts + :delay, 1.0, 1.0 FROM observations WHERE ts > :after ORDER BY ts, series_id"""

# A walk that is drawn back a little: near the naive, and not the same.
STEPS = """
    INSERT INTO forecast_steps
    SELECT f.id, k.step, f.cutoff + k.step * :hour, o.value * k.share + 100 * (1 - k.share), o.value
    FROM forecasts f CROSS JOIN ahead k
    JOIN observations o ON o.series_id = f.series_id AND o.ts = f.cutoff ORDER BY f.id, k.step"""

BOUNDS = """
    INSERT INTO forecast_bounds
    SELECT s.forecast_id, s.step, w.level, s.mean - w.width, s.mean + w.width
    FROM forecast_steps s CROSS JOIN widths w ON w.step = s.step ORDER BY s.forecast_id, s.step, w.level"""

SCORES = """
    INSERT INTO scores
    SELECT f.series_id, s.target_ts, f.id, s.step, o.value, o.value - s.mean, o.value - s.naive, s.target_ts + :delay
    FROM observations o
    JOIN forecasts f ON f.series_id = o.series_id AND f.cutoff BETWEEN o.ts - :horizon * :hour AND o.ts - :hour
    JOIN forecast_steps s ON s.forecast_id = f.id AND s.step = (o.ts - f.cutoff) / :hour
    WHERE o.ts > :after ORDER BY f.series_id, o.ts, f.id"""

PENDING = """
    INSERT INTO pending_scores
    SELECT f.series_id, s.target_ts, f.id, s.step
    FROM forecasts f JOIN forecast_steps s ON s.forecast_id = f.id
    WHERE f.cutoff > :newest - :horizon * :hour AND s.target_ts > :newest ORDER BY 1, 2, 3, 4"""


def make_database(
    path: Path,
    series: int = 1000,
    observations: int = 1000,
    forecasts: int = 20,
    horizon: int = 24,
    *,
    newest: datetime = NEWEST,
    seed: int = 0,
) -> None:
    """Make the database. newest: the start of the newest hour observed; each of the newest `forecasts` hours is a
    cutoff. The series are `s0000`, `s0001`, … of one panel, "lived".
    """
    if not 0 < forecasts <= observations:
        raise ValueError(f"{forecasts} forecasts of {observations} observations: there must be 1 to as many")
    write_engine = engine.writer(f"sqlite:///{path.absolute()}")
    config = Config()
    config.set_main_option("script_location", str(Path(engine.__file__).parent / "migrations"))
    with write_engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, REVISION)
        _observe(connection, series, observations, newest, seed)
        _promote(connection, horizon, newest)
        _forecast(connection, forecasts, horizon, newest)
        _run(connection, forecasts, newest)
    engine.migrate(write_engine)
    write_engine.dispose()


def configuration(horizon: int) -> str:
    """A rollcast.toml for it, beside an empty source `lived.csv`: nothing is due for a year."""
    return f"""\
[panels.{PANEL}]
source = {{ type = "csv", path = "{PANEL}.csv" }}
interval = "1h"
horizon = {horizon}
fetch_every = "365d"
refit_every = "365d"
"""


def _observe(connection: Connection, series: int, observations: int, newest: datetime, seed: int) -> None:
    """The series and what was observed of them, each hour at its end."""
    names = [(k + 1, f"s{k:04}", PANEL) for k in range(series)]
    connection.exec_driver_sql("INSERT INTO series (id, name, panel) VALUES (?, ?, ?)", names)
    hours = [to_us(newest) - k * HOUR_US for k in reversed(range(observations))]
    learnt = [hour + HOUR_US for hour in hours]
    rng = np.random.default_rng(seed)
    for series_id in range(1, series + 1):
        walk = (100 + rng.normal(size=observations).cumsum()).tolist()
        rows = list(zip([series_id] * observations, hours, learnt, walk, strict=True))
        connection.exec_driver_sql("INSERT INTO observations VALUES (?, ?, ?, ?)", rows)


def _promote(connection: Connection, horizon: int, newest: datetime) -> None:
    """A model that serves: really fitted, to a walk of its own."""
    walk = np.random.default_rng(1).normal(size=20 * horizon + 100).cumsum()
    task = Task(
        histories={"walk": [walk]},
        seasons=(),
        horizon=horizon,
        levels=LEVELS,
        seed=0,
        champion=None,
        unseen={},
        about={},
        cutoff=newest,
    )
    fitted, moment = fit(task), to_us(newest - 365 * 24 * HOUR)
    connection.exec_driver_sql(
        "INSERT INTO models (id, panel, version, kind, cutoff, trained_at, accepted, verdict, content)"
        " VALUES (1, ?, 1, ?, ?, ?, 1, ?, ?)",
        (PANEL, fitted.kind, moment, moment, fitted.verdict, fitted.content),
    )
    connection.exec_driver_sql(
        "INSERT INTO promotions (panel, model_id, promoted_at, reason) VALUES (?, 1, ?, 'won its refit')",
        (PANEL, moment),
    )


def _forecast(connection: Connection, forecasts: int, horizon: int, newest: datetime) -> None:
    """A forecast at each of the newest hours, scored where the truth is known."""
    steps = range(1, horizon + 1)
    connection.exec_driver_sql("CREATE TEMP TABLE ahead (step INTEGER PRIMARY KEY, share REAL)")
    connection.exec_driver_sql("INSERT INTO ahead VALUES (?, ?)", [(k, 0.99**k) for k in steps])
    connection.exec_driver_sql("CREATE TEMP TABLE widths (step INTEGER, level INTEGER, width REAL)")
    normal = statistics.NormalDist()
    widths = [(k, level, math.sqrt(k) * normal.inv_cdf(0.5 + level / 200)) for k in steps for level in LEVELS]
    connection.exec_driver_sql("INSERT INTO widths VALUES (?, ?, ?)", widths)
    told = {
        "hour": HOUR_US,
        "delay": HOUR_US + 1_000_000,
        "after": to_us(newest) - forecasts * HOUR_US,
        "newest": to_us(newest),
        "horizon": horizon,
    }
    for statement in (FORECASTS, STEPS, BOUNDS, SCORES, PENDING):
        connection.exec_driver_sql(statement, told)
    for table in ("ahead", "widths"):
        connection.exec_driver_sql(f"DROP TABLE temp.{table}")


def _run(connection: Connection, hours: int, newest: datetime) -> None:
    """A run of each job an hour, and a refit at first, all of which went well."""

    def runs() -> Iterator[tuple[str, str, int, int, int]]:
        for k in reversed(range(hours)):
            began = to_us(newest) - k * HOUR_US + HOUR_US
            for job in ("fetch", *(("refit",) if k == hours - 1 else ()), "score", "forecast"):
                yield (job, PANEL, began, began + 100_000, began + 900_000)

    connection.exec_driver_sql(
        "INSERT INTO runs (job, panel, due, started, ended, outcome, reason) VALUES (?, ?, ?, ?, ?, 'ok', '')",
        list(runs()),
    )


def main() -> None:
    """Make a folder to serve from."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--observations", type=int, default=1000, help="of each series")
    parser.add_argument("--forecasts", type=int, default=20, help="likewise")
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    path = asked.folder / "data" / "rollcast.db"
    if path.exists():
        parser.error(f"{path} is there already; name another folder")
    newest = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    began = time.perf_counter()
    make_database(
        path,
        asked.series,
        asked.observations,
        asked.forecasts,
        asked.horizon,
        newest=newest,
        seed=asked.seed,
    )
    (asked.folder / "rollcast.toml").write_text(configuration(asked.horizon))
    (asked.folder / f"{PANEL}.csv").write_text("unique_id,ds,y\n")
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
