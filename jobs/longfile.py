"""Files in the long format of the field: a row an observation, `unique_id, ds, y`. Read for a backtest, and written.

    .csv, .csv.gz    text; ds is any ISO 8601 time, with or without an offset, or an integer
    .parquet         likewise; ds may be of a time's own type

Nothing is repaired in silence: what cannot be used is an error that names the file, the column and the row, and says
what would be right. Rows may come in any order. A row without a value is dropped, and counted. So is a row whose series
has a later one of the same time: where clocks are set back, an export in local time has an hour twice. What identifies
a row, its unique_id and its ds, is kept as it stands in the file, so that what is written can be joined with it.
"""

import gzip
import os
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import numpy as np
import pandas as pd

from jobs import parquet
from jobs.calendars import Times
from jobs.parquet import ParquetError
from models.arrays import Array
from models.windows import Index

Cells: TypeAlias = "pd.Index[Any]"  # of a column, as they stand in the file

ID, TIME, VALUE = "unique_id", "ds", "y"
LARGEST = 1e100  # of values; the squares of larger ones may be no numbers, and most stand for a missing value
COLUMNS_TOLD = 8  # of a file, at most
SUFFIXES = (".csv", ".csv.gz", ".parquet")
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>"]
OFFSET = r"[T ].*(?:Z|[+-]\d\d(?::?\d\d)?)$"  # of a time from UTC
INTEGER = r"[+-]?\d+"
DATE = r"\d{8}"  # 20260131 is a date, as ISO 8601 has it, and no count


GZIP = b"\x1f\x8b"
# How a file begins that has been given the suffix of a text.
SIGNATURES = {
    b"PK\x03\x04": "an Excel file, or another archive; save it as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel file; save it as CSV",
    GZIP: "packed with gzip; name it .csv.gz",
    b"PAR1": "a parquet file; name it .parquet",
}
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


class LongFileError(ValueError):
    """The file cannot be used; one line says why, and what would be right."""


class NoColumnError(LongFileError):
    """A column is not there; others are."""


class BadRowError(ValueError):
    """A row cannot be used: its number, from 0, and why."""

    def __init__(self, row: int, told: str) -> None:
        super().__init__(told)
        self.row = row


@dataclass(frozen=True)
class Columns:
    """How a file calls its columns. Without the one called unique_id it holds one series, named after the file."""

    id: str = ID
    time: str = TIME
    value: str = VALUE

    def __str__(self) -> str:
        return f"{self.id}, {self.time}, {self.value}"


USUAL = Columns()


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
    repeated: Index  # places of the rows that were dropped as their series has a later one of the same time, ascending

    def named(self, place: int) -> tuple[str, str]:
        """The series and the time of a row, for people."""
        return str(self.ids[place]), str(self.ds[place])


