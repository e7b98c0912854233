"""Encoder and decoder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.encoder_decoder import EncoderDecoder, EncoderDecoderParameters
from models.errors import BadInputError, BadShapeError
from models.losses import cross_entropy
from models.parameters import Shape
from models.training import Batch, fit
from tests.models.test_rnn import central_differences, relative_error

SIZES = st.integers(1, 4)


def one_hot(classes, n):
    """(T, B) integers as (T, n, B)."""
    return (classes[:, None, :] == np.arange(n)[:, None]).astype(float)


@given(
    steps=st.tuples(SIZES, SIZES),
    sizes=st.tuples(SIZES, SIZES, SIZES, SIZES),
    S=st.sampled_from([None, 2]),
    seed=st.integers(0, 999),
)
def test_every_gradient_agrees_with_central_differences(steps, sizes, S, seed):
    (T_in, T_out), (N, M, L, B) = steps, sizes
    fleet = () if S is None else (S,)
    rng = np.random.default_rng(seed)
    encoder, decoder = Shape(M, N, 0), Shape(L, N, L)
    n = encoder.n_parameters + decoder.n_parameters
    parameters = EncoderDecoderParameters(encoder, decoder, rng.normal(size=(*fleet, n)) * 0.5)
    network = EncoderDecoder(parameters, steps_in=T_in, steps_out=T_out, batch=B)
    X, previous = rng.normal(size=(T_in, M, B)), rng.normal(size=(T_out, L, B))
    present = rng.random((T_in, B)) < 0.6
    present[-1] = True
    classes = np.broadcast_to(rng.integers(L, size=(T_out, 1, B)), (T_out, S or 1, B)).reshape(T_out, *fleet, B)

    def loss():
        return cross_entropy(network.forward(X, previous, present), classes, fleet=S is not None)

    network.backward(loss()[1])
    numerical = central_differences(lambda: np.sum(loss()[0]), parameters.flat)
    assert relative_error(network.gradient.flat, numerical) <= 1e-7


@pytest.fixture(scope="module")
def reverser():
    """A network taught to say the last two symbols of four, the last one first."""
    rng = np.random.default_rng(0)
    parameters = EncoderDecoderParameters.initial(Shape(3, 32, 0), Shape(3, 32, 3), rng)
    network = EncoderDecoder(parameters, steps_in=4, steps_out=2, batch=64)

    def draw(_step):
        said = rng.integers(3, size=(4, 64))
        answer = said[[3, 2]]
        return Batch((one_hot(said, 3), one_hot(np.stack([np.full(64, -1), answer[0]]), 3)), answer)

    fit(network, draw, cross_entropy, n_steps=400)
    return network


def test_it_learns_to_answer_with_a_sequence_of_another_length(reverser):
    said = np.random.default_rng(1).integers(3, size=(4, 64))
    answers = reverser.greedy(one_hot(said, 3), np.zeros((3, 64)))
    assert (answers == said[[3, 2]]).all()


def test_greedy_answers_are_the_most_probable_ones_given_its_own(reverser):
    said = np.random.default_rng(2).integers(3, size=(4, 64))
    answers = reverser.greedy(one_hot(said, 3), np.zeros((3, 64)))
    told = one_hot(np.concatenate([np.full((1, 64), -1), answers[:-1]]), 3)
    assert (reverser.forward(one_hot(said, 3), told).argmax(axis=-2) == answers).all()


@pytest.mark.parametrize(("encoder", "decoder"), [(Shape(1, 2, 0), Shape(1, 3, 1)), (Shape(1, 2, 1), Shape(1, 2, 1))])
def test_networks_that_do_not_fit_are_refused(encoder, decoder):
    with pytest.raises(BadInputError, match="do not fit"):
        EncoderDecoderParameters.initial(encoder, decoder, np.random.default_rng(0))


def test_a_flat_vector_of_another_length_is_refused():
    with pytest.raises(BadShapeError, match=r"have shape \(3,\), expected \(24,\)"):
        EncoderDecoderParameters(Shape(1, 2, 0), Shape(2, 2, 2), np.zeros(3))


def small(S=None):
    fleet = () if S is None else (S,)
    parameters = EncoderDecoderParameters.initial(Shape(2, 3, 0), Shape(2, 3, 2), np.random.default_rng(0))
    flat = parameters.flat + np.random.default_rng(1).normal(size=(*fleet, len(parameters.flat))).astype(np.float32)
    return EncoderDecoder(
        EncoderDecoderParameters(Shape(2, 3, 0), Shape(2, 3, 2), flat), steps_in=4, steps_out=3, batch=2
    )


def test_a_fleet_answers_each_network_for_itself():
    fleet = small(S=2)
    X = np.random.default_rng(2).normal(size=(4, 2, 2))
    answers = fleet.greedy(X, np.zeros((2, 2)))
    for s in range(2):
        parameters = EncoderDecoderParameters(Shape(2, 3, 0), Shape(2, 3, 2), fleet.parameters.flat[s])
        alone = EncoderDecoder(parameters, steps_in=4, steps_out=3, batch=2)
        assert (alone.greedy(X, np.zeros((2, 2))) == answers[:, s]).all()


def test_answers_in_between_use_up_what_a_forward_pass_left():
    network = small()
    outputs = network.forward(np.ones((4, 2, 2)), np.zeros((3, 2, 2)))
    network.greedy(np.zeros((4, 2, 2)), np.zeros((2, 2)))
    with pytest.raises(BadInputError, match=r"call forward\(\) before each backward\(\)"):
        network.backward(np.ones_like(outputs))


def test_a_decoder_that_cannot_hear_itself_is_refused():
    parameters = EncoderDecoderParameters.initial(Shape(2, 3, 0), Shape(4, 3, 2), np.random.default_rng(0))
    with pytest.raises(BadInputError, match="as many inputs as outputs"):
        EncoderDecoder(parameters, steps_in=4, steps_out=3, batch=2).greedy(np.ones((4, 2, 2)), np.zeros((4, 2)))


def test_previous_outputs_of_another_shape_are_refused_under_their_name():
    with pytest.raises(BadShapeError, match=r"previous, the decoder's X, .* expected \(3, 2, 2\)"):
        small().forward(np.ones((4, 2, 2)), np.zeros((2, 2, 2)))


def test_a_first_output_of_another_shape_is_refused_under_its_name():
    with pytest.raises(BadShapeError, match=r"first has shape \(3, 2\), expected \(2, 2\)"):
        small(S=2).greedy(np.ones((4, 2, 2)), np.zeros((3, 2)))
