"""Floors: no window is scaled by less."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.floors import ABSOLUTE, RELATIVE, SHARE, Floors, floors_of, noise


def test_the_floor_is_a_share_of_the_usual_seasonal_change():
    values = np.array([1.0, 10.0, 3.0, 14.0, 5.0, 18.0])  # season 2: moves of 2 and 4
    assert np.allclose(floors_of([values], 2).raw, SHARE * 3.0, rtol=1e-4)


def test_a_single_seasonal_change_is_enough():
    assert np.allclose(floors_of([np.array([1.0, 2.0, 5.0])], 2).raw, SHARE * 4.0, rtol=1e-4)


def test_the_floor_of_logarithms_is_a_share_of_relative_change():
    assert np.allclose(floors_of([np.exp(0.5 * np.arange(10.0))], 1).log, SHARE * 0.5, rtol=1e-4)


@given(st.sampled_from([0.0, 7.0, -7.0, 1e12, 1e-9]), st.integers(0, 30), st.integers(1, 12))
def test_a_constant_series_has_a_positive_floor_of_rounding_noise(value, n, season):
    floors = floors_of([np.full(n, value)], season)
    assert 0.0 < floors.raw[0] <= RELATIVE * abs(value) + ABSOLUTE
    assert floors.log[0] > 0.0


def test_a_series_that_is_not_all_positive_has_a_floor_of_logarithms_without_a_warning():
    assert floors_of([np.array([1.0, 0.0, 2.0])], 1).log.tolist() == [ABSOLUTE]


@given(st.sampled_from([1e-3, 10.0, 1e9]), st.integers(0, 100))
def test_the_floor_has_the_unit_of_the_values(a, seed):
    values = 100.0 + np.random.default_rng(seed).normal(size=50)
    one, other = floors_of([values], 7), floors_of([a * values], 7)
    assert np.allclose(other.raw, a * one.raw, rtol=1e-4)
    assert np.allclose(other.log, one.log, rtol=0.05)  # noise is a share of the logarithms' own size


def test_each_series_has_its_own_floor():
    calm, wild = np.arange(10.0), 100.0 * np.arange(10.0)
    floors = floors_of([calm, wild], 1)
    assert floors.raw[1] > 50.0 * floors.raw[0]


def test_nothing_has_noise_too():
    assert noise(np.empty(0)) == ABSOLUTE


def test_some_floors_are_taken_in_the_order_asked_for():
    floors = Floors(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    taken = floors.take(np.array([2, 0, 0]))
    assert (taken.raw.tolist(), taken.log.tolist()) == ([3.0, 1.0, 1.0], [6.0, 4.0, 4.0])


def test_floors_repeated_begin_again_with_the_first():
    again = Floors(np.array([1.0, 2.0]), np.array([4.0, 5.0])).repeat(2)
    assert (again.raw.tolist(), again.log.tolist()) == ([1.0, 2.0, 1.0, 2.0], [4.0, 5.0, 4.0, 5.0])
