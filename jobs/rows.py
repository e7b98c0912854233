"""A long file as a history to go through: a row is a step, as the field's forecasting libraries take it.

Of K cutoffs, the newest lies one horizon before each series' last row, the one before that a stride earlier, and so on:
with n rows, a horizon of H and a stride of S after rows n − H, n − H − S, …, n − H − (K−1)·S. Nothing is filled or laid
on a calendar. A series too short for the oldest cutoffs joins in as soon as it has MIN_ROWS rows to be forecast from.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from db.times import EPOCH, from_us
from jobs.backtest import BacktestError, Known
from jobs.calendars import Times
from jobs.longfile import LongFile
from jobs.refit import Asked, Observed

MIN_ROWS = 2  # that a series needs before a cutoff


class RowHistory:
    """The rows of a file. seasons: that the series may have; season: of the yardsticks.

    Raises BacktestError where no series is long enough.
    """

    def __init__(
        self, file: LongFile, asked: Asked, *, cutoffs: int, stride: int, seasons: Sequence[int], season: int
    ) -> None:
        self.asked = asked
        self.season = season
        self.names = list(file.series)
        self._file = file
        self._stride = stride
        self._seasons = tuple(sorted(seasons))
        longest = max(self.names, key=lambda name: len(file.series[name].values))
        rows = len(file.series[longest].values)
        needed = asked.horizon + MIN_ROWS
        if rows < needed:
            raise BacktestError(
                f"{file.path}: no series is long enough: the longest, {longest}, has {rows} row{'s'[: rows > 1]}, and a"
                f" horizon of {asked.horizon} needs {needed}"
                + (f"; ask for a horizon of at most {rows - MIN_ROWS}" if rows > MIN_ROWS else "")
            )
        self._cutoffs = min(cutoffs, 1 + (rows - needed) // stride)  # before the oldest of these there is no pair

    def __len__(self) -> int:
        return self._cutoffs

    def moment(self, number: int) -> datetime:
        """The newest time of any series at a cutoff; where the file's times are integers, none that means anything."""
        if not self._file.dated:
            return EPOCH
        return from_us(max(int(self._file.series[name].times[end - 1]) for name, end in self._ends(number).items()))

    def known(self, number: int) -> list[Known]:
        """The series that have rows enough at a cutoff."""
        found = []
        for name, end in self._ends(number).items():
            rows = self._file.series[name]
            ahead = slice(end, end + self.asked.horizon)
            found.append(
                Known(name, rows.values, end, rows.values[ahead], int(rows.places[end - 1]), rows.places[ahead])
            )
        return found

    def observed(self, number: int) -> Observed:
        """Each series up to its cutoff, as one run."""
        fingerprint = hashlib.sha256()
        histories = {}
        for name, end in self._ends(number).items():
            rows = self._file.series[name]
            histories[name] = [rows.values[:end].copy()]  # of its own: nothing leads from it to what came later
            fingerprint.update(repr((name, end)).encode() + rows.times[:end].tobytes() + rows.values[:end].tobytes())
        return Observed(histories, self._seasons, self.moment(number), fingerprint.hexdigest())

    def told(self, places: Times) -> "pd.Index[Any]":
        """The times of rows, as they stand in the file."""
        return self._file.ds.take(places)

    def ids(self, names: Sequence[str]) -> "pd.Index[Any]":
        """The names of series, as they stand in the file."""
        return self._file.ids.take(np.array([self._file.series[name].places[0] for name in names]))

    def _ends(self, number: int) -> dict[str, int]:
        """How many rows of each series come before a cutoff, of those that have enough."""
        before = self.asked.horizon + (self._cutoffs - 1 - number) * self._stride
        ends = {name: len(rows.values) - before for name, rows in self._file.series.items()}
        return {name: end for name, end in ends.items() if end >= MIN_ROWS}
