"""Refit: fit a challenger on what is known now, and let it serve if the gate says so and nobody else is to be asked.

Reading and storing happen here; the fit itself is `jobs.fit.fit`, which a worker process runs. What a fit is made of
is put together by `observe` and `make_task`, which know no database: a backtest calls the same ones.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

import numpy as np
from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions, reading
from db.queries import Pair
from db.times import from_us, to_us
from jobs import calendars, grid
from jobs.calendars import Times
from jobs.events import RefitEnded
from jobs.fit import Fitted, Task
from jobs.forecast import serving
from jobs.panel import Panel
from models.arrays import Array
from models.forecaster import Forecaster
from models.panel import ORIGINS_NEEDED, origins_of, values_needed


class NotReadyError(Exception):
    """There are not enough observations to fit a model yet; the message says how many there are and are needed."""


Fit = Callable[[Task], Fitted]


@dataclass(frozen=True)
class Asked:
    """What the fits of a panel are asked for."""

    name: str  # of the panel
    horizon: int
    levels: tuple[int, ...]
    seed: int

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """What a configured panel asks for."""
        return cls(panel.name, panel.horizon, panel.levels, panel.seed)


@dataclass(frozen=True)
class Observed:
    """What is known of a panel at some moment, as a fit takes it."""

    histories: dict[str, list[Array]]  # of each series its runs of consecutive steps
    seasons: tuple[int, ...]  # that the series may have, in steps
    cutoff: datetime  # the time of the newest value
    fingerprint: str  # of the data
    times: dict[str, Times] = field(default_factory=dict)  # of each series' observations, where it has a calendar

    def after(self, cutoff: datetime) -> dict[str, int]:
        """How many observations of each series came after a moment."""
        return {name: int(np.count_nonzero(times > to_us(cutoff))) for name, times in self.times.items()}


@dataclass(frozen=True)
class Refitted:
    """What a refit did."""

    fitted: Fitted
    promoted: bool  # whether it serves now

    @property
    def outcome(self) -> Literal["promoted", "waiting", "rejected"]:
        """What became of the challenger."""
        if self.promoted:
            return "promoted"
        return "waiting" if self.fitted.accepted else "rejected"

    def __str__(self) -> str:
        if self.outcome == "waiting":
            return f"{self.fitted.kind} waits to be promoted: {self.fitted.verdict}"
        return str(self.fitted)


def refit(sessions: Sessions, panel: Panel, now: datetime, fit: Fit) -> Refitted:
    """Fit a challenger on the panel's observations as of `now`, store it, and promote it if it won.

    Of a panel whose promotions are a person's it waits instead, unless no model serves that answers what the panel
    asks. Raises NotReadyError where there are too few observations, and whatever `fit` raises.
    """
    with reading(sessions) as session:
        task = prepare(session, panel, now)
    fitted = fit(task)
    with sessions.begin() as session:
        model = queries.add_model(
            session,
            panel.name,
            kind=fitted.kind,
            cutoff=task.cutoff,
            trained_at=now,
            accepted=fitted.accepted,
            verdict=fitted.verdict,
            content=fitted.content,
        )
        promoted = fitted.accepted and (panel.promote == "managed" or not is_served(session, panel))
        if promoted:
            queries.promote(session, model, now, "won its refit")
        refitted = Refitted(fitted, promoted)
        told = RefitEnded(refitted.outcome, model.version, fitted.kind, fitted.verdict)
        queries.add_events(session, [told.of(panel.name)], now)
    return refitted


def is_served(session: Session, panel: Panel) -> bool:
    """Whether the panel has a champion that answers what the panel asks."""
    served = serving(session, panel)
    return served is not None and answers_to(served[1], panel)


def answers_to(forecaster: Forecaster, panel: Panel) -> bool:
    """Whether a forecaster answers what the panel asks: its horizon and its levels."""
    return (forecaster.horizon, tuple(forecaster.levels)) == (panel.horizon, panel.levels)


def prepare(session: Session, panel: Panel, now: datetime) -> Task:
    """Read what a fit of the panel as of `now` needs. Raises NotReadyError where there are too few observations."""
    pairs: dict[str, list[Pair]] = {}
    for series in queries.series_of_panel(session, panel.name):
        last = queries.newest_ts(session, series.id, now)
        if last is not None:
            start = last - panel.train_window
            pairs[series.name] = queries.observations(session, series.id, as_of=now, start=start)
    champion = queries.champion(session, panel.name)
    seen = observe(panel, pairs)
    return make_task(
        Asked.of(panel),
        seen,
        champion=None if champion is None else champion.content,
        unseen={} if champion is None else seen.after(champion.cutoff),
        trained_at=now,
    )


def observe(panel: Panel, pairs: Mapping[str, Sequence[Pair]]) -> Observed:
    """Lay the observations of each series, in order of time and at least one, on the panel's calendar."""
    histories: dict[str, list[Array]] = {}
    times: dict[str, Times] = {}
    fingerprint = hashlib.sha256()
    steps, newest = calendars.steps(panel, []), 0
    for name, known in pairs.items():
        times[name] = np.array([ts for ts, _ in known], dtype=np.int64)
        steps = calendars.steps(panel, times[name])
        histories[name] = grid.segments(known, steps, panel.gap_filled, panel.fill)
        fingerprint.update(repr((name, list(known))).encode())
        newest = max(newest, known[-1][0])
    return Observed(histories, steps.seasons, from_us(newest), fingerprint.hexdigest(), times)


def make_task(
    asked: Asked, seen: Observed, *, champion: bytes | None, unseen: dict[str, int], trained_at: datetime
) -> Task:
    """The fit of what was observed. unseen: of each series, how many of its newest values the champion was fitted
    without. Raises NotReadyError where there are too few consecutive values.
    """
    short = lacking([[len(run) for run in runs] for runs in seen.histories.values()], asked.horizon)
    if short is not None:
        raise NotReadyError(short.told)
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
        levels=asked.levels,
        seed=asked.seed,
        champion=champion,
        unseen=unseen,
        about=about,
        cutoff=seen.cutoff,
    )


@dataclass(frozen=True)
class Lacking:
    """What a panel has too few of for a first model, in words, and how many steps it will take at least."""

    told: str
    steps: int


def lacking(lengths: Sequence[Sequence[int]], horizon: int) -> Lacking | None:
    """What runs of so many consecutive values, one list a series, lack for a first model; None where they suffice."""
    runs = [length for series in lengths for length in series]
    found = origins_of(runs, horizon)
    if found >= ORIGINS_NEEDED:
        return None
    longest, needed = max(runs, default=0), values_needed(horizon)
    if len(lengths) <= 1:
        told = f"{longest} of the {needed} consecutive observations that a first model needs"
        return Lacking(told, needed - longest)
    told = (
        f"{found} of the {ORIGINS_NEEDED} forecasts to learn from that a first model needs, over {len(lengths)} series"
        f" of at most {longest} consecutive observations"
    )
    return Lacking(told, -(-(ORIGINS_NEEDED - found) // len(lengths)))
