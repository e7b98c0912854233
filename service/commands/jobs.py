"""The commands that do one job now, in their own process: `rollcast fetch`, `refit` and `forecast`."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import typer
from rich.markup import escape
from sqlalchemy.exc import DatabaseError

from db import engine
from db.engine import Sessions
from jobs.fetch import fetch as fetch_job
from jobs.fit import fit
from jobs.forecast import forecast as forecast_job
from jobs.panel import Panel
from jobs.refit import refit as refit_job
from jobs.runner import run
from service import daemon
from service.commands import sources
from service.commands.store import upgraded
from service.commands.terminal import (
    AnyPanel,
    Config,
    UsageError,
    coloured,
    err,
    out,
    panels_named,
    progress,
    settings_of,
)
from service.daemon import utc_now
from service.settings import Settings


def fetch(
    panel: AnyPanel = None,
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would bring; store nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --dry-run: print JSON, for programs.")] = False,
) -> None:
    """Fetch now, in this process; harmless beside a running daemon."""
    settings = settings_of(config)
    chosen = panels_named(settings, panel)
    if dry_run:
        raise typer.Exit(int(sources.dry_run(settings, chosen, json=json)))
    if json:
        raise UsageError(
            "--json tells what a fetch would bring, with --dry-run; of one that was made: rollcast runs list"
        )
    means = daemon.make_means(settings.data_dir, utc_now)

    def work(sessions: Sessions, each: Panel) -> object:
        with err.status(f"{each.name}: asking its source"):
            return fetch_job(sessions, each, utc_now, means)

    run_for(settings, "fetch", chosen, work)


def refit(panel: AnyPanel = None, config: Config = None) -> None:
    """Refit now, in this process; harmless beside a running daemon.

    What wins its refit serves from then on, unless the panel says promote = "manual".
    """

    settings = settings_of(config)

    def work(sessions: Sessions, each: Panel) -> object:
        with progress() as bar:
            task = bar.add_task(f"{each.name}: fitting", total=None)

            def tell(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            return refit_job(sessions, each, utc_now(), partial(fit, progress=tell))

    run_for(settings, "refit", panels_named(settings, panel), work)


def forecast(panel: AnyPanel = None, config: Config = None) -> None:
    """Issue the forecasts that the newest observations allow, if they were not issued before."""
    settings = settings_of(config)
    chosen = panels_named(settings, panel)
    run_for(settings, "forecast", chosen, lambda sessions, each: forecast_job(sessions, each, utc_now))


def run_for(settings: Settings, job: str, panels: Sequence[Panel], work: Callable[[Sessions, Panel], object]) -> None:
    """Run one job for some panels as the daemon would, and tell how it went. Raises Exit where one failed,
    DatabaseUnusableError where the database does not take its record.
    """
    logging.getLogger("rollcast").addHandler(logging.NullHandler())  # the line below says all that a person needs
    write_engine = upgraded(settings)
    sessions = engine.sessions(write_engine)
    failed = False
    try:
        for panel in panels:
            ended = run(sessions, utc_now, job, panel.name, partial(work, sessions, panel))
            if isinstance(ended.refusal, DatabaseError):
                raise engine.unusable(write_engine.url.database, ended.refusal)
            failed |= ended.outcome == "failed"
            out.print(f"{panel.name}  {coloured(ended.outcome)}  {escape(ended.reason)}")
    finally:
        write_engine.dispose()
    if failed:
        raise typer.Exit(1)
