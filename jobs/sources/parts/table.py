"""Rows of a file, as lines of text or as parquet's columns, made into series.

A file is long, with a row an observation (`unique_id, ds, y`), or wide, with a column a series. What cannot be made out
is left out, and counted. Everything is done for many rows at once: a million of them in a second.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.longfile import COLUMNS_TOLD, ID, SEPARATORS, TIME, VALUE
from jobs.sources.base import SourceDownError
from jobs.sources.parts.columns import NO_VALUE, example, times_of, values_of
from jobs.sources.parts.lines import TOLD, LeftOut, Lines, Mask, Places, shortened
from models.arrays import Array

UNKNOWN = "\ufffd"  # stands for what is not UTF-8
NONE = -1  # the number of a name that is not there

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Layout:
    """How a file's rows are laid out."""

    id_column: str = ID
    time_column: str = TIME
    value_column: str = VALUE
    wide: bool = False
    columns: tuple[str, ...] | None = None  # of a wide file, those that are wanted; None for all
    time_format: str = "auto"
    separator: str = ","
    decimal: str = "."


@dataclass(frozen=True)
class Header:
    """A file's columns by name, and the places of those that are wanted."""

    path: Path
    names: list[str]
    time: int
    values: list[int]  # one, or in a wide file one a series
    id: int | None  # None where there is none

    @property
    def wanted(self) -> list[int]:
        """The columns to read."""
        return [self.time, *self.values, *([] if self.id is None else [self.id])]


@dataclass(frozen=True)
class Rows:
    """Values of some series, each series' in the file's order; a place each in all arrays, (n,)."""

    names: list[str]
    series: Numbers  # a place in `names`
    index: pd.DatetimeIndex  # with a time zone, or without
    values: Array
    places: Places  # where in the file the row begins
    dropped: Counter[str]  # rows that could not be made out, by what is wrong
    complaint: str = ""  # about the first of them

    def __len__(self) -> int:
        return len(self.series)

    def where(self, kept: Mask | Places | slice) -> "Rows":
        """Some of them."""
        arrays = (self.series[kept], self.index[kept], self.values[kept], self.places[kept])
        return Rows(self.names, *arrays, self.dropped, self.complaint)

    @classmethod
    def joined(cls, parts: "list[Rows]") -> "Rows":
        """Some after the other; all with the same time zone, or all without."""
        numbers: dict[str, int] = {}
        for part in parts:
            for name in part.names:
                numbers.setdefault(name, len(numbers))
        series = [np.array([numbers[name] for name in part.names], np.int32)[part.series] for part in parts]
        return cls(
            list(numbers),
            np.concatenate(series),
            pd.DatetimeIndex(parts[0].index.append([part.index for part in parts[1:]])),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.places for part in parts]),
            sum((part.dropped for part in parts), Counter()),
            next((part.complaint for part in parts if part.complaint), ""),
        )

    def by_name(self) -> "dict[str, pd.Series[float]]":
        """The series that have values here."""
        order = np.argsort(self.series, kind="stable")
        index, values = self.index[order], self.values[order]
        ends = np.cumsum(np.bincount(self.series, minlength=len(self.names))).tolist()
        found = {}
        for name, start, end in zip(self.names, [0, *ends], ends, strict=False):
            if end > start:
                found[name] = pd.Series(values[start:end], index=index[start:end])
        return found


# ── header ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def header_of_line(line: bytes, layout: Layout, path: Path) -> Header:
    """What a file's columns hold, by its first line. Raises SourceDownError."""
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise SourceDownError(f"{path} is no text in UTF-8: {error}; save it in UTF-8") from error
    names = next(csv.reader([text], delimiter=layout.separator, skipinitialspace=True), [])
    return header_of([name.strip() for name in names], layout, path)


def header_of(names: list[str], layout: Layout, path: Path) -> Header:
    """What a file's columns hold. Raises SourceDownError where one is missing."""
    if layout.wide:
        given = layout.columns
        values = [name for name in names if name not in (layout.time_column, "")] if given is None else list(given)
    else:
        values = [layout.value_column]
    ids = [] if layout.wide or (layout.id_column == ID and ID not in names) else [layout.id_column]
    for column in [*ids, layout.time_column, *values]:
        if column not in names:
            raise SourceDownError(f"{path} has no column {column!r}; {_told(names, layout.separator)}")
        if names.count(column) > 1:
            raise SourceDownError(f"{path} has {names.count(column)} columns {column!r}; expected one")
    if not values:
        raise SourceDownError(f"{path} has no column besides {layout.time_column!r}; expected one a series")
    places = [names.index(column) for column in values]
    return Header(path, names, names.index(layout.time_column), places, names.index(ids[0]) if ids else None)


