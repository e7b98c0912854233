"""The commands `rollcast runs list` and `rollcast runs show`: what the jobs did, when, how it ended, and why."""

from datetime import timedelta
from typing import Annotated, Literal, get_args

import typer
from rich.markup import escape

from db import queries
from service import answers, durations
from service.commands.tables import Table
from service.commands.terminal import (
    Config,
    Json,
    OfPanel,
    UsageError,
    coloured,
    err,
    out,
    panel_named,
    print_json,
    reading,
    settings_of,
    time_told,
)
from service.shapes import RunAnswer

Job = Literal["fetch", "score", "refit", "forecast", "prune"]
Outcome = Literal["running", "ok", "waiting", "failed", "interrupted"]
MOST = 100_000
LARGEST_ID = 2**63 - 1  # that SQLite can hold


def _listed(words: object) -> str:
    *others, last = get_args(words)
    return f"{', '.join(others)} or {last}"


def list_runs(
    panel: OfPanel = None,
    job: Annotated[Job | None, typer.Option("--job", metavar="JOB", help=f"Of this job only: {_listed(Job)}.")] = None,
    outcome: Annotated[
        Outcome | None,
        typer.Option("--outcome", metavar="OUTCOME", help=f"That ended like this only: {_listed(Outcome)}."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="How many at most.", min=1, max=MOST)] = 20,
    config: Config = None,
    json: Json = False,
) -> None:
    """The newest runs of the jobs, newest first: how each ended, and why.

    A run that had nothing to do leaves no record. One that waits came too early: there are too few observations yet.
    """
    settings = settings_of(config)
    name = None if panel is None else panel_named(settings, panel).name
    with reading(settings) as sessions, sessions() as session:
        found, more = answers.runs(session, panel=name, job=job, outcome=outcome, limit=limit)
    if json:
        print_json({"runs": found})
        return
    if not found:
        asked = " like that" if name or job or outcome else ""
        err.print(f"There is no run{asked} on record; the daemon keeps one of each job that had something to do.")
        return
    table = Table("id", "panel", "job", "started", "took", "outcome", "reason")
    for run in found:
        table.add_row(
            str(run.id),
            run.panel,
            run.job,
            time_told(run.started),
            _took(run),
            coloured(run.outcome),
            escape(run.reason),
        )
    table.print()
    if more is not None:
        err.print(f"The newest {limit:,} are shown; --limit tells more.")


def show(
    run: Annotated[
        int,
        typer.Argument(
            metavar="ID", help="The number of the run, as rollcast runs list tells it.", min=1, max=LARGEST_ID
        ),
    ],
    config: Config = None,
    json: Json = False,
) -> None:
    """All that is known of one run."""
    with reading(settings_of(config)) as sessions, sessions() as session:
        row = queries.find_run(session, run)
    if row is None:
        raise UsageError(f"there is no run {run} on record; rollcast runs list tells which there are")
    found = answers.run_answer(row)
    if json:
        print_json(found)
        return
    out.print(escape(f"run {found.id}: {found.job} of {found.panel}, ") + coloured(found.outcome))
    out.print(f"  due      {time_told(found.due)}")
    out.print(f"  started  {time_told(found.started)}")
    if found.ended is not None:
        out.print(f"  ended    {time_told(found.ended)}, after {_took(found)}")
    out.print(escape(f"  reason   {found.reason or '–'}"))


def _took(run: RunAnswer) -> str:
    if run.duration_s is None:
        return "–"
    return f"{run.duration_s:.1f}s" if run.duration_s < 60 else durations.told(timedelta(seconds=run.duration_s))
