"""The optimiser: Adam on one flat vector, with decoupled weight decay, clipping and a schedule for the rate."""

import math

import numpy as np

from models.rnn import Array


class Adam:
    """Adam (Kingma and Ba, 2015) with decoupled weight decay (Loshchilov and Hutter, 2019), in place."""

    def __init__(
        self, flat: Array, *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, decay: float = 1e-3
    ) -> None:
        self.flat = flat
        self.beta1, self.beta2, self.eps, self.decay = beta1, beta2, eps, decay
        self.mean = np.zeros_like(flat)
        self.square = np.zeros_like(flat)
        self.t = 0

    def step(self, gradient: Array, rate: float) -> None:
        """One update against `gradient`, of the vector's own shape, at learning rate `rate`."""
        self.t += 1
        self.mean += (1.0 - self.beta1) * (gradient - self.mean)
        self.square += (1.0 - self.beta2) * (gradient * gradient - self.square)
        mean = self.mean / (1.0 - self.beta1**self.t)
        square = self.square / (1.0 - self.beta2**self.t)
        self.flat -= rate * (mean / (np.sqrt(square) + self.eps) + self.decay * self.flat)


def clip(gradient: Array, limit: float) -> None:
    """Scale the gradient in place so that its Euclidean norm is at most `limit` (Pascanu et al., 2013)."""
    norm = math.sqrt(float(gradient @ gradient))
    if norm > limit:
        gradient *= limit / norm


def warmup_cosine(step: int, n_steps: int, peak: float, *, warmup: int = 50, floor: float = 0.01) -> float:
    """The learning rate at `step` of `n_steps`: up in a straight line, then down along a cosine to floor × peak."""
    warmup = min(warmup, n_steps // 4)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, n_steps - warmup)
    return peak * (floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress)))
