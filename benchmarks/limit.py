"""How far a training step is from the least time that this machine could take for it.

The least time: the multiplications and additions that the step needs, at the best rate that any of its three products
reaches by itself with its operands in the cache; and the tanh of every state, at np.tanh's own speed. All else that a
step does counts as time lost.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.in_numpy import Ours, Task
from benchmarks.measure import Effort, Row, Run, compare, repeated, take_turns
from models.arrays import Array, Call, Order, product, zeros

ASKED = {Task(48, 32, 1, 128, 24): 1.7, Task(48, 64, 4, 128, 24): 1.5, Task(48, 128, 4, 128, 48): 1.5}
ORDERS: tuple[Order, ...] = ("C", "F")

Way = Callable[[Array, Array, Array], Call]  # of multiplying: left, right, out → the call that does it


def matmul(left: Array, right: Array, out: Array) -> Call:
    """NumPy's own product."""
    return partial(np.matmul, left, right, out)


def limit_rows(effort: Effort) -> Iterator[Row]:
    """A step's time over the limit: at np.matmul's best rate, and at that of the project's own way to multiply."""
    for task, asked in ASKED.items():
        step, flops = Ours.on(task).run, flops_of_a_step(task)
        for name, way, goal in (("np.matmul", matmul, asked), ("models.arrays.product", product, None)):
            best, size, multiply = quickest_product(task, way, effort)
            rounds = [
                (flops / size * multiplied + task.T * tanhed, taken)
                for taken, multiplied, tanhed in take_turns([step, multiply, tanh_of_one_time(task)], effort)
            ]
            row = compare("limit", f"the limit by {name}, {task}", rounds, 1e6, "µs", asked=goal, at_most=True)
            rate = flops / statistics.median(taken for _, taken in rounds) / 1e9
            note = f"the best product is {best}; the whole step does {rate:.0f} GF/s"
            # Here the ratio is ours over the limit.
            yield replace(row, ours=statistics.median(taken for _, taken in rounds) * 1e6, peer=row.ours, note=note)


def quickest_product(task: Task, way: Way, effort: Effort) -> tuple[str, float, Run]:
    """Of the step's three products, in either memory order, the one with the best rate: its name, flops and run."""
    N, K, B = task.N, task.N + 1 + task.M, task.B
    found: list[tuple[str, float, Run]] = []
    for order in ORDERS:
        weights, square, z, deltas = (filled(shape, order) for shape in ((N, K), (N, N), (K, B), (N, B)))
        for name, left, right in (("[W b U]·z", weights, z), ("Wᵀ·δ", square, deltas), ("δ·zᵀ", deltas, z.T)):
            out = filled((left.shape[0], right.shape[1]), order)
            flops = 2.0 * left.size * right.shape[1]
            found.append((f"{name} in order {order}", flops, repeated(way(left, right, out))))
        copied = way(deltas, filled((B, K), order), filled((N, K), order))  # as if zᵀ were laid out for this product
        found.append((f"δ·zᵀ in order {order}, zᵀ copied", 2.0 * N * B * K, repeated(copied)))
    medians = [statistics.median(side) for side in zip(*take_turns([run for *_, run in found], effort), strict=True)]
    rates = [flops / median for (_, flops, _), median in zip(found, medians, strict=True)]
    return found[int(np.argmax(rates))]


def filled(shape: tuple[int, int], order: Order) -> Array:
    """A matrix that begins at a cache line, of numbers that no product makes large."""
    matrix = zeros(shape, np.float32, order)
    matrix[...] = 0.5
    return matrix


def flops_of_a_step(task: Task) -> float:
    """The multiplications and additions of a step, apart from what is done element by element."""
    N, K = task.N, task.N + 1 + task.M
    forward = task.T * N * K * task.B
    back = (task.T - 1) * N * N * task.B  # nothing needs to flow back beyond the first step
    gradient = task.T * N * K * task.B
    readout = task.L * task.B * (2 * (N + 1) + N)
    return 2.0 * (forward + back + gradient + readout)


def tanh_of_one_time(task: Task) -> Run:
    """The tanh of the states of one time step, (N, B)."""
    a, h = (filled((task.N, task.B), "C") for _ in range(2))
    a[...] = np.random.default_rng(0).standard_normal(a.shape)
    return repeated(partial(np.tanh, a, h))
