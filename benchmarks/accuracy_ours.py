"""Rollcast's side: the command `rollcast backtest` as a user runs it, and the time of one fit in a fresh process.

python -m benchmarks.accuracy_ours TASK    prints the CPU seconds of one automatic fit of m4_weekly_dev or another
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.accuracy_peers import Forecasts
from benchmarks.accuracy_tasks import ID, LEVELS, ROOT, TIME, Task, of_2000_points, weekly
from benchmarks.measure import ONE_THREAD
from jobs import frequencies
from models.forecaster import Forecaster


@dataclass(frozen=True)
class Ours:
    """What the command made, and what it says of it."""

    forecasts: Forecasts
    metrics: dict[str, Any]


def our_forecasts(task: Task, refit_every: int | None = None) -> Ours:
    """Run the command on the task, with one thread. refit_every: so many cutoffs; None leaves it to the command."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        metrics, made = folder / "metrics.json", folder / "forecasts.csv"
        options = {"interval": task.interval, "season": task.season, "horizon": task.horizon}
        options |= {"cutoffs": task.cutoffs, "stride": task.stride, "metrics": metrics, "out": made}
        options |= {} if refit_every is None else {"refit-every": refit_every}
        words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
        seconds = _cpu_seconds(["service", "backtest", str(task.write(folder)), *words])
        text = {ID: str, TIME: str, "cutoff": str}
        return Ours(laid_out(task, pd.read_csv(made, dtype=text), seconds), json.loads(metrics.read_text()))


def laid_out(task: Task, made: pd.DataFrame, seconds: float) -> Forecasts:
    """The command's forecasts, a row a pair of the task; NaN where it made none."""
    places = {pair: place for place, pair in enumerate(task.pairs)}
    ends = {name: {ds: row + 1 for row, ds in enumerate(rows.times)} for name, rows in task.series.items()}
    ids, cutoffs = (made[column].to_numpy()[:: task.horizon] for column in (ID, "cutoff"))
    rows = [places[name, ends[name][cutoff]] for name, cutoff in zip(ids, cutoffs, strict=True)]
    columns = ["yhat", *(f"{side}_{level}" for side in ("lo", "hi") for level in LEVELS)]
    table = np.full((len(places), len(columns), task.horizon), np.nan)
    table[rows] = made[columns].to_numpy(dtype=np.float64).reshape(-1, task.horizon, len(columns)).transpose(0, 2, 1)
    half = 1 + len(LEVELS)
    return Forecasts(table[:, 0], table[:, 1:half], table[:, half:], seconds)


def fit_seconds(task: Task) -> float:
    """CPU seconds of the automatic fit of a task, at its only cutoff, in a fresh process with one thread.

    The imports before are left out; what the first fit of a process still has to set up is not.
    """
    command = [sys.executable, "-m", "benchmarks.accuracy_ours", task.name]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the fit of {task.name} failed: {done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def timed(task: Task) -> float:
    """CPU seconds of this process, and of those that it may start, for one fit."""
    histories = {name: [task.series[name].values[:end].copy()] for name, end in task.pairs}
    seasons = sorted(set(frequencies.parse(task.interval).seasons) | {task.season} - {1})  # as the command has them
    began = _used()
    Forecaster(task.horizon, seasons=tuple(seasons), levels=LEVELS, seed=0).fit(histories)
    return _used() - began


def _used() -> float:
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def _cpu_seconds(arguments: list[str]) -> float:
    """Run a module of the project to its end; the CPU time that it took."""
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, env=os.environ | ONE_THREAD, stdout=told, stderr=told
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            raise RuntimeError(f"rollcast {' '.join(arguments[1:])} failed: {told.read()[-2000:]}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    (name,) = sys.argv[1:]
    tasks = of_2000_points() if name.endswith("_2000") else [weekly()]
    print(timed(next(task for task in tasks if task.name == name)))


if __name__ == "__main__":
    main()
