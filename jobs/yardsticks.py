"""The yardsticks of a backtest: naive, seasonal naive and Naive2 at many cutoffs of one series, with intervals.

Their point forecasts are those of `models.bases`, worked out for all cutoffs at once: what Naive2 wants to know of the
values up to each cutoff (does a season show, by which factors?) comes from running sums over the series. Their
intervals are split conformal ones: how far off was the yardstick at the newest hundred origins whose targets were
known at the cutoff?

Shape letters: n values of the series, m origins, K cutoffs, H horizon. An origin is the number of values before it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Array
from models.intervals import conformal_radii
from models.windows import Index

ORIGINS = 100  # past ones to calibrate on, at most
MIN_ORIGINS = 20  # with fewer, a 95 % interval means nothing


@dataclass(frozen=True)
class Yardstick:
    """The forecasts of one yardstick at K cutoffs: mean (K, H); lo, hi (K, n_levels, H), NaN after short histories."""

    mean: Array
    lo: Array
    hi: Array


def yardsticks(values: Array, ends: Index, season: int, horizon: int, levels: Sequence[int]) -> dict[str, Yardstick]:
    """Each yardstick's forecasts at the cutoffs of one series. values: (n,); ends: (K,), values before each, ≥ 1."""
    rules: dict[str, Callable[[Array, int, Index, int], Array]] = {
        "naive": naive_at,
        "seasonal_naive": seasonal_naive_at,
        "naive2": naive2_at,
    }
    return {name: _yardstick(rule, values, ends, season, horizon, levels) for name, rule in rules.items()}


def naive_at(values: Array, season: int, origins: Index, horizon: int) -> Array:  # noqa: ARG001  as the others
    """The last value before each origin (m,), at every step. values: (n,). Returns (m, H)."""
    return np.repeat(values[origins - 1][:, None], horizon, axis=1)


def seasonal_naive_at(values: Array, season: int, origins: Index, horizon: int) -> Array:
    """The last season before each origin (m,); the last value where there is no whole season. Returns (m, H)."""
    season_there = np.where(origins >= season, season, 1)[:, None]
    return np.asarray(values[origins[:, None] - season_there + np.arange(horizon) % season_there])


def naive2_at(values: Array, season: int, origins: Index, horizon: int) -> Array:
    """`models.bases.naive2` of the values before each origin: (m, H). values: (n,); origins: (m,)."""
    if season < 2 or origins.max() < 3 * season:
        return naive_at(values, season, origins, horizon)
    values = values[: origins.max()]
    indices = _indices_at(values, season, origins)
    usable = np.isfinite(indices).all(axis=1) & (indices > 0.0).all(axis=1)
    indices[~(usable & _is_seasonal_at(values, season, origins))] = 1.0
    rows = np.arange(len(origins))
    level = values[origins - 1] / indices[rows, (origins - 1) % season]
    return np.asarray(level[:, None] * indices[rows[:, None], (origins[:, None] + np.arange(horizon)) % season])


def _is_seasonal_at(values: Array, season: int, origins: Index) -> Index:
    """`models.bases.is_seasonal` of the values before each origin: (m,), booleans."""
    shifted = values - values[0]  # keeps the sums small; autocorrelations do not notice
    sums, squares = _running(shifted), _running(shifted * shifted)
    mean = sums[origins] / origins
    variance = squares[origins] - origins * mean**2
    r = np.zeros((season, len(origins)))
    there = (origins >= 3 * season) & (variance > 1e-12 * squares[origins])
    m, mu = origins[there], mean[there]
    for lag in range(1, season + 1):
        products = _running(shifted[lag:] * shifted[:-lag])[m - lag]
        both = sums[m] - sums[lag] + sums[m - lag]
        r[lag - 1, there] = (products - mu * both + (m - lag) * mu**2) / variance[there]
    bound = 1.645 * np.sqrt((1.0 + 2.0 * (r[:-1] ** 2).sum(axis=0)) / origins)
    return np.asarray(there & (np.abs(r[-1]) > bound))


def _indices_at(values: Array, season: int, origins: Index) -> Array:
    """`models.bases.seasonal_indices` of the values before each origin: (m, season); NaN before two seasons."""
    weights = np.full(season, 1.0 / season) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5] / season
    trend = np.convolve(values, weights, mode="valid")
    first = len(weights) // 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = values[first : first + len(trend)] / trend
        # A row a season: the sums over all whole seasons before, position by position, counted from `first`.
        padded = np.concatenate([ratios, np.zeros(-len(ratios) % season)]).reshape(-1, season)
        sums = np.concatenate([np.zeros((1, season)), np.cumsum(padded, axis=0)])
        count = np.maximum(0, origins - len(weights) + 1)[:, None]  # how many ratios each origin has
        whole, begun = count // season, np.arange(season) < count % season
        indices = np.where(begun, sums[np.minimum(whole + 1, len(sums) - 1)[:, 0]], sums[whole[:, 0]]) / (whole + begun)
        indices = np.roll(indices, first, axis=1)  # position 0 is that of the first value
        return np.asarray(indices / indices.mean(axis=1, keepdims=True))


def _running(values: Array) -> Array:
    """The sum of the first k values at place k: (n + 1,)."""
    return np.concatenate([[0.0], np.cumsum(values)])


def _yardstick(
    rule: Callable[[Array, int, Index, int], Array],
    values: Array,
    ends: Index,
    season: int,
    horizon: int,
    levels: Sequence[int],
) -> Yardstick:
    mean = rule(values, season, ends, horizon)
    radii = np.full((len(ends), len(levels), horizon), np.nan)
    counts = np.minimum(ORIGINS, ends - horizon - season + 1)  # each origin has a season before it, its targets after
    past = [end - horizon - np.arange(count) for end, count in zip(ends, counts, strict=True)]
    calibrated = counts >= MIN_ORIGINS
    if calibrated.any():
        origins = np.unique(np.concatenate([past[k] for k in np.flatnonzero(calibrated)]))
        errors = values[origins[:, None] + np.arange(horizon)] - rule(values, season, origins, horizon)
        for count in np.unique(counts[calibrated]):
            same = np.flatnonzero(counts == count)
            chosen = errors[np.searchsorted(origins, np.stack([past[k] for k in same], axis=1))]
            found = conformal_radii(chosen.reshape(count, -1), levels)
            radii[same] = found.reshape(len(levels), len(same), horizon).transpose(1, 0, 2)
    return Yardstick(mean, mean[:, None] - radii, mean[:, None] + radii)
