"""The oil price example: no better than the random walk, as it should be, and blind to the future."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")

from examples import oil_price

SMALL = oil_price.Setting(lookback=10, hidden=4)


@cache
def small():
    return oil_price.run(years=(2017, 2019), settings=(SMALL,), n_steps=150)


def walk(n=400):
    return np.exp(np.random.default_rng(0).normal(size=n).cumsum() / 50.0)


def test_on_oil_the_network_is_as_good_as_the_random_walk_and_no_better():
    assert 0.97 < small().oil.ratio < 1.05


def test_on_taxi_demand_the_same_code_is_much_better_than_the_random_walk():
    assert small().taxi.ratio < 0.85


def test_a_forecast_does_not_change_when_the_future_is_altered():
    values = walk()
    altered = np.r_[values[:350], values[350:] * np.linspace(2.0, 3.0, 50)]
    one, other = (oil_price.forecast(each, 300, 400, SMALL, 20, seed=0) for each in (values, altered))
    assert np.array_equal(one[:51], other[:51])  # the forecast of value 350 is made from those before it


def test_a_forecast_changes_when_the_newest_value_of_its_window_does():
    values = walk()
    altered = np.r_[values[:350], values[350:] * 1.1]
    one, other = (oil_price.forecast(each, 300, 400, SMALL, 20, seed=0) for each in (values, altered))
    assert one[51] != other[51]


def test_the_network_is_fitted_to_nothing_from_the_first_value_on_that_it_forecasts():
    values = walk()
    altered = np.r_[values[:300], values[300:] * np.linspace(2.0, 3.0, 100)]
    one, other = (oil_price.forecast(each, 300, 400, SMALL, 20, seed=0) for each in (values, altered))
    assert one[0] == other[0]


def test_each_window_is_in_units_of_its_own_volatility():
    X, _ = oil_price.windows(walk(), 10)
    assert np.allclose(np.mean(X**2, axis=0), 1.0)


def test_a_forecast_that_repeats_the_last_price_has_the_ratio_1():
    values = walk()
    assert oil_price.score(values[1:], values[:-1], values[:-1]) == oil_price.Score(1.0, 0.0)


def test_every_test_year_is_forecast_to_its_last_trading_day():
    assert str(small().times[0]).startswith("2017-01-03")
    assert str(small().times[-1]).startswith("2018-12-28")  # there is none on the 31st


def test_the_picture_is_drawn(tmp_path):
    path = tmp_path / "picture.png"
    oil_price.draw(small(), path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
