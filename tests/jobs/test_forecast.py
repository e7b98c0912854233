"""Forecasting into the ledger."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from db import queries
from jobs.fetch import fetch
from jobs.fit import fit
from jobs.forecast import TOLD, Issued, NoModelError, context, forecast, make
from jobs.refit import refit
from jobs.score import score
from models.forecaster import Forecaster


@pytest.fixture
def ready(sessions, panel, source, clock, means):
    """A fitted panel with 300 hours of a random walk."""
    source.put("a", np.random.default_rng(0).normal(size=300).cumsum())
    clock.advance(hours=300)
    fetch(sessions, panel, clock, means)
    refit(sessions, panel, clock(), fit)


def ledger(sessions, name="a"):
    with sessions() as session:
        series = queries.find_series(session, name)
        found = queries.forecasts(session, series.id, issued_after=None, limit=100)
        steps = queries.steps_of(session, [forecast.id for forecast, _ in found])
        return [(forecast, steps[forecast.id]) for forecast, _ in found]


def test_each_series_gets_a_forecast_of_every_step(sessions, panel, clock, ready):
    issued = forecast(sessions, panel, clock)
    assert len(issued.forecasts["a"]) == 3


def test_of_many_series_the_first_are_told_one_by_one_and_the_others_counted():
    issued = Issued()
    for k in range(12):
        issued.add(f"a{k}", [])
        issued.lack(f"b{k}", "too short")
    assert (issued.count, list(issued.forecasts)) == (12, [f"a{k}" for k in range(TOLD)])
    assert str(issued).startswith("12 issued; b0: too short; b1: too short; ")
    assert str(issued).endswith("; b9: too short; none of 2 more")


def test_the_targets_follow_the_newest_observation(sessions, panel, clock, ready):
    forecast(sessions, panel, clock)
    ((made, steps),) = ledger(sessions)
    assert [step.target_ts - made.cutoff for step in steps] == [timedelta(hours=k) for k in (1, 2, 3)]


def test_the_same_forecast_is_not_issued_twice(sessions, panel, clock, ready):
    forecast(sessions, panel, clock)
    clock.advance(minutes=5)
    assert forecast(sessions, panel, clock).forecasts == {}
    assert len(ledger(sessions)) == 1


def test_a_new_observation_gives_a_new_forecast(sessions, panel, source, clock, means, ready):
    forecast(sessions, panel, clock)
    source.put("a", np.random.default_rng(0).normal(size=301).cumsum())
    clock.advance(hours=1)
    fetch(sessions, panel, clock, means)
    assert list(forecast(sessions, panel, clock).forecasts) == ["a"]
    assert len(ledger(sessions)) == 2


def test_after_days_of_downtime_no_forecast_is_invented_and_scores_go_on(sessions, panel, source, clock, means, ready):
    """Issued after hour 299; away for five days. That one is scored, and one more follows the newest hour."""
    walk = np.random.default_rng(0).normal(size=420).cumsum()
    forecast(sessions, panel, clock)
    clock.advance(days=5)
    source.put("a", walk)
    assert fetch(sessions, panel, clock, means).new == 120
    assert score(sessions, panel, clock).steps == 3
    forecast(sessions, panel, clock)
    cutoffs = [made.cutoff for made, _ in ledger(sessions)]
    assert cutoffs == [source.values["a"].index[-1], source.values["a"].index[299]]


def test_a_series_that_was_not_there_at_the_fit_is_forecast_from_its_first_value(
    sessions, panel, source, clock, means, ready
):
    source.put("b", [1], start=clock() - timedelta(hours=1))
    fetch(sessions, panel, clock, means)
    assert list(forecast(sessions, panel, clock).forecasts) == ["a", "b"]


def test_without_a_model_nothing_is_forecast(sessions, panel, clock):
    with pytest.raises(NoModelError, match=r"^no model serves yet; a refit makes one$"):
        forecast(sessions, panel, clock)


@pytest.fixture
def foreign_champion(sessions, store_model, ready):
    """A champion written by a version that saved its models in another way."""
    with sessions.begin() as session:
        store_model(session, kind="rnn", content=b"another version's")


def test_a_champion_that_this_version_cannot_read_is_no_model(sessions, panel, clock, foreign_champion):
    with pytest.raises(NoModelError, match=r"^rnn v2 cannot be read by this version"):
        forecast(sessions, panel, clock)


def test_the_next_refit_replaces_a_champion_that_this_version_cannot_read(sessions, panel, clock, foreign_champion):
    assert refit(sessions, panel, clock(), fit).promoted
    assert list(forecast(sessions, panel, clock).forecasts) == ["a"]


def test_a_longer_horizon_in_the_configuration_does_not_stop_the_champion(sessions, panel, clock, ready):
    issued = forecast(sessions, replace(panel, horizon=10), clock)
    assert len(issued.forecasts["a"]) == 3


def test_a_series_with_absurd_values_does_not_stop_the_others(
    sessions, panel, source, clock, means, ready, monkeypatch
):
    from models.errors import BadInputError

    source.put("b", np.ones(300))
    fetch(sessions, panel, clock, means)
    whole = Forecaster.forecast

    def picky(self, contexts, live):
        if "b" in contexts:
            raise BadInputError("the context holds NaN or infinity")
        return whole(self, contexts, live)

    monkeypatch.setattr(Forecaster, "forecast", picky)
    issued = forecast(sessions, panel, clock)
    assert (list(issued.forecasts), list(issued.lacking)) == (["a"], ["b"])


def test_two_values_in_one_step_do_not_make_the_context_too_short(sessions, panel, source, clock, means):
    """A daily series that had weekends until some weeks ago."""
    import pandas as pd

    days = pd.date_range("2025-01-01", "2025-12-31", tz="UTC")
    days = days[(days.day_of_week < 5) | (days < "2025-11-15")]
    source.values["d"] = pd.Series(np.random.default_rng(0).normal(size=len(days)).cumsum(), index=days)
    clock.now = days[-1].to_pydatetime() + timedelta(days=2)
    daily = replace(panel, interval=timedelta(days=1))
    fetch(sessions, daily, clock, means)
    refit(sessions, daily, clock(), fit)
    assert list(forecast(sessions, daily, clock).forecasts) == ["d"]


def test_a_forecast_keeps_the_unit_of_its_intervals_and_the_scale_of_mase(sessions, panel, clock, ready):
    forecast(sessions, panel, clock)
    ((made, _),) = ledger(sessions)
    assert made.unit > 0
    assert made.scale > 0


def test_intervals_widen_when_the_live_errors_grow(sessions, panel, source, clock, means):
    """Beside a forecast that knows of no error: a daily wave takes on another period."""
    phase = np.concatenate([np.arange(300) / 24, 300 / 24 + np.arange(40) / 7])
    values = 50 + 10 * np.sin(2 * np.pi * phase) + np.random.default_rng(0).normal(size=340)
    clock.advance(hours=300)
    for n in range(300, 341):
        source.put("a", values[:n])
        fetch(sessions, panel, clock, means)
        if n == 300:
            refit(sessions, panel, clock(), fit)
        score(sessions, panel, clock)
        forecast(sessions, panel, clock)
        clock.advance(hours=1)
    newest, steps = ledger(sessions)[0]
    with sessions() as session:
        forecaster, _ = Forecaster.from_bytes(queries.champion(session, "p").content)
        seen = context(session, panel, newest.series_id, forecaster, as_of=newest.issued_at, cutoff=newest.cutoff)
    blind = make(forecaster, panel, "a", seen, np.empty((0, 3))).steps
    assert [step.mean for step in blind] == [step.mean for step in steps]
    reach, blind_reach = ([step.bounds[80][1] - step.mean for step in each] for each in (steps, blind))
    assert min(np.array(reach) / np.array(blind_reach)) > 2


def test_many_series_are_forecast_in_several_transactions(sessions, panel, source, clock, means, ready, monkeypatch):
    for k in range(5):
        source.put(f"b{k}", [1, 2], start=clock() - timedelta(hours=2))
    fetch(sessions, panel, clock, means)
    monkeypatch.setattr("jobs.forecast.BATCH", 2)
    assert len(forecast(sessions, panel, clock).forecasts) == 6


@pytest.fixture
def sold(sessions, panel, source, clock, means):
    """A year of a daily price of New York's, with a gap of three sessions shortly before its end."""
    import pandas as pd

    from jobs import exchanges
    from jobs.calendars import DAY

    prices = replace(panel, interval=DAY, calendar="XNYS", fill="linear")
    start = int(pd.Timestamp("2025-12-01").timestamp() * 1e6)
    days = pd.to_datetime(exchanges.steps("XNYS", DAY, timedelta(0)).following(start, 247), unit="us", utc=True)
    days = days.delete([235, 236, 237])
    source.values["a"] = pd.Series(np.random.default_rng(0).normal(size=len(days)).cumsum(), index=days)
    clock.now = days[-1].to_pydatetime() + timedelta(days=1)
    fetch(sessions, prices, clock, means)
    refit(sessions, prices, clock(), fit)
    return prices


