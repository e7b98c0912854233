"""Training: draw a batch, go forward, take the loss, go backward, clip, step; and again.

One loop for all arrangements: whatever has parameters, a gradient, `forward` and `backward` can be fitted.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from models import optim
from models.arrays import Array
from models.errors import BadInputError, DivergedError

Progress = Callable[[int, int], None]  # told after each step: steps done, of how many


class Vector(Protocol):
    """Numbers that are trained: a flat vector (n,), or (S, n) for a fleet."""

    @property
    def flat(self) -> Array: ...


class Network(Protocol):
    """What can be fitted."""

    @property
    def parameters(self) -> Vector: ...

    @property
    def gradient(self) -> Vector: ...

    def forward(self, *inputs: Any) -> Array: ...

    def backward(self, d_o: Array, /) -> object: ...


class Batch(NamedTuple):
    """One batch: what `forward` takes, what should come out, and how much each of it counts."""

    inputs: tuple[Any, ...]
    targets: ArrayLike
    weights: ArrayLike | None = None


class Loss(Protocol):
    """A loss of `models.losses`."""

    def __call__(
        self, o: Array, targets: ArrayLike, weights: ArrayLike | None = None, /, *, fleet: bool = False
    ) -> tuple[Array, Array]: ...


def fit(
    network: Network,
    draw: Callable[[int], Batch],
    loss: Loss,
    *,
    n_steps: int,
    rate: float = 3e-3,
    decay: float = 1e-3,
    limit: float = 1.0,
    progress: Progress | None = None,
) -> Array:
    """Fit the network's parameters in place; the rate warms up to `rate`, then falls along a cosine.

    draw: the batch of a step; limit: of the gradient's norm. Returns the loss of each step, (n_steps,), or
    (n_steps, S) for a fleet, in which every network fares as it would alone. Raises DivergedError, and what `forward`
    and the loss raise.
    """
    if n_steps < 1 or not math.isfinite(rate):
        raise BadInputError(f"{n_steps} steps at a rate of {rate}: at least one step and a finite rate are needed")
    flat, gradient = network.parameters.flat, network.gradient.flat
    adam = optim.Adam(flat, decay=decay)
    fleet = flat.ndim == 2
    values = np.empty((n_steps, *flat.shape[:-1]), dtype=flat.dtype)
    for step in range(n_steps):
        batch = draw(step)
        values[step], d_o = loss(network.forward(*batch.inputs), batch.targets, batch.weights, fleet=fleet)
        if not np.isfinite(values[step]).all():
            raise _diverged("loss", values[step], step, n_steps)
        network.backward(d_o)
        norm = optim.clip(gradient, limit)
        if not np.isfinite(norm).all():
            raise _diverged("gradient's norm", norm, step, n_steps)
        adam.step(gradient, optim.warmup_cosine(step, n_steps, rate))
        if progress is not None:
            progress(step + 1, n_steps)
    if not np.isfinite(flat).all():
        raise DivergedError(
            f"the parameters hold NaN or infinity after step {n_steps - 1}; try a smaller learning rate"
        )
    return values


def _diverged(what: str, values: Array, step: int, n_steps: int) -> DivergedError:
    worst = int(np.argmin(np.isfinite(values)))
    which = f" in network {worst} of {len(values)}" if np.ndim(values) else ""
    return DivergedError(
        f"the {what} is {np.ravel(values)[worst]}{which} at step {step} of {n_steps}; look at the targets' scale, or"
        " try a smaller learning rate"
    )
