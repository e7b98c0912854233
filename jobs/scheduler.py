"""The scheduler: decides when each panel's jobs run. What they do is theirs; when they ran last is in the database.

    fetch ──new observations──▶ score ──▶ forecast        a chain, in one thread a panel
    refit ──promoted──▶ forecast                          in its own thread, which waits for a worker process

A panel without a model is refitted as soon as it has enough observations, one whose live errors drift ahead of its
turn. What the command line promotes is seen at the next tick, and forecasts. Each job has one date in APScheduler, set
anew when it ends; the memory store is enough, because all dates come from the table of runs.

Other panels may be taken up at any time (`take`). So a job is handed its panel's name, and asks for the panel itself
when it begins, and again when it sets its next date: what is under way goes on with what it began with.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions, reading
from db.queries import NewStep
from db.schema import Run
from jobs.changes import Changes, changed
from jobs.drift import Drift, drift, is_cool
from jobs.due import FIRST_RETRY, RUNS_LOOKED_AT, Every, Schedule, next_due, schedule_of
from jobs.fetch import Means, fetch
from jobs.fit import fit
from jobs.forecast import Issued, forecast, serving
from jobs.panel import Clock, Panel
from jobs.prune import EVERY as PRUNE_EVERY
from jobs.prune import keeps_all, prune
from jobs.refit import NotReadyError, Refitted, is_served, prepare, refit
from jobs.runner import run
from jobs.score import Held, score
from jobs.sources.base import Source
from jobs.unrecorded import Unrecorded
from jobs.workers import Workers

log = logging.getLogger("rollcast")

T = TypeVar("T")

BEAT = timedelta(seconds=1)
SLOW = timedelta(minutes=1)
MANY = 10_000  # threads at most, made when they are needed: more than there are panels


class Scheduler:
    """Runs the jobs of all panels until it is stopped."""

    def __init__(
        self, panels: Sequence[Panel], sessions: Sessions, workers: Workers, clock: Clock, means: Means
    ) -> None:
        self._lock = threading.Lock()  # so that no date is set for a panel that has just gone
        self._panels: Mapping[str, Panel] = {panel.name: panel for panel in panels}  # never changed, only replaced
        self._sessions = sessions
        self._workers = workers
        self._clock = clock
        self._means = means
        self._beat: datetime | None = None
        self._under_way: dict[tuple[str, str], object] = {}  # by job and panel, the run that sets the next date
        self._unrecorded = Unrecorded()
        self._promotions: dict[str, int] = {}  # of each panel the newest one seen
        self._executors = {
            "default": ThreadPoolExecutor(1),
            "fetch": ThreadPoolExecutor(MANY),  # so that one hung source never holds another
            "refit": ThreadPoolExecutor(MANY),  # which only wait for the workers
            "prune": ThreadPoolExecutor(1),
        }
        self._apscheduler = BackgroundScheduler(
            timezone=UTC,
            executors=self._executors,
            # Unless told otherwise APScheduler drops a job that is a second late, and one that comes while the one
            # before it ends: `_alone` sees to it that a job runs once at a time, and that its next date is not lost.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": MANY},
        )

    def start(self) -> None:
        """Take up the work where the last process left it."""
        with self._sessions.begin() as session:
            queries.interrupt_runs(session, self._clock())
            self._promotions = queries.newest_promotions(session)
        self._apscheduler.add_job(
            self._tick, "interval", seconds=BEAT.total_seconds(), next_run_time=self._clock(), max_instances=1
        )
        for name in self._panels:
            self._apscheduler.add_job(self._take_up, args=[name], executor="fetch")
        self._apscheduler.start()

    @property
    def panels(self) -> Mapping[str, Panel]:
        """The panels by name; the same object as long as none is taken up."""
        return self._panels

    def take(self, panels: Sequence[Panel]) -> Changes:
        """Go on with these panels: new ones start, those that went are left alone, those that changed take their new
        settings. The others do not notice.
        """
        with self._lock:
            before = self._panels
            after, changes = changed(before, panels)
            if not changes:
                return changes
            self._panels = after
            for job in self._apscheduler.get_jobs():
                if job.id.partition(" ")[2] in changes.removed:
                    with suppress(JobLookupError):  # its date has just come; it will find that its panel has gone
                        job.remove()
            left = {
                name: panel.source
                for name, panel in before.items()
                if name not in after or after[name].source is not panel.source
            }
            for name in left:
                self._under_way.pop(("fetch", name), None)  # it may hang, and nobody waits for it any more
        for name in changes.removed:
            self._apscheduler.add_job(self._means.asking.leave, args=[left[name]], executor="fetch")
        for name in [*changes.added, *changes.changed]:
            self._apscheduler.add_job(self._take_up, args=[name, left.get(name)], executor="fetch")
        return changes

    def stop(self, grace: timedelta) -> None:
        """Start nothing more, end the refits under way, and give the other jobs some grace to end by themselves."""
        ending = threading.Thread(target=self._end, name="ending", daemon=True)
        ending.start()
        ending.join(grace.total_seconds())

    def _end(self) -> None:
        if self._apscheduler.running:
            self._apscheduler.pause()
            self._apscheduler.get_jobs()  # returns once no job is being started: a shutdown amid that raises an error
            self._apscheduler.shutdown(wait=False)  # waiting, it would hold the locks that an ending job asks for
        self._workers.stop()
        for executor in self._executors.values():
            executor.shutdown(wait=True)

    def waiting(self) -> dict[str, int]:
        """Of each job that may have to wait for its turn, how many do."""
        return {"refit": self._workers.waiting()}

    def is_ticking(self, within: timedelta = 10 * BEAT) -> bool:
        """Whether the scheduler has shown life of late. After the clock is set back it shows none for as long."""
        return self._beat is not None and abs(self._clock() - self._beat) <= within

    def _tick(self) -> None:
        self._beat = self._clock()
        try:
            for panel in self._newly_promoted():
                self._apscheduler.add_job(self._forecast, args=[panel, True], executor="fetch")
        except SQLAlchemyError:
            log.exception("the database does not say which models serve; asking again")

    def _newly_promoted(self) -> list[Panel]:
        """The panels that have another promotion than when this was asked last."""
        with reading(self._sessions) as session:
            before, self._promotions = self._promotions, queries.newest_promotions(session)
        return [panel for name, panel in self._panels.items() if self._promotions.get(name) != before.get(name)]

    def _take_up(self, name: str, left: Source | None = None) -> None:
        """Begin with a panel, or go on with its new settings. left: the source that it had before another."""
        if left is not None:
            self._means.asking.leave(left)
        panel = self._panels.get(name)
        if panel is None:
            return
        try:
            # What was fetched before, as by the process before this one, may not have been scored and forecast from.
            self._score_and_forecast(panel)
        finally:
            self._plan_fetch(name, at_once=left is not None)
            self._plan_refit(name)
            self._plan_prune(name)

    @contextmanager
    def _alone(self, job: str, name: str, then: Callable[[str], None]) -> Iterator[Panel | None]:
        """The panel of that name for a run of a job, which sets its next date `then`; None where it has gone, or where
        such a run is under way: that one will set it.
        """
        key, mine = (job, name), object()
        with self._lock:
            panel = self._panels.get(name)
            if panel is None or self._under_way.setdefault(key, mine) is not mine:
                panel = None
        try:
            yield panel
        finally:
            with self._lock:
                is_ours = self._under_way.get(key) is mine
                if is_ours:
                    del self._under_way[key]
            if is_ours:
                then(name)

    def _run(
        self,
        job: str,
        name: str,
        work: Callable[[], T],
        *,
        due: datetime | None = None,
        because: str = "",
        keep_idle: bool = True,
    ) -> T | None:
        """Run a job of a panel, whether it can be recorded or not; returns its result."""
        ended = run(self._sessions, self._clock, job, name, work, due=due, because=because, keep_idle=keep_idle)
        self._unrecorded.note(job, name, ended.unrecorded)
        return ended.result

    def _newest_runs(self, session: Session, panel: Panel, job: str, most: int) -> list[Run]:
        """The newest runs of a panel's job, newest first; those that could not be recorded, too."""
        return self._unrecorded.before(job, panel.name, queries.newest_runs(session, panel.name, job, most))

    def _is_refitting(self, panel: Panel) -> bool:
        return ("refit", panel.name) in self._under_way

    def _set_date(self, work: Callable[..., None], job: str, panel: Panel, due: datetime, *more: str) -> None:
        """The date of a panel's next run of a job; it has one at a time. None is set where the panel has gone or
        changed: whoever took that up sets it.
        """
        with self._lock:
            if self._panels.get(panel.name) is panel:
                self._apscheduler.add_job(
                    work,
                    "date",
                    run_date=due,
                    args=[panel.name, due, *more],
                    id=f"{job} {panel.name}",
                    executor=job,
                    replace_existing=True,
                )

    # ── fetch, score, forecast ──────────────────────────────────────────────────────────────────────────────────────

    def _plan_fetch(self, name: str, *, at_once: bool = False) -> None:
        panel = self._panels.get(name)
        if panel is not None:
            due = self._clock() if at_once else self._due(panel, "fetch", schedule_of(panel, "fetch"))
            self._set_date(self._fetch, "fetch", panel, due)

    def _fetch(self, name: str, due: datetime) -> None:
        with self._alone("fetch", name, then=self._plan_fetch) as panel:
            if panel is None:
                return
            work = partial(fetch, self._sessions, panel, self._clock, self._means)
            fetched = self._run("fetch", name, work, due=due)
            now = self._panels.get(name)
            if now is None or now.source is not panel.source:  # it was left, maybe before this run asked it
                self._means.asking.leave(panel.source)
            if fetched is not None and now is not None:
                # Whatever is new, whoever learnt it: the command line may have fetched, or a forecast failed before.
                self._score_and_forecast(now)
                if not self._is_refitting(now) and not self._has_model(now):
                    self._plan_refit(name)

    def _score_and_forecast(self, panel: Panel) -> None:
        def work() -> Held:
            return score(self._sessions, panel, self._clock)

        scored = self._run("score", panel.name, work, keep_idle=False)
        if self._has_model(panel):
            self._forecast(panel)
        if scored and not self._is_refitting(panel) and self._drift(panel) is not None:
            self._plan_refit(panel.name)

    def _forecast(self, panel: Panel, announce: bool = False) -> None:
        """Forecast, and tell the log; of a fast panel only where it has a new model, lest the log be nothing else."""

        def work() -> Issued:
            return forecast(self._sessions, panel, self._clock)

        issued = self._run("forecast", panel.name, work, keep_idle=False)
        if issued is not None and (announce or panel.interval >= SLOW):
            if issued.count > len(issued.forecasts):
                log.info("%s  %d forecasts issued", panel.name, issued.count)
                return
            for name, steps in issued.forecasts.items():
                log.info("%s  %s", panel.name, _told(name, steps))

    # ── refit ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _plan_refit(self, name: str) -> None:
        """Set the date of the next refit: now where there is drift; none where there are too few observations: the next
        fetch asks again.
        """
        panel = self._panels.get(name)
        if panel is None:
            return
        schedule = schedule_of(panel, "refit")
        try:
            with reading(self._sessions) as session:
                if not is_served(session, panel):
                    prepare(session, panel, self._clock())
                    schedule = Every(min(panel.refit_every, FIRST_RETRY))
        except NotReadyError:
            return
        except Exception:  # whatever is wrong, the refit will meet it too, put it on record and be tried again
            log.exception("%s  cannot tell whether it is ready for a refit", panel.name)
        due, because = self._due(panel, "refit", schedule), ""
        if due > self._clock() and (drifted := self._drift(panel)) is not None:
            due, because = self._clock(), str(drifted)
        self._set_date(self._refit, "refit", panel, due, because)

    def _refit(self, name: str, due: datetime, because: str) -> None:
        with self._alone("refit", name, then=self._plan_refit) as panel:
            if panel is None:
                return
            log.info("%s  refit begins%s", name, because and f", {because}")

            def work() -> Refitted:
                return refit(self._sessions, panel, self._clock(), partial(self._workers.call, fit))

            refitted = self._run("refit", name, work, due=due, because=because)
            if refitted is not None:
                log.info("%s  %s", name, refitted)
            now = self._panels.get(name)
            if refitted is not None and refitted.promoted and now is not None:
                self._forecast(now, announce=True)

    def _drift(self, panel: Panel) -> Drift | None:
        """The drift that may force a refit now."""
        try:
            with reading(self._sessions) as session:
                now = self._clock()
                cool = is_cool(panel, self._newest_runs(session, panel, "refit", 1), now)
                return drift(session, panel, now) if cool else None
        except Exception:  # what cannot be watched must not end what can be done
            log.exception("%s  cannot tell whether its errors drift", panel.name)
            return None

    # ── prune ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _plan_prune(self, name: str) -> None:
        panel = self._panels.get(name)
        if panel is not None and not keeps_all(panel):
            self._set_date(self._prune, "prune", panel, self._due(panel, "prune", Every(PRUNE_EVERY)))

    def _prune(self, name: str, due: datetime) -> None:
        with self._alone("prune", name, then=self._plan_prune) as panel:
            if panel is not None:
                work = partial(prune, self._sessions, panel, self._clock())
                self._run("prune", name, work, due=due)

    # ── what the database knows ─────────────────────────────────────────────────────────────────────────────────────

    def _due(self, panel: Panel, job: str, schedule: Schedule) -> datetime:
        try:
            with reading(self._sessions) as session:
                return next_due(self._newest_runs(session, panel, job, RUNS_LOOKED_AT), schedule, self._clock())
        except SQLAlchemyError:  # a full disk, say: a job without a date would never run again
            log.exception("%s  the database does not say when the next %s is due; trying again", panel.name, job)
            return self._clock() + FIRST_RETRY

    def _has_model(self, panel: Panel) -> bool:
        with reading(self._sessions) as session:
            return serving(session, panel) is not None


def _told(name: str, steps: Sequence[NewStep]) -> str:
    """A forecast in one line: its first and its last step."""
    first, last = steps[0], steps[-1]
    level = min(first.bounds)
    return f"{name} {_step_told(first, level)}, then {_step_told(last, level)} ({len(steps)} steps, {level} %)"


def _step_told(step: NewStep, level: int) -> str:
    lo, hi = step.bounds[level]
    return f"{step.target_ts:%Y-%m-%d %H:%M:%S}Z {step.mean:.6g} [{lo:.6g} … {hi:.6g}]"