def test_the_targets_of_a_price_are_sessions(sessions, clock, sold):
    forecast(sessions, sold, clock)
    ((made, steps),) = ledger(sessions)
    assert f"{made.cutoff:%d %b}" == "24 Nov"
    assert [f"{step.target_ts:%d %b}" for step in steps] == ["25 Nov", "27 Nov", "30 Nov"]  # without Thanksgiving


def remade(sessions, panel, changes=None):
    """The forecast that a panel's champion makes of what it saw, under changes of the configuration."""
    (made, steps) = ledger(sessions)[0]
    with sessions() as session:
        forecaster, _ = Forecaster.from_bytes(queries.champion(session, "p").content)
        seen = context(session, panel, made.series_id, forecaster, as_of=made.issued_at, cutoff=made.cutoff)
    again = make(forecaster, replace(panel, **(changes or {})), "a", seen, np.empty((0, 3)))
    return [(step.target_ts, step.mean, dict(step.bounds)) for step in again.steps], steps


def test_a_forecast_on_a_calendar_with_a_filled_gap_can_be_made_again_bit_for_bit(sessions, clock, sold):
    forecast(sessions, sold, clock)
    again, steps = remade(sessions, sold)
    assert again == [(step.target_ts, step.mean, step.bounds) for step in steps]


@pytest.mark.parametrize("changes", [{"max_gap": 2}, {"fill": "zero"}])
def test_the_panel_says_how_a_gap_is_filled(sessions, clock, sold, changes, monkeypatch):
    contexts = []
    whole = Forecaster.forecast

    def spied(self, given, live):
        contexts.append(given["a"])
        return whole(self, given, live)

    monkeypatch.setattr(Forecaster, "forecast", spied)
    forecast(sessions, sold, clock)
    remade(sessions, sold, changes)
    before, after = contexts
    assert before[-9:].tolist() == after[-9:].tolist()  # since the gap
    if "fill" in changes:
        assert after[-12:-9].tolist() == [0.0, 0.0, 0.0]
        assert (before[-12:-9] != 0.0).all()
    else:
        assert len(after) == 9
