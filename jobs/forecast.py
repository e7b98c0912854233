"""Forecast: let the panel's champion speak of the steps after the newest observation, and write it to the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions, reading, writing
from db.queries import NewEvent, NewStep, Pair
from db.schema import Model, Series
from db.times import from_us
from jobs import calendars, grid
from jobs.events import FirstStep, Forecasted
from jobs.live import live_errors
from jobs.panel import Clock, Panel
from models.arrays import Array
from models.errors import BadModelBytesError, ModelError
from models.forecaster import Forecaster

BATCH = 50  # series a transaction: more would hold the lock long; fewer, and answers would be made anew more often
TOLD = 10  # series, one by one


class NoModelError(Exception):
    """The panel has no model that could forecast."""


@dataclass
class Issued:
    """What a forecast run did: how many forecasts were issued, how many series could not have one; and the first of
    both, to be told: of a thousand series that were too much to read, and to hold.
    """

    count: int = 0
    forecasts: dict[str, list[NewStep]] = field(default_factory=dict)
    without: int = 0
    lacking: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.count or self.without)

    def __str__(self) -> str:
        told = [f"{self.count} issued", *(f"{name}: {reason}" for name, reason in self.lacking.items())]
        if self.without > len(self.lacking):
            told.append(f"none of {self.without - len(self.lacking)} more")
        return "; ".join(told)

    def add(self, name: str, steps: list[NewStep]) -> None:
        """Note a forecast."""
        self.count += 1
        if len(self.forecasts) < TOLD:
            self.forecasts[name] = steps

    def lack(self, name: str, reason: str) -> None:
        """Note why a series has none."""
        self.without += 1
        if len(self.lacking) < TOLD:
            self.lacking[name] = reason


@dataclass(frozen=True)
class Made:
    """A forecast about to be issued."""

    steps: list[NewStep]
    unit: float  # of its intervals
    scale: float  # of MASE


def forecast(sessions: Sessions, panel: Panel, clock: Clock) -> Issued:
    """Forecast every series of the panel from what is known now. A forecast issued before is not issued again.

    Reading and writing a series are one transaction, so that nothing can be learnt in between; the clock is read once
    that holds the write lock. Raises NoModelError where there is no model.
    """
    issued = Issued()
    with reading(sessions) as session:
        served = serving(session, panel)
        series = queries.series_of_panel(session, panel.name)
        lacking = "" if served is not None else _lacking(session, panel)
    if served is None:
        raise NoModelError(lacking)
    for first in range(0, len(series), BATCH):
        with writing(sessions) as session:
            now = clock()
            told = [_forecast(session, panel, each, served, now, issued) for each in series[first : first + BATCH]]
            queries.add_events(session, [event for event in told if event is not None], now)
    return issued


def _lacking(session: Session, panel: Panel) -> str:
    """Why no model serves."""
    champion = queries.champion(session, panel.name)
    if champion is None:
        return "no model serves yet; a refit makes one"
    return f"{champion.kind} v{champion.version} cannot be read by this version; a refit makes another"


def _forecast(
    session: Session, panel: Panel, series: Series, served: tuple[Model, Forecaster], now: datetime, issued: Issued
) -> NewEvent | None:
    """Forecast one series, unless it has been done; the event that tells of it."""
    champion, forecaster = served
    cutoff = queries.newest_ts(session, series.id, now)
    if cutoff is None or queries.is_issued(session, series.id, cutoff, champion.id):
        return None
    pairs = context(session, panel, series.id, forecaster, as_of=now, cutoff=cutoff)
    errors = live_errors(session, series.id, champion.id, forecaster, as_of=now, cutoff=cutoff)
    try:
        made = make(forecaster, panel, series.name, pairs, errors)
    except ModelError as error:
        issued.lack(series.name, str(error))
        return None
    if not queries.issue(session, series.id, champion.id, cutoff, now, made.steps, unit=made.unit, scale=made.scale):
        return None
    issued.add(series.name, made.steps)
    told = Forecasted(cutoff, now, champion.kind, champion.version, FirstStep.of(made.steps[0]))
    return told.of(panel.name, series.name)


def serving(session: Session, panel: Panel) -> tuple[Model, Forecaster] | None:
    """The panel's champion; None where there is none, or none that this version can read: a refit makes another."""
    champion = queries.champion(session, panel.name)
    if champion is None:
        return None
    try:
        return champion, Forecaster.from_bytes(champion.content)[0]
    except BadModelBytesError:
        return None


def context(
    session: Session, panel: Panel, series_id: int, forecaster: Forecaster, *, as_of: datetime, cutoff: datetime
) -> list[Pair]:
    """The observations that a forecast may see and needs: up to the cutoff, as known at a moment."""
    newest = values_seen(forecaster, calendars.values_a_step(panel))
    return queries.observations(session, series_id, as_of=as_of, end=cutoff, newest=newest)


def values_seen(forecaster: Forecaster, a_step: int = 2) -> int:
    """How many of the newest observations a forecast is given: more than the lookback, because several values, so many
    at most, may fall into one step.
    """
    return a_step * forecaster.lookback_ + calendars.DAYS_LOOKED_AT


def make(forecaster: Forecaster, panel: Panel, name: str, pairs: Sequence[Pair], errors: Array) -> Made:
    """What a forecaster sees after these observations, and these live errors (n, H). Depends on its arguments alone:
    the same ones give the same bits.

    Raises ModelError where the observations are no numbers to use.
    """
    times = [ts for ts, _ in pairs]
    calendar = calendars.steps(panel, times)
    run = grid.segments(pairs, calendar, panel.gap_filled, panel.fill)[-1]
    made = forecaster.forecast({name: run}, {name: errors})[name]
    targets = calendar.following(times[-1], forecaster.horizon)
    steps = [
        NewStep(
            target_ts=from_us(target),
            mean=float(made.mean[k]),
            naive=float(made.naive[k]),
            bounds={level: (float(made.lo[i, k]), float(made.hi[i, k])) for i, level in enumerate(forecaster.levels)},
        )
        for k, target in enumerate(targets)
    ]
    return Made(steps, made.unit, made.scale)
