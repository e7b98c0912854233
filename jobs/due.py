"""When a job is due next, worked out from its runs in the database: a restart neither repeats a job nor starves it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from db.schema import Run

FIRST_RETRY = timedelta(seconds=30)
RUNS_LOOKED_AT = 12  # by then the wait between two tries has doubled to most of a day


def next_due(runs: Sequence[Run], every: timedelta, now: datetime) -> datetime:
    """The next due time after these runs of one job, newest first.

    After a good run: the next multiple of `every` from when it was due, so that the rhythm does not drift and missed
    turns are not made up for. After failures: 30 s after the last one, doubled with each more, at most `every`.
    Without any run: now. Never later than one `every` from now, should the clock have run ahead and been put back.
    """
    if not runs:
        return now
    newest = runs[0]
    if newest.outcome == "ok":
        missed = max(0, (newest.started - newest.due) // every)
        return min(newest.due + (missed + 1) * every, now + every)
    failures = next((k for k, run in enumerate(runs) if run.outcome in ("ok", "waiting")), len(runs))
    wait: timedelta = FIRST_RETRY * 2 ** max(0, failures - 1)
    return min(newest.started, now) + min(every, wait)
