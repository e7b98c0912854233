"""The same network in PyTorch, in the quickest ways it offers.

Time-major sequences, its quickest layout; one bias a layer is trained instead of its two, as the sum of two is one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.trainer import BETA1, BETA2, EPS, RATE, Trainer

if TYPE_CHECKING:
    from benchmarks.in_numpy import Task
    from models.parameters import Parameters

torch.set_num_threads(1)


class Torch(Trainer):
    """torch.nn.RNN, a Linear on its last state, and torch.optim.Adam. X: (T, B, M); Y: (B, L)."""

    def __init__(self, N: int, M: int, L: int, **adam: Any) -> None:
        """adam: further arguments of torch.optim.Adam."""
        self.rnn, self.readout = torch.nn.RNN(M, N), torch.nn.Linear(N, L)
        torch.nn.init.zeros_(self.rnn.bias_hh_l0).requires_grad_(False)
        trained = [p for p in (*self.rnn.parameters(), *self.readout.parameters()) if p.requires_grad]
        self.adam = torch.optim.Adam(trained, **{"lr": RATE, "betas": (BETA1, BETA2), "eps": EPS} | adam)

    @classmethod
    def on(cls, task: "Task", **adam: Any) -> "Torch":
        """A network that starts from the task's parameters."""
        network = cls(task.N, task.M, task.L, **adam)
        rnn = network.rnn
        copy(task.start, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.weight_ih_l0, network.readout)
        network.X, network.Y = torch.tensor(task.X.swapaxes(1, 2).copy()), torch.tensor(task.Y.T.copy())
        return network

    def update(self, X: Any, Y: Any) -> Any:
        self.adam.zero_grad()
        _, h = self.rnn(X)
        loss = torch.nn.functional.mse_loss(self.readout(h[0]), Y)
        loss.backward()
        self.adam.step()
        return loss.detach()


def copy(parameters: "Parameters", W: Any, b: Any, U: Any, readout: Any) -> None:
    """Write our parameters into PyTorch's."""
    p = parameters
    with torch.no_grad():
        for theirs, ours in ((W, p.W), (b, p.b), (U, p.U), (readout.weight, p.V), (readout.bias, p.c)):
            theirs.copy_(torch.tensor(ours.copy()))


def streams(task: "Task") -> dict[str, Callable[[], Any]]:
    """One observation of one sequence taken in, the state carried on, in four ways; to be called in inference mode."""
    cell, readout = torch.nn.RNNCell(task.M, task.N), torch.nn.Linear(task.N, task.L)
    copy(task.start, cell.weight_hh, cell.bias_ih, cell.weight_ih, readout)
    torch.nn.init.zeros_(cell.bias_hh)
    x, h_modules, h_functions = torch.tensor(task.X[0, :, :1].T.copy()), torch.zeros(1, task.N), torch.zeros(1, task.N)
    layer, h_layer, x_layer = torch.nn.RNN(task.M, task.N), torch.zeros(1, 1, task.N), x[None]
    copy(task.start, layer.weight_hh_l0, layer.bias_ih_l0, layer.weight_ih_l0, readout)
    torch.nn.init.zeros_(layer.bias_hh_l0)
    weights, V, c = (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh), readout.weight, readout.bias

    def whole_layer() -> Any:
        nonlocal h_layer
        states, h_layer = layer(x_layer, h_layer)
        return readout(states[0])

    def modules() -> Any:
        nonlocal h_modules
        h_modules = cell(x, h_modules)
        return readout(h_modules)

    def functions() -> Any:
        nonlocal h_functions
        h_functions = torch.rnn_tanh_cell(x, h_functions, *weights)
        return torch.nn.functional.linear(h_functions, V, c)

    recurrent, read = torch.tensor(task.start.recurrent.copy()), torch.tensor(task.start.readout.copy())
    z, a, o = torch.zeros(task.N + 1 + task.M), torch.zeros(task.N), torch.zeros(task.L)
    z[task.N] = 1.0
    z_h, z_x, z_read, vector = z[: task.N], z[task.N + 1 :], z[: task.N + 1], x[0]

    def in_place() -> Any:
        z_x.copy_(vector)
        torch.mv(recurrent, z, out=a)
        torch.tanh(a, out=z_h)
        return torch.mv(read, z_read, out=o)

    return {
        "nn.RNN and Linear": whole_layer,
        "RNNCell and Linear": modules,
        "the functions under them": functions,
        "our method, written with torch": in_place,
    }
