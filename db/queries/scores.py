"""Scores: each step of a forecast against the truth, and what they come to.

What they come to is read from sums (see `db.queries.sums`), so that it takes the same time however much was scored;
also what was scored by forecasts that are forgotten since counts in them.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from db.queries.execution import fetch, listed
from db.queries.observations import Pair, factors
from db.queries.sums import Tally, add_to_sums, midnight, sums_by_step, sums_since, tally_of, total
from db.schema import Forecast, ForecastBound, Score
from db.times import from_us, to_us


@dataclass(frozen=True)
class ScoreSummary:
    """How forecasts did, over all steps and, where that was asked for, step by step; how many wait for their truth."""

    pending: int
    all: Tally
    by_step: dict[int, Tally]


class _Due(NamedTuple):
    """A pending step whose truth is known; times are microseconds since 1970."""

    forecast_id: int
    step: int
    target: int
    mean: float
    naive: float
    cutoff: int
    issued_at: int
    scale: float | None
    brought: float  # the first value learnt


# SQLite takes the other columns of a group from the row that has its min().
DUE = """
    SELECT p.forecast_id, p.step, p.target_ts, s.mean, s.naive, f.cutoff, f.issued_at, f.scale, o.value,
        min(o.observed_at)
    FROM pending_scores p
    JOIN observations o ON o.series_id = p.series_id AND o.ts = p.target_ts
    JOIN forecasts f ON f.id = p.forecast_id
    JOIN forecast_steps s ON s.forecast_id = p.forecast_id AND s.step = p.step
    WHERE p.series_id = :id AND o.observed_at <= :now GROUP BY p.target_ts, p.forecast_id, p.step"""

BOUNDS = """
    SELECT b.forecast_id, b.step, b.level, b.lo, b.hi FROM json_each(:cards) AS card JOIN forecast_bounds b
    ON b.forecast_id = json_extract(card.value, '$[0]') AND b.step = json_extract(card.value, '$[1]')"""

PENDING = """
    SELECT series_id, count(*) FROM pending_scores
    WHERE series_id IN (SELECT value FROM json_each(:ids)) AND target_ts >= :since GROUP BY series_id"""


def fill_scores(session: Session, series_id: int, now: datetime) -> Tally:
    """Score the pending steps whose truth is known as of `now`, with the first value learnt. Returns their sums.

    Truth is told in the measure of the forecast: a split between cutoff and target is no error of the forecast's.
    """
    due = [_Due(*row[:-1]) for row in fetch(session, DUE, {"id": series_id, "now": to_us(now)})]
    if not due:
        return Tally()
    known = factors(session, series_id, as_of=now)
    values = [each.brought * _measure(session, series_id, each, known) if known else each.brought for each in due]
    connection = session.connection()
    connection.exec_driver_sql(
        "INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (series_id, d.target, d.forecast_id, d.step, value, value - d.mean, value - d.naive, to_us(now))
            for d, value in zip(due, values, strict=True)
        ],
    )
    connection.exec_driver_sql(
        "DELETE FROM pending_scores WHERE series_id = ? AND target_ts = ? AND forecast_id = ? AND step = ?",
        [(series_id, d.target, d.forecast_id, d.step) for d in due],
    )
    return _sum_up(session, series_id, due, values)


def _measure(session: Session, series_id: int, due: _Due, known: list[Pair]) -> float:
    """What a value at the target is worth in the measure that its forecast was issued in."""
    then = dict(factors(session, series_id, as_of=from_us(due.issued_at)))
    announced = math.prod(factor for ts, factor in then.items() if ts > due.target)
    return announced / math.prod(factor for ts, factor in known if due.cutoff < ts <= due.target and ts not in then)


def _sum_up(session: Session, series_id: int, due: Sequence[_Due], values: Sequence[float]) -> Tally:
    """Add what has just been scored to the sums."""
    bounds: dict[tuple[int, int], list[tuple[int, float, float]]] = {}
    cards = json.dumps([(each.forecast_id, each.step) for each in due])
    for forecast_id, step, level, lo, hi in fetch(session, BOUNDS, {"cards": cards}):
        bounds.setdefault((forecast_id, step), []).append((level, lo, hi))
    days: dict[int, Tally] = {}
    steps: dict[int, Tally] = {}
    for each, value in zip(due, values, strict=True):
        inside = [(level, lo <= value <= hi) for level, lo, hi in bounds.get((each.forecast_id, each.step), [])]
        tally = tally_of(value - each.mean, value - each.naive, each.scale, inside)
        days.setdefault(midnight(each.target), Tally()).add(tally)
        steps.setdefault(each.step, Tally()).add(tally)
    add_to_sums(session, series_id, "day", days)
    add_to_sums(session, series_id, "step", steps)
    return total(days.values())


def score_summary(
    session: Session, series_id: int, since: datetime | None = None, *, by_step: bool = False
) -> ScoreSummary:
    """How the forecasts of a series did, on targets of whole UTC days: since midnight of a moment's day, or ever.

    All that was ever scored counts, save step by step since a moment: there the scores that are kept.
    """
    if since is None:
        steps = sums_by_step(session, series_id)
        summed = total(steps.values())
    else:
        summed = sums_since(session, [series_id], since)[series_id]
        steps = _kept_by_step(session, series_id, _midnight(since)) if by_step else {}
    pending = _pending(session, [series_id], since).get(series_id, 0)
    return ScoreSummary(pending, summed, steps if by_step else {})


def score_glances(session: Session, series_ids: Sequence[int], since: datetime) -> dict[int, ScoreSummary]:
    """Of each of some series how its forecasts did since midnight of a moment's day, as `score_summary` tells it."""
    pending = _pending(session, series_ids, since)
    sums = sums_since(session, series_ids, since)
    return {series_id: ScoreSummary(pending.get(series_id, 0), tally, {}) for series_id, tally in sums.items()}


