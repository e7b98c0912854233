"""What training makes small: each loss with its value and its gradient in the outputs."""

from models.errors import BadInputError
from models.rnn import Array


def mse(o: Array, y: Array) -> tuple[float, Array]:
    """Mean squared error over all outputs and windows: mean((o − y)²), and its gradient 2 (o − y) / (L·B).

    o, y: (L, B). Raises BadInputError where the two shapes differ.
    """
    if o.shape != y.shape:
        raise BadInputError(f"targets have shape {y.shape}, expected the outputs' shape {o.shape}")
    error = o - y
    return float((error * error).mean()), error * (2.0 / error.size)
