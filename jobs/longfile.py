"""Files in the long format of the field: a row an observation, `unique_id, ds, y`. Read for a backtest, and written.

    .csv, .csv.gz    text; ds is any ISO 8601 time, with or without an offset, or an integer
    .parquet         likewise; ds may be of a time's own type

Nothing is repaired in silence: what cannot be used is an error that names the file, the column and the row, and says
what would be right. Rows may come in any order. A row without a value is dropped, and counted. What identifies a row,
its unique_id and its ds, is kept as it stands in the file, so that what is written can be joined with it.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import numpy as np
import pandas as pd

from jobs.calendars import Times
from models.arrays import Array
from models.windows import Index

Cells: TypeAlias = "pd.Index[Any]"  # of a column, as they stand in the file

ID, TIME, VALUE = "unique_id", "ds", "y"
WANTED = f"expected the columns {ID}, {TIME}, {VALUE}, and a row an observation"
SUFFIXES = (".csv", ".csv.gz", ".parquet")
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>"]
OFFSET = r"[T ].*(?:Z|[+-]\d\d(?::?\d\d)?)$"  # of a time from UTC
INTEGER = r"[+-]?\d+"
DATE = r"\d{8}"  # 20260131 is a date, as ISO 8601 has it, and no count


class LongFileError(ValueError):
    """The file cannot be used; one line says why, and what would be right."""


class BadRowError(ValueError):
    """A row cannot be used: its number, from 0, and why."""

    def __init__(self, row: int, told: str) -> None:
        super().__init__(told)
        self.row = row


@dataclass(frozen=True)
class Rows:
    """The rows of one series, in order of time."""

    values: Array  # (n,), finite
    times: Times  # (n,), ascending: microseconds since 1970, or the file's own integers
    places: Index  # (n,), where in the file


@dataclass(frozen=True)
class LongFile:
    """What a file holds."""

    path: Path
    series: dict[str, Rows]  # by name
    ids: Cells  # (n_rows,), as they stand in the file
    ds: Cells  # (n_rows,), likewise
    dated: bool  # whether ds are times; they may be integers
    dropped: int  # rows without a value


def suffix_of(path: Path) -> str:
    """The suffix that says what is in the file. Raises LongFileError where it says nothing known here."""
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise LongFileError(f"{path} has an unknown suffix; expected {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


def read(path: Path) -> LongFile:
    """Read a file. Raises LongFileError."""
    suffix = suffix_of(path)
    if not path.is_file():
        raise LongFileError(f"there is no file {path}")
    frame = _read_parquet(path) if suffix == ".parquet" else _read_csv(path)
    for column in (TIME, VALUE):
        if column not in frame.columns:
            there = ", ".join(map(str, frame.columns))
            raise LongFileError(f"{path} has no column {column}, only {there}; {WANTED}")
    if len(frame) == 0:
        raise LongFileError(f"{path} is empty; {WANTED}")
    if ID not in frame.columns:
        frame = frame.assign(**{ID: path.name[: -len(suffix)]})
    try:
        values = _values(frame[VALUE])
        times, ds, dated = _times(frame[TIME])
        names = _names(frame[ID])
    except BadRowError as error:
        raise LongFileError(f"{_place(path, error.row)}: {error}") from error
    kept = np.flatnonzero(~np.isnan(values))
    if len(kept) == 0:
        raise LongFileError(f"{path} has no number in column {VALUE}, only missing values")
    series = {}
    for name, places in _by_series(names, times, kept).items():
        again = np.flatnonzero(np.diff(times[places]) == 0)
        if len(again):
            first, second = sorted(places[again[0] : again[0] + 2].tolist())
            raise LongFileError(
                f"{_place(path, second)}: column {TIME}: series {name} has {ds[second]} already in row"
                f" {_row(path, first)}; expected each time of a series once"
            )
        series[name] = Rows(values[places], times[places], places)
    return LongFile(path, series, pd.Index(frame[ID]), ds, dated, len(frame) - len(kept))


def times_of(column: "pd.Series[str]") -> pd.DatetimeIndex:
    """The ISO 8601 times of a column of text: in UTC if they have an offset, without a time zone if they have none.

    Raises BadRowError where one is no time, or where only some have an offset.
    """
    offset = column.str.contains(OFFSET, na=False)
    if offset.any() and not offset.all():
        row = int((~offset).to_numpy().argmax())
        raise BadRowError(row, f"{column.iloc[row]!r} has no offset, as other rows have")
    times = pd.to_datetime(column, errors="coerce", format="ISO8601", utc=bool(offset.any()))
    if times.isna().any():
        row = int(times.isna().to_numpy().argmax())
        raise BadRowError(row, f"{column.iloc[row]!r} is no ISO 8601 time, as in 2026-01-31T12:30:00")
    return pd.DatetimeIndex(times)


def write(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """Write tables of the same columns one below the other. What stood there is replaced once all is written."""
    suffix = suffix_of(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if suffix == ".parquet":
            pd.concat(frames, ignore_index=True).to_parquet(unfinished, engine="pyarrow", index=False)
        else:
            with _text(unfinished, packed=suffix.endswith(".gz")) as handle:
                for number, frame in enumerate(frames):
                    frame.to_csv(handle, index=False, header=number == 0, lineterminator="\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _text(path: Path, *, packed: bool) -> Iterator[TextIO]:
    if packed:
        with gzip.open(path, "wt", encoding="utf-8", newline="", compresslevel=6) as handle:
            yield handle
    else:
        with path.open("w", encoding="utf-8", newline="") as plain:
            yield plain


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        # An id such as NA is a name; only a value can be missing.
        return pd.read_csv(
            path,
            dtype={ID: str, TIME: str},
            keep_default_na=False,
            na_values={VALUE: MISSING},
            low_memory=False,
            compression="infer",
        )
    except pd.errors.EmptyDataError as error:
        raise LongFileError(
            f"{path} is empty; expected a header and a row an observation: {ID}, {TIME}, {VALUE}"
        ) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise LongFileError(f"{path} cannot be read as CSV: {' '.join(str(error).split())}") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow  # noqa: PLC0415, RUF100  only who has a parquet file waits for it

    try:
        frame = pd.read_parquet(path, engine="pyarrow")
        return frame.reset_index(drop=frame.index.names == [None])  # the id may be the index, a nameless one is none
    except (OSError, pyarrow.ArrowException) as error:
        raise LongFileError(f"{path} cannot be read as parquet: {' '.join(str(error).split())}") from error


def _values(column: "pd.Series[float]") -> Array:
    """The values as numbers, (n,); NaN where one is missing."""
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        numbers = pd.to_numeric(column, errors="coerce")
        bad = (numbers.isna() & column.notna()) | column.map(lambda value: isinstance(value, bool | np.bool_))
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise BadRowError(row, f"column {VALUE}: {_quoted(column.iloc[row])} is no number, as in 12.5")
        column = numbers
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise BadRowError(
            row, f"column {VALUE}: {values[row]} is not finite; expected a number, as in 12.5, or nothing"
        )
    return values


def _times(column: "pd.Series[str]") -> tuple[Times, Cells, bool]:
    """The times as integers that sort as they do, as they stand in the file, and whether they are times at all."""
    told = pd.Index(column)
    missing = column.isna() | (column == "")
    if missing.any():
        raise BadRowError(
            int(missing.to_numpy().argmax()), f"column {TIME}: there is no time, as in 2026-01-31T12:30:00"
        )
    if pd.api.types.is_integer_dtype(column):
        return column.to_numpy(dtype=np.int64), told, False
    if isinstance(column.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_any_dtype(column):
        return pd.DatetimeIndex(column).as_unit("us").asi8, told, True
    text = column.astype(str)
    if text.str.fullmatch(INTEGER).all() and not text.str.fullmatch(DATE).all():
        try:
            counts = np.array([int(count) for count in text], dtype=np.int64)
        except OverflowError as error:
            raise BadRowError(0, f"column {TIME}: integers this large cannot be read") from error
        plain = bool((pd.Series(counts, index=text.index).astype(str) == text).all())  # not so 001
        return counts, pd.Index(counts) if plain else told, False
    try:
        return times_of(text).as_unit("us").asi8, told, True
    except BadRowError as error:
        raise BadRowError(error.row, f"column {TIME}: {error}") from error


def _names(column: "pd.Series[str]") -> "pd.Series[str]":
    names = column.astype(str)
    missing = column.isna() | (names == "")
    if missing.any():
        raise BadRowError(int(missing.to_numpy().argmax()), f"column {ID}: there is no name of the series")
    return names


def _by_series(names: "pd.Series[str]", times: Times, kept: Index) -> dict[str, Index]:
    """Of each series, by name, the places of its rows, in order of time."""
    numbers, unique = pd.factorize(names.to_numpy()[kept], sort=True)
    order = np.lexsort((times[kept], numbers))
    bounds = np.flatnonzero(np.diff(numbers[order])) + 1
    return {str(name): kept[places] for name, places in zip(unique, np.split(order, bounds), strict=True)}


def _place(path: Path, row: int) -> str:
    return f"{path}, row {_row(path, row)}"


def _row(path: Path, row: int) -> int:
    """The row's number for people: in a text file the header is line 1."""
    return row + (1 if suffix_of(path) == ".parquet" else 2)


def _quoted(value: object) -> str:
    return repr(str(value)) if re.search(r"\s|^$", str(value)) else str(value)
