"""Rows as other people's answers hold them, turned into series: a name, a time and a number each, in whatever form.

What cannot be made out is left out and counted, by what is wrong in words. Times are read as a time format says:

    auto                              ISO 8601, or a count since 1970 whose unit is beyond doubt: of 10 digits it is
                                      seconds, of 13 ms, of 16 µs, of 19 ns. So are all times from late in 2001 on
    iso                               ISO 8601, with or without an offset
    unix, unix_ms, unix_us, unix_ns   a count since 1970, in s, ms, µs or ns
    %d.%m.%Y %H:%M                    as Python's strptime reads it
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.arrays import Array

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

UNITS = {"unix": 1_000_000_000, "unix_ms": 1_000_000, "unix_us": 1_000, "unix_ns": 1}  # in nanoseconds
NAMED = ("auto", "iso", *UNITS)
RECENT = (1e15, 1e16)  # µs since 1970, from 2001 to 2286: no two units have counts of as many digits there
POSSIBLE = (-62_135_596_800e6, 253_402_300_800e6)  # likewise, the years 1 to 9999
OFFSET = re.compile(r"[T ].*(?:[Zz]|([+-])(\d\d):?(\d\d)?)$")  # of a time from UTC
MISSING = {"", "na", "n/a", "<na>", "nan", "null", "none"}  # what says that there is no value
CLOCKS = ["now", "today"]  # which pandas takes for times
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Columns:
    """What rows hold, a place a row in each: the series' name, the time and the value."""

    names: Sequence[object]
    times: Sequence[object]
    values: Sequence[object]


def series_of(columns: Columns, time_format: str = "auto") -> "tuple[dict[str, pd.Series[float]], Counter[str]]":
    """The series that rows make, each in the order of its rows; and how many rows were left out, by what is wrong.

    A value that is missing is NaN. Times are in UTC or with the rows' own offset, or without a zone if they have none.
    """
    names = [_name(name) for name in columns.names]
    numbers = [_number(value) for value in columns.values]
    us, readable, aware = _times(columns.times, time_format)
    wrong = {
        "without a name": np.array([name is None for name in names], np.bool_),
        "without a readable time": ~readable,
        "with an offset missing that other rows have": readable & ~aware & bool((aware & readable).any()),
        "no number": np.array([number is None for number in numbers], np.bool_),
    }
    dropped: Counter[str] = Counter()
    usable: Mask = np.ones(len(names), np.bool_)
    for what, rows in wrong.items():
        dropped[what] += int((usable & rows).sum())
        usable &= ~rows
    index = pd.DatetimeIndex(us[usable].view("M8[us]"))
    if aware[usable].any():
        index = index.tz_localize("UTC").tz_convert(_zone(columns.times, usable))
    series = pd.Series(np.array(numbers, dtype=np.float64)[usable], index=index)
    kept = np.array(names, dtype=object)[usable]
    return {str(name): group for name, group in series.groupby(kept, sort=False)}, +dropped


def check_time_format(option: str, time_format: str) -> None:
    """Raise ValueError where an option holds none."""
    if time_format in NAMED:
        return
    try:
        if "%" not in time_format:
            raise ValueError("it has no %")
        datetime.strptime(EPOCH.strftime(time_format), time_format)  # noqa: DTZ007  the time is of no interest
    except ValueError as error:
        raise ValueError(
            f"{option} = {time_format!r} is no format of times ({error}): expected {', '.join(NAMED)}, or as strptime"
            " has it, like %d.%m.%Y %H:%M"
        ) from error