def suffix_of(path: Path) -> str:
    """The suffix that says what is in the file. Raises LongFileError where it says nothing known here."""
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise LongFileError(f"{path} has an unknown suffix; expected {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


def read(path: Path, columns: Columns = USUAL) -> LongFile:
    """Read a file. Raises LongFileError."""
    suffix = suffix_of(path)
    if not path.is_file():
        raise LongFileError(f"{path} is a folder; expected a file" if path.is_dir() else f"there is no file {path}")
    frame = (_read_parquet if suffix == ".parquet" else _read_csv)(path, columns)
    if len(frame) == 0:
        raise LongFileError(f"{path} has no rows; expected the columns {columns}, and a row an observation")
    one = columns.id not in frame.columns
    ids = pd.Series(path.name[: -len(suffix)], index=frame.index) if one else frame[columns.id]
    try:
        values = _values(frame[columns.value])
        times, ds, dated = _times(frame[columns.time])
        names = _names(ids)
    except BadRowError as error:
        raise LongFileError(f"{_place(path, error.row)}: {error}") from error
    kept = np.flatnonzero(~np.isnan(values))
    if len(kept) == 0:
        raise LongFileError(f"{path} has no number in column {columns.value}, only missing values")
    series, left_out = {}, []
    for name, places in _by_series(names, times, kept).items():
        last = np.append(np.diff(times[places]) != 0, True)  # of each time; its rows are in the file's order
        left_out.append(places[~last])
        series[name] = Rows(values[places[last]], times[places[last]], places[last])
    repeated = np.sort(np.concatenate(left_out))
    if one and len(repeated) >= len(kept) / 2:
        raise NoColumnError(
            f"{path} has most of its times more than once, and no column {columns.id} that would tell series apart,"
            f" only {_told(list(map(str, frame.columns)))}"
        )
    return LongFile(path, series, pd.Index(ids), ds, dated, len(frame) - len(kept), repeated)


def times_of(column: "pd.Series[str]") -> pd.DatetimeIndex:
    """The ISO 8601 times of a column of text: in UTC if they have an offset, without a time zone if they have none.

    Raises BadRowError where one is no time, or where only some have an offset.
    """
    offset = column.str.contains(OFFSET, na=False)
    if offset.any() and not offset.all():
        row = int((~offset).to_numpy().argmax())
        raise BadRowError(row, f"{column.iloc[row]!r} has no offset, as other rows have")
    clocks = column.isin(["now", "today"])  # which pandas takes for times
    times = pd.to_datetime(column.where(~clocks), errors="coerce", format="ISO8601", utc=bool(offset.any()))
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
            parquet.write_all(unfinished, frames)
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


def _read_csv(path: Path, columns: Columns) -> pd.DataFrame:
    try:
        _check_kind(path)
        _check_columns(path, list(map(str, pd.read_csv(path, nrows=0, index_col=False).columns)), columns)
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            # An id such as NA is a name; only a value can be missing.
            return pd.read_csv(
                path,
                index_col=False,
                dtype={columns.id: str, columns.time: str},
                keep_default_na=False,
                na_values={columns.value: MISSING},
                low_memory=False,
            )
    except pd.errors.EmptyDataError as error:
        raise LongFileError(f"{path} is empty; expected the columns {columns}, and a row an observation") from error
    except pd.errors.ParserWarning as error:
        raise LongFileError(
            f"{path} has more fields in its rows than names in its header; expected as many, and numbers as in 1234.5"
        ) from error
    except UnicodeDecodeError as error:
        raise LongFileError(f"{path} is no text in UTF-8: {error}; save it as CSV in UTF-8") from error
    except (OSError, EOFError, zlib.error, pd.errors.ParserError) as error:
        raise LongFileError(f"{path} cannot be read as CSV: {_one_line(error)}") from error


def _read_parquet(path: Path, columns: Columns) -> pd.DataFrame:
    try:
        frame, there = parquet.read(path, (columns.id, columns.time, columns.value))
    except ParquetError as error:
        raise LongFileError(f"{path} cannot be read as parquet: {_one_line(error)}") from error
    _check_columns(path, there, columns)
    return frame


def _check_kind(path: Path) -> None:
    """Raise LongFileError where a file that should be text, or packed text, is something else."""
    with path.open("rb") as handle:
        start = handle.read(4)
    for signature, told in SIGNATURES.items():
        if start.startswith(signature) and not (signature == GZIP and suffix_of(path) == ".csv.gz"):
            raise LongFileError(f"{path} is {told}")


def _check_columns(path: Path, there: Sequence[str], columns: Columns) -> None:
    """Raise LongFileError where a column is not there."""
    needed = [columns.time, columns.value]
    if columns.id != ID:
        needed.insert(0, columns.id)
    for column in needed:
        if column in there:
            continue
        for separator, told in SEPARATORS.items():
            if separator in there[0]:
                raise LongFileError(f"{path} has {told} between its columns; expected commas, and numbers as in 1234.5")
        raise NoColumnError(
            f"{path} has no column {column}, only {_told(there)}; expected {columns}, and a row an observation"
        )


def _values(column: "pd.Series[float]") -> Array:
    """The values as numbers, (n,); NaN where one is missing."""
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        numbers = pd.to_numeric(column.map(str, na_action="ignore"), errors="coerce")
        bad = (numbers.isna() & column.notna()) | column.map(lambda value: isinstance(value, bool | np.bool_))
        if bad.any():
            row = int(bad.to_numpy().argmax())
            raise BadRowError(row, f"column {column.name}: {_quoted(column.iloc[row])} is no number, as in 12.5")
        column = numbers
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    beyond = np.abs(values) > LARGEST
    if beyond.any():
        row = int(beyond.argmax())
        wrong = "not finite" if np.isinf(values[row]) else "too large"
        raise BadRowError(
            row, f"column {column.name}: {values[row]} is {wrong}; expected a number, as in 12.5, or nothing"
        )
    return values


def _times(column: "pd.Series[str]") -> tuple[Times, Cells, bool]:
    """The times as integers that sort as they do, as they stand in the file, and whether they are times at all."""
    told = pd.Index(column)
    missing = column.isna() | (column == "")
    if missing.any():
        raise BadRowError(
            int(missing.to_numpy().argmax()), f"column {column.name}: there is no time, as in 2026-01-31T12:30:00"
        )
    if pd.api.types.is_integer_dtype(column):
        if int(column.max()) > np.iinfo(np.int64).max:
            raise BadRowError(int(column.argmax()), f"column {column.name}: integers this large cannot be read")
        return column.to_numpy(dtype=np.int64), told, False
    if pd.api.types.is_datetime64_any_dtype(column):
        return _microseconds(pd.DatetimeIndex(column), column), told, True
    text = column.astype(str)
    if text.str.fullmatch(INTEGER).all() and not text.str.fullmatch(DATE).all():
        try:
            counts = np.array([int(count) for count in text], dtype=np.int64)
        except OverflowError as error:
            raise BadRowError(0, f"column {column.name}: integers this large cannot be read") from error
        plain = bool((pd.Series(counts, index=text.index).astype(str) == text).all())  # not so 001
        return counts, pd.Index(counts) if plain else told, False
    try:
        times = times_of(text)
    except BadRowError as error:
        raise BadRowError(error.row, f"column {column.name}: {error}") from error
    return _microseconds(times, column), told, True


def _microseconds(times: pd.DatetimeIndex, column: "pd.Series[Any]") -> Times:
    """Since 1970. Raises BadRowError for years that Python does not know."""
    beyond = (times.year < MINYEAR) | (times.year > MAXYEAR)
    if beyond.any():
        row = int(beyond.argmax())
        raise BadRowError(row, f"column {column.name}: {column.iloc[row]}: expected a year from {MINYEAR} to {MAXYEAR}")
    return times.as_unit("us").asi8


def _names(column: "pd.Series[str]") -> "pd.Series[str]":
    names = column.astype(str)
    missing = column.isna() | (names == "")
    if missing.any():
        raise BadRowError(int(missing.to_numpy().argmax()), f"column {column.name}: there is no name of the series")
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


def _told(columns: Sequence[str]) -> str:
    """The names of a file's columns, for people."""
    more = len(columns) - COLUMNS_TOLD
    return ", ".join(map(_quoted, columns[:COLUMNS_TOLD])) + (f" and {more:,} more" if more > 0 else "")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _quoted(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and not re.search(r"\s|^$", text) else repr(text)
