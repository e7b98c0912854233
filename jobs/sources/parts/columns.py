"""Columns of a file, read as times or as numbers, hundreds of thousands of rows at once.

Times are written in one of the formats of `jobs.sources.parts.rows`.
"""

from datetime import timedelta, timezone
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from jobs.longfile import MISSING
from jobs.sources.parts.lines import Mask
from jobs.sources.parts.rows import CLOCKS, NAMED, OFFSET, UNITS, since_1970
from models.arrays import Array

NO_VALUE = sorted({form(word) for word in MISSING for form in (str, str.lower, str.upper)})
NOT_A_TIME = np.iinfo(np.int64).min
ISO = "ISO8601"
EXAMPLE = pd.Timestamp("2026-01-31T12:30:00Z")

Texts: TypeAlias = "pd.Series[Any]"  # of dtype object


def times_of(texts: Texts, time_format: str) -> tuple[pd.DatetimeIndex, Mask]:
    """The times of a column, NaT where one cannot be read; and which have no offset from UTC though others have one.

    The index has no zone where the times have no offsets.
    """
    none = np.zeros(len(texts), np.bool_)
    if time_format in UNITS:
        return _counts(texts, time_format), none
    if time_format not in NAMED:
        return _parsed(texts, time_format, utc="%z" in time_format), none
    index, strays = _iso(texts)
    unread = _missing(index) & ~strays
    if time_format == "auto" and unread.any():
        counts = _counts(texts.where(unread), time_format)
        if (~_missing(counts)).sum() > (~unread).sum():
            return counts, none
    return index, strays


def example(time_format: str) -> str:
    """A time as it is expected."""
    if time_format in UNITS:
        return str(EXAMPLE.value // UNITS[time_format])
    return EXAMPLE.strftime("%Y-%m-%dT%H:%M:%SZ" if time_format in NAMED else time_format)


def values_of(column: "pd.Series[Any]", decimal: str) -> tuple[Array, Mask]:
    """The numbers of a column, NaN where one is missing; and which cells hold none though they hold something."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.to_numpy(dtype=np.float64), np.zeros(len(column), np.bool_)
    texts = column.map(str, na_action="ignore").astype(object)
    missing = texts.isna() | texts.isin(NO_VALUE)
    if decimal != ".":
        texts = texts.str.replace(decimal, ".", regex=False)
    numbers = pd.to_numeric(texts.where(~missing), errors="coerce").to_numpy(dtype=np.float64)
    return numbers, np.isnan(numbers) & ~missing.to_numpy()


def _iso(texts: Texts) -> tuple[pd.DatetimeIndex, Mask]:
    clocks = texts.isin(CLOCKS)
    if clocks.any():
        texts = texts.where(~clocks)
    try:
        return _parsed(texts, ISO), np.zeros(len(texts), np.bool_)
    except ValueError:  # with several offsets, or some without
        return _of_several_offsets(texts)


def _of_several_offsets(texts: Texts) -> tuple[pd.DatetimeIndex, Mask]:
    """In the zone of the easternmost offset: there no other's midnight falls on the day before."""
    codes, unique = pd.factorize(texts)  # what is missing has the code -1, and so the last one's
    found = [OFFSET.search(text) for text in unique]
    aware = np.array([*(match is not None for match in found), False])[codes]
    minutes = {int(f"{m[1]}{int(m[2]) * 60 + int(m[3] or 0)}") if m[1] else 0 for m in found if m is not None}
    east = timezone(timedelta(minutes=max(minutes, default=0)))
    index = _parsed(texts.where(aware), ISO, utc=True).tz_convert(east)
    return index, ~_missing(_parsed(texts.where(~aware), ISO))


def _parsed(texts: Texts, form: str, *, utc: bool = False) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(texts, format=form, errors="coerce", utc=utc)).as_unit("us")


def _missing(index: pd.DatetimeIndex) -> Mask:
    return np.asarray(index.isna())


def _counts(texts: Texts, time_format: str) -> pd.DatetimeIndex:
    """Counts since 1970; NaT where they cannot be that, or where their unit is in doubt."""
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
    us = since_1970(numbers, time_format)
    readable = np.isfinite(us)
    times = np.where(readable, us, 0).round().astype(np.int64)
    times[~readable] = NOT_A_TIME
    return pd.DatetimeIndex(times.view("datetime64[us]")).tz_localize("UTC")
