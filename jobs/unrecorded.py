"""Runs that the database did not take, as where the disk is full: kept in mind, so that their jobs wait as after any
failure.
"""

import logging
import threading
from collections.abc import Sequence

from db.schema import Run
from jobs.due import RUNS_LOOKED_AT

log = logging.getLogger("rollcast")


class Unrecorded:
    """Of each job and panel the runs since the last one on record."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[tuple[str, str], list[Run]] = {}  # newest first

    def note(self, job: str, panel: str, refused: Run | None) -> None:
        """Keep a run that was refused; None: it is on record. What is refused again and again is logged once."""
        with self._lock:
            before = self._runs.pop((job, panel), [])
            if refused is None:
                return
            self._runs[job, panel] = [refused, *before][:RUNS_LOOKED_AT]
        if not before or before[0].reason != refused.reason:
            log.error("%s  %s failed, and cannot be recorded: %s", panel, job, refused.reason)

    def before(self, job: str, panel: str, recorded: Sequence[Run]) -> list[Run]:
        """All runs of a job, newest first: those that were refused came after those on record."""
        return [*self._runs.get((job, panel), ()), *recorded]
