"""Reading while both cores refit: the worker processes of the real daemon, halted and let go on in turns."""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import psutil

from benchmarks.api_latest import NAMES, ours
from benchmarks.api_servers import Server, rollcast
from benchmarks.api_table import Ratios, Section, number, usual
from benchmarks.api_wrk import Effort, Load, Reach, wrk
from jobs.forecast import BATCH

R = TypeVar("R")

SAMPLE = "metrics.csv"
TIMES_AS_LONG = 1.5
FOR_A_REFIT = 240.0  # seconds until two are under way
BUSY = 0.1  # of a core, by which a worker counts as being at work; one that waits takes none
SERIES, HOURS, SEED = 500, 2000, 1
WHOLE = 40.0  # seconds: refits, their ends, and the forecasts that follow
TO_WARM = 8.0  # seconds until each of a thousand answers has been made

# The next refit is due when one has ended.
PANEL = """
[panels.metrics{k}]
source = {{ type = "csv", path = "{sample}" }}
prefix = "metrics{k}/"
interval = "1h"
tz = "UTC"
horizon = 24
refit_every = "1s"
expire_after = "never"
"""

LOADS = {
    f"{what}, {how}": Load([ours(name) for name in names], 8, pause=pause)
    for what, names in (("one series", NAMES[:1]), ("1,000 series in turn", NAMES))
    for how, pause in (("pauses of 20 ms", 20), ("no pause", 0))
}


def section(folder: Path, effort: Effort) -> Section:
    """p99 with the workers halted, and with both at work."""
    write_metrics(folder / SAMPLE)
    with beside(folder), rollcast(folder, ours(NAMES[0]), ROLLCAST_WORKERS="2", ROLLCAST_REFIT_TIMEOUT="1d") as daemon:
        workers = wait_for_refits(daemon)
        lines = [line(daemon, workers, told, load, effort) for told, load in LOADS.items()]
    return Section(
        "While both cores refit",
        f"The latest forecast over 8 connections, while two worker processes refit two panels of {SERIES} hourly series"
        f" each; {os.cpu_count()} cores are all there are, for the server and wrk too. Idle: the same with the workers"
        " halted (SIGSTOP). `cores` is how many the workers got meanwhile. With pauses each connection waits so long"
        f" between an answer and its next question. The last column is the p99 of {WHOLE:.0f} s in one: the ends of"
        f" refits are in it, and the {2 * SERIES:,} forecasts that follow them in transactions of {BATCH}: after each"
        " commit, all answers are made anew. What wrk measures has its own waits for a core in it; how long in each"
        " second the server's main thread was ready to run and had none is what the scheduler says of it"
        " (/proc/…/schedstat).",
        (
            "load",
            "idle: answers/s",
            "p50",
            "p99",
            "refitting: answers/s",
            "p50",
            "p99",
            "cores",
            "p99, times as long",
            "asked",
            "p99 of the whole",
            "the server waited, idle: ms/s",
            "refitting",
        ),
        lines,
    )


