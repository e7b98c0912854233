"""The vanilla recurrent network, in all its arrangements.

    a_t = b + W h_{t-1} + U x_t        h_t = tanh(a_t)        o_t = c + V h_t

Shape letters: T steps, N hidden units, M inputs a step, L outputs, B sequences in a batch, S networks in a fleet.

A column is a sequence. Then one product gives the whole pre-activation, because the three terms of a_t are one matrix
times one stacked vector,

    a_t = [W | b | U] · (h_{t-1}; 1; x_t)        o_t = [V | c] · (h_t; 1)

and the stacked vectors of all steps, `Z` of shape (T+1, N+1+M, B), hold all that back-propagation needs.

A network's numbers are in `models.parameters`. Here they are put to work: `Unrolled` is a network laid out over T
steps, to train it or to answer many sequences at once; `Stream` takes one observation at a time and remembers.

The parameters of a fleet of S networks make every array carry an axis S before its last two, and the results are those
of the S networks alone, bit for bit.
"""

import math
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.arrays import Array, Order, Tape, numbers, product, zeros
from models.errors import BadInputError, BadShapeError, EmptySequenceError, NotFiniteError
from models.parameters import Parameters

LONG_STATE = 32  # hidden units from which on sequence-major matrices can be faster than feature-major ones: they are,
LONG_COLUMN, SHORT_BATCH = 37, 64  # where N+1+M is at least, or B at most this
PIECE = 512  # sequences that `predict` takes in at once
CHUNK_BYTES = 2**18  # of slopes that backward computes at once: they should still be in the cache when used
PRODUCTS_PER_SLOPES = 16  # how much larger than that the chunk's products δ zᵀ may be


