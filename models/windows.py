"""Series cut into windows: the context that goes into a model, and the horizon that should come out.

A series comes as segments, runs of consecutive steps without a gap; no window crosses from one segment into the next.
Shape letters: n windows, C values of a context, H horizon.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import Array

Index = NDArray[np.intp]

MAX_WINDOWS = 15_000  # of a panel: enough for what is learnt, and a bound on time and memory
MAX_OF_SERIES = 1_000
MIN_OF_SERIES = 20
CROWD = 1_000  # series: with more of them, fewer than MIN_OF_SERIES of each
MAX_VALUES = 40_000_000  # in all windows: a bound on memory where contexts are long
SHORTEST = 4  # values that a segment must have to be learnt from
TREND = 0.5  # how much of a short series' own trend is believed to have led up to it


@dataclass(frozen=True)
class Windows:
    """contexts: (n, C); targets: (n, H); series: (n,), whose window each is, in ascending order."""

    contexts: Array
    targets: Array
    series: Index


def cut(histories: Sequence[Sequence[Array]], context: int, horizon: int, season: int) -> Windows:
    """Windows of every series, evenly spread over its history, the newest always among them."""
    n = max(1, len(histories))
    least = MIN_OF_SERIES if n <= CROWD else 2
    share = min(MAX_OF_SERIES, max(least, min(MAX_WINDOWS, MAX_VALUES // (context + horizon)) // n))
    chosen = [_spread(segments, context + horizon, context, season, share) for segments in histories]
    windows = np.concatenate([np.empty((0, context + horizon)), *chosen])
    series = np.repeat(np.arange(len(histories)), [len(each) for each in chosen])
    return Windows(windows[:, :context], windows[:, context:], series)


def _spread(segments: Sequence[Array], length: int, context: int, season: int, share: int) -> Array:
    """Up to `share` windows of one series, evenly spread: (n, length)."""
    padded = [pad(values, context, season) for values in segments if len(values) >= SHORTEST]
    views = [np.lib.stride_tricks.sliding_window_view(values, length) for values in padded if len(values) >= length]
    total = sum(len(view) for view in views)
    if not total:
        return np.empty((0, length))
    chosen = np.unique(np.linspace(total - 1, 0, min(total, share)).round().astype(int))
    firsts = np.cumsum([0] + [len(view) for view in views])
    return np.concatenate(
        [
            view[chosen[(chosen >= first) & (chosen < first + len(view))] - first]
            for view, first in zip(views, firsts[:-1], strict=True)
        ]
    )


def pad(values: Array, context: int, season: int) -> Array:
    """The values, preceded by as many as it takes for half of them to have a whole context before them.

    These are the first season, again and again, moved by half of the trend.
    """
    missing = max(0, context - len(values) // 2)
    if not missing:
        return values
    first = values[:season]
    half = len(values) // 2
    trend = TREND * float(values[half : half + season].mean() - first.mean()) / max(1, half)
    steps = np.arange(-missing, 0)
    return np.concatenate([first[steps % len(first)] + trend * season * (steps // season), values])


def newest_contexts(histories: Sequence[Array], context: int, season: int) -> Array:
    """The newest context of each run of values, padded where there are too few: (len(histories), C)."""
    return np.stack(
        [
            values[-context:] if len(values) >= context else pad(values, context, season)[-context:]
            for values in histories
        ]
    )
