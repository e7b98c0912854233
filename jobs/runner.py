"""Run one job: time it, record how it ended and why, and let no failure out."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from db import queries
from db.engine import Sessions
from db.schema import Run
from jobs.events import RefitEnded
from jobs.fetch import one_line
from jobs.forecast import NoModelError
from jobs.panel import Clock
from jobs.refit import NotReadyError
from jobs.sources.base import SourceDownError
from jobs.workers import StoppedError

log = logging.getLogger("rollcast")

T = TypeVar("T")


@dataclass(frozen=True)
class Ended(Generic[T]):
    """How a run ended: with a result, or without one and why.

    unrecorded: the run, where the database refused it; refusal: its words.
    """

    outcome: str
    reason: str
    result: T | None
    unrecorded: Run | None = None
    refusal: SQLAlchemyError | None = None


def run(
    sessions: Sessions,
    clock: Clock,
    job: str,
    panel: str,
    work: Callable[[], T],
    *,
    due: datetime | None = None,
    because: str = "",
    keep_idle: bool = True,
) -> Ended[T]:
    """Do the work and record the run.

    The outcome is `ok`, with the result in words; `waiting` where it is too early; `interrupted` at a shutdown; else
    `failed`. because: what made it run out of its turn, told before the reason. Without keep_idle, a good run whose
    result is falsy leaves no record. Where the database does not take the record, as on a full disk, nothing is done,
    and it is for the caller to tell.
    """
    started = clock()
    due = due or started
    try:
        with sessions.begin() as session:
            run_id = queries.start_run(session, job, panel, due=due, started=started)
    except SQLAlchemyError as error:
        refused = Run(job=job, panel=panel, due=due, started=started, outcome="failed", reason=one_line(error))
        return Ended(refused.outcome, refused.reason, None, refused, error)
    result: T | None = None
    outcome, reason = "interrupted", "the process was told to end"
    try:
        result = work()
        outcome, reason = "ok", str(result)
    except (NotReadyError, NoModelError) as error:
        outcome, reason = "waiting", str(error)
    except StoppedError as error:
        outcome, reason = "interrupted", str(error)
    except (SourceDownError, OperationalError) as error:  # no fault of ours: a traceback would tell nothing more
        outcome, reason = "failed", one_line(error)
        log.warning("%s  %s failed: %s", panel, job, reason)
    except Exception as error:
        outcome, reason = "failed", one_line(error)
        log.exception("%s  %s failed", panel, job)
    finally:  # for Ctrl-C too, which is no Exception
        reason = "; ".join(told for told in (because, reason) if told)
        try:
            with sessions.begin() as session:
                if outcome == "ok" and not result and not keep_idle:
                    queries.delete_run(session, run_id)
                else:
                    ended = clock()
                    queries.end_run(session, run_id, ended=ended, outcome=outcome, reason=reason)
                    if (job, outcome) == ("refit", "failed"):  # any other is told where its model is stored
                        told = RefitEnded("failed", None, None, reason)
                        queries.add_events(session, [told.of(panel)], ended)
        except SQLAlchemyError as error:
            log.error("%s  the end of %s cannot be recorded: %s", panel, job, one_line(error))
    return Ended(outcome, reason, result)
