"""Errors of forecasts, as the M4 competition defines them (Makridakis et al., 2020)."""

import numpy as np

from models.arrays import Array


def naive_scale(values: Array, season: int) -> float:
    """The scale of MASE: mean |y_t − y_{t-season}| over the values (n,). NaN where there are not enough of them."""
    if len(values) <= season:
        return float("nan")
    return float(np.abs(values[season:] - values[:-season]).mean())


def scaled_errors(mean: Array, targets: Array, scales: Array) -> Array:
    """Mean absolute error of each window over its steps, in units of its series' scale: a MASE a window.

    mean, targets: (n, H); scales: (n,), positive. Returns (n,).
    """
    return np.asarray(np.abs(targets - mean).mean(axis=1) / scales)
