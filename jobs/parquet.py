"""Parquet files as pandas' tables. The only file that knows polars, which reads and writes them.

Not pyarrow: pandas imports that whenever it is installed, and the daemon, which never sees a parquet file, would carry
it in memory. polars is imported when a file is read or written, and what it holds goes over column by column.
"""

import os
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import polars as pl

PART_ROWS = 100_000  # of a table that is written in parts
OS_ERROR = re.compile(r"\(os error (\d+)\)")  # as polars tells one
NOT_A_TIME = np.iinfo(np.int64).min


class ParquetError(ValueError):
    """The file cannot be read; the message says why."""


def read(path: Path, wanted: Collection[str]) -> tuple[pd.DataFrame, list[str]]:
    """Of the wanted columns those that are there, and the names of all. Raises ParquetError."""
    there = columns(path)
    with _told() as pl, path.open("rb") as handle:  # a path would be taken as a pattern
        frame = pl.read_parquet(handle, columns=[name for name in there if name in wanted])
    return _table(frame), there


def columns(path: Path) -> list[str]:
    """The names of a file's columns. Raises ParquetError."""
    with _told() as pl, path.open("rb") as handle:
        return list(pl.read_parquet_schema(handle))


def slices(path: Path, wanted: Sequence[str], size: int) -> Iterator[pd.DataFrame]:
    """The wanted columns, so many rows at once, so that memory does not grow with the file. Raises ParquetError."""
    start, last = 0, False
    while not last:
        with _told() as pl:
            frame = pl.scan_parquet(path, glob=False).select(wanted).slice(start, size).collect()
        last = len(frame) < size
        start += len(frame)
        yield _table(frame)


@contextmanager
def _told() -> Iterator[ModuleType]:
    """polars, all of whose errors become a ParquetError."""
    os.putenv("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")  # or it panics at times with an offset such as +05:30
    import polars as pl

    try:
        yield pl
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ParquetError(str(error)) from error


def write(path: Path, frame: pd.DataFrame) -> None:
    """Write a table of numbers, words, dates and times. Raises OSError."""
    import polars as pl

    table = pl.DataFrame({str(name): _to_polars(frame[name]) for name in frame.columns})
    try:
        table.write_parquet(path)
    except pl.exceptions.ComputeError as error:
        _tell_of_the_system(error, path)
        raise


def write_all(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """Write such tables of the same columns one below the other, so that memory does not grow with them.

    They go to files beside the path first, which are then streamed into one. Raises OSError, as on a full disk.
    """
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.absolute().parent) as folder:
        parts: list[Path] = []
        for rows in _gathered(frames):
            parts.append(Path(folder) / f"{len(parts)}.parquet")
            write(parts[-1], rows)
        import polars as pl

        try:
            pl.scan_parquet(parts, glob=False).sink_parquet(path)
        except pl.exceptions.ComputeError as error:
            _tell_of_the_system(error, path)
            raise


def _tell_of_the_system(error: Exception, path: Path) -> None:
    """Raise the system's own error, where polars wraps one."""
    found = OS_ERROR.search(str(error))
    if found is not None:
        raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from error


def _gathered(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The same rows in fewer tables; an empty one, whose columns may be of any type, only where all are empty."""
    empty, gathered = pd.DataFrame(), False
    waiting: list[pd.DataFrame] = []
    for frame in frames:
        if len(frame) == 0:
            empty = frame
            continue
        waiting.append(frame)
        if sum(map(len, waiting)) >= PART_ROWS:
            yield pd.concat(waiting, ignore_index=True)
            waiting, gathered = [], True
    if waiting or not gathered:
        yield pd.concat(waiting, ignore_index=True) if waiting else empty


def _table(frame: "pl.DataFrame") -> pd.DataFrame:
    return pd.DataFrame({name: _to_pandas(frame[name]) for name in frame.columns})


def _to_pandas(column: "pl.Series") -> "pd.Series[Any]":
    import polars as pl

    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        counts = column.to_physical().fill_null(NOT_A_TIME).to_numpy()
        times = pd.DatetimeIndex(counts.view(f"datetime64[{kind.time_unit}]"))
        return pd.Series(times.tz_localize("UTC").tz_convert(kind.time_zone) if kind.time_zone else times)
    if kind.is_integer() and not column.has_nulls():
        return pd.Series(column.to_numpy())
    if kind.is_numeric():
        return pd.Series(column.cast(pl.Float64).to_numpy())
    return pd.Series(column.to_list(), dtype=object)


def _to_polars(column: "pd.Series[Any]") -> "pl.Series":
    import polars as pl

    if pd.api.types.is_numeric_dtype(column):
        return pl.Series(column.to_numpy())
    if not pd.api.types.is_datetime64_any_dtype(column):
        return pl.Series(column.tolist())
    times = pd.DatetimeIndex(column)
    times = times.as_unit("ms") if times.unit == "s" else times
    counts = pl.Series(times.asi8).cast(pl.Datetime(cast(Literal["ms", "us", "ns"], times.unit)))
    if times.tz is None:
        return counts
    zone = getattr(times.tz, "key", "UTC")  # polars knows no offsets
    return counts.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
