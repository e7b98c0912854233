"""What a backtest's forecasts were worth: the measures of M4 for the model and for each yardstick, side by side.

Every (series, cutoff) pair that was forecast counts once, and all are measured on the same pairs. The scale of MASE and
MSIS is the mean seasonal difference of the history up to the pair's own cutoff; a pair without one (a constant history,
or one no longer than the season) is left out of MASE, MSIS and OWA, and counted. The measures of one pair are those of
`models.metrics`, worked out for many at once; a step whose truth never came is passed over.

Shape letters: P pairs, H horizon.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jobs.backtest import History, Known, Replayed, Tell
from jobs.yardsticks import yardsticks
from models.arrays import Array
from models.metrics import naive_scale

MODEL = "model"
YARDSTICKS = ("naive", "seasonal_naive", "naive2")


@dataclass(frozen=True)
class Measures:
    """The means over all pairs. NaN where there is no pair to take one over."""

    smape: float
    mase: float
    owa: float
    msis: dict[int, float]  # by level
    coverage: dict[int, float]


@dataclass(frozen=True)
class Summary:
    """What the forecasts were worth."""

    measures: dict[str, Measures]  # of the model and of each yardstick
    series: int  # that were forecast
    cutoffs: int  # at which any was
    scored: int  # pairs whose truth is known, at least in part
    left_out: int  # of them, without a scale


@dataclass
class _Scores:
    """The measures of one forecaster, a pair a place: each a list of arrays (p,), or (p, n_levels)."""

    smape: list[Array] = field(default_factory=list)
    error: list[Array] = field(default_factory=list)  # mean absolute
    width: list[Array] = field(default_factory=list)  # interval score, before it is scaled
    inside: list[Array] = field(default_factory=list)

    def add(self, targets: Array, mean: Array, lo: Array, hi: Array, levels: Sequence[int]) -> None:
        """Measure some pairs. targets, mean: (p, H); lo, hi: (p, n_levels, H)."""
        self.smape.append(smapes(targets, mean))
        self.error.append(_mean(np.abs(targets - mean), targets))
        self.width.append(interval_scores(targets, lo, hi, levels))
        self.inside.append(coverages(targets, lo, hi))


def summarise(history: History, replayed: Replayed, tell: Tell = lambda _what, _done, _total: None) -> Summary:
    """Hold the forecasts of a backtest against what came, and against the yardsticks."""
    levels, season, horizon = history.asked.levels, history.season, history.asked.horizon
    scores = {name: _Scores() for name in (MODEL, *YARDSTICKS)}
    scales: list[Array] = []
    groups = _groups(replayed)
    for done, pairs in enumerate(groups):
        tell("scoring", done, len(groups))
        values = pairs[0].known.values
        ends = np.array([pair.known.end for pair in pairs])
        targets = np.stack([pair.known.targets for pair in pairs])
        mean, lo, hi = (np.stack([getattr(pair, part) for pair in pairs]) for part in ("mean", "lo", "hi"))
        scores[MODEL].add(targets, mean, lo, hi, levels)
        for name, made in yardsticks(values, ends, season, horizon, levels).items():
            scores[name].add(targets, made.mean, made.lo, made.hi, levels)
        scales.append(np.array([naive_scale(values[:end], season) for end in ends]))
    scale = np.concatenate(scales) if scales else np.zeros(0)
    scaled = scale > 0.0  # not where it is NaN either
    return Summary(
        measures={name: _measures(each, scores["naive2"], scale, scaled, levels) for name, each in scores.items()},
        series=len({known.name for made in replayed.made for known in made.known}),
        cutoffs=len(replayed.made),
        scored=len(scale),
        left_out=int((~scaled).sum()),
    )


def smapes(targets: Array, mean: Array) -> Array:
    """`models.metrics.smape` of each row. targets, mean: (P, H). Returns (P,)."""
    sizes = np.abs(targets) + np.abs(mean)
    errors = np.abs(targets - mean)
    return 200.0 * _mean(np.divide(errors, sizes, out=np.zeros_like(errors), where=sizes > 0.0), targets)


def interval_scores(targets: Array, lo: Array, hi: Array, levels: Sequence[int]) -> Array:
    """`models.metrics.msis` of each row and level, before it is scaled. targets: (P, H); lo, hi: (P, n_levels, H).

    Returns (P, n_levels).
    """
    targets = targets[:, None]
    outside = np.maximum(lo - targets, 0.0) + np.maximum(targets - hi, 0.0)
    weights = np.array([2.0 / (1.0 - level / 100.0) for level in levels])
    return _mean(hi - lo + weights[:, None] * outside, targets)


def coverages(targets: Array, lo: Array, hi: Array) -> Array:
    """`models.metrics.coverage` of each row and level, NaN where there is no interval. targets: (P, H); lo, hi:
    (P, n_levels, H). Returns (P, n_levels).
    """
    targets = targets[:, None]
    inside = np.where(np.isnan(lo), np.nan, (lo <= targets) & (targets <= hi))
    return _mean(inside, targets)


def _mean(values: Array, targets: Array) -> Array:
    """The mean over the last axis, where there is a target."""
    there = np.broadcast_to(~np.isnan(targets), values.shape)
    return np.asarray(np.where(there, values, 0.0).sum(axis=-1) / there.sum(axis=-1))


@dataclass(frozen=True)
class _Pair:
    """One series at one cutoff, and its forecast: mean (H,); lo, hi (n_levels, H)."""

    known: Known
    mean: Array
    lo: Array
    hi: Array


def _groups(replayed: Replayed) -> list[list[_Pair]]:
    """The pairs whose truth is known, those of one history together."""
    groups: dict[int, list[_Pair]] = {}
    for made in replayed.made:
        for row, known in enumerate(made.known):
            if not np.isnan(known.targets).all():
                pair = _Pair(known, made.mean[row], made.lo[row], made.hi[row])
                groups.setdefault(id(known.values), []).append(pair)
    return list(groups.values())


def _measures(
    scores: _Scores, naive2: _Scores, scale: Array, scaled: NDArray[np.bool_], levels: Sequence[int]
) -> Measures:
    if len(scale) == 0:
        nothing = dict.fromkeys(levels, np.nan)
        return Measures(np.nan, np.nan, np.nan, nothing, nothing)
    smape, error, width, inside = map(np.concatenate, (scores.smape, scores.error, scores.width, scores.inside))
    ratios = [
        _ratio(mine[scaled] / unit, theirs[scaled] / unit)
        for mine, theirs, unit in (
            (smape, np.concatenate(naive2.smape), 1.0),
            (error, np.concatenate(naive2.error), scale[scaled]),
        )
    ]
    return Measures(
        smape=float(smape.mean()),
        mase=_mean_of(error[scaled] / scale[scaled]),
        owa=0.5 * sum(ratios),
        msis={level: _mean_of(width[scaled, k] / scale[scaled]) for k, level in enumerate(levels)},
        coverage={level: _mean_of(inside[:, k]) for k, level in enumerate(levels)},
    )


def _ratio(mine: Array, theirs: Array) -> float:
    """The mean of the one in units of the mean of the other; NaN where that is 0."""
    unit = _mean_of(theirs)
    return _mean_of(mine) / unit if unit > 0.0 else float("nan")


def _mean_of(values: Array) -> float:
    """The mean of the values that are there; NaN where none is."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")
