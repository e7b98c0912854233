"""The commands to begin with: `rollcast init` and `rollcast check`."""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape

from db import engine, queries
from db.schema import Run
from jobs.due import RUNS_LOOKED_AT, AfterClose, Job, Schedule, next_due, schedule_of
from jobs.panel import Panel
from jobs.secrets import hide
from service import durations
from service.commands.tables import Table
from service.commands.terminal import (
    Config,
    Json,
    UsageError,
    err,
    is_there,
    out,
    print_json,
    reading,
    settings_of,
)
from service.daemon import utc_now
from service.exposure import token_of
from service.settings import CONFIG_NAME, DEFAULT_FILE, Settings

JOBS: tuple[Job, Job] = ("fetch", "refit")


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented configuration file to start from, and the sample data that it uses."""
    target = folder / CONFIG_NAME
    if target.exists() and not force:
        raise UsageError(f"{target} is there already; --force overwrites it")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder; expected one to write into")
    samples = folder / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    for sample in (DEFAULT_FILE.parent / "samples").iterdir():
        shutil.copy(sample, samples / sample.name)
    shutil.copy(DEFAULT_FILE, target)
    option = "" if folder == Path() else f" --config {target}"
    then = f"rollcast check{option}; rollcast run{option}"
    out.print(escape(f"{target} and {samples} are written. Look it over, then: {then}"))


class PanelPlan(msgspec.Struct):
    """A panel, how often its jobs run, and when next: at start where that has passed; None before there are data."""

    name: str
    source: str
    interval: str
    horizon: int
    fetch_every: str
    next_fetch: datetime
    refit_every: str
    next_refit: datetime | None


def check(config: Config = None, json: Json = False) -> None:
    """Validate the configuration and tell what would run when."""
    settings = settings_of(config)
    token_of(settings.api)
    now = utc_now()
    plans = _plans(settings, now)
    api = f"http://{settings.api.host}:{settings.api.port}"
    if json:
        file = None if settings.file == DEFAULT_FILE else str(settings.file)
        print_json({"configuration": file, "database": settings.database_url, "api": api, "panels": plans})
        _tell_missing(settings)
        return
    told = "built in (rollcast init writes a file of your own)" if settings.file == DEFAULT_FILE else settings.file
    out.print(escape(f"configuration  {told}"))
    out.print(escape(f"database       {settings.database_url}"))
    out.print(escape(f"API            {api}"))
    table = Table("panel", "interval", "horizon", "fetch every", "next", "refit every", "next", "source")
    for plan in plans:
        table.add_row(
            plan.name,
            plan.interval,
            f"{plan.horizon} steps",
            plan.fetch_every,
            _due_told(plan.next_fetch, now),
            plan.refit_every,
            _due_told(plan.next_refit, now),
            escape(plan.source),
        )
    table.print()
    _tell_missing(settings)


def _tell_missing(settings: Settings) -> None:
    """Which panels read files that are not there: they may be yet to come."""
    for panel in settings.build_panels():
        missing = getattr(panel.source, "missing", None)  # of a source of files
        told = None if missing is None else missing()
        if told is not None:
            err.print(f"[yellow]look[/]  {panel.name}: {escape(told)}; until then its fetches fail")


def _plans(settings: Settings, now: datetime) -> list[PanelPlan]:
    panels = settings.build_panels()
    if not is_there(engine.sqlite_path(settings.database_url)):
        return [_plan(panel, now, [], []) for panel in panels]
    with reading(settings) as sessions, sessions() as session:
        return [
            _plan(panel, now, *(queries.newest_runs(session, panel.name, job, RUNS_LOOKED_AT) for job in JOBS))
            for panel in panels
        ]


def _plan(panel: Panel, now: datetime, fetches: Sequence[Run], refits: Sequence[Run]) -> PanelPlan:
    fetching, refitting = (schedule_of(panel, job) for job in JOBS)
    return PanelPlan(
        name=panel.name,
        source=_source_told(panel),
        interval=durations.interval_told(panel.interval, panel.months),
        horizon=panel.horizon,
        fetch_every=_schedule_told(fetching),
        next_fetch=next_due(fetches, fetching, now),
        refit_every=_schedule_told(refitting),
        next_refit=next_due(refits, refitting, now) if refits else None,
    )


def _schedule_told(schedule: Schedule) -> str:
    if isinstance(schedule, AfterClose):
        return f"{durations.told(schedule.delay)} after close"
    return durations.told(schedule.period)


def _due_told(due: datetime | None, now: datetime) -> str:
    """When a job is due, for people."""
    if due is None:
        return "once there are data"
    return "at start" if due <= now else f"in {durations.told(due - now)}"


def _source_told(panel: Panel) -> str:
    options = {
        name: value for name, value in vars(panel.source).items() if not name.startswith("_") and value is not None
    }
    kind = type(panel.source).__name__.removesuffix("Source").lower()
    first: Any = next(iter(options.values()), "")
    detail = ", ".join(first) if isinstance(first, list) else first.name if isinstance(first, Path) else str(first)
    return hide(f"{kind} {detail}".strip(), panel.secrets)
