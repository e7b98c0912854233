"""The optimiser and its schedule."""

import numpy as np
import pytest

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


def test_decay_shrinks_parameters_without_a_gradient():
    flat = np.array([1.0])
    Adam(flat, decay=0.5).step(np.zeros(1), rate=0.1)
    assert flat[0] == pytest.approx(0.95)


def test_clipping_keeps_the_direction_and_limits_the_norm():
    gradient = np.array([3.0, 4.0])
    clip(gradient, 1.0)
    assert np.allclose(gradient, [0.6, 0.8])


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
