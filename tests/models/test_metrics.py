"""Errors."""

import math

import numpy as np

from models.metrics import naive_scale, scaled_errors


def test_the_scale_of_mase_is_the_mean_seasonal_move():
    assert naive_scale(np.array([1.0, 2.0, 4.0, 8.0]), 2) == 4.5


def test_too_few_values_have_no_scale():
    assert math.isnan(naive_scale(np.array([1.0]), 1))


def test_each_window_is_scored_in_its_own_unit():
    errors = scaled_errors(np.zeros((2, 2)), np.array([[1.0, 3.0], [10.0, 30.0]]), np.array([1.0, 10.0]))
    assert errors.tolist() == [2.0, 2.0]
