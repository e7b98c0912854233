"""The shapes of the answers, as they go over the wire. A field that is None has no value."""

from datetime import datetime
from typing import Annotated

import msgspec

from service.state import Status

Time = Annotated[datetime, msgspec.Meta(tz=True)]


class ObservationAnswer(msgspec.Struct):
    """One observation."""

    ts: Time
    value: float


class StepAnswer(msgspec.Struct):
    """One step of a forecast. intervals: level in percent → [lo, hi]."""

    step: int
    target_ts: Time
    mean: float
    naive: float
    intervals: dict[str, tuple[float, float]]


class IssuedAnswer(msgspec.Struct):
    """A forecast as the ledger holds it."""

    issued_at: Time
    cutoff: Time
    model: str
    model_version: int
    model_trained_at: Time
    steps: list[StepAnswer]


class LedgerAnswer(msgspec.Struct):
    """Forecasts of a series as the ledger holds them, beside the state that the series is in now; where to go on."""

    series: str
    panel: str
    status: Status
    reason: str
    forecasts: list[IssuedAnswer]
    next: str | None


class AgesAnswer(msgspec.Struct):
    """Ages in whole seconds: of the newest observation's end, of the forecast, of its model."""

    data_s: int | None
    forecast_s: int | None
    model_s: int | None


class LatestAnswer(msgspec.Struct):
    """The latest forecast of a series, and how far it can be trusted.

    until: when time alone will change its status, if nothing new comes; null where it never will.
    """

    series: str
    panel: str
    status: Status
    reason: str
    until: Time | None
    ages: AgesAnswer
    issued_at: Time | None
    cutoff: Time | None
    model: str | None
    model_version: int | None
    model_trained_at: Time | None
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
    told. What was scored stays known when forecasts are forgotten; by_step of a window is of those that are kept.
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

    started: Time
    ended: Time | None
    outcome: str
    reason: str


class SeriesAnswer(msgspec.Struct):
    """A series at a glance.

    history and ahead: its newest observations and all steps of its latest forecast, where they were asked for.
    """

    name: str
    panel: str
    interval: str
    horizon: int
    status: Status
    reason: str
    newest: ObservationAnswer | None
    data_age_s: int | None
    next: StepAnswer | None
    model: str | None
    model_version: int | None
    score_7d: ScoreAnswer
    last_refit: RefitAnswer | None
    next_refit: Time | None
    history: list[ObservationAnswer] | None
    ahead: list[StepAnswer] | None


class SeriesListAnswer(msgspec.Struct):
    """Some series, and where the next page begins: null where this is the last."""

    series: list[SeriesAnswer]
    next: str | None


class ObservationsAnswer(msgspec.Struct):
    """Observations of a series as known at a moment, oldest first."""

    series: str
    as_of: Time
    observations: list[ObservationAnswer]


class BulkAnswer(msgspec.Struct):
    """The latest forecasts of some series, in the order asked for."""

    forecasts: list[LatestAnswer]


class RunAnswer(msgspec.Struct):
    """One run of a job. outcome: running, ok, waiting, failed or interrupted."""

    id: int
    job: str
    panel: str
    due: Time
    started: Time
    ended: Time | None
    duration_s: float | None
    outcome: str
    reason: str


class RunsAnswer(msgspec.Struct):
    """Some runs, newest first, and where the next page begins."""

    runs: list[RunAnswer]
    next: str | None


class PanelAnswer(msgspec.Struct):
    """A panel: what is configured, how many of its series are in which state, and the newest run of each job."""

    name: str
    source: str
    interval: str
    horizon: int
    levels: list[int]
    series: int
    statuses: dict[str, int]
    model: str | None
    model_version: int | None
    next_fetch: Time
    next_refit: Time | None
    last_runs: dict[str, RunAnswer | None]


class PanelsAnswer(msgspec.Struct):
    """Every panel that is configured."""

    panels: list[PanelAnswer]


class ModelAnswer(msgspec.Struct):
    """A version of a panel's model. promoted_at: when it was promoted last, and why; None where it never was."""

    version: int
    kind: str
    trained_at: Time
    cutoff: Time
    standing: str
    verdict: str
    promoted_at: Time | None
    reason: str | None


class HealthAnswer(msgspec.Struct):
    """Whether the daemon is alive, or ready."""

    status: str


class ModelsAnswer(msgspec.Struct):
    """The versions of the model of a series' panel, newest first."""

    series: str
    panel: str
    models: list[ModelAnswer]
