"""The ledger: forecasts as they were issued, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, func, insert, select, type_coerce
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from db.schema import Forecast, ForecastBound, ForecastStep, Model, PendingScore, Promotion, Score, Series


@dataclass(frozen=True)
class NewStep:
    """A step of a forecast about to be issued; bounds: level → (lo, hi)."""

    target_ts: datetime
    mean: float
    naive: float
    bounds: Mapping[int, tuple[float, float]]


@dataclass(frozen=True)
class StepRow:
    """A step of a forecast in the ledger."""

    step: int
    target_ts: datetime
    mean: float
    naive: float
    bounds: dict[int, tuple[float, float]]


class LiveStep(NamedTuple):
    """A step of a forecast, beside what came of it."""

    cutoff: int  # microseconds since 1970
    unit: float  # of its forecast
    step: int
    mean: float
    value: float | None  # None where it is not known yet


def is_issued(session: Session, series_id: int, cutoff: datetime, model_id: int) -> bool:
    """Whether the ledger holds the forecast of that series, cutoff and model."""
    same = (Forecast.series_id == series_id, Forecast.cutoff == cutoff, Forecast.model_id == model_id)
    return session.scalar(select(Forecast.id).where(*same)) is not None


def issue(
    session: Session,
    series_id: int,
    model_id: int,
    cutoff: datetime,
    issued_at: datetime,
    steps: Sequence[NewStep],
    *,
    unit: float | None = None,
    scale: float | None = None,
) -> bool:
    """Write a forecast into the ledger, its steps pending a score. False, and nothing done, where it is there."""
    statement = sqlite_insert(Forecast).on_conflict_do_nothing().returning(Forecast.id)
    values = {"series_id": series_id, "model_id": model_id, "cutoff": cutoff, "issued_at": issued_at}
    forecast_id = session.scalar(statement.values(**values, unit=unit, scale=scale))
    if forecast_id is None:
        return False
    numbered = list(enumerate(steps, start=1))
    session.execute(
        insert(ForecastStep),
        [
            {"forecast_id": forecast_id, "step": k, "target_ts": step.target_ts, "mean": step.mean, "naive": step.naive}
            for k, step in numbered
        ],
    )
    session.execute(
        insert(ForecastBound),
        [
            {"forecast_id": forecast_id, "step": k, "level": level, "lo": lo, "hi": hi}
            for k, step in numbered
            for level, (lo, hi) in step.bounds.items()
        ],
    )
    session.execute(
        insert(PendingScore),
        [
            {"forecast_id": forecast_id, "step": k, "series_id": series_id, "target_ts": step.target_ts}
            for k, step in numbered
        ],
    )
    return True


def latest_forecast(session: Session, series_id: int) -> tuple[Forecast, Model] | None:
    """The forecast of the newest cutoff, and its model. Of several the champion's, or else the one issued last."""
    champion = (
        select(Promotion.model_id)
        .join(Series, Series.panel == Promotion.panel)
        .where(Series.id == series_id)
        .order_by(Promotion.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    newest = select(func.max(Forecast.cutoff)).where(Forecast.series_id == series_id).scalar_subquery()
    found = session.execute(
        select(Forecast, Model)
        .join(Model, Model.id == Forecast.model_id)
        .where(Forecast.series_id == series_id, Forecast.cutoff == newest)
        .order_by((Forecast.model_id == champion).desc(), Forecast.id.desc())
        .limit(1)
    ).first()
    return None if found is None else (found[0], found[1])


def forecasts(
    session: Session, series_id: int, *, issued_after: datetime | None, limit: int
) -> list[tuple[Forecast, Model]]:
    """The newest `limit` forecasts of a series that were issued after a moment, newest first."""
    chosen = select(Forecast, Model).join(Model, Model.id == Forecast.model_id).where(Forecast.series_id == series_id)
    if issued_after is not None:
        chosen = chosen.where(Forecast.issued_at > issued_after)
    ordered = chosen.order_by(Forecast.id.desc()).limit(limit)
    return [(forecast, model) for forecast, model in session.execute(ordered)]


def oldest_cutoff(session: Session, series_id: int) -> datetime | None:
    """The cutoff of the oldest forecast of a series that is kept."""
    return session.scalar(select(func.min(Forecast.cutoff)).where(Forecast.series_id == series_id))


def steps_of(session: Session, forecast_ids: Sequence[int]) -> dict[int, list[StepRow]]:
    """The steps of some forecasts, in order."""
    bounds: dict[tuple[int, int], dict[int, tuple[float, float]]] = {}
    for bound in session.execute(
        select(ForecastBound.forecast_id, ForecastBound.step, ForecastBound.level, ForecastBound.lo, ForecastBound.hi)
        .where(ForecastBound.forecast_id.in_(forecast_ids))
        .order_by(ForecastBound.level)
    ):
        bounds.setdefault((bound.forecast_id, bound.step), {})[bound.level] = (bound.lo, bound.hi)
    steps: dict[int, list[StepRow]] = {forecast_id: [] for forecast_id in forecast_ids}
    for row in session.execute(
        select(
            ForecastStep.forecast_id, ForecastStep.step, ForecastStep.target_ts, ForecastStep.mean, ForecastStep.naive
        )
        .where(ForecastStep.forecast_id.in_(forecast_ids))
        .order_by(ForecastStep.forecast_id, ForecastStep.step)
    ):
        key = (row.forecast_id, row.step)
        steps[row.forecast_id].append(StepRow(row.step, row.target_ts, row.mean, row.naive, bounds.get(key, {})))
    return steps


def live_steps(
    session: Session,
    series_id: int,
    model_id: int,
    *,
    as_of: datetime,
    before: datetime | None = None,
    issued_from: datetime | None = None,
    newest: int,
) -> list[LiveStep]:
    """The steps of the newest so many forecasts of a series by a model, in order of cutoff and step.

    as_of: what was issued and scored by then; before: of cutoffs before that. Forecasts without a unit are passed over.
    """
    mine = [Forecast.series_id == series_id, Forecast.model_id == model_id, Forecast.unit.is_not(None)]
    mine.append(Forecast.issued_at <= as_of)
    if before is not None:
        mine.append(Forecast.cutoff < before)
    if issued_from is not None:
        mine.append(Forecast.issued_at >= issued_from)
    chosen = (
        select(Forecast.id, Forecast.cutoff, Forecast.unit)
        .where(*mine)
        .order_by(Forecast.cutoff.desc())
        .limit(newest)
        .subquery()
    )
    scored = (
        (Score.series_id == series_id)
        & (Score.target_ts == ForecastStep.target_ts)
        & (Score.forecast_id == ForecastStep.forecast_id)
        & (Score.step == ForecastStep.step)
        & (Score.scored_at <= as_of)
    )
    rows = session.execute(
        select(
            type_coerce(chosen.c.cutoff, BigInteger), chosen.c.unit, ForecastStep.step, ForecastStep.mean, Score.value
        )
        .join(ForecastStep, ForecastStep.forecast_id == chosen.c.id)
        .join(Score, scored, isouter=True)
        .order_by(chosen.c.cutoff, ForecastStep.step)
    )
    return [LiveStep(*row) for row in rows]
