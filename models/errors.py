"""The errors of this package.

ModelError
├── NotEnoughDataError     a fit or a forecast was asked for with fewer values than it needs
├── BadInputError          an argument cannot be used
│   ├── BadShapeError      an array has another shape than the one expected
│   ├── NotFiniteError     an array holds NaN or infinity
│   └── EmptySequenceError a sequence without a single step
├── DivergedError          the loss or the gradient left the finite numbers while training
└── BadModelBytesError     the bytes are nothing saved by this version, or were damaged since
"""


class ModelError(Exception):
    """Anything that the models refuse or cannot do; the message says what to do next."""


class NotEnoughDataError(ModelError):
    """Fewer values than a fit or a forecast needs."""


class BadInputError(ModelError):
    """An argument that cannot be used."""


class BadShapeError(BadInputError):
    """An array of another shape than the one expected."""


class NotFiniteError(BadInputError):
    """An array with values that are not finite."""


class EmptySequenceError(BadInputError):
    """A sequence without a single step."""


class DivergedError(ModelError):
    """The loss or the gradient became NaN or infinite."""


class BadModelBytesError(ModelError):
    """Bytes that were not saved by this version, or were damaged since."""
