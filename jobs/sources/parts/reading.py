"""One fetch's way through the files of a panel: whole, or what is new in them.

What is new begins where the last fetch found the first row that might still change, and every row after it. Of those
there the ones that begin before `since` have been brought by an earlier fetch, whole intervals of them: they are left
out. A new row among them means that an interval has to be brought again, all of its rows: then all is read anew.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import numpy as np
import pandas as pd

from db.times import to_us
from jobs import parquet
from jobs.calendars import DAY, Times
from jobs.parquet import ParquetError
from jobs.sources.base import Request, SourceDownError
from jobs.sources.parts.growing import Known, Mark, StartAnewError
from jobs.sources.parts.table import Header, Layout, Rows, header_of, header_of_line, of_columns, parse
from jobs.sources.parts.textfile import Identity, TextFile, identity_of, is_parquet, opened, unreadable

CELLS = 750_000  # of a parquet file that are handled at once, about
LATE = 10  # intervals that a row may come later than others without having all read anew
CLOCK_CHANGE = timedelta(hours=6)  # away from it, no wall clock time means two moments
NOWHERE = sys.maxsize
PARQUET = "parquet"  # in place of a digest


@dataclass(frozen=True)
class Named:
    """A file, and the name of its series if it holds but one."""

    path: Path
    series: str


@dataclass
class Reading:
    """What one fetch reads."""

    files: Mapping[str, Named]
    layout: Layout
    zone: tzinfo | None  # of times without one; None where that is not known
    request: Request
    known: Known | None = None  # None: all is read
    marks: dict[str, Mark] = field(default_factory=dict)  # how far each file has been read
    identities: dict[str, Identity] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)  # rows that could not be made out, by what is wrong
    complaint: str = ""  # about the first of them
    failures: dict[str, str] = field(default_factory=dict)  # files of one series, among several, that cannot be used

    _first_open: int = NOWHERE  # where in the file at hand the first row begins that may still change

    def __post_init__(self) -> None:
        self.since = None if self.known is None else self.known.until  # what begins before has been brought
        self.until = max(_settled_until(self.request, self.zone), self.since or 0)  # what begins later comes again

    def rows(self) -> Iterator[Rows]:
        """The rows, some after the other. Raises SourceDownError; StartAnewError where what was known does not hold."""
        self.identities = {name: identity_of(file.path) for name, file in self.files.items()}
        marks = {} if self.known is None else self.known.marks
        resting = set() if self.known is None else self.known.at_rest(self.identities)
        for name, file in self.files.items():
            mark = marks.get(name)
            if name in resting:
                self.marks |= {} if mark is None else {name: mark}
                continue
            self._first_open = NOWHERE
            read = self._parquet if is_parquet(file.path) else self._text
            yield from read(name, file, mark)
            self.identities[name] = self.marks[name].identity

    def _text(self, name: str, file: Named, mark: Mark | None) -> Iterator[Rows]:
        with opened(file.path) as text:
            self.marks[name] = Mark(text.identity)
            first_line = text.first_line()
            complete = first_line.endswith(b"\n")
            if not first_line or not (complete or text.identity.is_quiet(self.request.now)):
                return
            header = self._header(file, lambda: header_of_line(first_line, self.layout, file.path))
            if header is None or not complete:
                return
            if mark is None or mark.end < len(first_line):
                mark = Mark(text.identity, len(first_line), len(first_line))
            changed = mark.identity != text.identity or mark.pending
            digest = _verified(text, mark) if changed else hashlib.blake2b()
            for start, data in text.blocks(mark.position, mark.end):
                yield self._old(parse(data, header, self.layout, file.series, start, 0))
            end, row, pending = mark.end, 2, False
            for start, data in text.blocks(end) if changed else ():
                pending = not data.endswith(b"\n") and not text.identity.is_quiet(self.request.now)
                if pending:
                    self.dropped["left for the next fetch, in a last line without its end"] += 1
                    break
                yield self._new(parse(data, header, self.layout, file.series, start, row), file)
                digest.update(data)
                end, row = start + len(data), row + data.count(b"\n")
            told = digest.hexdigest() if changed else mark.digest
            self.marks[name] = Mark(text.identity, min(self._first_open, end), end, told, pending)

    def _parquet(self, name: str, file: Named, mark: Mark | None) -> Iterator[Rows]:
        identity = identity_of(file.path)
        if mark is not None and mark.end and mark.identity != identity:
            raise StartAnewError
        self.marks[name] = Mark(identity)
        try:
            columns = parquet.columns(file.path)
            header = self._header(file, lambda: header_of(columns, self.layout, file.path))
            if header is None:
                return
            start, wanted = 0, [columns[place] for place in header.wanted]
            for frame in parquet.slices(file.path, wanted, max(1, CELLS // len(wanted))):
                frame.columns = pd.Index(header.wanted)
                rows = of_columns(frame, header, self.layout, file.series, start)
                yield self._old(rows) if mark is not None and mark.end else self._new(rows, file)
                start += len(frame)
        except ParquetError as error:
            raise unreadable(file.path, error) from error
        self.marks[name] = Mark(identity, min(self._first_open, start), start, PARQUET, pending=False)

    def _header(self, file: Named, read: Callable[[], Header]) -> Header | None:
        """What the file's columns hold; None where they cannot be used, and it is one of several."""
        try:
            return read()
        except SourceDownError as error:
            if len(self.files) == 1 or self.layout.wide:
                raise
            self.failures[file.series] = str(error)
            return None

    def _old(self, rows: Rows) -> Rows:
        """Of rows that have been read before those that may have had to wait."""
        rows, times = self._timed(rows)
        return rows if self.since is None else rows.where(times >= self.since)

    def _new(self, rows: Rows, file: Named) -> Rows:
        self.dropped.update(rows.dropped)
        if not self.complaint and rows.complaint:
            self.complaint = f"{file.path}, {rows.complaint}"
        rows, times = self._timed(rows)
        if self.since is not None:
            late = np.unique(rows.series[times < self.since])
            # Of a series that has no observations no interval has been brought.
            if any(rows.names[number] in self.request.newest for number in late.tolist()):
                raise StartAnewError
        return rows

    def _timed(self, rows: Rows) -> tuple[Rows, Times]:
        """The rows with their index in the zone that counts; and their times, as they are laid on the grid, µs."""
        index, zone = rows.index, self.zone
        if whole_days(self.request):
            zone = self.request.tz or zone
            index = index if index.tz is None or zone is None else index.tz_convert(zone)
            clock = index.tz_localize(None)
        elif index.tz is not None:
            clock = index = index.tz_convert("UTC")
        else:
            first = np.ones(len(index), np.bool_)
            clock = index if zone is None else index.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
        times = np.asarray(clock.asi8)
        self._first_open = int(rows.places[times >= self.until].min(initial=self._first_open))
        return replace(rows, index=index), times


