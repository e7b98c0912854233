"""The losses."""

import numpy as np
import pytest

from models.errors import BadInputError
from models.losses import mse


def test_mse_is_the_mean_of_the_squares():
    assert mse(np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]]))[0] == 2.5


def test_mse_of_a_perfect_output_has_no_gradient():
    o = np.arange(6.0).reshape(2, 3)
    assert not mse(o, o)[1].any()


def test_targets_of_another_shape_are_refused():
    with pytest.raises(BadInputError, match=r"targets have shape \(3, 2\), expected the outputs' shape \(2, 3\)"):
        mse(np.zeros((2, 3)), np.zeros((3, 2)))
