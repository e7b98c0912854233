"""Refit: fit a challenger on what is known now, and let it serve if the gate says so.

Reading and storing happen here; the fit itself is `jobs.fit.fit`, which a worker process runs. What a fit is made of
is put together by `observe` and `make_task`, which know no database: a backtest calls the same ones.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions, reading
from db.queries import Pair
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


@dataclass(frozen=True)
class Asked:
    """What the fits of a panel are asked for."""

    name: str  # of the panel
    horizon: int
    lookback: int | None
    levels: tuple[int, ...]
    seed: int

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """What a configured panel asks for."""
        return cls(panel.name, panel.horizon, panel.lookback, panel.levels, panel.seed)


@dataclass(frozen=True)
class Observed:
    """What is known of a panel at some moment, as a fit takes it."""

    histories: dict[str, list[Array]]  # of each series its runs of consecutive steps
    seasons: tuple[int, ...]  # that the series may have, in steps
    cutoff: datetime  # the time of the newest value
    fingerprint: str  # of the data


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
    pairs: dict[str, list[Pair]] = {}
    for series in queries.series_of_panel(session, panel.name):
        last = queries.newest_ts(session, series.id, now)
        if last is not None:
            start = last - panel.train_window
            pairs[series.name] = queries.observations(session, series.id, as_of=now, start=start)
    model = queries.champion(session, panel.name)
    champion = None if model is None else model.content
    return make_task(Asked.of(panel), observe(panel, pairs), champion=champion, trained_at=now)


def observe(panel: Panel, pairs: Mapping[str, Sequence[Pair]]) -> Observed:
    """Lay the observations of each series, in order of time and at least one, on the panel's calendar."""
    histories: dict[str, list[Array]] = {}
    fingerprint = hashlib.sha256()
    weekmask, newest = None, 0
    for name, known in pairs.items():
        weekmask = calendars.days(panel.interval, [ts for ts, _ in known])
        histories[name] = grid.segments(known, panel.interval, weekmask, panel.horizon)
        fingerprint.update(repr((name, list(known))).encode())
        newest = max(newest, known[-1][0])
    seasons = calendars.seasons(panel.interval, weekmask)
    return Observed(histories, seasons, from_us(newest), fingerprint.hexdigest())


def make_task(asked: Asked, seen: Observed, *, champion: bytes | None, trained_at: datetime) -> Task:
    """The fit of what was observed. Raises NotReadyError where no series has enough consecutive values."""
    longest = max((len(run) for runs in seen.histories.values() for run in runs), default=0)
    needed = values_needed(asked.horizon, asked.lookback)
    if longest < needed:
        raise NotReadyError(f"{longest} of the {needed} consecutive observations that a first model needs")
    about = {
        "panel": asked.name,
        "seed": asked.seed,
        "cutoff": seen.cutoff.isoformat(),
        "fingerprint": seen.fingerprint,
        "trained_at": trained_at.isoformat(),
    }
    return Task(
        histories=seen.histories,
        seasons=seen.seasons,
        horizon=asked.horizon,
        lookback=asked.lookback,
        levels=asked.levels,
        seed=asked.seed,
        champion=champion,
        about=about,
        cutoff=seen.cutoff,
    )
