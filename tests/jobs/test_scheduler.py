"""The scheduler, with real threads, real workers and the real clock."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import func, select, update

from db import queries
from db.schema import Forecast, Model, Run
from jobs.scheduler import Scheduler
from jobs.workers import Workers


def utc_now():
    return datetime.now(UTC)


@pytest.fixture
def start(sessions, panel, tmp_path):
    """Start a scheduler of some panels; all are stopped in the end."""
    started = []

    def begin(*panels):
        workers = Workers(1, timedelta(seconds=30))
        scheduler = Scheduler(panels or (panel,), sessions, workers, utc_now, tmp_path)
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


def test_it_ticks_while_it_runs_and_not_before(start, sessions, panel, tmp_path):
    idle = Scheduler([panel], sessions, Workers(1, timedelta(seconds=1)), utc_now, tmp_path)
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


def test_what_was_fetched_before_a_kill_is_forecast_from_after_it(start, count, walk, sessions, panel, tmp_path):
    from jobs.fetch import fetch
    from jobs.fit import fit
    from jobs.refit import refit

    fetch(sessions, panel, utc_now, tmp_path)
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
        assert queries.score_summary(session, queries.find_series(session, "a").id).count == 2


def test_what_the_command_line_learns_beside_it_is_forecast_from(start, count, source, panel, sessions, tmp_path):
    from dataclasses import replace

    from jobs.fetch import fetch

    values = np.random.default_rng(0).normal(size=201).cumsum()
    source.put("a", values[:200])
    quick = replace(panel, fetch_every=timedelta(seconds=1))
    start(quick)
    wait_until(lambda: count(Forecast) == 1)
    source.put("a", values)
    fetch(sessions, quick, utc_now, tmp_path)
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
