"""A panel: series of one source and one interval that share a schedule and one model."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from jobs.sources.base import Source

Clock = Callable[[], datetime]
Promote = Literal["managed", "manual"]


@dataclass(frozen=True)
class Panel:
    """What the jobs need to know of a panel; `service.settings` makes it from the configuration."""

    name: str
    source: Source
    interval: timedelta
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
