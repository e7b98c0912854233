"""The data contract: what becomes of the rows that a source brought, by rules that no source can break.

- Times without a zone are in the source's or the panel's. Where clocks are set back, the doubled hour is summer time
  when it comes first, winter time when it comes again. A time that clocks skip does not exist: the row is dropped.
- Every row is laid on the grid: a whole-day interval's time is a date, kept as that date's midnight in UTC, a month the
  first of the month, and any other the start of its interval.
- Of several rows of one time the later counts; several times in one interval become its last value, their mean or sum.
- A bar still forming is not an observation: an interval must have ended, and the panel's `settle` passed. A value that
  is alone in its interval may be a bar that started between two grid times: its own interval must have ended, too.
- A value that is no finite number is dropped. One absurdly far from its neighbours is kept or dropped, as the panel
  says.

Whatever is dropped or changed is counted, in the words of the fetch's record.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from db.times import MICROSECOND, to_us
from jobs import calendars
from jobs.calendars import DAY, Times
from jobs.panel import Panel
from jobs.pile import NONE, Raw
from jobs.sources.base import Delivery, SourceDownError
from models.arrays import Array

LARGEST = 1e100  # of values: the squares of larger ones may be no numbers, and most stand for a missing value
ABSURD = 1000.0  # times the usual distance from the median
ENOUGH = 10  # values to say what is usual

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int32]


@dataclass
class Names:
    """The series of one fetch, by number."""

    names: list[str] = field(default_factory=list)
    zones: dict[int, tzinfo] = field(default_factory=dict)  # whose midnights begin the series' days
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """The number of a series, a new one where it has none."""
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


def rows_of(delivery: Delivery, names: Names, panel: Panel, dropped: Counter[str]) -> Raw:
    """The rows of a delivery that can be observations, each with its place on the grid. Raises SourceDownError."""
    dropped.update(delivery.dropped)
    parts = [
        _rows_of_zone(group, zone, names, panel, delivery, dropped) for zone, group in _by_zone(delivery.values).items()
    ]
    rows = Raw.concatenated([NONE, *parts])
    finite, usable = np.isfinite(rows.values), np.abs(rows.values) <= LARGEST
    dropped["not finite"] += int((~finite).sum())
    dropped["too large"] += int((finite & ~usable).sum())
    return rows if usable.all() else rows[np.flatnonzero(usable)]


def _by_zone(values: "Mapping[str, pd.Series[float]]") -> "dict[tzinfo | None, dict[str, pd.Series[float]]]":
    """The series by the time zone of their index; those without one under None."""
    found: dict[tzinfo | None, dict[str, pd.Series[float]]] = {}
    for name, series in values.items():
        if len(series) == 0:
            continue
        if not isinstance(series.index, pd.DatetimeIndex):
            raise SourceDownError(f"the source brought {name} without times; expected a DatetimeIndex")
        found.setdefault(series.index.tz, {})[name] = series
    return found


def _rows_of_zone(
    values: "Mapping[str, pd.Series[float]]",
    zone: tzinfo | None,
    names: Names,
    panel: Panel,
    delivery: Delivery,
    dropped: Counter[str],
) -> Raw:
    counts = [len(series) for series in values.values()]
    numbers = np.repeat(np.array([names.number(panel.prefix + name) for name in values], np.int32), counts)
    us = np.concatenate([_microseconds(each) for each in values.values()])
    numeric = np.concatenate([each.to_numpy(dtype=np.float64) for each in values.values()])
    index = pd.DatetimeIndex(us.view("datetime64[us]"))
    whole_days = panel.months > 0 or panel.interval % DAY == timedelta(0)
    days_in = panel.tz or (ZoneInfo(delivery.tz) if delivery.tz else None) or zone
    if days_in is not None:
        names.zones.update(dict.fromkeys(np.unique(numbers).tolist(), days_in))
    if zone is None and whole_days:
        index = index.tz_localize("UTC")  # a date is a date in every zone
        days_in = None
    elif zone is None:
        index, exists = _localised(index, _zone_of_naive(delivery, panel), numbers)
        dropped["in an hour that the clocks skip"] += int((~exists).sum())
        index, numbers, numeric = index[exists], numbers[exists], numeric[exists]
    else:
        index = index.tz_localize("UTC").tz_convert(zone)
    labels = calendars.labels(index, panel.interval, panel.months, panel.offset, days_in)
    return Raw(numbers, labels, index.asi8, numeric)


def _microseconds(series: "pd.Series[float]") -> Times:
    return pd.DatetimeIndex(series.index).as_unit("us").asi8


def _zone_of_naive(delivery: Delivery, panel: Panel) -> tzinfo:
    zone = ZoneInfo(delivery.tz) if delivery.tz else panel.tz
    if zone is None:
        raise SourceDownError(
            'the source brought times without a time zone; say which they are in: tz = "Europe/Berlin", or "UTC",'
            f" in the table of panel {panel.name}"
        )
    return zone


def _localised(index: pd.DatetimeIndex, zone: tzinfo, numbers: Numbers) -> tuple[pd.DatetimeIndex, Mask]:
    """Wall clock times (n,) of series after series as instants, and which of them exist (n,)."""
    first = index.tz_localize(zone, ambiguous=np.ones(len(index), np.bool_), nonexistent="NaT")
    second = index.tz_localize(zone, ambiguous=np.zeros(len(index), np.bool_), nonexistent="NaT")
    exists = ~np.asarray(first.isna())
    doubled = np.flatnonzero(exists & (first.asi8 != second.asi8))
    if len(doubled):
        again = doubled[_come_again(doubled, index.asi8, numbers)]
        moments = first.asi8.copy()
        moments[again] = second.asi8[again]
        first = pd.DatetimeIndex(moments.view("M8[us]")).tz_localize("UTC")
    return first, exists


def _come_again(doubled: NDArray[np.intp], times: Times, numbers: Numbers) -> Mask:
    """Which of the rows in doubled hours (k,) come for the second time: those after a step back, in a series' day."""
    again = np.zeros(len(doubled), np.bool_)
    groups = (numbers[doubled].astype(np.int64) << 32) + times[doubled] // calendars.DAY_US
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        whole = np.flatnonzero(numbers == numbers[doubled[places[0]]])
        if times[whole[0]] > times[whole[-1]]:
            places = places[::-1]  # the newest comes first
        again[places[1:]] = np.logical_or.accumulate(np.diff(times[doubled[places]]) <= 0)
    return again


