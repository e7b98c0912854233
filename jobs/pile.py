"""A pile of rows in no order, given back series by series in order of time: what a fetch's rules are applied to.

Rules need a whole interval at once, and rows come in parts and in any order. Up to a million rows wait in memory; more
are put into a private temporary database of SQLite's, which sorts them on disk. So memory stays flat.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from jobs.calendars import Times
from models.arrays import Array

IN_MEMORY = 1_000_000  # rows
BLOCK = 100_000  # rows given back at once, about


@dataclass(frozen=True)
class Raw:
    """Rows of some series; a place each in all four arrays, (n,)."""

    series: NDArray[np.int32]  # a number each
    labels: Times  # the start of the row's interval on the grid, µs
    times: Times  # the row's own time, µs
    values: Array  # finite: SQLite has no others

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, places: slice | NDArray[np.intp]) -> "Raw":
        return Raw(self.series[places], self.labels[places], self.times[places], self.values[places])

    def intervals(self) -> NDArray[np.intp]:
        """Where each interval of each series begins, (k,)."""
        new = (np.diff(self.series) != 0) | (np.diff(self.labels) != 0)
        return np.flatnonzero(np.concatenate([[len(self) > 0], new]))

    @classmethod
    def concatenated(cls, parts: "list[Raw]") -> "Raw":
        """Some rows after the other."""
        return cls(
            np.concatenate([part.series for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.values for part in parts]),
        )


NONE = Raw(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


@dataclass
class Pile:
    """Rows put in, and given back in order of series, interval, time, and of when they were put in. A context: leaving
    it deletes what lies on disk.
    """

    in_memory: int = IN_MEMORY
    block: int = BLOCK
    _parts: list[Raw] = field(default_factory=list)
    _waiting: int = 0
    _disk: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._disk is not None:
            self._disk.close()

    def put(self, rows: Raw) -> None:
        """Put some rows on the pile."""
        self._parts.append(rows)
        self._waiting += len(rows)
        if self._waiting > self.in_memory:
            self._spill()

    def blocks(self) -> Iterator[Raw]:
        """All rows in order, about a block at a time; no interval is in two blocks."""
        if self._disk is None:
            yield from self._from_memory()
            return
        self._spill()
        rest = NONE
        ordered = self._disk.execute("SELECT series, label, time, value FROM rows ORDER BY series, label, time, rowid")
        while fetched := ordered.fetchmany(self.block):
            series, labels, times, values = zip(*fetched, strict=True)
            read = Raw(
                np.array(series, np.int32), np.array(labels, np.int64), np.array(times, np.int64), np.array(values)
            )
            rows = Raw.concatenated([rest, read])
            end = int(rows.intervals()[-1])  # of the last interval: more of it may come
            yield from [rows[:end]] if end else []
            rest = rows[end:]
        yield rest

    def _from_memory(self) -> Iterator[Raw]:
        rows = Raw.concatenated([NONE, *self._parts])
        rows = rows[np.lexsort((rows.times, rows.labels, rows.series))]
        starts = np.append(rows.intervals(), len(rows))
        first = 0
        while first < len(rows):
            last = int(starts[min(int(np.searchsorted(starts, first + self.block)), len(starts) - 1)])
            yield rows[first:last]
            first = last

    def _spill(self) -> None:
        if self._disk is None:
            self._disk = sqlite3.connect("")  # a file of its own, which SQLite deletes
            self._disk.execute("CREATE TABLE rows (series INTEGER, label INTEGER, time INTEGER, value REAL)")
        for part in self._parts:
            columns = (part.series.tolist(), part.labels.tolist(), part.times.tolist(), part.values.tolist())
            self._disk.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", zip(*columns, strict=True))
        self._parts, self._waiting = [], 0
