"""One fit: a task in, a fitted model out. Depends on its task alone, and runs in a worker process.

Nothing but the models is imported here, so that a worker stays small.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.arrays import Array
from models.errors import BadModelBytesError
from models.forecaster import Forecaster
from models.training import Progress


@dataclass(frozen=True)
class Task:
    """All that a fit depends on."""

    histories: dict[str, list[Array]]  # of each series its segments
    seasons: tuple[int, ...]
    horizon: int
    lookback: int | None
    levels: tuple[int, ...]
    seed: int
    champion: bytes | None
    about: dict[str, Any]  # kept inside the model's bytes
    cutoff: datetime


@dataclass(frozen=True)
class Fitted:
    """What came of a fit."""

    content: bytes
    kind: str
    promoted: bool
    verdict: str

    def __str__(self) -> str:
        return f"{self.kind} {'serves' if self.promoted else 'rejected'}: {self.verdict}"


def fit(task: Task, progress: Progress | None = None) -> Fitted:
    """Fit a challenger and hold it against the champion."""
    challenger = Forecaster(
        task.horizon, seasons=task.seasons, lookback=task.lookback, levels=task.levels, seed=task.seed
    ).fit(task.histories, progress)
    promoted, verdict = True, challenger.verdict_.reason
    if task.champion is not None:
        try:
            champion, _ = Forecaster.from_bytes(task.champion)
        except BadModelBytesError as error:
            verdict = f"{verdict}; the champion cannot be read: {error}"
        else:
            promoted, compared = challenger.outdoes(champion, task.histories)
            verdict = f"{verdict}; {compared}"
    return Fitted(challenger.to_bytes(task.about), challenger.kind_, promoted, verdict)
