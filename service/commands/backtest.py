"""The command `rollcast backtest`: how would these forecasts have done? Reads a file or a panel, replays it, tells.

The work is done in `jobs.backtest` and measured in `jobs.summary`. Here are the options and what they mean together,
the metrics as JSON, and the table.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape

from jobs import backtest, frequencies, longfile, revisions, summary
from jobs.backtest import BacktestError, History, Replayed, Tell
from jobs.fit import fit
from jobs.frequencies import Frequency
from jobs.longfile import USUAL, Columns, LongFile, LongFileError, NoColumnError
from jobs.refit import Asked
from jobs.revisions import PanelHistory
from jobs.rows import RowHistory
from jobs.summary import Measures, Summary
from service import durations
from service.commands import completion
from service.commands.tables import Table
from service.commands.terminal import (
    Config,
    UsageError,
    err,
    out,
    panel_named,
    progress,
    reading,
    settings_of,
    writing_to,
)

LEVELS = (80, 95)
LONGEST = {"horizon": 10_000, "season": 1_000_000_000}
FREQUENCY = "1h, 30min, 1d, B, W, MS, QS, YS"


@dataclass(frozen=True)
class Question:
    """What is to be replayed: a history, and how its steps are called."""

    history: History
    interval: str | None
    pairs: int  # of a series and a cutoff, that were asked for
    lacking: str  # why some of them cannot be forecast
    dated: bool  # whether its times are times
    refit_every: int | timedelta  # unless told how often


def command(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Rows of unique_id, ds, y: .csv, .csv.gz or .parquet.")
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(help=f"From one row to the next: {FREQUENCY}; 5m are minutes.", show_default="read from ds"),
    ] = None,
    season: Annotated[
        int | None,
        typer.Option(help="Steps of a season, for MASE and the yardsticks.", show_default="the interval's shortest"),
    ] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast from each cutoff.")] = None,
    cutoffs: Annotated[int, typer.Option(help="How many; the newest lies one horizon before each series' end.")] = 1,
    stride: Annotated[int, typer.Option(help="Steps from one cutoff to the next.")] = 1,
    refit_every: Annotated[
        str | None,
        typer.Option(
            help="How many cutoffs, or how much time, from refit to refit.",
            show_default="about 12 refits, or as the panel",
        ),
    ] = None,
    level: Annotated[
        list[int] | None, typer.Option(help="Of the intervals, in percent; can be repeated.", show_default="80 and 95")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of all randomness.", show_default="0")] = None,
    id_column: Annotated[
        str | None, typer.Option(help="Of FILE: the names of its series.", show_default="unique_id, or one series")
    ] = None,
    time_column: Annotated[str | None, typer.Option(help="Of FILE: the times.", show_default="ds")] = None,
    value_column: Annotated[str | None, typer.Option(help="Of FILE: the values.", show_default="y")] = None,
    panel: Annotated[
        str | None,
        typer.Option(
            help="Instead of a file, replay what is stored of this panel, as it was known then.",
            autocompletion=completion.panels,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON, for programs.")] = False,
    metrics_file: Annotated[
        Path | None, typer.Option("--metrics", metavar="FILE", help="Write the metrics to this file, as JSON.")
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write all forecasts: .csv, .csv.gz or .parquet."),
    ] = None,
    config: Config = None,
) -> None:
    """Replay history: forecast at past cutoffs as live would have done, and score it as M4 does.

    A row of a file is a step. With --panel, interval, horizon, levels, refits, train window and seed are the panel's.
    """
    _check_numbers(horizon=horizon, cutoffs=cutoffs, stride=stride, season=season)
    if seed is not None and seed < 0:
        raise UsageError(f"--seed {seed}: expected a whole number, at least 0")
    with _mendable():
        _check_targets(file, metrics_file, out_file)
        every = None if refit_every is None else _refit_every(refit_every)
        if panel is None:
            columns = Columns(id_column or USUAL.id, time_column or USUAL.time, value_column or USUAL.value)
            asked = _Options(columns, interval, season, horizon, level, seed)
            question = _of_file(file, asked, cutoffs, stride)
        else:
            options = {
                "--interval": interval,
                "--horizon": horizon,
                "--season": season,
                "--level": level,
                "--seed": seed,
            }
            names = {"--id-column": id_column, "--time-column": time_column, "--value-column": value_column}
            _refuse(panel, {"FILE": file, **options, **names})
            question = _of_panel(panel, config, cutoffs, stride)
        if isinstance(every, timedelta) and not question.dated:
            raise UsageError(f"--refit-every {refit_every}: ds are no times; expected a number of cutoffs, as in 10")
        _run(question, every or question.refit_every, metrics_file, out_file, json=json)


@dataclass(frozen=True)
class _Options:
    """What is asked of a file; None where nothing was said."""

    columns: Columns
    interval: str | None
    season: int | None
    horizon: int | None
    levels: list[int] | None
    seed: int | None


def _run(
    question: Question, every: int | timedelta, metrics_file: Path | None, forecasts: Path | None, *, json: bool
) -> None:
    """Replay, measure, write, tell."""
    with _progress() as (tell, fitting):
        replayed = backtest.replay(question.history, every, fit=partial(fit, progress=fitting), tell=tell)
        found = summary.summarise(question.history, replayed, tell)
        if forecasts is not None:
            tell("writing", 0, 1)
            with writing_to(forecasts):
                longfile.write(forecasts, backtest.frames(question.history, replayed))
    told = msgspec.json.format(msgspec.json.encode(metrics(question, replayed, found)), indent=2)
    if metrics_file is not None:
        with writing_to(metrics_file):
            metrics_file.write_bytes(told + b"\n")
    _tell_left_out(question, replayed, found)
    if json:
        out.print(told.decode(), markup=False)
    else:
        _table(found, question.history.asked.levels).print()
        out.print(escape(_line(question, replayed, found, every)))
    for what, path in (("metrics", metrics_file), ("forecasts", forecasts)):
        if path is not None:
            (err if json else out).print(escape(f"{what} in {path}"))


def metrics(question: Question, replayed: Replayed, found: Summary) -> dict[str, Any]:
    """What a program wants to know, as JSON can hold it. A mean over nothing is NaN here, and null there."""
    history = question.history
    return {
        **_figures(found.measures[summary.MODEL]),
        "seconds": round(replayed.seconds, 3),
        **{name: _figures(measures) for name, measures in found.measures.items()},
        "kinds": replayed.kinds,
        "fits": len(replayed.refits),
        "promoted": sum(refit.fitted.accepted for refit in replayed.refits),
        "drift_refits": replayed.drift_refits,
        "series": found.series,
        "cutoffs": found.cutoffs,
        "forecasts": replayed.forecasts,
        "scored": found.scored,
        "left_out": found.left_out,
        "not_forecast": question.pairs - replayed.forecasts,
        "horizon": history.asked.horizon,
        "season": history.season,
        "interval": question.interval,
        "seed": history.asked.seed,
    }


def _figures(measures: Measures) -> dict[str, Any]:
    return {
        "smape": measures.smape,
        "mase": measures.mase,
        "owa": measures.owa,
        "msis": {str(level): value for level, value in measures.msis.items()},
        "coverage": {str(level): value for level, value in measures.coverage.items()},
    }


def _of_file(path: Path | None, options: _Options, cutoffs: int, stride: int) -> Question:
    """The history that a file holds. Raises UsageError, LongFileError, BacktestError."""
    if path is None:
        raise UsageError("expected a FILE to read, or --panel NAME to replay a panel of the configuration")
    if options.horizon is None:
        raise UsageError("--horizon is missing; expected the number of steps to forecast, as in --horizon 24")
    frequency = None if options.interval is None else _frequency("--interval", options.interval)
    file = longfile.read(path, options.columns)
    if frequency is None and file.dated:
        frequency = frequencies.infer(rows.times for rows in file.series.values())
    seasons = set(() if frequency is None else frequency.seasons)
    season = options.season or min(seasons, default=1)
    asked = Asked(
        name=path.name,
        horizon=options.horizon,
        levels=_levels(options.levels or LEVELS),
        seed=options.seed or 0,
    )
    seasons |= {season} - {1}
    history = RowHistory(file, asked, cutoffs=cutoffs, stride=stride, seasons=sorted(seasons), season=season)
    _tell_rows(file, options.columns)
    interval = options.interval or (None if frequency is None else frequency.name)
    pairs, every = cutoffs * len(file.series), backtest.usual_refits(len(history))
    return Question(history, interval, pairs, "too little history", file.dated, every)


def _tell_rows(file: LongFile, columns: Columns) -> None:
    """Which rows of a file are left out."""
    if file.dropped:
        err.print(escape(f"{file.path}: left out {_counted(file.dropped, 'row')} without a value in {columns.value}"))
    if len(file.repeated):
        name, time = file.named(int(file.repeated[0]))
        rows = _counted(len(file.repeated), "row")
        told = f"left out {rows} with a later row of the same series and time, the first of {name} at {time}"
        err.print(escape(f"{file.path}: {told}"))


def _of_panel(name: str, config: Path | None, cutoffs: int, stride: int) -> Question:
    """The stored history of a configured panel. Raises UsageError, SettingsError, BacktestError."""
    settings = settings_of(config)
    panel = panel_named(settings, name)
    with reading(settings) as sessions, sessions() as session:
        series = revisions.read(session, panel)
    if not series:
        raise UsageError(f"panel {name} has no observations yet; rollcast fetch {name} brings them")
    history = PanelHistory(panel, series, cutoffs=cutoffs, stride=stride)
    lacking = "too little history, or no new value since the cutoff before"
    interval = frequencies.alias(panel.interval)
    return Question(history, interval, cutoffs * len(series), lacking, dated=True, refit_every=panel.refit_every)


def _refuse(panel: str, given: Mapping[str, object]) -> None:
    """Raise UsageError for what a panel's configuration says already."""
    for option, value in given.items():
        if value is not None:
            raise UsageError(f"{option} cannot go with --panel: the configuration of {panel} says it; leave one out")


