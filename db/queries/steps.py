"""The steps of forecasts in the ledger, and what came of them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from db.queries.execution import LEAST, MOST, fetch, listed
from db.times import from_us, to_us

STEPS = """
    SELECT forecast_id, step, target_ts, mean, naive FROM forecast_steps
    WHERE forecast_id IN (SELECT value FROM json_each(:ids)) AND step BETWEEN :first AND :last
    ORDER BY forecast_id, step"""
BOUNDS = """
    SELECT forecast_id, step, level, lo, hi FROM forecast_bounds
    WHERE forecast_id IN (SELECT value FROM json_each(:ids)) AND step BETWEEN :first AND :last
    ORDER BY forecast_id, step, level"""

# Of each pair [forecast, moment]. Targets rise with the step: the first steps of the index are looked at, no more.
NEXT = """
    SELECT forecast_id, step, target_ts, mean, naive FROM (
        SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS after FROM json_each(:asked)
    ) JOIN forecast_steps s ON s.forecast_id = id AND s.step = (
        SELECT step FROM forecast_steps WHERE forecast_id = id AND target_ts > after ORDER BY step LIMIT 1
    )"""
BOUNDS_OF_CARDS = """
    SELECT forecast_id, step, level, lo, hi FROM json_each(:cards) card JOIN forecast_bounds
    ON forecast_id = json_extract(card.value, '$[0]') AND step = json_extract(card.value, '$[1]')
    ORDER BY forecast_id, step, level"""
ENDS = """
    SELECT value, (SELECT target_ts FROM forecast_steps WHERE forecast_id = value ORDER BY step DESC LIMIT 1)
    FROM json_each(:ids)"""

LIVE_FORECASTS = """
    SELECT id, cutoff, unit FROM forecasts
    WHERE series_id = :series_id AND model_id = :model_id AND unit IS NOT NULL
    AND issued_at BETWEEN :issued_from AND :as_of AND cutoff < :before
    ORDER BY cutoff DESC LIMIT :newest"""
# All targets since a cutoff lie side by side: to look each step up by its forecast would take four times as long.
LIVE_ERRORS = """
    SELECT forecast_id, step, error FROM scores
    WHERE series_id = :series_id AND target_ts > :since AND scored_at <= :as_of"""


class StepRow(NamedTuple):
    """A step of a forecast in the ledger; bounds: level → (lo, hi), in order of level."""

    step: int
    target_ts: datetime
    mean: float
    naive: float
    bounds: dict[int, tuple[float, float]]


class LiveForecast(NamedTuple):
    """A forecast in the ledger, and what is known of its errors."""

    cutoff: int  # microseconds since 1970
    unit: float
    errors: dict[int, float]  # by step: value − mean


def steps_of(session: Session, forecast_ids: Sequence[int], step: int | None = None) -> dict[int, list[StepRow]]:
    """The steps of some forecasts, in order; or that one of each, where it has it."""
    first, last = (1, MOST) if step is None else (step, step)
    asked = {"ids": listed(forecast_ids), "first": first, "last": last}
    steps: dict[int, list[StepRow]] = {forecast_id: [] for forecast_id in forecast_ids}
    for forecast_id, row in _step_rows(fetch(session, STEPS, asked)):
        steps[forecast_id].append(row)
    for forecast_id, number, level, lo, hi in fetch(session, BOUNDS, asked):
        steps[forecast_id][number - first].bounds[level] = (lo, hi)  # they are numbered from 1 on
    return steps


def next_steps(session: Session, after: Mapping[int, datetime]) -> dict[int, StepRow]:
    """Of each of some forecasts the first step whose target is after a moment, where there is one."""
    asked = json.dumps([(forecast_id, to_us(moment)) for forecast_id, moment in after.items()])
    steps = dict(_step_rows(fetch(session, NEXT, {"asked": asked})))
    cards = json.dumps([(forecast_id, step.step) for forecast_id, step in steps.items()])
    for forecast_id, _, level, lo, hi in fetch(session, BOUNDS_OF_CARDS, {"cards": cards}):
        steps[forecast_id].bounds[level] = (lo, hi)
    return steps


def ends_of(session: Session, forecast_ids: Sequence[int]) -> dict[int, datetime]:
    """Of each of some forecasts the target of its last step, where it has steps."""
    ends = fetch(session, ENDS, {"ids": listed(forecast_ids)})
    return {forecast_id: from_us(target) for forecast_id, target in ends if target is not None}


def _step_rows(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[int, StepRow]]:
    """Forecasts' ids and steps, without their bounds. Neighbours speak of the same times: each is made once."""
    moments: dict[int, datetime] = {}
    for forecast_id, step, target, mean, naive in rows:
        moment = moments.get(target)
        if moment is None:
            moment = moments[target] = from_us(target)
        yield forecast_id, StepRow(step, moment, mean, naive, {})


def live_forecasts(
    session: Session,
    series_id: int,
    model_id: int,
    *,
    as_of: datetime,
    before: datetime | None = None,
    issued_from: datetime | None = None,
    newest: int,
) -> list[LiveForecast]:
    """The newest so many forecasts of a series by a model, in order of cutoff, with their errors.

    as_of: what was issued and scored by then; before: of cutoffs before that. Forecasts without a unit are passed over.
    """
    asked = {
        "series_id": series_id,
        "model_id": model_id,
        "as_of": to_us(as_of),
        "before": MOST if before is None else to_us(before),
        "issued_from": LEAST if issued_from is None else to_us(issued_from),
        "newest": newest,
    }
    rows = list(fetch(session, LIVE_FORECASTS, asked))
    found = {forecast_id: LiveForecast(cutoff, unit, {}) for forecast_id, cutoff, unit in reversed(rows)}
    if found:
        asked["since"] = rows[-1][1]
        for forecast_id, step, error in fetch(session, LIVE_ERRORS, asked):
            if forecast_id in found:
                found[forecast_id].errors[step] = error
    return list(found.values())
