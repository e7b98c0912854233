"""Observations as the models take them: runs of consecutive steps.

A gap of up to `max_gap` steps is filled by carrying the last value on, in the model's view only: nothing invented is
stored. A longer gap ends a run, and no training window crosses it.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from db.queries import Pair
from jobs.calendars import Weekmask, step_numbers
from models.arrays import Array


def segments(pairs: Sequence[Pair], interval: timedelta, weekmask: Weekmask | None, max_gap: int) -> list[Array]:
    """Cut (ts, value) pairs, in order of time, into runs of consecutive steps, (n_i,) each."""
    if not pairs:
        return []
    steps = step_numbers([ts for ts, _ in pairs], interval, weekmask)
    values = np.array([value for _, value in pairs], dtype=np.float64)
    # How often each value counts: once, again for each missing step after it, or not at all if its step has a newer
    # value.
    counts = np.append(np.diff(steps), 1)
    breaks = counts > max_gap + 1
    counts[breaks] = 1
    ends = np.cumsum(counts)[breaks]
    return [run for run in np.split(np.repeat(values, counts), ends) if len(run)]
