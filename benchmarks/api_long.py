"""What takes long to show: memory of open event streams, what minutes of load leave behind, and starts."""

import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.api_latest import CANNED, NAMES, ONE, ours, ways
from benchmarks.api_others import questions
from benchmarks.api_servers import Server, datasette, make_rows, rollcast
from benchmarks.api_table import Section, number, verdict
from benchmarks.api_wrk import Effort, Load, wrk
from benchmarks.streams import opened

STREAMS, MOST_MEMORY = 200, 20.0  # MB
SETTLES = 5.0  # seconds
LOOK = 30.0  # seconds between two looks under load
LEAK = 1.0  # MB more at the end of ten minutes than at their beginning, from the slope of the second half
STARTS = 5

# Works beside the load, as a daemon does: it fetches, forecasts and refits, and tells what it does in events.
PANEL = """
[panels.host]
source = { type = "host" }
interval = "2s"
horizon = 30
fetch_every = "10s"
refit_every = "2m"
train_window = "2h"
keep_forecasts = "1h"
keep_observations = "1h"
keep_models = "10m"
"""


@dataclass(frozen=True)
class Look:
    """A look at a server under load."""

    minute: float
    memory: float  # MB
    files: int


def section(folder: Path, effort: Effort) -> Section:
    """Starts, streams, and the long load."""
    return Section(
        "Start, streams, and a long load",
        "The daemon on 1,000 series. The long load asks for everything in turn over 8 connections, while"
        f" {STREAMS // 10} streams are open and a panel of this machine's own signals is fetched, refitted and"
        f" forecast; each {LOOK:.0f} s its resident memory and open file descriptors are read, and a line is laid"
        " through those of the second half.",
        ("what", "figure", "asked"),
        [*starts(folder, effort), *streams(folder), *soak(folder, effort.minutes)],
    )


def starts(folder: Path, effort: Effort) -> list[list[str]]:
    """From the start of the process to the first latest forecast, beside datasette's."""
    rows = folder / "started.db"
    make_rows(folder / "data" / "rollcast.db", rows)
    options, path = ways()["canned query, mutable file, SQL in the event loop"]
    options = [word.replace("rows.db", rows.name) for word in options]
    path = CANNED.format(name=ONE).replace("/rows/", "/started/")
    took: dict[str, list[float]] = {"ours": [], "datasette": []}
    for _ in range(min(STARTS, effort.rounds)):
        for who, begin in (("ours", rollcast(folder, ours(ONE))), ("datasette", datasette(rows, options, path))):
            began = time.monotonic()
            with begin:
                took[who].append(time.monotonic() - began)
    mine, theirs = (f"{statistics.median(times):.2f} s ({min(times):.2f}–{max(times):.2f})" for times in took.values())
    return [["from start to the first latest forecast", mine, ""], ["the same of datasette", theirs, ""]]


def streams(folder: Path) -> list[list[str]]:
    """Resident memory before and with open event streams."""
    with rollcast(folder, ours(ONE)) as daemon:
        wrk(daemon.url, Load([ours(name) for name in NAMES]), 2)
        time.sleep(SETTLES)
        before = daemon.memory()
        with open_streams(daemon, STREAMS):
            time.sleep(SETTLES)
            more = daemon.memory() - before
            quick = wrk(daemon.url, Load([ours(ONE)]), 2)
    told = f"{number(more)} MB ({number(before)} MB before); latest meanwhile p99 {number(quick.p99)} ms"
    return [[f"{STREAMS} open event streams", told, verdict(more <= MOST_MEMORY, f"≤ {MOST_MEMORY:.0f} MB")]]


@contextmanager
def open_streams(server: Server, count: int) -> Iterator[list[socket.socket]]:
    """Open so many, and see that each has begun."""
    port = urlsplit(server.url).port or 0
    with ExitStack() as stack:
        yield [stack.enter_context(opened(port)) for _ in range(count)]


def soak(folder: Path, minutes: float) -> list[list[str]]:
    """Minutes of load."""
    file = folder / "rollcast.toml"
    before = file.read_text()
    file.write_text(before + PANEL)
    try:
        with rollcast(folder, ours(ONE)) as daemon:
            looks = under_load(daemon, minutes)
    finally:
        file.write_text(before)
    memory = slope([(look.minute, look.memory) for look in looks]) * 10
    files = slope([(look.minute, look.files) for look in looks]) * 10
    course = " → ".join(f"{look.memory:.0f}" for look in looks[:: max(1, len(looks) // 8)])
    return [
        [
            f"memory, {minutes:g} minutes of load",
            f"{memory:+.2f} MB in ten minutes; in its course {course} MB",
            verdict(memory <= LEAK, f"≤ {LEAK:g} MB"),
        ],
        [
            f"file descriptors, {minutes:g} minutes of load",
            f"{files:+.2f} in ten minutes; {looks[0].files} at first, {looks[-1].files} at last",
            verdict(files <= LEAK, f"≤ {LEAK:g}"),
        ],
    ]


def under_load(daemon: Server, minutes: float) -> list[Look]:
    """Ask for everything in turn, and look at the process now and then."""
    paths = [path for load in questions(daemon).values() for path in load.paths]
    np.random.default_rng(0).shuffle(paths)
    looks, began = [], time.monotonic()
    with open_streams(daemon, STREAMS // 10) as streams, ThreadPoolExecutor(1) as thread:
        load = thread.submit(wrk, daemon.url, Load(paths), 60 * minutes)
        while not wait([load], min(LOOK, 60 * minutes / 10)).done:
            empty(streams)
            looks.append(Look((time.monotonic() - began) / 60, daemon.memory(), daemon.files()))
        load.result()  # raises what went wrong
    return looks


def empty(streams: Sequence[socket.socket]) -> None:
    """Read what has come."""
    for stream in streams:
        stream.setblocking(False)
        try:
            while stream.recv(1 << 16):
                pass
        except BlockingIOError:
            continue
        raise RuntimeError("the daemon has closed a stream")


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line through the second half."""
    later = np.array(points[len(points) // 2 :])
    return float(np.polyfit(later[:, 0], later[:, 1], 1)[0])
