"""Networks of every arrangement, for the laws that hold for all of them."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import strategies as st

from models import arrays, rnn
from models.losses import cross_entropy, mse
from models.parameters import Parameters, Shape

SIZES = st.integers(1, 5)


@dataclass(frozen=True)
class Case:
    """A network, a batch for it and a loss; in float64 unless told."""

    T: int
    N: int
    M: int
    L: int
    B: int
    S: int | None
    given: int
    every_step: bool
    feedback: bool
    masked: bool
    from_state: bool
    classes: bool
    weighted: bool
    sequence_major: bool
    in_blocks: bool
    chunk: int
    seed: int
    truncate: int | None = None

    @property
    def fleet(self) -> tuple[int, ...]:
        return () if self.S is None else (self.S,)

    def layout(self) -> ExitStack:
        """The memory layout, which large networks choose for themselves, forced upon a small one."""
        stack = ExitStack()
        edge = 0 if self.sequence_major else 10**6
        for module, name, value in (
            (rnn, "LONG_STATE", edge),
            (rnn, "LONG_COLUMN", edge),
            (rnn, "CHUNK_BYTES", self.chunk * 8 * self.N * self.B),
            (arrays, "UNCOPIED", 1 if self.in_blocks else 10**6),
            (arrays, "NARROWEST", 1),
        ):
            stack.enter_context(mock.patch.object(module, name, value))
        return stack

    def parameters(self, dtype: Any = np.float64) -> Parameters:
        shape = Shape(self.M, self.N, self.L)
        values = np.random.default_rng(self.seed).normal(size=(*self.fleet, shape.n_parameters)) * 0.5
        return Parameters(shape, values.astype(dtype))

    def unrolled(self, parameters: Parameters) -> rnn.Unrolled:
        return rnn.Unrolled(
            parameters,
            steps=self.T,
            batch=self.B,
            given=self.given,
            every_step=self.every_step,
            feedback=self.feedback,
            masked=self.masked,
            truncate=self.truncate,
        )

    def inputs(self) -> tuple[Any, Any, Any]:
        """X, h0 and which steps are present."""
        rng = np.random.default_rng(self.seed + 1)
        X = rng.normal(size=(self.given, *self.fleet, self.M, self.B))
        h0 = rng.normal(size=(*self.fleet, self.N, self.B)) * 0.5 if self.from_state else None
        present = None
        if self.masked:
            present = rng.random((self.T, self.B)) < 0.6
            present[rng.integers(self.T, size=self.B), np.arange(self.B)] = True
        return X, h0, present

    def loss(self, o: Any) -> tuple[Any, Any]:
        """The loss of the outputs and its gradient in them."""
        rng = np.random.default_rng(self.seed + 2)
        per_step = o.shape[:-2] + o.shape[-1:]
        weights = rng.random(per_step) * (rng.random(per_step) < 0.7) + 1e-3 if self.weighted else None
        if self.classes:
            return cross_entropy(o, rng.integers(self.L, size=per_step), weights, fleet=self.S is not None)
        return mse(o, rng.normal(size=o.shape), weights, fleet=self.S is not None)


@st.composite
def cases(draw: Any, *, truncated: bool = False) -> Case:
    T, N, M, L, B = (draw(SIZES) for _ in range(5))
    every_step = draw(st.booleans())
    return Case(
        T=T,
        N=N,
        M=M,
        L=L,
        B=B,
        S=draw(st.sampled_from([None, 1, 3])),
        given=draw(st.integers(0, T)),
        every_step=every_step,
        feedback=every_step and L <= M and draw(st.booleans()),
        masked=draw(st.booleans()),
        from_state=draw(st.booleans()),
        classes=draw(st.booleans()),
        weighted=draw(st.booleans()),
        sequence_major=draw(st.booleans()),
        in_blocks=draw(st.booleans()),
        chunk=draw(st.integers(1, 3)),
        seed=draw(st.integers(0, 10_000)),
        truncate=draw(st.integers(1, T + 2)) if truncated else None,
    )
