"""The network's numbers and their views."""

import numpy as np
import pytest

from models.errors import BadInputError, BadShapeError
from models.parameters import Parameters, Shape


def test_the_same_seed_gives_the_same_bits():
    first, second = (Parameters.initial(Shape(2, 8, 3), np.random.default_rng(7)).flat for _ in range(2))
    assert (first == second).all()


def test_the_named_parameters_are_views_of_the_flat_vector():
    parameters = Parameters.zeros(Shape(2, 3, 4))
    for view in (parameters.W, parameters.U, parameters.V, parameters.b, parameters.c):
        view[...] = 1.0
    assert parameters.flat.all()


def test_the_initial_recurrent_matrix_is_orthogonal_times_nine_tenths():
    W = Parameters.initial(Shape(2, 8, 3), np.random.default_rng(0), np.float64).W
    assert np.allclose(W @ W.T, 0.81 * np.eye(8))


def test_members_of_a_fleet_are_views_of_it():
    fleet = Parameters.stack([Parameters.initial(Shape(2, 3, 4), np.random.default_rng(seed)) for seed in range(5)])
    fleet.members(1, 3).flat[...] = 0.0
    assert not fleet.flat[1:3].any()
    assert fleet.flat[[0, 3, 4]].any(axis=1).all()


def test_a_flat_vector_of_another_length_is_refused():
    with pytest.raises(BadShapeError, match=r"expected \(34,\)"):
        Parameters(Shape(2, 3, 4), np.zeros(5))


@pytest.mark.parametrize("sizes", [(1, 0, 1), (-1, 2, 1), (1, 2, -1)])
def test_a_network_of_no_size_is_refused(sizes):
    with pytest.raises(BadInputError, match="is no network"):
        Shape(*sizes)


@pytest.mark.parametrize("dtype", [np.int64, np.float16, object])
def test_numbers_of_another_kind_are_refused(dtype):
    with pytest.raises(BadInputError, match="expected float32 or float64"):
        Parameters(Shape(2, 3, 4), np.zeros(34, dtype=dtype))


@pytest.mark.parametrize("members", [[], [Parameters.zeros(Shape(3, 2, 1)), Parameters.zeros(Shape(0, 2, 3))]])
def test_a_fleet_of_none_or_of_several_shapes_is_refused(members):
    with pytest.raises(BadInputError, match="at least one, and all of one shape"):
        Parameters.stack(members)
