"""Every read and write of the database, as a named function that takes a session.

Observations in bulk travel as pairs (microseconds since 1970, value), because a datetime object for each would cost
more than the query. *As of* a moment means: of each time, the newest revision that was known by then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    Delete,
    Select,
    Update,
    delete,
    func,
    insert,
    select,
    text,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session, aliased

from db.schema import Forecast, ForecastBound, ForecastStep, Model, Observation, PendingScore, Run, Score, Series
from db.times import from_us

Pair = tuple[int, float]


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


@dataclass(frozen=True)
class ScoreSummary:
    """How forecasts did: over `count` scored steps the mean absolute errors, and the share inside each level."""

    count: int
    pending: int
    mae: float | None
    naive_mae: float | None
    coverage: dict[int, float] | None  # None where it was not asked for


def ping(session: Session) -> None:
    """Raise where the database does not answer."""
    session.execute(text("SELECT 1 FROM series LIMIT 1"))


# ── series ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def series_of_panel(session: Session, panel: str) -> list[Series]:
    """A panel's series, by name."""
    return list(session.scalars(select(Series).where(Series.panel == panel).order_by(Series.name)))


def all_series(session: Session) -> list[Series]:
    """Every series, by panel and name."""
    return list(session.scalars(select(Series).order_by(Series.panel, Series.name)))


def find_series(session: Session, name: str) -> Series | None:
    """The series of that name."""
    return session.scalar(select(Series).where(Series.name == name))


def add_series(session: Session, name: str, panel: str) -> Series:
    """A new series of a panel."""
    series = Series(name=name, panel=panel)
    session.add(series)
    session.flush()
    return series


# ── observations ────────────────────────────────────────────────────────────────────────────────────────────────────


def observations(
    session: Session,
    series_id: int,
    *,
    as_of: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    newest: int | None = None,
) -> list[Pair]:
    """Pairs (ts, value) in order of time, as of a moment; from start to end, both included; the `newest` so many."""
    conditions: list[ColumnElement[bool]] = [Observation.series_id == series_id, Observation.observed_at <= as_of]
    if start is not None:
        conditions.append(Observation.ts >= start)
    if end is not None:
        conditions.append(Observation.ts <= end)
    chosen: Select[int, float] = select(type_coerce(Observation.ts, BigInteger), Observation.value).where(*conditions)
    # Newest first, and of each time the newest revision first: a set of n times needs no more than the first rows of
    # the index.
    rows = session.execute(
        chosen.order_by(Observation.ts.desc(), Observation.observed_at.desc()).execution_options(yield_per=2000)
    )
    pairs: list[Pair] = []
    for ts, value in rows:
        if pairs and pairs[-1][0] == ts:
            continue
        if len(pairs) == newest:
            rows.close()
            break
        pairs.append((ts, value))
    pairs.reverse()
    return pairs


def newest_ts(session: Session, series_id: int, as_of: datetime) -> datetime | None:
    """The time of the newest observation known as of a moment."""
    return session.scalar(
        select(Observation.ts)
        .where(Observation.series_id == series_id, Observation.observed_at <= as_of)
        .order_by(Observation.ts.desc())
        .limit(1)
    )


def add_observations(session: Session, series_id: int, pairs: Iterable[Pair], observed_at: datetime) -> None:
    """Store values learnt at `observed_at`. One that is there already, of the same time and moment, is replaced."""
    rows = [
        {"series_id": series_id, "ts": from_us(ts), "observed_at": observed_at, "value": value} for ts, value in pairs
    ]
    if rows:
        statement = sqlite_insert(Observation)
        key = [Observation.series_id, Observation.ts, Observation.observed_at]
        session.execute(
            statement.on_conflict_do_update(index_elements=key, set_={"value": statement.excluded.value}), rows
        )


# ── models ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def champion(session: Session, panel: str) -> Model | None:
    """The model that serves a panel: the newest promoted one, in order of writing, which no clock can turn back."""
    promoted = select(Model).where(Model.panel == panel, Model.promoted_at.is_not(None))
    return session.scalar(promoted.order_by(Model.id.desc()).limit(1))


def add_model(
    session: Session,
    panel: str,
    *,
    kind: str,
    cutoff: datetime,
    trained_at: datetime,
    promoted_at: datetime | None,
    verdict: str,
    content: bytes,
) -> Model:
    """Store a fitted candidate under the panel's next version."""
    newest = session.scalar(select(func.max(Model.version)).where(Model.panel == panel)) or 0
    model = Model(
        panel=panel,
        version=newest + 1,
        kind=kind,
        cutoff=cutoff,
        trained_at=trained_at,
        promoted_at=promoted_at,
        verdict=verdict,
        content=content,
    )
    session.add(model)
    session.flush()
    return model


# ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────


def is_issued(session: Session, series_id: int, cutoff: datetime, model_id: int) -> bool:
    """Whether the ledger holds the forecast of that series, cutoff and model."""
    same = (Forecast.series_id == series_id, Forecast.cutoff == cutoff, Forecast.model_id == model_id)
    return session.scalar(select(Forecast.id).where(*same)) is not None


def issue(
    session: Session, series_id: int, model_id: int, cutoff: datetime, issued_at: datetime, steps: Sequence[NewStep]
) -> bool:
    """Write a forecast into the ledger, its steps pending a score. False, and nothing done, where it is there."""
    statement = sqlite_insert(Forecast).on_conflict_do_nothing().returning(Forecast.id)
    values = {"series_id": series_id, "model_id": model_id, "cutoff": cutoff, "issued_at": issued_at}
    forecast_id = session.scalar(statement.values(values))
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
    """The forecast issued last, and its model."""
    found = session.execute(
        select(Forecast, Model)
        .join(Model, Model.id == Forecast.model_id)
        .where(Forecast.series_id == series_id)
        .order_by(Forecast.id.desc())
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


# ── scores ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def fill_scores(session: Session, series_id: int, now: datetime) -> int:
    """Score the pending steps whose truth is known as of `now`, with the first value learnt. Returns how many."""
    due = session.execute(
        select(PendingScore, ForecastStep.mean, ForecastStep.naive, Observation.value)
        .join(
            Observation,
            (Observation.series_id == PendingScore.series_id) & (Observation.ts == PendingScore.target_ts),
        )
        .join(
            ForecastStep,
            (ForecastStep.forecast_id == PendingScore.forecast_id) & (ForecastStep.step == PendingScore.step),
        )
        .where(PendingScore.series_id == series_id, Observation.observed_at <= now)
        .order_by(Observation.observed_at.desc())
    )
    # The oldest revision comes last, and stays.
    first_learnt = {pending: (mean, naive, value) for pending, mean, naive, value in due}
    for pending, (mean, naive, value) in first_learnt.items():
        session.add(
            Score(
                series_id=series_id,
                target_ts=pending.target_ts,
                forecast_id=pending.forecast_id,
                step=pending.step,
                value=value,
                error=value - mean,
                naive_error=value - naive,
                scored_at=now,
            )
        )
        session.delete(pending)
    return len(first_learnt)


def oldest_cutoff(session: Session, series_id: int) -> datetime | None:
    """The cutoff of the oldest forecast of a series that is kept."""
    return session.scalar(select(func.min(Forecast.cutoff)).where(Forecast.series_id == series_id))


def score_summary(
    session: Session, series_id: int, since: datetime | None = None, *, with_coverage: bool = True
) -> ScoreSummary:
    """How the forecasts of a series did on targets since a moment. The coverage takes most of the time."""
    mine = [Score.series_id == series_id]
    if since is not None:
        mine.append(Score.target_ts >= since)
    errors = (func.count(), func.avg(func.abs(Score.error)), func.avg(func.abs(Score.naive_error)))
    count, mae, naive_mae = session.execute(select(*errors).where(*mine)).one()
    open_steps = [PendingScore.series_id == series_id]
    if since is not None:
        open_steps.append(PendingScore.target_ts >= since)
    pending = session.scalar(select(func.count()).select_from(PendingScore).where(*open_steps)) or 0
    if not with_coverage:
        return ScoreSummary(count, pending, mae, naive_mae, None)
    inside = func.avg((Score.value >= ForecastBound.lo) & (Score.value <= ForecastBound.hi))
    shares = session.execute(
        select(ForecastBound.level, inside)
        .join(Score, (Score.forecast_id == ForecastBound.forecast_id) & (Score.step == ForecastBound.step))
        .where(*mine)
        .group_by(ForecastBound.level)
        .order_by(ForecastBound.level)
    )
    return ScoreSummary(count, pending, mae, naive_mae, {level: float(share) for level, share in shares})


# ── forgetting ──────────────────────────────────────────────────────────────────────────────────────────────────


def delete_forecasts(session: Session, panel: str, before: datetime, limit: int) -> int:
    """Delete up to `limit` forecasts of a panel issued before a moment, with their scores. Returns how many.

    The latest forecast of a series stays, however old.
    """
    newer = aliased(Forecast)
    later = select(newer.id).where(newer.series_id == Forecast.series_id, newer.id > Forecast.id).exists()
    mine = select(Series.id).where(Series.panel == panel)
    old = select(Forecast.id).where(Forecast.series_id.in_(mine), Forecast.issued_at < before, later).limit(limit)
    ids = list(session.scalars(old))
    cards = select(Forecast.series_id, ForecastStep.target_ts, ForecastStep.forecast_id, ForecastStep.step).join(
        ForecastStep, ForecastStep.forecast_id == Forecast.id
    )
    for entity in (Score, PendingScore):
        card = tuple_(entity.series_id, entity.target_ts, entity.forecast_id, entity.step)
        session.execute(delete(entity).where(card.in_(cards.where(Forecast.id.in_(ids)))))
    for key in (ForecastBound.forecast_id, ForecastStep.forecast_id, Forecast.id):
        session.execute(delete(key.class_).where(key.in_(ids)))
    return len(ids)


def delete_observations(session: Session, series_id: int, before: datetime, limit: int) -> int:
    """Delete up to `limit` observations of times before a moment, all their revisions counted. Returns how many."""
    mine, ts = Observation.series_id == series_id, Observation.ts
    next_batch = session.scalar(select(ts).where(mine, ts < before).order_by(ts).offset(limit).limit(1))
    return _changed(session, delete(Observation).where(mine, ts < (next_batch or before)))


def delete_models(session: Session, panel: str, before: datetime) -> int:
    """Delete the models of a panel trained before a moment that neither serve nor are referred to."""
    mine = Model.panel == panel
    serving = select(func.max(Model.id)).where(mine, Model.promoted_at.is_not(None)).scalar_subquery()
    newest = select(func.max(Model.id)).where(mine).scalar_subquery()  # its version must not be given out again
    unused = Model.id.not_in(select(Forecast.model_id))
    old = (mine, Model.trained_at < before, unused, Model.id != serving, Model.id != newest)
    return _changed(session, delete(Model).where(*old))


def delete_runs(session: Session, panel: str, before: datetime, newest: int) -> int:
    """Delete the runs of a panel started before a moment, save the `newest` so many of each job. Returns how many."""
    total = 0
    for job in session.scalars(select(Run.job).where(Run.panel == panel).distinct()).all():
        mine = (Run.panel == panel, Run.job == job)
        kept = select(Run.id).where(*mine).order_by(Run.id.desc()).limit(newest)
        total += _changed(session, delete(Run).where(*mine, Run.started < before, Run.id.not_in(kept)))
    return total


def _changed(session: Session, statement: Delete | Update) -> int:
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


# ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def start_run(session: Session, job: str, panel: str, *, due: datetime, started: datetime) -> int:
    """Record that a job runs; returns the run's id."""
    run = Run(job=job, panel=panel, due=due, started=started, outcome="running", reason="")
    session.add(run)
    session.flush()
    return run.id


def end_run(session: Session, run_id: int, *, ended: datetime, outcome: str, reason: str) -> None:
    """Record how a run ended."""
    session.execute(update(Run).where(Run.id == run_id).values(ended=ended, outcome=outcome, reason=reason))


def delete_run(session: Session, run_id: int) -> None:
    """Leave no record of a run."""
    session.execute(delete(Run).where(Run.id == run_id))


def interrupt_runs(session: Session, now: datetime) -> int:
    """Close the runs that never ended, because their process died. Returns how many.

    A refit whose model was stored did end, only not on record: it must not be done again.
    """
    left = update(Run).where(Run.outcome == "running")
    stored = select(Model.id).where(Model.panel == Run.panel, Model.trained_at >= Run.started).exists()
    ended = left.where(Run.job == "refit", stored).values(
        ended=now, outcome="ok", reason="ended before its process did"
    )
    interrupted = left.values(ended=now, outcome="interrupted", reason="the process ended before the job did")
    return _changed(session, ended) + _changed(session, interrupted)


def newest_runs(session: Session, panel: str, job: str, limit: int) -> list[Run]:
    """The newest runs of a panel's job, newest first."""
    chosen = select(Run).where(Run.panel == panel, Run.job == job).order_by(Run.id.desc()).limit(limit)
    return list(session.scalars(chosen))
