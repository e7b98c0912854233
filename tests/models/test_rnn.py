"""The network: its views, its gradients, its errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadInputError
from models.losses import mse
from models.rnn import Parameters, Shape, backward, forward

SIZES = st.integers(1, 5)


def numerical_gradient(parameters, X, y, step=1e-6):
    """Central differences of the MSE in each parameter."""
    gradient = np.zeros_like(parameters.flat)
    for i in range(len(gradient)):
        kept = parameters.flat[i]
        parameters.flat[i] = kept + step
        above, _ = mse(forward(parameters, X)[0], y)
        parameters.flat[i] = kept - step
        below, _ = mse(forward(parameters, X)[0], y)
        parameters.flat[i] = kept
        gradient[i] = (above - below) / (2 * step)
    return gradient


@given(T=SIZES, N=SIZES, M=SIZES, L=SIZES, B=SIZES, seed=st.integers(0, 10_000))
def test_the_gradient_agrees_with_central_differences(T, N, M, L, B, seed):
    rng = np.random.default_rng(seed)
    shape = Shape(M, N, L)
    parameters = Parameters(shape, rng.normal(size=shape.n_parameters) * 0.5)
    X, y = rng.normal(size=(T, M, B)), rng.normal(size=(L, B))
    o, Z = forward(parameters, X)
    _, d_o = mse(o, y)
    exact = backward(parameters, Z, d_o).flat
    numerical = numerical_gradient(parameters, X, y)
    assert np.linalg.norm(exact - numerical) <= 1e-7 * max(1.0, np.linalg.norm(exact))


def test_the_forward_pass_is_the_equations():
    rng = np.random.default_rng(0)
    p = Parameters(Shape(2, 3, 4), rng.normal(size=Shape(2, 3, 4).n_parameters))
    X = rng.normal(size=(5, 2, 1))
    h = np.zeros(3)
    for x in X[:, :, 0]:
        h = np.tanh(p.b + p.W @ h + p.U @ x)
    assert np.allclose(forward(p, X)[0][:, 0], p.c + p.V @ h, rtol=1e-12)


def test_the_named_parameters_are_views_of_the_flat_vector():
    parameters = Parameters.zeros(Shape(2, 3, 4))
    for view in (parameters.W, parameters.U, parameters.V, parameters.b, parameters.c):
        view[...] = 1.0
    assert parameters.flat.all()


def test_an_untrained_network_answers_zero():
    parameters = Parameters.initial(Shape(2, 8, 3), np.random.default_rng(0))
    assert not forward(parameters, np.ones((4, 2, 5), dtype=np.float32))[0].any()


def test_the_initial_recurrent_matrix_is_orthogonal_times_nine_tenths():
    W = Parameters.initial(Shape(2, 8, 3), np.random.default_rng(0), np.float64).W
    assert np.allclose(W @ W.T, 0.81 * np.eye(8))


def test_the_same_seed_gives_the_same_bits():
    first, second = (Parameters.initial(Shape(2, 8, 3), np.random.default_rng(7)).flat for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("bad", [np.zeros((4, 3, 5)), np.zeros((4, 2)), np.zeros((0, 2, 5))])
def test_inputs_of_another_shape_are_refused_with_both_shapes_named(bad):
    with pytest.raises(BadInputError, match=r"X has shape .*, expected \(T, 2, B\)"):
        forward(Parameters.zeros(Shape(2, 3, 1)), bad)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_inputs_that_are_not_finite_are_refused(value):
    with pytest.raises(BadInputError, match="NaN or infinity"):
        forward(Parameters.zeros(Shape(2, 3, 1)), np.full((4, 2, 5), value))


def test_a_flat_vector_of_another_length_is_refused():
    with pytest.raises(BadInputError, match=r"expected \(34,\)"):
        Parameters(Shape(2, 3, 4), np.zeros(5))
