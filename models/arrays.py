"""Arrays and their products at the speed of the machine: the one place that knows how memory is laid out.

A network multiplies matrices of the same few shapes thousands of times. `product` looks once at three arrays and
returns the quickest way to write `out = left @ right`, as a call without arguments. What makes a difference:

- Both operands in one order. `zeros` makes (…, feature, sequence) arrays in either *order*: "C" keeps the sequences of
  one feature side by side (feature-major), "F" the features of one sequence (sequence-major). NumPy's arithmetic does
  not care, so whoever computes with such arrays need not know.
- `ndarray.dot` takes half of `matmul`'s time to get to the library, but knows only plain contiguous matrices.
- OpenBLAS multiplies up to 10⁶ elements (rows × columns × depth) as they lie, and copies larger operands first, which
  costs a third of its speed at these sizes. So larger products are cut into blocks below that.
- Arrays begin at a cache line: worth a fifth at 32 hidden units.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from models.errors import BadInputError

Array = NDArray[np.floating[Any]]
Order = Literal["C", "F"]
Call = Callable[[], object]

CACHE_LINE = 64  # bytes
UNCOPIED = 1_000_000  # elements of a product that OpenBLAS multiplies without copying its operands
NARROWEST = 16  # rows of a block: narrower ones lose more than they gain


def numbers(name: str, values: ArrayLike, dtype: DTypeLike) -> Array:
    """The values as an array of this dtype. Raises BadInputError, which names them, where they are no real numbers."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # lists of unequal lengths
        raise BadInputError(f"{name} cannot be made an array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise BadInputError(f"{name} has dtype {array.dtype}, expected real numbers")
    return array.astype(dtype, copy=False)


def zeros(shape: tuple[int, ...], dtype: DTypeLike, order: Order = "C") -> Array:
    """An array of zeros whose memory begins at a cache line and holds each matrix of its last two axes in `order`."""
    *rest, rows, columns = shape
    if order == "F":
        return zeros((*rest, columns, rows), dtype).swapaxes(-1, -2)
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + CACHE_LINE, dtype=np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype).reshape(shape)


class Tape:
    """Calls without arguments, written down once in the order of the arithmetic, and played for every batch."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def do(self, function: Callable[..., object], *arguments: object, **options: object) -> None:
        """Write down function(*arguments, **options)."""
        self._calls.append(partial(function, *arguments, **options))

    def product(self, left: Array, right: Array, out: Array) -> None:
        """Write down out = left @ right."""
        self._calls.append(product(left, right, out))

    def play(self) -> None:
        """Make the calls.

        "Invalid value encountered" is not heeded: a library's wide registers compute past the end of a small matrix,
        with whatever lies there, and throw it away. Whoever needs finite numbers looks at them.
        """
        with np.errstate(invalid="ignore"):
            for call in self._calls:
                call()


def product(left: Array, right: Array, out: Array) -> Call:
    """The call that writes left @ right into out. left: (…, n, k); right: (…, k, m); out: (…, n, m)."""
    if not _rows_lie_together(out):
        left, right, out = right.swapaxes(-1, -2), left.swapaxes(-1, -2), out.swapaxes(-1, -2)
    rows, depth, columns = *left.shape[-2:], right.shape[-1]
    if rows * depth * columns > UNCOPIED:
        block = UNCOPIED // (depth * columns)
        while block > NARROWEST and rows % block:
            block -= 1
        if block >= NARROWEST and rows % block == 0:
            return partial(np.matmul, _blocks(left, block), right[..., None, :, :], _blocks(out, block))
    elif out.ndim == 2 and all(matrix.flags.c_contiguous for matrix in (left, right, out)):
        return partial(left.dot, right, out)
    return partial(np.matmul, left, right, out)


def _rows_lie_together(matrix: Array) -> bool:
    return matrix.strides[-1] == matrix.itemsize


def _blocks(matrix: Array, rows: int) -> Array:
    """(…, n, m) as blocks of rows: (…, n / rows, rows, m), in the same memory."""
    return matrix.reshape(*matrix.shape[:-2], -1, rows, matrix.shape[-1])
