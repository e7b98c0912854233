"""The same network in JAX: the whole training step compiled, the state kept on the device, its buffers given back."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from benchmarks.trainer import BETA1, BETA2, EPS, RATE, Trainer, Turns

if TYPE_CHECKING:
    from benchmarks.in_numpy import Task

Update = Callable[[Any, Any, Any], Any]  # state, X, Y → state, loss


class Jax(Trainer):
    """A network, or with `vmap` S of them. X: (T, M, B) or (S, T, M, B); Y: (L, B) or (S, L, B)."""

    def __init__(self, parameters: dict[str, Any], update: Update) -> None:
        """parameters: W, b, U, V and c, each with S in front for a fleet; update: `compiled` or `compiled_fleet`."""
        p = {name: jnp.array(values) for name, values in parameters.items()}
        means, squares = (jax.tree.map(jnp.zeros_like, p) for _ in range(2))
        self.state = p, means, squares, jnp.zeros(p["b"].shape[:-1])
        self.compiled = update

    @classmethod
    def on(cls, task: "Task", *, unroll: int) -> "Jax":
        """A network that starts from the task's parameters."""
        network = cls({name: getattr(task.start, name) for name in "WbUVc"}, compiled(unroll))
        network.X, network.Y = jnp.asarray(task.X), jnp.asarray(task.Y)
        return network

    def update(self, X: Any, Y: Any) -> Any:
        self.state, loss = self.compiled(self.state, X, Y)
        return loss

    def finish(self, loss: Any) -> None:
        loss.block_until_ready()


def compiled(unroll: int, rate: float = RATE) -> Update:
    """One network's training step. unroll: steps of the network that one turn of the compiled loop does."""
    step: Update = jax.jit(training_step(unroll, rate), donate_argnums=0)
    return step


def compiled_fleet(unroll: int) -> Update:
    """The training step of several networks at once."""
    step: Update = jax.jit(jax.vmap(training_step(unroll)), donate_argnums=0)
    return step


def training_step(unroll: int, rate: float = RATE) -> Update:
    """The function to be compiled."""

    def loss(p: Any, X: Any, Y: Any) -> Any:
        def one(h: Any, x: Any) -> Any:
            return jnp.tanh(p["W"] @ h + p["U"] @ x + p["b"][:, None]), None

        h, _ = jax.lax.scan(one, jnp.zeros((p["W"].shape[0], X.shape[-1])), X, unroll=unroll)
        return jnp.mean((p["V"] @ h + p["c"][:, None] - Y) ** 2)

    def step(state: Any, X: Any, Y: Any) -> Any:
        p, mean, square, t = state
        value, gradient = jax.value_and_grad(loss)(p, X, Y)
        t = t + 1
        mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, mean, gradient)
        square = jax.tree.map(lambda s, g: BETA2 * s + (1 - BETA2) * g * g, square, gradient)
        size, free = rate / (1 - BETA1**t), 1 / (1 - BETA2**t)
        p = jax.tree.map(lambda p, m, s: p - size * m / (jnp.sqrt(s * free) + EPS), p, mean, square)
        return (p, mean, square, t), value

    return step


def in_chunks(tasks: list["Task"], chunk: int, *, unroll: int) -> Turns:
    """A network for each task, trained `chunk` at a time."""
    update, chunks = compiled_fleet(unroll), list[Trainer]()
    for first in range(0, len(tasks), chunk):
        part = tasks[first : first + chunk]
        stacked = {name: jnp.stack([getattr(task.start, name) for task in part]) for name in "WbUVc"}
        network = Jax(stacked, update)
        network.X, network.Y = jnp.stack([task.X for task in part]), jnp.stack([task.Y for task in part])
        chunks.append(network)
    return Turns(chunks)