def _told(names: list[str], separator: str) -> str:
    for other, told in SEPARATORS.items():
        if len(names) == 1 and other != separator and other in names[0]:
            return f"with {told} between its columns, give separator = {other!r}"
    more = f" and {len(names) - COLUMNS_TOLD:,} more" if len(names) > COLUMNS_TOLD else ""
    first = (name if name.isprintable() and len(name) <= TOLD else shortened(name) for name in names[:COLUMNS_TOLD])
    return f"its columns are {', '.join(first)}{more}"


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def parse(data: bytes, header: Header, layout: Layout, name: str, start: int, row: int) -> Rows:
    """The values in whole lines, which begin at the place `start` with row number `row`. name: of one series."""
    lines, left_out = Lines(data, layout.separator, len(header.names)), LeftOut()
    lines.leave_out(row, left_out)
    good = np.flatnonzero(lines.good)
    frame = _read(lines.data(), header, layout)
    if len(frame) != len(good):
        raise SourceDownError(f"{header.path}, rows {row:,} to {row + len(lines.good) - 1:,}: a row is not on one line")
    return _rows(frame, header, layout, name, start + lines.starts[good], row + good, left_out)


def of_columns(frame: pd.DataFrame, header: Header, layout: Layout, name: str, start: int) -> Rows:
    """The values in a table, whose columns are called by their places. start: the number of its first row, from 0."""
    for place in (header.time, header.id):
        if place is not None and not pd.api.types.is_datetime64_any_dtype(frame[place]):
            frame[place] = frame[place].map(str, na_action="ignore").astype(object)
    places = np.arange(start, start + len(frame))
    return _rows(frame, header, layout, name, places, places + 1, LeftOut())


def _read(data: bytes, header: Header, layout: Layout) -> pd.DataFrame:
    as_written: dict[int, Any] = {place: object for place in (header.time, header.id) if place is not None}
    no_values: dict[Any, Any] = dict.fromkeys(header.values, NO_VALUE)
    if not data:
        return pd.DataFrame({place: np.zeros(0, object) for place in header.wanted})
    try:
        return pd.read_csv(
            io.BytesIO(data),
            header=None,
            names=list(range(len(header.names))),
            usecols=header.wanted,
            index_col=False,
            dtype=as_written,
            keep_default_na=False,  # an id such as NA is a name; only a value can be missing
            na_values=no_values,
            sep=layout.separator,
            decimal=layout.decimal,
            lineterminator="\n",
            skipinitialspace=True,
            skip_blank_lines=False,
            encoding_errors="replace",
            low_memory=False,
        )
    except pd.errors.ParserError as error:
        raise SourceDownError(f"{header.path} cannot be read as CSV: {' '.join(str(error).split())}") from error


def _rows(
    frame: pd.DataFrame, header: Header, layout: Layout, name: str, places: Places, rows: Places, left_out: LeftOut
) -> Rows:
    """places, rows: where each row begins, and its number for people."""
    names, series = _names(frame, header, name)
    nameless = np.isin(series, [NONE, *(number for number, each in enumerate(names) if not each.strip())])
    garbled = np.isin(series, [number for number, each in enumerate(names) if UNKNOWN in each])
    time = frame[header.time]
    index, strays = _times(time, layout)

    def text(row: int) -> str:
        return shortened(str(time.iloc[row]))

    usable: Mask = np.ones(len(frame), np.bool_)
    checks: list[tuple[str, Mask, Callable[[int], str]]] = [
        (f"without {layout.id_column}", nameless, lambda _: "there is no name of the series"),
        ("with a name that is not in UTF-8", garbled, lambda _: "the name of the series is not in UTF-8"),
        ("with an offset missing that other rows have", strays, lambda row: f"{text(row)} has no offset from UTC"),
        (
            "without a readable time",
            np.asarray(index.isna()),
            lambda row: f"{text(row)} is no time as in {example(layout.time_format)}",
        ),
    ]
    for what, wrong, told in checks:
        left_out.add(what, usable & wrong, rows, told)
        usable &= ~wrong
    if header.id is None:
        names = [header.names[place] for place in header.values] if layout.wide else [name]
    parts = []
    for number, place in enumerate(header.values):
        values, empty = values_of(frame[place], layout.decimal)
        left_out.add("no number", usable & empty, rows, lambda row, place=place: _no_number(frame[place].iloc[row]))  # type: ignore[misc]
        kept = usable & ~empty
        parts.append((series[kept] + number, kept, values[kept]))
    numbers, masks, numeric = zip(*parts, strict=True)
    lines = np.concatenate([np.flatnonzero(kept) for kept in masks])
    arrays = (np.concatenate(numbers), index[lines], np.concatenate(numeric), places[lines])
    return Rows(names, *arrays, left_out.counts, left_out.complaint)


def _names(frame: pd.DataFrame, header: Header, name: str) -> tuple[list[str], Numbers]:
    """The names in the rows, and which of them each has."""
    if header.id is None:
        return [name], np.zeros(len(frame), np.int32)
    series, names = pd.factorize(frame[header.id])
    return list(map(str, names)), series.astype(np.int32)


def _times(column: "pd.Series[Any]", layout: Layout) -> tuple[pd.DatetimeIndex, Mask]:
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.DatetimeIndex(column).as_unit("us"), np.zeros(len(column), np.bool_)
    return times_of(column, layout.time_format)


def _no_number(cell: object) -> str:
    return f"{shortened(str(cell))} is no number, as in 12.5"
