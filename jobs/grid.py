"""Observations as the models take them: runs of consecutive steps.

A gap of up to `max_gap` steps is filled, in the model's view only: nothing invented is stored. A longer gap ends a run,
and no training window crosses it.
"""

from collections.abc import Sequence

import numpy as np

from db.queries import Pair
from jobs.calendars import Steps
from jobs.panel import Fill
from models.arrays import Array


def segments(pairs: Sequence[Pair], steps: Steps, max_gap: int, fill: Fill = "last") -> list[Array]:
    """Cut (ts, value) pairs, in order of time, into runs of consecutive steps, (n_i,) each.

    fill: the last value goes on through a gap, or a straight line leads to the next one, or zeros stand in it.
    """
    if not pairs:
        return []
    numbers = steps.numbers([ts for ts, _ in pairs])
    values = np.array([value for _, value in pairs], dtype=np.float64)
    # How often each value counts: once, again for each missing step after it, or not at all if its step has a newer
    # value.
    counts = np.append(np.diff(numbers), 1)
    breaks = counts > max_gap + 1
    counts[breaks] = 1
    ends = np.cumsum(counts)[breaks]
    whole = np.repeat(values, counts)
    if fill != "last":
        known = (np.cumsum(counts) - counts)[counts > 0]
        missing = np.setdiff1d(np.arange(len(whole)), known)
        whole[missing] = np.interp(missing, known, whole[known]) if fill == "linear" else 0.0
    return [run for run in np.split(whole, ends) if len(run)]
