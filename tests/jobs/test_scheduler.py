"""The scheduler, with real threads, real workers and the real clock."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import func, select, update

from db import queries
from db.schema import Forecast, Model, Run
from jobs.drift import Drift
from jobs.fit import fit
from jobs.scheduler import Scheduler
from jobs.workers import Workers


def utc_now():
    return datetime.now(UTC)


@pytest.fixture
def start(sessions, panel, means):
    """Start a scheduler of some panels; all are stopped in the end."""
    started = []

    def begin(*panels):
        workers = Workers(1, timedelta(seconds=30))
        scheduler = Scheduler(panels or (panel,), sessions, workers, utc_now, means)
        scheduler.start()
        started.append(scheduler)
        return scheduler

    yield begin
    for scheduler in started:
        scheduler.stop(timedelta(seconds=5))


@pytest.fixture
def count(sessions):
    def rows(entity, *conditions):
        with sessions() as session:
            return session.scalar(select(func.count()).select_from(entity).where(*conditions))

    return rows


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def walk(source):
    source.put("a", np.random.default_rng(0).normal(size=200).cumsum())


def test_from_nothing_it_fetches_refits_and_forecasts(start, count, walk):
    start()
    wait_until(lambda: count(Forecast) == 1)


def test_it_ticks_while_it_runs_and_not_before(start, sessions, panel, means):
    idle = Scheduler([panel], sessions, Workers(1, timedelta(seconds=1)), utc_now, means)
    assert not idle.is_ticking()
    wait_until(start().is_ticking)


def test_a_restart_refits_nothing_that_is_not_due(start, count, walk):
    first = start()
    wait_until(lambda: count(Run, Run.job == "refit", Run.outcome == "ok") == 1)
    wait_until(lambda: count(Forecast) == 1)
    first.stop(timedelta(seconds=5))
    wait_until(start().is_ticking)
    time.sleep(1.0)
    assert (count(Run, Run.job == "refit"), count(Run, Run.job == "fetch"), count(Model)) == (1, 1, 1)


def test_what_was_fetched_before_a_kill_is_forecast_from_after_it(start, count, walk, sessions, panel, means):
    from jobs.fetch import fetch
    from jobs.refit import refit

    fetch(sessions, panel, utc_now, means)
    refit(sessions, panel, utc_now(), fit)
    start()
    wait_until(lambda: count(Forecast) == 1)


def test_a_source_that_is_down_is_recorded_and_tried_again_later(start, count, source):
    source.down = "no route to host"
    start()
    wait_until(lambda: count(Run, Run.outcome == "failed", Run.reason == "no route to host") == 1)
    time.sleep(0.5)
    assert count(Run, Run.job == "fetch") == 1


def test_a_panel_without_enough_data_gets_its_model_once_it_has(start, count, source, panel):
    from dataclasses import replace

    source.put("a", range(10))
    start(replace(panel, fetch_every=timedelta(seconds=1)))
    wait_until(lambda: count(Run, Run.job == "fetch", Run.outcome == "ok") == 1)
    assert count(Run, Run.job == "refit") == 0
    source.put("a", range(100))
    wait_until(lambda: count(Model) == 1)


def test_new_observations_are_scored_and_forecast_from(start, count, source, panel, sessions):
    from dataclasses import replace

    values = np.random.default_rng(0).normal(size=202).cumsum()
    source.put("a", values[:200])
    start(replace(panel, fetch_every=timedelta(seconds=1)))
    wait_until(lambda: count(Forecast) == 1)
    source.put("a", values)
    wait_until(lambda: count(Forecast) == 2)
    with sessions() as session:
        assert queries.score_summary(session, queries.find_series(session, "a").id).all.count == 2


def test_what_the_command_line_learns_beside_it_is_forecast_from(start, count, source, panel, sessions, means):
    from dataclasses import replace

    from jobs.fetch import fetch

    values = np.random.default_rng(0).normal(size=201).cumsum()
    source.put("a", values[:200])
    quick = replace(panel, fetch_every=timedelta(seconds=1))
    start(quick)
    wait_until(lambda: count(Forecast) == 1)
    source.put("a", values)
    fetch(sessions, quick, utc_now, means)
    wait_until(lambda: count(Forecast) == 2)


def test_another_horizon_in_the_configuration_is_refitted_for_at_once(start, count, panel, walk, sessions):
    from dataclasses import replace

    first = start()
    wait_until(lambda: count(Run, Run.job == "refit", Run.outcome == "ok") == 1)
    first.stop(timedelta(seconds=5))
    with sessions.begin() as session:  # the last refit was a while ago, but the next is not due before tomorrow
        session.execute(update(Run).values(due=utc_now() - timedelta(hours=1), started=utc_now() - timedelta(hours=1)))
    start(replace(panel, horizon=5))
    wait_until(lambda: count(Model) == 2)


def test_runs_left_over_from_a_kill_are_closed_at_the_start(start, count, sessions, walk):
    with sessions.begin() as session:
        queries.start_run(session, "refit", "p", due=utc_now(), started=utc_now())
    start()
    wait_until(lambda: count(Run, Run.outcome == "interrupted") == 1)


def test_a_panel_that_fails_does_not_hold_another(start, count, source, panel, walk):
    from dataclasses import replace

    failing = type(source)(down="no route to host")
    start(replace(panel, name="q", source=failing), panel)
    wait_until(lambda: count(Forecast) == 1)


def test_what_the_command_line_promotes_forecasts_at_once(start, count, walk, sessions, panel):
    from jobs.promote import roll_back
    from jobs.refit import refit

    start()
    wait_until(lambda: count(Forecast) == 1)
    refit(sessions, panel, utc_now(), fit)
    wait_until(lambda: count(Forecast) == 2)
    with sessions() as session:
        versions = {model.id: model.version for model in queries.models_of_panel(session, "p")}
        series = queries.find_series(session, "a")
        assert [model.version for _, model in queries.forecasts(session, series.id, issued_after=None, limit=9)] == [
            2,
            1,
        ]
    assert sorted(versions.values()) == [1, 2]
    roll_back(sessions, panel, utc_now)
    with sessions() as session:
        assert queries.latest_forecast(session, series.id)[1].version == 1


@pytest.fixture
def refitted(sessions, panel, walk, means):
    """The panel, which is fetched every second, after a refit five hours ago: the next is due in most of a day."""
    from dataclasses import replace

    from jobs.fetch import fetch
    from jobs.refit import refit

    quick, before = replace(panel, fetch_every=timedelta(seconds=1)), utc_now() - timedelta(hours=5)
    fetch(sessions, quick, lambda: before, means)
    refit(sessions, quick, before, fit)
    with sessions.begin() as session:
        run_id = queries.start_run(session, "refit", "p", due=before, started=before)
        queries.end_run(session, run_id, ended=before, outcome="ok", reason="naive serves")
    return quick


@pytest.fixture
def drifts(monkeypatch):
    """Whether live errors drift."""
    answers = [False]
    found = Drift(utc_now(), 2.4)
    monkeypatch.setattr("jobs.scheduler.drift", lambda _session, _panel, _now: found if answers[0] else None)
    return answers


def test_drift_forces_a_refit_once_new_scores_show_it(start, count, refitted, drifts, source):
    start(refitted)
    wait_until(lambda: count(Forecast) == 1)
    time.sleep(1)
    assert count(Run, Run.job == "refit") == 1
    drifts[0] = True
    source.put("a", np.random.default_rng(0).normal(size=202).cumsum())
    wait_until(lambda: count(Run, Run.job == "refit", Run.outcome == "ok", Run.reason.startswith("drift: live")) == 1)


def test_drift_that_was_seen_before_a_restart_is_not_forgotten_and_forces_one_refit(start, count, refitted, drifts):
    drifts[0] = True
    start(refitted)
    wait_until(lambda: count(Run, Run.job == "refit", Run.outcome == "ok", Run.reason.startswith("drift: live")) == 1)
    time.sleep(1.5)
    assert count(Run, Run.job == "refit") == 2


def test_a_watch_that_fails_holds_nothing_up(start, count, refitted, monkeypatch):
    monkeypatch.setattr("jobs.scheduler.drift", lambda *_: 1 / 0)
    start(refitted)
    wait_until(lambda: count(Forecast) == 1)


def test_what_waits_for_a_close_is_next_done_after_the_next_one(start, count, walk, panel):
    from dataclasses import replace

    delay = timedelta(minutes=30)
    scheduler = start(replace(panel, calendar="24/7", fetch_after_close=delay, refit_after_close=2 * delay))
    wait_until(lambda: count(Run, Run.job == "refit", Run.outcome == "ok") == 1)
    midnight = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    turns = {f"fetch {panel.name}": midnight + delay, f"refit {panel.name}": midnight + 2 * delay}

    def planned():
        found = {job.id: job.next_run_time for job in scheduler._apscheduler.get_jobs() if job.id in turns}
        return found.keys() == turns.keys() and all(
            found[job] > utc_now() and found[job] - turn in (timedelta(0), timedelta(days=1), timedelta(days=2))
            for job, turn in turns.items()
        )

    wait_until(planned)
