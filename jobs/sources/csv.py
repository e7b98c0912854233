"""Series from a CSV file in the long format of the field: `unique_id, ds, y`. The file may grow, and be rewritten."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from jobs.longfile import BadRowError, times_of
from jobs.sources.base import Delivery, Request, SourceDownError


@dataclass
class CsvSource:
    """A CSV file. Without the id column it holds one series, named after the file. Naive times are in `tz`."""

    path: Path
    id_column: str = "unique_id"
    time_column: str = "ds"
    value_column: str = "y"
    tz: str = "UTC"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.tz)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"tz = {self.tz!r} is no time zone, as in Europe/Berlin or UTC") from error

    def fetch(self, request: Request) -> Delivery:  # noqa: ARG002  the whole file is read at every fetch
        """Read the file. A value that is no number comes as NaN; a time that is none is an error that names it."""
        frame = self._read()
        for column in (self.time_column, self.value_column):
            if column not in frame.columns:
                raise SourceDownError(
                    f"{self.path} has no column {column!r}; its columns are {', '.join(frame.columns)}"
                )
        times = self._times(frame[self.time_column])
        values = pd.Series(pd.to_numeric(frame[self.value_column], errors="coerce").to_numpy(dtype=float), index=times)
        if self.id_column not in frame.columns:
            return Delivery({self.path.stem: values})
        if frame[self.id_column].isna().any():
            row = int(frame[self.id_column].isna().to_numpy().argmax())
            raise SourceDownError(f"{self.path}, row {row + 2}: there is no {self.id_column}")
        names = frame[self.id_column].to_numpy()
        return Delivery({str(name): group for name, group in values.groupby(names)})

    def _read(self) -> pd.DataFrame:
        if not self.path.is_file():
            raise SourceDownError(f"there is no file {self.path}")
        try:
            return pd.read_csv(self.path, dtype={self.id_column: str, self.time_column: str})
        except (OSError, UnicodeDecodeError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
            raise SourceDownError(f"{self.path} cannot be read as CSV: {' '.join(str(error).split())}") from error

    def _times(self, column: "pd.Series[str]") -> pd.DatetimeIndex:
        try:
            index = times_of(column)
        except BadRowError as error:
            raise SourceDownError(f"{self.path}, row {error.row + 2}: {error}") from error
        if index.tz is not None:
            return index.tz_convert(self.tz)
        try:
            return index.tz_localize(self.tz)
        except ValueError as error:  # an hour that daylight saving doubles or skips
            raise SourceDownError(f"{self.path}: {error}; write such times with their offset") from error
