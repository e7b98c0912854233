"""The command `rollcast scores`: how a series' forecasts did, step by step, against what happened."""

from typing import Annotated, Literal

import msgspec
import typer
from rich.markup import escape

from service import answers
from service.commands.tables import Table
from service.commands.terminal import Config, Json, SeriesName, asked_of, number_told, out, print_json
from service.daemon import utc_now
from service.shapes import ScoreAnswer, StepScoreAnswer

Window = Literal["7d", "30d", "all"]
SPANS = {"7d": "the last 7 days", "30d": "the last 30 days", "all": "all that is kept"}


def command(
    series: SeriesName,
    window: Annotated[
        Window | None, typer.Option("--window", metavar="WINDOW", help="One of them only: 7d, 30d or all.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """How the forecasts of a series did, step by step: of targets in the last 7 days, the last 30, and all.

    skill is 1 − MAE / naive's MAE; MASE is the mean error in units of the mean seasonal difference.
    """
    answer = asked_of(config, lambda session, panels: answers.scores(session, panels, series, utc_now()))
    if window is not None:
        answer = msgspec.structs.replace(answer, windows={window: answer.windows[window]})
    if json:
        print_json(answer)
        return
    for name, score in answer.windows.items():
        out.print(
            f"{escape(answer.series)}  {SPANS[name]}: {score.scored_steps:,} steps scored,"
            f" {score.pending_steps:,} wait for their truth"
        )
        if score.scored_steps:
            _print(score)


def _print(score: ScoreAnswer) -> None:
    levels = list(score.coverage or ())
    table = Table("step", "scored", "MAE", "naive", "skill", "MASE", *(f"coverage {level}" for level in levels))
    for step in score.by_step or ():
        table.add_row(str(step.step), f"{step.scored:,}", *_cells(step, levels))
    table.add_row("all", f"{score.scored_steps:,}", *_cells(score, levels))
    table.print()


def _cells(score: ScoreAnswer | StepScoreAnswer, levels: list[str]) -> list[str]:
    coverage = score.coverage or {}
    return [
        *("–" if value is None else number_told(value) for value in (score.mae, score.naive_mae)),
        *("–" if value is None else f"{value:.3f}" for value in (score.skill, score.mase)),
        *("–" if level not in coverage else f"{coverage[level]:.3f}" for level in levels),
    ]
