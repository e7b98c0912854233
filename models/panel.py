"""A panel's values as the models take them: the segments of each series, and where each series is judged.

A segment is a run of consecutive values without a gap.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from models.arrays import Array
from models.errors import BadInputError
from models.floors import moves, noise

Histories = Mapping[str, Sequence[Array]]  # of each series its segments, in order of time

ORIGINS_NEEDED = 20  # to calibrate on: the fewest with which a 95 % interval means something
MIN_PAST = 2  # values before an origin


def values_needed(horizon: int) -> int:
    """The fewest consecutive values of a panel of one that a first fit can work with."""
    return MIN_PAST + horizon + ORIGINS_NEEDED - 1


def origins_of(lengths: Iterable[int], horizon: int) -> int:
    """From how many origins runs of so many values can be forecast and judged; a first fit needs ORIGINS_NEEDED."""
    return sum(max(0, length - horizon - MIN_PAST + 1) for length in lengths)


class Panel:
    """The series that have values, the segments of each, and the one of them at whose end it is judged.

    That is the newest segment that is long enough by itself; where none is, the longest. Raises BadInputError where a
    value is not finite.
    """

    def __init__(self, histories: Histories, horizon: int) -> None:
        found = {name: _checked(name, segments) for name, segments in histories.items()}
        found = {name: segments for name, segments in found.items() if segments}
        self.horizon = horizon
        self.names = list(found)
        self.segments = list(found.values())
        self._judged = [_judged_segment([len(values) for values in each], horizon) for each in self.segments]
        self.judged = [each[number] for each, number in zip(self.segments, self._judged, strict=True)]
        self.lengths = [len(values) for values in self.judged]

    @property
    def length(self) -> int:
        """How many values the median series is judged by."""
        return int(np.median(self.lengths))

    @property
    def later(self) -> list[int]:
        """How many values of each series came after its judged segment."""
        return [
            sum(len(values) for values in each[number + 1 :])
            for each, number in zip(self.segments, self._judged, strict=True)
        ]

    def scales(self, season: int) -> Array:
        """The scale of MASE of each series, (n_series,): of fewer values than a season, from step to step; 0 where
        there is none.
        """
        return np.array([moves(values, season if len(values) > season else 1) for values in self.judged])

    def units(self, season: int) -> Array:
        """The scales, made positive: (n_series,)."""
        return np.maximum(self.scales(season), [noise(values) for values in self.judged])

    def without(self, span: int) -> list[list[Array]]:
        """The segments without the last `span` values of the judged one of each series, and without what came later."""
        return [
            [*each[:number], each[number][: max(0, len(each[number]) - span)]]
            for each, number in zip(self.segments, self._judged, strict=True)
        ]


def _judged_segment(lengths: Sequence[int], horizon: int) -> int:
    enough = [number for number, length in enumerate(lengths) if length >= values_needed(horizon)]
    return enough[-1] if enough else int(np.argmax(lengths))


def _checked(name: str, segments: Sequence[Array]) -> list[Array]:
    """The segments that hold anything. Raises BadInputError where one holds no numbers to use."""
    for values in segments:
        if not np.isfinite(values).all():
            raise BadInputError(f"series {name} holds NaN or infinity; drop such values first")
    return [np.asarray(values, dtype=np.float64) for values in segments if len(values)]
