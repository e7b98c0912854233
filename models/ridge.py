"""Ridge regression in closed form, with windows weighed by how predictable they are.

Shape letters: n windows, D inputs, H targets.
"""

import numpy as np

from models.arrays import Array

PENALTY = 1e-2  # of the mean of the diagonal that it is added to
REWEIGHTINGS = 2
SOFTNESS = 0.1  # of the mean residual: a window that is forecast perfectly must not count without limit


def fit(X: Array, Y: Array, weights: Array) -> tuple[Array, Array]:
    """Coefficients (D + 1, H), the intercept last and free; and how predictable each window is, (n,), 1 on average.

    Least squares is repeated with each window weighed by 1 / (its mean absolute residual), so that a few windows that
    nobody could foresee do not bend the rest (iteratively reweighted least squares: Holland and Welsch, 1977).
    X: (n, D); Y: (n, H); weights: (n,).
    """
    X1 = np.concatenate([X, np.ones((len(X), 1), X.dtype)], axis=1)
    current = weights
    for turn in range(REWEIGHTINGS + 1):
        weighted = X1 * (current / current.sum())[:, None]
        G = (X1.T @ weighted).astype(np.float64)
        G[np.diag_indices(len(G) - 1)] += PENALTY * np.trace(G) / len(G)
        coefficients = np.linalg.solve(G, (weighted.T @ Y).astype(np.float64)).astype(X.dtype)
        missed = np.abs(Y - X1 @ coefficients).mean(axis=1)
        ease = 1.0 / (missed + SOFTNESS * np.average(missed, weights=weights) + 1e-12)
        if turn < REWEIGHTINGS:
            current = (weights * ease).astype(X.dtype)
    return coefficients, (ease / np.average(ease, weights=weights)).astype(X.dtype)


def predict(X: Array, coefficients: Array) -> Array:
    """What the coefficients make of inputs (n, D): (n, H)."""
    return np.asarray(X @ coefficients[:-1] + coefficients[-1])
