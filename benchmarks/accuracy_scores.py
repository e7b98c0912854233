"""What forecasts were worth: M4's measures, pair by pair, alike for Rollcast and its peers.

By `models.metrics`, one pair at a time, on purpose apart from `jobs.summary`: so the one is held against the other.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_peers import Forecasts
from benchmarks.accuracy_tasks import LEVELS, Task
from models import metrics
from models.arrays import Array
from models.bases import naive2


@dataclass(frozen=True)
class Scores:
    """A place a pair: smape, error (mean absolute), scale (P,); width, inside (P, n_levels)."""

    smape: Array
    error: Array
    scale: Array
    width: Array  # the interval score, in units of the scale
    inside: Array

    def only(self, chosen: NDArray[np.bool_]) -> "Scores":
        """Some of the pairs."""
        return Scores(*(getattr(self, each.name)[chosen] for each in fields(self)))

    @property
    def mae(self) -> float:
        """The mean absolute error over all pairs, in the series' own unit."""
        return float(self.error.mean())

    def msis(self, level: int) -> float:
        """Over the pairs that have a scale."""
        return float(self.width[self.scale > 0.0, LEVELS.index(level)].mean())

    def coverage(self, level: int) -> float:
        """In percent."""
        return 100.0 * float(self.inside[:, LEVELS.index(level)].mean())

    def owa(self, yardstick: "Scores") -> float:
        """Against Naive2, over the pairs that have a scale."""
        scaled = self.scale > 0.0
        mine, its = self.only(scaled), yardstick.only(scaled)
        pairs = [(mine.smape, its.smape), (mine.error / mine.scale, its.error / its.scale)]
        (smape, its_smape), (mase, its_mase) = ((a.mean(), b.mean()) for a, b in pairs)
        return metrics.owa(float(smape), float(mase), float(its_smape), float(its_mase))


def score(task: Task, made: Forecasts) -> Scores:
    """Hold forecasts against what came. NaN where there is none."""
    rows = []
    for place, (name, end) in enumerate(task.pairs):
        values = task.series[name].values
        targets, mean = values[end : end + task.horizon], made.mean[place]
        scale = metrics.naive_scale(values[:end], task.season)
        bounds = [(level, made.lo[place, k], made.hi[place, k]) for k, level in enumerate(LEVELS)]
        unit = scale if scale > 0.0 else np.nan
        widths = [metrics.msis(targets, lo, hi, level, unit) for level, lo, hi in bounds]
        inside = [metrics.coverage(targets, lo, hi) for _, lo, hi in bounds]
        error = float(np.abs(targets - mean).mean())
        rows.append([metrics.smape(targets, mean), error, scale, *widths, *inside])
    table, half = np.array(rows), 3 + len(LEVELS)
    return Scores(table[:, 0], table[:, 1], table[:, 2], table[:, 3:half], table[:, half:])


def yardstick(task: Task) -> Scores:
    """The scores of Naive2, which with season 1 is the random walk. It has no intervals here."""
    pairs = task.pairs
    mean = np.stack([naive2(task.series[name].values[:end], task.season, task.horizon) for name, end in pairs])
    none = np.full((len(pairs), len(LEVELS), task.horizon), np.nan)
    return score(task, Forecasts(mean, none, none, 0.0))
