"""What the network is called in every library here, so that all can be run and timed alike. Imports no library."""

from abc import ABC, abstractmethod
from typing import Any

RATE = 1e-3
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # Adam's, in all three
IN_A_ROW = 4  # steps that a network, or a chunk of networks, takes before the next one's turn


class Trainer(ABC):
    """A network in training: forward, mean squared error, backward, Adam; again and again on the same X and Y."""

    X: Any
    Y: Any

    @abstractmethod
    def update(self, X: Any, Y: Any) -> Any:
        """One step on a batch; returns the loss, perhaps before it is computed."""

    def run(self, times: int) -> None:
        """So many steps, to their end."""
        for _ in range(times):
            loss = self.update(self.X, self.Y)
        self.finish(loss)

    def finish(self, loss: Any) -> None:  # noqa: B027, most libraries have nothing to do here
        """Wait until this loss and all before it are computed, where a library does not do so at once."""

    def losses(self, times: int) -> list[float]:
        """The losses of the next steps."""
        return [float(self.update(self.X, self.Y)) for _ in range(times)]


class Turns:
    """Many networks in chunks: each chunk takes IN_A_ROW steps, then the next one; a run is all of them once."""

    def __init__(self, chunks: list[Trainer]) -> None:
        self.chunks = chunks

    def run(self, times: int) -> None:
        """All chunks, so many times."""
        for _ in range(times):
            for chunk in self.chunks:
                chunk.run(IN_A_ROW)
