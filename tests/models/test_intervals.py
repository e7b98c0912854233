"""Conformal intervals."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.intervals import conformal_radii


def test_the_radius_is_the_conformal_rank_of_the_residuals():
    residuals = np.arange(1.0, 20.0)[:, None]  # 19: the rank of 95 % is ⌈20 · 0.95⌉ = 19, of 80 % it is 16
    assert conformal_radii(residuals, [80, 95]).ravel().tolist() == [16.0, 19.0]


def test_with_too_few_residuals_the_largest_stands_in():
    assert conformal_radii(np.array([[1.0], [-3.0]]), [95]).tolist() == [[3.0]]


@given(st.integers(1, 60), st.integers(1, 4), st.integers(0, 1000))
def test_a_higher_level_never_has_a_smaller_radius(n, horizon, seed):
    radii = conformal_radii(np.random.default_rng(seed).normal(size=(n, horizon)), [50, 80, 95, 99])
    assert (np.diff(radii, axis=0) >= 0).all()


def test_the_truth_falls_inside_as_often_as_the_level_says():
    rng = np.random.default_rng(0)
    radii = conformal_radii(rng.standard_t(4, size=(4000, 1)), [80, 95])
    fresh = np.abs(rng.standard_t(4, size=(4000, 1)))
    assert np.abs((fresh <= radii[0]).mean() - 0.80) < 0.02
    assert np.abs((fresh <= radii[1]).mean() - 0.95) < 0.01
