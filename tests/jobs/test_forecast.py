"""Forecasting into the ledger."""

from datetime import timedelta

import numpy as np
import pytest

from db import queries
from jobs.fetch import fetch
from jobs.fit import fit
from jobs.forecast import NoModelError, forecast
from jobs.refit import refit


@pytest.fixture
def ready(sessions, panel, source, clock, tmp_path):
    """A fitted panel with 300 hours of a random walk."""
    source.put("a", np.random.default_rng(0).normal(size=300).cumsum())
    clock.advance(hours=300)
    fetch(sessions, panel, clock, tmp_path)
    refit(sessions, panel, clock(), fit)


def ledger(sessions, name="a"):
    with sessions() as session:
        series = queries.find_series(session, name)
        found = queries.forecasts(session, series.id, issued_after=None, limit=100)
        steps = queries.steps_of(session, [forecast.id for forecast, _ in found])
        return [(forecast, steps[forecast.id]) for forecast, _ in found]


def test_each_series_gets_a_forecast_of_every_step(sessions, panel, clock, ready):
    issued = forecast(sessions, panel, clock())
    assert len(issued.forecasts["a"]) == 3


def test_the_targets_follow_the_newest_observation(sessions, panel, clock, ready):
    forecast(sessions, panel, clock())
    ((made, steps),) = ledger(sessions)
    assert [step.target_ts - made.cutoff for step in steps] == [timedelta(hours=k) for k in (1, 2, 3)]


def test_the_same_forecast_is_not_issued_twice(sessions, panel, clock, ready):
    forecast(sessions, panel, clock())
    clock.advance(minutes=5)
    assert forecast(sessions, panel, clock()).forecasts == {}
    assert len(ledger(sessions)) == 1


def test_a_new_observation_gives_a_new_forecast(sessions, panel, source, clock, tmp_path, ready):
    forecast(sessions, panel, clock())
    source.put("a", np.random.default_rng(0).normal(size=301).cumsum())
    clock.advance(hours=1)
    fetch(sessions, panel, clock, tmp_path)
    assert list(forecast(sessions, panel, clock()).forecasts) == ["a"]
    assert len(ledger(sessions)) == 2


def test_a_series_too_short_for_the_model_is_told_and_the_others_go_on(sessions, panel, source, clock, tmp_path, ready):
    source.put("b", [1, 2], start=clock() - timedelta(hours=2))
    fetch(sessions, panel, clock, tmp_path)
    issued = forecast(sessions, panel, clock())
    assert list(issued.forecasts) == ["a"]
    assert "2 consecutive values, but the model takes in" in issued.lacking["b"]


def test_without_a_model_nothing_is_forecast(sessions, panel, clock):
    with pytest.raises(NoModelError):
        forecast(sessions, panel, clock())
