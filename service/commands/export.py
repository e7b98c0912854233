"""The command `rollcast export`: what is stored as a table in the field's shape, a bounded number of rows at a time."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.markup import escape
from sqlalchemy.orm import Session

from db import export, queries
from db.schema import Series
from jobs import longfile
from jobs.longfile import LongFileError
from jobs.panel import Panel
from service import answers
from service.commands import completion
from service.commands.terminal import (
    Config,
    OfPanel,
    UsageError,
    err,
    panels_named,
    progress,
    reading,
    settings_of,
    writing_to,
)
from service.daemon import utc_now

STANDARD_OUTPUT = Path("-")
MICROSECONDS = 1_000_000  # in a second


class What(StrEnum):
    """What is exported."""

    OBSERVATIONS = "observations"
    FORECASTS = "forecasts"
    SCORES = "scores"


@dataclass(frozen=True)
class Asked:
    """What the table is to hold. dated: times as such, for parquet; else as text."""

    what: What
    as_of: datetime
    start: datetime | None
    end: datetime | None
    dated: bool


def command(
    series: Annotated[
        list[str] | None,
        typer.Argument(metavar="SERIES", help="The series; all of them if left out.", autocompletion=completion.series),
    ] = None,
    what: Annotated[
        What, typer.Option("--what", metavar="WHAT", help="observations, forecasts or scores.")
    ] = What.OBSERVATIONS,
    out_file: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="Where to: .csv, .csv.gz or .parquet; - is standard output."),
    ] = STANDARD_OUTPUT,
    panel: OfPanel = None,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="From this ds on, as in 2026-01-31.")] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Up to this ds, which is included.")] = None,
    as_of: Annotated[str | None, typer.Option(metavar="TIME", help="As it was known then; now if left out.")] = None,
    config: Config = None,
) -> None:
    """Write observations, forecasts or scores as a table: .csv, .csv.gz, .parquet, or CSV to standard output.

    observations: unique_id, ds, y. forecasts: unique_id, ds, cutoff, yhat, lo_80, hi_80 and so on; of several from one
    cutoff the one issued last. scores: likewise, of the steps whose truth is known, with y. Times without an offset are
    UTC, in the table and in the options.
    """
    asked = Asked(
        what,
        _moment("--as-of", as_of) or utc_now(),
        _moment("--start", start),
        _moment("--end", end),
        dated=out_file.name.endswith(".parquet"),
    )
    _check(out_file, asked)
    settings = settings_of(config)
    panels = {each.name: each for each in panels_named(settings, panel)}
    written = 0
    with reading(settings) as sessions, sessions() as session:
        chosen = _chosen(session, panels, series)
        with progress(quiet=out_file == STANDARD_OUTPUT and sys.stdout.isatty()) as bar:
            task = bar.add_task("exporting", total=len(chosen))

            def frames() -> Iterator[pd.DataFrame]:
                nonlocal written
                for frame, done in _frames(session, chosen, asked):
                    written += len(frame)
                    bar.update(task, completed=done, description=f"exporting, {written:,} rows")
                    yield frame

            _write(out_file, frames())
    if out_file != STANDARD_OUTPUT:
        err.print(escape(f"{out_file}: {written:,} rows of {len(chosen):,} series"))


def _write(out_file: Path, frames: Iterator[pd.DataFrame]) -> None:
    """Raises UsageError where the file cannot be written."""
    if out_file != STANDARD_OUTPUT:
        with writing_to(out_file):
            longfile.write(out_file, frames)
        return
    for number, frame in enumerate(frames):
        frame.to_csv(sys.stdout, index=False, header=number == 0, lineterminator="\n")


def _check(out_file: Path, asked: Asked) -> None:
    """Raise UsageError for what could not be done, before anything is read."""
    if asked.start is not None and asked.end is not None and asked.start > asked.end:
        raise UsageError(f"--start {asked.start:%Y-%m-%d %H:%M:%S}Z comes after --end {asked.end:%Y-%m-%d %H:%M:%S}Z")
    if out_file == STANDARD_OUTPUT:
        return
    try:
        longfile.suffix_of(out_file)
    except LongFileError as error:
        raise UsageError(f"--out {error}") from error
    if out_file.is_dir() or not out_file.absolute().parent.is_dir():
        wrong = "is a folder" if out_file.is_dir() else f"lies in {out_file.parent}, which is no folder"
        raise UsageError(f"--out {out_file} {wrong}; expected the name of a file to write")


def _chosen(session: Session, panels: dict[str, Panel], names: Sequence[str] | None) -> list[Series]:
    """The series to export, by panel and name. Raises UsageError where there is none of a name."""
    if not names:
        return [series for series in queries.all_series(session) if series.panel in panels]
    try:
        found = {series.id: series for series in (answers.find(session, panels, name) for name in names)}
    except answers.NoSeriesError as error:
        raise UsageError(f"{error}; {error.hint}") from error
    return sorted(found.values(), key=lambda series: (series.panel, series.name))


def _frames(session: Session, chosen: Sequence[Series], asked: Asked) -> Iterator[tuple[pd.DataFrame, int]]:
    """The table in parts, each beside how many series are done. The first is empty, and has the columns."""
    levels = [] if asked.what == What.OBSERVATIONS else export.levels(session, [series.id for series in chosen])
    columns = ["y"] if asked.what == What.OBSERVATIONS else ["cutoff", "yhat"]
    columns += [f"{side}_{level}" for level in levels for side in ("lo", "hi")]
    columns += ["y"] if asked.what == What.SCORES else []
    yield _frame("", [], columns, asked.dated), 0
    for done, series in enumerate(chosen):
        for rows in _rows(session, series, levels, asked):
            yield _frame(series.name, rows, columns, asked.dated), done


def _rows(session: Session, series: Series, levels: Sequence[int], asked: Asked) -> Iterator[export.Rows]:
    if asked.what == What.OBSERVATIONS:
        return export.observations(session, series.id, as_of=asked.as_of, start=asked.start, end=asked.end)
    return export.forecasts(
        session,
        series.id,
        as_of=asked.as_of,
        start=asked.start,
        end=asked.end,
        levels=levels,
        scored=asked.what == What.SCORES,
    )


def _frame(name: str, rows: export.Rows, columns: Sequence[str], dated: bool) -> pd.DataFrame:
    cells = list(zip(*rows, strict=True)) if rows else [()] * (1 + len(columns))
    table: dict[str, Any] = {"unique_id": pd.Series([name] * len(rows), dtype=object)}
    for column, values in zip(["ds", *columns], cells, strict=True):
        if column in ("ds", "cutoff"):
            table[column] = _times(np.array(values, dtype=np.int64), dated)
        else:
            table[column] = np.array(values, dtype=np.float64)
    return pd.DataFrame(table)


def _times(us: "np.ndarray[Any, np.dtype[np.int64]]", dated: bool) -> Any:
    """Times, or their text in ISO 8601 with Z; microseconds only where there are some."""
    times = us.view("datetime64[us]")
    if dated:
        return pd.DatetimeIndex(times, tz="UTC")
    if not (us % MICROSECONDS).any():
        return np.datetime_as_string(times.astype("datetime64[s]"), timezone="UTC").astype(object)
    return np.where(
        us % MICROSECONDS == 0,
        np.datetime_as_string(times.astype("datetime64[s]"), timezone="UTC"),
        np.datetime_as_string(times, timezone="UTC"),
    ).astype(object)


def _moment(option: str, text: str | None) -> datetime | None:
    """A time that was asked for. Raises UsageError."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text}: expected an ISO 8601 time, as in 2026-01-31 or 2026-01-31T12:30:00Z"
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
