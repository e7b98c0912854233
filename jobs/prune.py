"""Prune: forget what is older than a panel keeps, a bounded batch at a time, so that nobody waits long for the lock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from db import queries
from db.engine import Sessions, reading
from jobs.due import RUNS_LOOKED_AT
from jobs.live import REMEMBERED
from jobs.panel import Panel

EVERY = timedelta(hours=1)
BATCH = 500  # forecasts, or observations times a hundred, a transaction


@dataclass
class Pruned:
    """How much was forgotten."""

    forecasts: int = 0
    observations: int = 0
    models: int = 0

    def __str__(self) -> str:
        return f"{self.counted} forgotten"

    @property
    def counted(self) -> str:
        """How much of each, in words."""
        return f"{self.forecasts:,} forecasts, {self.observations:,} observations, {self.models:,} models"


def keeps_all(panel: Panel) -> bool:
    """Whether a panel never forgets."""
    return panel.keep_forecasts is None and panel.keep_observations is None and panel.keep_models is None


def prune(sessions: Sessions, panel: Panel, now: datetime) -> Pruned:
    """Delete forecasts (with their scores, whose sums stay, and the record of runs), observations and models older than
    the panel keeps.

    What still serves stays: the latest forecast of each series, the champion and the model before it, every model that
    a forecast refers to, the observations that a refit uses, and the observations and forecasts that a kept forecast
    was made from.
    """
    pruned = Pruned()
    if panel.keep_forecasts is not None:
        pruned.forecasts = _delete_forecasts(sessions, panel, now - panel.keep_forecasts)
        with sessions.begin() as session:
            queries.delete_runs(session, panel.name, now - panel.keep_forecasts, RUNS_LOOKED_AT)
    if panel.keep_observations is not None:
        with reading(sessions) as session:
            series_ids = [series.id for series in queries.series_of_panel(session, panel.name)]
        for series_id in series_ids:
            pruned.observations += _delete_observations(sessions, panel, series_id, now - panel.keep_observations, now)
    if panel.keep_models is not None:
        with sessions.begin() as session:
            pruned.models = queries.delete_models(session, panel.name, now - panel.keep_models)
    return pruned


def _delete_forecasts(sessions: Sessions, panel: Panel, before: datetime) -> int:
    with reading(sessions) as session:
        ids = queries.forgettable_forecasts(session, panel.name, before, REMEMBERED)
    for first in range(0, len(ids), BATCH):
        with sessions.begin() as session:
            queries.delete_forecasts(session, ids[first : first + BATCH])
    return len(ids)


def _delete_observations(sessions: Sessions, panel: Panel, series_id: int, before: datetime, now: datetime) -> int:
    with reading(sessions) as session:
        needed_from = [queries.newest_ts(session, series_id, now), queries.oldest_cutoff(session, series_id)]
    # Twice the training window before a cutoff: no forecast has seen more.
    before = min([before, *(ts - 2 * panel.train_window for ts in needed_from if ts is not None)])
    total = 0
    while True:
        with sessions.begin() as session:
            deleted = queries.delete_observations(session, series_id, before, 100 * BATCH)
        total += deleted
        if not deleted:
            return total
