"""Where values lie in time: the label of each, when what it labels has ended, and the steps from one to the next.

Times are microseconds since 1970, UTC. An intraday value is labelled by its place on the grid of its interval; a day by
its date's midnight in UTC, wherever it was that day; calendar months by the first of them, likewise.

What the next step is depends on the panel:

- a fixed interval: one interval later, round the clock;
- days without a calendar: the weekdays on which the series has had values of late, trading days for a price, all seven
  for a currency. Exchange holidays are not known then: such a day is a gap, and is filled like one;
- days or bars of an exchange's sessions: the next of them, so that nights, weekends and holidays are no gap;
- calendar months: one, three or twelve months later.

A value at a time that is no step, as a price on a holiday, counts for the step that comes next, until that has a value
of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from db.times import MICROSECOND
from jobs import exchanges

if TYPE_CHECKING:  # a panel knows its source, and sources know these labels
    from jobs.panel import Panel

Times = NDArray[np.int64]
Weekmask = tuple[bool, ...]  # Monday first

DAY = timedelta(days=1)
DAY_US = DAY // MICROSECOND
EVERY_DAY: Weekmask = (True,) * 7
ALWAYS = "24/7"  # the calendar of what never closes
DAYS_LOOKED_AT = 28  # four weeks of values, or nearly six of trading days
DAYS_TRUSTED = 10  # with fewer values than this, a missing weekday means nothing


# ── labels ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def labels(index: pd.DatetimeIndex, interval: timedelta, months: int, offset: timedelta, tz: tzinfo | None) -> Times:
    """The label of the interval that each time (n,), with its zone, lies in.

    months: of the interval, 0 where its length is fixed. offset: of the grid from midnight UTC, below a day. tz: whose
    date a day has; None for the index's own zone.
    """
    if months or interval % DAY == timedelta(0):
        local = index if tz is None else index.tz_convert(tz)
        dates = _us(local.tz_localize(None)) // DAY_US
        return _midnights(_months_of(dates, months)) if months else np.asarray(dates * DAY_US)
    step, shift = interval // MICROSECOND, offset // MICROSECOND
    return np.asarray((_us(index) - shift) // step * step + shift)


def ends(labels: Times, interval: timedelta, months: int, tz: tzinfo | None, calendar: str | None = None) -> Times:
    """When the interval of each label (n,) has ended: of days and months at the midnight in `tz` (UTC where None).

    With a calendar, a day with a session has ended at its close.
    """
    beginnings = labels + interval // MICROSECOND  # of the next intervals
    if months:
        beginnings = _midnights(_months_of(labels // DAY_US, months) + months)
    if tz is not None and (months or interval % DAY == timedelta(0)):
        # Where a clock change skips or repeats midnight, the day begins right after it, or the first time.
        local = pd.DatetimeIndex(beginnings.astype("datetime64[us]"))
        first = np.ones(len(local), dtype=bool)
        beginnings = _us(local.tz_localize(tz, ambiguous=first, nonexistent="shift_forward"))
    if calendar is None or calendar == ALWAYS or months or interval != DAY:
        return beginnings
    sessions = exchanges.sessions(calendar)
    which = np.minimum(np.searchsorted(sessions.days, labels), len(sessions.days) - 1)
    return np.where(sessions.days[which] == labels, sessions.closes[which], beginnings)


def end(panel: "Panel", label: int) -> int:
    """When the interval of one label of a panel has ended."""
    return _end(label, panel.interval, panel.months, panel.tz, panel.calendar)


@lru_cache(maxsize=10_000)  # a panel's series share their labels
def _end(label: int, interval: timedelta, months: int, tz: tzinfo | None, calendar: str | None) -> int:
    return int(ends(np.array([label]), interval, months, tz, calendar)[0])


def _us(index: pd.DatetimeIndex) -> Times:
    return np.asarray(index.as_unit("us").asi8)


def _months_of(dates: Times, every: int) -> Times:
    """The month that each date (n,), in days since 1970, lies in; of several months the first, in months since 1970."""
    months = dates.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return np.asarray(months // every * every)


def _midnights(months: Times) -> Times:
    """The beginnings of months (n,)."""
    return months.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)


# ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Steps(Protocol):
    """The steps of a series."""

    @property
    def seasons(self) -> tuple[int, ...]:
        """The seasons that the series may have, in steps, the shortest first."""
        ...

    def numbers(self, times: Sequence[int] | Times) -> Times:
        """How many steps each time lies after the first: (n,). Consecutive steps differ by 1, a gap by more."""
        ...

    def following(self, after: int, count: int) -> list[int]:
        """The `count` steps that follow a time."""
        ...


def steps(panel: "Panel", times: Sequence[int] | Times) -> Steps:
    """The steps of a series of a panel. times: of its newest values, in order."""
    if panel.months:
        return Months(panel.months)
    if panel.interval <= DAY and panel.calendar is not None and panel.calendar != ALWAYS:
        return exchanges.steps(panel.calendar, panel.interval, panel.offset)
    if panel.interval != DAY:
        return Fixed(panel.interval)
    return Weekdays(EVERY_DAY if panel.calendar == ALWAYS else days(DAY, times) or EVERY_DAY)


def values_a_step(panel: "Panel") -> int:
    """How many values may fall into one step at most: two where days that were steps are none any more."""
    if panel.calendar is None or panel.calendar == ALWAYS or panel.months or panel.interval >= DAY:
        return 2
    # Prices may go on outside the sessions, round the clock.
    a_week = exchanges.steps(panel.calendar, panel.interval, panel.offset).seasons[-1]
    return -(-(7 * DAY // panel.interval) // a_week) + 1


@dataclass(frozen=True)
class Fixed:
    """Steps that are always as long."""

    interval: timedelta

    @property
    def seasons(self) -> tuple[int, ...]:
        return seasons(self.interval, None)

    def numbers(self, times: Sequence[int] | Times) -> Times:
        us, step = np.asarray(times, dtype=np.int64), self.interval // MICROSECOND
        # A week that is dated a day early, before a holiday, is a week all the same.
        early = step // 2 if self.interval > DAY else 0
        return np.asarray((us - us[0] + early) // step)

    def following(self, after: int, count: int) -> list[int]:
        return [after + k * (self.interval // MICROSECOND) for k in range(1, count + 1)]


@dataclass(frozen=True)
class Weekdays:
    """Days, on some weekdays only."""

    weekmask: Weekmask

    @property
    def seasons(self) -> tuple[int, ...]:
        return seasons(DAY, self.weekmask)

    def numbers(self, times: Sequence[int] | Times) -> Times:
        dates = (np.asarray(times, dtype=np.int64) // DAY_US).astype("datetime64[D]")
        return np.busday_count(dates[0], dates, weekmask=list(self.weekmask)).astype(np.int64)

    def following(self, after: int, count: int) -> list[int]:
        date = np.datetime64(after // DAY_US, "D")
        dates = np.busday_offset(date, np.arange(1, count + 1), roll="backward", weekmask=list(self.weekmask))
        return [int(day) * DAY_US for day in dates.astype(np.int64)]


@dataclass(frozen=True)
class Months:
    """Calendar months, or so many at a time."""

    months: int

    @property
    def seasons(self) -> tuple[int, ...]:
        return (12 // self.months,) if self.months < 12 and 12 % self.months == 0 else ()

    def numbers(self, times: Sequence[int] | Times) -> Times:
        months = _months_of(np.asarray(times, dtype=np.int64) // DAY_US, self.months)
        return np.asarray((months - months[0]) // self.months)

    def following(self, after: int, count: int) -> list[int]:
        first = _months_of(np.array([after // DAY_US]), self.months)
        found: list[int] = _midnights(first + self.months * np.arange(1, count + 1)).tolist()
        return found


def days(interval: timedelta, times: Sequence[int] | Times) -> Weekmask | None:
    """The weekdays on which a daily series has had values of late; None for any other interval."""
    if interval != DAY:
        return None
    if len(times) < DAYS_TRUSTED:
        return EVERY_DAY
    seen = set(
        ((np.asarray(times[-DAYS_LOOKED_AT:], dtype=np.int64) // DAY_US + 3) % 7).tolist()
    )  # 1970 began on a Thursday
    return tuple(day in seen for day in range(7))


def seasons(interval: timedelta, weekmask: Weekmask | None) -> tuple[int, ...]:
    """The seasons that a series of this interval may have, in steps: day and week, week, or year."""
    if weekmask is not None:
        return (sum(weekmask),)
    if interval < DAY and DAY % interval == timedelta(0):
        return (DAY // interval, 7 * (DAY // interval))
    if interval == 7 * DAY:
        return (52,)
    return ()
