"""Makes torch_reference.npz: outputs, losses and gradients of torch.nn.RNN in float64, for the network to agree with.

    python tests/models/reference/make.py     (with torch 2.13.0 and numpy installed; the tests need only the file)

Parameters and gradients are kept in this project's order, [W | b | U] then [V | c], row by row. torch has two biases a
layer; the second is held at zero, so that the first is b.
"""

from pathlib import Path

import numpy as np
import torch

CASES = {  # T, N, M, L, B
    "many_to_one": (5, 4, 3, 2, 3),
    "many_to_many": (4, 3, 2, 5, 2),
    "unequal_lengths": (6, 5, 2, 4, 3),
    "sequence_major": (3, 36, 2, 2, 4),
}


def main() -> None:
    torch.set_default_dtype(torch.float64)
    kept = {}
    for number, (name, (T, N, M, L, B)) in enumerate(CASES.items()):
        rng = np.random.default_rng(number)
        rnn, readout = torch.nn.RNN(M, N), torch.nn.Linear(N, L)
        for parameter in (*rnn.parameters(), *readout.parameters()):
            parameter.data = torch.tensor(rng.normal(size=parameter.shape) * 0.4)
        rnn.bias_hh_l0.data[:] = 0.0
        X, h0 = rng.normal(size=(T, M, B)), rng.normal(size=(N, B)) * 0.5
        lengths = np.array([6, 1, 4]) if name == "unequal_lengths" else np.full(B, T)
        inputs = torch.nn.utils.rnn.pack_padded_sequence(
            torch.tensor(X).permute(0, 2, 1), torch.tensor(lengths), enforce_sorted=False
        )
        start = torch.tensor(h0.T.copy()[None], requires_grad=True)
        packed, last = rnn(inputs, start)
        if name == "many_to_many":
            states = torch.nn.utils.rnn.pad_packed_sequence(packed)[0]
            o = readout(states)
            classes = rng.integers(L, size=(T, B))
            loss = torch.nn.functional.cross_entropy(o.reshape(T * B, L), torch.tensor(classes.reshape(-1)))
            kept[f"{name}/targets"], outputs = classes, o.detach().numpy().transpose(0, 2, 1)
        else:
            o = readout(last[0])
            y = rng.normal(size=(L, B))
            loss = torch.nn.functional.mse_loss(o, torch.tensor(y.T))
            kept[f"{name}/targets"], outputs = y, o.detach().numpy().T
        loss.backward()
        values = {"X": X, "h0": h0, "lengths": lengths, "outputs": outputs, "loss": loss.item()}
        values["flat"] = in_order(rnn, readout, lambda parameter: parameter.data)
        values["gradient"] = in_order(rnn, readout, lambda parameter: parameter.grad)
        values["d_h0"] = start.grad[0].numpy().T
        kept |= {f"{name}/{key}": value for key, value in values.items()}
    np.savez_compressed(Path(__file__).parent / "torch_reference.npz", **kept)


def in_order(rnn, readout, of) -> np.ndarray:
    """The parameters, or what is `of` them, as this project's flat vector."""
    recurrent = [of(rnn.weight_hh_l0), of(rnn.bias_ih_l0)[:, None], of(rnn.weight_ih_l0)]
    last = [of(readout.weight), of(readout.bias)[:, None]]
    return np.concatenate([torch.cat(parts, dim=1).numpy().ravel() for parts in (recurrent, last)])


if __name__ == "__main__":
    main()
