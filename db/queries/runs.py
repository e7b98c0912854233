"""Runs: every run of a job, when it was due, how it ended, and why."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from db.queries.execution import MOST, changed, each_of, fetch, listed
from db.schema import Model, Run

# The kinds of runs that there are, each found from the one before it with a look or three into the index.
KINDS = """
    WITH RECURSIVE kinds AS (
        SELECT panel, job, outcome FROM (SELECT panel, job, outcome FROM runs ORDER BY panel, job, outcome LIMIT 1)
        UNION ALL
        SELECT r.panel, r.job, r.outcome FROM kinds k JOIN runs r ON r.id = coalesce(
            (
                SELECT id FROM runs WHERE panel = k.panel AND job = k.job AND outcome > k.outcome
                ORDER BY outcome LIMIT 1
            ),
            (SELECT id FROM runs WHERE panel = k.panel AND job > k.job ORDER BY job, outcome LIMIT 1),
            (SELECT id FROM runs WHERE panel > k.panel ORDER BY panel, job, outcome LIMIT 1)
        )
    )"""

# Of each kind that is asked for the newest so many before a run: no more is looked at, however rare they are.
NEWEST = """
    SELECT r.id FROM kinds k CROSS JOIN runs r
    WHERE k.panel = coalesce(:panel, k.panel) AND k.job = coalesce(:job, k.job)
    AND k.outcome = coalesce(:outcome, k.outcome)
    AND r.panel = k.panel AND r.job = k.job AND r.outcome = k.outcome AND r.id < :before
    AND r.id >= coalesce((
        SELECT id FROM runs WHERE panel = k.panel AND job = k.job AND outcome = k.outcome AND id < :before
        ORDER BY id DESC LIMIT 1 OFFSET :limit - 1
    ), 0)
    ORDER BY r.id DESC LIMIT :limit"""
NEWEST_OF_JOBS = """
    SELECT r.id FROM (SELECT DISTINCT panel, job FROM kinds) k CROSS JOIN runs r
    WHERE k.job IN (SELECT value FROM json_each(:jobs)) AND r.panel = k.panel AND r.job = k.job
    AND r.id >= coalesce((
        SELECT id FROM runs WHERE panel = k.panel AND job = k.job ORDER BY id DESC LIMIT 1 OFFSET :limit - 1
    ), 0)"""


NEWEST_OF_JOB = (
    select(Run)
    .where(Run.panel == bindparam("panel"), Run.job == bindparam("job"))
    .order_by(Run.id.desc())
    .limit(bindparam("most"))
)
CHOSEN = select(Run).where(Run.id.in_(each_of("ids"))).order_by(Run.id.desc())


def start_run(session: Session, job: str, panel: str, *, due: datetime, started: datetime) -> int:
    """Record that a job runs; returns the run's id."""
    run = Run(job=job, panel=panel, due=due, started=started, outcome="running", reason="")
    session.add(run)
    session.flush()
    return run.id


def end_run(session: Session, run_id: int, *, ended: datetime, outcome: str, reason: str) -> None:
    """Record how a run ended."""
    session.execute(update(Run).where(Run.id == run_id).values(ended=ended, outcome=outcome, reason=reason))


def delete_run(session: Session, run_id: int) -> None:
    """Leave no record of a run."""
    session.execute(delete(Run).where(Run.id == run_id))


def interrupt_runs(session: Session, now: datetime) -> int:
    """Close the runs that never ended, because their process died. Returns how many.

    A refit whose model was stored did end, only not on record: it must not be done again.
    """
    left = update(Run).where(Run.outcome == "running")
    stored = select(Model.id).where(Model.panel == Run.panel, Model.trained_at >= Run.started).exists()
    ended = left.where(Run.job == "refit", stored).values(
        ended=now, outcome="ok", reason="ended before its process did"
    )
    interrupted = left.values(ended=now, outcome="interrupted", reason="the process ended before the job did")
    return changed(session, ended) + changed(session, interrupted)


def newest_good_run(session: Session, panel: str, job: str) -> Run | None:
    """The newest run of a panel's job that went well."""
    chosen = select(Run).where(Run.panel == panel, Run.job == job, Run.outcome == "ok")
    return session.scalar(chosen.order_by(Run.id.desc()).limit(1))


def newest_runs(session: Session, panel: str, job: str, limit: int) -> list[Run]:
    """The newest runs of a panel's job, newest first."""
    return list(session.scalars(NEWEST_OF_JOB, {"panel": panel, "job": job, "most": limit}))


def newest_runs_of_all(session: Session, jobs: Sequence[str], limit: int) -> dict[tuple[str, str], list[Run]]:
    """Of each panel and each of some jobs that has run, the newest runs, newest first."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in _loaded(session, KINDS + NEWEST_OF_JOBS, {"jobs": json.dumps(list(jobs)), "limit": limit}):
        found.setdefault((run.panel, run.job), []).append(run)
    return found


def runs(
    session: Session,
    *,
    panel: str | None = None,
    job: str | None = None,
    outcome: str | None = None,
    before_id: int | None = None,
    limit: int,
) -> list[Run]:
    """The newest `limit` runs, newest first: of a panel, of a job, with an outcome, before another run."""
    before = MOST if before_id is None else before_id
    if panel is None and job is None and outcome is None:
        chosen = select(Run).where(Run.id < before).order_by(Run.id.desc()).limit(limit)
        return list(session.scalars(chosen))
    asked = {"panel": panel, "job": job, "outcome": outcome, "before": before, "limit": limit}
    return _loaded(session, KINDS + NEWEST, asked)


def _loaded(session: Session, statement: str, asked: Mapping[str, object]) -> list[Run]:
    """The runs whose ids a statement tells, newest first."""
    ids = listed(run_id for (run_id,) in fetch(session, statement, asked))
    return list(session.scalars(CHOSEN, {"ids": ids}))


def find_run(session: Session, run_id: int) -> Run | None:
    """The run of that id."""
    return session.get(Run, run_id)
