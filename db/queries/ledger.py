"""The ledger: forecasts as they were issued, never changed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, func, insert, select, tuple_, type_coerce
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session, defer

from db.queries.execution import each_of, fetch, listed
from db.schema import Forecast, ForecastBound, ForecastStep, Model, PendingScore, Promotion, Series

LATEST = """
    SELECT (
        SELECT id FROM forecasts WHERE series_id = value
        ORDER BY cutoff DESC, (model_id IS :champion) DESC, id DESC LIMIT 1
    ) FROM json_each(:ids)"""


@dataclass(frozen=True)
class NewStep:
    """A step of a forecast about to be issued; bounds: level → (lo, hi)."""

    target_ts: datetime
    mean: float
    naive: float
    bounds: Mapping[int, tuple[float, float]]


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
    bounds = [
        {"forecast_id": forecast_id, "step": k, "level": level, "lo": lo, "hi": hi}
        for k, step in numbered
        for level, (lo, hi) in step.bounds.items()
    ]
    if bounds:
        session.execute(insert(ForecastBound), bounds)
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
    panel = session.scalar(select(Series.panel).where(Series.id == series_id))
    return None if panel is None else latest_forecasts(session, panel, [series_id]).get(series_id)


def latest_forecasts(session: Session, panel: str, series_ids: Sequence[int]) -> dict[int, tuple[Forecast, Model]]:
    """Of each of some series of a panel the latest forecast, where there is one: see `latest_forecast`."""
    champion = select(Promotion.model_id).where(Promotion.panel == panel).order_by(Promotion.id.desc()).limit(1)
    asked = {"ids": listed(series_ids), "champion": session.scalar(champion)}
    ids = [forecast_id for (forecast_id,) in fetch(session, LATEST, asked) if forecast_id is not None]
    chosen = select(Forecast).where(Forecast.id.in_(select(each_of(ids))))
    found = session.scalars(chosen).all()
    models = _models(session, {forecast.model_id for forecast in found})
    return {forecast.series_id: (forecast, models[forecast.model_id]) for forecast in found}


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
    chosen = select(Forecast).where(Forecast.series_id == series_id)
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
    found = session.scalars(chosen.order_by(newest.desc(), Forecast.id.desc()).limit(limit)).all()
    models = _models(session, {forecast.model_id for forecast in found})
    return [(forecast, models[forecast.model_id]) for forecast in found]


def _models(session: Session, ids: Collection[int]) -> dict[int, Model]:
    """Some models, by id; their content is read where it is asked for."""
    chosen = select(Model).where(Model.id.in_(select(each_of(ids)))).options(defer(Model.content))
    return {model.id: model for model in session.scalars(chosen)}


def oldest_cutoff(session: Session, series_id: int) -> datetime | None:
    """The cutoff of the oldest forecast of a series that is kept."""
    return session.scalar(select(func.min(Forecast.cutoff)).where(Forecast.series_id == series_id))
