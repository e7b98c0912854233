"""When a job is due next, worked out from its runs in the database: a restart neither repeats a job nor starves it.

A job is due every so often, or so long after each close of an exchange: then not at all on days without a session.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from db.schema import Run
from db.times import MICROSECOND, from_us, to_us
from jobs import calendars, exchanges
from jobs.panel import Panel

FIRST_RETRY = timedelta(seconds=30)
RUNS_LOOKED_AT = 12  # by then the wait between two tries has doubled to most of a day

Job = Literal["fetch", "refit"]  # that has a schedule of its panel's own


@dataclass(frozen=True)
class Every:
    """A turn every so often."""

    period: timedelta

    def turn(self, due: datetime, after: datetime) -> datetime:
        """The first turn after a moment, of a job that was due at another."""
        missed = max(0, (after - due) // self.period)
        return due + (missed + 1) * self.period

    def by(self, moment: datetime) -> datetime:
        """The turn that finds what is there since a moment, whenever the job was due before."""
        return moment + self.period


@dataclass(frozen=True)
class AfterClose:
    """A turn so long after each close of an exchange."""

    calendar: str
    delay: timedelta

    def turn(self, due: datetime, after: datetime) -> datetime:
        """The first turn after a moment, of a job that was due at another."""
        closes = exchanges.sessions(self.calendar).closes
        latest = to_us(max(due, after) - self.delay)
        return from_us(int(closes[np.searchsorted(closes, latest, side="right")])) + self.delay

    def by(self, moment: datetime) -> datetime:
        """The turn that finds what is there since a moment."""
        return self.turn(moment - MICROSECOND, moment - MICROSECOND)


Schedule = Every | AfterClose


def schedule_of(panel: Panel, job: Job) -> Schedule:
    """The schedule of a panel's job."""
    every, delay = (
        (panel.fetch_every, panel.fetch_after_close) if job == "fetch" else (panel.refit_every, panel.refit_after_close)
    )
    return Every(every) if panel.calendar is None or delay is None else AfterClose(panel.calendar, delay)


def next_due(runs: Sequence[Run], schedule: Schedule, now: datetime) -> datetime:
    """The next due time after these runs of one job, newest first.

    After a good run: the next turn, counted from when it was due, so that the rhythm does not drift, and missed turns
    are not made up for. After failures: 30 s after the last one, doubled with each more, at the next turn at the
    latest. Without any run: now. Never later than the next turn from now, should the clock have run ahead and been put
    back.
    """
    if not runs:
        return now
    newest = runs[0]
    if newest.outcome == "ok":
        return min(schedule.turn(newest.due, newest.started), schedule.turn(now, now))
    failures = next((k for k, run in enumerate(runs) if run.outcome in ("ok", "waiting")), len(runs))
    wait: timedelta = FIRST_RETRY * 2 ** max(0, failures - 1)
    failed = min(newest.started, now)
    return min(failed + wait, schedule.turn(failed, failed))


def fetched_by(panel: Panel, label: int) -> datetime:
    """When the value of a time should have been fetched: once its interval has ended and settled."""
    ended = from_us(calendars.end(panel, label)) + panel.settle
    return schedule_of(panel, "fetch").by(ended)
