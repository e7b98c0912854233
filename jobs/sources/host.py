"""This machine's own signals: CPU, memory and network, sampled by a thread of the source's own between two fetches."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd
import psutil

from jobs.sources.base import Delivery, Request, SourceDownError

KEPT = 10_000  # samples not yet fetched; beyond that the oldest are lost


@dataclass
class HostSource:
    """CPU and memory in percent, network traffic in bytes a second. Samples the real machine in real time."""

    def __post_init__(self) -> None:
        self._sampler = _Sampler()

    def fetch(self, request: Request) -> Delivery:
        """The samples since the newest stored one, and that one again. The first fetch waits for a first sample."""
        samples = self._sampler.since(min(request.newest.values(), default=None), request.interval)
        index = pd.DatetimeIndex([ts for ts, _ in samples])
        names = samples[0][1]
        return Delivery({name: pd.Series([values[name] for _, values in samples], index=index) for name in names})


class _Sampler:
    """Takes a sample at the end of each interval, from its first use on."""

    def __init__(self) -> None:
        self._samples: deque[tuple[datetime, dict[str, float]]] = deque(maxlen=KEPT)
        self._sampled = threading.Event()
        self._thread: threading.Thread | None = None

    def since(self, known: datetime | None, interval: timedelta) -> list[tuple[datetime, dict[str, float]]]:
        """At least the newest sample, and all others from `known` on. Older ones are forgotten."""
        if self._thread is None or not self._thread.is_alive():  # an error of psutil's ends it
            self._sampled.clear()
            self._thread = threading.Thread(target=self._run, args=(interval,), name="host-sampler", daemon=True)
            self._thread.start()
        if not self._sampled.wait(timeout=3 * interval.total_seconds() + 1):
            raise SourceDownError("no sample of this machine came within three intervals")
        while known is not None and len(self._samples) > 1 and self._samples[0][0] < known:
            self._samples.popleft()
        return list(self._samples)

    def _run(self, interval: timedelta) -> None:
        seconds = interval.total_seconds()
        psutil.cpu_percent()  # the first call has nothing to compare with
        before, began = _network_bytes(), time.monotonic()
        while True:
            time.sleep(seconds - time.time() % seconds)
            after, ended = _network_bytes(), time.monotonic()
            start = round(time.time() / seconds) * seconds - seconds
            values = {
                "cpu_percent": psutil.cpu_percent(),
                "memory_percent": psutil.virtual_memory().percent,
                # The counters start again when a device does.
                "network_bytes_per_s": max(0.0, (after - before) / (ended - began)),
            }
            self._samples.append((datetime.fromtimestamp(start, UTC), values))
            self._sampled.set()
            before, began = after, ended


def _network_bytes() -> int:
    counters = psutil.net_io_counters()
    return 0 if counters is None else counters.bytes_recv + counters.bytes_sent