def _check_numbers(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise UsageError(f"--{name} {number}: expected a whole number, at least 1")
    for name, longest in LONGEST.items():
        if (numbers[name] or 0) > longest:
            raise UsageError(f"--{name} {numbers[name]}: expected at most {longest:,} steps")


def _levels(levels: Sequence[int]) -> tuple[int, ...]:
    for level in levels:
        if not 1 <= level <= 99:
            raise UsageError(f"--level {level}: expected percent, from 1 to 99, as in --level 80 --level 95")
    return tuple(sorted(set(levels)))


def _check_targets(file: Path | None, metrics_file: Path | None, forecasts: Path | None) -> None:
    """Tell before hours of work, not after, that its results cannot be written, or would be written over its data."""
    taken = {} if file is None else {file.resolve(): "is the file to read"}
    for option, path in (("--metrics", metrics_file), ("--out", forecasts)):
        if path is None:
            continue
        folder = path.absolute().parent
        if path.is_dir():
            wrong = "is a folder"
        elif not folder.is_dir():
            wrong = f"lies in {path.parent}, which is no folder"
        elif not os.access(path if option == "--metrics" and path.exists() else folder, os.W_OK):
            wrong = "cannot be written"
        else:
            wrong = taken.get(path.resolve(), "")
        if wrong:
            raise UsageError(f"{option} {path} {wrong}; expected the name of a file to write")
        taken[path.resolve()] = f"is what {option} writes"
    if forecasts is not None:
        longfile.suffix_of(forecasts)


def _frequency(option: str, text: str) -> Frequency:
    """The frequency in this project's own words, as 5m for five minutes, or in pandas'. Raises UsageError."""
    try:
        return frequencies.fixed(text, durations.parse(text))
    except ValueError:
        pass
    try:
        return frequencies.parse(text)
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from error


def _refit_every(text: str) -> int | timedelta:
    if not text.isdecimal():
        return _frequency("--refit-every", text).span
    if int(text) < 1:
        raise UsageError(f"--refit-every {text}: expected at least 1 cutoff, or a time as in 7d")
    return int(text)


@contextmanager
def _mendable() -> Iterator[None]:
    """What the user can mend, as the command line tells it."""
    try:
        yield
    except NoColumnError as error:
        raise UsageError(f"{error}; --id-column, --time-column and --value-column tell what they are called") from error
    except (LongFileError, BacktestError) as error:
        raise UsageError(str(error)) from error


@contextmanager
def _progress() -> Iterator[tuple[Tell, Callable[[int, int], None]]]:
    """Two lines, what is being done and how far a fit is."""
    with progress() as bar:
        work = bar.add_task("reading", total=None)
        steps = bar.add_task("steps", total=None, visible=False)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(work, description=what, completed=done, total=total)
            bar.update(steps, visible=what == "fitting", completed=0, total=None)

        def fitting(done: int, total: int) -> None:
            bar.update(steps, completed=done, total=total)

        yield tell, fitting


def _tell_left_out(question: Question, replayed: Replayed, found: Summary) -> None:
    season = question.history.season
    missing = question.pairs - replayed.forecasts
    if missing:
        err.print(f"{missing:,} of {question.pairs:,} pairs of a series and a cutoff are left out: {question.lacking}")
    if replayed.unfitted:
        err.print(
            f"{_counted(len(replayed.unfitted), 'refit')} could not be done, the last one for: {replayed.unfitted[-1]}"
        )
    if found.left_out:
        err.print(
            f"{found.left_out:,} of {found.scored:,} pairs are left out of MASE, MSIS and OWA: their history is"
            f" the same season after season, or no longer than one ({_counted(season, 'step')})"
        )


def _table(found: Summary, levels: Sequence[int]) -> Table:
    widest = levels[-1]
    table = Table("forecast by", "sMAPE", "MASE", "OWA", f"MSIS {widest}", *(f"coverage {level}" for level in levels))
    for name, measures in found.measures.items():
        figures = [measures.smape, measures.mase, measures.owa, measures.msis[widest], *measures.coverage.values()]
        table.add_row(name.replace("_", " "), *(_number(figure) for figure in figures))
    return table


def _number(figure: float) -> str:
    return "–" if math.isnan(figure) else f"{figure:,.3f}"


def _line(question: Question, replayed: Replayed, found: Summary, every: int | timedelta) -> str:
    """What was fitted and forecast, and how long it took, in one line."""
    asked, fits = question.history.asked, len(replayed.refits)
    rejected = fits - sum(refit.fitted.accepted for refit in replayed.refits)
    told = [", ".join(f"{kind} {count}" for kind, count in replayed.kinds.items())]
    told += [f"{rejected} rejected"] if rejected else []
    told += [f"{replayed.drift_refits} forced by drift"] if replayed.drift_refits else []
    if isinstance(every, timedelta):
        often = f" every {durations.told(every)}"
    else:
        often = "" if found.cutoffs == 1 else " at every cutoff" if every == 1 else f" every {every} cutoffs"
    pairs, cutoffs = _counted(replayed.forecasts, "forecast"), _counted(found.cutoffs, "cutoff")
    return (
        f"{_counted(fits, 'fit')}{often} ({'; '.join(told)}), {pairs} of"
        f" {found.series:,} series at {cutoffs}, horizon {asked.horizon}, season {question.history.season}, interval"
        f" {question.interval or 'unknown'}; {replayed.seconds:.1f} s"
    )


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
