"""The optimiser: Adam on one flat vector, with decoupled weight decay, clipping and a schedule for the rate.

A fleet's vector has a row a network, (S, n), and each row fares as it would alone.
"""

import math

import numpy as np

from models.arrays import Array
from models.errors import BadShapeError


class Adam:
    """Adam (Kingma and Ba, 2015) with decoupled weight decay (Loshchilov and Hutter, 2019), in place."""

    def __init__(
        self, flat: Array, *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, decay: float = 1e-3
    ) -> None:
        self.flat = flat
        self.beta1, self.beta2, self.eps, self.decay = beta1, beta2, eps, decay
        self.t = 0
        # Running sums rather than means: m/(1 − β₁) and s/(1 − β₂), which saves two passes over the vector.
        self._mean, self._square, self._work = np.zeros_like(flat), np.zeros_like(flat), np.empty_like(flat)
        self._keep1, self._keep2 = (np.array(beta, dtype=flat.dtype) for beta in (beta1, beta2))
        self._shrink, self._eps, self._size = (np.empty((), dtype=flat.dtype) for _ in range(3))

    def step(self, gradient: Array, rate: float) -> None:
        """One update against `gradient`, of the vector's own shape, at learning rate `rate`.

        With m, s the running means of g and g², freed of their start at zero as m̂ = m/(1 − β₁ᵗ), ŝ = s/(1 − β₂ᵗ):
        flat ← (1 − rate · decay) flat − rate · m̂ / (√ŝ + eps). Raises BadShapeError.
        """
        if gradient.shape != self.flat.shape:
            raise BadShapeError(f"the gradient has shape {gradient.shape}, expected {self.flat.shape}")
        self.t += 1
        mean, square, work = self._mean, self._square, self._work
        root = math.sqrt((1.0 - self.beta2**self.t) / (1.0 - self.beta2))
        self._eps[...] = self.eps * root
        self._size[...] = rate * root * (1.0 - self.beta1) / (1.0 - self.beta1**self.t)
        self._shrink[...] = 1.0 - rate * self.decay
        np.multiply(mean, self._keep1, mean)
        np.add(mean, gradient, mean)
        np.multiply(square, self._keep2, square)
        np.multiply(gradient, gradient, work)
        np.add(square, work, square)
        np.sqrt(square, work)
        np.add(work, self._eps, work)
        np.divide(mean, work, work)
        np.multiply(work, self._size, work)
        np.multiply(self.flat, self._shrink, self.flat)
        np.subtract(self.flat, work, self.flat)


def clip(gradient: Array, limit: float) -> Array:
    """Scale the gradient in place so that its Euclidean norm is at most `limit` (Pascanu et al., 2013).

    gradient: (n,) or (S, n), each row by itself. Returns the norms before, () or (S,).
    """
    norm: Array = np.sqrt(np.vecdot(gradient, gradient))
    if np.any(norm > limit):
        np.multiply(gradient, (limit / np.maximum(norm, limit))[..., None], gradient)
    return norm


def warmup_cosine(step: int, n_steps: int, peak: float, *, warmup: int = 50, floor: float = 0.01) -> float:
    """The learning rate at `step` of `n_steps`: up in a straight line, then down along a cosine to floor × peak.

    Source: Goyal et al., Accurate, Large Minibatch SGD, 2017 (the way up); Loshchilov and Hutter, SGDR, 2017 (down).
    """
    warmup = min(warmup, n_steps // 4)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, n_steps - warmup)
    return peak * (floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress)))
