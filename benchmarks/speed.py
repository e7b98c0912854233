"""The rows that compare with PyTorch and JAX in one process: training steps, a fleet of networks, a stream."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from benchmarks import in_jax, in_numpy, in_torch
from benchmarks.in_jax import Jax
from benchmarks.in_numpy import Ours, Task
from benchmarks.in_torch import Torch
from benchmarks.measure import Effort, Row, compare, fastest, repeated, take_turns
from benchmarks.trainer import IN_A_ROW, Turns
from models.rnn import Stream

SMALL = Task(T=48, N=32, M=1, B=128, L=24)
STEPS = {SMALL: 5.0, Task(24, 16, 1, 32, 1): 14.0, Task(48, 64, 4, 128, 24): 2.8, Task(48, 128, 4, 128, 48): 1.8}
NETWORKS = 100
CHUNKS = (1, 4, 8, 16, 32)
AGREE = 1e-4  # relative difference of two losses that is rounding, in float32
PLAIN = "scan with unroll=1"  # what lax.scan does unless told otherwise
MICROSECONDS, MILLISECONDS = 1e6, 1e3


def step_rows(effort: Effort) -> Iterator[Row]:
    """A training step against PyTorch's, with each of its Adams."""
    for task, asked in STEPS.items():
        note = f"losses of 10 steps from the same weights agree to {check(task):.0e}, also with JAX's"
        ours = Ours.on(task).run
        rounds = take_turns([ours, Torch.on(task).run], effort)
        yield compare("step", f"PyTorch, {task}", rounds, MICROSECONDS, "µs", asked=asked, note=note)
        for way in ("fused", "foreach"):
            rounds = take_turns([ours, Torch.on(task, **{way: True}).run], effort)
            yield compare("step", f"PyTorch with {way} Adam, {task}", rounds, MICROSECONDS, "µs")


def check(task: Task, steps: int = 10) -> float:
    """The largest relative difference of the losses in the three libraries over some steps from the same weights."""
    networks = (Ours.on(task), Torch.on(task), Jax.on(task, unroll=1))
    ours, *theirs = (np.array(network.losses(steps)) for network in networks)
    difference = max(float(np.max(np.abs(losses / ours - 1.0))) for losses in theirs)
    if difference > AGREE:
        raise AssertionError(f"the losses differ by {difference} at {task}: the libraries compute different things")
    return difference


def jax_rows(effort: Effort) -> Iterator[Row]:
    """A training step against JAX's: in a loop that the compiler keeps, and in one that it writes out."""
    ours = Ours.on(SMALL).run
    ways = {f"scan with unroll={unroll}": Jax.on(SMALL, unroll=unroll).run for unroll in (1, 4, SMALL.T)}
    best = fastest(ways, effort)
    for way, theirs in ways.items():
        rounds = take_turns([ours, theirs], effort)
        asked, note = (2.2, "compile time left out") if way == PLAIN else (None, "")
        note = f"JAX's quickest of {len(ways)} ways" if way == best else note
        yield compare("jax", f"JAX, {way}, {SMALL}", rounds, MICROSECONDS, "µs", asked=asked, note=note)


def fleet_rows(effort: Effort) -> Iterator[Row]:
    """A hundred networks: against PyTorch one after another, and against JAX chunked alike, and as suits it best."""
    tasks = [Task(T=48, N=32, M=1, B=32, L=24, seed=seed) for seed in range(NETWORKS)]
    scale, what = MILLISECONDS / IN_A_ROW, f"{NETWORKS} networks, {tasks[0]}"
    ours = {f"{chunk} at a time": in_numpy.in_chunks(tasks, chunk).run for chunk in CHUNKS}
    best = fastest(ours, effort)
    rounds = take_turns([ours[best], Turns([Torch.on(task) for task in tasks]).run], effort)
    note = f"ours {best}, its quickest of {CHUNKS}"
    yield compare("fleet", f"PyTorch one by one, {what}", rounds, scale, "ms", asked=10.0, note=note)
    theirs = {
        f"{chunk} at a time, unroll={unroll}": in_jax.in_chunks(tasks, chunk, unroll=unroll).run
        for chunk in CHUNKS
        for unroll in (1, SMALL.T)
    }
    rounds = take_turns([ours[best], theirs[f"{best}, unroll=1"]], effort)
    note = f"both {best}; compile time left out"
    yield compare("fleet", f"JAX vmap, {what}", rounds, scale, "ms", asked=2.0, note=note)
    way = fastest(theirs, effort)
    rounds = take_turns([ours[best], theirs[way]], effort)
    yield compare("fleet", f"JAX vmap {way}, {what}", rounds, scale, "ms", note=f"JAX's quickest of {len(theirs)} ways")
    for other in ours:
        if other != best:
            rounds = take_turns([ours[best], ours[other]], effort)
            yield compare("fleet", f"ours {other}, {what}", rounds, scale, "ms")


def stream_rows(effort: Effort) -> Iterator[Row]:
    """One observation taken in, in one stream."""
    task = Task(T=1, N=32, M=1, B=1, L=24)
    ours, x = Stream(task.start), task.X[0]
    with torch.inference_mode():
        theirs = in_torch.streams(task)
        for _ in range(3):
            outputs = [ours.step(x).ravel(), *(stream().numpy().ravel() for stream in theirs.values())]
            if not np.allclose(outputs, outputs[0], atol=AGREE):
                raise AssertionError("the streams compute different things")
        for way, stream in theirs.items():
            rounds = take_turns([repeated(partial(ours.step, x)), repeated(stream)], effort)
            asked = 18.0 if way == "RNNCell and Linear" else None
            yield compare("stream", f"PyTorch, {way}, {task}", rounds, MICROSECONDS, "µs", asked=asked)
