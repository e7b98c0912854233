"""The command `rollcast latest`: the latest forecast of a series, and how far it can be trusted."""

from typing import Annotated

import typer
from rich.markup import escape

from service import answers
from service.commands.tables import Table
from service.commands.terminal import (
    Config,
    Json,
    SeriesName,
    UsageError,
    asked_of,
    coloured,
    err,
    number_told,
    out,
    print_csv,
    print_json,
    time_told,
)
from service.daemon import utc_now
from service.shapes import LatestAnswer


def command(
    series: SeriesName,
    config: Config = None,
    json: Json = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV: unique_id, ds, cutoff, yhat, lo_80, hi_80, lo_95, hi_95.")
    ] = False,
) -> None:
    """The latest forecast of a series.

    Its state comes first, and why it is so: an old forecast is never passed off as a new one. With --csv that line goes
    to standard error where the state is not fresh.
    """
    if json and csv:
        raise UsageError("--json and --csv exclude each other; leave one out")
    answer = asked_of(config, lambda session, panels: answers.latest(session, panels, series, utc_now()))
    if json:
        print_json(answer)
    elif csv:
        if answer.status != "fresh":
            err.print(_state(answer))
        _print_csv(answer)
    else:
        out.print(_state(answer))
        _print(answer)


def _state(answer: LatestAnswer) -> str:
    return f"{escape(answer.series)}  {coloured(answer.status)}: {escape(answer.reason)}"


def _print(answer: LatestAnswer) -> None:
    if answer.issued_at is None or answer.cutoff is None:
        return
    issued, cutoff = time_told(answer.issued_at), time_told(answer.cutoff)
    out.print(f"issued {issued} by {answer.model} v{answer.model_version}, cutoff {cutoff}")
    levels = _levels(answer)
    table = Table("step", "target", "mean", *(f"{level} %" for level in levels), "naive")
    for step in answer.steps:
        bounds = (
            f"{number_told(step.intervals[level][0])} … {number_told(step.intervals[level][1])}" for level in levels
        )
        table.add_row(
            str(step.step), time_told(step.target_ts), number_told(step.mean), *bounds, number_told(step.naive)
        )
    table.print()


def _print_csv(answer: LatestAnswer) -> None:
    levels = _levels(answer)
    rows = (
        [
            answer.series,
            step.target_ts,
            answer.cutoff,
            step.mean,
            *(bound for level in levels for bound in step.intervals[level]),
        ]
        for step in answer.steps
    )
    sides = (f"{side}_{level}" for level in levels for side in ("lo", "hi"))
    print_csv(["unique_id", "ds", "cutoff", "yhat", *sides], rows)


def _levels(answer: LatestAnswer) -> list[str]:
    return list(answer.steps[0].intervals) if answer.steps else []
