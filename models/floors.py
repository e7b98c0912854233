"""Floors: the smallest unit that a series' windows are scaled by, so that a calm window is not blown up.

Shape letters: n windows or series.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Array
from models.windows import Index

SHARE = 0.1  # of a series' usual change: a calmer window is scaled as if it moved that much
RELATIVE, ABSOLUTE = 1e-6, 1e-9  # of the values' own size, and at all: what lies below is rounding noise


@dataclass(frozen=True)
class Floors:
    """One floor a window or series, (n,): of the values as they are, and of their logarithms."""

    raw: Array
    log: Array

    def of(self, log: bool) -> Array:
        """Those of the values, or of their logarithms."""
        return self.log if log else self.raw

    def take(self, chosen: slice | Index) -> "Floors":
        """Those of some."""
        return Floors(self.raw[chosen], self.log[chosen])

    def repeat(self, times: int) -> "Floors":
        """All of them, several times over."""
        return Floors(np.tile(self.raw, times), np.tile(self.log, times))


def floors_of(series: Sequence[Array], season: int) -> Floors:
    """The floors of some series of values, (n_i,) each: a share of the usual seasonal change, never mere noise."""
    raw = np.array([_floor(values, season) for values in series])
    log = np.array([_floor(np.log(values) if (values > 0.0).all() else np.zeros(1), season) for values in series])
    return Floors(raw, log)


def noise(values: Array) -> float:
    """What counts as rounding noise among values of this size; positive."""
    return RELATIVE * float(np.abs(values).mean()) + ABSOLUTE if len(values) else ABSOLUTE


def moves(values: Array, season: int) -> float:
    """Mean |y_t − y_{t−season}|; 0 where there are no more values than a season."""
    return float(np.abs(values[season:] - values[:-season]).mean()) if len(values) > season else 0.0


def _floor(values: Array, season: int) -> float:
    return SHARE * moves(values, season) + noise(values)
