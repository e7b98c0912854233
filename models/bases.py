"""The naive forecasts: what the network's answer is added to, and the yardstick that it must beat."""

import numpy as np

from models.arrays import Array


def seasonal_naive(contexts: Array, season: int, horizon: int) -> Array:
    """Repeat the last season; with season 1, the naive forecast: the last value at every step.

    contexts: (B, L) with L ≥ season, oldest first. Returns (B, horizon).
    Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, section 5.2.
    """
    steps = np.arange(horizon) % season
    return contexts[:, contexts.shape[1] - season + steps]


def naive2(values: Array, season: int, horizon: int) -> Array:
    """The naive forecast of the seasonally adjusted values, seasonal again: M4's yardstick. values: (n,); returns (H,).

    Where the values show no season, or one that a factor cannot express, it is the naive forecast.
    Source: the benchmark code of the M4 competition (Makridakis, Spiliotis and Assimakopoulos, 2020).
    """
    steps = len(values) + np.arange(horizon)
    indices = seasonal_indices(values, season) if is_seasonal(values, season) else np.ones(season)
    if not (np.isfinite(indices).all() and (indices > 0.0).all()):
        indices = np.ones(season)
    return np.asarray(values[-1] / indices[(len(values) - 1) % season] * indices[steps % season])


def is_seasonal(values: Array, season: int) -> bool:
    """Whether the values (n,) correlate with those a season before, at 90 % confidence; needs three seasons.

    |r_m| > 1.645 · √((1 + 2 Σ_{i<m} r_i²) / n), with r_i the autocorrelation at lag i, m the season (Bartlett, 1946).
    """
    if season < 2 or len(values) < 3 * season:
        return False
    centred = values - values.mean()
    variance = float(centred @ centred)
    if variance == 0.0:
        return False
    r = np.array([centred[lag:] @ centred[:-lag] for lag in range(1, season + 1)]) / variance
    return bool(abs(r[-1]) > 1.645 * np.sqrt((1.0 + 2.0 * float(r[:-1] @ r[:-1])) / len(values)))


def seasonal_indices(values: Array, season: int) -> Array:
    """By which factor each position of the season differs from the trend, (season,), 1 on average.

    Classical multiplicative decomposition: the trend is a centred moving average over one season (Hyndman and
    Athanasopoulos, Forecasting: Principles and Practice, section 3.4). values: (n,), n ≥ 2 · season; position 0 is that
    of the first value. A trend of 0 makes indices that are not finite.
    """
    weights = np.full(season, 1.0 / season) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5] / season
    trend = np.convolve(values, weights, mode="valid")
    first = len(weights) // 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = values[first : first + len(trend)] / trend
        positions = (first + np.arange(len(trend))) % season
        indices = np.bincount(positions, ratios, season) / np.bincount(positions, minlength=season)
        return np.asarray(indices / indices.mean())
