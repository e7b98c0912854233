"""Forgetting: what a panel does not keep is deleted, a bounded batch at a time."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.orm import Session

from db.queries.execution import changed
from db.queries.models import champion, previous_champion
from db.queries.runs import newest_good_run, newest_runs
from db.schema import (
    Forecast,
    ForecastBound,
    ForecastStep,
    Model,
    Observation,
    PendingScore,
    Promotion,
    Run,
    Score,
    Series,
)


def forgettable_forecasts(session: Session, panel: str, before: datetime, remembered: int) -> list[int]:
    """The forecasts of a panel issued before a moment that nothing refers to, by id.

    The latest forecasts of a series stay, however old. So do the newest `remembered` of the same model before one that
    stays: it was made from the errors of as many.
    """
    mine = Forecast.series_id.in_(select(Series.id).where(Series.panel == panel))
    newest = select(Forecast.series_id, func.max(Forecast.cutoff)).where(mine).group_by(Forecast.series_id)
    latest = {(series_id, cutoff) for series_id, cutoff in session.execute(newest)}
    rows = session.execute(
        select(Forecast.id, Forecast.series_id, Forecast.model_id, Forecast.cutoff, Forecast.issued_at)
        .where(mine)
        .order_by(Forecast.series_id, Forecast.model_id, Forecast.cutoff.desc())
    )
    forgettable: list[int] = []
    group, referred = None, 0  # how many more of the group are referred to
    for forecast_id, series_id, model_id, cutoff, issued_at in rows:
        if group != (series_id, model_id):
            group, referred = (series_id, model_id), 0
        if issued_at >= before or (series_id, cutoff) in latest:
            referred = remembered
        elif referred:
            referred -= 1
        else:
            forgettable.append(forecast_id)
    return forgettable


def delete_forecasts(session: Session, ids: Sequence[int]) -> None:
    """Delete some forecasts, with their scores."""
    cards = select(Forecast.series_id, ForecastStep.target_ts, ForecastStep.forecast_id, ForecastStep.step).join(
        ForecastStep, ForecastStep.forecast_id == Forecast.id
    )
    for entity in (Score, PendingScore):
        card = tuple_(entity.series_id, entity.target_ts, entity.forecast_id, entity.step)
        session.execute(delete(entity).where(card.in_(cards.where(Forecast.id.in_(ids)))))
    for key in (ForecastBound.forecast_id, ForecastStep.forecast_id, Forecast.id):
        session.execute(delete(key.class_).where(key.in_(ids)))


def delete_observations(session: Session, series_id: int, before: datetime, limit: int) -> int:
    """Delete up to `limit` observations of times before a moment, all their revisions counted. Returns how many."""
    mine, ts = Observation.series_id == series_id, Observation.ts
    next_batch = session.scalar(select(ts).where(mine, ts < before).order_by(ts).offset(limit).limit(1))
    return changed(session, delete(Observation).where(mine, ts < (next_batch or before)))


def delete_models(session: Session, panel: str, before: datetime) -> int:
    """Delete the models of a panel trained before a moment, with their promotions. Returns how many.

    The champion stays, the one that served before it (to roll back to), and what a forecast refers to.
    """
    kept = {model.id for model in (champion(session, panel), previous_champion(session, panel)) if model is not None}
    newest = session.scalar(select(func.max(Model.id)).where(Model.panel == panel))
    kept |= {newest} if newest is not None else set()  # its version must not be given out again
    unused = Model.id.not_in(select(Forecast.model_id))
    old = select(Model.id).where(Model.panel == panel, Model.trained_at < before, unused, Model.id.not_in(kept))
    ids = list(session.scalars(old))
    session.execute(delete(Promotion).where(Promotion.model_id.in_(ids)))
    return changed(session, delete(Model).where(Model.id.in_(ids)))


def delete_runs(session: Session, panel: str, before: datetime, newest: int) -> int:
    """Delete the runs of a panel started before a moment. Returns how many.

    The `newest` so many of each job stay, and the newest that went well, however long ago that was.
    """
    total = 0
    for job in session.scalars(select(Run.job).where(Run.panel == panel).distinct()).all():
        mine = (Run.panel == panel, Run.job == job)
        kept = {run.id for run in newest_runs(session, panel, job, newest)}
        if (good := newest_good_run(session, panel, job)) is not None:
            kept.add(good.id)
        total += changed(session, delete(Run).where(*mine, Run.started < before, Run.id.not_in(kept)))
    return total
