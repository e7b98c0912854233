"""A panel: series of one source and one interval that share a schedule and one model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from jobs.sources.base import Source

Clock = Callable[[], datetime]
Promote = Literal["managed", "manual"]
Aggregate = Literal["last", "mean", "sum"]
Fill = Literal["last", "linear", "zero"]
Jumps = Literal["keep", "drop"]


@dataclass(frozen=True)
class Panel:
    """What the jobs need to know of a panel; `service.panels` makes it from the configuration."""

    name: str
    source: Source
    interval: timedelta  # of calendar months: about their length
    horizon: int  # steps
    fetch_every: timedelta
    refit_every: timedelta
    train_window: timedelta  # the span of history that a refit uses, back from the newest observation
    expire_after: timedelta | None = None  # after the cutoff; None: when the last step's target has passed
    levels: tuple[int, ...] = (80, 95)  # percent
    promote: Promote = "managed"  # who lets a challenger serve: the gate alone, or a person
    keep_forecasts: timedelta | None = None  # with their scores; None: for ever, as with the next two
    keep_observations: timedelta | None = None
    keep_models: timedelta | None = None
    seed: int = 0
    prefix: str = ""  # put before the source's own names, to keep the names of two panels apart
    months: int = 0  # the interval in calendar months; 0 where it has a fixed length
    tz: ZoneInfo | None = None  # of times without a zone; its midnight begins a day
    calendar: str | None = None  # the exchange whose sessions are the steps, as exchange_calendars calls it
    fetch_after_close: timedelta | None = None  # so long after each session's close, instead of fetch_every
    refit_after_close: timedelta | None = None
    offset: timedelta = timedelta(0)  # of the grid from midnight UTC
    settle: timedelta = timedelta(0)  # after an interval's end, until its value counts
    aggregate: Aggregate = "last"  # what becomes of several values in one interval
    fill: Fill = "last"  # what stands in for the values of a gap, in the model's view
    max_gap: int | None = None  # steps that are filled at most; None: as many as the horizon has
    jumps: Jumps = "keep"  # what becomes of a value absurdly far from those before it
    overlap: timedelta | None = None  # how far back each fetch asks again; None: OVERLAP intervals
    fetch_timeout: timedelta = timedelta(minutes=2)  # without a sign of life of the source
    secrets: tuple[str, ...] = field(default=(), repr=False)  # what must appear in no text

    @property
    def gap_filled(self) -> int:
        """How many missing steps in a row are filled at most."""
        return self.horizon if self.max_gap is None else self.max_gap
