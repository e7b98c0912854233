"""Fetching from a local CSV file: how long the first fetch of a large panel takes, an increment, and what memory.

    python -m benchmarks.ingest              # 1,000 series with 1,000 points each, then a point more of each, ten times
    python -m benchmarks.ingest --rows 10    # 1 and 10 million rows of one file, each in a process of its own

Everything is as in the daemon: the file is read, its rows laid on the grid, compared with the database and stored.
"""

import argparse
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from db import engine
from db.engine import Sessions
from jobs.asking import Asking
from jobs.fetch import Means, fetch
from jobs.manners import Manners
from jobs.panel import Panel
from jobs.sources.csv import CsvSource

START = pd.Timestamp("2020-01-01", tz="UTC")
MINUTE = timedelta(minutes=1)
SERIES, POINTS, INCREMENTS = 1000, 1000, 10


class Clock:
    """Shows what it was set to."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def write_rows(path: Path, first: int, last: int, series: int = SERIES) -> None:
    """Append the points from first to last of each series, point after point."""
    rng = np.random.default_rng(first)
    with path.open("a") as file:
        if first == 0:
            file.write("unique_id,ds,y\n")
        for point in range(first, last):
            moment = (START + point * MINUTE).isoformat()
            file.writelines(f"s{k:04},{moment},{y:.4f}\n" for k, y in enumerate(rng.normal(100, 5, series)))


def panel_of(path: Path) -> Panel:
    """A panel of the file."""
    source = CsvSource(path)
    return Panel(
        "p", source, MINUTE, 12, fetch_every=MINUTE, refit_every=timedelta(days=1), train_window=timedelta(days=3650)
    )


def database(folder: Path) -> Sessions:
    """A new one."""
    write_engine = engine.writer(f"sqlite:///{folder}/ingest.db")
    engine.migrate(write_engine)
    return engine.sessions(write_engine)


def speed(folder: Path) -> None:
    """The first fetch, and increments of a point a series."""
    path, sessions = folder / "panel.csv", database(folder)
    clock = Clock((START + (POINTS + 1) * MINUTE).to_pydatetime())
    means = Means(folder, Manners(clock, random.Random(0), time.sleep), Asking())  # noqa: S311  no cryptography
    panel = panel_of(path)
    write_rows(path, 0, POINTS)
    took = []
    for point in range(POINTS, POINTS + INCREMENTS + 1):
        began = time.perf_counter()
        fetched = fetch(sessions, panel, clock, means)
        took.append(time.perf_counter() - began)
        assert fetched.new == (SERIES * POINTS if point == POINTS else SERIES), str(fetched)  # noqa: S101
        write_rows(path, point, point + 1)
        clock.now += MINUTE
    began = time.perf_counter()
    means = Means(folder, means.manners, Asking())
    fetch(sessions, panel_of(path), clock, means)  # as a process that has just been started
    restarted = time.perf_counter() - began
    print(f"first fetch of {SERIES:,} series, {POINTS:,} points each: {took[0]:.2f} s")
    print(f"a point more of each: {statistics.median(took[1:]):.2f} s ({min(took[1:]):.2f}–{max(took[1:]):.2f})")
    print(f"the same after a restart: {restarted:.2f} s")


def memory(folder: Path, rows: int) -> None:
    """The first fetch of so many rows, and the most memory that the process has taken."""
    path, sessions = folder / "panel.csv", database(folder)
    write_rows(path, 0, rows // SERIES)
    clock = Clock(datetime(2040, 1, 1, tzinfo=UTC))
    means = Means(folder, Manners(clock, random.Random(0), time.sleep), Asking())  # noqa: S311  no cryptography
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fetched = fetch(sessions, panel_of(path), clock, means)
    assert fetched.new == rows, str(fetched)  # noqa: S101
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{rows:,} rows: {time.perf_counter() - began:.1f} s, at most {peak / 1024:.0f} MB ({before / 1024:.0f} before)"
    )


def main() -> None:
    """Measure one or the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, help="millions of rows to measure memory with, beside one million")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.child:
            memory(Path(folder), asked.child)
        elif asked.rows:
            for millions in (1, asked.rows):
                command = [sys.executable, "-m", "benchmarks.ingest", "--child", str(millions * 1_000_000)]
                subprocess.run(command, check=True)
        else:
            speed(Path(folder))


if __name__ == "__main__":
    main()
