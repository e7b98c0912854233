"""The data contract: what becomes of the rows that a source brought, by rules that no source can break.

- Times without a zone are in the source's or the panel's. Where clocks are set back, the doubled hour is summer time
  when it comes first, winter time when it comes again. A time that clocks skip does not exist: the row is dropped.
- Every row is laid on the grid: a whole-day interval's time is a date, kept as that date's midnight in UTC, a month the
  first of the month, and any other the start of its interval.
- Of several rows of one time the later counts; several times in one interval become its last value, their mean or sum.
- A bar still forming is not an observation: an interval must have ended, and the panel's `settle` passed. A value that
  is alone in its interval may be a bar that started between two grid times: its own interval must have ended, too.
- A row without a time, or of no year that a calendar has, is dropped. So is a value that is no finite number. One
  absurdly far from its neighbours is kept or dropped, as the panel says.
- Factors are laid on the grid like rows; several in one interval are multiplied.

Whatever is dropped or changed is counted, in the words of the fetch's record.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from db.times import MICROSECOND, to_us
from jobs import calendars
from jobs.calendars import DAY, Times
from jobs.panel import Panel
from jobs.pile import NONE, Raw
from jobs.secrets import hide
from jobs.sources.base import Delivery, SourceDownError
from models.arrays import Array

FIRST, LAST = (int(np.datetime64(year, "us").astype(np.int64)) for year in ("1000", "9000"))  # of times, µs
NO_TIME = int(np.iinfo(np.int64).min)  # pandas' NaT
LARGEST = 1e100  # of values: the squares of larger ones may be no numbers, and most stand for a missing value
LARGEST_FACTOR = 1e9
ABSURD = 1000.0  # times the usual distance from the median
ENOUGH = 10  # values to say what is usual

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int32]


@dataclass
class Names:
    """The series of one fetch, by number."""

    names: list[str] = field(default_factory=list)
    zones: dict[int, tzinfo] = field(default_factory=dict)  # whose midnights begin the series' days
    usable: set[int] = field(default_factory=set)  # series of which any row can be an observation
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """The number of a series, a new one where it has none."""
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


def rows_of(delivery: Delivery, names: Names, panel: Panel, dropped: Counter[str]) -> Raw:
    """The rows of a delivery that can be observations, each with its place on the grid. Raises SourceDownError."""
    for what, count in delivery.dropped.items():
        dropped[hide(what, panel.secrets)] += count
    parts = [
        _rows_of_zone(group, zone, names, panel, delivery, dropped)
        for zone, group in _by_zone(delivery.values, dropped).items()
    ]
    rows = Raw.concatenated([NONE, *parts])
    usable = _passing({"not finite": np.isfinite(rows.values), "too large": np.abs(rows.values) <= LARGEST}, dropped)
    rows = rows if usable.all() else rows[np.flatnonzero(usable)]
    names.usable.update(np.unique(rows.series).tolist())
    return rows


def factors_of(delivery: Delivery, names: Names, panel: Panel, dropped: Counter[str]) -> Raw:
    """The factors of a delivery, each with its place on the grid. Raises SourceDownError."""
    wrong: Counter[str] = Counter()
    rows = rows_of(Delivery(delivery.factors, tz=delivery.tz), names, panel, wrong)
    sensible = (rows.values >= 1 / LARGEST_FACTOR) & (rows.values <= LARGEST_FACTOR)
    usable = _passing({"too small or too large": sensible}, wrong)
    dropped.update({f"factors {what}": count for what, count in wrong.items()})
    return rows[np.flatnonzero(usable)]


def _passing(checks: Mapping[str, Mask], dropped: Counter[str]) -> Mask:
    """Which rows pass all checks; those that do not are counted under the first that they fail."""
    passing = np.ones(len(next(iter(checks.values()))), np.bool_)
    for what, passed in checks.items():
        dropped[what] += int((passing & ~passed).sum())
        passing &= passed
    return passing


def _by_zone(
    values: "Mapping[str, pd.Series[float]]", dropped: Counter[str]
) -> "dict[tzinfo | None, dict[str, pd.Series[float]]]":
    """The series by the time zone of their index; those without one under None."""
    found: dict[tzinfo | None, dict[str, pd.Series[float]]] = {}
    for name, series in values.items():
        if len(series) == 0:
            continue
        if not isinstance(series.index, pd.DatetimeIndex):
            raise SourceDownError(f"the source brought {name} without times; expected a DatetimeIndex")
        if not _is_text(name):
            dropped["under a name that is empty or no line of text"] += len(series)
            continue
        found.setdefault(series.index.tz, {})[name] = series
    return found


def _is_text(name: str) -> bool:
    """Whether a name can be stored, and told in a line: without control characters and halves of characters."""
    return name != "" and (name.isprintable() or not any(unicodedata.category(each) in ("Cc", "Cs") for each in name))


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
    read = [_numbers(each) for each in values.values()]
    numeric, are_numbers = (np.concatenate(parts) for parts in zip(*read, strict=True))
    usable = _passing(
        {
            "without a time": us != NO_TIME,
            "not of the years 1000 to 9000": (us >= FIRST) & (us < LAST),
            "no number": are_numbers,
        },
        dropped,
    )
    if not usable.all():
        numbers, us, numeric = numbers[usable], us[usable], numeric[usable]
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
    index = cast(pd.DatetimeIndex, series.index)  # a source may bring very many series of a row each
    return index.asi8 if index.unit == "us" else index.as_unit("us").asi8


def _numbers(series: "pd.Series[float]") -> tuple[Array, Mask]:
    """The values (n,), and which of them are numbers at all: a source may bring text, dates or objects."""
    if series.dtype.kind in "iufb":
        return series.to_numpy(dtype=np.float64), np.ones(len(series), np.bool_)
    found = [_number(value) for value in series.tolist()]
    are_numbers = np.array([each is not None for each in found])
    return np.array([each or 0.0 for each in found]), are_numbers


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


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
    starts = rows.intervals()
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


def products(rows: Raw) -> Laid:
    """One factor an interval, of factors in order of series, interval and time."""
    rows = _last_of_each_time(rows, Counter())
    starts = rows.intervals()
    return Laid(rows.series[starts], rows.labels[starts], np.multiply.reduceat(rows.values, starts))


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
