"""A series as the database knows it at a moment, judged: what every answer about it is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from sqlalchemy.orm import Session

from db import queries
from db.queries import Pair, StepRow
from db.schema import Forecast, Model, Run, Series
from db.times import from_us, to_us
from jobs import calendars, grid
from jobs.due import RUNS_LOOKED_AT, fetched_by, next_due, schedule_of
from jobs.forecast import serving
from jobs.panel import Panel
from jobs.refit import lacking
from models.panel import values_needed
from service import durations
from service.shapes import StepAnswer
from service.state import Known, State, state

NAMES_TOLD = 20
SECOND = 1_000_000  # µs

Panels = Mapping[str, Panel]


class NoSeriesError(Exception):
    """There is no series of that name; `hint` says which there are."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f"there is no series {name!r}")
        self.hint = hint


def find(session: Session, panels: Panels, name: str) -> Series:
    """The series of that name in a configured panel. Raises NoSeriesError."""
    return find_all(session, panels, [name])[0]


def find_all(session: Session, panels: Panels, names: Sequence[str]) -> list[Series]:
    """The series of some names in configured panels, in their order. Raises NoSeriesError."""
    there = {name: series for name, series in queries.find_many(session, names).items() if series.panel in panels}
    for name in (name for name in names if name not in there):
        some = queries.list_series(session, panels=list(panels), limit=NAMES_TOLD + 1)
        told = ", ".join(found.name for found in some[:NAMES_TOLD]) + (", …" if len(some) > NAMES_TOLD else "")
        raise NoSeriesError(name, f"there are {told}" if some else "there are none yet: the first fetch makes them")
    return [there[name] for name in names]


@dataclass(frozen=True)
class Seen:
    """What was read of one series, and how it was judged."""

    panel: Panel
    series: Series
    now: datetime
    pairs: list[Pair]  # the newest observations
    forecast: Forecast | None  # the latest, and its model
    model: Model | None
    steps: list[StepAnswer]  # of the forecast, where they were asked for
    next: StepAnswer | None  # the first step whose interval has not ended; where all have, the first
    state: State
    shared: "Shared"  # with the other series of its panel

    @property
    def data_age_s(self) -> int | None:
        """Whole seconds since the newest observation's interval ended."""
        return age_s(ended(self.panel, self.pairs[-1][0]), self.now) if self.pairs else None


def see(
    session: Session,
    panels: Panels,
    found: Sequence[Series],
    now: datetime,
    history: int = 0,
    *,
    whole: bool = False,
    shared: "dict[str, Shared] | None" = None,
) -> list[Seen]:
    """Read some series and judge them, in their order.

    history: how many observations to read at least; whole: all steps of the latest forecasts too, not the next alone;
    shared: what is known by panel from the series before these.
    """
    shared = {} if shared is None else shared
    seen: dict[int, Seen] = {}
    for name in dict.fromkeys(series.panel for series in found):
        mine = [series for series in found if series.panel == name]
        ours = shared.setdefault(name, Shared(session, panels[name], now))
        seen |= {each.series.id: each for each in _see(session, panels[name], mine, now, history, whole, ours)}
    return [seen[series.id] for series in found]


def _see(
    session: Session,
    panel: Panel,
    found: Sequence[Series],
    now: datetime,
    history: int,
    whole: bool,
    shared: "Shared",
) -> list[Seen]:
    """Some series of one panel."""
    ids = [series.id for series in found]
    pairs = queries.newest_pairs(session, ids, as_of=now, newest=max(history, _looked_at(panel)))
    forecasts = queries.latest_forecasts(session, panel.name, ids)
    ahead = _ahead(session, panel, [forecast for forecast, _ in forecasts.values()], now, whole)
    seen = []
    for series in found:
        forecast, model = forecasts.get(series.id, (None, None))
        mine = _NOTHING if forecast is None else ahead[forecast.id]
        known = pairs.get(series.id, [])
        judged = _judged(panel, series, known, forecast, mine.ends, now, shared)
        seen.append(Seen(panel, series, now, known, forecast, model, mine.steps, mine.next, judged, shared))
    return seen


class _Ahead(NamedTuple):
    """What a forecast says of the time to come."""

    steps: list[StepAnswer]
    next: StepAnswer | None
    ends: datetime | None  # when the interval of its last step has ended


_NOTHING = _Ahead([], None, None)