def write_metrics(path: Path) -> None:
    """Hourly series with a daily and a weekly season, and noise."""
    rng, hour = np.random.default_rng(SEED), np.arange(HOURS)
    ends = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    ts = pd.date_range(end=ends, periods=HOURS, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ")
    days = 20 * np.sin(2 * np.pi * (hour / 24 + rng.uniform(size=(SERIES, 1))))
    values = 50 + days + 8 * np.sin(2 * np.pi * hour / 168) + rng.normal(0, 5, (SERIES, HOURS))
    names = np.repeat([f"m{k:03}" for k in range(SERIES)], HOURS)
    table = pd.DataFrame({"unique_id": names, "ds": np.tile(ts, SERIES), "y": values.ravel().round(3)})
    table.to_csv(path, index=False)


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Two panels more in the configuration."""
    file = folder / "rollcast.toml"
    before = file.read_text()
    file.write_text(before + "".join(PANEL.format(k=k, sample=SAMPLE) for k in (1, 2)))
    try:
        yield
    finally:
        file.write_text(before)


def wait_for_refits(daemon: Server) -> list[psutil.Process]:
    """The two worker processes, once both are at work."""
    deadline = time.monotonic() + FOR_A_REFIT
    while time.monotonic() < deadline:
        # The fork server is a child of the daemon, the workers are its own.
        children = set(daemon.process.children())
        workers = [child for child in daemon.process.children(recursive=True) if child not in children]
        if len(workers) == 2 and min(cores(workers, partial(time.sleep, 1))[1]) > BUSY:
            return workers
    raise RuntimeError(f"no two workers at work within {FOR_A_REFIT:.0f} s: {daemon.log.read_text()[-2000:]}")


def cores(workers: Sequence[psutil.Process], during: Callable[[], R]) -> tuple[R, list[float]]:
    """What came of something, and what share of a core each worker got meanwhile."""
    before, began = [used(worker) for worker in workers], time.monotonic()
    result = during()
    took = time.monotonic() - began
    return result, [(used(worker) - spent) / took for worker, spent in zip(workers, before, strict=True)]


def used(process: psutil.Process) -> float:
    """CPU seconds of a process up to now."""
    times = process.cpu_times()
    return float(times.user + times.system)


def line(server: Server, workers: Sequence[psutil.Process], told: str, load: Load, effort: Effort) -> list[str]:
    """The cells of one load."""
    idle, busy, shares, waits = [], [], [], []
    ask = partial(wrk, server.url, load, effort.seconds)
    for _ in range(effort.rounds):
        (still, busily), got, waited = during_refits(server, load, partial(in_turns, ask, server, workers))
        idle.append(still)
        busy.append(busily)
        shares.append(sum(got))
        waits.append(waited)
    longer = Ratios([b.p99 / i.p99 for i, b in zip(idle, busy, strict=True)], at_most=TIMES_AS_LONG)
    whole = wrk(server.url, load, WHOLE).p99
    return [
        told,
        *usual(idle),
        *usual(busy),
        number(statistics.median(shares)),
        str(longer),
        longer.asked,
        number(whole),
        *(number(statistics.median(each)) for each in zip(*waits, strict=True)),
    ]


def in_turns(
    ask: Callable[[], Reach], server: Server, workers: Sequence[psutil.Process]
) -> tuple[tuple[Reach, Reach], list[float], tuple[float, float]]:
    """What was reached with the workers halted, and with both at work; what share of a core each of them got; and how
    long the server waited for one, in both, in ms a second.
    """
    with halted(workers):
        idle, idly = waiting(server, ask)
    (busy, busily), got = cores(workers, partial(waiting, server, ask))
    return (idle, busy), got, (idly, busily)


def waiting(server: Server, during: Callable[[], R]) -> tuple[R, float]:
    """What came of something, and how long the server's main thread waited for a core meanwhile, in ms a second."""
    before, began = waited(server), time.monotonic()
    result = during()
    return result, (waited(server) - before) / (time.monotonic() - began) * 1000


def waited(server: Server) -> float:
    """Seconds up to now in which the server's main thread could have run, and had no core: see proc(5)."""
    pid = server.process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1]) / 1e9


def during_refits(server: Server, load: Load, measure: Callable[[], R]) -> R:
    """Measure from first to last while the same two refits go on, once all answers asked for have been made."""
    while True:
        refits = under_way(server)
        if len(refits) == 2:
            wrk(server.url, Load(load.paths, load.connections), TO_WARM if len(load.paths) > 1 else 1)
            result = measure()
            if under_way(server) == refits:
                return result
        time.sleep(0.5)


def under_way(server: Server) -> set[int]:
    """The refits that go on now."""
    return {run["id"] for run in server.get("/api/v1/runs?job=refit&outcome=running").json()["runs"]}


@contextmanager
def halted(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Stand still meanwhile."""
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
