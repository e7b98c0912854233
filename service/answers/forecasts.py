"""Forecasts: the latest of a series, of many series, and the ledger."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from db import queries
from db.times import to_us
from service import durations
from service.answers.seeing import Panels, Seen, age_s, ended, find, find_all, see, steps_of
from service.shapes import AgesAnswer, IssuedAnswer, LatestAnswer, LedgerAnswer, StepAnswer

Place = tuple[int, int]  # of a forecast in the ledger: when it was issued, in µs, and its id


class TooOldError(Exception):
    """The latest forecast is older than the caller can use; `hint` says why it is."""

    def __init__(self, told: str, hint: str) -> None:
        super().__init__(told)
        self.hint = hint


class NoLevelError(Exception):
    """There is no interval of that level; `hint` says which there are."""

    def __init__(self, name: str, level: int, there: Sequence[int], panel: Sequence[int]) -> None:
        super().__init__(f"no interval of {name} has the level {level}")
        self.hint = f"there are {', '.join(map(str, there))}"
        if level in panel:
            self.hint += "; the next refit brings those that the panel asks for now"


def latest(
    session: Session,
    panels: Panels,
    name: str,
    now: datetime,
    *,
    levels: Sequence[int] = (),
    max_age: timedelta | None = None,
) -> LatestAnswer:
    """The latest forecast of a series, with its state.

    levels: of the intervals to tell; all of them where none is named. max_age: since the end of the newest interval
    that the forecast has seen. Raises NoSeriesError, NoLevelError, TooOldError.
    """
    (answer,) = latest_of(session, panels, [name], now, levels=levels, max_age=max_age)
    return answer


def latest_of(
    session: Session,
    panels: Panels,
    names: Sequence[str],
    now: datetime,
    *,
    levels: Sequence[int] = (),
    max_age: timedelta | None = None,
) -> list[LatestAnswer]:
    """The latest forecasts of some series, in their order; raises as `latest` does."""
    seen = see(session, panels, find_all(session, panels, names), now, whole=True)
    for each in seen:
        if max_age is not None:
            _check_age(each, max_age)
    return [_latest(each, levels) for each in seen]


def _check_age(seen: Seen, max_age: timedelta) -> None:
    name, state = seen.series.name, seen.state
    if seen.forecast is None:
        raise TooOldError(f"there is no forecast of {name}", f"{state.status}: {state.reason}")
    since = ended(seen.panel, to_us(seen.forecast.cutoff))
    if seen.now - since > max_age:
        raise TooOldError(
            f"the forecast of {name} was made from what was known to {since:%Y-%m-%d %H:%M:%S}Z,"
            f" {durations.told(seen.now - since)} ago; max_age is {durations.told(max_age)}",
            f"{state.status}: {state.reason}",
        )


def _latest(seen: Seen, levels: Sequence[int]) -> LatestAnswer:
    forecast, model, now = seen.forecast, seen.model, seen.now
    return LatestAnswer(
        series=seen.series.name,
        panel=seen.panel.name,
        status=seen.state.status,
        reason=seen.state.reason,
        until=seen.state.until,
        ages=AgesAnswer(
            seen.data_age_s,
            None if forecast is None else age_s(forecast.issued_at, now),
            None if model is None else age_s(model.trained_at, now),
        ),
        issued_at=None if forecast is None else forecast.issued_at,
        cutoff=None if forecast is None else forecast.cutoff,
        model=None if model is None else model.kind,
        model_version=None if model is None else model.version,
        model_trained_at=None if model is None else model.trained_at,
        steps=_at_levels(seen, [seen.steps], levels)[0],
    )


def _at_levels(seen: Seen, forecasts: Sequence[list[StepAnswer]], levels: Sequence[int]) -> list[list[StepAnswer]]:
    """Forecasts with some of their intervals, as far as each has them. Raises NoLevelError for what none has."""
    if not levels:
        return list(forecasts)
    there = {int(level) for steps in forecasts for step in steps[:1] for level in step.intervals}
    for level in levels:
        if level not in (there or seen.panel.levels):
            raise NoLevelError(seen.series.name, level, sorted(there or seen.panel.levels), seen.panel.levels)
    kept = [str(level) for level in levels]
    return [
        [
            StepAnswer(s.step, s.target_ts, s.mean, s.naive, {k: s.intervals[k] for k in kept if k in s.intervals})
            for s in steps
        ]
        for steps in forecasts
    ]


def ledger(
    session: Session,
    panels: Panels,
    name: str,
    now: datetime,
    *,
    issued_after: datetime | None = None,
    issued_before: datetime | None = None,
    cutoff: datetime | None = None,
    version: int | None = None,
    step: int | None = None,
    levels: Sequence[int] = (),
    before: Place | None = None,
    limit: int,
) -> tuple[LedgerAnswer, Place | None]:
    """The newest forecasts of a series as they were issued, newest first; and before which the next page begins.

    step: tell that one of each alone. Raises NoSeriesError, NoLevelError.
    """
    (seen,) = see(session, panels, [find(session, panels, name)], now)
    found = queries.forecasts(
        session,
        seen.series.id,
        issued_after=issued_after,
        issued_before=issued_before,
        cutoff=cutoff,
        version=version,
        before=before,
        limit=limit + 1,
    )
    last = found[limit - 1][0] if len(found) > limit else None
    following = None if last is None else (to_us(last.issued_at), last.id)
    all_steps = steps_of(session, [forecast.id for forecast, _ in found[:limit]], step)
    told = _at_levels(seen, [all_steps[forecast.id] for forecast, _ in found[:limit]], levels)
    forecasts = [
        IssuedAnswer(f.issued_at, f.cutoff, model.kind, model.version, model.trained_at, steps)
        for (f, model), steps in zip(found, told, strict=False)  # one more was found, to know whether to go on
    ]
    state = seen.state
    return LedgerAnswer(seen.series.name, seen.panel.name, state.status, state.reason, forecasts, None), following
