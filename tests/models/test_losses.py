"""The losses: values, gradients, weights, fleets, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadInputError, BadShapeError, NotFiniteError
from models.losses import cross_entropy, mse, softmax

SIZES, SEEDS = st.integers(1, 4), st.integers(0, 999)
OUTPUT_SHAPES = st.one_of(
    st.tuples(SIZES, SIZES), st.tuples(SIZES, SIZES, SIZES), st.tuples(SIZES, SIZES, SIZES, SIZES)
)


def targets_and_weights(shape, classes, seed):
    """Outputs, targets and weights of which some are 0."""
    rng = np.random.default_rng(seed)
    per_step = shape[:-2] + shape[-1:]
    y = rng.integers(shape[-2], size=per_step) if classes else rng.normal(size=shape)
    return rng.normal(size=shape), y, rng.random(per_step) * (rng.random(per_step) < 0.7) + 1e-3


@given(shape=OUTPUT_SHAPES, classes=st.booleans(), weighted=st.booleans(), fleet=st.booleans(), seed=SEEDS)
def test_the_gradient_agrees_with_central_differences(shape, classes, weighted, fleet, seed):
    fleet = fleet and len(shape) > 2
    o, y, weights = targets_and_weights(shape, classes, seed)
    loss = cross_entropy if classes else mse
    weights = weights if weighted else None
    exact = loss(o, y, weights, fleet=fleet)[1]
    for i in np.ndindex(shape):
        above, below = o.copy(), o.copy()
        above[i] += 1e-6
        below[i] -= 1e-6
        rise = np.sum(loss(above, y, weights, fleet=fleet)[0]) - np.sum(loss(below, y, weights, fleet=fleet)[0])
        assert abs(exact[i] - rise / 2e-6) <= 1e-7 * max(1.0, abs(exact[i]))


@given(shape=st.tuples(SIZES, SIZES, SIZES, SIZES), classes=st.booleans(), seed=SEEDS)
def test_a_fleets_values_and_gradients_are_its_members(shape, classes, seed):
    o, y, weights = targets_and_weights(shape, classes, seed)
    loss = cross_entropy if classes else mse
    values, gradient = loss(o, y, weights, fleet=True)
    for s in range(shape[1]):
        value, alone = loss(o[:, s], y[:, s], weights[:, s])
        assert value == values[s]
        assert (alone == gradient[:, s]).all()


@given(shape=st.tuples(SIZES, SIZES, SIZES, SIZES), classes=st.booleans(), weighted=st.booleans(), seed=SEEDS)
def test_a_fleet_may_share_its_targets_and_weights(shape, classes, weighted, seed):
    o, y, weights = targets_and_weights(shape, classes, seed)
    y, weights = y[:, 0], weights[:, 0] if weighted else None
    loss = cross_entropy if classes else mse
    values, gradient = loss(o, y, weights, fleet=True)
    for s in range(shape[1]):
        value, alone = loss(o[:, s], y, weights)
        assert value == values[s]
        assert (alone == gradient[:, s]).all()


@given(classes=st.booleans(), seed=SEEDS)
def test_a_sequence_of_weight_two_counts_as_two(classes, seed):
    o, y, _ = targets_and_weights((3, 2), classes, seed)
    loss = cross_entropy if classes else mse
    assert loss(o, y, [2.0, 1.0])[0] == pytest.approx(loss(o[:, [0, 0, 1]], y[..., [0, 0, 1]])[0])


def test_mse_is_the_mean_of_the_squares():
    assert mse(np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]]))[0] == 2.5


def test_mse_of_a_perfect_output_has_no_gradient():
    o = np.arange(6.0).reshape(2, 3)
    assert not mse(o, o)[1].any()


def test_mse_takes_a_weight_for_each_output():
    value, gradient = mse(np.array([[1.0, 2.0]]), np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]]))
    assert value == 1.0
    assert gradient.tolist() == [[2.0, 0.0]]


def test_a_target_of_no_weight_may_be_missing():
    value, gradient = mse(np.array([[1.0, 2.0]]), np.array([[0.0, np.nan]]), np.array([True, False]))
    assert value == 1.0
    assert gradient.tolist() == [[2.0, 0.0]]


def test_a_class_of_no_weight_may_be_anything():
    value, gradient = cross_entropy(np.zeros((2, 2)), np.array([0, -1]), np.array([True, False]))
    assert value == pytest.approx(np.log(2))
    assert not gradient[:, 1].any()


def test_cross_entropy_of_equal_outputs_is_the_logarithm_of_their_number():
    assert cross_entropy(np.zeros((9, 4)), np.arange(4))[0] == pytest.approx(np.log(9))


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_cross_entropy_of_extreme_outputs_stays_finite(scale):
    value, gradient = cross_entropy(np.array([[scale], [0.0]], dtype=np.float32), np.array([0]))
    assert value == pytest.approx(max(0.0, -scale))
    assert np.isfinite(gradient).all()


def test_softmax_adds_up_to_one():
    p = softmax(np.random.default_rng(0).normal(size=(3, 5, 4)) * 100)
    assert np.allclose(p.sum(axis=-2), 1.0)


def test_float32_outputs_have_a_float32_gradient():
    o = np.ones((2, 3), dtype=np.float32)
    assert mse(o, np.zeros((2, 3)), [1.0, 2.0, 3.0])[1].dtype == np.float32
    assert cross_entropy(o, np.zeros(3, dtype=int))[1].dtype == np.float32


def test_targets_of_another_shape_are_refused():
    with pytest.raises(BadShapeError, match=r"targets have shape \(3, 2\), expected the outputs' shape \(2, 3\)"):
        mse(np.zeros((2, 3)), np.zeros((3, 2)))


def test_classes_of_another_shape_are_refused():
    with pytest.raises(BadShapeError, match=r"classes have shape \(2, 3\), expected \(3,\)"):
        cross_entropy(np.zeros((2, 3)), np.zeros((2, 3), dtype=int))


def test_classes_that_are_no_integers_are_refused():
    with pytest.raises(BadInputError, match="expected integers from 0 to 1"):
        cross_entropy(np.zeros((2, 3)), np.zeros(3))


@pytest.mark.parametrize("bad", [-1, 2])
def test_classes_out_of_range_are_refused(bad):
    with pytest.raises(BadInputError, match="expected 0 to 1"):
        cross_entropy(np.zeros((2, 1)), np.array([bad]))


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_weights_that_mean_nothing_are_refused(bad):
    with pytest.raises(BadInputError, match="negative or infinite"):
        mse(np.zeros((1, 2)), np.zeros((1, 2)), [1.0, bad])


def test_weights_of_another_shape_are_refused():
    with pytest.raises(BadShapeError, match=r"weights have shape \(3,\), expected \(2,\)"):
        mse(np.zeros((1, 2)), np.zeros((1, 2)), np.ones(3))


def test_weights_that_are_all_zero_are_refused():
    with pytest.raises(BadInputError, match="nothing to learn from"):
        mse(np.zeros((1, 2)), np.zeros((1, 2)), np.zeros(2))


@pytest.mark.parametrize("fleet", [False, True])
def test_a_missing_target_that_counts_is_named(fleet):
    o = np.zeros((2, 1, 3))
    y = np.zeros((2, 1, 3))
    y[1, 0, 2] = np.nan
    with pytest.raises(NotFiniteError, match=r"targets hold NaN or infinity, first at \[1, 0, 2\]"):
        mse(o, y, fleet=fleet)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (3,)])
def test_outputs_that_are_none_are_refused(shape):
    for loss in (mse, cross_entropy):
        with pytest.raises(BadShapeError, match="the outputs have shape"):
            loss(np.zeros(shape), np.zeros(shape))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_that_add_up_to_infinity_are_refused():
    with pytest.raises(BadInputError, match="more than numbers can hold"):
        mse(np.zeros((1, 2), dtype=np.float32), np.zeros((1, 2)), [3e38, 3e38])
