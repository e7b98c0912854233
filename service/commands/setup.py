"""The commands to begin with: `rollcast init` and `rollcast check`."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from db import engine, queries
from jobs.due import RUNS_LOOKED_AT, AfterClose, Job, Schedule, next_due, schedule_of
from jobs.panel import Panel
from jobs.secrets import hide
from service import durations
from service.commands.terminal import Config, UsageError, out, reading, settings_of, table_of
from service.daemon import utc_now
from service.settings import CONFIG_NAME, DEFAULT_FILE, Settings


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it.")] = Path(),
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
    option = "" if folder == Path() else f" --config {target}"
    then = f"rollcast check{option}; rollcast run{option}"
    out.print(escape(f"{target} and {samples} are written. Look it over, then: {then}"))


def check(config: Config = None) -> None:
    """Validate the configuration and tell what would run when."""
    settings = settings_of(config)
    told = "built in (rollcast init writes a file of your own)" if settings.file == DEFAULT_FILE else settings.file
    out.print(escape(f"configuration  {told}"))
    out.print(escape(f"database       {settings.database_url}"))
    out.print(f"API            http://{settings.api.host}:{settings.api.port}")
    table = table_of("panel", "source", "interval", "horizon", "fetch every", "next", "refit every", "next")
    now = utc_now()
    for panel in settings.build_panels():
        table.add_row(
            panel.name,
            escape(_source_told(panel)),
            durations.interval_told(panel.interval, panel.months),
            f"{panel.horizon} steps",
            _schedule_told(schedule_of(panel, "fetch")),
            _planned(settings, panel, "fetch", now),
            _schedule_told(schedule_of(panel, "refit")),
            _planned(settings, panel, "refit", now),
        )
    out.print(table)


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
    return "at start" if due <= now else f"in {durations.told(due - now)}"


def _source_told(panel: Panel) -> str:
    options = {
        name: value for name, value in vars(panel.source).items() if not name.startswith("_") and value is not None
    }
    kind = type(panel.source).__name__.removesuffix("Source").lower()
    first: Any = next(iter(options.values()), "")
    detail = ", ".join(first) if isinstance(first, list) else first.name if isinstance(first, Path) else str(first)
    return hide(f"{kind} {detail}".strip(), panel.secrets)
