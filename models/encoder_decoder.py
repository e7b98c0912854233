"""Encoder and decoder: a sequence in, a sequence of another length out.

The encoder reads T steps and has no outputs; the decoder starts from the encoder's last state and gives an output a
step (Sutskever, Vinyals and Le, 2014; Cho et al., 2014). Both are vanilla networks with N hidden units, and their
parameters lie in one flat vector, so that they are trained as one.
"""

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from models.arrays import Array, numbers
from models.errors import BadInputError, BadShapeError
from models.parameters import Parameters, Shape
from models.rnn import Stream, Unrolled


class EncoderDecoderParameters:
    """A flat vector, (n,) or (S, n) for a fleet, and the `encoder` and the `decoder` whose parameters it holds."""

    def __init__(self, encoder: Shape, decoder: Shape, flat: Array) -> None:
        if encoder.hidden != decoder.hidden or encoder.outputs != 0:
            raise BadInputError(f"{encoder} and {decoder} do not fit: equal `hidden`, and no outputs of the encoder")
        n = encoder.n_parameters + decoder.n_parameters
        if flat.ndim not in (1, 2) or flat.shape[-1] != n:
            raise BadShapeError(f"the parameters have shape {flat.shape}, expected ({n},) or (S, {n})")
        self.flat = flat
        self.encoder = Parameters(encoder, flat[..., : encoder.n_parameters])
        self.decoder = Parameters(decoder, flat[..., encoder.n_parameters :])

    @classmethod
    def initial(
        cls,
        encoder: Shape,
        decoder: Shape,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
        *,
        radius: float = 1.0,
    ) -> "EncoderDecoderParameters":
        """Both networks as `Parameters.initial` makes them; the radius is 1, since the encoder's state must last."""
        parts = [Parameters.initial(shape, rng, dtype, radius=radius).flat for shape in (encoder, decoder)]
        return cls(encoder, decoder, np.concatenate(parts))


class EncoderDecoder:
    """The two networks laid out for batches of B sequences: `steps_in` steps to read, `steps_out` steps to write."""

    def __init__(self, parameters: EncoderDecoderParameters, *, steps_in: int, steps_out: int, batch: int) -> None:
        self.parameters = parameters
        self.gradient = EncoderDecoderParameters(
            parameters.encoder.shape, parameters.decoder.shape, np.zeros_like(parameters.flat)
        )
        self._encoder = Unrolled(
            parameters.encoder, steps=steps_in, batch=batch, masked=True, gradient=self.gradient.encoder
        )
        self._decoder = Unrolled(
            parameters.decoder, steps=steps_out, batch=batch, every_step=True, gradient=self.gradient.decoder
        )
        self._ran_forward = False
        self._nothing = np.zeros((*parameters.flat.shape[:-1], 0, batch), dtype=parameters.flat.dtype)

    def forward(self, X: ArrayLike, previous: ArrayLike, present: NDArray[np.bool_] | None = None) -> Array:
        """The outputs where the decoder is told the right previous output at each step (teacher forcing).

        X: (steps_in, M, B); previous: (steps_out, M of the decoder, B); present: (steps_in, B), which steps of X there
        are. Returns (steps_out, L, B), overwritten by the next call. Masks on the way out are the loss's weights.
        Raises what `Unrolled.forward` raises.
        """
        self._ran_forward = False
        self._encoder.forward(X, present=present)
        try:
            outputs = self._decoder.forward(previous, h0=self._encoder.h)
        except BadInputError as error:
            raise type(error)(f"previous, the decoder's X, is not usable: {error}") from error
        self._ran_forward = True
        return outputs

    def backward(self, d_o: ArrayLike) -> None:
        """Back-propagation through time, through both, into `gradient`. d_o: (steps_out, L, B)."""
        if not self._ran_forward:
            raise BadInputError("backward() uses up what forward() left: call forward() before each backward()")
        self._ran_forward = False
        self._encoder.backward(self._nothing, d_h=self._decoder.backward(d_o))

    def greedy(self, X: ArrayLike, first: ArrayLike, present: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
        """The classes that come out where the decoder is told its own most probable previous output.

        X, present: as in `forward`; first: (L, B), the previous output before the first, where M of the decoder is L.
        Returns (steps_out, B), in a fleet (steps_out, S, B). Raises what `forward` raises, and BadInputError where the
        decoder's outputs do not fit its inputs.
        """
        shape = self.parameters.decoder.shape
        if shape.outputs == 0 or shape.inputs != shape.outputs:
            raise BadInputError(f"the decoder is {shape}: to hear itself it needs as many inputs as outputs")
        x = numbers("first", first, self.parameters.flat.dtype)
        shared = (shape.outputs, self._decoder.batch)
        own = (*self.parameters.flat.shape[:-1], *shared)
        if x.shape not in (own, shared):
            raise BadShapeError(f"first has shape {x.shape}, expected {shared}")
        x = np.broadcast_to(x, own)
        self._ran_forward = False  # what a forward pass left for backward is overwritten
        self._encoder.forward(X, present=present)
        stream = Stream(self.parameters.decoder, batch=self._decoder.batch, h0=self._encoder.h)
        said = []
        for _ in range(self._decoder.steps):
            said.append(stream.step(x).argmax(axis=-2))
            x = (said[-1][..., None, :] == np.arange(shape.outputs)[:, None]).astype(x.dtype)
        return np.stack(said)
