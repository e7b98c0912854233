"""What Rollcast answers, to the API and the command line alike: read from the database, judged, shaped for the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from db import queries
from db.queries import Pair, ScoreSummary, Tally
from db.schema import Forecast, Model, Run, Series
from db.times import from_us, to_us
from jobs import calendars, grid
from jobs.due import RUNS_LOOKED_AT, fetched_by, next_due, schedule_of
from jobs.forecast import serving
from jobs.panel import Panel
from jobs.refit import lacking
from models.panel import values_needed
from service import durations
from service.shapes import (
    AgesAnswer,
    IssuedAnswer,
    LatestAnswer,
    LedgerAnswer,
    ObservationAnswer,
    RefitAnswer,
    ScoreAnswer,
    ScoresAnswer,
    SeriesAnswer,
    StepAnswer,
    StepScoreAnswer,
)
from service.state import Known, State, state

SCORE_WINDOWS: dict[str, timedelta | None] = {"7d": timedelta(days=7), "30d": timedelta(days=30), "all": None}


class NoSeriesError(Exception):
    """There is no series of that name; `hint` says which there are."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f"there is no series {name!r}")
        self.hint = hint


def all_series(session: Session, panels: Mapping[str, Panel], now: datetime) -> list[SeriesAnswer]:
    """Every series of the panels that are configured."""
    shared = {name: _Shared(session, panel, now) for name, panel in panels.items()}
    return [
        _series(session, _see(session, panels[series.panel], series, now, shared[series.panel]))
        for series in queries.all_series(session)
        if series.panel in panels
    ]


def one_series(session: Session, panels: Mapping[str, Panel], name: str, now: datetime) -> SeriesAnswer:
    """One series. Raises NoSeriesError."""
    return _series(session, _find(session, panels, name, now))


def latest(session: Session, panels: Mapping[str, Panel], name: str, now: datetime) -> LatestAnswer:
    """The latest forecast of a series, with its state. Raises NoSeriesError."""
    seen = _find(session, panels, name, now)
    forecast, model = seen.forecast, seen.model
    return LatestAnswer(
        series=seen.series.name,
        panel=seen.panel.name,
        status=seen.state.status,
        reason=seen.state.reason,
        ages=AgesAnswer(
            seen.data_age_s,
            None if forecast is None else (now - forecast.issued_at).total_seconds(),
            None if model is None else (now - model.trained_at).total_seconds(),
        ),
        issued_at=None if forecast is None else forecast.issued_at,
        cutoff=None if forecast is None else forecast.cutoff,
        model=None if model is None else model.kind,
        model_version=None if model is None else model.version,
        model_trained_at=None if model is None else model.trained_at,
        steps=seen.steps,
    )


def ledger(
    session: Session,
    panels: Mapping[str, Panel],
    name: str,
    now: datetime,
    *,
    issued_after: datetime | None,
    limit: int,
) -> LedgerAnswer:
    """The newest forecasts of a series as they were issued, newest first. Raises NoSeriesError."""
    seen = _find(session, panels, name, now)
    found = queries.forecasts(session, seen.series.id, issued_after=issued_after, limit=limit)
    steps = _steps(session, [forecast.id for forecast, _ in found])
    forecasts = [
        IssuedAnswer(f.issued_at, f.cutoff, model.kind, model.version, model.trained_at, steps[f.id])
        for f, model in found
    ]
    return LedgerAnswer(seen.series.name, seen.panel.name, seen.state.status, seen.state.reason, forecasts)


def observations(
    session: Session,
    panels: Mapping[str, Panel],
    name: str,
    now: datetime,
    *,
    start: datetime | None,
    end: datetime | None,
    limit: int,
) -> list[ObservationAnswer]:
    """The newest `limit` observations between two times, both included, as known now. Raises NoSeriesError."""
    series = find(session, panels, name)
    pairs = queries.observations(session, series.id, as_of=now, start=start, end=end, newest=limit)
    return [ObservationAnswer(from_us(ts), value) for ts, value in pairs]


