"""Windows: which there are, how they are split in time, how each is scaled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadInputError
from models.windows import cut, floored, inputs, scales, split

LENGTHS = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=3), min_size=1, max_size=3)


def panel(lengths):
    counter = iter(range(10_000))
    return [[np.array([float(next(counter)) for _ in range(n)]) for n in segments] for segments in lengths]


@given(LENGTHS, st.integers(1, 6), st.integers(1, 4))
def test_no_window_crosses_a_gap(lengths, lookback, horizon):
    histories = panel(lengths)
    found = cut(histories, lookback, horizon)
    inside = {tuple(run[i : i + lookback + horizon]) for runs in histories for run in runs for i in range(len(run))}
    together = np.hstack([found.contexts(), found.targets()])
    assert all(tuple(row) in inside for row in together)


@given(LENGTHS, st.integers(1, 6), st.integers(1, 4))
def test_every_window_is_there_once(lengths, lookback, horizon):
    found = cut(panel(lengths), lookback, horizon)
    assert len(found) == sum(max(0, n - lookback - horizon + 1) for segments in lengths for n in segments)
    assert len(set(found.starts.tolist())) == len(found)


@given(LENGTHS, st.integers(1, 6), st.integers(1, 4), st.integers(1, 10))
def test_no_training_target_reaches_past_the_first_validation_cutoff(lengths, lookback, horizon, at_least):
    train, valid = split(cut(panel(lengths), lookback, horizon), 0.2, at_least)
    for number in np.unique(train.series):
        first = valid.contexts()[valid.series == number][0, -1]  # the values of a panel grow with time
        assert train.targets()[train.series == number].max() <= first


def test_the_newest_fifth_validates():
    train, valid = split(cut([[np.arange(105.0)]], 4, 2), 0.2, 10)
    assert len(valid) == 20
    assert len(train) == 100 - 20 - 1


def test_a_constant_window_has_a_scale_to_divide_by():
    assert (scales(np.full((2, 5), 7.0), 1, np.zeros(2)) > 0).all()


def test_a_calm_window_is_scaled_by_the_floor():
    assert scales(np.full((1, 5), 7.0), 1, np.array([0.5])).tolist() == [0.5]


def test_the_scale_is_the_mean_move_over_a_season():
    assert scales(np.array([[1.0, 5.0, 2.0, 9.0]]), 2, np.zeros(1)).tolist() == [2.5]


def test_inputs_come_as_patches_in_order_of_time():
    X = inputs(np.arange(6.0)[None], 1, 2, np.zeros(1))
    assert X.shape == (3, 2, 1)
    assert (np.diff(X.ravel()) > 0).all()


def test_inputs_do_not_depend_on_level_and_unit():
    window = np.array([[1.0, 3.0, 2.0, 6.0]])
    moved = inputs(1000.0 + 50.0 * window, 1, 1, np.zeros(1))
    assert np.allclose(inputs(window, 1, 1, np.zeros(1)), moved, atol=1e-5)


def test_a_wild_value_is_clipped():
    window = np.zeros((1, 1000))
    window[0, 500] = 1e12
    assert np.abs(inputs(window, 1, 1, np.zeros(1))).max() == 10.0


def test_a_scale_is_never_below_rounding_noise():
    assert floored(np.zeros(1), np.full((1, 3), 1e6)).tolist() == [1.0]


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(BadInputError, match="NaN or infinity"):
        cut([[np.array([1.0, np.nan])]], 1, 1)
