"""Series from files: CSV, packed with gzip or not, and parquet. They may grow, be rewritten, and be rotated.

The first fetch reads everything. After that, if a file is what it was up to where it was read, only what is new in it
is read, which is found out by a digest of all that. Otherwise everything is read anew, also where a row has been added
to an interval that is long over, where a file is gone, or where one of parquet has changed. A last line without its end
may be one that somebody is writing: it waits until nobody has written for some seconds.
"""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import pandas as pd

from jobs.longfile import ID, SUFFIXES, TIME, VALUE
from jobs.sources.base import Delivery, Request, SourceDownError
from jobs.sources.parts.growing import Known, StartAnewError, state_of
from jobs.sources.parts.reading import Named, Reading, near_a_repeated_hour, whole_days
from jobs.sources.parts.rows import check_time_format
from jobs.sources.parts.table import Layout, Rows
from jobs.sources.parts.textfile import unreadable

AT_ONCE = 250_000  # values in a delivery, about
PATTERN = re.compile(r"[*?[]")


@dataclass
class CsvSource:
    """Files of rows: CSV, also packed with gzip, or parquet. They may be growing."""

    path: Annotated[Path, "a file, a directory of them, or a pattern, as in logs/*.csv"]
    layout: Annotated[Literal["long", "wide"], "long: a row an observation; wide: a column a series"] = "long"
    id_column: Annotated[
        str, "long: the series' name; without this column a file is one series, of the file's name"
    ] = ID
    time_column: Annotated[str, "the time"] = TIME
    value_column: Annotated[str, "long: the value"] = VALUE
    columns: Annotated[list[str] | None, "wide: the columns to take; by default all others"] = None
    name: Annotated[str | None, "of the one series that all files without ids make together"] = None
    tz: Annotated[str | None, "the zone of times without an offset; by default the panel's"] = None
    time_format: Annotated[str, "auto, iso, unix, unix_ms, unix_us, unix_ns, or strptime's as in %d.%m.%Y"] = "auto"
    separator: Annotated[str, "between the columns"] = ","
    decimal: Annotated[str, "the decimal mark"] = "."

    def __post_init__(self) -> None:
        check_time_format("time_format", self.time_format)
        if self.tz is not None:
            try:
                ZoneInfo(self.tz)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError(f"tz = {self.tz!r} is no time zone, as in Europe/Berlin or UTC") from error
        if len(self.separator) != 1 or not self.separator.isascii() or self.separator in '"\n\r ':
            raise ValueError(f"separator = {self.separator!r} is none: expected one character, as in , or ;")
        if self.decimal not in (".", ",") or self.decimal == self.separator:
            raise ValueError(f"decimal = {self.decimal!r} is none: expected . or , and other than the separator")
        if self.layout == "long" and self.columns is not None:
            raise ValueError('columns are chosen of a wide file: expected layout = "wide", or no columns')
        if self.columns is not None and not self.columns:
            raise ValueError("columns = [] leaves none: expected some, or no such option for all")

    def fetch(self, request: Request) -> Iterator[Delivery]:
        """What is new in the files, or all that is in them. Raises SourceDownError."""
        known = Known.of(request.state)
        if known is not None:
            try:
                yield from self._deliveries(self.reading(request, known), complete=False)
                return
            except StartAnewError:
                pass
        yield from self._deliveries(self.reading(request), complete=True)

    def missing(self) -> str | None:
        """Why there is no file to read, where there is none now."""
        try:
            _files(self.path)
        except (SourceDownError, OSError) as error:
            return str(error)
        return None

    def reading(self, request: Request, known: Known | None = None) -> Reading:
        """The files as they are to be read. Raises SourceDownError where there are none."""
        layout = Layout(
            id_column=self.id_column,
            time_column=self.time_column,
            value_column=self.value_column,
            wide=self.layout == "wide",
            columns=None if self.columns is None else tuple(self.columns),
            time_format=self.time_format,
            separator=self.separator,
            decimal=self.decimal,
        )
        try:
            files = {name: Named(path, self.name or _without_suffix(name)) for name, path in _files(self.path)}
        except OSError as error:  # such as a folder that must not be looked into
            raise unreadable(self.path, error) from error
        return Reading(files, layout, ZoneInfo(self.tz) if self.tz else request.tz, request, known)

    def _deliveries(self, reading: Reading, *, complete: bool) -> Iterator[Delivery]:
        brought = False
        for values in batches(reading):
            brought = True
            yield Delivery(values, complete=complete, tz=self.tz)
        if complete and not brought and not reading.failures:
            raise SourceDownError(_nothing(self.path, reading))
        # Where nothing was brought, what was settled before still says it all.
        until = reading.until if brought or reading.since is None else reading.since
        yield Delivery(
            failures=reading.failures,
            dropped=reading.dropped,
            complete=complete,
            unchanged=not brought and not complete,
            tz=self.tz,
            state=state_of(until, reading.marks, reading.identities),
        )


def batches(reading: Reading) -> "Iterator[Mapping[str, pd.Series[float]]]":
    """The series of a reading, some rows of them after the others."""
    waiting: list[Rows] = []
    count = 0
    for rows in reading.rows():
        if len(rows) == 0:
            continue
        if waiting and rows.index.tz != waiting[0].index.tz:
            yield Rows.joined(waiting).by_name()
            waiting, count = [], 0
        waiting.append(rows)
        count += len(rows)
        if count >= AT_ONCE and not _divides_an_hour(rows.index, reading):
            yield Rows.joined(waiting).by_name()
            waiting, count = [], 0
    if waiting:
        yield Rows.joined(waiting).by_name()


def _divides_an_hour(index: pd.DatetimeIndex, reading: Reading) -> bool:
    """Whether a delivery that ends here might part the two passes through an hour that the clocks repeat."""
    if index.tz is not None or reading.zone is None or whole_days(reading.request):
        return False
    return near_a_repeated_hour(index[-1].to_pydatetime().replace(tzinfo=reading.zone), reading.zone)


def _files(path: Path) -> Iterable[tuple[str, Path]]:
    """The files that a path names, in order, each with its own name. Raises SourceDownError where there are none."""
    if path.is_dir():
        found = [each for each in path.iterdir() if each.name.lower().endswith(SUFFIXES) and each.is_file()]
        base, missing = path, f"there is no {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file in {path}"
    elif path.is_file() or not PATTERN.search(str(path)):
        found = [path] if path.is_file() else []
        base, missing = path.parent, f"there is no file {path}"
    else:
        found = [Path(each) for each in glob.glob(str(path), recursive=True) if os.path.isfile(each)]
        base, missing = path, f"there is no file that {path} fits"
        while PATTERN.search(str(base)):
            base = base.parent
    if not found:
        raise SourceDownError(missing)
    return sorted((each.relative_to(base).as_posix(), each) for each in found)


def _without_suffix(name: str) -> str:
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return str(Path(name).with_suffix(""))


def _nothing(path: Path, reading: Reading) -> str:
    count = sum(reading.dropped.values())
    if not count:
        return f"{path} has no rows"
    return f"{path} has no row that can be used, of {count:,}: {reading.complaint.removeprefix(f'{path}, ')}"
