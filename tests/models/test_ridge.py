"""The ridge regression."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import ridge


def planted(seed=0, n=400, d=6, h=3, noise=0.1):
    rng = np.random.default_rng(seed)
    X, B, c = rng.normal(size=(n, d)), rng.normal(size=(d, h)), rng.normal(size=h)
    return X, X @ B + c + noise * rng.normal(size=(n, h)), np.vstack([B, c])


def normal_equations(X, Y, weights):
    X1 = np.hstack([X, np.ones((len(X), 1))])
    w = weights / weights.sum()
    G = X1.T @ (w[:, None] * X1)
    G[np.diag_indices(len(G) - 1)] += ridge.PENALTY * np.trace(G) / len(G)
    return np.linalg.solve(G, X1.T @ (w[:, None] * Y))


def test_without_reweighting_it_solves_the_normal_equations(monkeypatch):
    monkeypatch.setattr(ridge, "REWEIGHTINGS", 0)
    X, Y, _ = planted()
    weights = np.random.default_rng(1).uniform(0.5, 2.0, len(X))
    assert np.allclose(ridge.fit(X, Y, weights)[0], normal_equations(X, Y, weights), atol=1e-10)


def test_the_last_coefficients_solve_the_normal_equations_of_the_last_weights(monkeypatch):
    X, Y, _ = planted()
    weights = np.ones(len(X))
    monkeypatch.setattr(ridge, "REWEIGHTINGS", 1)
    _, ease = ridge.fit(X, Y, weights)
    monkeypatch.setattr(ridge, "REWEIGHTINGS", 2)
    assert np.allclose(ridge.fit(X, Y, weights)[0], normal_equations(X, Y, weights * ease), atol=1e-10)


def test_a_planted_map_is_found_and_predicted():
    X, Y, truth = planted(noise=0.0)
    coefficients, _ = ridge.fit(X, Y, np.ones(len(X)))
    assert np.abs(coefficients - truth).max() < 0.05
    assert np.abs(ridge.predict(X, coefficients) - Y).mean() < 0.05


def test_the_intercept_is_free_of_penalty():
    coefficients, _ = ridge.fit(np.zeros((50, 3)), np.full((50, 2), 9.0), np.ones(50))
    assert np.allclose(coefficients[-1], 9.0)
    assert (coefficients[:-1] == 0.0).all()


@pytest.mark.parametrize("seed", range(3))
def test_gross_outliers_bend_it_less_than_least_squares(seed):
    X, Y, truth = planted(seed)
    wrong = np.random.default_rng(seed).random(len(X)) < 0.05
    Y[wrong] += 30.0
    robust = np.abs(ridge.fit(X, Y, np.ones(len(X)))[0] - truth).mean()
    plain = np.abs(np.linalg.lstsq(np.hstack([X, np.ones((len(X), 1))]), Y, rcond=None)[0] - truth).mean()
    assert robust < plain / 3


def test_what_cannot_be_foreseen_counts_less():
    X, Y, _ = planted()
    Y[:20] += 30.0
    _, ease = ridge.fit(X, Y, np.ones(len(X)))
    assert ease[:20].max() < 0.1 * ease[20:].mean()


@settings(max_examples=20)
@given(st.integers(0, 100))
def test_ease_is_positive_and_one_on_the_weighed_average(seed):
    X, Y, _ = planted(seed, n=60)
    weights = np.random.default_rng(seed).uniform(0.1, 3.0, len(X))
    _, ease = ridge.fit(X, Y, weights)
    assert (ease > 0.0).all()
    assert np.average(ease, weights=weights) == pytest.approx(1.0)


def test_the_size_of_the_weights_does_not_matter():
    X, Y, _ = planted()
    first, second = (ridge.fit(X, Y, np.full(len(X), each))[0] for each in (1.0, 1e-6))
    assert np.allclose(first, second)


def test_a_window_weighed_twice_is_as_one_that_comes_twice():
    X, Y, _ = planted(n=50)
    weights = np.ones(50)
    weights[0] = 2.0
    twice = ridge.fit(np.vstack([X, X[:1]]), np.vstack([Y, Y[:1]]), np.ones(51))[0]
    assert np.allclose(ridge.fit(X, Y, weights)[0], twice, atol=1e-10)


def test_more_inputs_than_windows_are_no_obstacle():
    X, Y, _ = planted(n=5, d=20)
    assert np.isfinite(ridge.fit(X, Y, np.ones(5))[0]).all()


def test_targets_that_are_met_exactly_divide_by_no_zero():
    coefficients, ease = ridge.fit(np.zeros((10, 2)), np.zeros((10, 1)), np.ones(10))
    assert (coefficients == 0.0).all()
    assert (ease == 1.0).all()


def test_single_precision_stays_single():
    X, Y, _ = planted(n=50)
    coefficients, ease = ridge.fit(X.astype(np.float32), Y.astype(np.float32), np.ones(50, np.float32))
    assert coefficients.dtype == ease.dtype == np.float32
