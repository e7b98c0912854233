"""The network in all its arrangements: its views, its gradients, its streams, its errors."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import BadInputError, BadShapeError, EmptySequenceError, NotFiniteError
from models.losses import mse
from models.parameters import Parameters, Shape
from models.rnn import Stream, Unrolled, predict
from tests.models.arrangements import Case, cases


def many_to_one(M=2, N=3, L=4, dtype=np.float64, seed=0):
    shape = Shape(M, N, L)
    values = np.random.default_rng(seed).normal(size=shape.n_parameters) * 0.5
    return Parameters(shape, values.astype(dtype))


def central_differences(total, array, step=1e-6):
    """The gradient of total() in every element of the array."""
    gradient = np.zeros_like(array)
    for i in np.ndindex(array.shape):
        kept = array[i]
        array[i] = kept + step
        above = total()
        array[i] = kept - step
        below = total()
        array[i] = kept
        gradient[i] = (above - below) / (2 * step)
    return gradient


def relative_error(exact, numerical):
    return np.linalg.norm(exact - numerical) / max(1.0, np.linalg.norm(exact))


@settings(max_examples=300)
@given(cases())
def test_every_gradient_agrees_with_central_differences(case: Case):
    with case.layout():
        parameters = case.parameters()
        network = case.unrolled(parameters)
        X, h0, present = case.inputs()
        h0 = np.zeros((*case.fleet, case.N, case.B)) if h0 is None else h0

        def total():
            return np.sum(case.loss(network.forward(X, h0, present))[0])

        total()
        d_h0 = network.backward(case.loss(network.forward(X, h0, present))[1]).copy()
        assert relative_error(network.gradient.flat, central_differences(total, parameters.flat)) <= 1e-7
        assert relative_error(d_h0, central_differences(total, h0)) <= 1e-7


@given(cases())
def test_the_gradient_of_the_last_state_agrees_with_central_differences(case: Case):
    with case.layout():
        parameters = case.parameters()
        network = case.unrolled(parameters)
        X, h0, present = case.inputs()
        chosen = np.random.default_rng(case.seed + 3).normal(size=(*case.fleet, case.N, case.B))

        def total():
            network.forward(X, h0, present)
            return np.sum(network.h * chosen)

        total()
        network.backward(np.zeros(network.forward(X, h0, present).shape), d_h=chosen)
        assert relative_error(network.gradient.flat, central_differences(total, parameters.flat)) <= 1e-7


def by_the_equations(case: Case):
    """Outputs and last states, computed sequence by sequence as the equations stand."""
    parameters = case.parameters()
    X, h0, present = case.inputs()
    o = np.zeros((case.T, *case.fleet, case.L, case.B))
    h_T = np.zeros((*case.fleet, case.N, case.B))
    for *s, b in np.ndindex(*case.fleet, case.B):
        W, U, V, b_, c = (
            view[tuple(s)] for view in (parameters.W, parameters.U, parameters.V, parameters.b, parameters.c)
        )
        h = np.zeros(case.N) if h0 is None else h0[(*s, slice(None), b)]
        for t in range(case.T):
            x = X[(t, *s, slice(None), b)] if t < case.given else np.zeros(case.M)
            if case.feedback and t >= max(1, case.given):
                x[-case.L :] = o[(t - 1, *s, slice(None), b)]
            if present is None or present[t, b]:
                h = np.tanh(b_ + W @ h + U @ x)
            o[(t, *s, slice(None), b)] = c + V @ h
        h_T[(*s, slice(None), b)] = h
    return (o if case.every_step else o[-1]), h_T


@given(cases())
def test_the_forward_pass_is_the_equations(case: Case):
    with case.layout():
        network = case.unrolled(case.parameters())
        outputs, states = by_the_equations(case)
        assert np.allclose(network.forward(*case.inputs()), outputs, rtol=1e-10, atol=1e-12)
        assert np.allclose(network.h, states, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(case=cases(truncated=True))
def test_a_fleet_is_bit_for_bit_the_loop_over_its_members(case: Case, dtype):
    with case.layout():
        case = dataclasses.replace(case, S=3)
        parameters = case.parameters(dtype)
        together = case.unrolled(parameters)
        X, h0, present = case.inputs()
        o = together.forward(X, h0, present)
        _, d_o = case.loss(o)
        together.backward(d_o)
        for s in range(3):
            alone = dataclasses.replace(case, S=None).unrolled(Parameters(parameters.shape, parameters.flat[s].copy()))
            o_alone = alone.forward(X[:, s], None if h0 is None else h0[s], present)
            assert (o_alone == o[..., s, :, :]).all()
            alone.backward(d_o[..., s, :, :])
            assert (alone.gradient.flat == together.gradient.flat[s]).all()


@pytest.mark.parametrize("sizes", [(6, 32, 1, 32, 24), (5, 64, 4, 64, 7), (3, 128, 4, 128, 9), (4, 33, 13, 1, 3)])
def test_a_fleet_of_usual_size_is_bit_for_bit_the_loop_over_its_members(sizes):
    T, N, M, B, L = sizes
    rng = np.random.default_rng(0)
    fleet = Parameters.stack([Parameters.initial(Shape(M, N, L), rng) for _ in range(3)])
    fleet.flat += rng.normal(size=fleet.flat.shape).astype(np.float32) * 0.05
    X, y = rng.normal(size=(T, 3, M, B)).astype(np.float32), rng.normal(size=(3, L, B)).astype(np.float32)
    together = Unrolled(fleet, steps=T, batch=B)
    o = together.forward(X)
    together.backward(mse(o, y, fleet=True)[1])
    for s in range(3):
        alone = Unrolled(Parameters(fleet.shape, fleet.flat[s].copy()), steps=T, batch=B)
        o_alone = alone.forward(X[:, s])
        alone.backward(mse(o_alone, y[s])[1])
        assert (o_alone == o[s]).all()
        assert (alone.gradient.flat == together.gradient.flat[s]).all()


@given(cases())
def test_a_cut_longer_than_the_sequence_changes_nothing(case: Case):
    with case.layout():
        gradients = []
        for truncate in (None, case.T, case.T + 3):
            network = dataclasses.replace(case, truncate=truncate).unrolled(case.parameters())
            network.backward(case.loss(network.forward(*case.inputs()))[1])
            gradients.append(network.gradient.flat)
        assert (gradients[0] == gradients[1]).all()
        assert (gradients[0] == gradients[2]).all()


@given(cases(truncated=True))
def test_a_truncated_gradient_is_that_of_the_pieces_each_started_from_the_last_ones_state(case: Case):
    case = dataclasses.replace(case, given=case.T, feedback=False, masked=False)
    with case.layout():
        whole = case.unrolled(case.parameters())
        X, h0, _ = case.inputs()
        _, d_o = case.loss(whole.forward(X, h0))
        whole.backward(d_o)
        total = np.zeros_like(whole.gradient.flat)
        edges = [0, *range(case.T % case.truncate or case.truncate, case.T + 1, case.truncate)]
        for begin, end in pairwise(edges):
            piece = Unrolled(case.parameters(), steps=end - begin, batch=case.B, every_step=case.every_step)
            o = piece.forward(X[begin:end], h0)
            h0 = piece.h
            last = end == case.T
            piece.backward(d_o[begin:end] if case.every_step else d_o if last else np.zeros_like(o))
            total += piece.gradient.flat
        assert np.allclose(whole.gradient.flat, total, rtol=1e-10, atol=1e-12)


@given(cases(truncated=True))
def test_no_gradient_crosses_a_cut_however_outputs_are_fed_back(case: Case):
    case = dataclasses.replace(case, T=case.truncate + 2, given=1, every_step=True, feedback=True, M=case.L, S=None)
    with case.layout():
        network = case.unrolled(case.parameters())
        X, h0, present = case.inputs()
        d_o = np.zeros_like(network.forward(X, h0, present))
        d_o[-1] = 1.0
        assert not network.backward(d_o).any()


def test_what_one_piece_returns_can_be_given_to_the_piece_before():
    network = Unrolled(many_to_one(), steps=3, batch=5)
    X = np.random.default_rng(0).normal(size=(3, 2, 5))
    network.forward(X)
    returned = network.backward(np.ones((4, 5)))
    network.forward(X)
    expected = network.backward(np.ones((4, 5)), d_h=returned.copy()).copy()
    network.forward(X)
    again = network.backward(np.ones((4, 5)))
    network.forward(X)
    assert (network.backward(np.ones((4, 5)), d_h=again) == expected).all()


@given(cases())
def test_a_masked_step_leaves_no_trace(case: Case):
    case = dataclasses.replace(case, masked=True, given=case.T, feedback=False)
    with case.layout():
        network = case.unrolled(case.parameters())
        X, h0, present = case.inputs()
        network.forward(X, h0, present)
        kept = network.h
        X[np.broadcast_to(~present.reshape(case.T, *(1 for _ in case.fleet), 1, case.B), X.shape)] = 7.0
        network.forward(X, h0, present)
        assert (network.h == kept).all()


@given(case=cases(), cut=st.integers(1, 4))
def test_a_stream_goes_on_from_the_last_state(case: Case, cut):
    case = dataclasses.replace(case, T=cut + 2, given=cut + 2, feedback=False, masked=False, every_step=True)
    with case.layout():
        X, h0, _ = case.inputs()
        whole = case.unrolled(case.parameters()).forward(X, h0)
        first = dataclasses.replace(case, T=cut, given=cut).unrolled(case.parameters())
        first.forward(X[:cut], h0)
        second = dataclasses.replace(case, T=2, given=2).unrolled(case.parameters())
        assert np.allclose(second.forward(X[cut:], first.h), whole[cut:], rtol=1e-12, atol=1e-14)


@given(cases())
def test_a_stream_answers_as_the_unrolled_network_does_after_every_step(case: Case):
    case = dataclasses.replace(case, given=case.T, feedback=False, masked=False, every_step=True)
    with case.layout():
        X, h0, _ = case.inputs()
        network = case.unrolled(case.parameters())
        outputs = network.forward(X, h0)
        stream = Stream(case.parameters(), batch=case.B, h0=h0)
        for t in range(case.T):
            assert np.allclose(stream.step(X[t]), outputs[t], rtol=1e-12, atol=1e-14)
        assert np.allclose(stream.h, network.h, rtol=1e-12, atol=1e-14)


def test_predicting_in_pieces_is_predicting_at_once():
    parameters = many_to_one()
    X = np.random.default_rng(1).normal(size=(3, 2, 1200))
    whole = Unrolled(parameters, steps=3, batch=1200).forward(X)
    assert np.allclose(predict(parameters, X), whole, rtol=1e-12, atol=1e-14)


def test_an_untrained_network_answers_zero():
    parameters = Parameters.initial(Shape(2, 8, 3), np.random.default_rng(0))
    assert not predict(parameters, np.ones((4, 2, 5), dtype=np.float32)).any()


def test_the_network_sees_parameters_as_they_are_at_each_call():
    parameters = many_to_one()
    network = Unrolled(parameters, steps=3, batch=5)
    X = np.ones((3, 2, 5))
    before = network.forward(X).copy()
    parameters.flat *= 2.0
    assert not np.allclose(network.forward(X), before)


# Errors: each names the array, what came and what was expected.


@pytest.mark.parametrize("bad", [(4, 3, 5), (4, 2), (0, 2, 5), (3, 2, 5)])
def test_inputs_of_another_shape_are_refused_with_both_shapes_named(bad):
    with pytest.raises(BadShapeError, match=r"X has shape .*, expected \(4, 2, 5\)"):
        Unrolled(many_to_one(), steps=4, batch=5).forward(np.zeros(bad))


def test_a_fleet_says_that_inputs_may_be_shared():
    fleet = Parameters.stack([many_to_one(), many_to_one()])
    with pytest.raises(BadShapeError, match=r"expected \(4, 2, 2, 5\), or \(4, 2, 5\) for all networks"):
        Unrolled(fleet, steps=4, batch=5).forward(np.zeros((4, 3, 5)))


def test_a_fleet_takes_inputs_that_its_networks_share():
    fleet = Parameters.stack([many_to_one(seed=1), many_to_one(seed=2)])
    X = np.random.default_rng(0).normal(size=(4, 2, 5))
    o = Unrolled(fleet, steps=4, batch=5).forward(X)
    assert (o == Unrolled(fleet, steps=4, batch=5).forward(np.stack([X, X], axis=1))).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_not_finite_are_refused_with_their_place(value):
    X = np.zeros((4, 2, 5))
    X[2, 1, 3] = value
    with pytest.raises(NotFiniteError, match=r"X .* holds NaN or infinity, first at \[2, 1, 3\]"):
        Unrolled(many_to_one(), steps=4, batch=5).forward(X)


def test_large_inputs_are_no_infinite_ones():
    network = Unrolled(many_to_one(dtype=np.float32), steps=4, batch=5)
    assert np.isfinite(network.forward(np.full((4, 2, 5), 1e30))).all()


@pytest.mark.parametrize(("steps", "batch"), [(0, 5), (4, 0)])
def test_an_empty_sequence_is_refused(steps, batch):
    with pytest.raises(EmptySequenceError, match="at least one of each"):
        Unrolled(many_to_one(), steps=steps, batch=batch)


def test_a_sequence_that_the_mask_leaves_without_a_step_is_refused_with_its_number():
    present = np.ones((4, 5), dtype=bool)
    present[:, 3] = False
    with pytest.raises(EmptySequenceError, match="sequence 3 of 5"):
        Unrolled(many_to_one(), steps=4, batch=5, masked=True).forward(np.zeros((4, 2, 5)), present=present)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(BadShapeError, match=r"present has shape \(5, 4\), expected \(4, 5\)"):
        Unrolled(many_to_one(), steps=4, batch=5, masked=True).forward(
            np.zeros((4, 2, 5)), present=np.ones((5, 4), dtype=bool)
        )


def test_a_mask_of_numbers_is_refused():
    with pytest.raises(BadInputError, match="expected bool"):
        Unrolled(many_to_one(), steps=4, batch=5, masked=True).forward(np.zeros((4, 2, 5)), present=np.ones((4, 5)))


def test_a_mask_for_a_network_laid_out_without_one_is_refused():
    with pytest.raises(BadInputError, match="masked=True"):
        Unrolled(many_to_one(), steps=4, batch=5).forward(np.zeros((4, 2, 5)), present=np.ones((4, 5), dtype=bool))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"given": 5}, "between 0 and 4"),
        ({"feedback": True}, "every_step=True"),
        ({"feedback": True, "every_step": True}, "L is 4 and M is 2"),
        ({"truncate": 0}, "at least one step"),
    ],
)
def test_an_arrangement_that_cannot_be_is_refused(options, message):
    with pytest.raises(BadInputError, match=message):
        Unrolled(many_to_one(), steps=4, batch=5, **options)


def test_backward_without_a_forward_pass_of_its_own_is_refused():
    network = Unrolled(many_to_one(), steps=4, batch=5)
    _, d_o = mse(network.forward(np.zeros((4, 2, 5))), np.ones((4, 5)))
    network.backward(d_o)
    with pytest.raises(BadInputError, match=r"call forward\(\) before each backward\(\)"):
        network.backward(d_o)


def test_a_refused_batch_leaves_nothing_to_go_back_through():
    network = Unrolled(many_to_one(), steps=4, batch=5)
    _, d_o = mse(network.forward(np.zeros((4, 2, 5))), np.ones((4, 5)))
    with pytest.raises(BadShapeError):
        network.forward(np.ones((4, 2, 5)), h0=np.zeros(3))
    with pytest.raises(BadInputError, match=r"call forward\(\) before each backward\(\)"):
        network.backward(d_o)


def test_a_state_of_another_shape_is_refused():
    with pytest.raises(BadShapeError, match=r"h0 has shape \(3,\), expected \(3, 5\)"):
        Unrolled(many_to_one(), steps=4, batch=5).forward(np.zeros((4, 2, 5)), h0=np.zeros(3))


def test_a_refused_observation_leaves_the_streams_state_as_it_was():
    stream = Stream(many_to_one())
    stream.step(np.ones((2, 1)))
    before = stream.h
    with pytest.raises(NotFiniteError, match="x of shape"):
        stream.step(np.full((2, 1), np.nan))
    assert (stream.h == before).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # that numbers overflow is what this is about
def test_a_stream_whose_state_was_lost_says_so():
    parameters = Parameters(Shape(2, 3, 1), np.ones(22, dtype=np.float32))
    parameters.U[:] = [2.0, -2.0]
    stream = Stream(parameters)
    stream.step(np.full((2, 1), 3e38))
    with pytest.raises(NotFiniteError, match="begin a new stream"):
        stream.step(np.zeros((2, 1)))


def test_parameters_that_are_not_finite_are_told_when_predicting():
    parameters = many_to_one()
    parameters.V[0, 0] = np.nan
    with pytest.raises(NotFiniteError, match="the outputs hold NaN"):
        predict(parameters, np.ones((4, 2, 5)))


@pytest.mark.parametrize(
    ("X", "error"), [(np.zeros((4, 2, 0)), EmptySequenceError), (np.zeros(3), BadShapeError), (0.0, BadShapeError)]
)
def test_predicting_from_nothing_is_refused(X, error):
    with pytest.raises(error, match="X has shape"):
        predict(many_to_one(), X)


def test_a_refused_gradient_leaves_the_forward_pass_to_be_used():
    network = Unrolled(many_to_one(), steps=4, batch=5)
    network.forward(np.zeros((4, 2, 5)))
    with pytest.raises(BadShapeError, match="d_o has shape"):
        network.backward(np.zeros((5, 4)))
    network.backward(np.zeros((4, 5)))


def test_a_gradient_to_write_to_of_another_shape_is_refused():
    with pytest.raises(BadShapeError, match="the gradient has shape"):
        Unrolled(many_to_one(), steps=4, batch=5, gradient=many_to_one(M=3))


def test_a_stream_of_no_sequence_is_refused():
    with pytest.raises(EmptySequenceError, match="a stream of 0 sequences"):
        Stream(many_to_one(), batch=0)


def test_shared_inputs_are_refused_under_the_shape_they_have():
    X = np.zeros((4, 2, 5))
    X[1, 0, 2] = np.nan
    fleet = Parameters.stack([many_to_one(), many_to_one()])
    with pytest.raises(NotFiniteError, match=r"X of shape \(4, 2, 5\) .* first at \[1, 0, 2\]"):
        Unrolled(fleet, steps=4, batch=5).forward(X)


def test_an_observation_that_is_no_number_is_refused_by_its_name():
    with pytest.raises(BadInputError, match="x has dtype"):
        Stream(many_to_one()).step([["a"], ["b"]])
