"""When exchanges trade: the sessions of each, as exchange_calendars knows them, and the steps from one to the next.

The library is imported, and a calendar built, when one is first asked for: half a second for most, nearly two for
Korea's; it is kept as long as the process lives. It reaches from 1900 to 2099, so that no clock decides what it holds.
Where the library itself does not know that far, as of China, whose holidays are announced a year ahead, the weekdays of
the calendar stand in, at its usual hours.

Times are microseconds since 1970, UTC.
"""

import datetime as dt
import difflib
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from db.times import MICROSECOND

Times = NDArray[np.int64]

DAY = dt.timedelta(days=1)
WEEK_US = 7 * DAY // MICROSECOND
FIRST, LAST = pd.Timestamp("1900-01-01"), pd.Timestamp("2099-12-31")
USUAL = 1000  # sessions that say how many bars one has

_building = threading.Lock()  # so that of several threads that ask for the same calendar one builds it


class CalendarError(ValueError):
    """There is no such calendar, or it cannot be built; the message says why."""


@dataclass(frozen=True)
class Sessions:
    """The sessions of an exchange, in order of time. Those with a break have two spans of trading, the others one."""

    days: Times  # (n,) the midnight of each one's date
    closes: Times  # (n,)
    starts: Times  # (m,) of the spans
    stops: Times  # (m,)


def check(name: str) -> None:
    """Raise CalendarError, which says what was meant, where a name is no calendar's, or where it cannot be built."""
    sessions(name)


def sessions(name: str) -> Sessions:
    """The sessions of an exchange. Raises CalendarError."""
    with _building:
        return _sessions(name)


@cache
def _sessions(name: str) -> Sessions:
    from exchange_calendars import calendar_utils as library

    # The library's own use of pandas, which we cannot mend.
    for message in ("Series.values returning an ndarray that drops timezone", "DatetimeIndex.weekday is deprecated"):
        warnings.filterwarnings("ignore", message=message, category=DeprecationWarning)
    known = library.get_calendar_names()
    if name not in known:
        raise CalendarError(f"there is no exchange calendar {name!r}: {_meant(name, known)}")
    # Only the class tells how far it reaches, and the library hands out none: its makers ask for ready calendars.
    made_by: Any = library.global_calendar_dispatcher._calendar_factories[library.resolve_alias(name)]
    start, end = made_by.bound_min() or FIRST, made_by.bound_max() or LAST
    try:
        calendar = made_by(start=start, end=end)
    except Exception as error:  # as of some versions of pandas that the library does not work with
        told = " ".join(str(error).split())[:100]
        raise CalendarError(
            f"exchange_calendars cannot build its calendar {name} with pandas {pd.__version__}:"
            f" {type(error).__name__}: {told}; without `calendar` the weekdays that have values are the steps"
        ) from error
    return _arrays(calendar, start, end)


def _meant(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.upper(), known)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return "expected one that exchange_calendars has, as XNYS, XLON, XKRX or 24/7"


def _arrays(calendar: Any, start: pd.Timestamp, end: pd.Timestamp) -> Sessions:
    """What the library knows from one date to another, between the weekdays before and after that."""
    table: pd.DataFrame = calendar.schedule
    known = pd.DataFrame(
        {column: _us(pd.DatetimeIndex(table[column])) for column in table}, index=_us(pd.DatetimeIndex(table.index))
    )
    day = pd.Timedelta(days=1)
    before, after = _usual(calendar, FIRST, start - day, 0), _usual(calendar, end + day, LAST, -1)
    whole = pd.concat([before, known, after])
    breaks = whole[(whole.break_start > whole.open) & (whole.break_end < whole.close)]
    return Sessions(
        days=whole.index.to_numpy(dtype=np.int64),
        closes=whole.close.to_numpy(),
        starts=np.sort(np.concatenate([whole.open, breaks.break_end])),
        stops=np.sort(np.concatenate([breaks.break_start, whole.close])),
    )


def _us(index: pd.DatetimeIndex) -> Times:
    """Microseconds; NaT is far in the past."""
    return np.asarray(index.as_unit("us").asi8)