def time_told(moment: datetime, time_format: str, tz: tzinfo | None) -> str:
    """A moment in a time format, never later than it is; with strptime's formats, which may have no offset, in `tz`."""
    if time_format in UNITS:
        return str((moment - EPOCH) // timedelta(microseconds=1) * 1000 // UNITS[time_format])
    if time_format in NAMED:
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return moment.astimezone(tz or UTC).strftime(time_format)


def expression(option: str, text: str) -> "ParsedResult":
    """An option's JMESPath. Raises ValueError where it is none."""
    from jmespath import compile as compiled
    from jmespath.exceptions import JMESPathError

    try:
        return compiled(text)
    except JMESPathError as error:
        told = str(error).splitlines()[0]
        raise ValueError(f"{option} = {text!r} is no JMESPath ({told}): expected one like data.items[0]") from error


def picked(path: str, rows: Sequence[object]) -> list[object]:
    """What a JMESPath finds in each row; None where it finds nothing, or does not fit."""
    from jmespath.exceptions import JMESPathError

    try:
        found: list[object] = _for_each(path).search(rows)  # one search is four times as fast as one a row
    except JMESPathError:
        return [_picked_from(path, row) for row in rows]
    return found


@lru_cache
def _for_each(path: str) -> "ParsedResult":
    return expression("path", f"map(&({path}), @)")


def _picked_from(path: str, row: object) -> object:
    from jmespath import search
    from jmespath.exceptions import JMESPathError

    try:
        return search(path, row)
    except JMESPathError:
        return None


def _name(name: object) -> str | None:
    if isinstance(name, bool) or not isinstance(name, str | int | float) or name != name:
        return None
    return str(name) or None


def _number(value: object) -> float | None:
    """NaN where the value is missing; None where there is one that is no number."""
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return np.inf
    except ValueError:
        return np.nan if str(value).strip().lower() in MISSING else None


def _times(times: Sequence[object], time_format: str) -> tuple[NDArray[np.int64], Mask, Mask]:
    """Times (n,) in µs since 1970, which of them can be read, and which are not in some time zone that is not told."""
    texts = _texts(times, time_format)
    with_zone = "%z" in time_format
    form = "ISO8601" if time_format in NAMED else time_format
    index = pd.DatetimeIndex(pd.to_datetime(pd.Series(texts, dtype=object), format=form, errors="coerce", utc=True))
    us, readable = index.as_unit("us").asi8.copy(), ~np.asarray(index.isna())
    aware = np.array([with_zone or (text is not None and OFFSET.search(text) is not None) for text in texts], np.bool_)
    left = np.flatnonzero(~readable)
    if len(left) and (time_format == "auto" or time_format in UNITS):
        counts = np.array([_number(times[place]) for place in left.tolist()], dtype=np.float64)
        counted = since_1970(counts, time_format)
        found = left[np.isfinite(counted)]
        us[found] = counted[np.isfinite(counted)].round()
        readable[found] = aware[found] = True
    return us, readable, aware


def _texts(times: Sequence[object], time_format: str) -> list[str | None]:
    """The times that are to be read as text."""
    if time_format in UNITS:
        return [None] * len(times)
    if time_format in NAMED:
        return [time if isinstance(time, str) and time not in CLOCKS else None for time in times]
    return [str(time) if isinstance(time, str | int) else None for time in times]  # 20260131 may well be a number


def since_1970(counts: Array, time_format: str) -> Array:
    """Counts (n,) since 1970 in µs; NaN where they cannot be that, or their unit is in doubt."""
    us = np.full(len(counts), np.nan)
    with np.errstate(over="ignore"):
        for unit in UNITS if time_format == "auto" else (time_format,):
            first, beyond = RECENT if time_format == "auto" else POSSIBLE
            scaled = counts * (UNITS[unit] / 1000)
            us = np.where((scaled >= first) & (scaled < beyond), scaled, us)
    return us


def _zone(times: Sequence[object], usable: Mask) -> tzinfo:
    """The zone of times with offsets. Of several the easternmost: in it no other's midnight falls on the day before."""
    found = {match.groups() for time in _strings(times, usable) if (match := OFFSET.search(time))}
    minutes = [int(f"{sign}{int(h) * 60 + int(m or 0)}") for sign, h, m in found if sign]
    if len(minutes) < len(found) or not found:
        minutes.append(0)
    return timezone(timedelta(minutes=max(minutes))) if max(minutes) else UTC


def _strings(times: Sequence[Any], usable: Mask) -> Iterable[str]:
    return (time for time, use in zip(times, usable.tolist(), strict=True) if use and isinstance(time, str))
