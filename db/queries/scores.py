"""Scores: each step of a forecast against the truth, and what they come to, step by step."""

import math
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from db.queries.observations import Pair, factors
from db.schema import Forecast, ForecastBound, ForecastStep, Observation, PendingScore, Score
from db.times import to_us


@dataclass
class Tally:
    """Absolute errors of scored steps, summed. A mean over nothing is None."""

    count: int = 0
    error: float = 0.0
    naive_error: float = 0.0
    scaled_count: int = 0  # of steps whose forecast has a scale
    scaled_error: float = 0.0
    inside: dict[int, tuple[int, int]] = field(default_factory=dict)  # level → how many fell inside, of how many

    def add(self, other: "Tally") -> None:
        """Take the steps of another in."""
        self.count += other.count
        self.error += other.error
        self.naive_error += other.naive_error
        self.scaled_count += other.scaled_count
        self.scaled_error += other.scaled_error
        for level, (inside, of) in other.inside.items():
            before = self.inside.get(level, (0, 0))
            self.inside[level] = (before[0] + inside, before[1] + of)

    @property
    def mae(self) -> float | None:
        """The mean absolute error."""
        return self.error / self.count if self.count else None

    @property
    def naive_mae(self) -> float | None:
        """The naive forecast's."""
        return self.naive_error / self.count if self.count else None

    @property
    def mase(self) -> float | None:
        """The mean absolute error, each in units of its forecast's scale."""
        return self.scaled_error / self.scaled_count if self.scaled_count else None

    @property
    def coverage(self) -> dict[int, float]:
        """The share that fell inside each level's interval."""
        return {level: inside / of for level, (inside, of) in sorted(self.inside.items())}


@dataclass(frozen=True)
class ScoreSummary:
    """How forecasts did, over all steps and step by step, and how many steps wait for their truth."""

    pending: int
    all: Tally
    by_step: dict[int, Tally]


def fill_scores(session: Session, series_id: int, now: datetime) -> int:
    """Score the pending steps whose truth is known as of `now`, with the first value learnt. Returns how many.

    Truth is told in the measure of the forecast: a split between cutoff and target is no error of the forecast's.
    """
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
    known = factors(session, series_id, as_of=now)
    for pending, (mean, naive, brought) in first_learnt.items():
        value = brought * _measure(session, pending, known) if known else brought
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


def _measure(session: Session, pending: PendingScore, known: list[Pair]) -> float:
    """What a value at the target is worth in the measure that its forecast was issued in."""
    forecast = session.get_one(Forecast, pending.forecast_id)
    then = dict(factors(session, pending.series_id, as_of=forecast.issued_at))
    cutoff, target = to_us(forecast.cutoff), to_us(pending.target_ts)
    announced = math.prod(factor for ts, factor in then.items() if ts > target)
    return announced / math.prod(factor for ts, factor in known if cutoff < ts <= target and ts not in then)


def score_summary(session: Session, series_id: int, since: datetime | None = None) -> ScoreSummary:
    """How the forecasts of a series did on targets since a moment."""
    mine = _of(Score, series_id, since)
    scaled = case((Forecast.scale > 0, func.abs(Score.error) / Forecast.scale))
    errors = select(
        Score.step,
        func.count(),
        func.sum(func.abs(Score.error)),
        func.sum(func.abs(Score.naive_error)),
        func.count(scaled),
        func.coalesce(func.sum(scaled), 0.0),
    ).join(Forecast, Forecast.id == Score.forecast_id)
    rows = session.execute(errors.where(*mine).group_by(Score.step).order_by(Score.step))
    by_step = {row[0]: Tally(*row[1:]) for row in rows}
    inside = func.sum(case(((Score.value >= ForecastBound.lo) & (Score.value <= ForecastBound.hi), 1), else_=0))
    shares = session.execute(
        select(Score.step, ForecastBound.level, inside, func.count())
        .join(ForecastBound, (ForecastBound.forecast_id == Score.forecast_id) & (ForecastBound.step == Score.step))
        .where(*mine)
        .group_by(Score.step, ForecastBound.level)
    )
    for step, level, share, of in shares:
        by_step[step].inside[level] = (share, of)
    total = Tally()
    for tally in by_step.values():
        total.add(tally)
    return ScoreSummary(_pending(session, series_id, since), total, by_step)


def score_glance(session: Session, series_id: int, since: datetime | None = None) -> ScoreSummary:
    """The errors alone, over all steps: coverage and what is told step by step take most of the time."""
    errors = select(func.count(), func.sum(func.abs(Score.error)), func.sum(func.abs(Score.naive_error)))
    count, error, naive_error = session.execute(errors.where(*_of(Score, series_id, since))).one()
    return ScoreSummary(_pending(session, series_id, since), Tally(count, error or 0.0, naive_error or 0.0), {})


def _pending(session: Session, series_id: int, since: datetime | None) -> int:
    waiting = select(func.count()).select_from(PendingScore)
    return session.scalar(waiting.where(*_of(PendingScore, series_id, since))) or 0


def _of(entity: type[Score] | type[PendingScore], series_id: int, since: datetime | None) -> list[ColumnElement[bool]]:
    """The rows of a series whose targets come at a moment or after it: what both tables are kept in order of."""
    mine: list[ColumnElement[bool]] = [entity.series_id == series_id]
    if since is not None:
        mine.append(entity.target_ts >= since)
    return mine
