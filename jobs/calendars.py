"""Which time comes next: the steps of a series, the days it has, and the seasons its interval suggests.

A daily series steps over the weekdays on which it has had values of late: a price over trading days, a currency over
all seven. Any other series steps by its interval. Exchange holidays are not known: such a day is a gap, and is
carried over like one. Times are microseconds since 1970, UTC; a day is labelled by its midnight.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from db.times import MICROSECOND

Times = NDArray[np.int64]
Weekmask = tuple[bool, ...]  # Monday first

DAY = timedelta(days=1)
DAY_US = DAY // MICROSECOND
EVERY_DAY: Weekmask = (True,) * 7
DAYS_LOOKED_AT = 28  # four weeks of values, or nearly six of trading days
DAYS_TRUSTED = 10  # with fewer values than this, a missing weekday means nothing


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


def step_numbers(times: Sequence[int] | Times, interval: timedelta, weekmask: Weekmask | None) -> Times:
    """How many steps each time lies after the first: (n,). Consecutive steps differ by 1, a gap by more."""
    us = np.asarray(times, dtype=np.int64)
    if weekmask is None:
        return np.asarray((us - us[0]) // (interval // MICROSECOND))
    dates = (us // DAY_US).astype("datetime64[D]")
    return np.busday_count(dates[0], dates, weekmask=list(weekmask)).astype(np.int64)


def next_times(after: int, interval: timedelta, weekmask: Weekmask | None, count: int) -> list[int]:
    """The `count` times that follow one."""
    if weekmask is None:
        return [after + k * (interval // MICROSECOND) for k in range(1, count + 1)]
    date = np.datetime64(after // DAY_US, "D")
    dates = np.busday_offset(date, np.arange(1, count + 1), roll="backward", weekmask=list(weekmask))
    return [int(day) * DAY_US for day in dates.astype(np.int64)]


def seasons(interval: timedelta, weekmask: Weekmask | None) -> tuple[int, ...]:
    """The seasons that a series of this interval may have, in steps: day and week, week, or year."""
    if weekmask is not None:
        return (sum(weekmask),)
    if interval < DAY and DAY % interval == timedelta(0):
        return (DAY // interval, 7 * (DAY // interval))
    if interval == 7 * DAY:
        return (52,)
    return ()
