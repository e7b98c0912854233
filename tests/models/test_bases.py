"""The naive forecasts."""

import numpy as np

from models.bases import is_seasonal, naive2, seasonal_indices, seasonal_naive


def test_with_season_one_the_last_value_is_repeated():
    assert seasonal_naive(np.array([[1.0, 2.0, 3.0]]), 1, 4).tolist() == [[3, 3, 3, 3]]


def test_the_last_season_is_repeated_in_phase():
    assert seasonal_naive(np.arange(10.0)[None], 4, 6).tolist() == [[6, 7, 8, 9, 6, 7]]


def factors(n, season=4, seed=0):
    """A level of about 100 times the factors 0.5, 1, 1.5, 1."""
    noise = np.random.default_rng(seed).normal(size=n)
    return (100.0 + noise) * np.resize([0.5, 1.0, 1.5, 1.0], n)


def test_the_seasonal_indices_are_the_factors_that_made_the_series():
    assert np.allclose(seasonal_indices(factors(200), 4), [0.5, 1.0, 1.5, 1.0], atol=0.01)


def test_an_odd_season_has_indices_too():
    values = 10.0 * np.resize([0.5, 1.0, 1.5], 60)
    assert np.allclose(seasonal_indices(values, 3), [0.5, 1.0, 1.5])


def test_naive2_goes_on_with_the_season_in_phase():
    assert np.allclose(naive2(factors(201), 4, 4), [100.0, 150.0, 100.0, 50.0], rtol=0.05)


def test_naive2_of_a_series_without_a_season_is_the_naive_forecast():
    noise = np.random.default_rng(1).normal(size=100) + 50.0
    assert (naive2(noise, 12, 3) == noise[-1]).all()


def test_naive2_of_a_series_that_changes_its_sign_is_the_naive_forecast():
    wave = np.resize([1.0, 0.0, -1.0, 0.0], 80) + 1e-9
    assert (naive2(wave, 4, 3) == wave[-1]).all()


def test_fewer_than_three_seasons_show_none():
    assert not is_seasonal(factors(11), 4)
    assert is_seasonal(factors(40), 4)


def test_a_constant_series_has_no_season():
    assert not is_seasonal(np.full(50, 3.0), 4)
