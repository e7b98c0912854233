"""The rows of fresh processes: from the start of Python to a fitted network, at equal steps and at equal test error.

The task is the sample of taxi passengers in New York: half a day ahead from one day. The first four fifths of the
series are to train on; the forecasts, a new one every three hours, lie in the last fifth. Every library gets the same
standardised series, one network of 32 hidden units in batches of 128 windows, and one core; every error is computed
here. Time is CPU time of the whole process, as the operating system counts it.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.fresh import HORIZON, LOOKBACK
from benchmarks.measure import Effort, Row, compare

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "service" / "samples" / "nyc_taxi_30min.csv"
TRAINED, EVERY = 0.8, 6  # share of the series to train on; half-hours between forecasts
EQUAL_STEPS = 200
RATE = 1e-3
FRESH = {"torch": 14.0, "jax": 9.0, "neuralforecast": 28.0, "darts": None, "darts_recurrent": None}
MOST_MEMORY = 40.0  # MB
AT_EQUAL_ERROR = {"neuralforecast": 15.0, "darts": 15.0, "darts_recurrent": 15.0}
PEER_STEPS = 1000  # neuralforecast's own default
PEER_RATES = (1e-3, 3e-3, 1e-2)
OUR_STEPS = (50, 100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1300, 1600, 2000, 3000)
OUR_RATE = 1e-2


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    cpu: float  # seconds
    wall: float
    memory: float  # MB at its peak


class Bench:
    """A folder with the task in it, where processes are started."""

    def __init__(self, folder: str) -> None:
        series = np.loadtxt(SAMPLE, delimiter=",", skiprows=1, usecols=2)
        first = int(TRAINED * len(series))
        self.mean, self.deviation = series[:first].mean(), series[:first].std()
        scaled = ((series - self.mean) / self.deviation).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(scaled[first - LOOKBACK :], LOOKBACK + HORIZON)[::EVERY]
        np.save(f"{folder}/train.npy", scaled[:first])
        np.save(f"{folder}/past.npy", windows[:, :LOOKBACK])
        self.folder, self.truth = folder, windows[:, LOOKBACK:]
        self.error = lru_cache(maxsize=None)(self._error)

    def run(self, library: str, steps: int, rate: float, seed: int, *more: str) -> Cost:
        """Start a process and wait for its end."""
        command = [sys.executable, "-m", "benchmarks.fresh", library, self.folder, str(steps), str(rate), str(seed)]
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            started = time.perf_counter()
            process = subprocess.Popen([*command, *more], cwd=ROOT, stdout=out, stderr=err)
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            if process.returncode:
                raise RuntimeError(f"{library} ended with {process.returncode}: {err.read()[-2000:]}")
            memory = int(out.read().split()[-1]) * 1024 / 1e6
        return Cost(used.ru_utime + used.ru_stime, wall, memory)

    def _error(self, library: str, steps: int, rate: float, seed: int) -> float:
        """The mean absolute error of its forecasts, in passengers."""
        self.run(library, steps, rate, seed, "forecast")
        forecasts = np.load(f"{self.folder}/forecasts.npy")
        if forecasts.shape != self.truth.shape:
            raise RuntimeError(f"{library} made forecasts of shape {forecasts.shape}, expected {self.truth.shape}")
        return float(np.mean(np.abs(forecasts - self.truth)) * self.deviation)

    def usual_error(self, library: str, steps: int, rate: float, seeds: int) -> float:
        """The median over the seeds."""
        return statistics.median(self.error(library, steps, rate, seed) for seed in range(1, seeds + 1))


def fresh_rows(effort: Effort) -> Iterator[Row]:
    """From the start of Python to a network fitted in equally many steps; and the peak of the memory."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        for library in ("ours", *FRESH):
            bench.run(library, 1, RATE, 1)  # from here on its files are compiled, and in the system's cache
        rounds = [
            {library: bench.run(library, EQUAL_STEPS, RATE, seed=turn) for library in ("ours", *FRESH)}
            for turn in range(effort.processes)
        ]
    for library, asked in FRESH.items():
        wall = statistics.median(costs[library].wall / costs["ours"].wall for costs in rounds)
        pairs = [(costs["ours"].cpu, costs[library].cpu) for costs in rounds]
        note = f"wall time: {wall:.1f} times ours"
        yield compare("fresh", f"{library}, {EQUAL_STEPS} steps", pairs, 1.0, "s", asked=asked, note=note)
    memory = [costs["ours"].memory for costs in rounds]
    most = max(memory)
    peers = ", ".join(f"{name} {statistics.median(costs[name].memory for costs in rounds):.0f}" for name in FRESH)
    note = f"peers, in MB: {peers}"
    yield Row("memory", "peak memory", most, None, "MB", most, min(memory), most, MOST_MEMORY, at_most=True, note=note)


def error_rows(effort: Effort) -> Iterator[Row]:
    """From the start of Python to a network with the test error that a peer reaches, or a better one.

    The peers take neuralforecast's default number of steps, at whichever of three learning rates tests best. Ours takes
    the first of a ladder of steps at which its test error is no worse. The errors are medians over seeds.
    """
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        for library, asked in AT_EQUAL_ERROR.items():
            errors = {rate: bench.usual_error(library, PEER_STEPS, rate, effort.seeds) for rate in PEER_RATES}
            rate, wanted = min(errors.items(), key=lambda found: found[1])
            steps, reached = 0, float("inf")
            for steps in OUR_STEPS:
                reached = bench.usual_error("ours", steps, OUR_RATE, effort.seeds)
                if reached <= wanted:
                    break
            pairs = [
                (bench.run("ours", steps, OUR_RATE, seed=turn).cpu, bench.run(library, PEER_STEPS, rate, seed=turn).cpu)
                for turn in range(max(1, effort.processes // 2 + 1))
            ]
            note = (
                f"mean absolute test error: ours {reached:.0f} after {steps} steps at rate {OUR_RATE:g},"
                f" {library} {wanted:.0f} after {PEER_STEPS} steps at rate {rate:g}"
            )
            row = compare("error", f"{library}, equal test error", pairs, 1.0, "s", asked=asked, note=note)
            yield row if reached <= wanted else replace(row, ratio=0.0, note=f"NOT EQUAL: {note}")
