"""Sparklines: some values as a row of block characters, for a terminal."""

import itertools
import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
MISSING = " "
LEVEL = 3  # the block of values that are all the same


def sparkline(values: Sequence[float], lo: float, hi: float) -> str:
    """A block a value, on a scale from lo to hi; a blank where the value is not finite."""
    return "".join(_block(value, lo, hi) for value in values)


def scale_of(*parts: Sequence[float]) -> tuple[float, float]:
    """The least and the greatest finite value of all parts, so that they can be drawn on one scale."""
    finite = [value for part in parts for value in part if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else (0.0, 0.0)


def fitted(values: Sequence[float], width: int) -> list[float]:
    """At most `width` values: where there are more, the means of as many neighbouring parts."""
    if len(values) <= width:
        return list(values)
    cuts = [len(values) * k // width for k in range(width + 1)]
    return [_mean(values[first:end]) for first, end in itertools.pairwise(cuts)]


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(value / len(finite) for value in finite) if finite else math.nan


def _block(value: float, lo: float, hi: float) -> str:
    if not math.isfinite(value):
        return MISSING
    if hi <= lo:
        return BLOCKS[LEVEL]
    share = (value / 2 - lo / 2) / (hi / 2 - lo / 2)  # halves: the span of two large numbers may overflow
    return BLOCKS[max(0, min(len(BLOCKS) - 1, int(share * len(BLOCKS))))]
