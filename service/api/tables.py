"""Answers as CSV, in the field's shape: unique_id, ds, y; unique_id, ds, cutoff, yhat, lo_80, hi_80, …

Nothing stands where there is no value. Times are ISO 8601 with Z. No age is told: with it a table would be another one
every second.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import get_args

from service.shapes import (
    LatestAnswer,
    LedgerAnswer,
    ModelsAnswer,
    ObservationsAnswer,
    PanelsAnswer,
    RunsAnswer,
    ScoreAnswer,
    ScoresAnswer,
    SeriesAnswer,
    StepAnswer,
    StepScoreAnswer,
)
from service.state import Status

Row = Sequence[object]


def written(heading: Sequence[str], rows: Iterable[Row]) -> str:
    """The text of a table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


def observations(answer: ObservationsAnswer) -> str:
    """unique_id, ds, y."""
    return written(["unique_id", "ds", "y"], ([answer.series, each.ts, each.value] for each in answer.observations))


def latest(found: Sequence[LatestAnswer]) -> str:
    """A row a step; a series without a forecast has one row, which tells its status."""
    levels = _levels(step for each in found for step in each.steps)
    rows = [
        [
            each.series,
            *_step_cells(step, each.cutoff, levels),
            None if step is None else step.naive,
            None if step is None else step.step,
            each.issued_at,
            each.model,
            each.model_version,
            each.status,
            each.reason,
        ]
        for each in found
        for step in (*each.steps,) or (None,)
    ]
    return written(_forecast_heading(levels), rows)


def ledger(answer: LedgerAnswer) -> str:
    """A row a step."""
    levels = _levels(step for forecast in answer.forecasts for step in forecast.steps)
    rows = [
        [
            answer.series,
            *_step_cells(step, each.cutoff, levels),
            step.naive,
            step.step,
            each.issued_at,
            each.model,
            each.model_version,
            answer.status,
            answer.reason,
        ]
        for each in answer.forecasts
        for step in each.steps
    ]
    return written(_forecast_heading(levels), rows)


def _forecast_heading(levels: list[str]) -> list[str]:
    bounds = [f"{side}_{level}" for level in levels for side in ("lo", "hi")]
    more = ["naive", "step", "issued_at", "model", "model_version", "status", "reason"]
    return ["unique_id", "ds", "cutoff", "yhat", *bounds, *more]


def _step_cells(step: StepAnswer | None, cutoff: datetime | None, levels: list[str]) -> list[object]:
    """ds, cutoff, yhat and the bounds."""
    if step is None:
        return [None, cutoff, None, *(None for _ in range(2 * len(levels)))]
    bounds = [bound for level in levels for bound in step.intervals.get(level, (None, None))]
    return [step.target_ts, cutoff, step.mean, *bounds]


def _levels(steps: Iterable[StepAnswer]) -> list[str]:
    return sorted({level for step in steps for level in step.intervals}, key=int)


def series(found: Sequence[SeriesAnswer]) -> str:
    """A row a series."""
    heading = ["unique_id", "panel", "interval", "horizon", "status", "ds", "y", "next_ds", "next_yhat"]
    rows = [
        [
            *(each.name, each.panel, each.interval, each.horizon, each.status),
            *((None, None) if each.newest is None else (each.newest.ts, each.newest.value)),
            *((None, None) if each.next is None else (each.next.target_ts, each.next.mean)),
            *(each.model, each.model_version, each.score_7d.scored_steps, each.score_7d.mae, each.score_7d.naive_mae),
            *(each.next_refit, each.reason),
        ]
        for each in found
    ]
    more = ["model", "model_version", "scored_steps_7d", "mae_7d", "naive_mae_7d", "next_refit", "reason"]
    return written(heading + more, rows)


def scores(answer: ScoresAnswer) -> str:
    """A row a window over all steps, with an empty `step`, and a row each step where they were asked for."""
    windows = answer.windows.items()
    tallies: list[tuple[str, int | None, int, int | None, ScoreAnswer | StepScoreAnswer]] = []
    for window, score in windows:
        tallies.append((window, None, score.scored_steps, score.pending_steps, score))
        tallies.extend((window, step.step, step.scored, None, step) for step in score.by_step or ())
    levels = sorted({level for *_, each in tallies for level in each.coverage or ()}, key=int)
    rows = [
        [
            *(answer.series, window, step, scored, pending, each.mae, each.naive_mae, each.skill, each.mase),
            *((each.coverage or {}).get(level) for level in levels),
        ]
        for window, step, scored, pending, each in tallies
    ]
    shares = [f"coverage_{level}" for level in levels]
    return written(
        ["unique_id", "window", "step", "scored", "pending", "mae", "naive_mae", "skill", "mase", *shares], rows
    )


def models(answer: ModelsAnswer) -> str:
    """A row a version."""
    heading = ["panel", "version", "kind", "trained_at", "cutoff", "standing", "verdict", "promoted_at", "reason"]
    rows = [
        [answer.panel, m.version, m.kind, m.trained_at, m.cutoff, m.standing, m.verdict, m.promoted_at, m.reason]
        for m in answer.models
    ]
    return written(heading, rows)


def panels(answer: PanelsAnswer) -> str:
    """A row a panel."""
    states = get_args(Status)
    rows = [
        [
            *(p.name, p.source, p.interval, p.horizon, p.series, *(p.statuses.get(status, 0) for status in states)),
            *(p.model, p.model_version, p.next_fetch, p.next_refit),
        ]
        for p in answer.panels
    ]
    more = ["model", "model_version", "next_fetch", "next_refit"]
    return written(["panel", "source", "interval", "horizon", "series", *states, *more], rows)


def runs(answer: RunsAnswer) -> str:
    """A row a run."""
    heading = ["id", "job", "panel", "due", "started", "ended", "duration_s", "outcome", "reason"]
    rows = [[r.id, r.job, r.panel, r.due, r.started, r.ended, r.duration_s, r.outcome, r.reason] for r in answer.runs]
    return written(heading, rows)