def whole_days(request: Request) -> bool:
    """Whether the panel's times are dates."""
    return request.months > 0 or request.interval % DAY == timedelta(0)


def near_a_repeated_hour(moment: datetime, zone: tzinfo | None) -> bool:
    """Whether clocks are set back about then."""
    if zone is None:
        return False
    before, after = ((moment + shift).astimezone(zone).utcoffset() for shift in (-CLOCK_CHANGE, CLOCK_CHANGE))
    return before is not None and after is not None and before > after


def _settled_until(request: Request, zone: tzinfo | None) -> int:
    """Before which time rows are brought but once, µs: the start of an interval."""
    until = request.open_from
    if not request.months:
        until -= LATE * request.interval
    if not whole_days(request) and near_a_repeated_hour(until, zone):
        # Which of its two passes a time belongs to shows only from before that hour.
        until -= -(-2 * CLOCK_CHANGE // request.interval) * request.interval
    return to_us(until)


def _verified(text: TextFile, mark: Mark) -> "hashlib.blake2b":
    """The digest of what has been read of a file. Raises StartAnewError where that has changed since."""
    digest = text.digest(mark.end)
    if mark.digest and (digest.hexdigest() != mark.digest or not text.ends_a_line(mark.end)):
        raise StartAnewError
    return digest
