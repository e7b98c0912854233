"""What training makes small: each loss with its value and its gradient in the outputs.

Shape letters as in `models.rnn`: L outputs, B sequences. Outputs are (L, B) or (T, L, B); in a fleet an axis S comes
before the last two, `fleet=True` says so, and there is one value a network; targets, and weights of steps, may leave
the axis out and are then the same for all networks. A weight says how much a sequence, or a step of it, counts; a mask
is a weight of True or False. Where the weight is 0 the target may be anything, even NaN.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.arrays import Array, numbers
from models.errors import BadInputError, BadShapeError, NotFiniteError


def mse(o: Array, y: ArrayLike, weights: ArrayLike | None = None, *, fleet: bool = False) -> tuple[Array, Array]:
    """Mean squared error Σ w (o − y)² / Σ w, and its gradient 2 w (o − y) / Σ w.

    o, y: (…, L, B); weights: (…, B), the same for all outputs of a step, or of o's shape. Returns the value, () or
    (S,), and the gradient, of o's shape. Raises BadShapeError, NotFiniteError where a target is missing, or
    BadInputError where the weights cannot be used.
    """
    _refuse_empty(o, fleet)
    y = _fitting("targets", numbers("targets", y, o.dtype), o.shape, fleet)
    error = np.subtract(o, y)
    if weights is None:
        each = _by_network(error, fleet)
        size = each.shape[-1]
        value = np.vecdot(each, each) / size
        _refuse_missing(value, y, 1.0)
        return value, np.multiply(error, np.asarray(2.0 / size, dtype=o.dtype), error)
    w = numbers("weights", weights, o.dtype)
    w = np.broadcast_to(_usable(w if w.shape == o.shape else _per_step("weights", w, o, fleet)), o.shape)
    error[w == 0.0] = 0.0
    weighted = w * error
    total = _total(w, fleet)
    value = np.vecdot(_by_network(weighted, fleet), _by_network(error, fleet)) / total
    _refuse_missing(value, y, w)
    return value, weighted * (2.0 / _beside(total))


def softmax(o: Array) -> Array:
    """The probabilities of the classes, exp(o) / Σ exp(o) over the outputs. o: (…, L, B); returns the same shape."""
    exponentials: Array = np.exp(o - o.max(axis=-2, keepdims=True))
    exponentials /= exponentials.sum(axis=-2, keepdims=True)
    return exponentials


def cross_entropy(
    o: Array, classes: ArrayLike, weights: ArrayLike | None = None, *, fleet: bool = False
) -> tuple[Array, Array]:
    """Mean cross-entropy −Σ w log softmax(o)[class] / Σ w, and its gradient w (softmax(o) − 1[class]) / Σ w.

    Computed from o itself: log softmax(o) = o − max o − log Σ exp(o − max o) neither overflows nor takes the logarithm
    of 0 (Goodfellow, Bengio, Courville, Deep Learning, section 4.1). o: (…, L, B); classes: (…, B), integers from 0 to
    L−1; weights: (…, B). Returns the value in nats, () or (S,), and the gradient, of o's shape. Raises BadShapeError,
    or BadInputError where classes or weights cannot be used.
    """
    _refuse_empty(o, fleet)
    k = _per_step("classes", np.asarray(classes), o, fleet)
    if not np.issubdtype(k.dtype, np.integer):
        raise BadInputError(f"the classes have dtype {k.dtype}, expected integers from 0 to {o.shape[-2] - 1}")
    w = np.ones(k.shape, o.dtype)
    if weights is not None:
        w = _usable(_per_step("weights", numbers("weights", weights, o.dtype), o, fleet))
    k = np.where(w > 0.0, k, 0)
    if k.min() < 0 or k.max() >= o.shape[-2]:
        raise BadInputError(f"the classes run from {k.min()} to {k.max()}, expected 0 to {o.shape[-2] - 1}")
    shifted = o - o.max(axis=-2, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=-2, keepdims=True)
    log_probability = np.take_along_axis(shifted, k, axis=-2) - np.log(sums)
    total = _total(w, fleet)
    value = -np.vecdot(_by_network(w, fleet), _by_network(log_probability, fleet)) / total
    gradient = exponentials / sums
    np.put_along_axis(gradient, k, np.take_along_axis(gradient, k, axis=-2) - 1.0, axis=-2)
    return value, gradient * (w / _beside(total))


def _by_network(array: Array, fleet: bool) -> Array:
    """All values as one row, (n,), or as a row a network, (S, n)."""
    # Contiguous, because how numbers lie decides in which order they are added.
    return np.ascontiguousarray(np.moveaxis(array, -3, 0).reshape(array.shape[-3], -1) if fleet else array.reshape(-1))


def _beside(value: Array) -> Array:
    """A value a network, () or (S,), so that it lies beside outputs (…, S, L, B)."""
    return np.asarray(value)[..., None, None]


def _refuse_empty(o: Array, fleet: bool) -> None:
    """Raise where there is nothing to take a loss of."""
    if o.size == 0 or o.ndim < (3 if fleet else 2):
        expected = "(…, S, L, B)" if fleet else "(…, L, B)"
        raise BadShapeError(f"the outputs have shape {o.shape}, expected {expected} with at least one of each")


def _refuse_missing(value: Array, y: Array, w: Array | float) -> None:
    """Raise where a loss is not finite because a target that counts is not."""
    if not (math.isfinite(value) if np.ndim(value) == 0 else np.isfinite(value).all()):
        counted = np.broadcast_to(np.isfinite(y) | (np.asarray(w) == 0.0), np.broadcast_shapes(y.shape, np.shape(w)))
        if not counted.all():
            where = np.argwhere(~counted)[0].tolist()
            raise NotFiniteError(f"the targets hold NaN or infinity, first at {where}; give such steps the weight 0")


def _without_fleet(shape: tuple[int, ...], fleet: bool) -> tuple[int, ...]:
    """The shape of what the networks of a fleet share: without the axis S."""
    return shape[:-3] + shape[-2:] if fleet else shape


def _fitting(name: str, array: NDArray[Any], shape: tuple[int, ...], fleet: bool) -> NDArray[Any]:
    """The array so that it broadcasts to the outputs' shape, or the error that says what it should have been."""
    if array.shape == shape:
        return array
    if array.shape == _without_fleet(shape, fleet):
        return np.expand_dims(array, -3)
    raise BadShapeError(f"the {name} have shape {array.shape}, expected the outputs' shape {shape}")


def _per_step(name: str, array: NDArray[Any], o: Array, fleet: bool) -> NDArray[Any]:
    """One value a step and sequence, (…, B), as (…, 1, B), for every network."""
    shape = (*o.shape[:-2], 1, o.shape[-1])
    one = array[..., None, :] if array.ndim else array
    if one.shape not in (shape, _without_fleet(shape, fleet)):
        expected = shape[:-2] + shape[-1:]
        raise BadShapeError(f"the {name} have shape {array.shape}, expected {expected} for outputs of {o.shape}")
    return np.broadcast_to(_fitting(name, one, shape, fleet), shape)


def _usable(w: Array) -> Array:
    """The weights, or the error that says why they cannot be used."""
    if not (w >= 0.0).all() or np.isinf(w).any():
        raise BadInputError("the weights hold negative or infinite values or NaN; 0 leaves a step out")
    return w


def _total(w: Array, fleet: bool) -> Array:
    """Σ w, () or (S,)."""
    total: Array = np.add.reduce(_by_network(w, fleet), -1)
    if not (np.isfinite(total) & (total >= np.finfo(total.dtype).tiny)).all():
        raise BadInputError(
            "the weights add up to 0, and there is nothing to learn from, or to more than numbers can hold"
        )
    return total
