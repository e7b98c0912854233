"""Prediction intervals by split conformal prediction: how far off was the model where it had not been fitted?"""

import math
from collections.abc import Sequence

import numpy as np

from models.arrays import Array


def conformal_radii(residuals: Array, levels: Sequence[int]) -> Array:
    """The radius around the mean that held the truth in `level` percent of the calibration windows, for each step.

    residuals: (n, H), in units of each window's own scale. levels: percent, each in 1…99. Returns (len(levels), H).
    The radius is the ⌈(n+1)·level/100⌉-th smallest absolute residual (Lei et al., 2018, algorithm 2). Where n is too
    small for that rank to exist (n < 19 at 95 %), the largest residual stands in, and the true coverage is lower than
    the level.
    """
    n = len(residuals)
    ordered = np.sort(np.abs(residuals), axis=0)
    ranks = [min(n, math.ceil((n + 1) * level / 100)) - 1 for level in levels]
    return ordered[ranks]
