"""This machine's own signals, sampled by a thread of the source's own between two fetches."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pandas as pd
import psutil

from jobs.sources.base import Delivery, Request, SourceDownError

KEPT = 10_000  # samples not yet fetched; beyond that the oldest are lost
PATIENCE = 30.0  # seconds to wait for a first sample

Sample = tuple[datetime, dict[str, float]]  # when its interval began, and the metrics


def _network_bytes() -> int:
    counters = psutil.net_io_counters()
    return 0 if counters is None else counters.bytes_recv + counters.bytes_sent


def _disk_bytes() -> int:
    counters = psutil.disk_io_counters()
    return 0 if counters is None else counters.read_bytes + counters.write_bytes


# What is read as it is, and what is counted and reported by the second.
READ: dict[str, Callable[[], float]] = {
    "cpu_percent": psutil.cpu_percent,
    "memory_percent": lambda: psutil.virtual_memory().percent,
    "disk_percent": lambda: psutil.disk_usage("/").percent,
    "load": lambda: psutil.getloadavg()[0],
}
COUNTED: dict[str, Callable[[], int]] = {"network_bytes_per_s": _network_bytes, "disk_bytes_per_s": _disk_bytes}
METRICS = [*READ, *COUNTED]


@dataclass
class HostSource:
    """This machine's own signals. Samples the real machine in real time; it has no history."""

    metrics: Annotated[
        list[str],
        "any of cpu_percent, memory_percent, disk_percent (used of the file system at /), load (of the last minute),"
        " network_bytes_per_s, disk_bytes_per_s (read and written)",
    ] = field(default_factory=lambda: ["cpu_percent", "memory_percent", "network_bytes_per_s"])

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ValueError(f"metrics is empty: expected some of {', '.join(METRICS)}")
        for metric in self.metrics:
            if metric not in METRICS:
                raise ValueError(f"metrics has {metric}: expected some of {', '.join(METRICS)}")
        self._sampler = _Sampler(self.metrics)

    def fetch(self, request: Request) -> Iterator[Delivery]:
        """The samples that are wanted, as far as this process has taken them. The first fetch waits for one."""
        samples = self._sampler.since(request.since, request.now, request.interval)
        index = pd.DatetimeIndex([ts for ts, _ in samples])
        names = samples[0][1]
        yield Delivery({name: pd.Series([values[name] for _, values in samples], index=index) for name in names})


class _Sampler:
    """Takes a sample at the end of each interval, from its first use on."""

    def __init__(self, metrics: list[str]) -> None:
        self._metrics = metrics
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._sampled = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def since(self, wanted: datetime | None, now: datetime, interval: timedelta) -> list[Sample]:
        """At least the newest sample, and all others from `wanted` on. Older ones are forgotten."""
        if self._thread is None or not self._thread.is_alive():  # an error of psutil's ends it
            self._error = None
            self._sampled.clear()
            self._thread = threading.Thread(target=self._run, args=(interval,), name="host-sampler", daemon=True)
            self._thread.start()
        if not self._sampled.wait(timeout=min(3 * interval.total_seconds() + 1, PATIENCE)):
            raise SourceDownError(f"no sample of this machine yet: one is taken at the end of each {interval}")
        if self._error is not None:
            told = " ".join(str(self._error).split())
            raise SourceDownError(f"this machine cannot be read: {type(self._error).__name__}: {told}")
        newest = self._samples[-1][0]
        if now - newest > 3 * interval + timedelta(seconds=1):
            raise SourceDownError(
                f"no sample of this machine since {newest:%Y-%m-%d %H:%M:%S}Z: it slept, or reading it hangs"
            )
        while wanted is not None and len(self._samples) > 1 and self._samples[0][0] < wanted:
            self._samples.popleft()
        return list(self._samples)

    def _run(self, interval: timedelta) -> None:
        try:
            self._sample(interval)
        except Exception as error:  # psutil's, of a system that does not tell everything
            self._error = error
            self._sampled.set()

    def _sample(self, interval: timedelta) -> None:
        seconds = interval.total_seconds()
        psutil.cpu_percent()  # the first call has nothing to compare with
        before, began = self._counts(), time.monotonic()
        while True:
            time.sleep(seconds - time.time() % seconds)
            after, ended = self._counts(), time.monotonic()
            start = round(time.time() / seconds) * seconds - seconds
            read = {metric: READ[metric]() for metric in self._metrics if metric in READ}
            # Counters start again when a device does.
            counted = {metric: max(0.0, (after[metric] - before[metric]) / (ended - began)) for metric in after}
            self._samples.append((datetime.fromtimestamp(start, UTC), read | counted))
            self._sampled.set()
            before, began = after, ended

    def _counts(self) -> dict[str, int]:
        return {metric: COUNTED[metric]() for metric in self._metrics if metric in COUNTED}
