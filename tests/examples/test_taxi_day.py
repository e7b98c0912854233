"""The taxi day example: it learns the day, from what is known at midnight and nothing else."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")

from examples import taxi_day
from models.parameters import Parameters, Shape

ALL = taxi_day.GIVEN[-1]


@cache
def small():
    return taxi_day.run(given=(taxi_day.GIVEN[1],), feedback=(False,), n_steps=1000)


@cache
def days():
    times, values = taxi_day.read("nyc_taxi_30min.csv")
    return times[::48], values.reshape(-1, 48)


def test_the_network_is_about_as_good_as_the_same_weekday_mean_after_a_short_training():
    network, mean = (taxi_day.error(small().truth, made) for made in (small().network, small().weekday_mean))
    assert network < 1.1 * mean


def test_the_network_forecasts_a_day_far_better_than_a_flat_line():
    flat = np.broadcast_to(small().truth.mean(), small().truth.shape)
    assert taxi_day.error(small().truth, small().network) < 0.6 * taxi_day.error(small().truth, flat)


@pytest.mark.parametrize("feedback", [True, False])
def test_a_forecast_does_not_change_when_its_own_day_and_those_after_it_are_altered(feedback):
    dates, values = days()
    altered = np.r_[values[:180], values[180:] * 2.0]
    one, other = (taxi_day.forecast(dates, each, 173, 200, (ALL, feedback), 5, seed=0) for each in (values, altered))
    assert np.array_equal(one[:8], other[:8])
    assert not np.array_equal(one[8], other[8])


def test_the_networks_last_output_is_its_next_input():
    parameters = Parameters.initial(Shape(11, 4, 1), np.random.default_rng(0), np.float64)
    parameters.V[:] = 1.0
    network = taxi_day.unrolled(parameters, 1, feedback=True)
    outputs = network.forward(np.ones((1, 11, 1)))
    assert np.array_equal(network.Z[1:-1, -1, 0], outputs[:-1, 0, 0])


def test_the_weekday_is_that_of_the_calendar():
    dates, values = days()
    assert taxi_day.inputs(dates[:1], values[:1], ("weekday",))[0, :7, 0].argmax() == 1  # 1 July 2014: a Tuesday


def test_what_is_not_given_is_0():
    dates, values = days()
    assert not taxi_day.inputs(dates, values, ("weekday",))[0, 7:].any()


def test_the_evening_given_is_the_last_half_hour_before_the_day():
    dates, values = days()
    assert taxi_day.inputs(dates, values, ALL)[0, -1, 50] == values[49, -1]


def test_the_same_weekday_mean_comes_from_days_before_the_first_forecast_one():
    numbers = np.repeat(np.arange(28.0)[:, None], 48, axis=1)
    assert taxi_day.weekday_means(numbers, 21, 28)[0, 0] == np.mean([0, 7, 14])


def test_holidays_and_blizzard_are_among_the_test_days():
    unusual = small().dates[~taxi_day.usual(small().dates)]
    assert {"2014-12-25", "2015-01-01", "2015-01-27"} <= {str(date)[:10] for date in unusual}


def test_the_picture_is_drawn(tmp_path):
    path = tmp_path / "picture.png"
    taxi_day.draw(small(), path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