def scores(session: Session, panels: Mapping[str, Panel], name: str, now: datetime) -> ScoresAnswer:
    """The live scores of a series. Raises NoSeriesError."""
    series = find(session, panels, name)
    windows = {
        window: _scores(queries.score_summary(session, series.id, None if span is None else now - span))
        for window, span in SCORE_WINDOWS.items()
    }
    return ScoresAnswer(series.name, windows)


def find(session: Session, panels: Mapping[str, Panel], name: str) -> Series:
    """The series of that name in a configured panel. Raises NoSeriesError."""
    series = queries.find_series(session, name)
    if series is None or series.panel not in panels:
        names = [series.name for series in queries.all_series(session) if series.panel in panels]
        told = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        raise NoSeriesError(name, f"there are {told}" if names else "there are none yet: the first fetch makes them")
    return series


class _Shared:
    """What a panel's series share: its refits, and what it has too few of for a first model. Read when asked for."""

    def __init__(self, session: Session, panel: Panel, now: datetime) -> None:
        self._session = session
        self._panel = panel
        self._now = now

    @cached_property
    def refits(self) -> Sequence[Run]:
        """The newest ones, newest first."""
        return queries.newest_runs(self._session, self._panel.name, "refit", RUNS_LOOKED_AT)

    @cached_property
    def lacking(self) -> str | None:
        """In words, what a panel without a model has too few of; None where it has enough."""
        if serving(self._session, self._panel) is not None:
            return None
        panel, lengths, newest = self._panel, [], 0
        steps = calendars.steps(panel, [])
        needed = max(values_needed(panel.horizon), calendars.DAYS_LOOKED_AT)
        for series in queries.series_of_panel(self._session, panel.name):
            pairs = queries.observations(self._session, series.id, as_of=self._now, newest=needed)
            steps = calendars.steps(panel, [ts for ts, _ in pairs])
            lengths.append([len(run) for run in grid.segments(pairs, steps, panel.gap_filled, panel.fill)])
            newest = max([newest, *(ts for ts, _ in pairs[-1:])])
        short = lacking(lengths, panel.horizon)
        if short is None:
            return None
        enough = steps.following(newest, short.steps)[-1]
        return f"{short.told}; {durations.told(from_us(enough) - from_us(newest))} to go"


@dataclass(frozen=True)
class _Seen:
    """What was read of one series, and how it was judged."""

    panel: Panel
    series: Series
    now: datetime
    pairs: list[Pair]  # the newest few observations
    forecast: Forecast | None  # the latest, its model and its steps
    model: Model | None
    steps: list[StepAnswer]
    refits: Sequence[Run]  # of the panel, newest first
    state: State

    @property
    def data_age_s(self) -> float | None:
        """Seconds since the newest observation's interval ended."""
        return (self.now - _end(self.panel, self.pairs[-1][0])).total_seconds() if self.pairs else None


def _find(session: Session, panels: Mapping[str, Panel], name: str, now: datetime) -> _Seen:
    series = find(session, panels, name)
    panel = panels[series.panel]
    return _see(session, panel, series, now, _Shared(session, panel, now))


def _see(session: Session, panel: Panel, series: Series, now: datetime, shared: _Shared) -> _Seen:
    """Read a series and judge it."""
    pairs = queries.observations(session, series.id, as_of=now, newest=calendars.DAYS_LOOKED_AT)
    found = queries.latest_forecast(session, series.id)
    forecast, model = (None, None) if found is None else found
    steps = [] if forecast is None else _steps(session, [forecast.id])[forecast.id]
    judged = state(
        Known(
            now=now,
            failing_since=series.failing_since,
            failure=series.failure,
            newest=from_us(pairs[-1][0]) if pairs else None,
            overdue_at=_overdue_at(panel, pairs) if pairs else None,
            forecast_cutoff=None if forecast is None else forecast.cutoff,
            forecast_ends=_end(panel, to_us(steps[-1].target_ts)) if steps else None,
            expire_after=panel.expire_after,
            interval=panel.interval,
            lacking=shared.lacking if pairs and forecast is None else None,
            refit=_refit_told(panel, shared.refits, now),
        )
    )
    return _Seen(panel, series, now, pairs, forecast, model, steps, shared.refits, judged)


