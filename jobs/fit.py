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
    levels: tuple[int, ...]
    seed: int
    champion: bytes | None
    unseen: dict[str, int]  # of each series, how many of its newest values came after the champion's cutoff
    about: dict[str, Any]  # kept inside the model's bytes
    cutoff: datetime


@dataclass(frozen=True)
class Fitted:
    """What came of a fit."""

    content: bytes
    kind: str
    accepted: bool  # by the gate
    verdict: str

    def __str__(self) -> str:
        return f"{self.kind} {'serves' if self.accepted else 'rejected'}: {self.verdict}"


def fit(task: Task, progress: Progress | None = None) -> Fitted:
    """Fit a challenger, warm from the champion where there is one, and hold it against it."""
    champion, unreadable = None, ""
    if task.champion is not None:
        try:
            champion, _ = Forecaster.from_bytes(task.champion)
        except BadModelBytesError as error:
            unreadable = f"the champion cannot be read: {error}"
    challenger = Forecaster(task.horizon, seasons=task.seasons, levels=task.levels, seed=task.seed)
    challenger.fit(task.histories, progress, champion)
    accepted, compared = True, unreadable
    if champion is not None:
        accepted, compared = challenger.outdoes(champion, task.histories, task.unseen)
    verdict = "; ".join(told for told in (challenger.verdict_.reason, compared) if told)
    return Fitted(challenger.to_bytes(task.about), challenger.kind_, accepted, verdict)
