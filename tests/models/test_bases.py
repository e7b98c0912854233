"""The naive forecasts."""

import numpy as np

from models.bases import seasonal_naive


def test_with_season_one_the_last_value_is_repeated():
    assert seasonal_naive(np.array([[1.0, 2.0, 3.0]]), 1, 4).tolist() == [[3, 3, 3, 3]]


def test_the_last_season_is_repeated_in_phase():
    assert seasonal_naive(np.arange(10.0)[None], 4, 6).tolist() == [[6, 7, 8, 9, 6, 7]]
