"""The optimiser and its schedule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadShapeError
from models.optim import Adam, clip, warmup_cosine


def test_the_first_adam_step_moves_each_parameter_by_the_rate():
    flat = np.zeros(3)
    Adam(flat, decay=0.0).step(np.array([1e-3, -5.0, 100.0]), rate=0.1)
    assert np.allclose(flat, [-0.1, 0.1, -0.1], rtol=1e-4)


def test_adam_finds_the_minimum_of_a_bowl():
    flat = np.array([3.0, -2.0])
    adam = Adam(flat, decay=0.0)
    for step in range(500):
        adam.step(2 * flat, warmup_cosine(step, 500, 0.1))
    assert np.abs(flat).max() < 1e-3


def test_adam_is_the_published_algorithm():
    rng = np.random.default_rng(0)
    flat, m, s = rng.normal(size=20), np.zeros(20), np.zeros(20)
    adam = Adam(flat.copy(), decay=0.01)
    for t in range(1, 30):
        g = rng.normal(size=20)
        adam.step(g, rate=0.01)
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
        flat -= 0.01 * (m / (1 - 0.9**t) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8) + 0.01 * flat)
    assert np.allclose(adam.flat, flat, rtol=1e-12)


@given(seed=st.integers(0, 999), dtype=st.sampled_from([np.float32, np.float64]))
def test_a_fleet_is_optimised_bit_for_bit_as_its_members(seed, dtype):
    rng = np.random.default_rng(seed)
    start, gradients = rng.normal(size=(3, 40)).astype(dtype), rng.normal(size=(5, 3, 40)).astype(dtype)
    together = start.copy()
    adam = Adam(together)
    alone = [Adam(row.copy()) for row in start]
    for gradient in gradients:
        for member, row in zip(alone, gradient, strict=True):
            own = row.copy()
            clip(own, 6.0)
            member.step(own, 0.01)
        clip(gradient, 6.0)
        adam.step(gradient, 0.01)
    assert (together == np.stack([member.flat for member in alone])).all()


def test_decay_shrinks_parameters_without_a_gradient():
    flat = np.array([1.0])
    Adam(flat, decay=0.5).step(np.zeros(1), rate=0.1)
    assert flat[0] == pytest.approx(0.95)


def test_clipping_keeps_the_direction_and_limits_the_norm():
    gradient = np.array([3.0, 4.0])
    clip(gradient, 1.0)
    assert np.allclose(gradient, [0.6, 0.8])


def test_clipping_tells_the_norm_before():
    assert clip(np.array([3.0, 4.0]), 1.0) == 5.0


def test_clipping_leaves_a_small_gradient_alone():
    gradient = np.array([0.3, 0.4])
    clip(gradient, 1.0)
    assert np.array_equal(gradient, [0.3, 0.4])


def test_the_rate_rises_to_its_peak_and_falls_to_a_hundredth():
    rates = [warmup_cosine(step, 500, 1.0) for step in range(501)]
    assert max(rates) == rates[49] == 1.0
    assert rates[500] == pytest.approx(0.01)
    assert rates[49:] == sorted(rates[49:], reverse=True)


def test_a_short_training_still_reaches_the_peak():
    assert max(warmup_cosine(step, 4, 1.0) for step in range(4)) == 1.0


def test_clipping_one_network_of_a_fleet_leaves_one_without_a_gradient_alone():
    gradient = np.array([[0.0, 0.0], [3.0, 4.0]])
    clip(gradient, 1.0)
    assert np.allclose(gradient, [[0.0, 0.0], [0.6, 0.8]])


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(BadShapeError, match=r"gradient has shape \(3,\), expected \(2, 3\)"):
        Adam(np.zeros((2, 3))).step(np.zeros(3), rate=0.1)
