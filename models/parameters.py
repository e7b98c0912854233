"""A network's numbers: one flat vector, of which W, b, U, V and c are views.

So an optimiser updates the vector and the network sees the change, and saving a network is saving a vector. A fleet is
S networks of one shape that are computed together: a vector (S, n), a row a network. Letters as in `models.rnn`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

from models.arrays import Array
from models.errors import BadInputError, BadShapeError

SPECTRAL_RADIUS = 0.9  # of the initial W: below 1, so that the first gradients neither explode nor vanish at once


@dataclass(frozen=True)
class Shape:
    """The sizes of a network: M inputs a step, N hidden units, L outputs (0 for an encoder, which has none)."""

    inputs: int
    hidden: int
    outputs: int

    def __post_init__(self) -> None:
        if self.inputs < 0 or self.hidden < 1 or self.outputs < 0:
            raise BadInputError(f"{self} is no network: it needs a hidden unit, and no size may be negative")

    @property
    def n_parameters(self) -> int:
        """The length of the flat parameter vector: N·(N+1+M) + L·(N+1)."""
        return self.hidden * (self.hidden + 1 + self.inputs) + self.outputs * (self.hidden + 1)


class Parameters:
    """A flat vector (n_parameters,), or (S, n_parameters) for a fleet, and its views under the equations' names."""

    def __init__(self, shape: Shape, flat: Array) -> None:
        if flat.ndim not in (1, 2) or flat.shape[-1] != shape.n_parameters:
            n = shape.n_parameters
            raise BadShapeError(f"the parameters have shape {flat.shape}, expected ({n},) or (S, {n}) for {shape}")
        if flat.dtype not in (np.float32, np.float64):
            raise BadInputError(f"the parameters have dtype {flat.dtype}, expected float32 or float64")
        n, m = shape.hidden, shape.inputs
        split = n * (n + 1 + m)
        self.shape = shape
        self.flat = flat
        self.fleet = flat.shape[:-1]  # () or (S,)
        self.recurrent = flat[..., :split].reshape(*self.fleet, n, n + 1 + m)  # [W | b | U]: (N, N+1+M)
        self.readout = flat[..., split:].reshape(*self.fleet, shape.outputs, n + 1)  # [V | c]: (L, N+1)
        self.W = self.recurrent[..., :n]  # (N, N)
        self.b = self.recurrent[..., n]  # (N,)
        self.U = self.recurrent[..., n + 1 :]  # (N, M)
        self.V = self.readout[..., :n]  # (L, N)
        self.c = self.readout[..., n]  # (L,)

    @classmethod
    def zeros(cls, shape: Shape, dtype: DTypeLike = np.float32) -> Self:
        """All parameters zero."""
        return cls(shape, np.zeros(shape.n_parameters, dtype=dtype))

    @classmethod
    def initial(
        cls,
        shape: Shape,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
        *,
        radius: float = SPECTRAL_RADIUS,
    ) -> Self:
        """W orthogonal times `radius`, U uniform in ±1/√M; b, V and c zero, so that an untrained network answers 0.

        An orthogonal W neither stretches nor shrinks a gradient by itself (Saxe, McClelland and Ganguli, 2014).
        """
        parameters = cls.zeros(shape, dtype)
        q, r = np.linalg.qr(rng.standard_normal((shape.hidden, shape.hidden)))
        parameters.W[:] = radius * q * np.sign(np.diag(r))
        parameters.U[:] = rng.uniform(-1.0, 1.0, (shape.hidden, shape.inputs)) / np.sqrt(max(1, shape.inputs))
        return parameters

    @classmethod
    def stack(cls, members: Sequence["Parameters"]) -> Self:
        """The members, all of one shape, as one fleet: a copy. Raises BadInputError where there are none, or others."""
        if len({member.shape for member in members}) != 1:
            raise BadInputError(f"a fleet of {len(members)} networks: at least one, and all of one shape, are needed")
        return cls(members[0].shape, np.stack([member.flat for member in members]))

    def members(self, first: int, last: int) -> "Parameters":
        """Networks `first` to `last` (exclusive) of a fleet, as a fleet of their own in the same memory."""
        return Parameters(self.shape, self.flat[first:last])