def _midnight(moment: datetime) -> datetime:
    return from_us(midnight(to_us(moment)))


def _kept_by_step(session: Session, series_id: int, since: datetime) -> dict[int, Tally]:
    """The scores of targets since a moment, summed by step."""
    mine = (Score.series_id == series_id, Score.target_ts >= since)
    scaled = case((Forecast.scale > 0, func.abs(Score.error) / Forecast.scale))
    rows = session.execute(
        select(
            Score.step,
            func.count(),
            func.sum(func.abs(Score.error)),
            func.sum(func.abs(Score.naive_error)),
            func.count(scaled),
            func.coalesce(func.sum(scaled), 0.0),
        )
        .join(Forecast, Forecast.id == Score.forecast_id)
        .where(*mine)
        .group_by(Score.step)
        .order_by(Score.step)
    )
    by_step = {step: Tally(*sums) for step, *sums in rows}
    inside = func.sum(case(((Score.value >= ForecastBound.lo) & (Score.value <= ForecastBound.hi), 1), else_=0))
    shares = session.execute(
        select(Score.step, ForecastBound.level, inside, func.count())
        .join(ForecastBound, (ForecastBound.forecast_id == Score.forecast_id) & (ForecastBound.step == Score.step))
        .where(*mine)
        .group_by(Score.step, ForecastBound.level)
    )
    for step, level, share, of in shares:
        by_step[step].inside[level] = (share, of)
    return by_step


def _pending(session: Session, series_ids: Sequence[int], since: datetime | None) -> dict[int, int]:
    """Of each of some series how many steps wait for their truth, of targets since midnight of a moment's day."""
    start = -(2**63) if since is None else midnight(to_us(since))
    rows = fetch(session, PENDING, {"ids": listed(series_ids), "since": start})
    return {series_id: waiting for series_id, waiting in rows}  # noqa: C416  mypy takes a row for no pair
