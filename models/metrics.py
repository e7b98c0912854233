"""Errors of forecasts, as the M4 competition defines them.

Source: Makridakis, Spiliotis and Assimakopoulos, The M4 Competition: 100,000 time series and 61 forecasting methods,
International Journal of Forecasting 36, 2020. Each function scores one series over its horizon, (H,); the competition's
figures are their means over all series.
"""

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


def smape(targets: Array, mean: Array) -> float:
    """Symmetric mean absolute percentage error, 200 · mean(|y − f| / (|y| + |f|)), in percent.

    targets, mean: (H,). A step at which both are 0 is forecast exactly and counts 0.
    """
    sizes = np.abs(targets) + np.abs(mean)
    errors = np.abs(targets - mean)
    return float(200.0 * np.divide(errors, sizes, out=np.zeros_like(errors), where=sizes > 0.0).mean())


def mase(targets: Array, mean: Array, scale: float) -> float:
    """Mean absolute scaled error. targets, mean: (H,); scale: `naive_scale` of the values that came before."""
    return float(np.abs(targets - mean).mean() / scale)


def msis(targets: Array, lo: Array, hi: Array, level: int, scale: float) -> float:
    """Mean scaled interval score: width, and 2/α times what lies outside, α = 1 − level/100; in units of the scale.

    targets, lo, hi: (H,); level: percent (Gneiting and Raftery, 2007). Smaller is better.
    """
    outside = np.maximum(lo - targets, 0.0) + np.maximum(targets - hi, 0.0)
    return float((hi - lo + 2.0 / (1.0 - level / 100.0) * outside).mean() / scale)


def coverage(targets: Array, lo: Array, hi: Array) -> float:
    """The share of steps whose truth fell inside the interval. targets, lo, hi: (H,)."""
    return float(((lo <= targets) & (targets <= hi)).mean())


def owa(smape: float, mase: float, naive2_smape: float, naive2_mase: float) -> float:
    """Overall weighted average: how the two mean errors compare with those of Naive2, on average. 1 is level."""
    return 0.5 * (smape / naive2_smape + mase / naive2_mase)