def _ahead(
    session: Session, panel: Panel, forecasts: Sequence[Forecast], now: datetime, whole: bool
) -> dict[int, _Ahead]:
    """By id what some forecasts say of the time to come; all their steps where they are asked for, or must be known."""
    ids = [forecast.id for forecast in forecasts]
    if whole or not _steps_are_alike(panel):
        found = {}
        for forecast_id, steps in steps_of(session, ids).items():
            ahead = (step for step in steps if ended(panel, to_us(step.target_ts)) > now)
            last = ended(panel, to_us(steps[-1].target_ts)) if steps else None
            found[forecast_id] = _Ahead(steps, next(ahead, steps[0]) if steps else None, last)
        return found
    following = queries.next_steps(session, dict.fromkeys(ids, now - panel.interval))
    over = {forecast.id: forecast.cutoff for forecast in forecasts if forecast.id not in following}
    following |= queries.next_steps(session, over)
    ends = queries.ends_of(session, ids)
    return {
        forecast_id: _Ahead([], _step(following[forecast_id]), ends[forecast_id] + panel.interval)
        if forecast_id in following
        else _NOTHING
        for forecast_id in ids
    }


def _steps_are_alike(panel: Panel) -> bool:
    """Whether every interval of a panel ends one interval after its time: not so with months, closes, and midnights."""
    return not panel.months and panel.calendar in (None, calendars.ALWAYS) and panel.tz is None


def _looked_at(panel: Panel) -> int:
    """How many observations tell a series' next step: of some days their weekdays, else the newest alone."""
    return calendars.DAYS_LOOKED_AT if panel.interval == calendars.DAY and panel.calendar is None else 1


def _judged(
    panel: Panel,
    series: Series,
    pairs: list[Pair],
    forecast: Forecast | None,
    forecast_ends: datetime | None,
    now: datetime,
    shared: "Shared",
) -> State:
    return state(
        Known(
            now=now,
            failing_since=series.failing_since,
            failure=series.failure,
            newest=from_us(pairs[-1][0]) if pairs else None,
            overdue_at=_overdue_at(panel, pairs) if pairs else None,
            forecast_cutoff=None if forecast is None else forecast.cutoff,
            forecast_ends=forecast_ends,
            expire_after=panel.expire_after,
            interval=panel.interval,
            lacking=shared.lacking if pairs and forecast is None else None,
            refit=shared.refit_told if forecast is None else "",
        )
    )


class Shared:
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
    def refit_told(self) -> str:
        """How the refits of the panel stand, in words."""
        if not self.refits:
            return "the first refit is about to begin"
        newest = self.refits[0]
        if newest.outcome == "running":
            return f"the first refit is under way since {newest.started:%H:%M:%S}Z"
        due = next_due(self.refits, schedule_of(self._panel, "refit"), self._now)
        went = "went well" if newest.outcome == "ok" else f"{newest.outcome}: {newest.reason}"
        return f"the last refit {went}; the next is due {'now' if due <= self._now else f'at {due:%Y-%m-%d %H:%M:%S}Z'}"

    @cached_property
    def lacking(self) -> str | None:
        """In words, what a panel without a model has too few of; None where it has enough."""
        if serving(self._session, self._panel) is not None:
            return None
        panel, lengths, newest = self._panel, [], 0
        steps = calendars.steps(panel, [])
        needed = max(values_needed(panel.horizon), calendars.DAYS_LOOKED_AT)
        ids = [series.id for series in queries.series_of_panel(self._session, panel.name)]
        for pairs in queries.newest_pairs(self._session, ids, as_of=self._now, newest=needed).values():
            steps = calendars.steps(panel, [ts for ts, _ in pairs])
            lengths.append([len(run) for run in grid.segments(pairs, steps, panel.gap_filled, panel.fill)])
            newest = max([newest, *(ts for ts, _ in pairs[-1:])])
        short = lacking(lengths, panel.horizon)
        if short is None:
            return None
        enough = steps.following(newest, short.steps)[-1]
        return f"{short.told}; {durations.told(from_us(enough) - from_us(newest))} to go"


def _overdue_at(panel: Panel, pairs: Sequence[Pair]) -> datetime:
    """When the next observation should be here: after its interval's end, two fetches, and one interval's grace."""
    times = [ts for ts, _ in pairs]
    (following,) = calendars.steps(panel, times).following(times[-1], 1)
    return fetched_by(panel, following) + panel.fetch_every + panel.interval


def ended(panel: Panel, label: int) -> datetime:
    """When the interval of a time, in µs, has ended."""
    return from_us(calendars.end(panel, label))


def age_s(since: datetime, now: datetime) -> int:
    """From the second of a moment to this one: it grows by one whenever the clock's second does."""
    return to_us(now) // SECOND - to_us(since) // SECOND


def _step(row: StepRow) -> StepAnswer:
    bounds = {str(level): bound for level, bound in row.bounds.items()}
    return StepAnswer(row.step, row.target_ts, row.mean, row.naive, bounds)


def steps_of(session: Session, forecast_ids: Sequence[int], step: int | None = None) -> dict[int, list[StepAnswer]]:
    """The steps of some forecasts, or that one of each, as they are answered."""
    return {
        forecast_id: [_step(step) for step in steps]
        for forecast_id, steps in queries.steps_of(session, forecast_ids, step).items()
    }
