"""/metrics for Prometheus: ages, states, errors and runs, read from the database at each scrape, and the process.

Which job a run is of is the label `task`: `job` is what Prometheus itself calls the target that it asks.
"""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions
from db.queries import ScoreSummary, Tally
from db.schema import Model, Run
from jobs.due import RUNS_LOOKED_AT, schedule_of
from jobs.panel import Clock
from service.answers.seeing import Panels, Seen, see
from service.api.openapi import failing
from service.checks.panels import TURNS, missed

PATH = "/metrics"
TEXT = {"schema": {"type": "string"}, "example": 'rollcast_state{panel="oil",series="WTI",status="fresh"} 1.0\n'}
ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The figures in Prometheus' text format.",
        "content": {"text/plain": TEXT, "application/openmetrics-text": TEXT},
    },
    **failing(401, 421, 503),
}
WEEK = timedelta(days=7)
JOBS = ("fetch", "score", "refit", "forecast", "prune")


def add(
    app: FastAPI, panels: Callable[[], Panels], sessions: Sessions, clock: Clock, is_ticking: Callable[[], bool]
) -> None:
    """Add the metrics to the API. `app.state.waiting` is what the daemon sets: of each job, how many runs wait."""
    app.state.waiting = dict
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Collector(panels, sessions, clock, is_ticking, lambda: app.state.waiting(), app.version))

    @app.get(PATH, response_class=PlainTextResponse, responses=ANSWERED)
    def metrics(request: Request) -> Response:
        """All figures for Prometheus: ages, states, errors against the naive's, runs, and the process."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": media_type})


class Read(NamedTuple):
    """What a scrape is told from."""

    now: datetime
    panels: Panels
    seen: Sequence[Seen]
    scores: Mapping[int, ScoreSummary]  # of the last 7 days, by series
    models: Mapping[str, Model]  # that serve, by panel
    runs: Mapping[tuple[str, str], Sequence[Run]]  # the newest by panel and job, newest first
    good: Mapping[tuple[str, str], Run]  # the newest that went well, however long ago


def read(session: Session, panels: Panels, now: datetime) -> Read:
    """Read all that the metrics tell."""
    known = [series for series in queries.all_series(session) if series.panel in panels]
    served = {name: queries.champion(session, name) for name in panels}
    runs = queries.newest_runs_of_all(session, JOBS, RUNS_LOOKED_AT)
    runs = {key: of for key, of in runs.items() if key[0] in panels}
    good = {key: _newest_good(session, *key, of) for key, of in runs.items()}
    return Read(
        now=now,
        panels=panels,
        seen=see(session, panels, known, now),
        scores=queries.score_glances(session, [series.id for series in known], now - WEEK),
        models={name: model for name, model in served.items() if model is not None},
        runs=runs,
        good={key: run for key, run in good.items() if run is not None},
    )


def _newest_good(session: Session, panel: str, job: str, newest: Sequence[Run]) -> Run | None:
    """The newest run that went well: mostly one of the newest, so that few are asked for one by one."""
    return next((run for run in newest if run.outcome == "ok"), None) or queries.newest_good_run(session, panel, job)


class _Collector(Collector):
    """Reads and tells."""

    def __init__(
        self,
        panels: Callable[[], Panels],
        sessions: Sessions,
        clock: Clock,
        is_ticking: Callable[[], bool],
        waiting: Callable[[], Mapping[str, int]],
        version: str,
    ) -> None:
        self._panels = panels
        self._sessions = sessions
        self._clock = clock
        self._is_ticking = is_ticking
        self._waiting = waiting
        self._version = version
        database = str(sessions.kw["bind"].url.database)
        self._folder = Path(unquote(urlsplit(database).path)).parent  # the read engine names its file by a URL

    def describe(self) -> list[Metric]:
        """Nothing beforehand: the registry would ask the database for it."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family of metrics."""
        with self._sessions() as session:
            known = read(session, self._panels(), self._clock())
        yield InfoMetricFamily("rollcast_build", "The version that runs.", value={"version": self._version})
        ticking = float(self._is_ticking())
        yield GaugeMetricFamily("rollcast_scheduler_ticking", "1 while the scheduler shows life.", ticking)
        queue = _Family("queue_depth", "Runs that wait for their turn.", "task")
        for job, count in self._waiting().items():
            queue.put(count, job)
        yield queue.metric
        free = shutil.disk_usage(self._folder).free
        yield GaugeMetricFamily("rollcast_disk_free_bytes", "What is free where the database lies.", free)
        yield from series_metrics(known)
        yield from panel_metrics(known)
        yield from run_metrics(known)


