"""What events tell, a shape a kind: as JSON in the table, and on the wire. Times are ISO 8601 with Z, NaN is null."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from db.queries import Kind, NewEvent, NewStep


class Told(msgspec.Struct, frozen=True):
    """What an event tells besides its panel, series and moment."""

    kind: ClassVar[Kind]

    def of(self, panel: str, series: str | None = None) -> NewEvent:
        """The event that tells it of a series, or of a panel as a whole."""
        return NewEvent(self.kind, panel, series, msgspec.json.encode(self).decode())


class Observed(Told, frozen=True):
    """A fetch brought new or changed observations of a series: the newest there is now, and how many of both."""

    kind = "observation"
    ts: datetime
    value: float
    new: int
    revised: int


class FirstStep(msgspec.Struct, frozen=True):
    """The first step of a forecast. intervals: level in percent → (lo, hi)."""

    step: int
    target_ts: datetime
    mean: float
    naive: float
    intervals: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, step: NewStep) -> "FirstStep":
        """The first step of a forecast that has just been made."""
        intervals = {str(level): bounds for level, bounds in step.bounds.items()}
        return cls(1, step.target_ts, step.mean, step.naive, intervals)


class Forecasted(Told, frozen=True):
    """A forecast of a series was issued."""

    kind = "forecast"
    cutoff: datetime
    issued_at: datetime
    model: str
    model_version: int
    next: FirstStep


class Scored(Told, frozen=True):
    """Steps of a series' forecasts met their truth: how many, and their mean absolute error beside the naive's."""

    kind = "score"
    scored: int
    mae: float | None
    naive_mae: float | None


class RefitEnded(Told, frozen=True):
    """A refit ended, or a person promoted: what became of it, of which version, and why. A failed one has no model.

    The moment of one that did not fail is when it began, as that of its model and its promotion is.
    """

    kind = "refit"
    outcome: Literal["promoted", "rejected", "waiting", "failed"]
    version: int | None
    model: str | None
    reason: str


class StateChanged(Told, frozen=True):
    """A series is in another state than before; `was` is None where none is known."""

    kind = "state"
    status: str
    reason: str
    was: str | None
