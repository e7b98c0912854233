"""Forecasting into the ledger."""

from dataclasses import replace
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


def foreign_champion(sessions, clock):
    """A champion written by a version that saved its models in another way."""
    with sessions.begin() as session:
        queries.add_model(
            session,
            "p",
            kind="rnn",
            cutoff=clock(),
            trained_at=clock(),
            promoted_at=clock(),
            verdict="",
            content=b"another version's",
        )


def test_a_champion_that_this_version_cannot_read_is_no_model(sessions, panel, clock, ready):
    foreign_champion(sessions, clock)
    with pytest.raises(NoModelError, match="that this version can read"):
        forecast(sessions, panel, clock())


def test_the_next_refit_replaces_a_champion_that_this_version_cannot_read(sessions, panel, clock, ready):
    foreign_champion(sessions, clock)
    assert refit(sessions, panel, clock(), fit).promoted
    assert list(forecast(sessions, panel, clock()).forecasts) == ["a"]


def test_a_longer_horizon_in_the_configuration_does_not_stop_the_champion(sessions, panel, clock, ready):
    issued = forecast(sessions, replace(panel, horizon=10), clock())
    assert len(issued.forecasts["a"]) == 3


def test_a_series_with_absurd_values_does_not_stop_the_others(
    sessions, panel, source, clock, tmp_path, ready, monkeypatch
):
    from models.errors import BadInputError
    from models.forecaster import Forecaster

    source.put("b", np.ones(300))
    fetch(sessions, panel, clock, tmp_path)
    whole = Forecaster.forecast

    def picky(self, name, values):
        if name == "b":
            raise BadInputError("the context holds NaN or infinity")
        return whole(self, name, values)

    monkeypatch.setattr(Forecaster, "forecast", picky)
    issued = forecast(sessions, panel, clock())
    assert (list(issued.forecasts), list(issued.lacking)) == (["a"], ["b"])


def test_two_values_in_one_step_do_not_make_the_context_too_short(sessions, panel, source, clock, tmp_path):
    """A daily series that had weekends until some weeks ago."""
    import pandas as pd

    days = pd.date_range("2025-01-01", "2025-12-31", tz="UTC")
    days = days[(days.day_of_week < 5) | (days < "2025-11-15")]
    source.values["d"] = pd.Series(np.random.default_rng(0).normal(size=len(days)).cumsum(), index=days)
    clock.now = days[-1].to_pydatetime() + timedelta(days=2)
    daily = replace(panel, interval=timedelta(days=1))
    fetch(sessions, daily, clock, tmp_path)
    refit(sessions, daily, clock(), fit)
    assert list(forecast(sessions, daily, clock()).forecasts) == ["d"]
