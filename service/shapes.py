"""The shapes of the answers, as they go over the wire. A field that is None has no value."""

from datetime import datetime

import msgspec


class ObservationAnswer(msgspec.Struct):
    """One observation."""

    ts: datetime
    value: float


class StepAnswer(msgspec.Struct):
    """One step of a forecast. intervals: level in percent → [lo, hi]."""

    step: int
    target_ts: datetime
    mean: float
    naive: float
    intervals: dict[str, tuple[float, float]]


class IssuedAnswer(msgspec.Struct):
    """A forecast as the ledger holds it."""

    issued_at: datetime
    cutoff: datetime
    model: str
    model_version: int
    model_trained_at: datetime
    steps: list[StepAnswer]


class LedgerAnswer(msgspec.Struct):
    """Forecasts of a series as the ledger holds them, beside the state that the series is in now."""

    series: str
    panel: str
    status: str
    reason: str
    forecasts: list[IssuedAnswer]


class AgesAnswer(msgspec.Struct):
    """Ages in seconds: of the newest observation's end, of the forecast, of its model."""

    data_s: float | None
    forecast_s: float | None
    model_s: float | None


class LatestAnswer(msgspec.Struct):
    """The latest forecast of a series, and how far it can be trusted."""

    series: str
    panel: str
    status: str
    reason: str
    ages: AgesAnswer
    issued_at: datetime | None
    cutoff: datetime | None
    model: str | None
    model_version: int | None
    model_trained_at: datetime | None
    steps: list[StepAnswer]


class StepScoreAnswer(msgspec.Struct):
    """Live errors at one step: as in ScoreAnswer."""

    step: int
    scored: int
    mae: float | None
    naive_mae: float | None
    mase: float | None
    skill: float | None
    coverage: dict[str, float]


class ScoreAnswer(msgspec.Struct):
    """Live errors over some span: mae and naive_mae in the series' own unit; skill is 1 − mae / naive_mae.

    mase: the mean of each error in units of its forecast's scale. The last three are None where only the errors are
    told.
    """

    scored_steps: int
    pending_steps: int
    mae: float | None
    naive_mae: float | None
    skill: float | None
    mase: float | None
    coverage: dict[str, float] | None
    by_step: list[StepScoreAnswer] | None


class ScoresAnswer(msgspec.Struct):
    """A series' live scores by span: of targets in the last 7 days, the last 30, and all."""

    series: str
    windows: dict[str, ScoreAnswer]


class RefitAnswer(msgspec.Struct):
    """A run of a panel's refit. A reason that begins with drift: it was forced, because live errors were too large."""

    started: datetime
    ended: datetime | None
    outcome: str
    reason: str


class SeriesAnswer(msgspec.Struct):
    """A series at a glance."""

    name: str
    panel: str
    interval: str
    horizon: int
    status: str
    reason: str
    newest: ObservationAnswer | None
    data_age_s: float | None
    next: StepAnswer | None
    model: str | None
    score_7d: ScoreAnswer
    last_refit: RefitAnswer | None
    next_refit: datetime | None


class ModelAnswer(msgspec.Struct):
    """A version of a panel's model. promoted_at: when it was promoted last, and why; None where it never was."""

    version: int
    kind: str
    trained_at: datetime
    cutoff: datetime
    standing: str
    verdict: str
    promoted_at: datetime | None
    reason: str | None
