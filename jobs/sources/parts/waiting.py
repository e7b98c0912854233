"""Rows that wait until they are known to be stored: for sources that hear of each value once.

A fetch may fail after it has taken rows, and an interval's value wants all of its rows at once. So of each series the
rows are kept, and brought again, from the start of its newest stored interval on. That one is kept so that a row which
comes late makes a revision of it. For an interval before it a row comes too late: the interval's other rows are gone,
and its value without them would be wrong.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from db.times import from_us, to_us
from jobs import calendars
from jobs.sources.base import Request

DAY = timedelta(days=1)
LOST = "lost, as more waited than the buffer holds"


class Waiting:
    """The rows of each series, in the order in which they came, at most about `limit` in all."""

    def __init__(self, limit: int, request: Request) -> None:
        self._limit = limit
        self._rows: dict[str, pd.Series[float]] = {}
        # What is stored when this begins was made of rows that are not here.
        self._floors = _ends(request)

    @property
    def rows(self) -> "Mapping[str, pd.Series[float]]":
        """What waits."""
        return dict(self._rows)

    def add(self, heard: "Mapping[str, pd.Series[float]]", request: Request, dropped: Counter[str]) -> None:
        """Let what was heard wait, too, and forget what is stored for good. Counts what cannot wait."""
        for name, rows in self._rows.items():
            self._rows[name] = rows[self._wanted(name, rows, request)]
        for name, rows in heard.items():
            known = self._rows.get(name)
            if known is not None and len(known) and _naive(known) != _naive(rows):
                dropped["with an offset where earlier ones have none, or without"] += len(rows)
                continue
            wanted = self._wanted(name, rows, request)
            dropped["too late"] += int((~wanted).sum())
            new = rows[wanted] if _naive(rows) else rows[wanted].tz_convert("UTC")
            self._rows[name] = pd.concat([known, new]) if known is not None and len(known) else new
        if self._count() > self._limit:
            # First what is stored. It is not whole any more then, and cannot be revised.
            self._floors |= _ends(request)
            self._rows = {name: rows[self._wanted(name, rows, request)] for name, rows in self._rows.items()}
            dropped[LOST] += self._lose()
        self._rows = {name: rows for name, rows in self._rows.items() if len(rows)}

    def _wanted(self, name: str, rows: "pd.Series[float]", request: Request) -> NDArray[np.bool_]:
        """Which rows (n,) may still be stored."""
        floor = self._floors.get(name, request.now - request.history)
        if name in request.newest:
            floor = max(floor, _beginning(request.newest[name], request))
        if _naive(rows):
            floor = floor.astimezone(request.tz or UTC).replace(tzinfo=None)
        return np.asarray(rows.index >= pd.Timestamp(floor))

    def _count(self) -> int:
        return sum(map(len, self._rows.values()))

    def _lose(self) -> int:
        """Lose the oldest rows beyond the limit. Returns how many."""
        before = self._count()
        if before > self._limit:
            times = np.concatenate([_times(rows) for rows in self._rows.values()])
            first = np.partition(times, before - self._limit)[before - self._limit]
            self._rows = {name: rows[_times(rows) >= first] for name, rows in self._rows.items()}
        return before - self._count()


def _times(rows: "pd.Series[float]") -> NDArray[np.int64]:
    return np.asarray(pd.DatetimeIndex(rows.index).as_unit("us").asi8)


def _naive(rows: "pd.Series[float]") -> bool:
    return pd.DatetimeIndex(rows.index).tz is None


def _beginning(label: datetime, request: Request) -> datetime:
    """When the interval of a label begins. Of days and months the label is the date's midnight in UTC."""
    whole_days = request.months > 0 or request.interval % DAY == timedelta(0)
    return label.replace(tzinfo=request.tz) if whole_days and request.tz is not None else label


def _ends(request: Request) -> dict[str, datetime]:
    """When the newest stored interval of each series ends."""
    labels = np.array([to_us(label) for label in request.newest.values()], np.int64)
    ends = calendars.ends(labels, request.interval, request.months, request.tz)
    return dict(zip(request.newest, map(from_us, ends.tolist()), strict=True))
