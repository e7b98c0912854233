"""A panel of the database as a history to go through, each value as it was known then.

At a cutoff t a forecast may see what live would have seen: the values up to t, each as of the moment by which t's own
value had been fetched, a turn of the fetch after its interval. Later revisions count only from when they were learnt. A
value whose first revision was learnt late, as all are that the first fetch brought, counts as known at its own time:
otherwise there would be no history to go through before the day on which the daemon was started.

Cutoffs are times that the panel has values at, the same for all series: the newest lies one horizon before the newest
of these times, the others a stride apart. Truth is the first value learnt, as in live's scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from db import queries
from db.queries import Pair
from db.times import MICROSECOND, from_us, to_us
from jobs import calendars, grid
from jobs.backtest import BacktestError, Known
from jobs.calendars import Times
from jobs.due import fetched_by
from jobs.panel import Panel
from jobs.refit import Asked, Observed, observe
from models.arrays import Array
from models.windows import Index


@dataclass(frozen=True)
class Revisions:
    """All that was ever learnt of one series."""

    times: Times  # (n,), ascending
    values: Array  # (n,), as they were learnt first
    revised: Index  # (m,), which of them were learnt again, in order of when
    revised_at: Times  # (m,)
    revised_to: Array  # (m,)
    factors: Sequence[Pair] = ()  # what values before a time are worth after it; each counts as known at its own time

    def as_of(self, newest: int, moment: int, oldest: int) -> list[Pair]:
        """The observations from one time to another, both included, as known at a moment; in order of time, in the
        measure of the newest.
        """
        start, end = np.searchsorted(self.times, (oldest, newest + 1))
        values = self.values.copy()
        learnt = int(np.searchsorted(self.revised_at, moment, side="right"))
        values[self.revised[:learnt]] = self.revised_to[:learnt]  # of several, the last one stays
        pairs = list(zip(self.times[start:end].tolist(), values[start:end].tolist(), strict=True))
        return queries.in_newest_measure(pairs, [pair for pair in self.factors if pair[0] <= newest])

    def newest(self, until: int) -> int | None:
        """The newest time up to another; None where there is none."""
        place = int(np.searchsorted(self.times, until, side="right")) - 1
        return int(self.times[place]) if place >= 0 else None

    def after(self, cutoff: int, times: Times) -> Array:
        """The values at some times (k,) after a cutoff, as they were learnt first, in the cutoff's measure; NaN where
        there is none.
        """
        places = np.minimum(np.searchsorted(self.times, times), len(self.times) - 1)
        values = np.where(self.times[places] == times, self.values[places], np.nan)
        for ts, factor in self.factors:
            if ts > cutoff:
                values[times >= ts] /= factor
        return values


def read(session: Session, panel: Panel) -> dict[str, Revisions]:
    """All that was ever learnt of a panel's series, by name; without those that have no observation."""
    found = {}
    for series in queries.series_of_panel(session, panel.name):
        rows = queries.revisions(session, series.id)
        if rows:
            known = queries.factors(session, series.id, as_of=from_us(max(learnt for _, learnt, _ in rows)))
            found[series.name] = replace(_revisions(rows), factors=known)
    return found


def _revisions(rows: Sequence[tuple[int, int, float]]) -> Revisions:
    """Tell first revisions from later ones. rows: (ts, observed_at, value), in this order."""
    times = np.array([row[0] for row in rows], dtype=np.int64)
    learnt_at = np.array([row[1] for row in rows], dtype=np.int64)
    values = np.array([row[2] for row in rows], dtype=np.float64)
    first = np.concatenate([[True], times[1:] != times[:-1]])
    which = np.cumsum(first) - 1
    later = np.flatnonzero(~first)
    later = later[np.argsort(learnt_at[later], kind="stable")]
    return Revisions(times[first], values[first], which[later], learnt_at[later], values[later])


class PanelHistory:
    """A configured panel's stored history. Raises BacktestError where it is too short for a single cutoff."""

    def __init__(self, panel: Panel, series: Mapping[str, Revisions], *, cutoffs: int, stride: int) -> None:
        self.asked = Asked.of(panel)
        self.names = list(series)
        self._panel = panel
        self._series = series
        times = np.unique(np.concatenate([each.times for each in series.values()] or [np.zeros(0, dtype=np.int64)]))
        newest = len(times) - 1 - panel.horizon
        if newest < 0:
            raise BacktestError(
                f"panel {panel.name} has values at {len(times)} times, and a horizon of {panel.horizon} needs"
                f" {panel.horizon + 1}; fetch more of its history first"
            )
        self._cutoffs = times[newest::-stride][:cutoffs][::-1]
        seasons = self.observed(len(self) - 1).seasons
        self.season = min(seasons, default=1)

    def __len__(self) -> int:
        return len(self._cutoffs)

    def moment(self, number: int) -> datetime:
        """The time of a cutoff."""
        return from_us(int(self._cutoffs[number]))

    def known(self, number: int) -> list[Known]:
        """The series that have learnt a new value since the cutoff before, as their newest run of consecutive steps."""
        found = []
        for name, pairs in self._pairs(number).items():
            newest = pairs[-1][0]
            if number and newest <= self._cutoffs[number - 1]:
                continue  # as live: the forecast from this value has been issued
            steps = calendars.steps(self._panel, [ts for ts, _ in pairs])
            run = grid.segments(pairs, steps, self._panel.gap_filled, self._panel.fill)[-1]
            ahead = np.array(steps.following(newest, self._panel.horizon))
            found.append(Known(name, run, len(run), self._series[name].after(newest, ahead), newest, ahead))
        return found

    def observed(self, number: int) -> Observed:
        """What a refit of live would have read."""
        return observe(self._panel, self._pairs(number))

    def told(self, places: Times) -> "pd.Index[Any]":
        """Times in UTC."""
        return pd.DatetimeIndex(places.astype("datetime64[us]"), tz="UTC")

    def ids(self, names: Sequence[str]) -> "pd.Index[Any]":
        """The names themselves."""
        return pd.Index(names)

    def _pairs(self, number: int) -> dict[str, list[Pair]]:
        """The observations of each series in the train window before its newest one, as known at a cutoff."""
        cutoff = int(self._cutoffs[number])
        moment = to_us(fetched_by(self._panel, cutoff))
        window = self._panel.train_window // MICROSECOND
        found = {}
        for name, series in self._series.items():
            newest = series.newest(cutoff)
            if newest is not None:
                found[name] = series.as_of(newest, moment, newest - window)
        return found
