"""The yardsticks of a backtest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.yardsticks import naive2_at, naive_at, seasonal_naive_at, yardsticks
from models.bases import naive2, seasonal_naive
from models.intervals import conformal_radii

RNG = np.random.default_rng(0)
WAVE = 50 + 10 * np.sin(np.arange(200) * 2 * np.pi / 12) + RNG.normal(size=200)
LEVELS = (80, 95)


@pytest.mark.parametrize("season", [1, 4, 7, 12])
@pytest.mark.parametrize(
    "values",
    [
        WAVE,
        RNG.normal(size=200).cumsum() + 100,
        1e6 + WAVE,
        WAVE - WAVE.mean(),
        np.full(200, 3.7),
        np.zeros(200),
        np.r_[np.zeros(60), WAVE],
    ],
    ids=["wave", "walk", "far from zero", "around zero", "constant", "zeros", "zeros at first"],
)
def test_naive2_at_many_origins_is_naive2_at_each(values, season):
    origins = np.arange(1, len(values) + 1)
    expected = [naive2(values[:origin], season, 9) for origin in origins]
    np.testing.assert_allclose(naive2_at(values, season, origins, 9), expected, rtol=1e-9)


@given(st.lists(st.integers(-3, 9), min_size=1, max_size=60), st.integers(2, 5))
def test_naive2_at_the_end_of_any_series_is_naive2(values, season):
    series = np.array(values, dtype=float)
    expected = naive2(series, season, 4)
    np.testing.assert_allclose(naive2_at(series, season, np.array([len(series)]), 4)[0], expected, rtol=1e-7)


def test_the_naive_forecasts_at_many_origins_are_those_at_each():
    origins = np.array([20, 7, 100])
    for season, rule in ((1, naive_at), (7, seasonal_naive_at)):
        expected = [seasonal_naive(WAVE[None, :origin], season, 10)[0] for origin in origins]
        assert rule(WAVE, season, origins, 10).tolist() == np.array(expected).tolist()


def test_before_a_whole_season_the_seasonal_naive_is_the_naive():
    assert seasonal_naive_at(WAVE, 12, np.array([5]), 3).tolist() == [[WAVE[4]] * 3]


@pytest.mark.parametrize(("name", "season"), [("naive", 1), ("seasonal_naive", 12), ("naive2", 12)])
@pytest.mark.parametrize(("end", "count"), [(200, 100), (60, 46)])
def test_intervals_come_from_the_errors_at_the_newest_origins_whose_targets_were_known(name, season, end, count):
    horizon = 3
    made = yardsticks(WAVE, np.array([end]), 12, horizon, LEVELS)[name]
    rule = {"naive": naive_at, "seasonal_naive": seasonal_naive_at, "naive2": naive2_at}[name]
    origins = end - horizon - np.arange(count)
    errors = [WAVE[o : o + horizon] - rule(WAVE, 12, np.array([o]), horizon)[0] for o in origins]
    radii = conformal_radii(np.array(errors), LEVELS)
    np.testing.assert_allclose(made.hi[0] - made.mean[0], radii, rtol=1e-9)
    np.testing.assert_allclose(made.mean[0] - made.lo[0], radii, rtol=1e-9)


def test_with_fewer_than_twenty_origins_there_is_no_interval():
    made = yardsticks(WAVE, np.array([22, 23]), 1, 3, LEVELS)["naive"]
    assert np.isnan(made.lo[0]).all()
    assert np.isfinite(made.lo[1]).all()


def test_many_cutoffs_at_once_give_what_each_gives_alone():
    ends = np.array([10, 50, 150, 199])
    together = yardsticks(WAVE, ends, 12, 5, LEVELS)
    for place, end in enumerate(ends):
        for name, alone in yardsticks(WAVE[:end], ends[place : place + 1], 12, 5, LEVELS).items():
            np.testing.assert_allclose(together[name].lo[place], alone.lo[0], rtol=1e-12)
            np.testing.assert_allclose(together[name].mean[place], alone.mean[0], rtol=1e-12)
