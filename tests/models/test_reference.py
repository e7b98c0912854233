"""The network against torch.nn.RNN in float64: values made once by reference/make.py."""

from pathlib import Path

import numpy as np
import pytest

from models.losses import cross_entropy, mse
from models.parameters import Parameters, Shape
from models.rnn import Unrolled

REFERENCE = Path(__file__).parent / "reference" / "torch_reference.npz"
NAMES = ("many_to_one", "many_to_many", "unequal_lengths", "sequence_major")


@pytest.fixture(scope="module", params=NAMES)
def compared(request):
    """The reference values of a case, and the same computed here."""
    with np.load(REFERENCE) as archive:
        theirs = {key.split("/")[1]: archive[key] for key in archive.files if key.startswith(request.param + "/")}
    X, h0, lengths = theirs["X"], theirs["h0"], theirs["lengths"]
    T, M, B = X.shape
    shape = Shape(M, len(h0), theirs["outputs"].shape[-2])
    many = request.param == "many_to_many"
    network = Unrolled(Parameters(shape, theirs["flat"]), steps=T, batch=B, every_step=many, masked=True)
    outputs = network.forward(X, h0, np.arange(T)[:, None] < lengths).copy()
    loss, d_o = (cross_entropy if many else mse)(outputs, theirs["targets"])
    d_h0 = network.backward(d_o)
    return theirs, {"outputs": outputs, "loss": loss, "gradient": network.gradient.flat, "d_h0": d_h0}


@pytest.mark.parametrize("what", ["outputs", "loss", "gradient", "d_h0"])
def test_it_agrees_with_torch(compared, what):
    theirs, ours = compared
    assert np.allclose(ours[what], theirs[what], rtol=1e-12, atol=1e-14)
