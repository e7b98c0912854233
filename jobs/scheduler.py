"""The scheduler: decides when each panel's jobs run. What they do is theirs; when they ran last is in the database.

    fetch ──new observations──▶ score ──▶ forecast        a chain, in one thread a panel
    refit ──promoted──▶ forecast                          in its own thread, which waits for a worker process

A panel without a model is refitted as soon as it has enough observations, one whose live errors drift ahead of its
turn. What the command line promotes is seen at the next tick, and forecasts. Each job has one date in APScheduler, set
anew when it ends; the memory store is enough, because all dates come from the table of runs.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError

from db import queries
from db.engine import Sessions, reading
from db.queries import NewStep
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
from jobs.score import score
from jobs.workers import Workers

log = logging.getLogger("rollcast")

BEAT = timedelta(seconds=1)
SLOW = timedelta(minutes=1)


class Scheduler:
    """Runs the jobs of all panels until it is stopped."""

    def __init__(
        self, panels: Sequence[Panel], sessions: Sessions, workers: Workers, clock: Clock, means: Means
    ) -> None:
        self._panels = panels
        self._sessions = sessions
        self._workers = workers
        self._clock = clock
        self._means = means
        self._beat: datetime | None = None
        self._refitting: set[str] = set()  # panels
        self._promotions: dict[str, int] = {}  # of each panel the newest one seen
        self._executors = {
            "default": ThreadPoolExecutor(1),
            "fetch": ThreadPoolExecutor(len(panels)),  # so that one hung source never holds another
            "refit": ThreadPoolExecutor(len(panels)),  # which only wait for the workers
            "prune": ThreadPoolExecutor(1),
        }
        self._apscheduler = BackgroundScheduler(
            timezone=UTC,
            executors=self._executors,
            # Unless told otherwise APScheduler drops a job that is a second late.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Take up the work where the last process left it."""
        with self._sessions.begin() as session:
            queries.interrupt_runs(session, self._clock())
            self._promotions = queries.newest_promotions(session)
        self._apscheduler.add_job(self._tick, "interval", seconds=BEAT.total_seconds(), next_run_time=self._clock())
        for panel in self._panels:
            # What was fetched before the last process ended may not have been scored and forecast from.
            self._apscheduler.add_job(self._take_up, args=[panel], id=f"take up {panel.name}", executor="fetch")
        self._apscheduler.start()

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

    def is_ticking(self, within: timedelta = 10 * BEAT) -> bool:
        """Whether the scheduler has shown life of late."""
        return self._beat is not None and self._clock() - self._beat <= within

    def _tick(self) -> None:
        self._beat = self._clock()
        try:
            for panel in self._newly_promoted():
                self._apscheduler.add_job(
                    self._forecast,
                    args=[panel, True],
                    id=f"serve {panel.name}",
                    executor="fetch",
                    replace_existing=True,
                )
        except SQLAlchemyError:
            log.exception("the database does not say which models serve; asking again")

    def _newly_promoted(self) -> list[Panel]:
        """The panels that have another promotion than when this was asked last."""
        with reading(self._sessions) as session:
            before, self._promotions = self._promotions, queries.newest_promotions(session)
        return [panel for panel in self._panels if self._promotions.get(panel.name) != before.get(panel.name)]

    def _take_up(self, panel: Panel) -> None:
        try:
            self._score_and_forecast(panel)
        finally:
            self._plan_fetch(panel)
            self._plan_refit(panel)
            if not keeps_all(panel):
                self._plan_prune(panel)

    def _set_date(self, work: Callable[..., None], job: str, panel: Panel, due: datetime, *more: str) -> None:
        """The date of a panel's next run of a job; it has one at a time."""
        self._apscheduler.add_job(
            work,
            "date",
            run_date=due,
            args=[panel, due, *more],
            id=f"{job} {panel.name}",
            executor=job,
            replace_existing=True,
        )

    # ── fetch, score, forecast ──────────────────────────────────────────────────────────────────────────────────────

    def _plan_fetch(self, panel: Panel) -> None:
        due = self._due(panel, "fetch", schedule_of(panel, "fetch"))
        self._set_date(self._fetch, "fetch", panel, due)

    def _fetch(self, panel: Panel, due: datetime) -> None:
        try:
            work = partial(fetch, self._sessions, panel, self._clock, self._means)
            fetched = run(self._sessions, self._clock, "fetch", panel.name, work, due=due).result
            if fetched is not None:
                # Whatever is new, whoever learnt it: the command line may have fetched, or a forecast failed before.
                self._score_and_forecast(panel)
                if panel.name not in self._refitting and not self._has_model(panel):
                    self._plan_refit(panel)
        finally:
            self._plan_fetch(panel)

    def _score_and_forecast(self, panel: Panel) -> None:
        def work() -> int:
            return score(self._sessions, panel, self._clock)

        scored = run(self._sessions, self._clock, "score", panel.name, work, keep_idle=False).result
        if self._has_model(panel):
            self._forecast(panel)
        if scored and panel.name not in self._refitting and self._drift(panel) is not None:
            self._plan_refit(panel)

    def _forecast(self, panel: Panel, announce: bool = False) -> None:
        """Forecast, and tell the log; of a fast panel only where it has a new model, lest the log be nothing else."""

        def work() -> Issued:
            return forecast(self._sessions, panel, self._clock)

        issued = run(self._sessions, self._clock, "forecast", panel.name, work, keep_idle=False).result
        if issued is not None and (announce or panel.interval >= SLOW):
            for name, steps in issued.forecasts.items():
                log.info("%s  %s", panel.name, _told(name, steps))

    # ── refit ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _plan_refit(self, panel: Panel) -> None:
        """Set the date of the next refit: now where there is drift; none where there are too few observations: the next
        fetch asks again.
        """
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

    def _refit(self, panel: Panel, due: datetime, because: str) -> None:
        self._refitting.add(panel.name)
        try:
            log.info("%s  refit begins%s", panel.name, because and f", {because}")

            def work() -> Refitted:
                return refit(self._sessions, panel, self._clock(), partial(self._workers.call, fit))

            refitted = run(self._sessions, self._clock, "refit", panel.name, work, due=due, because=because).result
            if refitted is not None:
                log.info("%s  %s", panel.name, refitted)
            if refitted is not None and refitted.promoted:
                self._forecast(panel, announce=True)
        finally:
            self._refitting.discard(panel.name)
            self._plan_refit(panel)

    def _drift(self, panel: Panel) -> Drift | None:
        """The drift that may force a refit now."""
        try:
            with reading(self._sessions) as session:
                now = self._clock()
                cool = is_cool(panel, queries.newest_runs(session, panel.name, "refit", 1), now)
                return drift(session, panel, now) if cool else None
        except Exception:  # what cannot be watched must not end what can be done
            log.exception("%s  cannot tell whether its errors drift", panel.name)
            return None

    # ── prune ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _plan_prune(self, panel: Panel) -> None:
        due = self._due(panel, "prune", Every(PRUNE_EVERY))
        self._set_date(self._prune, "prune", panel, due)

    def _prune(self, panel: Panel, due: datetime) -> None:
        try:
            work = partial(prune, self._sessions, panel, self._clock())
            run(self._sessions, self._clock, "prune", panel.name, work, due=due)
        finally:
            self._plan_prune(panel)

    # ── what the database knows ─────────────────────────────────────────────────────────────────────────────────────

    def _due(self, panel: Panel, job: str, schedule: Schedule) -> datetime:
        try:
            with reading(self._sessions) as session:
                return next_due(queries.newest_runs(session, panel.name, job, RUNS_LOOKED_AT), schedule, self._clock())
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