class Unrolled:
    """A network laid out over T steps for batches of B sequences: the forward pass and back-propagation through time.

    The arrangements, by argument:

    - many-to-one: the default; one output, after the last step.
    - many-to-many: `every_step=True`; an output after each step.
    - one-to-many: `given=1`; inputs come at the first step alone, the later ones get zeros, or with `feedback=True`
      each step's output as the last L inputs of the next (L ≤ M). `given` may be any number of steps up to T.
    - encoder–decoder: two networks, the second started from the first one's last state (`models.encoder_decoder`).

    `masked=True` allows sequences of unequal length: `forward` is then told which steps are present, and at the others
    a state stays as it is. `truncate=k` lets gradients flow back at most k steps: they are cut every k steps, counted
    from the end; absent steps count. The parameters are seen as they are at each call; `gradient` is written by
    `backward`. Raises EmptySequenceError, BadInputError or BadShapeError where there can be no such network.

    All that the passes do is written out once, here, as lists of calls without arguments, and replayed for every
    batch: at small sizes, finding the same arrays again would take longer than the arithmetic.
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        steps: int,
        batch: int,
        given: int | None = None,
        every_step: bool = False,
        feedback: bool = False,
        masked: bool = False,
        truncate: int | None = None,
        gradient: Parameters | None = None,
    ) -> None:
        N, M, L = parameters.shape.hidden, parameters.shape.inputs, parameters.shape.outputs
        given = steps if given is None else given
        if steps < 1 or batch < 1:
            raise EmptySequenceError(f"{steps} steps of {batch} sequences: at least one of each is needed")
        if not 0 <= given <= steps:
            raise BadInputError(f"inputs for {given} steps of {steps}: give between 0 and {steps}")
        if feedback and not (every_step and 1 <= L <= M):
            raise BadInputError(f"feedback needs every_step=True and 1 ≤ L ≤ M, but L is {L} and M is {M}")
        if truncate is not None and truncate < 1:
            raise BadInputError(f"truncate is {truncate}: gradients must flow back at least one step")
        if gradient is not None and gradient.flat.shape != parameters.flat.shape:
            raise BadShapeError(f"the gradient has shape {gradient.flat.shape}, expected {parameters.flat.shape}")
        self.parameters = parameters
        self.gradient = gradient or Parameters(parameters.shape, np.zeros_like(parameters.flat))
        self.steps, self.batch, self.given = steps, batch, given
        self.every_step, self.feedback, self.masked, self.truncate = every_step, feedback, masked, truncate
        sequence_major = N >= LONG_STATE and (N + 1 + M >= LONG_COLUMN or batch <= SHORT_BATCH)
        self._order: Order = "F" if sequence_major else "C"
        matrices = self._matrices
        self._Z = matrices(steps + 1, N + 1 + M, batch)
        self._Z[..., N, :] = 1.0
        self._X, self._h0 = self._Z[:given, ..., N + 1 :, :], self._Z[0, ..., :N, :]
        # Sequence-major, a step's states lie scattered in Z. They are kept beside it too: writing them twice costs less
        # than reading them from there.
        self._H = matrices(steps, N, batch) if self._order == "F" else self._Z[1:, ..., :N, :]
        self._O, self._d_O = (matrices(steps if every_step else 1, L, batch) for _ in range(2))
        self._outputs: Array = self._O if every_step else self._O[0]
        self._d_outputs: Array = self._d_O if every_step else self._d_O[0]
        one_a_step = (steps, *(1 for _ in parameters.fleet), 1, batch)
        self._present, self._absent = np.ones(one_a_step, dtype=bool), np.zeros(one_a_step, dtype=bool)
        self._recurrent, self._readout = matrices(N, N + 1 + M), matrices(L, N + 1)
        self._d_h, self._state_part, self._output_part = matrices(N, batch), matrices(N, batch), matrices(L, batch)
        self._forward = self._write_forward()
        self._begin_backward = Tape()
        self._begin_backward.product(self._readout[..., :N].swapaxes(-1, -2), self._d_O[-1], self._d_h)
        self._backward: Tape | None = None  # written when first asked for: whoever only forecasts needs none
        self._ran_forward = False

    @property
    def Z(self) -> Array:  # noqa: N802
        """The stacked vectors of the last forward pass, (T+1, N+1+M, B)."""
        return self._Z

    @property
    def h(self) -> Array:
        """The states after the last step, (N, B): the next call's `h0` where a stream goes on."""
        return self._Z[-1, ..., : self.parameters.shape.hidden, :].copy()

    def _matrices(self, *shape: int) -> Array:
        """Matrices for every network of the fleet: S comes before the last two sizes."""
        fleet, dtype = self.parameters.fleet, self.parameters.flat.dtype
        return zeros((*shape[:-2], *fleet, *shape[-2:]), dtype, self._order)

    def _fed_back(self, t: int) -> bool:
        """Whether step t takes the output of the step before as its last L inputs."""
        return self.feedback and t >= max(1, self.given)

    def _cut_before(self, t: int) -> bool:
        """Whether no gradient flows from step t to the one before. (From the first step it flows to h0.)"""
        return self.truncate is not None and t > 0 and (self.steps - t) % self.truncate == 0

    def _write_forward(self) -> Tape:
        """The forward pass: a_t = [W|b|U] · (h_{t-1}; 1; x_t), h_t = tanh(a_t), o_t = [V|c] · (h_t; 1)."""
        N, L, T = self.parameters.shape.hidden, self.parameters.shape.outputs, self.steps
        Z, H, o, a = self._Z, self._H, self._O, self._matrices(N, self.batch)
        tape = Tape()
        tape.do(np.copyto, self._recurrent, self.parameters.recurrent)
        tape.do(np.copyto, self._readout, self.parameters.readout)
        for t in range(T):
            if self._fed_back(t):
                tape.do(np.copyto, Z[t, ..., -L:, :], o[t - 1])
            tape.product(self._recurrent, Z[t], a)
            tape.do(np.tanh, a, H[t])
            h = Z[t + 1, ..., :N, :]
            if self._order == "F":
                tape.do(np.copyto, h, H[t])
            if self.masked:
                tape.do(np.copyto, h, Z[t, ..., :N, :], where=self._absent[t])
            if self.every_step or t == T - 1:
                tape.product(self._readout, Z[t + 1, ..., : N + 1, :], o[t if self.every_step else 0])
        return tape

    def forward(self, X: ArrayLike, h0: Array | None = None, present: NDArray[np.bool_] | None = None) -> Array:
        """Run a batch through the network, from the states h0, or from zero.

        X: (given, M, B), the inputs; h0: (N, B); present: (T, B), where `masked`: which steps each sequence has.
        Returns the outputs o: (L, B), or (T, L, B) where `every_step`; they are overwritten by the next call. In a
        fleet an axis S comes before the last two of h0 and o; X may have it, or is the same for all networks. Raises
        BadShapeError, NotFiniteError, EmptySequenceError where a sequence has no step, or BadInputError where the mask
        is none, or was not expected.
        """
        self._ran_forward = False
        self._X[...] = _checked("X", X, self._X, 1 if self.parameters.fleet else None)
        self._h0[...] = 0.0 if h0 is None else _checked("h0", h0, self._h0)
        if self.masked:
            self._mark_present(present)
        elif present is not None:
            raise BadInputError("`present` was given, but the network was laid out without masked=True")
        self._forward.play()
        self._ran_forward = True
        return self._outputs

    def _mark_present(self, present: NDArray[np.bool_] | None) -> None:
        """Take in which steps are there; all of them where nothing is told."""
        present = np.ones((self.steps, self.batch), dtype=bool) if present is None else np.asarray(present)
        if present.dtype != np.bool_:
            raise BadInputError(f"present has dtype {present.dtype}, expected bool: True where a sequence has the step")
        if present.shape != (self.steps, self.batch):
            raise BadShapeError(f"present has shape {present.shape}, expected {(self.steps, self.batch)}")
        lengths = np.count_nonzero(present, axis=0)
        if not lengths.all():
            raise EmptySequenceError(f"sequence {np.argmin(lengths)} of {self.batch} has no step at all in `present`")
        self._present[...] = present.reshape(self._present.shape)
        np.logical_not(self._present, self._absent)

    def _write_backward(self) -> Tape:
        """Back-propagation through time.

        With δ_t the gradient in a_t and d_h that in h_t (Goodfellow, Bengio, Courville, Deep Learning, section 10.2.2):

            d_h = Vᵀ d_o_t + Wᵀ δ_{t+1}        δ_t = (1 − h_t²) ⊙ d_h
            d[W|b|U] = Σ_t δ_t (h_{t-1}; 1; x_t)ᵀ        d[V|c] = Σ_t d_o_t (h_t; 1)ᵀ
        """
        N, M, T, B = self.parameters.shape.hidden, self.parameters.shape.inputs, self.steps, self.batch
        first = 0 if self.every_step else max(0, T - (self.truncate or T))  # no gradient comes to the steps before
        # The same for any S: a fleet must add up in the order in which one network does.
        per_step = self._Z.itemsize * N * max(B, (N + 1 + M) // PRODUCTS_PER_SLOPES)
        chunk = max(1, CHUNK_BYTES // per_step)
        one = np.ones((), dtype=self._Z.dtype)
        spare = self._matrices(0 if self._order == "F" else min(chunk, T - first), N, B)
        Wt = self._matrices(N, N)
        d_recurrent = self.gradient.recurrent if self._order == "C" else self._matrices(N, N + 1 + M)
        tape = Tape()
        tape.do(np.copyto, Wt, self._recurrent[..., :N].swapaxes(-1, -2))
        for end in range(T, first, -chunk):
            begin = max(first, end - chunk)
            slopes = self._H[begin:end]  # a slope 1 − h² lies where its δ will be: in the place of h, if Z has h too
            if self._order == "C":
                slopes = spare[: end - begin]
                tape.do(np.copyto, slopes, self._H[begin:end])
            tape.do(np.multiply, slopes, slopes, slopes)
            tape.do(np.subtract, one, slopes, slopes)
            if self.masked:
                tape.do(np.multiply, slopes, self._present[begin:end], slopes)
            for t in reversed(range(begin, end)):
                self._write_step_back(tape, t, slopes[t - begin], Wt)
            self._add_products(tape, slopes, self._Z[begin:end], d_recurrent, begun=end < T)
        if self._order == "F":
            tape.do(np.copyto, self.gradient.recurrent, d_recurrent)
        read = self._Z[1:] if self.every_step else self._Z[T:]
        self._add_products(tape, self._d_O, read[..., : N + 1, :], self.gradient.readout)
        return tape

    def _write_step_back(self, tape: Tape, t: int, delta: Array, Wt: Array) -> None:
        """From the gradient in h_t that came from later steps to that in h_{t-1}. delta: (N, B), the slopes so far."""
        N, L, d_h = self.parameters.shape.hidden, self.parameters.shape.outputs, self._d_h
        if self.every_step and t < self.steps - 1:  # the last output's share is there before the tape begins
            tape.product(self._readout[..., :N].swapaxes(-1, -2), self._d_O[t], self._state_part)
            tape.do(np.add, d_h, self._state_part, d_h)
        tape.do(np.multiply, d_h, delta, delta)
        if self._cut_before(t):
            tape.do(d_h.fill, 0.0)
            return
        if not self.masked:
            tape.product(Wt, delta, d_h)
        else:  # where the step is absent, δ is 0 and the gradient passes through as the state did
            tape.product(Wt, delta, self._state_part)
            tape.do(np.copyto, d_h, self._state_part, where=self._present[t])
        if self._fed_back(t):
            tape.product(self._recurrent[..., -L:].swapaxes(-1, -2), delta, self._output_part)
            tape.do(np.add, self._d_O[t - 1], self._output_part, self._d_O[t - 1])

    def _add_products(self, tape: Tape, left: Array, right: Array, out: Array, *, begun: bool = False) -> None:
        """Write down out = Σ_t left_t right_tᵀ, += where begun. left: (T, n, B), right: (T, k, B), out: (n, k)."""
        right = right.swapaxes(-1, -2)
        if len(left) == 1 and not begun:
            tape.product(left[0], right[0], out)
            return
        products = zeros((*left.shape[:-1], right.shape[-1]), out.dtype, self._order)
        tape.product(left, right, products)
        if not begun:
            tape.do(np.add.reduce, products, 0, None, out)
        else:
            part = zeros(out.shape, out.dtype, self._order)
            tape.do(np.add.reduce, products, 0, None, part)
            tape.do(np.add, out, part, out)

    def backward(self, d_o: ArrayLike, d_h: Array | None = None) -> Array:
        """Back-propagation through time, for the batch of the last forward pass, into `gradient`.

        d_o: the loss's gradient in the outputs, of their shape; d_h: (N, B), its gradient in the last states, where
        something goes on from them. Returns the gradient in h0, (N, B), overwritten by the next call. Raises
        BadShapeError, NotFiniteError, or BadInputError where no forward pass came before.
        """
        if not self._ran_forward:
            raise BadInputError("backward() uses up what forward() left: call forward() before each backward()")
        if self._backward is None:
            self._backward = self._write_backward()
        self._d_outputs[...] = _checked("d_o", d_o, self._d_outputs)
        # A copy, because what the last call returned may come back as this one's d_h.
        from_later = None if d_h is None else _checked("d_h", d_h, self._d_h).copy()
        self._ran_forward = False
        self._begin_backward.play()
        if from_later is not None:
            self._d_h += from_later
        self._backward.play()
        return self._d_h


def predict(parameters: Parameters, X: Array) -> Array:
    """The many-to-one outputs for any number of sequences, some hundreds at a time. X: (T, M, B); returns (L, B).

    Raises BadShapeError, EmptySequenceError, or NotFiniteError, also where the outputs are not finite.
    """
    X = numbers("X", X, parameters.flat.dtype)
    if X.ndim < 3:
        raise BadShapeError(f"X has shape {X.shape}, expected (T, {parameters.shape.inputs}, B)")
    steps, batch = X.shape[0], X.shape[-1]
    if batch == 0:
        raise EmptySequenceError(f"X has shape {X.shape}: there is no sequence to predict")
    pieces = []
    for first in range(0, batch, PIECE):
        piece = X[..., first : first + PIECE]
        pieces.append(Unrolled(parameters, steps=steps, batch=piece.shape[-1]).forward(piece))
    outputs: Array = np.concatenate(pieces, axis=-1)
    if not np.isfinite(outputs).all():
        raise NotFiniteError("the outputs hold NaN or infinity: the parameters do, or X is too large for them")
    return outputs


class Stream:
    """A network that takes one observation at a time and carries its state, for B sequences side by side.

    h0: (N, B), the states to begin with, zero unless told. The parameters are copied: later changes are not seen.
    """

    def __init__(self, parameters: Parameters, *, batch: int = 1, h0: Array | None = None) -> None:
        N, M, L = parameters.shape.hidden, parameters.shape.inputs, parameters.shape.outputs
        dtype, fleet = parameters.flat.dtype, parameters.fleet
        if batch < 1:
            raise EmptySequenceError(f"a stream of {batch} sequences: at least one is needed")
        self._z = zeros((*fleet, N + 1 + M, batch), dtype)
        self._z[..., N, :] = 1.0
        self._x = self._z[..., N + 1 :, :]
        self._shape = self._x.shape
        self._h = self._z[..., :N, :]
        if h0 is not None:
            self._h[...] = _checked("h0", h0, self._h)
        a, self._o = zeros((*fleet, N, batch), dtype), zeros((*fleet, L, batch), dtype)
        recurrent, readout = np.array(parameters.recurrent, order="C"), np.array(parameters.readout, order="C")
        self._affine = product(recurrent, self._z, a)
        self._tanh = partial(np.tanh, a, self._h)
        self._read = product(readout, self._z[..., : N + 1, :], self._o)
        everything = self._z.reshape(-1)
        self._square = partial(everything.dot, everything)

    @property
    def h(self) -> Array:
        """The states, (N, B), as they are now."""
        return self._h.copy()

    def step(self, x: ArrayLike) -> Array:
        """Take in one observation of each sequence, (M, B); returns the outputs (L, B), overwritten by the next call.

        Raises BadShapeError or NotFiniteError; the state is then as it was.
        """
        if not isinstance(x, np.ndarray):
            x = numbers("x", x, self._x.dtype)
        if x.shape != self._shape:
            raise BadShapeError(f"x has shape {x.shape}, expected {self._shape}")
        self._x[...] = x
        if not math.isfinite(self._square()):  # the sum of squares is finite only if all numbers are
            _checked("x", x, self._x)
            if not np.isfinite(self._h).all():
                raise NotFiniteError("the state holds NaN or infinity: an earlier x was too large; begin a new stream")
        self._affine()
        self._tanh()
        self._read()
        return self._o


def _checked(name: str, values: ArrayLike, into: Array, fleet_axis: int | None = None) -> Array:
    """The values as an array that can be assigned to `into` and is finite, or the error that says what is wrong.

    fleet_axis: the axis of `into` that holds the networks of a fleet, where the values may also leave it out.
    """
    array = numbers(name, values, into.dtype)
    if array.shape != into.shape:
        shared = into.shape if fleet_axis is None else into.shape[:fleet_axis] + into.shape[fleet_axis + 1 :]
        if array.shape != shared:
            expected = f"{into.shape}" if shared == into.shape else f"{into.shape}, or {shared} for all networks"
            raise BadShapeError(f"{name} has shape {array.shape}, expected {expected}")
    # The sum of squares is finite only if all values are, and is had in half the time of asking each.
    if not math.isfinite(np.vdot(array, array)) and not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise NotFiniteError(f"{name} of shape {array.shape} holds NaN or infinity, first at {where}; fill or drop it")
    if array.shape != into.shape:
        array = array.reshape(*array.shape[:fleet_axis], 1, *array.shape[fleet_axis:])
    return array
