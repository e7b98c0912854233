"""The denoising example: what it claims, and that no filter sees more than the others."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")
pytest.importorskip("scipy", reason="the Savitzky–Golay filter is scipy's")

from examples import denoising
from models.parameters import Parameters, Shape


@cache
def small():
    return denoising.run(hidden=(16,), n_steps=1000)


def gains():
    return {each.name: each.gain for each in small().filters}


def candidates(noisy):
    """Some estimates of every kind, (n,) each."""
    parameters = Parameters.initial(Shape(1, 4, 1), np.random.default_rng(0), np.float64)
    parameters.V[:] = 1.0
    yield denoising.live(parameters, noisy)
    for kind in (denoising.moving_averages, denoising.savitzky_golays):
        yield from (estimate for _, estimate in kind(noisy, 4))
    yield from (estimate for _, estimate in denoising.wieners(noisy, 4, np.sin(np.arange(400.0)), 0.5))


def test_the_network_gains_more_than_the_moving_average():
    assert gains()["network"] > gains()["moving average"] + 0.2


def test_the_network_gains_more_than_the_savitzky_golay_filter():
    assert gains()["network"] > gains()["Savitzky–Golay"] + 0.2


def test_the_noise_has_the_stated_ratio():
    noise = small().noisy - small().clean
    signal = denoising.read("nyc_taxi_30min.csv")[1][:6192]
    assert 20 * np.log10(signal.std() / noise.std()) == pytest.approx(5.0, abs=0.2)


def test_no_filter_sees_a_sample_later_than_now():
    noisy = np.random.default_rng(0).normal(size=200)
    altered = np.r_[noisy[:150], np.full(50, 9.0)]
    for one, other in zip(candidates(noisy), candidates(altered), strict=True):
        assert np.allclose(one[:150], other[:150], atol=1e-12)


def test_a_centred_mean_is_among_the_moving_averages():
    noisy = np.random.default_rng(0).normal(size=50)
    centred = np.convolve(noisy, np.full(9, 1 / 9), mode="valid")  # of 2·4 + 1 samples, at 4 after its middle
    assert any(np.allclose(estimate[8:], centred) for _, estimate in denoising.moving_averages(noisy, 4))


def test_a_savitzky_golay_filter_of_order_2_hands_on_a_parabola_with_the_delay():
    parabola = np.arange(100.0) ** 2
    estimate = dict(denoising.savitzky_golays(parabola, 4))["11 samples, order 2"]
    assert np.allclose(estimate[20:], parabola[16:-4])


def test_a_perfect_estimate_of_half_the_noise_gains_6_db():
    clean, noise = np.zeros(10), np.ones(10)
    assert denoising.gain(clean, clean + noise, clean + noise / 2) == pytest.approx(6.02, abs=0.01)


def test_the_picture_is_drawn(tmp_path):
    path = tmp_path / "folder" / "picture.png"
    denoising.draw(small(), path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
