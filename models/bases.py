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