def _usual(calendar: Any, first: pd.Timestamp, last: pd.Timestamp, which: int) -> pd.DataFrame:
    """The calendar's weekdays from one to another, both included, at its first (0) or its newest (-1) usual hours."""
    every = pd.date_range(first, last, unit="us")
    weekmask = [int(digit) for digit in calendar.weekmask]
    days = every[np.is_busday(every.to_numpy().astype("datetime64[D]"), weekmask=weekmask)]

    def at(hours: Sequence[tuple[Any, dt.time | None]] | None, days_later: int = 0) -> Times:
        time = hours[which][1] if hours else None
        if time is None:
            return np.full(len(days), np.iinfo(np.int64).min)
        clock = days + pd.Timedelta(days=days_later, hours=time.hour, minutes=time.minute)
        ambiguous = np.ones(len(days), dtype=bool)
        return _us(clock.tz_localize(calendar.tz, ambiguous=ambiguous, nonexistent="shift_forward"))

    return pd.DataFrame(
        {
            "open": at(calendar.open_times, calendar.open_offset),
            "break_start": at(calendar.break_start_times),
            "break_end": at(calendar.break_end_times),
            "close": at(calendar.close_times, calendar.close_offset),
        },
        index=_us(days),
    )


# ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class InSessions:
    """Steps that are days or bars of sessions: runs of them, one interval apart, with nothing between two runs.

    After 2099 the last run goes on for ever.
    """

    firsts: Times  # (n,) the first step of each run
    counts: Times  # (n,) how many steps it has
    interval: dt.timedelta
    seasons: tuple[int, ...]

    def numbers(self, times: Sequence[int] | Times) -> Times:
        numbers = self._numbers(np.asarray(times, dtype=np.int64), 0)
        return np.asarray(numbers - numbers[0])

    def following(self, after: int, count: int) -> list[int]:
        numbers = self._numbers(np.array([after]), 1) + np.arange(count)
        run = np.maximum(np.searchsorted(self._before, numbers, side="right") - 1, 0)
        found: list[int] = (self.firsts[run] + (numbers - self._before[run]) * (self.interval // MICROSECOND)).tolist()
        return found

    @cached_property
    def _before(self) -> Times:
        """How many steps lie before each run."""
        return np.asarray(np.cumsum(self.counts) - self.counts)

    def _numbers(self, times: Times, later: int) -> Times:
        """The number of the step at each time, or so many later; between two runs, and at its end, of the next one."""
        run = np.maximum(np.searchsorted(self.firsts, times, side="right") - 1, 0)
        places = (times - self.firsts[run]) // (self.interval // MICROSECOND) + later
        inside = np.where(run < len(self.firsts) - 1, np.minimum(places, self.counts[run]), places)
        return np.asarray(self._before[run] + inside)


@cache
def steps(calendar: str, interval: dt.timedelta, offset: dt.timedelta) -> InSessions:
    """The days with a session; of an interval below a day, the places of its bars on the grid. Raises CalendarError.

    A bar begins at the open, or where trading goes on after a break, and then every interval until the close.
    """
    found = sessions(calendar)
    a_week = round(len(found.days) / ((found.days[-1] - found.days[0]) / WEEK_US))
    if interval == DAY:
        return InSessions(found.days, np.ones_like(found.days), interval, (a_week,))
    step, shift = interval // MICROSECOND, offset // MICROSECOND
    firsts = (found.starts - shift) // step * step + shift
    lasts = firsts + (found.stops - found.starts - 1) // step * step
    firsts[1:] = np.maximum(firsts[1:], lasts[:-1] + step)  # a bar may reach over a short break
    counts = np.maximum((lasts - firsts) // step + 1, 0)
    session = np.searchsorted(found.closes, found.starts, side="right")
    bars = int(np.median(np.bincount(session, counts)[-USUAL:]))
    return InSessions(firsts, counts, interval, tuple(n for n in (bars, a_week * bars) if n > 1))
