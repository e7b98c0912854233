"""Reading while both cores refit: the worker processes of the real daemon, halted and let go on in turns."""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.api_latest import NAMES, ours
from benchmarks.api_servers import ROOT, Server, rollcast
from benchmarks.api_table import Ratios, Section, number, usual
from benchmarks.api_wrk import Effort, Load, wrk

R = TypeVar("R")

SAMPLE = ROOT / "service" / "samples" / "nyc_taxi_30min.csv"
TIMES_AS_LONG = 1.5
FOR_A_REFIT = 120.0  # seconds until two are under way
BUSY = 0.1  # of a core, by which a worker counts as being at work; one that waits takes none

# Half-hourly demand for taxis over half a year: a refit takes long, and the next one is due when it has ended.
PANEL = """
[panels.taxi{k}]
source = {{ type = "csv", path = "{sample}" }}
prefix = "taxi{k}/"
interval = "30m"
tz = "UTC"
horizon = 48
refit_every = "1s"
train_window = "1y"
expire_after = "never"
"""

LOADS = {
    f"{what}, {how}": Load([ours(name) for name in names], 8, pause=pause)
    for what, names in (("one series", NAMES[:1]), ("1,000 series in turn", NAMES))
    for how, pause in (("pauses of 20 ms", 20), ("no pause", 0))
}


def section(folder: Path, effort: Effort) -> Section:
    """p99 with the workers halted, and with both at work."""
    with beside(folder), rollcast(folder, ours(NAMES[0]), ROLLCAST_WORKERS="2", ROLLCAST_REFIT_TIMEOUT="1d") as daemon:
        workers = wait_for_refits(daemon)
        lines = [line(daemon, workers, told, load, effort) for told, load in LOADS.items()]
    return Section(
        "While both cores refit",
        "The latest forecast over 8 connections, while two worker processes refit two panels of half-hourly demand for"
        f" taxis, one refit after another; {os.cpu_count()} cores are all there are, for the server and wrk too. Idle:"
        " the same with the workers halted (SIGSTOP). `cores` is how many the workers got meanwhile. With pauses each"
        " connection waits so long between an answer and its next question.",
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
        ),
        lines,
    )


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
    idle, busy, shares = [], [], []
    ask = partial(wrk, server.url, load, effort.seconds)
    wrk(server.url, load, 1)
    for _ in range(effort.rounds):
        with halted(workers):
            idle.append(ask())
        reach, got = cores(workers, ask)
        busy.append(reach)
        shares.append(sum(got))
    longer = Ratios([b.p99 / i.p99 for i, b in zip(idle, busy, strict=True)], at_most=TIMES_AS_LONG)
    return [told, *usual(idle), *usual(busy), number(statistics.median(shares)), str(longer), longer.asked]


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
