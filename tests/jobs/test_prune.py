"""Forgetting."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from db import queries
from db.queries import NewStep
from db.schema import Forecast, ForecastBound, ForecastStep, Model, Observation, PendingScore, Run
from db.times import to_us
from jobs.prune import keeps_all, prune

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def aged(sessions, clock, store_model):
    """Ten days of hourly observations, and a model, a forecast and a fetch a day; now is the tenth day's end."""
    with sessions.begin() as session:
        series = queries.add_series(session, "a", "p")
        start = clock()
        queries.add_observations(session, series.id, [(to_us(start + h * HOUR), float(h)) for h in range(240)], start)
        for day in range(10):
            moment = start + day * DAY
            model = store_model(session, at=moment)
            queries.issue(
                session, series.id, model.id, moment, moment, [NewStep(moment + HOUR, 1.0, 1.0, {80: (0, 2)})]
            )
            run_id = queries.start_run(session, "fetch", "p", due=moment, started=moment)
            queries.end_run(session, run_id, ended=moment, outcome="ok", reason="")
    clock.advance(days=10)


@pytest.fixture
def count(sessions):
    def rows(entity):
        with sessions() as session:
            return session.scalar(select(func.count()).select_from(entity))

    return rows


def test_a_panel_keeps_everything_unless_told(sessions, panel, clock, aged, count):
    assert keeps_all(panel)
    prune(sessions, panel, clock())
    assert (count(Forecast), count(Observation), count(Model)) == (10, 240, 10)


def test_old_forecasts_go_with_their_steps_bounds_and_scores(sessions, panel, clock, aged, count):
    assert prune(sessions, replace(panel, keep_forecasts=3 * DAY), clock()).forecasts == 7
    assert [count(entity) for entity in (Forecast, ForecastStep, ForecastBound, PendingScore)] == [3, 3, 3, 3]


def test_the_latest_forecast_of_a_series_stays_however_old(sessions, panel, clock, aged, count):
    clock.advance(days=1000)
    prune(sessions, replace(panel, keep_forecasts=DAY), clock())
    assert count(Forecast) == 1


def test_old_observations_go(sessions, panel, clock, aged, count):
    short = replace(panel, train_window=HOUR, keep_observations=2 * DAY, keep_forecasts=HOUR)
    prune(sessions, short, clock())
    assert count(Observation) == 48


def test_observations_that_a_refit_uses_stay(sessions, panel, clock, aged, count):
    clock.advance(days=100)
    short = replace(panel, train_window=2 * DAY, keep_observations=HOUR, keep_forecasts=HOUR)
    prune(sessions, short, clock())
    assert count(Observation) >= 2 * 24 + 1


def test_observations_that_a_kept_forecast_was_made_from_stay(sessions, panel, clock, aged, count):
    prune(sessions, replace(panel, train_window=HOUR, keep_observations=HOUR), clock())
    assert count(Observation) == 240


def test_models_that_serve_or_are_referred_to_stay(sessions, panel, clock, aged, count):
    forgetful = replace(panel, keep_forecasts=3 * DAY, keep_models=HOUR)
    assert prune(sessions, forgetful, clock()).models == 7
    with sessions() as session:
        assert queries.champion(session, "p").version == 10


def test_the_champion_and_the_model_before_it_stay_and_promotions_go_with_their_models(
    sessions, panel, clock, aged, count
):
    with sessions.begin() as session:
        queries.promote(session, queries.find_model(session, "p", 3), clock(), "by command")
    clock.advance(days=100)
    prune(sessions, replace(panel, keep_forecasts=DAY, keep_models=DAY), clock())
    with sessions() as session:
        assert [model.version for model in queries.models_of_panel(session, "p")] == [10, 3]
        assert queries.champion(session, "p").version == 3
        assert queries.previous_champion(session, "p").version == 10
        assert len(queries.promotions(session, "p")) == 3


@pytest.fixture
def faithful(sessions, clock, store_model):
    """A model that has forecast every hour for ten days; now is the tenth day's end."""
    with sessions.begin() as session:
        series, model = queries.add_series(session, "a", "p"), store_model(session)
        for hour in range(240):
            moment = clock() + hour * HOUR
            steps = [NewStep(moment + HOUR, 1.0, 1.0, {80: (0, 2)})]
            queries.issue(session, series.id, model.id, moment, moment, steps, unit=1.0)
    clock.advance(days=10)


def test_the_forecasts_that_a_kept_one_was_made_from_stay(sessions, panel, clock, faithful, count, monkeypatch):
    monkeypatch.setattr("jobs.prune.REMEMBERED", 50)
    assert prune(sessions, replace(panel, keep_forecasts=DAY), clock()).forecasts == 240 - 24 - 50


def test_what_stays_only_for_others_goes_once_they_go(sessions, panel, clock, faithful, count, monkeypatch):
    monkeypatch.setattr("jobs.prune.REMEMBERED", 50)
    prune(sessions, replace(panel, keep_forecasts=DAY), clock())
    clock.advance(hours=10)
    assert prune(sessions, replace(panel, keep_forecasts=DAY), clock()).forecasts == 10


def test_old_runs_go_but_the_newest_stay_so_that_nothing_is_due_twice(sessions, panel, clock, aged, count):
    with sessions.begin() as session:
        for k in range(30):
            moment = clock() - 20 * DAY + k * HOUR
            queries.start_run(session, "refit", "p", due=moment, started=moment)
    prune(sessions, replace(panel, keep_forecasts=3 * DAY), clock())
    with sessions() as session:
        assert len(queries.newest_runs(session, "p", "refit", 100)) == 12


def test_the_newest_run_that_went_well_stays_however_old(sessions, panel, clock, aged):
    with sessions.begin() as session:
        for k in range(30):
            moment = clock() - 20 * DAY + k * HOUR
            run = queries.start_run(session, "refit", "p", due=moment, started=moment)
            queries.end_run(session, run, ended=moment, outcome="ok" if k < 3 else "failed", reason=str(k))
    prune(sessions, replace(panel, keep_forecasts=3 * DAY), clock())
    with sessions() as session:
        good = queries.newest_good_run(session, "p", "refit")
    assert good is not None
    assert good.reason == "2"


def test_a_batch_is_bounded_and_all_batches_are_done(sessions, panel, clock, aged, count, monkeypatch):
    monkeypatch.setattr("jobs.prune.BATCH", 2)
    assert prune(sessions, replace(panel, keep_forecasts=3 * DAY), clock()).forecasts == 7


def test_another_panel_s_rows_stay(sessions, panel, clock, aged, count):
    prune(sessions, replace(panel, name="q", keep_forecasts=HOUR, keep_observations=HOUR, keep_models=HOUR), clock())
    assert (count(Forecast), count(Observation), count(Model), count(Run)) == (10, 240, 10, 10)
