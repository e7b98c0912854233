"""The vanilla recurrent network, many-to-one: a window goes in step by step, one vector comes out at its end.

    a_t = b + W h_{t-1} + U x_t        h_t = tanh(a_t)        o = c + V h_T

Shape letters: T steps, N hidden units, M inputs a step, L outputs, B windows in a batch.

Arrays are feature-major: a column is a window. Then one product gives the whole pre-activation, because the three
terms of a_t are one matrix times one stacked vector,

    a_t = [W | b | U] · (h_{t-1}; 1; x_t)        o = [V | c] · (h_T; 1)

and the stacked vectors of all steps, `Z` of shape (T+1, N+1+M, B), hold all that back-propagation needs. All
parameters live in one flat vector, of which W, b, U, V and c are views: an optimiser updates the vector, the network
sees the change.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from models.errors import BadInputError

Array = NDArray[np.floating[Any]]

SPECTRAL_RADIUS = 0.9  # of the initial W: below 1, so that the first gradients neither explode nor vanish at once


@dataclass(frozen=True)
class Shape:
    """The sizes of a network: M inputs a step, N hidden units, L outputs."""

    inputs: int
    hidden: int
    outputs: int

    @property
    def n_parameters(self) -> int:
        """The length of the flat parameter vector: N·(N+1+M) + L·(N+1)."""
        return self.hidden * (self.hidden + 1 + self.inputs) + self.outputs * (self.hidden + 1)


class Parameters:
    """A flat vector (n_parameters,) and its views under the names of the equations."""

    def __init__(self, shape: Shape, flat: Array) -> None:
        if flat.shape != (shape.n_parameters,):
            raise BadInputError(f"parameters have shape {flat.shape}, expected {(shape.n_parameters,)} for {shape}")
        n, m = shape.hidden, shape.inputs
        split = n * (n + 1 + m)
        self.shape = shape
        self.flat = flat
        self.recurrent = flat[:split].reshape(n, n + 1 + m)  # [W | b | U]: (N, N+1+M)
        self.readout = flat[split:].reshape(shape.outputs, n + 1)  # [V | c]: (L, N+1)
        self.W = self.recurrent[:, :n]  # (N, N)
        self.b = self.recurrent[:, n]  # (N,)
        self.U = self.recurrent[:, n + 1 :]  # (N, M)
        self.V = self.readout[:, :n]  # (L, N)
        self.c = self.readout[:, n]  # (L,)

    @classmethod
    def zeros(cls, shape: Shape, dtype: DTypeLike = np.float32) -> "Parameters":
        """All parameters zero: also the form of a gradient."""
        return cls(shape, np.zeros(shape.n_parameters, dtype=dtype))

    @classmethod
    def initial(cls, shape: Shape, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> "Parameters":
        """W orthogonal times 0.9, U uniform in ±1/√M; b, V and c zero, so that an untrained network answers 0."""
        parameters = cls.zeros(shape, dtype)
        q, r = np.linalg.qr(rng.standard_normal((shape.hidden, shape.hidden)))
        parameters.W[:] = SPECTRAL_RADIUS * q * np.sign(np.diag(r))
        parameters.U[:] = rng.uniform(-1.0, 1.0, (shape.hidden, shape.inputs)) / np.sqrt(shape.inputs)
        return parameters


def forward(parameters: Parameters, X: Array) -> tuple[Array, Array]:
    """Run B windows through the network.

    X: (T, M, B), the inputs. Returns the outputs o: (L, B), and Z: (T+1, N+1+M, B), the stacked vectors for `backward`.
    Raises BadInputError where X has another shape or holds NaN or infinity.
    """
    shape = parameters.shape
    if X.ndim != 3 or X.shape[1] != shape.inputs or X.shape[0] == 0:
        raise BadInputError(f"X has shape {X.shape}, expected (T, {shape.inputs}, B) with at least one step")
    if not np.isfinite(X).all():
        raise BadInputError("X holds NaN or infinity; fill or drop such values first")
    n, (T, _, B) = shape.hidden, X.shape
    Z = np.zeros((T + 1, n + 1 + shape.inputs, B), dtype=parameters.flat.dtype)
    Z[:, n] = 1.0
    Z[:T, n + 1 :] = X
    for t in range(T):
        np.tanh(parameters.recurrent @ Z[t], out=Z[t + 1, :n])
    return parameters.readout @ Z[T, : n + 1], Z


def backward(parameters: Parameters, Z: Array, d_o: Array) -> Parameters:
    """Back-propagation through time over the full sequence.

    Z: (T+1, N+1+M, B) from `forward`; d_o: (L, B), the loss's gradient in the outputs. Returns the gradient in the
    parameters. Derivation: with δ_t the gradient in a_t, δ_t = (1 − h_t²) ⊙ (∂loss/∂h_t) and ∂loss/∂h_{t-1} = Wᵀ δ_t
    (Goodfellow, Bengio, Courville, Deep Learning, section 10.2.2).
    """
    n, T = parameters.shape.hidden, len(Z) - 1
    gradient = Parameters.zeros(parameters.shape, parameters.flat.dtype)
    gradient.readout[:] = d_o @ Z[T, : n + 1].T
    d_h = parameters.V.T @ d_o
    for t in reversed(range(T)):
        h = Z[t + 1, :n]
        delta = (1.0 - h * h) * d_h
        gradient.recurrent += delta @ Z[t].T
        d_h = parameters.W.T @ delta
    return gradient
