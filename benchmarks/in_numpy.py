"""Rollcast's network, and the tasks on which it and its peers are measured.

Shape letters as in `models.rnn`: T steps, N hidden units, M inputs, L outputs, B sequences, S networks.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.trainer import BETA1, BETA2, EPS, RATE, Trainer, Turns
from models import losses, optim
from models.arrays import Array
from models.parameters import Parameters, Shape
from models.rnn import Unrolled


@dataclass(frozen=True)
class Task:
    """The sizes of a network, and numbers for it: random, as they do not matter to the time."""

    T: int
    N: int
    M: int
    B: int
    L: int
    seed: int = 0
    X: Array = field(init=False, compare=False)  # (T, M, B)
    Y: Array = field(init=False, compare=False)  # (L, B)
    start: Parameters = field(init=False, compare=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        parameters = Parameters.initial(Shape(self.M, self.N, self.L), rng)
        parameters.V[:] = rng.standard_normal(parameters.V.shape) / self.N  # where V is 0, no gradient flows back
        object.__setattr__(self, "X", rng.standard_normal((self.T, self.M, self.B), dtype=np.float32))
        object.__setattr__(self, "Y", rng.standard_normal((self.L, self.B), dtype=np.float32))
        object.__setattr__(self, "start", parameters)

    def __str__(self) -> str:
        return f"T={self.T} N={self.N} M={self.M} B={self.B} L={self.L}"


class Ours(Trainer):
    """One network, or a fleet of them."""

    def __init__(self, parameters: Parameters, X: Array, Y: Array) -> None:
        """X: (T, M, B), or (T, S, M, B) for a fleet; Y: (L, B), or (S, L, B). Trains the parameters in place."""
        self.X, self.Y, self.fleet = X, Y, bool(parameters.fleet)
        self.network = Unrolled(parameters, steps=len(X), batch=X.shape[-1])
        self.adam = optim.Adam(parameters.flat, beta1=BETA1, beta2=BETA2, eps=EPS, decay=0.0)

    @classmethod
    def on(cls, task: Task) -> "Ours":
        """A network that starts from the task's parameters, and leaves them as they are."""
        return cls(Parameters(task.start.shape, task.start.flat.copy()), task.X, task.Y)

    def update(self, X: Array, Y: Array) -> Any:
        loss, d_o = losses.mse(self.network.forward(X), Y, fleet=self.fleet)
        self.network.backward(d_o)
        self.adam.step(self.network.gradient.flat, RATE)
        return loss


def in_chunks(tasks: list[Task], chunk: int) -> Turns:
    """A network for each task, all in one fleet, trained `chunk` at a time."""
    fleet = Parameters.stack([task.start for task in tasks])
    chunks: list[Trainer] = []
    for first in range(0, len(tasks), chunk):
        part = tasks[first : first + chunk]
        X, Y = np.stack([task.X for task in part], axis=1), np.stack([task.Y for task in part])
        chunks.append(Ours(fleet.members(first, first + chunk), X, Y))
    return Turns(chunks)
