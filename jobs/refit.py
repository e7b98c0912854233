"""Refit: fit a challenger on what is known now, and let it serve if the gate says so.

Reading and storing happen here; the fit itself is `jobs.fit.fit`, which a worker process runs.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions, reading
from db.times import from_us
from jobs import calendars, grid
from jobs.fit import Fitted, Task
from jobs.forecast import serving
from jobs.panel import Panel
from models.arrays import Array
from models.forecaster import values_needed


class NotReadyError(Exception):
    """There are not enough observations to fit a model yet; the message says how many there are and are needed."""


Fit = Callable[[Task], Fitted]


def refit(sessions: Sessions, panel: Panel, now: datetime, fit: Fit) -> Fitted:
    """Fit a challenger on the panel's observations as of `now`, store it, and promote it if it won.

    Raises NotReadyError where there are too few observations, and whatever `fit` raises.
    """
    with reading(sessions) as session:
        task = prepare(session, panel, now)
    fitted = fit(task)
    with sessions.begin() as session:
        queries.add_model(
            session,
            panel.name,
            kind=fitted.kind,
            cutoff=task.cutoff,
            trained_at=now,
            promoted_at=now if fitted.promoted else None,
            verdict=fitted.verdict,
            content=fitted.content,
        )
    return fitted


def is_served(session: Session, panel: Panel) -> bool:
    """Whether the panel has a champion that answers what the panel asks: its horizon and its levels."""
    served = serving(session, panel)
    return served is not None and (served[1].horizon, served[1].levels) == (panel.horizon, panel.levels)


def observations_needed(panel: Panel) -> int:
    """How many consecutive observations of one series a first model needs."""
    return values_needed(panel.horizon, panel.lookback)


def prepare(session: Session, panel: Panel, now: datetime) -> Task:
    """Read what a fit of the panel as of `now` needs. Raises NotReadyError where there are too few observations."""
    histories: dict[str, list[Array]] = {}
    fingerprint = hashlib.sha256()
    weekmask, newest = None, 0
    for series in queries.series_of_panel(session, panel.name):
        last = queries.newest_ts(session, series.id, now)
        if last is None:
            continue
        pairs = queries.observations(session, series.id, as_of=now, start=last - panel.train_window)
        weekmask = calendars.days(panel.interval, [ts for ts, _ in pairs])
        histories[series.name] = grid.segments(pairs, panel.interval, weekmask, panel.horizon)
        fingerprint.update(repr((series.name, pairs)).encode())
        newest = max(newest, pairs[-1][0])
    longest = max((len(run) for runs in histories.values() for run in runs), default=0)
    needed = observations_needed(panel)
    if longest < needed:
        raise NotReadyError(f"{longest} of the {needed} consecutive observations that a first model needs")
    champion = queries.champion(session, panel.name)
    about = {
        "panel": panel.name,
        "seed": panel.seed,
        "cutoff": from_us(newest).isoformat(),
        "fingerprint": fingerprint.hexdigest(),
        "trained_at": now.isoformat(),
    }
    return Task(
        histories=histories,
        seasons=calendars.seasons(panel.interval, weekmask),
        horizon=panel.horizon,
        lookback=panel.lookback,
        levels=panel.levels,
        seed=panel.seed,
        champion=None if champion is None else champion.content,
        about=about,
        cutoff=from_us(newest),
    )