def _series(session: Session, seen: _Seen) -> SeriesAnswer:
    week = seen.now - timedelta(days=7)
    return SeriesAnswer(
        name=seen.series.name,
        panel=seen.panel.name,
        interval=durations.interval_told(seen.panel.interval, seen.panel.months),
        horizon=seen.panel.horizon,
        status=seen.state.status,
        reason=seen.state.reason,
        newest=ObservationAnswer(from_us(seen.pairs[-1][0]), seen.pairs[-1][1]) if seen.pairs else None,
        data_age_s=seen.data_age_s,
        next=_next_step(seen) if seen.steps else None,
        model=None if seen.model is None else seen.model.kind,
        score_7d=_score(queries.score_glance(session, seen.series.id, week)),
        last_refit=_last_refit(seen.refits),
        next_refit=next_due(seen.refits, schedule_of(seen.panel, "refit"), seen.now) if seen.refits else None,
    )


def _next_step(seen: _Seen) -> StepAnswer:
    """The first step whose interval has not ended; where all have, the first."""
    ahead = (step for step in seen.steps if _end(seen.panel, to_us(step.target_ts)) > seen.now)
    return next(ahead, seen.steps[0])


def _refit_told(panel: Panel, refits: Sequence[Run], now: datetime) -> str:
    """How the refits of a panel stand, in words."""
    if not refits:
        return "the first refit is about to begin"
    if refits[0].outcome == "running":
        return f"the first refit is under way since {refits[0].started:%H:%M:%S}Z"
    due = next_due(refits, schedule_of(panel, "refit"), now)
    ended = "went well" if refits[0].outcome == "ok" else f"{refits[0].outcome}: {refits[0].reason}"
    return f"the last refit {ended}; the next is due {'now' if due <= now else f'at {due:%Y-%m-%d %H:%M:%S}Z'}"


def _overdue_at(panel: Panel, pairs: Sequence[Pair]) -> datetime:
    """When the next observation should be here: after its interval's end, two fetches, and one interval's grace."""
    times = [ts for ts, _ in pairs]
    (following,) = calendars.steps(panel, times).following(times[-1], 1)
    return fetched_by(panel, following) + panel.fetch_every + panel.interval


def _end(panel: Panel, label: int) -> datetime:
    """When the interval of a time has ended."""
    return from_us(calendars.end(panel, label))


def _last_refit(refits: Sequence[Run]) -> RefitAnswer | None:
    """The newest refit that went well, of the newest ones."""
    done = next((run for run in refits if run.outcome == "ok"), None)
    return None if done is None else RefitAnswer(done.started, done.ended, done.outcome, done.reason)


def _steps(session: Session, forecast_ids: Sequence[int]) -> dict[int, list[StepAnswer]]:
    return {
        forecast_id: [
            StepAnswer(s.step, s.target_ts, s.mean, s.naive, {str(level): bound for level, bound in s.bounds.items()})
            for s in steps
        ]
        for forecast_id, steps in queries.steps_of(session, forecast_ids).items()
    }


def _scores(summary: ScoreSummary) -> ScoreAnswer:
    """All that is known of the live errors."""
    answer = _score(summary)
    answer.mase, answer.coverage = summary.all.mase, _shares(summary.all)
    answer.by_step = [
        StepScoreAnswer(step, each.count, each.mae, each.naive_mae, each.mase, _skill(each), _shares(each))
        for step, each in summary.by_step.items()
    ]
    return answer


def _score(summary: ScoreSummary) -> ScoreAnswer:
    """The errors alone."""
    total = summary.all
    return ScoreAnswer(
        total.count, summary.pending, total.mae, total.naive_mae, _skill(total), mase=None, coverage=None, by_step=None
    )


def _skill(tally: Tally) -> float | None:
    if tally.mae is None or not tally.naive_mae:
        return None
    return 1.0 - tally.mae / tally.naive_mae


def _shares(tally: Tally) -> dict[str, float]:
    return {str(level): share for level, share in tally.coverage.items()}


def to_json(answer: Any) -> bytes:
    """The answer as JSON; NaN and infinity become null."""
    return msgspec.json.encode(answer)
