"""The errors of this package.

ModelError
├── NotEnoughDataError   a fit or a forecast was asked for with fewer values than it needs
├── BadInputError        an array has the wrong shape, or holds NaN or infinity
├── DivergedError        the loss left the finite numbers while training
└── BadModelBytesError   the bytes are no saved forecaster, or a damaged one
"""


class ModelError(Exception):
    """Anything that the models refuse or cannot do; the message says what to do next."""


class NotEnoughDataError(ModelError):
    """Fewer values than a fit or a forecast needs."""


class BadInputError(ModelError):
    """An array of the wrong shape, or with values that are not finite."""


class DivergedError(ModelError):
    """The training loss became NaN or infinite."""


class BadModelBytesError(ModelError):
    """Bytes that are not a forecaster saved by this version, or were damaged since."""
