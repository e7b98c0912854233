"""Arrays and their products: however memory is laid out, the numbers are the same."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import arrays
from models.arrays import Tape, numbers, product, zeros
from models.errors import BadInputError

SIZES = st.integers(1, 9)


@pytest.mark.parametrize("order", ["C", "F"])
@given(shape=st.lists(SIZES, min_size=2, max_size=4), dtype=st.sampled_from([np.float32, np.float64]))
def test_an_array_begins_at_a_cache_line_and_has_its_shape(shape, dtype, order):
    made = zeros(tuple(shape), dtype, order)
    assert made.shape == tuple(shape)
    assert made.dtype == dtype
    assert made.ctypes.data % 64 == 0


def test_the_order_says_which_of_the_last_two_axes_lies_together():
    assert zeros((5, 3, 4), np.float32, "C").strides[1:] == (16, 4)
    assert zeros((5, 3, 4), np.float32, "F").strides[1:] == (4, 12)


@given(
    sizes=st.tuples(SIZES, SIZES, SIZES),
    fleet=st.sampled_from([(), (3,), (2, 3)]),
    orders=st.tuples(*[st.sampled_from("CF")] * 3),
    largest=st.integers(1, 500),
    seed=st.integers(0, 999),
)
def test_a_product_is_the_product_in_every_layout(sizes, fleet, orders, largest, seed):
    n, k, m = sizes
    rng = np.random.default_rng(seed)
    left, right, out = (
        zeros((*fleet, *shape), np.float64, order)
        for shape, order in zip([(n, k), (k, m), (n, m)], orders, strict=True)
    )
    left[...], right[...], out[...] = rng.normal(size=left.shape), rng.normal(size=right.shape), np.nan
    with mock.patch.object(arrays, "UNCOPIED", largest), mock.patch.object(arrays, "NARROWEST", 1):
        product(left, right, out)()
    assert np.allclose(out, left @ right, rtol=1e-12)


def test_a_product_sees_its_operands_as_they_are_when_it_is_called():
    left, right, out = np.eye(2), np.ones((2, 2)), np.zeros((2, 2))
    call = product(left, right, out)
    right[...] = 7.0
    call()
    assert (out == 7.0).all()


def test_a_tape_does_not_heed_what_a_library_computes_past_the_end_of_a_matrix():
    nothing = np.zeros(2, dtype=np.float32)
    tape = Tape()
    tape.do(np.divide, nothing, nothing, nothing.copy())
    tape.play()  # warnings are errors here


def test_a_large_product_is_cut_into_blocks():
    left, right, out = (zeros(shape, np.float32) for shape in ((128, 133), (133, 128), (128, 128)))
    left[...], right[...] = 1.0, 2.0
    call = product(left, right, out)
    assert call.args[0].shape == (4, 32, 133)
    call()
    assert (out == 266.0).all()


@pytest.mark.parametrize("values", [["1.5"], [1j], [None], [[1.0], [1.0, 2.0]]])
def test_what_is_no_real_number_is_refused_by_its_name(values):
    with pytest.raises(BadInputError, match=r"^the thing "):
        numbers("the thing", values, np.float32)


@pytest.mark.parametrize("values", [[1, 2], [True, False], np.float16([1.5])])
def test_real_numbers_of_any_kind_become_those_asked_for(values):
    made = numbers("the thing", values, np.float32)
    assert made.dtype == np.float32
    assert made.tolist() == [float(value) for value in values]


def test_numbers_that_are_right_already_are_not_copied():
    values = np.ones(3)
    assert np.shares_memory(numbers("the thing", values, np.float64), values)
