"""Whole histories for files, a bounded number of rows at a time, however long they are."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from operator import mul
from typing import Any

from sqlalchemy import BigInteger, Exists, Select, func, select, type_coerce
from sqlalchemy.orm import Session, aliased

from db import queries
from db.schema import Forecast, ForecastBound, ForecastStep, Observation, Score
from db.times import to_us

ROWS = 10_000  # at a time

Rows = list[tuple[Any, ...]]


def observations(
    session: Session, series_id: int, *, as_of: datetime, start: datetime | None, end: datetime | None
) -> Iterator[Rows]:
    """Rows (ts, value) in order of time, as `queries.observations` tells them; ts in microseconds since 1970."""
    newest = func.max(type_coerce(Observation.observed_at, BigInteger))  # SQLite takes the value from the row of it
    columns: list[Any] = [type_coerce(Observation.ts, BigInteger), Observation.value, newest]
    chosen: Select[Any] = (
        select(*columns)
        .where(Observation.series_id == series_id, Observation.observed_at <= as_of)
        .group_by(Observation.ts)
        .order_by(Observation.ts)
    )
    known = queries.factors(session, series_id, as_of=as_of)
    times = [ts for ts, _ in known]
    # after[k]: what values before the k-th factor are worth in the end.
    after = [*reversed(list(accumulate((factor for _, factor in reversed(known)), mul, initial=1.0)))]
    place = 0  # of the first factor of a later time
    for rows in _stream(session, _between(chosen, Observation.ts, start, end)):
        measured: Rows = []
        for ts, value, _ in rows:
            while place < len(times) and times[place] <= ts:
                place += 1
            measured.append((ts, value * after[place]))
        yield measured


def levels(session: Session, series_ids: Sequence[int]) -> list[int]:
    """The levels of the intervals in the ledger of some series, in percent."""
    found: set[int] = set()
    for series_id in series_ids:
        mine = select(ForecastBound.level).join(Forecast, Forecast.id == ForecastBound.forecast_id)
        found |= set(session.scalars(mine.where(Forecast.series_id == series_id, ForecastBound.step == 1).distinct()))
    return sorted(found)


def forecasts(
    session: Session,
    series_id: int,
    *,
    as_of: datetime,
    start: datetime | None,
    end: datetime | None,
    levels: Sequence[int],
    scored: bool,
) -> Iterator[Rows]:
    """Rows (target, cutoff, mean, lo and hi of each level) of what was issued by then, in order of cutoff and step.

    start, end: of the targets, both included. Of several forecasts from one cutoff the one issued last. scored: only
    the steps whose truth was known by then, each with the truth as its last column, in order of target and cutoff.
    """
    bounds = [aliased(ForecastBound) for _ in levels]
    columns: list[Any] = [type_coerce(each, BigInteger) for each in (ForecastStep.target_ts, Forecast.cutoff)]
    columns += [ForecastStep.mean, *(side for bound in bounds for side in (bound.lo, bound.hi))]
    chosen: Select[Any] = select(*columns, *([Score.value] if scored else []))
    chosen = chosen.select_from(Forecast).join(ForecastStep, ForecastStep.forecast_id == Forecast.id)
    for bound, level in zip(bounds, levels, strict=True):
        same = (bound.forecast_id == Forecast.id) & (bound.step == ForecastStep.step) & (bound.level == level)
        chosen = chosen.outerjoin(bound, same)
    chosen = chosen.where(Forecast.series_id == series_id, Forecast.issued_at <= as_of, ~_replaced(as_of))
    # Each in the order of an index, so that nothing has to be sorted.
    if not scored:
        ordered = chosen.order_by(Forecast.cutoff, Forecast.model_id, ForecastStep.step)
        yield from _stream(session, _between(ordered, ForecastStep.target_ts, start, end))
        return
    truth = (Score.series_id == series_id) & (Score.target_ts == ForecastStep.target_ts) & (Score.scored_at <= as_of)
    chosen = chosen.join(Score, truth & (Score.forecast_id == Forecast.id) & (Score.step == ForecastStep.step))
    ordered = chosen.order_by(Score.target_ts, Score.forecast_id, Score.step)
    yield from _stream(session, _between(ordered, Score.target_ts, start, end))


def _replaced(as_of: datetime) -> Exists:
    """Whether another forecast of the same series and cutoff was issued later, by then."""
    later = aliased(Forecast)
    return (
        select(later.id)
        .where(
            later.series_id == Forecast.series_id,
            later.cutoff == Forecast.cutoff,
            later.id > Forecast.id,
            # As a sum it is no reason to take the index of issued_at: all earlier forecasts would be looked through.
            type_coerce(later.issued_at, BigInteger) + 0 <= to_us(as_of),
        )
        .exists()
    )


def _between(chosen: Select[Any], column: Any, start: datetime | None, end: datetime | None) -> Select[Any]:
    if start is not None:
        chosen = chosen.where(column >= start)
    return chosen if end is None else chosen.where(column <= end)


def _stream(session: Session, chosen: Select[Any]) -> Iterator[Rows]:
    found = session.execute(chosen.execution_options(yield_per=ROWS))
    for rows in found.partitions():
        yield [tuple(row) for row in rows]
