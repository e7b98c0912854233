"""Run one job: time it, record how it ended and why, and let no failure out."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from db import queries
from db.engine import Sessions
from jobs.forecast import NoModelError
from jobs.panel import Clock
from jobs.refit import NotReadyError
from jobs.sources.base import SourceDownError
from jobs.workers import StoppedError

log = logging.getLogger("rollcast")

T = TypeVar("T")


@dataclass(frozen=True)
class Ended(Generic[T]):
    """How a run ended: with a result, or without one and why."""

    outcome: str
    reason: str
    result: T | None


def run(
    sessions: Sessions, clock: Clock, job: str, panel: str, work: Callable[[], T], *, due: datetime | None = None
) -> Ended[T]:
    """Do the work and record the run.

    The outcome is `ok`, with the result in words; `waiting` where it is too early; `interrupted` at a shutdown; else
    `failed`.
    """
    started = clock()
    with sessions.begin() as session:
        run_id = queries.start_run(session, job, panel, due=due or started, started=started)
    result: T | None = None
    try:
        result = work()
        outcome, reason = "ok", str(result)
    except (NotReadyError, NoModelError) as error:
        outcome, reason = "waiting", str(error)
    except StoppedError as error:
        outcome, reason = "interrupted", str(error)
    except SourceDownError as error:
        outcome, reason = "failed", str(error)
        log.warning("%s  %s failed: %s", panel, job, reason)
    except Exception as error:
        outcome, reason = "failed", f"{type(error).__name__}: {' '.join(str(error).split())}"
        log.exception("%s  %s failed", panel, job)
    with sessions.begin() as session:
        queries.end_run(session, run_id, ended=clock(), outcome=outcome, reason=reason)
    return Ended(outcome, reason, result)
