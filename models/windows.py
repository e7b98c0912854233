"""Series cut into windows: the lookback that goes into a model, and the horizon that should come out.

Shape letters: n windows, L lookback, H horizon, T patches (the network's steps), M values a patch (L = T·M).

A series comes as segments, runs of consecutive steps without a gap; no window crosses from one segment into the next.
Each window is scaled by itself, from its lookback alone: nothing of the future, and nothing of another window, can
leak in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.arrays import Array
from models.errors import BadInputError

Index = NDArray[np.intp]

CLIP = 10.0  # scaled inputs and targets beyond this say no more than "extreme"
RELATIVE_FLOOR = 1e-6  # of the values' own size: a scale below that is rounding noise
ABSOLUTE_FLOOR = 1e-9  # for windows that are zero throughout


@dataclass(frozen=True)
class Windows:
    """Windows over the values of all series of a panel, oldest first within each series."""

    values: Array  # (n_values,), all segments of all series in a row
    starts: Index  # (n,), where each window's lookback begins
    series: Index  # (n,), whose window it is
    lookback: int
    horizon: int

    def __len__(self) -> int:
        return len(self.starts)

    def contexts(self) -> Array:
        """The lookbacks: (n, L)."""
        return np.asarray(self.values[self.starts[:, None] + np.arange(self.lookback)])

    def targets(self) -> Array:
        """What came after each lookback: (n, H)."""
        return np.asarray(self.values[self.starts[:, None] + self.lookback + np.arange(self.horizon)])

    def take(self, chosen: Index | NDArray[np.bool_]) -> "Windows":
        """Only the chosen windows."""
        return replace(self, starts=self.starts[chosen], series=self.series[chosen])


def cut(histories: Sequence[Sequence[Array]], lookback: int, horizon: int) -> Windows:
    """Every window of the panel. histories: a sequence of segments (n_i,) for each series."""
    segments = [(number, values) for number, series in enumerate(histories) for values in series]
    for number, values in segments:
        if not np.isfinite(values).all():
            raise BadInputError(f"series number {number} holds NaN or infinity; drop such values first")
    offsets = np.cumsum([0] + [len(values) for _, values in segments])
    counts = [max(0, len(values) - lookback - horizon + 1) for _, values in segments]
    empty = np.zeros(0, dtype=np.intp)
    return Windows(
        values=np.concatenate([values for _, values in segments]) if segments else np.zeros(0),
        starts=np.concatenate([offset + np.arange(k) for offset, k in zip(offsets, counts, strict=False)] or [empty]),
        series=np.repeat(np.array([number for number, _ in segments], dtype=np.intp), counts),
        lookback=lookback,
        horizon=horizon,
    )


def split(windows: Windows, share: float, at_least: int) -> tuple[Windows, Windows]:
    """Split each series' windows in time: the newest `share` (and at least so many) to validate on, older ones to
    train on.

    Windows whose targets reach past the first validation window's cutoff belong to neither side.
    """
    train, valid = np.zeros(len(windows), dtype=bool), np.zeros(len(windows), dtype=bool)
    for number in np.unique(windows.series):
        mine = np.flatnonzero(windows.series == number)
        first = mine[max(0, len(mine) - max(at_least, round(share * len(mine))))]
        valid[mine[mine >= first]] = True
        train[mine[windows.starts[mine] + windows.horizon <= windows.starts[first]]] = True
    return windows.take(train), windows.take(valid)


def scales(contexts: Array, season: int, floors: Array) -> Array:
    """How much each window moves: mean |y_t − y_{t-season}| over its lookback, at least the floor.

    contexts: (n, L); floors: (n,). Returns (n,).
    """
    if contexts.shape[1] > season:
        moves = np.abs(contexts[:, season:] - contexts[:, :-season]).mean(axis=1)
    else:
        moves = np.zeros(len(contexts))
    return floored(np.maximum(moves, floors), contexts)


def inputs(contexts: Array, season: int, patch: int, floors: Array) -> Array:
    """The network's inputs: each window less its level, in units of its standard deviation, in patches: (T, M, n).

    The level is the mean of the last season; the last value where there is no season.
    """
    level = contexts[:, -season:].mean(axis=1)
    spread = floored(np.maximum(contexts.std(axis=1), floors), contexts)
    scaled = np.clip((contexts - level[:, None]) / spread[:, None], -CLIP, CLIP)
    n, lookback = contexts.shape
    return np.ascontiguousarray(scaled.reshape(n, lookback // patch, patch).transpose(1, 2, 0), dtype=np.float32)


def floored(scale: Array, contexts: Array) -> Array:
    """Scales that one can divide by: (n,), never below the rounding noise of their windows (n, L)."""
    return np.asarray(np.maximum(scale, noise(contexts)))


def noise(contexts: Array) -> Array:
    """What counts as rounding noise in windows of values of this size. contexts: (n, L). Returns (n,), positive."""
    return np.asarray(np.maximum(RELATIVE_FLOOR * np.abs(contexts).mean(axis=1), ABSOLUTE_FLOOR))
