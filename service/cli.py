"""The command line. Answers go to standard output; logs, progress and complaints to standard error.

Exit codes: 0 done, 1 a job failed, 2 something in the call or the configuration is wrong.
"""

import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress as ProgressBar

from db import engine, queries
from db.engine import DatabaseUnusableError, Sessions
from jobs.drift import REASON as DRIFT
from jobs.due import RUNS_LOOKED_AT, AfterClose, Job, Schedule, next_due, schedule_of
from jobs.fetch import fetch as fetch_job
from jobs.fit import fit
from jobs.forecast import forecast as forecast_job
from jobs.panel import Panel
from jobs.refit import refit as refit_job
from jobs.runner import run as run_job
from jobs.secrets import hide
from service import answers, daemon, durations
from service.commands import backtest, champions, scores, sources
from service.commands.terminal import (
    Config,
    Json,
    UsageError,
    asked_of,
    err,
    number_told,
    out,
    panels_named,
    reading,
    settings_of,
    table_of,
    time_told,
)
from service.complaints import SettingsError
from service.daemon import utc_now
from service.settings import CONFIG_NAME, DEFAULT_FILE, Settings
from service.shapes import SeriesAnswer

app = typer.Typer(
    help="A forecasting daemon that keeps score of itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

STATUS_COLOURS = {"fresh": "green", "stale": "yellow", "source_down": "red", "expired": "red", "failed": "red"}

PanelName = Annotated[str | None, typer.Argument(metavar="[PANEL]", help="One panel; all of them if left out.")]


def main() -> None:
    """Run the command line; what the user can mend is told in one line."""
    try:
        app()
    except (SettingsError, DatabaseUnusableError, daemon.StartError, UsageError, OSError) as error:
        told = " ".join(str(error).split())
        print(f"rollcast: {told}", file=sys.stderr)  # noqa: T201  plain, however wide: one line
        sys.exit(2)


class HidingFormatter(logging.Formatter):
    """Log lines, tracebacks included, without secrets."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(asctime)s  %(message)s", "%H:%M:%S")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line that is written."""
        return hide(super().format(record), self._secrets)


@app.command()
def run(config: Config = None) -> None:
    """Run the daemon in the foreground, until Ctrl-C."""
    settings = settings_of(config)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(HidingFormatter([s for panel in settings.build_panels() for s in panel.secrets]))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    for name, level in {
        "apscheduler": "WARNING",
        "httpx2": "WARNING",
        "uvicorn": "WARNING",
        "alembic": "WARNING",
        "yfinance": "CRITICAL",
    }.items():
        logging.getLogger(name).setLevel(level)  # what matters of theirs stands in our own lines
    daemon.run(settings, utc_now)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented configuration file to start from, and the sample data that it uses."""
    target = folder / CONFIG_NAME
    if target.exists() and not force:
        raise UsageError(f"{target} is there already; --force overwrites it")
    samples = folder / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    for sample in (DEFAULT_FILE.parent / "samples").iterdir():
        shutil.copy(sample, samples / sample.name)
    shutil.copy(DEFAULT_FILE, target)
    out.print(f"{target} and {samples} are written. Look it over, then: rollcast check; rollcast run")


@app.command()
def check(config: Config = None) -> None:
    """Validate the configuration and tell what would run when."""
    settings = settings_of(config)
    built_in = settings.file == DEFAULT_FILE
    out.print(f"configuration  {'built in (rollcast init writes a file of your own)' if built_in else settings.file}")
    out.print(f"database       {settings.database_url}")
    out.print(f"API            http://{settings.api.host}:{settings.api.port}")
    table = table_of("panel", "source", "interval", "horizon", "fetch every", "next", "refit every", "next")
    now = utc_now()
    for panel in settings.build_panels():
        table.add_row(
            panel.name,
            _source_told(panel),
            durations.interval_told(panel.interval, panel.months),
            f"{panel.horizon} steps",
            _schedule_told(schedule_of(panel, "fetch")),
            _planned(settings, panel, "fetch", now),
            _schedule_told(schedule_of(panel, "refit")),
            _planned(settings, panel, "refit", now),
        )
    out.print(table)


@app.command()
def status(config: Config = None, json: Json = False) -> None:
    """A line a series: its last value, age, state, next forecast, live error against the naive, next refit."""
    settings = settings_of(config)
    panels = settings.build_panels()
    now = utc_now()
    with reading(settings) as sessions, sessions() as session:
        found = answers.all_series(session, {panel.name: panel for panel in panels}, now)
        if json:
            sys.stdout.write(answers.to_json({"series": found}).decode() + "\n")
            return
        table = table_of("series", "value", "age", "status", "forecast", "vs naive", "refit")
        reasons: dict[tuple[str, str], list[str]] = {}
        for panel in panels:
            table.add_row(f"[bold]{panel.name}[/]")
            lines = [series for series in found if series.panel == panel.name]
            for series in lines:
                table.add_row(*_status_cells(series, now))
                if series.status != "fresh":
                    reasons.setdefault((series.status, series.reason), []).append(series.name)
            if not lines:
                runs = queries.newest_runs(session, panel.name, "fetch", 1)
                word, reason = (
                    (runs[0].outcome, runs[0].reason) if runs else ("not fetched", "the first fetch comes at start")
                )
                reasons.setdefault((word, reason), []).append(panel.name)
    out.print(table)
    for (word, reason), names in reasons.items():
        out.print(f"[{_colour(word)}]{word}[/]  {', '.join(names)}: {escape(reason)}")
    for name, refit in {series.panel: series.last_refit for series in found}.items():
        if refit is not None and refit.reason.startswith(DRIFT):
            out.print(f"refit  {name}: {escape(refit.reason)}")
    if not daemon.is_running(settings.data_dir):
        err.print(f"No daemon is running on {settings.data_dir}; rollcast run starts one.")


@app.command()
def latest(series: str, config: Config = None, json: Json = False) -> None:
    """The latest forecast of a series."""
    answer = asked_of(config, lambda session, panels: answers.latest(session, panels, series, utc_now()))
    if json:
        sys.stdout.write(answers.to_json(answer).decode() + "\n")
        return
    out.print(f"{escape(answer.series)}  [{_colour(answer.status)}]{answer.status}[/]: {escape(answer.reason)}")
    if answer.issued_at is None or answer.cutoff is None:
        return
    issued, cutoff = time_told(answer.issued_at), time_told(answer.cutoff)
    out.print(f"issued {issued} by {answer.model} v{answer.model_version}, cutoff {cutoff}")
    levels = list(answer.steps[0].intervals)
    table = table_of("step", "target", "mean", *(f"{level} %" for level in levels), "naive")
    for step in answer.steps:
        bounds = (
            f"{number_told(step.intervals[level][0])} … {number_told(step.intervals[level][1])}" for level in levels
        )
        table.add_row(
            str(step.step), time_told(step.target_ts), number_told(step.mean), *bounds, number_told(step.naive)
        )
    out.print(table)


@app.command()
def fetch(
    panel: PanelName = None,
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would bring; store nothing.")] = False,
) -> None:
    """Fetch now, in this process; harmless beside a running daemon."""
    settings = settings_of(config)
    if dry_run:
        would_fail = [sources.dry_run(settings, chosen) for chosen in panels_named(settings, panel)]
        raise typer.Exit(int(any(would_fail)))
    means = daemon.make_means(settings.data_dir, utc_now)

    def work(sessions: Sessions, chosen: Panel) -> object:
        with err.status(f"{chosen.name}: asking its source"):
            return fetch_job(sessions, chosen, utc_now, means)

    _run_jobs(settings, "fetch", panel, work)


@app.command()
def refit(panel: PanelName = None, config: Config = None) -> None:
    """Refit now, in this process; harmless beside a running daemon."""

    def work(sessions: Sessions, chosen: Panel) -> object:
        with ProgressBar(console=err, transient=True) as bar:
            task = bar.add_task(f"{chosen.name}: fitting", total=None)

            def progress(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            return refit_job(sessions, chosen, utc_now(), partial(fit, progress=progress))

    _run_jobs(settings_of(config), "refit", panel, work)


@app.command()
def forecast(panel: PanelName = None, config: Config = None) -> None:
    """Issue the forecasts that the newest observations allow, if they were not issued before."""
    _run_jobs(settings_of(config), "forecast", panel, lambda sessions, chosen: forecast_job(sessions, chosen, utc_now))


app.command(name="sources")(sources.command)
app.command(name="scores")(scores.command)
app.command(name="models")(champions.models_command)
app.command(name="promote")(champions.promote_command)
app.command(name="rollback")(champions.rollback_command)
app.command(name="backtest")(backtest.command)


def _run_jobs(settings: Settings, job: str, name: str | None, work: Callable[[Sessions, Panel], object]) -> None:
    """Run one job for the chosen panels as the daemon would, and tell how it went."""
    chosen = panels_named(settings, name)
    logging.getLogger("rollcast").addHandler(logging.NullHandler())  # the line below says all that a person needs
    write_engine = engine.writer(settings.database_url)
    engine.migrate(write_engine)
    sessions = engine.sessions(write_engine)
    failed = False
    for panel in chosen:
        ended = run_job(sessions, utc_now, job, panel.name, partial(work, sessions, panel))
        failed |= ended.outcome == "failed"
        out.print(f"{panel.name}  [{_colour(ended.outcome)}]{ended.outcome}[/]  {escape(ended.reason)}")
    if failed:
        raise typer.Exit(1)


def _schedule_told(schedule: Schedule) -> str:
    if isinstance(schedule, AfterClose):
        return f"{durations.told(schedule.delay)} after close"
    return durations.told(schedule.period)


def _planned(settings: Settings, panel: Panel, job: Job, now: datetime) -> str:
    """When a job is due next, for people."""
    if not engine.sqlite_path(settings.database_url).exists():
        return "at start" if job == "fetch" else "once there are data"
    with reading(settings) as sessions, sessions() as session:
        runs = queries.newest_runs(session, panel.name, job, RUNS_LOOKED_AT)
    if not runs and job == "refit":
        return "once there are data"
    due = next_due(runs, schedule_of(panel, job), now)
    return "at start" if due <= now else _until(due, now)


def _source_told(panel: Panel) -> str:
    options = {
        name: value for name, value in vars(panel.source).items() if not name.startswith("_") and value is not None
    }
    kind = type(panel.source).__name__.removesuffix("Source").lower()
    first: Any = next(iter(options.values()), "")
    detail = ", ".join(first) if isinstance(first, list) else first.name if isinstance(first, Path) else str(first)
    return hide(f"{kind} {detail}".strip(), panel.secrets)


def _status_cells(series: SeriesAnswer, now: datetime) -> list[str]:
    score, step = series.score_7d, series.next
    return [
        f"  {escape(series.name)}",
        "–" if series.newest is None else number_told(series.newest.value),
        "–" if series.data_age_s is None else durations.told(timedelta(seconds=series.data_age_s)),
        f"[{_colour(series.status)}]{series.status}[/]",
        "–" if step is None else number_told(step.mean),
        "–" if score.skill is None else f"{1 - score.skill:.2f}",
        "–" if series.next_refit is None else _until(series.next_refit, now),
    ]


def _until(due: datetime, now: datetime) -> str:
    return "now" if due <= now else f"in {durations.told(due - now)}"


def _colour(status: str) -> str:
    return STATUS_COLOURS.get(status, "cyan")
