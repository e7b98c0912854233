"""Runs: every run of a job, when it was due, how it ended, and why."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.queries.execution import changed
from db.schema import Model, Run


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
    chosen = select(Run).where(Run.panel == panel, Run.job == job).order_by(Run.id.desc()).limit(limit)
    return list(session.scalars(chosen))
