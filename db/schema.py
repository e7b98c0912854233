"""The tables.

    series ──< observations          what was learnt, and when; a changed value is a new row
       ├────< factors                what a split or a dividend makes of the values before it
       └────< forecasts >── models   the ledger: one forecast per (series, cutoff, model), never changed
                 │             └──< promotions   which model serves since when: the newest one's
                 ├──< forecast_steps ──< forecast_bounds
                 ├──< pending_scores a step whose truth is not known yet
                 └──< scores         a step whose truth is known
                        ├── score_days   sums of them by series and day of target, kept for ever
                        └── score_steps  and by series and step
    runs                             every run of a job: due, started, ended, outcome, reason
    events                           what happened, in the order of writing: the newest so many
    source_states                    where each panel's source stands

Triggers (see the migrations) refuse every change to a row of the ledger, and to a promotion.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.times import UtcDateTime


class Base(DeclarativeBase):
    """All tables; a Python datetime is UTC microseconds in every one of them."""

    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012  SQLAlchemy reads it as it is


class Series(Base):
    """One named sequence of observations."""

    __tablename__ = "series"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    panel: Mapped[str] = mapped_column(index=True)
    failing_since: Mapped[datetime | None]  # the first of the failed fetches since the last good one
    failure: Mapped[str | None]  # the newest of their reasons


class Observation(Base):
    """A value, and when we learnt it."""

    __tablename__ = "observations"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012  likewise
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), primary_key=True)
    ts: Mapped[datetime] = mapped_column(primary_key=True)
    observed_at: Mapped[datetime] = mapped_column(primary_key=True)
    value: Mapped[float]


class Factor(Base):
    """What values before a time are to be multiplied by, to be in the measure of those after it; when we learnt it."""

    __tablename__ = "factors"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012  likewise
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), primary_key=True)
    ts: Mapped[datetime] = mapped_column(primary_key=True)
    observed_at: Mapped[datetime] = mapped_column(primary_key=True)
    factor: Mapped[float]


class SourceState(Base):
    """Where a panel's source stands after its last good fetch; of use while its options are the same."""

    __tablename__ = "source_states"
    panel: Mapped[str] = mapped_column(primary_key=True)
    options: Mapped[str]  # a digest
    state: Mapped[dict[str, Any]]


class Model(Base):
    """A fitted candidate."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("panel", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    panel: Mapped[str]
    version: Mapped[int]
    kind: Mapped[str]
    cutoff: Mapped[datetime]
    trained_at: Mapped[datetime]
    accepted: Mapped[bool]  # by the gate; whether it ever served, its promotions say
    verdict: Mapped[str]
    content: Mapped[bytes] = mapped_column(
        LargeBinary
    )  # npz: weights, configuration, seed, cutoff, fingerprint, trained_at


class Promotion(Base):
    """From here on a model serves its panel: the champion is the model of the newest one, in order of writing."""

    __tablename__ = "promotions"
    __table_args__ = (Index("ix_promotions_newest", "panel", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    panel: Mapped[str]
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    promoted_at: Mapped[datetime]
    reason: Mapped[str]


class Forecast(Base):
    """A ledger entry: what was forecast, from which data, by which model."""

    __tablename__ = "forecasts"
    __table_args__ = (
        UniqueConstraint("series_id", "cutoff", "model_id"),
        Index("ix_forecasts_issued", "series_id", "issued_at"),
        Index("ix_forecasts_of_model", "series_id", "model_id", "cutoff"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    cutoff: Mapped[datetime]
    issued_at: Mapped[datetime]
    unit: Mapped[float | None]  # of its intervals: what makes errors of different times comparable
    scale: Mapped[float | None]  # of MASE: the mean seasonal difference of the series that the model was fitted on


class ForecastStep(Base):
    """One step of a forecast, beside what the naive forecast said."""

    __tablename__ = "forecast_steps"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012  likewise
    forecast_id: Mapped[int] = mapped_column(ForeignKey("forecasts.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    target_ts: Mapped[datetime]
    mean: Mapped[float]
    naive: Mapped[float]


class ForecastBound(Base):
    """One step's prediction interval at one level, in percent."""

    __tablename__ = "forecast_bounds"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012  likewise
    forecast_id: Mapped[int] = mapped_column(ForeignKey("forecasts.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True)
    lo: Mapped[float]
    hi: Mapped[float]


class PendingScore(Base):
    """A step whose truth is not known yet: written with its forecast, a score once the truth arrives."""

    __tablename__ = "pending_scores"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012  likewise
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), primary_key=True)
    target_ts: Mapped[datetime] = mapped_column(primary_key=True)
    forecast_id: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)


class Score(Base):
    """A step's score: the first truth learnt for its target, and how far off the forecast and the naive were.

    Kept in order of series and target, because that is how it is asked for; so no foreign key checks its forecast.
    """

    __tablename__ = "scores"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012  likewise
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), primary_key=True)
    target_ts: Mapped[datetime] = mapped_column(primary_key=True)
    forecast_id: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float]
    error: Mapped[float]  # value − mean
    naive_error: Mapped[float]  # value − naive
    scored_at: Mapped[datetime]


class _Sums:
    """Absolute errors of scored steps, summed; inside: level → [how many fell inside, of how many]."""

    count: Mapped[int]
    error: Mapped[float]
    naive_error: Mapped[float]
    scaled_count: Mapped[int]  # of steps whose forecast has a scale
    scaled_error: Mapped[float]
    inside: Mapped[dict[str, Any]]


class ScoreDay(_Sums, Base):
    """The sums of a series over the targets of one UTC day; they stay when the scores themselves are forgotten."""

    __tablename__ = "score_days"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012  likewise
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), primary_key=True)
    day: Mapped[datetime] = mapped_column(primary_key=True)  # its midnight


class ScoreStep(_Sums, Base):
    """The sums of a series over all targets at one step; they stay likewise."""

    __tablename__ = "score_steps"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012  likewise
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)


class Event(Base):
    """Something that happened, for those who watch. kind: observation, forecast, score, refit or state."""

    __tablename__ = "events"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  an id is never used again
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    panel: Mapped[str]
    series: Mapped[str | None]  # its name; None where it is the panel's as a whole
    at: Mapped[datetime]
    data: Mapped[dict[str, Any]]


class Run(Base):
    """One run of a job for a panel. outcome: running, ok, waiting, failed or interrupted."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_newest", "panel", "job", "id"),
        Index("ix_runs_newest_of_outcome", "panel", "job", "outcome", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str]
    panel: Mapped[str]
    due: Mapped[datetime]
    started: Mapped[datetime]
    ended: Mapped[datetime | None]
    outcome: Mapped[str]
    reason: Mapped[str]
