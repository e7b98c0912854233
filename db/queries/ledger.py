"""The ledger: forecasts as they were issued, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, func, select, tuple_, type_coerce
from sqlalchemy.orm import Session, defer

from db.queries.execution import each_of, fetch, listed
from db.schema import Forecast, Model, Series
from db.times import to_us

LATEST = """
    SELECT (
        SELECT id FROM forecasts WHERE series_id = value ORDER BY cutoff DESC, (model_id IS (
            SELECT model_id FROM promotions WHERE panel = :panel ORDER BY id DESC LIMIT 1
        )) DESC, id DESC LIMIT 1
    ) FROM json_each(:series_ids)"""
WITH_MODELS = select(Forecast, Model).join(Model, Model.id == Forecast.model_id).options(defer(Model.content))
CHOSEN = WITH_MODELS.where(Forecast.id.in_(each_of("ids")))
IS_ISSUED = "SELECT 1 FROM forecasts WHERE series_id = :series_id AND cutoff = :cutoff AND model_id = :model_id"

ISSUE = """
    INSERT INTO forecasts (series_id, model_id, cutoff, issued_at, unit, scale) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING RETURNING id"""
ISSUE_STEPS = "INSERT INTO forecast_steps (forecast_id, step, target_ts, mean, naive) VALUES (?, ?, ?, ?, ?)"
ISSUE_BOUNDS = "INSERT INTO forecast_bounds (forecast_id, step, level, lo, hi) VALUES (?, ?, ?, ?, ?)"
ISSUE_PENDING = "INSERT INTO pending_scores (series_id, target_ts, forecast_id, step) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True)
class NewStep:
    """A step of a forecast about to be issued; bounds: level → (lo, hi)."""

    target_ts: datetime
    mean: float
    naive: float
    bounds: Mapping[int, tuple[float, float]]


def is_issued(session: Session, series_id: int, cutoff: datetime, model_id: int) -> bool:
    """Whether the ledger holds the forecast of that series, cutoff and model."""
    asked = {"series_id": series_id, "cutoff": to_us(cutoff), "model_id": model_id}
    return any(fetch(session, IS_ISSUED, asked))


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
    # Past SQLAlchemy's own preparation of each row, which would take twice as long as the forecast itself.
    execute = session.connection().exec_driver_sql
    entry = (series_id, model_id, to_us(cutoff), to_us(issued_at), unit, scale)
    forecast_id = execute(ISSUE, entry).scalar()
    if forecast_id is None:
        return False
    numbered = [(k, to_us(step.target_ts), step) for k, step in enumerate(steps, start=1)]
    execute(ISSUE_STEPS, [(forecast_id, k, target, step.mean, step.naive) for k, target, step in numbered])
    bounds = [(forecast_id, k, level, lo, hi) for k, _, step in numbered for level, (lo, hi) in step.bounds.items()]
    if bounds:
        execute(ISSUE_BOUNDS, bounds)
    execute(ISSUE_PENDING, [(series_id, target, forecast_id, k) for k, target, _ in numbered])
    return True


def latest_forecast(session: Session, series_id: int) -> tuple[Forecast, Model] | None:
    """The forecast of the newest cutoff, and its model. Of several the champion's, or else the one issued last."""
    panel = session.scalar(select(Series.panel).where(Series.id == series_id))
    return None if panel is None else latest_forecasts(session, panel, [series_id]).get(series_id)


def latest_forecasts(session: Session, panel: str, series_ids: Sequence[int]) -> dict[int, tuple[Forecast, Model]]:
    """Of each of some series of a panel the latest forecast, where there is one: see `latest_forecast`."""
    asked = {"series_ids": listed(series_ids), "panel": panel}
    ids = [forecast_id for (forecast_id,) in fetch(session, LATEST, asked) if forecast_id is not None]
    found = session.execute(CHOSEN, {"ids": listed(ids)})
    return {forecast.series_id: (forecast, model) for forecast, model in found}


def forecasts(
    session: Session,
    series_id: int,
    *,
    issued_after: datetime | None = None,
    issued_before: datetime | None = None,
    cutoff: datetime | None = None,
    version: int | None = None,
    before: tuple[int, int] | None = None,
    limit: int,
) -> list[tuple[Forecast, Model]]:
    """The newest `limit` forecasts of a series, newest first, with their models: those issued after a moment, before
    one, from a cutoff, by a version of the panel's model, and before another forecast (when it was issued, in µs, and
    its id).
    """
    chosen = WITH_MODELS.where(Forecast.series_id == series_id)
    if issued_after is not None:
        chosen = chosen.where(Forecast.issued_at > issued_after)
    if issued_before is not None:
        chosen = chosen.where(Forecast.issued_at < issued_before)
    if cutoff is not None:
        chosen = chosen.where(Forecast.cutoff == cutoff)
    if version is not None:
        model = select(Model.id).join(Series, Series.panel == Model.panel)
        model = model.where(Series.id == series_id, Model.version == version)
        chosen = chosen.where(Forecast.model_id == model.scalar_subquery())
    if before is not None:
        place = tuple_(type_coerce(Forecast.issued_at, BigInteger), Forecast.id)
        chosen = chosen.where(place < tuple_(*before))
    newest: ColumnElement[int] = type_coerce(Forecast.issued_at, BigInteger)
    if cutoff is not None or version is not None:
        newest = newest + 0  # few are asked for: SQLite shall look them up, not go through all in order of issue
    found = session.execute(chosen.order_by(newest.desc(), Forecast.id.desc()).limit(limit))
    return [(forecast, model) for forecast, model in found]


def oldest_cutoff(session: Session, series_id: int) -> datetime | None:
    """The cutoff of the oldest forecast of a series that is kept."""
    return session.scalar(select(func.min(Forecast.cutoff)).where(Forecast.series_id == series_id))
