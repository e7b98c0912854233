"""What the examples share: reading a sample series, drawing batches, starting a fleet, and the command line."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.arrays import Array
from models.parameters import Parameters, Shape
from models.training import Batch

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "service" / "samples"
PICTURES = ROOT / "docs" / "pictures"

Times = NDArray[np.datetime64]

# The colours of all pictures: the truth, the network, and what it is measured against. Okabe and Ito's, which
# colour-blind readers tell apart.
TRUTH, NETWORK, RIVAL, OTHER, FAINT = "black", "#0072B2", "#E69F00", "#009E73", "#BBBBBB"


def read(file: str) -> tuple[Times, Array]:
    """The times, to the minute, and the values of a sample series."""
    table = np.loadtxt(SAMPLES / file, dtype=str, delimiter=",", skiprows=1, usecols=(1, 2))
    return table[:, 0].astype("datetime64[m]"), table[:, 1].astype(np.float64)


def fleet(shape: Shape, size: int, rng: np.random.Generator) -> Parameters:
    """Networks that differ in nothing but their initial weights, to be trained together."""
    return Parameters.stack([Parameters.initial(shape, rng) for _ in range(size)])


def batches(X: Array, Y: Array, size: int, rng: np.random.Generator) -> Callable[[int], Batch]:
    """Draws `size` sequences at random, the same for all networks of a fleet. X: (T, M, n); Y: (L, n) or (T, L, n)."""

    def draw(_: int) -> Batch:
        chosen = rng.integers(X.shape[-1], size=size)
        return Batch((X[..., chosen],), Y[..., chosen])

    return draw


def command_line(about: str | None, name: str) -> argparse.Namespace:
    """Where to draw the picture, and the seed. about: the program's docstring, whose first line is shown."""
    parser = argparse.ArgumentParser(prog=f"python -m examples.{name}", description=(about or "").split("\n")[0])
    parser.add_argument("--picture", type=Path, default=PICTURES / f"{name}.png", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    return parser.parse_args()


def save(figure: Figure, path: Path) -> None:
    """The figure as a PNG file, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
