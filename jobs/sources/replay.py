"""A file played forward as if it were live, at a chosen speed: for demonstrations, and to let the daemon run for days.

At the first fetch a part of the file is history, and the rest lies in the future: a row appears once its time has come.
The file's beginning is laid on a step of the panel's grid, the anchor, which is kept from fetch to fetch; so whatever
was brought once keeps its time. Where the anchor is lost, as when the options change, play begins anew, after all that
is stored.

The file is held in memory, about 40 bytes a value.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated, Any

import numpy as np
import pandas as pd

from db.times import MICROSECOND, to_us
from jobs import frequencies
from jobs.calendars import Times
from jobs.sources.base import Delivery, Request, SourceDownError
from jobs.sources.csv import AT_ONCE, CsvSource
from jobs.sources.parts.reading import Reading, whole_days
from jobs.sources.parts.table import Rows
from jobs.sources.parts.textfile import identity_of

CLOSE = 1e-6  # of the panel's interval
UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}  # seconds
MONTHS = ("MS", "QS", "YS")  # intervals of calendar months


@dataclass(frozen=True)
class _Recording:
    """What the files hold, in order of time, and when it is played."""

    rows: Rows
    offsets: Times  # (n,) when each row is played, µs after the anchor
    first: int  # the time in the files that is played at the anchor, µs
    steps: int  # of the panel's interval, from the first row to the end


@dataclass
class ReplaySource(CsvSource):
    """A file played forward at a chosen speed as if it were live."""

    speed: Annotated[float, "how many seconds of the file pass in one second"] = 1.0
    history: Annotated[float, "how much of the file is history at the first fetch: from 0 to 1"] = 0.5
    loop: Annotated[bool, "whether it begins again at its end"] = False
    _held: Any = field(default=None, init=False, repr=False, compare=False)  # the recording, and of what files

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.speed < float("inf"):
            raise ValueError(f"speed = {self.speed:g}: expected more than 0, as in 60 for an hour a minute")
        if not 0 <= self.history <= 1:
            raise ValueError(f"history = {self.history:g}: expected a part of the file, from 0 to 1")

    def fetch(self, request: Request) -> Iterator[Delivery]:
        """The rows from `since` on whose time has come. Raises SourceDownError."""
        reading = self.reading(request)
        recording = self._recording(reading)
        anchor = self._anchor(request, recording)
        start = anchor if request.since is None else max(anchor, to_us(request.since))
        brought = False
        for places, us in _played(recording, start - anchor, to_us(request.now) - anchor, request, loop=self.loop):
            index = pd.DatetimeIndex((anchor + us).view("datetime64[us]"))
            index = index if whole_days(request) else index.tz_localize("UTC")  # a date is one in every zone
            yield Delivery(replace(recording.rows.where(places), index=index).by_name(), complete=False)
            brought = True
        state = {"anchor": anchor, "first": recording.first, "steps": recording.steps}
        yield Delivery(dropped=reading.dropped, complete=False, unchanged=not brought, state=state)

    def _recording(self, reading: Reading) -> _Recording:
        """The files as they are now."""
        files = {name: identity_of(file.path) for name, file in reading.files.items()}
        if self._held is None or self._held[0] != files:
            self._held = files, self._recorded(reading)
        recording: _Recording = self._held[1]
        return recording

    def _recorded(self, reading: Reading) -> _Recording:
        parts = [rows for rows in reading.rows() if len(rows)]
        if not parts:
            raise SourceDownError(f"{self.path} has no row that can be played; {reading.complaint or 'it has none'}")
        rows = Rows.joined([replace(part, index=part.index.tz_localize(None)) for part in parts])
        rows = rows.where(np.argsort(rows.index.asi8, kind="stable"))
        times, interval = np.asarray(rows.index.asi8), reading.request.interval // MICROSECOND
        step = self._step(rows, reading.request)
        first = int(times[0]) // step * step
        offsets = np.rint((times - first) * (interval / step)).astype(np.int64)
        return _Recording(rows, offsets, first, (int(times[-1]) - first) // step + 1)

    def _step(self, rows: Rows, request: Request) -> int:
        """From one row of the files to the next, µs. Raises SourceDownError where that does not fit the panel."""
        found = frequencies.infer(np.unique(pd.DatetimeIndex(values.index).asi8) for values in rows.by_name().values())
        if found is None or found.name in MONTHS or request.months:
            raise SourceDownError(
                f"{self.path} cannot be played: expected rows that lie a fixed time apart, and a panel too"
            )
        lived = found.span / self.speed
        if abs(lived / request.interval - 1) > CLOSE:
            wanted = f'interval = "{_told(lived)}", or ' if lived % timedelta(seconds=1) == timedelta(0) else ""
            raise SourceDownError(
                f"{self.path} has a row every {_told(found.span)}; at speed {self.speed:g} that is one every"
                f" {_told(lived)}, and the panel's interval is {_told(request.interval)}: expected {wanted}"
                f"speed = {found.span / request.interval:g}"
            )
        return found.span // MICROSECOND

    def _anchor(self, request: Request, recording: _Recording) -> int:
        """When the first row is played."""
        state = request.state
        if state.get("first") == recording.first and (state.get("steps") == recording.steps or not self.loop):
            return int(state["anchor"])
        if request.since is None:
            past = max(1, int(self.history * recording.steps))
            return to_us(request.open_from - past * request.interval)
        return to_us(max([request.open_from, *(newest + request.interval for newest in request.newest.values())]))


def _played(
    recording: _Recording, start: int, end: int, request: Request, *, loop: bool
) -> Iterator[tuple[slice, Times]]:
    """The places of the rows that are played from `start` until before `end`, and when, in µs after the anchor."""
    length = recording.steps * (request.interval // MICROSECOND)
    for begun in range(start // length * length, end, length) if loop else [0]:
        first, last = np.searchsorted(recording.offsets, [start - begun, end - begun]).tolist()
        for place in range(first, last, AT_ONCE):
            places = slice(place, min(place + AT_ONCE, last))
            yield places, begun + recording.offsets[places]


def _told(duration: timedelta) -> str:
    """As it is written in the configuration."""
    seconds = duration.total_seconds()
    unit = next((unit for unit, size in UNITS.items() if seconds % size == 0), "s")
    return f"{seconds / UNITS[unit]:g}{unit}"
