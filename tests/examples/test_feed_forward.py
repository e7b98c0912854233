"""The feed-forward example: both networks are measured alike, and each wins where it should."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")

from examples import feed_forward
from models.parameters import Parameters
from models.rnn import Unrolled

RECURRENT, FLAT = feed_forward.rivals(32)


@cache
def small():
    return feed_forward.run(hidden=16, n_steps=300, seeds=2)


def test_both_networks_have_the_same_number_of_parameters_within_2_percent():
    assert abs(FLAT.n_parameters / RECURRENT.n_parameters - 1.0) < 0.02


def test_on_windows_of_one_length_the_feed_forward_network_is_better():
    recurrent, flat = small().fixed
    assert flat.mse.mean() < recurrent.mse.mean()


def test_on_short_sequences_the_recurrent_network_is_better():
    recurrent, flat = small().any_length
    assert recurrent.mse[:, 2:5].mean() < flat.mse[:, 2:5].mean()


def test_sequences_longer_than_any_in_training_do_not_hurt_the_recurrent_network():
    recurrent, _ = small().any_length
    assert recurrent.mse[:, -3:].mean() < 1.2 * recurrent.mse[:, 6].mean()


def test_the_feed_forward_network_is_tanh_of_one_matrix_product():
    parameters = Parameters.initial(FLAT.shape, np.random.default_rng(0), np.float64)
    parameters.V[:] = np.random.default_rng(1).normal(size=parameters.V.shape)
    x = np.random.default_rng(2).normal(size=(5, 48))
    plain = parameters.V @ np.tanh(parameters.U @ x.T + parameters.b[:, None]) + parameters.c[:, None]
    assert np.allclose(Unrolled(parameters, steps=1, batch=5).forward(FLAT.taken(x)), plain)


def test_the_feed_forward_networks_recurrent_weights_never_learn():
    network = Unrolled(Parameters.initial(FLAT.shape, np.random.default_rng(0)), steps=1, batch=5)
    network.backward(np.ones_like(network.forward(np.ones((1, 48, 5)))))
    assert not network.gradient.W.any()


def test_a_short_window_is_padded_where_nothing_was_seen():
    taken = FLAT.taken(np.array([[1.0, 2.0]]))
    assert taken[0, :, 0].tolist() == [0.0] * 46 + [1.0, 2.0]


def test_a_long_window_is_cut_to_its_newest_steps():
    taken = FLAT.taken(np.arange(60.0)[None])
    assert taken[0, :, 0].tolist() == list(range(12, 60))


def test_the_targets_follow_their_window():
    x, y = feed_forward.windows(np.arange(100.0), 48)
    assert y[3].tolist() == [x[3, -1] + step for step in range(1, 7)]


def test_the_picture_is_drawn(tmp_path):
    path = tmp_path / "picture.png"
    feed_forward.draw(small(), path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