class _Family:
    """A gauge of some labels; a value that is None is left out."""

    def __init__(self, name: str, told: str, *labels: str) -> None:
        self.metric = GaugeMetricFamily(f"rollcast_{name}", told, labels=labels)

    def put(self, value: float | None, *labels: str) -> None:
        """The value of some labels."""
        if value is not None:
            self.metric.add_metric(labels, value)


def series_metrics(known: Read) -> Iterator[Metric]:
    """What is told series by series."""
    data = _Family("data_age_seconds", "Since the newest observation's interval ended.", "panel", "series")
    issued = _Family("forecast_age_seconds", "Since the latest forecast was issued.", "panel", "series")
    state = _Family("state", "1 for the state that a series is in.", "panel", "series", "status")
    mae = _Family("mae_7d", "Mean absolute error over a week, in the series' unit.", "panel", "series")
    naive = _Family("naive_mae_7d", "The same of the naive forecast.", "panel", "series")
    ratio = _Family("error_ratio_7d", "The mean absolute error over the naive's: below 1 is better.", "panel", "series")
    for each in known.seen:
        place = (each.panel.name, each.series.name)
        tally = known.scores[each.series.id].all
        data.put(each.data_age_s, *place)
        issued.put(None if each.forecast is None else _seconds(known.now - each.forecast.issued_at), *place)
        state.put(1, *place, each.state.status)
        mae.put(tally.mae, *place)
        naive.put(tally.naive_mae, *place)
        ratio.put(tally.mae / tally.naive_mae if tally.mae is not None and tally.naive_mae else None, *place)
    yield from (each.metric for each in (data, issued, state, mae, naive, ratio))


def panel_metrics(known: Read) -> Iterator[Metric]:
    """What is told panel by panel: its model, and how its series did together."""
    model = _Family("model_age_seconds", "Since the model that serves was fitted.", "panel")
    version = _Family("champion_version", "The version of the model that serves.", "panel")
    overdue = _Family(
        "refit_overdue_timestamp_seconds", f"When {TURNS} turns of the refit have passed since a good one.", "panel"
    )
    pending = _Family("pending_scores", "Forecast steps of a week that wait for their truth.", "panel")
    scored = _Family("scored_steps_7d", "Forecast steps scored over a week.", "panel")
    coverage = _Family("coverage_7d", "The share that fell inside the intervals of a level.", "panel", "level")
    nominal = _Family("coverage_nominal", "The share that should: the level itself.", "panel", "level")
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    waiting: defaultdict[str, int] = defaultdict(int)
    for each in known.seen:
        summary = known.scores[each.series.id]
        tallies[each.panel.name].add(summary.all)
        waiting[each.panel.name] += summary.pending
    for name, panel in known.panels.items():
        if (good := known.good.get((name, "refit"))) is not None:
            overdue.put(missed(good, schedule_of(panel, "refit")).timestamp(), name)
        if (serving := known.models.get(name)) is not None:
            model.put(_seconds(known.now - serving.trained_at), name)
            version.put(serving.version, name)
        pending.put(waiting[name], name)
        scored.put(tallies[name].count, name)
        for level, share in tallies[name].coverage.items():
            coverage.put(share, name, str(level))
            nominal.put(level / 100, name, str(level))
    yield from (each.metric for each in (model, version, overdue, pending, scored, coverage, nominal))


def run_metrics(known: Read) -> Iterator[Metric]:
    """What is told of a panel's newest runs of each job."""
    duration = _Family("run_duration_seconds", "How long the last run took that has ended.", "panel", "task")
    end = _Family("run_ended_timestamp_seconds", "When it ended.", "panel", "task")
    good = _Family("run_succeeded_timestamp_seconds", "When the last one ended that went well.", "panel", "task")
    failures = _Family(
        "run_failures_in_a_row", f"Failed since one went well, {RUNS_LOOKED_AT} at most.", "panel", "task"
    )
    for key, runs in known.runs.items():
        done = [(run, run.ended) for run in runs if run.ended is not None]
        for run, ended in done[:1]:
            duration.put(_seconds(ended - run.started), *key)
            end.put(ended.timestamp(), *key)
        failures.put(len(list(takewhile(lambda each: each[0].outcome == "failed", done))), *key)
    for key, run in known.good.items():
        good.put(None if run.ended is None else run.ended.timestamp(), *key)
    yield from (each.metric for each in (duration, end, good, failures))


def _seconds(span: timedelta) -> float:
    return span.total_seconds()