@dataclass(frozen=True)
class Laid:
    """Values on the grid, in order of series and time; a place each in all three arrays, (n,)."""

    series: Numbers
    times: Times
    values: Array

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, places: slice | NDArray[np.intp] | Mask) -> "Laid":
        return Laid(self.series[places], self.times[places], self.values[places])


def lay(rows: Raw, zones: Mapping[int, tzinfo], panel: Panel, now: datetime, dropped: Counter[str]) -> Laid:
    """One value an interval that has ended, of rows in order of series, interval and time."""
    rows = _last_of_each_time(rows, dropped)
    new = np.concatenate([[True], (np.diff(rows.series) != 0) | (np.diff(rows.labels) != 0)])
    starts = np.flatnonzero(new[: len(rows)])
    counts = np.diff(np.append(starts, len(rows)))
    lasts = starts + counts - 1
    ended = _ended(rows, starts, lasts, zones, panel, now)
    dropped["still forming"] += int(counts[~ended].sum())
    if panel.aggregate == "last":
        values = rows.values[lasts]
        dropped["in one interval with a later value"] += int((counts[ended] - 1).sum())
    else:
        values = np.add.reduceat(rows.values, starts) if len(starts) else rows.values
        values = values / counts if panel.aggregate == "mean" else values
    laid = Laid(rows.series[starts], rows.labels[starts], values)
    return laid if ended.all() else laid[ended]


def _last_of_each_time(rows: Raw, dropped: Counter[str]) -> Raw:
    """Without rows of a series whose time has a later row; what they were put in as decides."""
    later = (np.diff(rows.series) == 0) & (np.diff(rows.times) == 0)
    if not later.any():
        return rows
    same = later & (np.diff(rows.values) == 0)
    dropped["twice"] += int(same.sum())
    dropped["replaced by a later row of the same time"] += int((later & ~same).sum())
    return rows[np.flatnonzero(np.append(~later, True))]


def _ended(
    rows: Raw,
    starts: NDArray[np.intp],
    lasts: NDArray[np.intp],
    zones: Mapping[int, tzinfo],
    panel: Panel,
    now: datetime,
) -> Mask:
    """Which intervals have ended, and settled."""
    settled = to_us(now - panel.settle)
    labels, series = rows.labels[starts], rows.series[starts]
    if panel.months == 0 and panel.interval % DAY:
        interval = panel.interval // MICROSECOND
        alone = starts == lasts
        return np.where(alone, np.maximum(labels, rows.times[lasts]), labels) + interval <= settled
    # Most have ended long ago, in whatever zone.
    ended = labels + (panel.interval + 3 * DAY) // MICROSECOND <= settled
    for number in np.unique(series[~ended]):
        places = np.flatnonzero((series == number) & ~ended)
        ended[places] = _ends(labels[places], panel, zones.get(int(number))) <= settled
    return ended


def _ends(labels: Times, panel: Panel, zone: tzinfo | None) -> Times:
    return calendars.ends(labels, panel.interval, panel.months, zone, panel.calendar)


def absurd(values: Array, neighbours: Array) -> Mask:
    """Which values (n,) lie absurdly far from their neighbours (m,): a thousand times as far from the median as usual.

    Where at least half of the neighbours are alike, usual is the median's own size.
    """
    if len(neighbours) < ENOUGH:
        return np.zeros(len(values), np.bool_)
    middle = float(np.median(neighbours))
    usual = float(np.median(np.abs(neighbours - middle))) or abs(middle)
    return np.abs(values - middle) > ABSURD * usual if usual else np.zeros(len(values), np.bool_)
